package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// TestFailover: the server hangs while two processes work, and the standby that had
// all its commits takes over. Whether the old server stays silent or wakes, takes
// writes as before and waits with each commit for a standby that has left for good:
// nothing is lost, nothing is sent twice, nothing is left in anybody's hands, and
// sending goes on within ten seconds of the promotion.
func TestFailover(t *testing.T) {
	nightly.WithoutRace(t)
	if testing.Short() {
		t.Skip("skipped: it starts two servers for each case")
	}
	t.Parallel() // it waits most of the time
	for name, wakes := range map[string]bool{"the old primary stays frozen": false, "the old primary wakes unfenced": true} {
		t.Run(name, func(t *testing.T) {
			if !wakes {
				nightly.Only(t) // what is cut off while it stands is in the other case too
			}
			const rows = 800
			primary := postgrestest.Start(t, postgrestest.Options{})
			_, _, err := Migrate(t.Context(), primary.DSN("postgres"))
			must(t, err)
			standby := primary.Standby(t, true)
			address := strings.Replace(primary.DSN("postgres"), primary.Address(), primary.Address()+","+standby.Address(), 1) + "&target_session_attrs=read-write"
			replicas := []*DB{openPostgres(t, address, 0, nil), openPostgres(t, address, 0, nil)}
			mustEnqueue(t, replicas[0], testRows(0, rows)...)
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()

			var mu sync.Mutex
			sent := map[pombo.MessageID]int{}
			var promoted, again time.Time
			after := 0 // sent after the promotion
			half := make(chan struct{})
			var wg sync.WaitGroup
			for i, db := range replicas {
				wg.Go(func() {
					err := sendAll(ctx, db, "replica-"+strconv.Itoa(i), func(id pombo.MessageID) {
						mu.Lock()
						defer mu.Unlock()
						if sent[id]++; len(sent) == rows/2 {
							close(half)
						}
						if promoted.IsZero() {
							return
						}
						if after++; after == 100 { // more than an old primary's last answers
							again = time.Now()
						}
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			<-half
			primary.Freeze(t)
			must(t, standby.Promote(t.Context()))
			mu.Lock()
			promoted = time.Now()
			mu.Unlock()
			if wakes {
				primary.Wake()
			}
			wg.Wait()
			d := again.Sub(promoted)
			t.Logf("sent again %v after the promotion", d)
			if again.IsZero() || d > 10*time.Second {
				t.Errorf("sent again %v after the promotion, want within 10s", d)
			}
			allSentOnce(t, openPostgres(t, standby.DSN("postgres"), 0, nil), sent, rows)
		})
	}
}

// TestServers_RefuseAnOldPrimary: once a later timeline of the cluster was seen, connections to a
// server on an earlier one are ended and no new one is made. Another cluster may be
// where it likes. An account without special rights learns all that this takes.
func TestServers_RefuseAnOldPrimary(t *testing.T) {
	server := Postgres.Server(t)
	must(t, server.Exec(t.Context(), "postgres", `CREATE ROLE plain LOGIN PASSWORD 'plain'`))
	s, err := newServers(server.DSNAs("plain", "plain", "postgres"), postgresTimeout, slog.New(slog.DiscardHandler))
	must(t, err)
	db := s.pool(2)
	t.Cleanup(func() { s.close(); must(t, db.Close()) })
	conn, err := db.Conn(t.Context())
	must(t, err)
	if s.latest.system == "" || s.latest.timeline != 1 || s.latest.readOnly {
		t.Errorf("the server stands at %+v, want timeline 1 of a named cluster", s.latest)
	}
	must(t, s.note(place{system: s.latest.system, timeline: 2}))
	if err := conn.PingContext(t.Context()); err == nil {
		t.Error("a connection to the old primary still answers")
	}
	_ = conn.Close()
	if err := db.PingContext(t.Context()); !errors.Is(err, errOldPrimary) {
		t.Errorf("a new connection to the old primary: %v, want %v", err, errOldPrimary)
	}
	if err := (&postgres{}).explain(db.PingContext(t.Context())); !errors.Is(err, ErrAway) {
		t.Errorf("explained as %v, want that it goes on by itself", err)
	}
	s.latest.system = "another"
	must(t, db.PingContext(t.Context()))
	if s.latest.timeline != 1 || s.latest.system == "another" {
		t.Errorf("the latest is %+v, want the new cluster's", s.latest)
	}
}

// TestServers_LeaveAnUnfencedPrimary: an asynchronous standby takes over while the old primary goes
// on as before, so that no answer is missed. Who works with it moves to the new one
// within ten seconds all the same, and asks about what waits.
func TestServers_LeaveAnUnfencedPrimary(t *testing.T) {
	nightly.Only(t) // by day TestFailover has an old primary that wakes, TestServers_RefuseAnOldPrimary one that is still there
	t.Parallel()    // it waits most of the time
	if testing.Short() {
		t.Skip("skipped: it starts two servers")
	}
	primary := postgrestest.Start(t, postgrestest.Options{})
	_, _, err := Migrate(t.Context(), primary.DSN("postgres"))
	must(t, err)
	standby := primary.Standby(t, false)
	address := strings.Replace(primary.DSN("postgres"), primary.Address(), primary.Address()+","+standby.Address(), 1) + "&target_session_attrs=read-write"
	db := openPostgres(t, address, 0, nil)
	mustEnqueue(t, db, testRows(0, 3)...)
	must(t, db.Check(t.Context()))
	mustNotice(t, db, false) // from here on no connection is made anew
	must(t, standby.Promote(t.Context()))
	promoted := time.Now()
	for noticed := (time.Time{}); noticed.IsZero(); <-time.After(50 * time.Millisecond) {
		if time.Since(promoted) > 10*time.Second {
			t.Fatal("after ten seconds the old primary is still written to")
		}
		err := db.Check(t.Context())
		if err == nil {
			noticed, _, err = db.Doubts.WentBack(t.Context())
		}
		if !errors.Is(err, ErrAway) { // a connection to the old primary may be ended under it
			must(t, err)
		}
	}
	standsAs(t, openPostgres(t, standby.DSN("postgres"), 0, nil), map[pombo.State]int{pombo.Uncertain: 3})
}

// TestServers_FollowAClusterThatGoesBack: a cluster can make an old primary its leader again, and
// what was committed since is lost. It is followed when nothing is left of the latest
// one, and what waits is asked about.
func TestServers_FollowAClusterThatGoesBack(t *testing.T) {
	t.Parallel() // it waits most of the time
	db := openPostgres(t, postgresURL(t), 0, nil)
	mustEnqueue(t, db, testRows(0, 3)...)
	n := mustClaim(t, db, "w", 1)[0]
	_, err := db.Queue.Begin(t.Context(), n, "")
	must(t, err)
	s := db.dialect.(*postgres).servers
	s.mu.Lock()
	s.goBack = time.Second
	s.mu.Unlock()
	begun := time.Now()
	must(t, s.note(place{system: s.latest.system, timeline: s.latest.timeline + 1}))
	if err := db.Check(t.Context()); !errors.Is(err, errOldPrimary) {
		t.Errorf("the old primary at once: %v, want %v", err, errOldPrimary)
	}
	for err = errOldPrimary; err != nil && time.Since(begun) < 20*time.Second; <-time.After(50 * time.Millisecond) {
		err = db.Check(t.Context())
	}
	if d := time.Since(begun); err != nil || d < time.Second {
		t.Errorf("followed after %v (%v), want a second at least", d, err)
	}
	mustNotice(t, db, true)
	standsAs(t, db, map[pombo.State]int{pombo.Uncertain: 3})
}

// TestPostgres_Outages does to one server, one after another, what no other test could bear.
func TestPostgres_Outages(t *testing.T) { //nolint:tparallel // one stops the server under the others
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	server := postgrestest.Start(t, postgrestest.Options{})
	for _, test := range []struct {
		name string
		run  func(*testing.T, *postgrestest.Server)
	}{
		{"it is away", serverAway},
		{"an outage takes nothing", outageTakesNothing},
		{"no answer", noAnswer},
		{"an unconfirmed commit", unconfirmedCommit},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, server) })
	}
}

// noAnswer: a server that hangs is given up when the bound is over, everybody
// gets an error soon, those that waited behind another as well, and what is asked afterwards is
// answered.
func noAnswer(t *testing.T, server *postgrestest.Server) {
	t.Helper()
	address := server.Copy(t, "ledger", Migrated)
	const bound = 2 * time.Second
	db, err := Open(t.Context(), Options{URL: address, Timeout: bound})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	must(t, db.Check(t.Context()))
	server.Freeze(t)
	var wg sync.WaitGroup
	for name, ask := range map[string]func() error{
		"a write": func() error { return db.Check(t.Context()) },
		"a claim": func() error { _, err := db.Queue.Claim(t.Context(), "me", 1); return err },
		"a read":  func() error { _, err := db.Intake.Queued(t.Context()); return err },
	} {
		wg.Go(func() {
			begun := time.Now()
			err := ask()
			if d := time.Since(begun); !errors.Is(err, ErrAway) || d > 5*bound {
				t.Errorf("%s: %v after %v, want that the database is away within %v", name, err, d, 5*bound)
			}
		})
	}
	wg.Wait()
	server.Wake()
	must(t, db.Check(t.Context()))
}

// unconfirmedCommit: a COMMIT that waits for a standby and is called off there is
// reported by the server as done, though a standby that takes over knows nothing of
// it. It is not reported as done here before a standby has it.
func unconfirmedCommit(t *testing.T, server *postgrestest.Server) {
	t.Helper()
	address := server.Copy(t, "ledger", Migrated)
	db := openPostgres(t, address, 0, nil)
	mustEnqueue(t, db, testRows(0, 1)...)
	waitFor := func(standby string) {
		t.Helper()
		must(t, server.Exec(t.Context(), "postgres", `ALTER SYSTEM SET synchronous_standby_names = '`+standby+`'`, `SELECT pg_reload_conf()`))
	}
	waiting := func() int {
		t.Helper()
		var n int
		must(t, db.rawGet(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`, &n))
		return n
	}
	waitFor("nobody")
	t.Cleanup(func() { // before the ledger is closed, which writes
		must(t, server.Exec(context.Background(), "postgres", `ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`))
	})
	claimed := make(chan error, 1)
	go func() {
		list, err := db.Queue.Claim(context.WithoutCancel(t.Context()), "me", 1)
		if err == nil && len(list) != 1 {
			err = fmt.Errorf("claimed %d", len(list))
		}
		claimed <- err
	}()
	for waiting() == 0 {
		<-time.After(breath)
	}
	must(t, server.Exec(t.Context(), "postgres", `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`))
	for waiting() == 0 { // the question what became of it waits as well
		select {
		case err := <-claimed:
			t.Fatalf("the claim was answered (%v) though no standby has it", err)
		case <-time.After(breath):
		}
	}
	waitFor("")
	must(t, <-claimed)
}
