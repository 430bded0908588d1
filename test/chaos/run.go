//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"pombo/test/postgrestest"
)

// The settings that matter here are as short as the program allows. A missing trace counts
// after UNCERTAIN_WAIT; everything that the harness delays arrives before that.
const (
	blipTimeout   = time.Second
	uncertainWait = 5 * time.Second
	longestStall  = time.Second
)

// trial is one run on one ledger.
type trial struct {
	o       options
	dir     string
	rng     *rand.Rand
	blip    *blip
	source  *source
	book    *book
	servers []*server
	people  people
	events  *receiver
	pg      *postgrestest.Server
	disk    *disk

	tally    tally
	freezing sync.WaitGroup
	frozeErr error // read after freezing.Wait
	cleanups []func() error
}

// run sets up, disturbs, calms down, judges and cleans up.
func run(ctx context.Context, o options) (r result, err error) {
	t := &trial{o: o, rng: rand.New(rand.NewPCG(o.seed, 0)), tally: newTally()}
	defer func() {
		for _, cleanUp := range slices.Backward(t.cleanups) {
			if cleanErr := cleanUp(); cleanErr != nil && ctx.Err() == nil {
				err = errors.Join(err, cleanErr)
			}
		}
	}()
	start := time.Now()
	if err := t.setUp(ctx); err != nil {
		return r, err
	}
	t.people.start(ctx, t)
	t.cleanUp(t.people.stop)
	if err := t.killTakingIn(ctx); err != nil {
		return r, err
	}
	for _, s := range t.servers {
		if err := s.up(ctx); err != nil {
			return r, err
		}
	}
	if err := t.disturb(ctx); err != nil {
		return r, err
	}
	if err := t.calmDown(ctx); err != nil {
		return r, err
	}
	r, err = t.verdict(ctx)
	r.took = time.Since(start)
	return r, err
}

func (t *trial) cleanUp(f func() error) { t.cleanups = append(t.cleanups, f) }

// setUp makes the processes, not yet started, and everything around them.
func (t *trial) setUp(ctx context.Context) (err error) {
	t.dir = filepath.Join(t.o.folder, t.o.ledger)
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	if t.blip, err = startBlip(t.o.seed, t.people.taken); err != nil {
		return err
	}
	t.cleanUp(t.blip.close)
	if t.events, err = startReceiver(t.o.seed); err != nil {
		return err
	}
	t.cleanUp(t.events.server.Close)
	path := filepath.Join(t.dir, "table.db")
	if t.source, err = makeSource(ctx, path); err != nil {
		return err
	}
	t.cleanUp(t.source.close)
	rows := t.o.rows
	if t.o.short {
		rows /= 2 // the others come with the faults: none finds all the work done
	}
	if err := t.source.grow(ctx, rows); err != nil {
		return err
	}

	setUp, servers := t.setUpSQLite, 1
	if t.o.ledger == "postgres" {
		setUp, servers = t.setUpPostgres, 2
	}
	ledger, err := setUp(ctx)
	if err != nil {
		return err
	}
	for i := range servers {
		if err := t.addServer(i, path, ledger); err != nil {
			return err
		}
	}
	return nil
}

// setUpSQLite returns the path of the ledger, on a disk of its own if that can be had.
func (t *trial) setUpSQLite(context.Context) (path string, err error) {
	folder := filepath.Join(t.dir, "disk")
	t.disk, err = mountDisk(folder, 256<<20+int64(t.o.rows)*2048)
	switch {
	case err != nil:
		t.disk = nil
		t.tally.notTried["full disk"] = "a small disk needs root on Linux"
	default:
		t.cleanUp(t.disk.unmount)
	}
	t.tally.notTried["moved clock"] = "the clock of one process cannot be moved from outside without that of the machine"
	path = filepath.Join(folder, "ledger.db")
	t.book, err = openBook("sqlite", path)
	t.cleanUp(t.book.close)
	return path, err
}

