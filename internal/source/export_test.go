package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"
	"time"

	"modernc.org/sqlite"
)

// AllDrivers are those of every database.
var AllDrivers = []Driver{SQLiteDriver, PostgresDriver, OracleDriver}

// Trace calls f with the text of every statement that the table sends from now
// on, as the driver gets it.
func Trace(t *testing.T, table *Table, f func(text string)) {
	t.Helper()
	var c driver.Connector
	switch d := table.dialect.(type) {
	case *sqliteDialect:
		var err error
		if c, err = sqlite.NewConnector(d.dsn("rw")); err != nil {
			t.Fatal(err)
		}
	case *postgresDialect:
		c = postgresConnector{d.config, d.limits, d.now}
	default:
		t.Fatalf("cannot trace %T", table.dialect)
	}
	if err := table.db.Close(); err != nil {
		t.Fatal(err)
	}
	table.db = sql.OpenDB(tracer{c, f})
}

type tracer struct {
	driver.Connector
	f func(string)
}

func (t tracer) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := t.Connector.Connect(ctx)
	return tracedConn{c, t.f}, err
}

// tracedConn hides everything of the driver's connection but Prepare, so that
// nothing can pass it by.
type tracedConn struct {
	driver.Conn
	f func(string)
}

func (c tracedConn) Prepare(text string) (driver.Stmt, error) {
	s, err := c.Conn.Prepare(text)
	if err != nil {
		return nil, err
	}
	return tracedStmt{s, text, c.f}, nil
}

type tracedStmt struct {
	driver.Stmt
	text string
	f    func(string)
}

func (s tracedStmt) CheckNamedValue(v *driver.NamedValue) error {
	if c, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return c.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (s tracedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.f(s.text)
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s tracedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.f(s.text)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// ParseCondition reads a condition of DB_WHERE.
func ParseCondition(s string) (string, error) { return parseCondition(s) }

// SetClock sets the clock by which a page that took too long is not asked for again.
func SetClock(t *Table, now func() time.Time) { t.slow.now = now }
