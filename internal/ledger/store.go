package ledger

import (
	"context"
	"database/sql"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"pombo"
)

// store is the open database, which all subjects of the ledger work on.
type store struct {
	opts    Options
	policy  policy
	dialect dialect

	write *sql.DB // one connection, the first writer's
	read  *sql.DB
	reads sync.Map // statement → *sql.Stmt

	urgent chan *write   // what workers wait for
	bulk   chan *write   // pages of intake, settled marks, receipts
	quit   chan struct{} // closed by Close
	idle   chan struct{} // closed when the writers have ended
	close  sync.Once

	writers sync.WaitGroup

	// name is unique among all that are or were open on the ledger.
	name   string
	time   *clock
	leases sync.Map    // the owners whose leases this store has renewed → when (ms)
	dirty  atomic.Bool // it has leases or a run, which it has to release on close

	identities identities

	// Of a ledger that is a file: see mark.go.
	keeping  *keeper
	quitMark chan struct{}
	replaced atomic.Bool // the file is no longer the one that was opened
}

// now is the time as the ledger keeps it.
func (db *store) now() int64 { return db.time.now() }

// clock is the time by which leases are judged, as a parameter: NULL where the
// database has to look at its clock itself.
func (db *store) clock() any {
	if db.time.ofMachine {
		return db.now()
	}
	return nil
}

// toLedgerTime converts a time of this machine, as it is stored; the zero time is NULL.
func (db *store) toLedgerTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return db.time.toLedgerTime(t)
}

// oneIf stores a truth.
func oneIf(is bool) int {
	if is {
		return 1
	}
	return 0
}

// endOfTime stands for "never" where a time has to be compared.
const endOfTime = math.MaxInt64

// millis stores a time; the zero time is NULL.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// moment reads back what millis stored.
func moment(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

func (db *store) shared() bool { return db.dialect.shared() }

// list reads the notifications of a list that changes with every message.
func (db *store) list(ctx context.Context, name statement, args ...any) ([]pombo.Notification, error) {
	var list []pombo.Notification
	err := db.due(ctx, name, args, func(rows *sql.Rows) error {
		n, err := scan(rows)
		list = append(list, n)
		return err
	})
	return list, err
}
