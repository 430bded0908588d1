// Package ledger is Pombo's own durable queue and history: the one truth about
// a notification once it has been taken in.
//
// # What it promises
//
// A change that a method has reported is on the disk: it survives a kill at any
// instant and a loss of power. A change of state happens only where
// pombo.State.CanBecome allows it, and only from the state, the owner and the
// attempt that the caller has seen (a compare-and-set); who comes too late gets
// pombo.ErrLost and has changed nothing. Every change of state is in the
// notification's history with its time, attempt and reason.
//
// # How it is made
//
// All writes go through one goroutine (commit.go). It takes whatever is waiting
// (the begins and finishes of hundreds of workers, a claim, a page of intake),
// carries it out in one transaction, so that one sync of the disk serves all,
// and then answers everybody. Reads have connections of their own and wait for
// nobody.
//
// On PostgreSQL, where the server does the work, there are two: one for what
// workers wait for and one for the rest. Several processes share a ledger there,
// each with such a pair. What they have to agree on is in share.go.
//
// A write is a statement and the rows that it is run for. What differs between
// databases is text and how such a batch is run; that is the dialect (dialect.go),
// one file for each database. Decisions are in Go, once, or in the conditions of
// the statements, never in the dialect.
//
// The history is a column of the notification and not a table beside it: each
// change appends one short JSON array in the statement that makes the change, so
// it cannot be made without the other. Measured on SQLite, this costs 4 µs for
// the whole way of a message; a table filled by a trigger costs 17.
//
// # How it fails
//
// A full disk, a file that may not be written, a database that is none: each is
// an error with a sentence that says what to do. What could not be written has
// not happened; the caller is told, and the ledger goes on when the trouble is over.
package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pombo"
)

// Options says which ledger to open and what it has to know.
type Options struct {
	// URL is "sqlite:path", and the folder is created if it is not there; or
	// "postgres://user:password@host:port/database", whose tables Migrate makes.
	URL string
	// Exclusive is for the process that claims. On SQLite there can be only one:
	// Open takes a lock on the file, which ends with the process, and forgets
	// the leases of the processes before it. Without Exclusive the ledger can be
	// read and changed beside that process, but must not be claimed from. On
	// PostgreSQL any number of processes may claim, and it means nothing.
	Exclusive bool
	// Source is the name of the source whose rows can be settled; results of rows
	// of another one, from before its name was changed, wait. "" = any.
	Source string
	// Pending is the status code of the source that means "to be sent".
	Pending string
	// Codes are the status codes that are written back to the source, by state.
	// A state without one keeps the code that the row has; of the states that
	// follow Accepted (Dispatched, Delivered, Read) each stands for those before it.
	Codes map[pombo.State]string
	// Lease is how long an owner may stay silent before what it has in hands is
	// taken from it; 0 = 30 s.
	Lease time.Duration
	// Timeout is how long PostgreSQL may take to answer until the connection is given
	// up and another one is made; 0 = 15 s. On SQLite nobody is far away.
	Timeout time.Duration
	// ResendsBeforePause is how many rows may be set back to pending within a minute
	// before they wait for a person; 0 = any number.
	ResendsBeforePause int
	// FirstPoll is how long after acceptance Blip is asked for receipts;
	// 0 = 30 s, negative = never.
	FirstPoll time.Duration
	// Now tells the time; nil = time.Now, or on PostgreSQL the database's clock,
	// so that machines whose clocks differ agree on when a lease is over.
	Now func() time.Time
	// Logger gets what nobody can be told as an error; nil = nowhere.
	Logger *slog.Logger
}

// DB is an open ledger. Its methods may be called from many goroutines.
//
// A method that writes waits for its turn; when its context ends before that,
// the method returns the context's error and nothing has happened. Once its turn
// has come it waits for the disk whatever the context says, so its answer is
// always the truth.
type DB struct {
	o       Options
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

	// name tells this DB from all others that are or were open on the ledger.
	name string
	// Where the database's clock counts: how far it is ahead of ours.
	byDatabase bool
	ahead      atomic.Int64 // ms
	mine       sync.Map     // the owners whose leases this DB has renewed, and when (ms)
	engaged    atomic.Bool  // others would have to wait for what this DB leaves behind

	contentWith map[string]string // code → the states that owe no further one, as ",a,b,"

	identities identities
	optouts    optouts
	streak     atomic.Int64 // people in the streak of failures, as last seen

	// Of a ledger that is a file: see mark.go.
	keeping  *keeper
	quitMark chan struct{}
	replaced atomic.Bool // the file is no longer the one that was opened

	mu      sync.Mutex
	waiting map[int64]int64 // run → all its rows before this seq have been tried
}

// ErrAway says that the ledger's database cannot be reached or takes nobody at
// present. Asked again when it is back, it answers; the process need not do
// anything else.
var ErrAway = errors.New("the ledger's database cannot be reached")

var errClosed = errors.New("the ledger is closed")

