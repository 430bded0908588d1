// Package ledger is Pombo's own durable queue and history: the one truth about
// a notification once it has been taken in.
//
// # What it promises
//
// A change that a method has reported is on the disk: it survives a kill at any
// instant and a loss of power. A change of state happens only where
// pombo.State.CanBecome allows it, and only from the state, the owner and the
// attempt that the caller has seen (a compare-and-set); a caller that comes too late gets
// pombo.ErrLost and has changed nothing. Every change of state is in the
// notification's history with its time, attempt and reason.
//
// # How it is made
//
// All writes go through one goroutine (commit.go). It takes whatever is waiting
// (the begins and finishes of hundreds of workers, a claim, a page of intake),
// carries it out in one transaction, so that one sync of the disk serves all,
// and then answers every caller. Reads have connections of their own and do not
// wait.
//
// On PostgreSQL, where the server does the work, there are two: one for what
// workers wait for and one for the rest. Several processes share a ledger there,
// each with such a pair. What they have to agree on is in share.go.
//
// A write is a statement and the rows that it is run for. The SQL is in files, one set for
// each database (statements.go); how a batch is run is the dialect's (dialect.go). Decisions are in
// policy.go, once, or in the conditions of the statements, never in the dialect.
//
// The history is a column of the notification and not a table beside it: each
// change appends one short JSON array in the statement that makes the change, so
// it cannot be made without the other. Measured on SQLite, this costs 4 µs for
// the whole way of a message; a table filled by a trigger costs 17.
//
// # How it fails
//
// A full disk, a file that may not be written, a file that is not a ledger: each is an error
// with a sentence that says what to do. What could not be written has not happened; the
// caller gets an error, and the ledger goes on when the cause is gone.
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
	// Template is what rows that name no template are sent with: lists and counts by
	// template need it.
	Template string
	// Pending is the status code of the source that means "to be sent".
	Pending string
	// Codes are the status codes that are written back to the source, by state.
	// A state without one keeps the code that the row has; of the states that
	// follow Accepted (Dispatched, Delivered, Read) each stands for those before it.
	Codes map[pombo.State]string
	// Lease is how long an owner may stay silent before its notifications are reclaimed;
	// 0 = 30 s.
	Lease time.Duration
	// Timeout is how long PostgreSQL may take to answer until the connection is given
	// up and another one is made; 0 = 15 s. SQLite ignores it.
	Timeout time.Duration
	// ResendsBeforePause is how many rows may be set back to pending within a minute
	// before they wait for an operator; 0 = any number.
	ResendsBeforePause int
	// FirstPoll is how long after acceptance Blip is asked for receipts;
	// 0 = 30 s, negative = never.
	FirstPoll time.Duration
	// Now returns the time; nil = time.Now, or on PostgreSQL the database's clock,
	// so that machines whose clocks differ agree on when a lease is over.
	Now func() time.Time
	// Logger gets what cannot be returned as an error; nil = nowhere.
	Logger *slog.Logger
}

// DB is an open ledger. Its methods may be called from many goroutines.
//
// A method that writes waits for its turn; when its context ends before that,
// the method returns the context's error and nothing has happened. Once its turn
// has come it waits for the disk whatever the context says, so its answer is
// always the truth.
type DB struct {
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
	name string
	// Where the database's clock counts: how far it is ahead of this machine's.
	byDatabase  bool
	clockOffset atomic.Int64 // ms
	leases      sync.Map     // the owners whose leases this DB has renewed → when (ms)
	dirty       atomic.Bool  // it has leases or a run, which it has to release on close

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

// ErrAway says that the ledger's database cannot be reached or accepts no
// connection at present. A later call succeeds when it is back; the process need not do
// anything else.
var ErrAway = errors.New("the ledger's database cannot be reached")

var errClosed = errors.New("the ledger is closed")

// Open opens the ledger. On SQLite it creates or migrates it as needed; on
// PostgreSQL, where other processes may be at work on it, that is what Migrate is
// for. The error of one that is locked by another process, was written by a newer
// program or is not a ledger says what to do; ErrAway is worth another try. Close
// must be called.
func Open(ctx context.Context, opts Options) (*DB, error) {
	if opts.Lease == 0 {
		opts.Lease = 30 * time.Second
	}
	if opts.Timeout == 0 {
		opts.Timeout = postgresTimeout
	}
	if opts.FirstPoll == 0 {
		opts.FirstPoll = 30 * time.Second
	}
	noClock := opts.Now == nil
	if noClock {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Lease < 0 {
		return nil, fmt.Errorf("open the ledger: a lease must not be negative, as %v is", opts.Lease)
	}
	if opts.Timeout < time.Second {
		return nil, fmt.Errorf("open the ledger: a timeout of %v is too short; it must be at least a second", opts.Timeout)
	}
	for s := range opts.Codes {
		if !s.Valid() || s.Open() {
			return nil, fmt.Errorf("open the ledger: a row cannot be given a code for the state %q", s)
		}
	}

	db := &DB{
		opts:     opts,
		urgent:   make(chan *write, 1024),
		bulk:     make(chan *write, 64),
		quit:     make(chan struct{}),
		idle:     make(chan struct{}),
		quitMark: make(chan struct{}),
		name:     rand.Text(),
		waiting:  map[int64]int64{},
	}
	db.policy = newPolicy(&opts)
	database, err := databaseOf(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if database == inSQLite {
		db.dialect = &sqlite{path: strings.TrimPrefix(opts.URL, "sqlite:"), exclusive: opts.Exclusive}
	} else {
		db.byDatabase = noClock
		db.dialect = &postgres{url: opts.URL, timeout: opts.Timeout, name: db.name, logLoss: db.logWentBack, clock: db.clock, log: opts.Logger, quit: db.quit}
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
	if file, is := db.dialect.(*sqlite); is && opts.Exclusive {
		err := db.keepMark(ctx, file)
		if err == nil {
			err = db.takeOver(ctx)
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
	wr.tx = &txn{dialect: d, refuse: wr.refuse, stmts: map[statement]*sql.Stmt{}, driverStmts: map[statement]driver.Stmt{}}
	db.writers.Go(wr.run)
}

// takeOver ends what an earlier process left behind. No other process can be alive, because this
// one has the lock of the operating system. So every lease is over at once, and Reclaim finds
// all that was claimed; and a run that was still taking in takes in no more.
func (db *DB) takeOver(ctx context.Context) error {
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
			db.releaseOnClose()
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

// now is the time as the ledger keeps it: that of the database where its clock counts, as far
// as the last look at it shows.
func (db *DB) now() int64 { return db.opts.Now().UnixMilli() + db.clockOffset.Load() }

// clock is the time by which leases are judged, as a parameter: NULL where the
// database has to look at its clock itself.
func (db *DB) clock() any {
	if db.byDatabase {
		return nil
	}
	return db.now()
}

// setClock notes what the database's clock has just said.
func (db *DB) setClock(now int64) {
	if db.byDatabase {
		db.clockOffset.Store(now - db.opts.Now().UnixMilli())
	}
}

// toLedgerTime converts a time by this machine's clock, such as "in five seconds", to the
// ledger's clock, as it is stored; the zero time is NULL.
func (db *DB) toLedgerTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli() + db.clockOffset.Load()
}

// toLocalTime converts a time by the ledger's clock to this machine's.
func (db *DB) toLocalTime(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-time.Duration(db.clockOffset.Load()) * time.Millisecond)
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
