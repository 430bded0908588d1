package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"pombo"
)

// A dialect is what one kind of database does in its own way. It writes texts,
// turns keys into arguments and tells what an error means; Table runs the
// statements and decides.
type Dialect interface {
	// open makes the pool. It does not connect.
	Open() (*sql.DB, error)
	// explain tells what an error of the driver means.
	Explain(err error) Explanation

	Introspector
	KeyCodec
	Statements
	Inspector
}

// survey is what is told of a database beside what the work needs.
type Inspector interface {
	Diagnostics() []Diagnostic
	// examine looks at one of the aspects.
	Inspect(ctx context.Context, t *Table, l Layout, a Diagnostic) (Inspection, error)
}

// catalog is how a database tells what there is.
type Introspector interface {
	// columns reads the table's columns. A table that does not exist is an *Error.
	Columns(ctx context.Context, t *Table) ([]Column, error)
	// kinds tells of which kind the key and the status are, by their types or,
	// where these do not say, by a row. Both columns exist.
	Kinds(ctx context.Context, t *Table, key, status Column) (Kinds, error)
	// matches reports whether a name of the mapping means this column.
	Matches(n Name, column string) bool
}

// keys is how a key, which is text outside, travels to the database and back.
type KeyCodec interface {
	// keyArg turns a key's text into an argument. ok is false when the column
	// cannot hold such a key; texts other than those of keyText are such.
	KeyArg(l Layout, key string) (arg any, ok bool)
	// keyText writes a key that the driver gave in its one canonical form.
	KeyText(l Layout, value any) (string, error)
}

// texts are the statements. They depend on the mapping and, in Oracle, on the
// columns' types, never on a value, so that they can be listed beforehand; values
// are arguments.
type Statements interface {
	// page selects pending rows in the order of the key: first the key as the
	// driver gives it, then the other mapped columns in the order of
	// mapping.values, as text of at most MaxText+1 characters. after is an
	// argument of keyArg or a key as the driver gave it; nil = from the beginning.
	Page(l Layout, after any, limit int) Query
	// row selects the row with this key, whatever its status, with the columns
	// of page.
	Row(l Layout, key any) Query
	// statuses selects key and status of the rows with these keys, in as few
	// statements as the database takes.
	Statuses(l Layout, keys []any) []Query
	// settle updates the batch in one statement, each row only if it still has
	// the status expected of it. Every key is one that keyArg has taken. A driver
	// that tells only how many rows were changed is enough. wait is how long it may
	// wait for rows that somebody else has locked, where there is such a thing.
	Settle(l Layout, batch []pombo.Settlement, wait time.Duration) Update
	// probe is an UPDATE of all written columns that finds no row: it fails
	// where the real one would, and changes nothing.
	Probe() Query
	// learned reports whether the texts are those that are run: where they depend
	// on the types of the columns, these must have been read.
	Final() bool
	// statements lists every text that can be run; advice lists what a DBA may
	// want to run: grants, an index, a sample table.
	List() []Statement
	Advice() []Statement
}

// layout is what was learned of the table.
type Layout struct {
	Columns []Column
	Kinds
}

// column is one of the table's columns, mapped or not.
type Column struct {
	Name     string
	Declared string // the type, as the database tells it
	NotNull bool   // NOT NULL
	Computed bool   // cannot be written
}

// kinds are those of the two columns that are compared with what we have.
type Kinds struct {
	RowKey    Kind
	Status Kind
}

// kind is what a column holds, as far as comparing and binding go.
type Kind uint8

const (
	KindUnknown Kind = iota // the column has no type of its own and no row to learn from
	KindWhole               // whole numbers
	KindText               // text
	KindUUID                // 16 bytes
)

// verdict is what an error of a database means for what was tried.
type Explanation struct {
	Class Class
	Hint  string // what to do; "" when waiting is all
	// detail says, for refused, what refuses the row. It holds no value of the
	// row: a trigger's own words may.
	Detail string
}

// class sorts errors by who can mend them.
type Class uint8

const (
	Transient    Class = iota // time mends it
	Locked                 // somebody holds a lock on this row, or on the table; another row may be free
	Permanent               // somebody must mend it: the mapping, a right, the disk
	Refused              // this row's change is refused; another row's may not be
)

// change is an UPDATE of a batch.
type Update struct {
	Query
	// lock is nil where the database has no locks of single rows.
	Locks *RowLocks
}

// locking, as the last argument of a statement, is not for the database but for our
// driver: what to do about rows that somebody else has locked.
type RowLocks struct {
	Wait time.Duration // how long the statement may wait for them
	// free are queries that lock those rows which nobody else has, and return their
	// keys; none = the statement waits. narrow then returns the arguments for these.
	Free   []Query
	Narrow func(keys []any) []any
	// unable is called when the database cannot lock rows one by one.
	CannotLock func()
	// held are the places in the batch of the rows that somebody else has, or that are
	// gone. It is set by a statement that ended without an error.
	Held []int
}

// cutLocking takes it from the arguments.
func CutRowLocks(args []driver.NamedValue) ([]driver.NamedValue, *RowLocks) {
	if last := len(args) - 1; last >= 0 {
		if l, ok := args[last].Value.(*RowLocks); ok {
			return args[:last], l
		}
	}
	return args, &RowLocks{}
}
