package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"pombo/internal/blipsim"
	"pombo/internal/ledger"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// The failovers of the ledger's database that take minutes each. They run at night:
//
//	POMBO_NIGHTLY=1 go test ./cmd/pombo -run Failover -timeout 30m -v

// TestFailoverOfTheLedger has two servers deliver while their primary hangs and its
// synchronous standby takes over; in one case the old primary wakes, and nobody has
// told it.
func TestFailoverOfTheLedger(t *testing.T) {
	nightly.Only(t)
	for name, wakes := range map[string]bool{"the old primary stays frozen": false, "the old primary wakes unfenced": true} {
		t.Run(name, func(t *testing.T) {
			primary := postgrestest.Start(t, postgrestest.Options{})
			if _, _, err := ledger.Migrate(t.Context(), primary.DSN("postgres")); err != nil {
				t.Fatal(err)
			}
			standby := primary.Standby(t, true)
			address := strings.Replace(primary.DSN("postgres"), primary.Address(), primary.Address()+","+standby.Address(), 1) + "&target_session_attrs=read-write"
			deliverOver(t, address, func() (promoted time.Time, now string) {
				primary.Freeze(t)
				<-time.After(2 * time.Second)
				if err := standby.Promote(t.Context()); err != nil {
					t.Fatal(err)
				}
				if wakes {
					primary.Wake()
				}
				return time.Now(), standby.DSN("postgres")
			})
		})
	}
}

// TestFailoverOfPatroni has the leader of a cluster hang for a minute and go on.
func TestFailoverOfPatroni(t *testing.T) {
	nightly.Only(t)
	cluster := postgrestest.Patroni(t, 3)
	if _, _, err := ledger.Migrate(t.Context(), cluster.DSN("postgres")); err != nil {
		t.Fatal(err)
	}
	deliverOver(t, cluster.DSN("postgres"), func() (promoted time.Time, now string) {
		leader, err := cluster.Leader(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		wake, err := cluster.Freeze(leader)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Minute, wake)
		t.Cleanup(wake)
		next, err := cluster.Leader(t.Context(), leader)
		if err != nil {
			t.Fatal(err)
		}
		return time.Now(), cluster.NodeDSN(next, "postgres")
	})
}

// deliverOver has two servers deliver 20,000 rows over a ledger whose database fails
// over in the middle of it, and sees that each row goes once, that nothing is left in
// hands, that GET /readyz tells of it within the lease, and that sending goes on
// within ten seconds of the new primary's being there.
func deliverOver(t *testing.T, address string, failover func() (promoted time.Time, now string)) {
	t.Helper()
	const rows = 20_000
	oracle, table := oracleTable(t, rows)
	sim := blipsim.New(blipsim.Options{Latency: 20 * time.Millisecond})
	t.Cleanup(sim.Close)
	blip := httptest.NewServer(sim)
	t.Cleanup(blip.Close)
	replicas := startReplicas(t, 2, address, oracle, blip.URL)
	fail := func(err error) {
		t.Helper()
		for _, r := range replicas {
			t.Log(r.output())
		}
		t.Fatal(err)
	}
	if err := waitFor(2*time.Minute, func() (bool, error) {
		n := sim.Counts().Messages
		return n >= rows/4, fmt.Errorf("%d messages", n)
	}); err != nil {
		fail(err)
	}
	begun := time.Now()
	told := make(chan time.Duration, 1)
	go func() {
		err := waitFor(time.Minute, func() (bool, error) {
			r, err := replicas[0].client.Ready(context.Background())
			return err != nil && strings.Contains(r.NotReady(), "ledger"), errors.New("it says that it is ready")
		})
		if err != nil {
			told <- -1
			return
		}
		told <- time.Since(begun)
	}()
	promoted, now := failover()
	sent := sim.Counts().Messages
	if sent == rows {
		t.Fatal("it came too late to prove anything")
	}
	if err := waitFor(time.Minute, func() (bool, error) { return sim.Counts().Messages > sent+10, errors.New("nothing is sent") }); err != nil {
		fail(err)
	}
	again := time.Since(promoted)
	t.Logf("the new primary was there %s after the old one hung; with %d messages sent before, sending went on %s later",
		promoted.Sub(begun).Round(time.Millisecond), sent, again.Round(time.Millisecond))
	if again > 10*time.Second {
		t.Errorf("sending went on %s after the new primary was there, want 10s at most", again)
	}
	if lease := 30 * time.Second; promoted.Sub(begun) > lease {
		if d := <-told; d < 0 || d > lease {
			t.Errorf("/readyz told of it after %s, want within the lease of %s", d, lease)
		} else {
			t.Logf("/readyz told of it after %s", d.Round(time.Millisecond))
		}
	}

	settled := 0 // rows from the first on
	if err := waitFor(4*time.Minute, func() (bool, error) {
		for settled < rows {
			if row, _ := table.Row(settled + 1); row["CD_STATUS"] != "2" {
				break
			}
			settled++
		}
		return settled == rows, fmt.Errorf("%d rows at 2, %+v", settled, sim.Counts())
	}); err != nil {
		fail(err)
	}
	t.Logf("all was done %s after the old primary hung", time.Since(begun).Round(time.Second))
	look, err := pgx.Connect(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = look.Close(context.Background()) })
	var all, open int
	if err := look.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE state IN ('queued', 'claimed', 'sending', 'uncertain')) FROM notification`).Scan(&all, &open); err != nil {
		t.Fatal(err)
	}
	if all != rows || open != 0 {
		t.Errorf("the ledger has %d notifications, %d of them open; want %d and none", all, open, rows)
	}
	for _, r := range replicas {
		r.kill(t)
	}
	if c := sim.Counts(); c.Messages != rows || c.IDs != rows || c.Doubled != 0 {
		t.Errorf("%d messages with %d ids, %d of them doubled; want %d, each once", c.Messages, c.IDs, c.Doubled, rows)
	}
}
