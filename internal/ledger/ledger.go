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
// and then answers every caller. Reads have their own connections and do not wait.
//
// On PostgreSQL, where the server does the work, there are two: one for what
// workers wait for and one for the rest. Several processes share a ledger there,
// each with such a pair. What they have to agree on is in leases.go and throttle.go.
//
// A write is a statement and the rows that it is run for. The SQL is in files
// (statements.go); how a batch is run is the dialect's (dialect.go). Decisions are in
// policy.go, once, or in the conditions of the statements, never in the dialect.
//
// The history is a column of the notification and not a table beside it: each
// change appends one short JSON array in the statement that makes the change, so
// it cannot be made without the other. Measured on SQLite, this costs 4 µs for
// the whole way of a message; a table filled by a trigger costs 17.
//
// Each subject (DB has their list) is a type in a file of its own: a struct with the store in
// it and the methods that its callers need. A new one takes that file, a field of DB, a .sql file
// of its name in both (and, where the databases differ, in sqlite and in postgres) whose statements
// are named in statements.go, and a migration in migration/sqlite and migration/postgres.
// statements_test.go finds what is missing.
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
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
	// Template is the default for rows that name none: lists and counts by template
	// need it.
	Template string
	// Pending is the status code of the source that means "to be sent".
	Pending string
	// Codes are the status codes that are written back to the source, by state.
	// A state without one keeps the code that the row has; of the states that
	// follow Accepted (Dispatched, Delivered, Read) each stands for those before it.
	Codes map[pombo.State]string
	// Fallback is when a row is handed over to another channel of the company's.
	Fallback Fallback
	// Lease is how long an owner may stay silent before its notifications are reclaimed;
	// 0 = 30 s.
	Lease time.Duration
	// Timeout is how long PostgreSQL may take to answer until the connection is given
	// up and another one is made; 0 = 15 s. SQLite ignores it.
	Timeout time.Duration
	// ResendsBeforePause is how many rows may be set back to pending within a minute
	// before they wait for an operator; 0 = any number.
	ResendsBeforePause int
	// FirstPoll is how long after acceptance Blip is first asked for receipts; 0 = 30
	// s, negative = never.
	FirstPoll time.Duration
	// Replies says what is done with what people answer.
	Replies ReplyOptions
	// Events says that changes are reported: each is written to the outbox in the
	// transaction that makes it.
	Events bool
	// Now returns the time; nil = time.Now, or on PostgreSQL the database's clock,
	// so that machines whose clocks differ agree on when a lease is over.
	Now func() time.Time
	// Logger gets what cannot be returned as an error; nil = nowhere.
	Logger *slog.Logger
}

// Fallback says which rows another channel of the company's takes, and by which status code;
// without a code, none. A row is handed over once, and what becomes of its message afterwards
// changes nothing in it.
type Fallback struct {
	Code  string
	On    []pombo.Reason // of a failure
	After time.Duration  // after it was sent, when it is not delivered; 0 = never
}

// DB is an open ledger, by subject. Its methods and theirs may be called from many goroutines.
//
// A method that writes waits for its turn; when its context ends before that,
// the method returns the context's error and nothing has happened. Once its turn
// has come it waits for the disk whatever the context says, so its answer is
// always the truth.
type DB struct {
	*store

	Intake      *Intake      // rows of the source become notifications
	Queue       *Queue       // what waits, and what a worker has claimed
	Doubts      *Doubts      // what may have been sent, or not
	Receipts    *Receipts    // what Blip says became of messages
	Replies     *Replies     // what people answer
	Settlements *Settlements // results on their way back to the source
	History     *History     // notifications as they are and were
	Runs        *RunLog      // passes over the source
	Operator    *Operator    // what a person decides about notifications
	OptOuts     *OptOutList  // people who get no more messages
	Throttle    *Throttle    // pauses, shared rates, failures in a row
	Leases      *Leases      // which processes are alive, and which of them leads
	Bulks       *Bulks       // what is done to many notifications at once
	Templates   *Templates   // how templates looked, and which are held

	Reconciliation *Reconciliation // comparison with source and Blip; a lost ledger is rebuilt
	Retention      *Retention      // what leaves the ledger

	Outbox  *Outbox  // events for the company's systems
	Desk    *Desk    // accounts and sessions of the operator's desk
	Trail   *Trail   // what people did
	Tallies *Tallies // counts by the hour, for reports
}

