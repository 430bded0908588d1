package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"pombo/internal/api"
	"pombo/internal/ledger"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// The failovers of the ledger's database that take minutes each. They run at night:
//
//	POMBO_NIGHTLY=1 go test ./cmd/pombo -run 'Failover|TestKillsOfTwo' -timeout 70m -v

// TestFailoverOfTheLedger has two servers deliver while their primary hangs and its
// synchronous standby takes over; in one case the old primary wakes, and nobody has
// told it. In the last one nobody tells the primary of an asynchronous standby either.
func TestFailoverOfTheLedger(t *testing.T) {
	nightly.Only(t)
	for _, test := range []struct {
		name                      string
		synchronous, hangs, wakes bool
		settings                  []string
	}{
		{"the old primary stays frozen", true, true, false, nil},
		{"the old primary wakes unfenced", true, true, true, nil},
		// The wait is longer than it takes until both have left the old primary.
		{"the old primary goes on unfenced, with an asynchronous standby", false, false, false, []string{"UNCERTAIN_WAIT=15s", "BLIP_MESSAGES_PER_SECOND=500"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			primary, standby := twoServers(t, test.synchronous)
			deliverOver(t, both(primary, standby), func() time.Time {
				if test.hangs {
					primary.Freeze(t)
					<-time.After(2 * time.Second)
				}
				if err := standby.Promote(t.Context()); err != nil {
					t.Fatal(err)
				}
				if test.wakes {
					primary.Wake()
				}
				return time.Now()
			}, func() string { return standby.DSN("postgres") }, test.settings...)
		})
	}
}

// both returns the address of the ledger on two servers.
func both(primary, standby *postgrestest.Server) string {
	return strings.Replace(primary.DSN("postgres"), primary.Address(), primary.Address()+","+standby.Address(), 1) + "&target_session_attrs=read-write"
}

// TestFailoverThatLosesCommits has two servers deliver while their primary is killed
// and an asynchronous standby takes over that lacks what was committed last.
func TestFailoverThatLosesCommits(t *testing.T) {
	nightly.Only(t)
	t.Parallel() // it waits most of the time
	loseCommits(t, 1500, time.Second, "BLIP_TIMEOUT=2s", "UNCERTAIN_WAIT=2s", "BLIP_MESSAGES_PER_SECOND=500")
}

// TestFailoverAfterAKill is the same with 20,000 rows at full speed: with a standby
// that lags, with one that does not, and with one that has every commit.
func TestFailoverAfterAKill(t *testing.T) {
	nightly.Only(t)
	t.Run("a standby that lags by 2 s", func(t *testing.T) { loseCommits(t, 20_000, 2*time.Second) })
	for name, synchronous := range map[string]bool{"a standby that does not lag": false, "a synchronous standby": true} {
		t.Run(name, func(t *testing.T) {
			primary, standby := twoServers(t, synchronous)
			deliverOver(t, both(primary, standby), func() time.Time {
				primary.Kill()
				if err := standby.Promote(t.Context()); err != nil {
					t.Fatal(err)
				}
				return time.Now()
			}, func() string { return standby.DSN("postgres") })
		})
	}
}

// twoServers returns a primary with an empty ledger, and a standby that follows it.
func twoServers(t *testing.T, synchronous bool) (primary, standby *postgrestest.Server) {
	t.Helper()
	primary = postgrestest.Start(t, postgrestest.Options{})
	if _, _, err := ledger.Migrate(t.Context(), primary.DSN("postgres")); err != nil {
		t.Fatal(err)
	}
	return primary, primary.Standby(t, synchronous)
}

