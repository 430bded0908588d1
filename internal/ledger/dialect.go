package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"
)

// dialect is what differs between the databases that a ledger can be in. It
// changes text and the way a batch is run, never what happens.
type dialect interface {
	statements
	capabilities
	connections
	writing
}

// connections are the pools of a database.
type connections interface {
	// open returns the pool of the writer and that of the readers, with the
	// schema in place. Its errors are explained already.
	open(ctx context.Context) (write, read *sql.DB, err error)
	// second is what another writer works with at the same time, once the ledger is
	// open; nil where there can be only one.
	second() dialect
	// purge clears what was erased out of what the database keeps beside its
	// tables.
	purge(ctx context.Context, read *sql.DB) error
	// close releases what open took beside the pools.
	close() error
}

// writing is how a writer's changes are carried out.
type writing interface {
	// transact carries out a group of writes in one transaction: their batches,
	// then their functions. After an error none of it has happened.
	transact(tx *txn, group []*write) error
	// each runs a statement for every row of parameters, in order, and sets in hit
	// which rows changed something.
	each(tx *txn, name statement, rows [][]any, hit []bool) error
	// explain turns an error of the driver into a sentence that says what to do.
	explain(err error) error
	// isolatesFailures reports whether the writes of a failed transaction may fare better
	// one by one.
	isolatesFailures(err error) bool
}

// statements are the SQL of a database. The time by which leases are judged is a parameter,
// store.clock: a database that several machines share takes its own time where that is NULL.
type statements interface {
	// text returns a statement's text.
	text(name statement) string
	// limits is how a transaction begins that must read a list by its index, and its
	// argument; "" where none is needed.
	limits() (name statement, argument string)
}

// capabilities are what the rest of the package must know of a database.
type capabilities interface {
	// shared reports whether several processes may claim at once.
	shared() bool
	// stableFor reports whether the database has answered without a break for the
	// time d. Only the writer may ask.
	stableFor(d time.Duration) bool
	// prepares reports whether a connection may keep statements prepared.
	prepares() bool
	// intact tells, without asking the database, whether it has been found damaged or
	// taken away.
	intact() error
	// withTimeout bounds how long a reading statement is waited for.
	withTimeout(ctx context.Context) (context.Context, context.CancelFunc)
}

// txn is the writer's connection with its prepared statements, within a
// transaction.
type txn struct {
	// ctx is that of the transaction, not of the caller that asked for a write. On
	// SQLite it has no end: no statement there waits for anybody, and a driver
	// that watches a context costs more than the statement.
	ctx         context.Context
	conn        *sql.Conn
	dialect     dialect
	refuse      func(error) // answers what waits for the writer
	stmts       map[statement]*sql.Stmt
	driverStmts map[statement]driver.Stmt // the same for the driver itself: see direct
}

// close ends the statements and gives the connection back.
func (tx *txn) close() {
	for _, s := range tx.stmts {
		_ = s.Close()
	}
	if tx.conn == nil {
		return
	}
	_ = tx.conn.Raw(func(any) error {
		for _, s := range tx.driverStmts {
			_ = s.Close()
		}
		return nil
	})
	_ = tx.conn.Close()
}

// direct returns the driver's own statement, prepared once. Only the writer may
// use it, within its transaction; the connection is its own.
func (tx *txn) direct(name statement) (stmt driver.StmtExecContext, err error) {
	s, ok := tx.driverStmts[name]
	if !ok {
		err = tx.conn.Raw(func(c any) error {
			s, err = c.(driver.ConnPrepareContext).PrepareContext(tx.ctx, tx.dialect.text(name))
			return err
		})
		if err != nil {
			return nil, err
		}
		tx.driverStmts[name] = s
	}
	return s.(driver.StmtExecContext), nil
}

func (tx *txn) stmt(name statement) (*sql.Stmt, error) {
	if s, ok := tx.stmts[name]; ok {
		return s, nil
	}
	s, err := tx.conn.PrepareContext(tx.ctx, tx.dialect.text(name))
	if err != nil {
		return nil, err
	}
	tx.stmts[name] = s
	return s, nil
}

func (tx *txn) exec(name statement, args ...any) error {
	_, err := tx.change(name, args...)
	return err
}

// change runs a statement and returns how many rows it changed.
func (tx *txn) change(name statement, args ...any) (int, error) {
	r, err := tx.run(name, args)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// one runs a batchable statement for one row, and reports whether that changed something.
func (tx *txn) one(name statement, args ...any) (changed bool, err error) {
	hit := make([]bool, 1)
	err = tx.dialect.each(tx, name, [][]any{args}, hit)
	return hit[0], err
}

func (tx *txn) run(name statement, args []any) (sql.Result, error) {
	if !tx.dialect.prepares() {
		return tx.conn.ExecContext(tx.ctx, tx.dialect.text(name), args...)
	}
	s, err := tx.stmt(name)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(tx.ctx, args...)
}

func (tx *txn) query(name statement, args ...any) (*sql.Rows, error) {
	if !tx.dialect.prepares() {
		return tx.conn.QueryContext(tx.ctx, tx.dialect.text(name), args...)
	}
	s, err := tx.stmt(name)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(tx.ctx, args...)
}

func (tx *txn) queryRow(name statement, args ...any) *sql.Row {
	if tx.dialect.prepares() {
		if s, err := tx.stmt(name); err == nil {
			return s.QueryRowContext(tx.ctx, args...)
		}
	}
	// What could not be prepared fails again where the caller scans.
	return tx.conn.QueryRowContext(tx.ctx, tx.dialect.text(name), args...)
}
