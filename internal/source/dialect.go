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
type dialect interface {
	// open makes the pool. It does not connect.
	open() (*sql.DB, error)
	// explain tells what an error of the driver means.
	explain(err error) verdict

	catalog
	keys
	texts
	survey
}

// survey is what is told of a database beside what the work needs.
type survey interface {
	aspects() []Aspect
	// examine looks at one of the aspects.
	examine(ctx context.Context, t *Table, l layout, a Aspect) (Remark, error)
}

// catalog is how a database tells what there is.
type catalog interface {
	// columns reads the table's columns. A table that does not exist is an *Error.
	columns(ctx context.Context, t *Table) ([]column, error)
	// kinds tells of which kind the key and the status are, by their types or,
	// where these do not say, by a row. Both columns exist.
	kinds(ctx context.Context, t *Table, key, status column) (kinds, error)
	// matches reports whether a name of the mapping means this column.
	matches(n name, column string) bool
}

// keys is how a key, which is text outside, travels to the database and back.
type keys interface {
	// keyArg turns a key's text into an argument. ok is false when the column
	// cannot hold such a key; texts other than those of keyText are such.
	keyArg(l layout, key string) (arg any, ok bool)
	// keyText writes a key that the driver gave in its one canonical form.
	keyText(l layout, value any) (string, error)
}

// texts are the statements. They depend on the mapping and, in Oracle, on the
// columns' types, never on a value, so that they can be listed beforehand; values
// are arguments.
type texts interface {
	// page selects pending rows in the order of the key: first the key as the
	// driver gives it, then the other mapped columns in the order of
	// mapping.values, as text of at most MaxText+1 characters. after is an
	// argument of keyArg or a key as the driver gave it; nil = from the beginning.
	page(l layout, after any, limit int) query
	// row selects the row with this key, whatever its status, with the columns
	// of page.
	row(l layout, key any) query
	// statuses selects key and status of the rows with these keys, in as few
	// statements as the database takes.
	statuses(l layout, keys []any) []query
	// settle updates the batch in one statement, each row only if it still has
	// the status expected of it. Every key is one that keyArg has taken. A driver
	// that tells only how many rows were changed is enough. wait is how long it may
	// wait for rows that somebody else has locked, where there is such a thing.
	settle(l layout, batch []pombo.Settlement, wait time.Duration) change
	// probe is an UPDATE of all written columns that finds no row: it fails
	// where the real one would, and changes nothing.
	probe() query
	// learned reports whether the texts are those that are run: where they depend
	// on the types of the columns, these must have been read.
	learned() bool
	// statements lists every text that can be run; advice lists what a DBA may
	// want to run: grants, an index, a sample table.
	statements() []Statement
	advice() []Statement
}

// layout is what was learned of the table.
type layout struct {
	columns []column
	kinds
}

// column is one of the table's columns, mapped or not.
type column struct {
	name     string
	declared string // the type, as the database tells it
	required bool   // NOT NULL
	computed bool   // cannot be written
}

// kinds are those of the two columns that are compared with what we have.
type kinds struct {
	key    kind
	status kind
}

// kind is what a column holds, as far as comparing and binding go.
type kind uint8

const (
	unknown kind = iota // the column has no type of its own and no row to learn from
	whole               // whole numbers
	words               // text
	uuid                // 16 bytes
)

// verdict is what an error of a database means for what was tried.
type verdict struct {
	class class
	hint  string // what to do; "" when waiting is all
	// detail says, for refused, what refuses the row. It holds no value of the
	// row: a trigger's own words may.
	detail string
}

// class sorts errors by who can mend them.
type class uint8

const (
	away    class = iota // time mends it
	busy                 // somebody holds a lock on this row, or on the table; another row may be free
	person               // somebody must mend it: the mapping, a right, the disk
	refused              // this row's change is refused; another row's may not be
)

// change is an UPDATE of a batch.
type change struct {
	query
	// lock is nil where the database has no locks of single rows.
	lock *locking
}

// locking, as the last argument of a statement, is not for the database but for our
// driver: what to do about rows that somebody else has locked.
type locking struct {
	wait time.Duration // how long the statement may wait for them
	// free are queries that lock those rows which nobody else has, and return their
	// keys; none = the statement waits. narrow then returns the arguments for these.
	free   []query
	narrow func(keys []any) []any
	// unable is called when the database cannot lock rows one by one.
	unable func()
	// held are the places in the batch of the rows that somebody else has, or that are
	// gone. It is set by a statement that ended without an error.
	held []int
}

// cutLocking takes it from the arguments.
func cutLocking(args []driver.NamedValue) ([]driver.NamedValue, *locking) {
	if last := len(args) - 1; last >= 0 {
		if l, ok := args[last].Value.(*locking); ok {
			return args[:last], l
		}
	}
	return args, &locking{}
}
