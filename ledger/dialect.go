package ledger

import (
	"context"
	"database/sql"
)

// dialect is what differs between the databases that can hold a ledger. It
// changes text and the way a batch is run, never what happens.
//
// Statements are written in what SQLite and PostgreSQL have in common, with
// parameters ?1, ?2 and so on.
type dialect interface {
	// open returns the pool of the writer and that of the readers, with the
	// schema in place. Its errors are explained already.
	open(ctx context.Context) (write, read *sql.DB, err error)
	// text rewrites a statement for the database.
	text(statement string) string
	// begin is the statement that starts a writing transaction.
	begin() string
	// claim is the statement that takes due notifications; claim.go lists its
	// parameters and columns.
	claim() string
	// each runs a statement for every row of parameters, in order, and sets in
	// hit which of them changed something.
	each(tx *txn, statement string, rows [][]any, hit []bool) error
	// explain turns an error of the driver into a sentence that says what to do.
	explain(err error) error
	// alone reports whether the writes of a failed transaction may fare better
	// one by one.
	alone(err error) bool
	// close releases what open took beside the pools.
	close() error
}

// txn is the writer's connection with its prepared statements, within a
// transaction. Its statements carry no context: none of them waits for anybody,
// and a driver that watches a context costs more than the statement.
type txn struct {
	conn    *sql.Conn
	dialect dialect
	stmts   map[string]*sql.Stmt
}

func (tx *txn) stmt(statement string) (*sql.Stmt, error) {
	if s, ok := tx.stmts[statement]; ok {
		return s, nil
	}
	s, err := tx.conn.PrepareContext(context.Background(), tx.dialect.text(statement))
	if err != nil {
		return nil, err
	}
	tx.stmts[statement] = s
	return s, nil
}

func (tx *txn) exec(statement string, args ...any) error {
	_, err := tx.change(statement, args...)
	return err
}

// change runs a statement and returns how many rows it changed.
func (tx *txn) change(statement string, args ...any) (int, error) {
	s, err := tx.stmt(statement)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

func (tx *txn) query(statement string, args ...any) (*sql.Rows, error) {
	s, err := tx.stmt(statement)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...)
}

func (tx *txn) queryRow(statement string, args ...any) *sql.Row {
	s, err := tx.stmt(statement)
	if err != nil {
		// Let the database say it again where the caller scans.
		return tx.conn.QueryRowContext(context.Background(), tx.dialect.text(statement), args...)
	}
	return s.QueryRowContext(context.Background(), args...)
}
