// Package source reads and settles the company's table.
//
// The table belongs to other people. Pombo's account may SELECT and UPDATE the mapped
// columns, and this package does nothing else. SQL lists every statement that can run,
// so that a DBA can read them first, and a test compares that list with what really
// ran. No transaction stays open between two calls, no row stays locked while anything
// else happens, and every statement has a time limit.
//
// The work is three questions. Page asks for pending rows whose key comes after the
// last one seen, so that an index on the key carries it and nothing is read twice.
// Statuses asks for the current status of some rows. Settle writes results back, a
// batch in one statement, and only over the status that the row is expected to have;
// what it could not write it looks up, so that its answers are read from the table and
// never assumed.
//
// How it fails: with a *TableError, which says in one sentence what was tried, what the
// database said and what to do, and whether a person is needed or waiting helps. A row
// that cannot be read (its time is not a time) stays as it is and is listed by
// Problems; it stops no other row. A row whose change the database refuses is settled
// as refused; the rest of its batch is written. After a lost connection Settle may be
// called again with the same batch, any number of times.
//
// Each kind of database is a Driver in a folder of its own and knows only the contract
// (contract.go); the table here, on database/sql, is the same for all.
package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pombo"
	"pombo/internal/tracing"
)

// MaxText is how many characters of a phone or of a template value matter: WhatsApp
// accepts no more. Page reads one character more, so that a value that is too long is
// noticed without loading the megabytes behind it.
const MaxText = 4096

// Options say which table and how to reach it.
type Options struct {
	Drivers  []Driver // the kinds of databases to choose from
	URL      string   // "oracle://…", "postgres://…" or "sqlite:path"
	User     string   // when not in URL
	Password string   // when not in URL
	DSN      string   // the driver's own way to name the database, in place of URL
	TNSAdmin string   // folder of tnsnames.ora, for a DSN of Oracle that is an alias; "" = where Oracle's programs look
	Mapping  Mapping
	Timeout  time.Duration    // for one statement, waiting for locks included; 0 = 30 s
	Now      func() time.Time // nil = time.Now
}

// Table is the company's table. Make it with Open, end it with Close. It may be
// used by several goroutines.
type Table struct {
	db       *sql.DB
	dialect  Dialect
	system   string // by OpenTelemetry
	mapping  *ParsedMapping
	timeout  time.Duration
	executed atomic.Int64
	slow     slowPages

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // by text
	known    *Layout              // nil before introspection, and after an error that needs a person
	problems []pombo.RowProblem   // of the current pass, or of the last one
}

// Open checks the options and prepares the connection. It does not connect: a program
// must be able to start while the database is away. Check connects, and so does every
// other method once the database is back.
func Open(_ context.Context, opts Options) (*Table, error) {
	m, err := ParseMapping(opts.Mapping)
	if err != nil {
		return nil, err
	}
	if opts.Timeout == 0 {
		opts.Timeout = 30 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	d, system, err := newDialect(opts, m)
	if err != nil {
		return nil, err
	}
	connector, err := d.Connector()
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	d.Pool(db)
	return &Table{db: db, dialect: d, system: system, mapping: m, timeout: opts.Timeout, prepared: map[string]*sql.Stmt{}, slow: slowPages{now: opts.Now}}, nil
}

// Close ends the connections. Calls under way end with an error.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.prepared {
		_ = s.Close() // the connections go with the pool anyway
	}
	t.prepared = nil
	return t.db.Close()
}

// Executed returns how many statements were sent to the database so far, without
// those that set up a connection.
func (t *Table) Executed() int64 { return t.executed.Load() }

// DriverPanics returns how often the driver has panicked so far. Each panic ended a
// connection.
func (t *Table) DriverPanics() int64 {
	if d, ok := t.dialect.(interface{ DriverPanics() int64 }); ok {
		return d.DriverPanics()
	}
	return 0
}

// Page returns pending rows whose key comes after the given one, in the order of the
// key; "" starts at the beginning. Fewer rows than limit (at least 1) mean that the end
// was reached. A row that cannot be taken in as it is stays pending, is skipped and is
// listed by Problems. After a page that took too long, the next one is delayed, longer
// each time, up to an hour; the error says until when.
func (t *Table) Page(ctx context.Context, after string, limit int) ([]pombo.Row, error) {
	op := "read pending rows of " + t.mapping.Table
	limit = max(limit, 1)
	l, err := t.layout(ctx)
	if err != nil || l.RowKey == KindUnknown {
		return nil, err
	}
	var cursor any
	if after == "" {
		t.forgetProblems()
	} else {
		var ok bool
		if cursor, ok = t.dialect.KeyArg(l, after); !ok {
			return nil, &TableError{Op: op, Permanent: true, Err: fmt.Errorf("%s cannot hold the key %q", t.mapping.RowKey, after), Hint: "start again from the beginning: the type of the key column has changed"}
		}
	}
	if err := t.slow.allowed(); err != nil {
		return nil, err
	}
	r := reader{table: t, layout: l, rows: make([]pombo.Row, 0, min(limit, 1000))}
	for {
		wanted := limit - len(r.rows)
		got, err := t.query(ctx, op, t.dialect.Page(l, cursor, wanted), r.read)
		if err := t.slow.record(ctx, t, l, err); err != nil {
			return nil, err
		}
		// Skipped rows are replaced by further ones, from after the last row read,
		// taken in or not.
		if got < wanted || len(r.rows) == limit {
			return r.rows, nil
		}
		cursor = r.last
	}
}