// setUpPostgres starts a server with a ledger in it and returns its address.
//
// The ledger judges leases by clock_timestamp(). The schema of the ledger has a
// function of that name, which is found before the server's own: so a test can move the
// clock.
func (t *trial) setUpPostgres(ctx context.Context) (address string, err error) {
	if t.pg, err = postgrestest.New(postgrestest.Options{}); err != nil {
		return "", err
	}
	t.cleanUp(t.pg.Close)
	t.tally.notTried["full disk"] = "of PostgreSQL's server: the ledger sees one more error of its database"
	if err := t.pg.Exec(ctx, "postgres", "CREATE DATABASE chaos"); err != nil {
		return "", err
	}
	if err := t.pg.Exec(ctx, "chaos", "CREATE SCHEMA chaos",
		// The table lies outside: a ledger wants a schema without other tables.
		"CREATE SCHEMA beside",
		// The key is for an index: the ledger has its transactions planned without
		// sequential scans, and one would look so dear that it is compiled first.
		"CREATE TABLE beside.clock (one integer PRIMARY KEY, ahead interval NOT NULL)",
		"INSERT INTO beside.clock VALUES (1, '0')",
		"CREATE FUNCTION chaos.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp() + (SELECT ahead FROM beside.clock WHERE one = 1)'",
	); err != nil {
		return "", err
	}
	address = t.pg.DSN("chaos") + "&search_path=chaos%2Cpg_catalog"
	migrate := exec.CommandContext(ctx, t.o.binary, "migrate", "--env-file", os.DevNull)
	migrate.Dir, migrate.Env = t.dir, append(os.Environ(), "LEDGER_URL="+address)
	if out, err := migrate.CombinedOutput(); err != nil {
		return "", fmt.Errorf("pombo migrate: %w\n%s", err, out)
	}
	t.book, err = openBook("postgres", address)
	t.cleanUp(t.book.close)
	return address, err
}

func (t *trial) addServer(i int, source, ledger string) error {
	s := &server{name: "pombo" + strconv.Itoa(i+1), binary: t.o.binary, folder: t.dir, key: "c2VjcmV0" + strconv.Itoa(i)}
	// When a process on PostgreSQL is killed, no other may take over what it had in flight
	// before its lease ends: with many workers most of the run would be waiting.
	workers := 64
	if t.o.short {
		workers = 32
	}
	var err error
	if s.toBlip, err = startProxy(t.blip.addr); err != nil {
		return err
	}
	t.cleanUp(func() error { s.toBlip.close(); return nil })
	if s.toReceiver, err = startProxy(t.events.addr); err != nil {
		return err
	}
	t.cleanUp(func() error { s.toReceiver.close(); return nil })
	if t.pg != nil {
		if s.toLedger, err = startProxy(t.pg.Address()); err != nil {
			return err
		}
		t.cleanUp(func() error { s.toLedger.close(); return nil })
		u, err := url.Parse(ledger)
		if err != nil {
			return err
		}
		u.Host = s.toLedger.addr
		ledger = u.String()
		workers /= 4
	} else {
		ledger = "sqlite:" + ledger
	}
	if s.addr, err = freeAddress(); err != nil {
		return err
	}
	s.environ = []string{
		"KEYBLIP=" + s.key, "BLIP_URL=http://" + s.toBlip.addr, "TEMPLATE_NAME=confirmacao",
		"BLIP_TIMEOUT=" + blipTimeout.String(), "BLIP_MESSAGES_PER_SECOND=0", "BLIP_COMMANDS_PER_SECOND=0",
		"UNCERTAIN=check", "UNCERTAIN_WAIT=" + uncertainWait.String(),
		"DB_URL=sqlite:" + source, "STATUS_FAILED=" + statusFailed, "LEDGER_URL=" + ledger,
		// Deliveries are seen late here, between kills, so the breaker would pause the bot for ever.
		"FAILURES_BEFORE_PAUSE=0",
		"WORKERS=" + strconv.Itoa(workers), "POLL_INTERVAL=250ms", "API_ADDR=" + s.addr, "DESK_ADDR=-", "API_URL=http://" + s.addr, "LOG_FILE=-", "LOG_LEVEL=warn",
		"WEBHOOK_SECRET=" + webhookSecret,
		"DB_COL_REPLY=DS_RESPOSTA", "DB_COL_REPLY_AT=DT_RESPOSTA", "DB_TIMEZONE=UTC", "REPLY_CODES=" + pressed + ":" + statusYes + ",Cancelar:" + statusNo,
		"EVENTS_URL=http://" + s.toReceiver.addr + "/" + s.name, "EVENTS_SECRET=" + eventsSecret,
		// Who decides that time is over is timeIsOver.
		"STATUS_FALLBACK=" + statusElsewhere, "FALLBACK_ON=undeliverable", "FALLBACK_AFTER=24h",
	}
	t.servers = append(t.servers, s)
	t.cleanUp(func() error { s.kill(); return nil })
	return nil
}

