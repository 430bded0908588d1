// Package source reads and settles the company's table.
//
// The table belongs to other people. Pombo's account may SELECT the mapped
// columns and UPDATE the mapped columns, and that is all this package does; SQL
// lists every statement that it can run, so that a DBA can read them first, and
// a test holds what was really run against that list. No transaction stays open
// between two calls, no row is locked while anything else happens, every
// statement has a time limit.
//
// Three questions make up the work. Page asks for pending rows whose key comes
// after the last one seen, so that an index of the key carries it and nothing is
// read twice. Statuses asks what the status of some keys is now. Settle writes
// results back, a batch in one statement, and only over the status that the row
// is expected to have; what it could not write it looks up, so that its answers
// are read from the table and never assumed.
//
// How it fails: as *Error, which says in one sentence what was tried, what the
// database said and what to do, and whether a person is needed or waiting will
// do. A row that cannot be read (a time that is no time) is left where it is and
// told by Problems; it stops no other row. A row whose change the database
// refuses is settled as refused; the rest of its batch is written. After a lost
// connection Settle may be called again with the same batch as often as one
// likes.
//
// source.go is the one road, on database/sql. What a kind of database does in
// its own way is behind the dialect interface: a further database is one file.
package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pombo"
)

// MaxText is how many characters of a phone or of a template's value matter:
// WhatsApp takes no more. Page reads one character beyond it, so that the reader
// sees that a value is too long without loading the megabytes behind it.
const MaxText = 4096

// Options say which table and how to get there.
type Options struct {
	URL      string // "oracle://…", "postgres://…" or "sqlite:path"
	User     string // when not in URL
	Password string // when not in URL
	DSN      string // the driver's own way to name the database, in place of URL
	Mapping  Mapping
	Timeout  time.Duration // for one statement, waiting for locks included; 0 = 30 s
}

// Table is the company's table. Make it with Open, end it with Close. It may be
// used by several goroutines.
type Table struct {
	db       *sql.DB
	d        Dialect
	m        *ParsedMapping
	timeout  time.Duration
	executed atomic.Int64
	slow     slowPages

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // by text
	known    *Layout              // nil until it was learned, and again after an error that a person must mend
	problems []pombo.RowProblem   // of the pass under way, or of the last one
}

// Open checks the options and prepares the way to the database. It does not talk
// to it: a program must be able to start while the database is away. Check does,
// and so does every other method, by itself, when it comes back.
func Open(_ context.Context, o Options) (*Table, error) {
	m, err := ParseMapping(o.Mapping)
	if err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	d, err := newDialect(o, m)
	if err != nil {
		return nil, err
	}
	db, err := d.Open()
	if err != nil {
		return nil, err
	}
	return &Table{db: db, d: d, m: m, timeout: o.Timeout, prepared: map[string]*sql.Stmt{}, slow: slowPages{now: time.Now}}, nil
}