// Open opens the ledger. On SQLite it creates or migrates it as needed; on
// PostgreSQL, where other processes may be at work on it, that is what Migrate is
// for. The error of one that is locked by another process, was written by a newer
// program or is no ledger says what to do; ErrAway is worth another try. Close
// must be called.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = postgresTimeout
	}
	if o.FirstPoll == 0 {
		o.FirstPoll = 30 * time.Second
	}
	noClock := o.Now == nil
	if noClock {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Lease < 0 {
		return nil, fmt.Errorf("open the ledger: a lease of %v is none", o.Lease)
	}
	if o.Timeout < time.Second {
		return nil, fmt.Errorf("open the ledger: no database answers everything within %v", o.Timeout)
	}
	for s := range o.Codes {
		if !s.Valid() || s.Open() {
			return nil, fmt.Errorf("open the ledger: a row cannot be given a code for the state %q", s)
		}
	}

	db := &DB{
		o:        o,
		urgent:   make(chan *write, 1024),
		bulk:     make(chan *write, 64),
		quit:     make(chan struct{}),
		idle:     make(chan struct{}),
		quitMark: make(chan struct{}),
		name:     rand.Text(),
		waiting:  map[int64]int64{},
	}
	db.contentWith = contentWith(o.Codes)
	database, err := databaseOf(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if database == inSQLite {
		db.dialect = &sqlite{path: strings.TrimPrefix(o.URL, "sqlite:"), exclusive: o.Exclusive}
	} else {
		db.byDatabase = noClock
		db.dialect = &postgres{url: o.URL, timeout: o.Timeout, name: db.name, tell: db.tellWentBack, clock: db.clock, log: o.Logger, quit: db.quit}
	}
	if db.write, db.read, err = db.dialect.open(ctx); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if db.byDatabase {
		var now int64
		if err := db.get(ctx, sqlClock, []any{nil}, &now); err != nil {
			return nil, errors.Join(fmt.Errorf("open the ledger: %w", err), db.closePools())
		}
		db.setClock(now)
	}
	if second := db.dialect.second(); second != nil {
		db.start(db.dialect, db.urgent, nil)
		db.start(second, nil, db.bulk)
	} else {
		db.start(db.dialect, db.urgent, db.bulk)
	}
	go func() {
		db.writers.Wait()
		close(db.idle)
	}()
	if file, is := db.dialect.(*sqlite); is && o.Exclusive {
		err := db.keepMark(ctx, file)
		if err == nil {
			err = db.inherit(ctx)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the ledger: %w", err), db.Close())
		}
	}
	return db, nil
}

// start begins a writer for the queues.
func (db *DB) start(d dialect, urgent, bulk <-chan *write) {
	wr := &writer{db: db, urgent: urgent, bulk: bulk}
	wr.tx = &txn{dialect: d, refuse: wr.refuse, stmts: map[statement]*sql.Stmt{}, bare: map[statement]driver.Stmt{}}
	db.writers.Go(wr.run)
}

// inherit ends what a process before this one left behind. Nobody else can be
// alive: the lock of the operating system is ours. So every lease is over,
// without waiting for its time, and Reclaim finds all that was in hands; and a
// run that was still taking in takes in no more.
func (db *DB) inherit(ctx context.Context) error {
	return db.do(ctx, func(tx *txn) error {
		if err := tx.exec(sqlTakeOverLeases); err != nil {
			return err
		}
		return tx.exec(sqlTakeOverRuns, pombo.Interrupted.Message())
	})
}

// Close ends the ledger: what has been handed over is still written, what comes
// later is refused. It releases the file and its lock.
func (db *DB) Close() error {
	var err error
	db.close.Do(func() {
		db.saveIdentities(1)
		if db.Shared() {
			db.farewell()
		}
		close(db.quitMark)
		if db.keeping != nil {
			<-db.keeping.done
		}
		close(db.quit)
		<-db.idle
		err = db.closePools()
	})
	if err != nil {
		return fmt.Errorf("close the ledger: %w", err)
	}
	return nil
}

func (db *DB) closePools() error {
	// The writer's connection is closed last: it folds the log into the file.
	return errors.Join(db.read.Close(), db.write.Close(), db.dialect.close())
}

// Check writes to the ledger and reports whether it can be written to, has been
// found damaged, or lies no longer where it was opened.
func (db *DB) Check(ctx context.Context) error {
	if db.replaced.Load() {
		return errReplaced
	}
	err := db.do(ctx, func(tx *txn) error {
		return tx.exec(sqlCheck, db.now())
	})
	if err != nil {
		return fmt.Errorf("write to the ledger: %w", err)
	}
	if err := db.dialect.intact(); err != nil {
		return fmt.Errorf("look at the ledger: %w", err)
	}
	return nil
}

// now is the time as the ledger keeps it: that of the database where its clock
// counts, as near as the last look at it tells.
func (db *DB) now() int64 { return db.o.Now().UnixMilli() + db.ahead.Load() }

// clock is the time by which leases are judged, as a parameter: NULL where the
// database has to look at its clock itself.
func (db *DB) clock() any {
	if db.byDatabase {
		return nil
	}
	return db.now()
}

// setClock is told what the database's clock has just said.
func (db *DB) setClock(now int64) {
	if db.byDatabase {
		db.ahead.Store(now - db.o.Now().UnixMilli())
	}
}

// theirs stores a time that was reckoned from this machine's clock, such as "in
// five seconds", by the clock that the ledger goes by; the zero time is NULL.
func (db *DB) theirs(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli() + db.ahead.Load()
}

// ours turns a time of the ledger into one by this machine's clock, to reckon with.
func (db *DB) ours(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-time.Duration(db.ahead.Load()) * time.Millisecond)
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