// disturb carries out the plan, spread over the rows: each fault waits until its
// share of the messages has been taken, or until nothing moves.
func (t *trial) disturb(ctx context.Context) error {
	plan := t.plan()
	goal := t.o.rows - t.o.rows/100
	for i, f := range plan {
		share := goal * i / (len(plan) + 1)
		if t.o.short {
			share = int(t.blip.accepted.Load()) + 1
		}
		if err := t.source.grow(ctx, t.o.rows*(len(plan)+i+1)/(2*len(plan))); err != nil {
			return err
		}
		if err := t.reach(ctx, share); err != nil {
			return err
		}
		if len(plan) > 20 && i%(len(plan)/10) == 0 {
			t.o.say("%s: %d of %d messages, %d kills, %d other faults", t.o.ledger, t.blip.accepted.Load(), goal, t.tally.kills, t.tally.faults)
		}
		t.blip.latency.Store(int64(latencies[t.rng.IntN(len(latencies))]))
		if err := f.do(ctx, t, t.target(f)); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// latencies are those of Blip's answers, one drawn for each fault: with short ones most of
// the work is in the ledger, with long ones most of it waits for Blip.
var latencies = []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond}

// target is the process that a fault is for: never a frozen one.
func (t *trial) target(f fault) *server {
	s := t.servers[f.server%len(t.servers)]
	if s.frozen.Load() {
		s = t.servers[(f.server+1)%len(t.servers)]
	}
	return s
}

// patience is how long a fault waits for its share of the messages. When Blip cannot be
// reached the bot pauses for ten seconds: some kills hit during the pause.
const patience = 3 * time.Second

func (t *trial) reach(ctx context.Context, goal int) error {
	most := patience
	if t.o.short {
		most /= 3
	}
	for deadline := time.Now().Add(most); t.blip.accepted.Load() < int64(goal) && time.Now().Before(deadline); {
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stuck is how long nothing may move before what is left counts as lost.
const stuck = 2 * time.Minute

// calmDown ends every fault and waits until all is done.
func (t *trial) calmDown(ctx context.Context) error {
	t.o.say("%s: %d messages, %d kills, %d other faults; no more faults from here on", t.o.ledger, t.blip.accepted.Load(), t.tally.kills, t.tally.faults)
	if t.o.short && t.pg != nil {
		// After its database was away a process takes nothing over for as long as a lease, unless
		// it has just begun.
		s := t.target(fault{})
		t.killNow(s)
		if err := t.upAgain(ctx, s); err != nil {
			return err
		}
	}
	t.freezing.Wait()
	if t.frozeErr != nil {
		return t.frozeErr
	}
	t.blip.calm.Store(true)
	t.blip.latency.Store(int64(latencies[0]))
	t.events.relent()
	// An event that has failed several times waits for minutes. An operator who knows that the
	// receiver is back does this.
	if err := t.servers[0].command(ctx, "events", "replay"); err != nil {
		return err
	}
	if err := t.settle(ctx, t.left); err != nil {
		return err
	}
	t.o.say("%s: all done but for who is read in the conversation", t.o.ledger)
	return t.readConversations(ctx)
}

// left counts what is not done, but for the answers that Blip's webhook says nothing of.
func (t *trial) left(ctx context.Context) (int, error) {
	pending, err := t.source.pending(ctx)
	if err != nil {
		return 0, err
	}
	open, _, err := t.book.open(ctx)
	if err != nil {
		return 0, err
	}
	owed, events, err := t.book.owed(ctx)
	return pending + open + owed + events + int(t.people.under.Load()), err
}

// settle waits until nothing is left, or nothing moves any more: the verdict reports what is
// left then.
func (t *trial) settle(ctx context.Context, left func(context.Context) (int, error)) error {
	before, moved := -1, time.Now()
	for passed := moved.Add(-time.Hour); time.Since(moved) < stuck; {
		if t.o.short && time.Since(passed) > 2*time.Second { // a question that was cut off is asked again in half a minute
			if err := t.book.timePasses(ctx); err != nil {
				return err
			}
			passed = time.Now()
		}
		n, err := left(ctx)
		if err != nil || n == 0 {
			return err
		}
		if n != before {
			before, moved = n, time.Now()
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// readConversations waits for the answers that Blip's webhook says nothing of. A process to which
// a person's message was posted asks for none, so each is killed once more.
func (t *trial) readConversations(ctx context.Context) error {
	unread := func(ctx context.Context) (int, error) {
		n, err := t.source.unread(ctx, t.o.rows)
		if err != nil {
			return n, err
		}
		more, err := t.left(ctx)
		return n + more, err
	}
	if n, err := unread(ctx); n == 0 || err != nil {
		return err
	}
	for _, s := range t.servers {
		t.killNow(s)
		if err := s.up(ctx); err != nil {
			return err
		}
	}
	return t.settle(ctx, unread)
}
