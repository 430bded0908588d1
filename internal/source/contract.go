package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"pombo"
)

// Dialect is what differs between databases: it connects, writes the statements, turns
// row keys into arguments and explains errors. Table runs the statements and decides. A
// dialect never sees the table; what it wants to know of the database it asks through a
// Querier.
//
// test/sourcetest is the contract as a test: every dialect passes the same suite.
type Dialect interface {
	// Connector returns what database/sql connects with. It does not connect.
	Connector() (driver.Connector, error)
	// Pool sets the limits of the pool that Table has made of the connector.
	Pool(db *sql.DB)
	// Explain says what an error of the driver means.
	Explain(err error) Explanation

	Introspector
	KeyCodec
	Statements
	Inspector
}

// Querier runs a SELECT under the table's time limit and calls f with the values of
// every row; the slice is reused for the next row. It returns the number of rows.
// op says what is being tried. An error is a *TableError already.
type Querier func(ctx context.Context, op string, q Query, f func(values []any)) (int, error)

// Introspector reads from the database what the table looks like.
type Introspector interface {
	// Columns reads the table's columns. It returns a *TableError when the account
	// sees no such table.
	Columns(ctx context.Context, query Querier) ([]Column, error)
	// Kinds says what the columns of the row key and of the status hold, judged by
	// their types or, where these do not tell, by a row. Both columns exist. l has no
	// kinds yet.
	Kinds(ctx context.Context, query Querier, l Layout) (Kinds, error)
	// Matches reports whether a name of the mapping means this column.
	Matches(n Name, column string) bool
}

// KeyCodec carries row keys, which are text outside, to the database and back.
type KeyCodec interface {
	// KeyArg turns the text of a row key into an argument. ok is false when the column
	// cannot hold such a key, and for any text that KeyText would not have written.
	KeyArg(l Layout, rowKey string) (arg any, ok bool)
	// KeyText writes a key as the driver returned it in its one canonical form.
	KeyText(l Layout, value any) (string, error)
}

// Statements are the texts of SQL. They depend on the mapping and, in Oracle, on the
// types of the columns, but never on a value, so that they can be listed beforehand.
// Values are arguments.
type Statements interface {
	// Page selects pending rows in the order of the row key: first the key as the
	// driver returns it, then the columns of ParsedMapping.Values as text of at most
	// MaxText+1 characters. after is an argument of KeyArg or a key as the driver
	// returned it; nil starts at the beginning.
	Page(l Layout, after any, limit int) Query
	// Row selects one row whatever its status, with the columns of Page.
	Row(l Layout, rowKey any) Query
	// Blob selects of one row the number of bytes in a column of ParsedMapping.Blobs, and
	// the bytes, which the driver returns as []byte.
	Blob(l Layout, column MappedColumn, rowKey any) (size, bytes Query)
	// Statuses selects row key and status of the rows with these keys, in as few
	// statements as the database allows.
	Statuses(l Layout, rowKeys []any) []Query
	// Settle updates the batch in one statement, each row only if it still has the
	// status expected of it. KeyArg has accepted every key. The driver need only report
	// how many rows it changed. lockWait limits how long the statement waits for rows
	// that somebody else has locked, if the database locks rows at all.
	Settle(l Layout, batch []pombo.Settlement, lockWait time.Duration) Update
	// Probe is an UPDATE of all written columns that finds no row: it fails where
	// Settle would fail, and changes nothing.
	Probe() Query
	// Final reports whether List shows the texts that run. It is false while they
	// depend on column types that have not been read.
	Final() bool
	// List lists every text that can run. Advice lists what a DBA may want to run
	// first: grants, an index, a sample table. The first is the index.
	List() []Statement
	Advice() []Statement
}

// Inspector looks at what the work can do without, but not well.
type Inspector interface {
	// Diagnostics lists what Inspect can look at. DiagnosticIndex is always one of them.
	Diagnostics() []Diagnostic
	// Inspect looks at one of Diagnostics and changes nothing.
	Inspect(ctx context.Context, query Querier, l Layout, d Diagnostic) (Inspection, error)
}

// Query is a statement with its arguments.
type Query struct {
	Text string
	Args []any
}

// Update is an UPDATE of a batch.
type Update struct {
	Query
	// Locks is nil where the database does not lock single rows.
	Locks *RowLocks
}

// RowLocks is the last argument of an UPDATE. It is meant for our driver, not for the
// database: it says what to do about rows that somebody else has locked.
type RowLocks struct {
	Wait time.Duration // limits how long the statement waits for locked rows
	// Free are queries that lock the rows nobody else has locked, and return their
	// keys. With none, the statement waits. Narrow returns the arguments for those keys.
	Free   []Query
	Narrow func(keys []any) []any
	// CannotLock is called when the database cannot lock rows one by one.
	CannotLock func()
	// Held are the indexes in the batch of the rows that somebody else has locked, or
	// that are gone. A statement that succeeded has set it.
	Held []int
}

// CutRowLocks splits RowLocks off the arguments.
func CutRowLocks(args []driver.NamedValue) ([]driver.NamedValue, *RowLocks) {
	if last := len(args) - 1; last >= 0 {
		if l, ok := args[last].Value.(*RowLocks); ok {
			return args[:last], l
		}
	}
	return args, &RowLocks{}
}

// Layout is what introspection found out about the table.
type Layout struct {
	Columns []Column
	Matches func(n Name, column string) bool // Introspector.Matches
	Kinds
}

// Column returns the column that a name of the mapping means.
func (l Layout) Column(n Name) (c Column, ok bool) {
	for _, c := range l.Columns {
		if l.Matches(n, c.Name) {
			return c, true
		}
	}
	return Column{}, false
}

// Declared returns the type of the column that a name of the mapping means.
func (l Layout) Declared(n Name) string {
	c, _ := l.Column(n)
	return c.Declared
}

// Column is one of the table's columns, mapped or not.
type Column struct {
	Name     string
	Declared string // the type, as the database writes it
	NotNull  bool
	Computed bool // cannot be written
}

// Kinds are those of the two columns that are compared with values of ours.
type Kinds struct {
	RowKey Kind
	Status Kind
}

// Kind is what a column holds, as far as comparing and binding are concerned.
type Kind uint8

// The kinds.
const (
	KindUnknown Kind = iota // the column has no type, and there is no row to judge by
	KindWhole               // whole numbers
	KindText
	KindUUID // 16 bytes
)

// Explanation is what an error of a database means for what was tried.
type Explanation struct {
	Class Class
	Hint  string // what to do; "" when waiting is all
	// Detail says, for Refused, what refuses the row. It quotes neither the row nor a
	// trigger, whose message may.
	Detail string
}

// Class sorts errors by what helps.
type Class uint8

// The classes.
const (
	Transient Class = iota // time helps
	Locked                 // somebody has locked this row or the table; another row may be free
	Permanent              // a person has to correct something: the mapping, a right, the disk
	Refused                // the change of this row is refused; another row's may not be
)