// newDialect picks the database by the scheme of the URL.
func newDialect(o Options, m *ParsedMapping) (Dialect, error) {
	scheme, rest, _ := strings.Cut(o.URL, ":")
	switch strings.ToLower(scheme) {
	case "sqlite":
		return newSQLite(rest, o.Timeout, m)
	case "postgres", "postgresql":
		return newPostgres(o, m)
	case "oracle":
		return newOracle(o, m)
	case "":
		if postgresAddress(o.DSN) {
			return newPostgres(o, m)
		}
		if o.DSN != "" {
			return newOracle(o, m)
		}
		return nil, &TableError{Op: "open the source", Permanent: true, Err: errors.New("no database is named"), Hint: "set DB_URL, for example sqlite:data/empresa.db"}
	default:
		// The URL itself may hold a password, so only its scheme is repeated.
		return nil, &TableError{Op: "open the source", Permanent: true, Err: fmt.Errorf("unknown kind of database %q", scheme), Hint: "DB_URL starts with oracle:, postgres: or sqlite:"}
	}
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

// DriverPanics returns how often the driver has panicked so far, which ended a
// connection each time.
func (t *Table) DriverPanics() int64 {
	if d, ok := t.d.(*oracleDialect); ok {
		return d.panics.count.Load()
	}
	return 0
}

// Page returns pending rows whose key comes after the given one, in the key's
// own order; "" starts at the beginning. Fewer rows than limit (at least 1) means
// that the end was reached. A page that took too long is not asked for again at once,
// and then later and later, up to an hour; the error says until when. A row that cannot be taken in as it is stays pending, is
// skipped and told by Problems.
func (t *Table) Page(ctx context.Context, after string, limit int) ([]pombo.Row, error) {
	op := "read pending rows of " + t.m.Table
	limit = max(limit, 1)
	l, err := t.layout(ctx)
	if err != nil || l.RowKey == KindUnknown {
		return nil, err
	}
	var cursor any
	if after == "" {
		t.forget()
	} else {
		var ok bool
		if cursor, ok = t.d.KeyArg(l, after); !ok {
			return nil, &TableError{Op: op, Permanent: true, Err: fmt.Errorf("%s cannot hold the key %q", t.m.RowKey, after), Hint: "start again from the beginning: the type of the key column has changed"}
		}
	}
	if err := t.slow.allowed(); err != nil {
		return nil, err
	}
	r := reader{t: t, layout: l, rows: make([]pombo.Row, 0, min(limit, 1000))}
	for {
		wanted := limit - len(r.rows)
		got, err := t.each(ctx, op, t.d.Page(l, cursor, wanted), r.read)
		if err := t.slow.record(ctx, t, l, err); err != nil {
			return nil, err
		}
		// Rows that were skipped are made good for, from behind the last one
		// read, whatever that was.
		if got < wanted || len(r.rows) == limit {
			return r.rows, nil
		}
		cursor = r.last
	}
}

// Row reads one row as it is now, whatever its status; pombo.ErrNotFound when
// there is none.
func (t *Table) Row(ctx context.Context, key string) (pombo.Row, error) {
	op := "read a row of " + t.m.Table
	l, err := t.layout(ctx)
	if err != nil {
		return pombo.Row{}, err
	}
	arg, ok := t.d.KeyArg(l, key)
	if !ok {
		return pombo.Row{}, fmt.Errorf("%s: %w", op, pombo.ErrNotFound)
	}
	var row pombo.Row
	var unreadable error
	r := reader{t: t, layout: l}
	n, err := t.each(ctx, op, t.d.Row(l, arg), func(values []any) { row, unreadable = r.row(key, values[1:]) })
	switch {
	case err != nil:
		return pombo.Row{}, err
	case n == 0:
		return pombo.Row{}, fmt.Errorf("%s: %w", op, pombo.ErrNotFound)
	case n > 1:
		return pombo.Row{}, &TableError{Op: op, Permanent: true, Err: fmt.Errorf("%d rows have the key %q", n, key), Hint: "map a column that is unique (DB_COL_ID)"}
	case unreadable != nil:
		return pombo.Row{}, &TableError{Op: op, Permanent: true, Err: unreadable, Hint: "correct the row"}
	}
	return row, nil
}

// Statuses returns the present status code by key. A row that is gone is absent;
// a status of NULL is "".
func (t *Table) Statuses(ctx context.Context, keys []string) (map[string]string, error) {
	op := "read statuses of " + t.m.Table
	found := make(map[string]string, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	l, err := t.layout(ctx)
	if err != nil {
		return nil, err
	}
	args := make([]any, 0, len(keys))
	for _, k := range keys {
		// A key that the column cannot hold is the key of no row.
		if a, ok := t.d.KeyArg(l, k); ok {
			args = append(args, a)
		}
	}
	if len(args) == 0 {
		return found, nil
	}
	for _, q := range t.d.Statuses(l, args) {
		_, err := t.each(ctx, op, q, func(values []any) {
			if key, err := t.d.KeyText(l, values[0]); err == nil {
				found[key] = t.m.Code(Text(values[1]))
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Problems returns the rows that the pass under way, or the last one if none is,
// could not take in. A pass begins when Page is called from the beginning. No
// more than pombo.MostRowProblems are kept: past that there is one cause, not many.
func (t *Table) Problems() []pombo.RowProblem {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.problems)
}

func (t *Table) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problems = nil
}

func (t *Table) report(p pombo.RowProblem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.problems) < pombo.MostRowProblems && !slices.Contains(t.problems, p) {
		t.problems = append(t.problems, p)
	}
}

// layout returns what is known of the table, and learns it first if need be.
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
	// An empty table may not tell yet what its keys are like.
	if l.RowKey != KindUnknown {
		t.mu.Lock()
		t.known = &l
		t.mu.Unlock()
	}
	return l, nil
}

// query is a statement with its arguments.
type Query struct {
	Text string
	Args []any
}

// each runs a SELECT and calls f with the values of every row. The slice is used
// again for the next row. It returns the number of rows.
func (t *Table) each(ctx context.Context, op string, q Query, f func(values []any)) (int, error) {
	limited, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	n, err := t.rows(limited, q, f)
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
// The error is the driver's: the caller wants to know what it means.
func (t *Table) exec(ctx context.Context, c Update) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.prepare(ctx, c.Text)
	if err != nil {
		return 0, err
	}
	t.executed.Add(1)
	if c.Locks != nil {
		t.executed.Add(int64(len(c.Locks.Free)))
	}
	r, err := s.ExecContext(ctx, c.Args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// prepare keeps each text prepared. That is not only for speed: with some
// drivers database/sql runs an unprepared statement a second time when the line
// dies between its end and its answer.
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
	case other != nil: // somebody else was quicker
		_ = s.Close()
		return other, nil
	}
	t.prepared[text] = s
	return s, nil
}
