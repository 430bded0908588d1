package sourcetest

import (
	"context"
	"database/sql/driver"
	"sync"
	"testing"

	"pombo/internal/source"
)

// Trace returns a driver whose tables call f with the text of every statement that they
// send, as the database's driver gets it.
func Trace(d source.Driver, f func(text string)) source.Driver {
	return With(d, func(dialect source.Dialect) source.Dialect { return tracedDialect{dialect, f} })
}

// With returns a driver whose dialects are changed before they are used.
func With[D source.Dialect](d source.Driver, change func(D) source.Dialect) source.Driver {
	made := d.New
	d.New = func(opts source.Options, m *source.ParsedMapping) (source.Dialect, error) {
		dialect, err := made(opts, m)
		if err != nil {
			return nil, err
		}
		return change(dialect.(D)), nil
	}
	return d
}

// Hold opens a table and compares the statements that it sends with those that it lists. ran
// collects the purposes of the statements that ran. Hold closes the table when the test ends.
func Hold(t *testing.T, d source.Driver, opts source.Options, ran *sync.Map) *source.Table {
	t.Helper()
	var mu sync.Mutex
	var sent []string
	opts.Drivers = []source.Driver{Trace(d, func(text string) {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, text)
	})}
	table, err := source.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		listed := map[string]string{}
		for _, s := range table.SQL() {
			listed[s.Text] = s.Purpose
		}
		for _, text := range sent {
			if listed[text] == "" {
				t.Errorf("SQL does not list %q", text)
			}
			ran.Store(listed[text], true)
		}
		if got, want := table.Executed(), int64(len(sent)); got != want {
			t.Errorf("Executed = %d, want %d", got, want)
		}
		if err := table.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return table
}

type tracedDialect struct {
	source.Dialect
	f func(string)
}

func (d tracedDialect) Connector() (driver.Connector, error) {
	c, err := d.Dialect.Connector()
	return tracer{c, d.f}, err
}

type tracer struct {
	driver.Connector
	f func(string)
}

func (t tracer) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := t.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return tracedConn{c, t.f}, nil
}

// tracedConn hides everything of the driver's connection but Prepare, so that
// nothing can bypass it.
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