// newDB gives each subject the store, and the subjects that it works with.
func newDB(s *store) *DB {
	db := &DB{
		store:          s,
		Doubts:         &Doubts{s},
		History:        &History{s},
		Runs:           &RunLog{store: s, waiting: map[int64]int64{}},
		Operator:       &Operator{s},
		OptOuts:        &OptOutList{store: s},
		Throttle:       &Throttle{store: s},
		Leases:         &Leases{s},
		Templates:      &Templates{s},
		Bulks:          &Bulks{s},
		Reconciliation: &Reconciliation{s},
		Outbox:         &Outbox{s},
		Desk:           &Desk{s},
		Trail:          &Trail{s},
		Tallies:        &Tallies{s},
	}
	db.Intake = &Intake{s, db.History}
	db.Queue = &Queue{s, db.OptOuts}
	db.Receipts = &Receipts{store: s, optOuts: db.OptOuts}
	db.Replies = &Replies{s, db.Templates}
	db.Settlements = &Settlements{s, db.OptOuts}
	db.Retention = &Retention{s, db.OptOuts, db.Operator}
	return db
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
	ownClock := opts.Now != nil
	if !ownClock {
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
	if err := opts.Replies.check(opts.Pending); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	for s := range opts.Codes {
		if !s.Valid() || s.Open() {
			return nil, fmt.Errorf("open the ledger: a row cannot be given a code for the state %q", s)
		}
	}

	db := newDB(&store{
		opts:     opts,
		urgent:   make(chan *write, 1024),
		bulk:     make(chan *write, 64),
		quit:     make(chan struct{}),
		idle:     make(chan struct{}),
		quitMark: make(chan struct{}),
		name:     rand.Text(),
	})
	db.policy = newPolicy(&opts)
	database, err := databaseOf(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	db.time = newClock(func() time.Time { return db.opts.Now() }, ownClock || database == inSQLite)
	if database == inSQLite {
		db.dialect = &sqlite{path: strings.TrimPrefix(opts.URL, "sqlite:"), exclusive: opts.Exclusive, events: opts.Events}
	} else {
		db.dialect = &postgres{url: opts.URL, events: opts.Events, timeout: opts.Timeout, name: db.name, logLoss: db.logWentBack, clock: db.clock, log: opts.Logger, quit: db.quit}
	}
	if db.write, db.read, err = db.dialect.open(ctx); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if !db.time.ofMachine {
		var now int64
		asked := db.opts.Now()
		if err := db.get(ctx, sqlClock, []any{nil}, &now); err != nil {
			return nil, errors.Join(fmt.Errorf("open the ledger: %w", err), db.closePools())
		}
		db.time.look(asked, now)
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

// takeOver ends what an earlier process left behind. No other process can be alive, because this
// one has the lock of the operating system. So every lease is over at once, and Reclaim finds
// all that was claimed; and a run that was still taking in takes in no more.
func (db *store) takeOver(ctx context.Context) error {
	return db.do(ctx, func(tx *txn) error {
		if err := tx.exec(sqlTakeOverLeases); err != nil {
			return err
		}
		return tx.exec(sqlTakeOverRuns, pombo.Interrupted.Message())
	})
}

// Close ends the ledger: pending writes are still made, later ones are refused. It
// releases the file and its lock.
func (db *DB) Close() error {
	var err error
	db.close.Do(func() {
		db.saveIdentities(1)
		if db.shared() {
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
	return wrap(err, "close the ledger")
}

func (db *store) closePools() error {
	// The writer's connection is closed last: it folds the log into the file.
	return errors.Join(db.read.Close(), db.write.Close(), db.dialect.close())
}

// Check writes to the ledger and reports whether it can be written to, has been
// found damaged, or lies no longer where it was opened.
func (db *DB) Check(ctx context.Context) error {
	if db.replaced.Load() {
		return errReplaced
	}
	if _, err := db.change(ctx, sqlCheck, db.now()); err != nil {
		return fmt.Errorf("write to the ledger: %w", err)
	}
	if err := db.dialect.intact(); err != nil {
		return fmt.Errorf("look at the ledger: %w", err)
	}
	return nil
}

// Shared reports whether several processes may claim from the ledger at once.
// Where they cannot, AcquireLeadership is always granted, and Quota and Recipient let
// everything pass: the process keeps its rates by itself.
func (db *DB) Shared() bool { return db.shared() }