// Row reads one row as it is now, whatever its status; pombo.ErrNotFound when
// there is none.
func (t *Table) Row(ctx context.Context, rowKey string) (pombo.Row, error) {
	op := "read a row of " + t.mapping.Table
	l, err := t.layout(ctx)
	if err != nil {
		return pombo.Row{}, err
	}
	arg, ok := t.dialect.KeyArg(l, rowKey)
	if !ok {
		return pombo.Row{}, fmt.Errorf("%s: %w", op, pombo.ErrNotFound)
	}
	var row pombo.Row
	var unreadable error
	r := reader{table: t, layout: l}
	n, err := t.query(ctx, op, t.dialect.Row(l, arg), func(values []any) { row, unreadable = r.row(rowKey, values[1:]) })
	switch {
	case err != nil:
		return pombo.Row{}, err
	case n == 0:
		return pombo.Row{}, fmt.Errorf("%s: %w", op, pombo.ErrNotFound)
	case n > 1:
		return pombo.Row{}, &TableError{Op: op, Permanent: true, Err: fmt.Errorf("%d rows have the key %q", n, rowKey), Hint: "map a column that is unique (DB_COL_ID)"}
	case unreadable != nil:
		return pombo.Row{}, &TableError{Op: op, Permanent: true, Err: unreadable, Hint: "correct the row"}
	}
	return row, nil
}

// Statuses returns the current status code by row key. A row that is gone is absent;
// a status of NULL is "".
func (t *Table) Statuses(ctx context.Context, rowKeys []string) (map[string]string, error) {
	op := "read statuses of " + t.mapping.Table
	found := make(map[string]string, len(rowKeys))
	if len(rowKeys) == 0 {
		return found, nil
	}
	l, err := t.layout(ctx)
	if err != nil {
		return nil, err
	}
	args := make([]any, 0, len(rowKeys))
	for _, k := range rowKeys {
		// No row has a key that the column cannot hold.
		if a, ok := t.dialect.KeyArg(l, k); ok {
			args = append(args, a)
		}
	}
	if len(args) == 0 {
		return found, nil
	}
	for _, q := range t.dialect.Statuses(l, args) {
		_, err := t.query(ctx, op, q, func(values []any) {
			if key, err := t.dialect.KeyText(l, values[0]); err == nil {
				found[key] = t.mapping.Code(Text(values[1]))
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Problems returns the rows that the current pass, or the last one, could not take in.
// A pass begins when Page is called from the beginning. At most pombo.MostRowProblems
// are kept: beyond that there is one cause, not many.
func (t *Table) Problems() []pombo.RowProblem {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.problems)
}

func (t *Table) forgetProblems() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problems = nil
}

func (t *Table) addProblem(p pombo.RowProblem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.problems) < pombo.MostRowProblems && !slices.Contains(t.problems, p) {
		t.problems = append(t.problems, p)
	}
}

// layout returns what is known of the table, and introspects it first if need be.
func (t *Table) layout(ctx context.Context) (Layout, error) {
	t.mu.Lock()
	known := t.known
	t.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	l, err := t.introspect(ctx)
	if err != nil {
		return Layout{}, err
	}
	// An empty table may not show yet what its keys are.
	if l.RowKey != KindUnknown {
		t.mu.Lock()
		t.known = &l
		t.mu.Unlock()
	}
	return l, nil
}

// forgetLayout has the next call introspect again.
func (t *Table) forgetLayout() {
	t.mu.Lock()
	t.known = nil
	t.mu.Unlock()
}

// query is the Querier of the dialect, and runs the table's own SELECTs.
func (t *Table) query(ctx context.Context, op string, q Query, f func(values []any)) (int, error) {
	limited, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	limited, span := t.span(limited, "SELECT")
	n, err := t.rows(limited, q, f)
	span.SetInt(tracing.DBRows, n)
	ended(span, err)
	if err != nil {
		return n, t.fail(ctx, op, err)
	}
	return n, nil
}

func (t *Table) rows(ctx context.Context, q Query, f func(values []any)) (n int, err error) {
	s, err := t.prepare(ctx, q.Text)
	if err != nil {
		return 0, err
	}
	t.executed.Add(1)
	rows, err := s.QueryContext(ctx, q.Args...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		n++
		f(values)
	}
	return n, rows.Err()
}

// exec runs an UPDATE and returns how many rows the database says it changed.
// The error is the driver's: the caller asks what it means.
func (t *Table) exec(ctx context.Context, u Update) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	ctx, span := t.span(ctx, "UPDATE")
	defer func() { ended(span, err) }()
	s, err := t.prepare(ctx, u.Text)
	if err != nil {
		return 0, err
	}
	t.executed.Add(1)
	if u.Locks != nil {
		t.executed.Add(int64(len(u.Locks.Free)))
	}
	r, err := s.ExecContext(ctx, u.Args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// prepare keeps each text prepared. That is not only for speed: with some drivers
// database/sql runs an unprepared statement a second time when the connection dies
// between its end and its answer.
func (t *Table) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	t.mu.Lock()
	s, closed := t.prepared[text], t.prepared == nil
	t.mu.Unlock()
	if s != nil || closed {
		if closed {
			return nil, sql.ErrConnDone
		}
		return s, nil
	}
	s, err := t.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch other := t.prepared[text]; {
	case t.prepared == nil: // closed meanwhile
		_ = s.Close()
		return nil, sql.ErrConnDone
	case other != nil: // another goroutine was faster
		_ = s.Close()
		return other, nil
	}
	t.prepared[text] = s
	return s, nil
}