// loseCommits has two servers deliver while a standby is cut off, and some time later
// their primary is killed and the standby promoted. What was sent meanwhile is lost to
// the ledger, also that most of the rows were taken in, and nobody runs pombo
// recover.
func loseCommits(t *testing.T, rows int, lag time.Duration, settings ...string) {
	t.Helper()
	primary, standby := twoServers(t, false)
	d := deliver(t, 2, rows/8, both(primary, standby), settings...)
	d.sent(t, rows/10)
	if err := standby.Detach(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.insert(t, rows-rows/8)
	<-time.After(lag)
	primary.Kill()
	killed := time.Now()
	sent := int(d.sim.Counts().Messages)
	ask := func(query string) (n int) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), standby.DSN("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	lost := sent - ask(`SELECT count(*) FROM notification WHERE state NOT IN ('queued', 'claimed', 'sending', 'uncertain')`)
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	promoted := time.Now()
	if sent == rows || lost < min(100, rows/50) {
		t.Fatalf("%d of %d messages were sent, of which the standby does not know %d: the test shows nothing", sent, rows, lost)
	}
	for _, r := range d.replicas {
		if err := waitFor(time.Minute, func() (bool, error) {
			ready, err := r.client.Ready(context.Background())
			return slices.ContainsFunc(ready.Alerts, func(t api.Alert) bool { return t.Name == "ledger_went_back" }), fmt.Errorf("%+v, %w", ready.Alerts, err)
		}); err != nil {
			d.fail(t, err)
		}
	}
	d.sent(t, sent+11)
	t.Logf("the standby lacked %d of %d messages; sending went on %s after the promotion", lost, sent, time.Since(promoted).Round(time.Millisecond))
	d.settled(t)
	t.Logf("all was done %s after the kill", time.Since(killed).Round(time.Millisecond))
	if asked := ask(`SELECT count(*) FROM notification WHERE history LIKE '%"ledger_went_back"%'`); asked == 0 {
		t.Error("no notification was in doubt because of ledger_went_back")
	}
	d.eachOnce(t, standby.DSN("postgres"))
}

// TestFailoverOfPatroni has the leader of a cluster crash, hang for a minute and go on,
// and hand over.
func TestFailoverOfPatroni(t *testing.T) {
	nightly.Only(t)
	type act func(ctx context.Context, t *testing.T, c *postgrestest.Cluster, leader string) error
	acts := map[string]act{
		"crash": func(_ context.Context, _ *testing.T, c *postgrestest.Cluster, leader string) error {
			return c.Crash(leader)
		},
		"hang": func(_ context.Context, t *testing.T, c *postgrestest.Cluster, leader string) error {
			t.Helper()
			wake, err := c.Freeze(leader)
			if err == nil {
				time.AfterFunc(time.Minute, wake)
				t.Cleanup(wake)
			}
			return err
		},
		"switchover": func(ctx context.Context, _ *testing.T, c *postgrestest.Cluster, leader string) error {
			return c.Switchover(ctx, leader)
		},
	}
	for _, test := range []struct {
		name string
		kept postgrestest.ClusterOptions
		acts []string
	}{
		{"etcd", postgrestest.ClusterOptions{Nodes: 3}, []string{"hang"}},
		{"etcd3", postgrestest.ClusterOptions{Nodes: 3, Etcd3: true}, []string{"hang"}},
		{"etcd3 and HAProxy", postgrestest.ClusterOptions{Nodes: 3, Etcd3: true, Proxy: true}, []string{"crash", "hang", "switchover"}},
	} {
		for _, name := range test.acts {
			t.Run(test.name+", "+name, func(t *testing.T) {
				cluster := postgrestest.Patroni(t, test.kept)
				if _, _, err := ledger.Migrate(t.Context(), cluster.DSN("postgres")); err != nil {
					t.Fatal(err)
				}
				lead := func(other string) string {
					t.Helper()
					leader, err := cluster.Leader(t.Context(), other)
					if err != nil {
						t.Fatal(err)
					}
					return leader
				}
				deliverOver(t, cluster.DSN("postgres"), func() time.Time {
					leader := lead("")
					if err := acts[name](t.Context(), t, cluster, leader); err != nil {
						t.Fatal(err)
					}
					lead(leader)
					return time.Now()
				}, func() string { return cluster.NodeDSN(lead(""), "postgres") }, "BLIP_MESSAGES_PER_SECOND=250") // so slow that they still send when it wakes
			})
		}
	}
}

// deliverOver has two servers deliver 20,000 rows over a ledger whose database fails
// over in the middle of it, and sees that each row goes once, that nothing is left in
// hands, that GET /readyz reports it within the lease, and that sending goes on
// within ten seconds of the new primary's being there.
func deliverOver(t *testing.T, address string, failover func() (promoted time.Time), now func() string, settings ...string) {
	t.Helper()
	const rows = 20_000
	d := deliver(t, 2, rows, address, settings...)
	d.sent(t, rows/4)
	begun := time.Now()
	told := make(chan time.Duration, 1)
	go func() {
		err := waitFor(time.Minute, func() (bool, error) {
			r, err := d.replicas[0].client.Ready(context.Background())
			return err != nil && strings.Contains(r.NotReady(), "ledger"), errors.New("it says that it is ready")
		})
		if err != nil {
			told <- -1
			return
		}
		told <- time.Since(begun)
	}()
	promoted := failover()
	sent := d.sim.Counts().Messages
	if sent == rows {
		t.Fatal("it came too late to prove anything")
	}
	d.sent(t, int(sent)+11)
	again := time.Since(promoted)
	t.Logf("the new primary was there %s after the old one hung; with %d messages sent before, sending went on %s later",
		promoted.Sub(begun).Round(time.Millisecond), sent, again.Round(time.Millisecond))
	if again > 10*time.Second {
		t.Errorf("sending went on %s after the new primary was there, want 10s at most", again)
	}
	if lease := 30 * time.Second; promoted.Sub(begun) > lease {
		if after := <-told; after < 0 || after > lease {
			t.Errorf("/readyz told of it after %s, want within the lease of %s", after, lease)
		} else {
			t.Logf("/readyz told of it after %s", after.Round(time.Millisecond))
		}
	}

	d.settled(t)
	t.Logf("all was done %s after the old primary hung", time.Since(begun).Round(time.Second))
	d.eachOnce(t, now())
}
