//go:build unix

package main

import (
	"errors"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// TestChaos is the run that every change has to pass; at night it kills more than 60 times
// over 20,000 rows. CHAOS_SEED repeats the faults of an earlier run.
func TestChaos(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: it takes a minute or two")
	}
	folder := t.TempDir()
	binary, err := build(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(20261124)
	if s := os.Getenv("CHAOS_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	// A harness that hits nothing proves nothing. The few kills of the day find most steps,
	// those of the night all.
	var found [steps]atomic.Int64
	t.Cleanup(func() { // after both
		var missed []string
		for s := noStep + 1; s < steps; s++ {
			if found[s].Load() == 0 {
				missed = append(missed, stepNames[s])
			}
		}
		if len(missed) > nightly.Or(0, 5) {
			t.Errorf("no kill found a notification here: %q", missed)
		} else if len(missed) > 0 {
			t.Logf("this time no kill found a notification here: %q", missed)
		}
	})
	for _, c := range []struct {
		ledger      string
		rows, kills int
	}{
		{"sqlite", nightly.Or(10_000, 600), nightly.Or(36, 9)},
		{"postgres", nightly.Or(10_000, 300), nightly.Or(30, 4)}, // at night each kill costs the rest of a lease
	} {
		t.Run(c.ledger, func(t *testing.T) {
			t.Parallel() // both wait a good deal
			r, err := run(t.Context(), options{
				ledger: c.ledger, rows: c.rows, kills: c.kills, short: !nightly.On(), seed: seed, binary: binary, folder: t.TempDir(), say: t.Logf,
			})
			if errors.Is(err, postgrestest.ErrNotInstalled) && os.Getenv("CI") != "true" {
				t.Skip("skipped: " + err.Error())
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			t.Logf("%d kills, %d other faults, %d uncertain, %.0f s", r.tally.kills, r.tally.faults, r.uncertain, r.took.Seconds())
			if !r.good() || r.uncertain != 0 {
				t.Errorf("seed %d: %d lost, %d doubled, %d left uncertain, %d promises broken on the way back, want none", seed, len(r.lost), len(r.doubled), r.uncertain, len(r.broken))
			}
			t.Logf("%+v, found %v", r.back, r.tally.steps)
			if r.back.answers == 0 || r.back.handedOver == 0 || r.back.postedAgain == 0 || r.back.eventsAgain == 0 {
				t.Errorf("of answers, rows handed over, repeated posts and repeated events one was missing: %+v", r.back)
			}
			if r.tally.harm["refused by WhatsApp, sent again"] == 0 {
				t.Error("no message was sent again that WhatsApp had refused")
			}
			if r.tally.kills < c.kills {
				t.Errorf("%d kills, want at least %d", r.tally.kills, c.kills)
			}
			for s, n := range r.tally.steps {
				found[s].Add(int64(n))
			}
			if c.ledger == "postgres" && r.tally.takenOver.Load() == 0 {
				// It depends on what else is killed meanwhile; the long run has time for it.
				t.Log("this time nothing was taken over from a frozen process")
			}
			for _, h := range sureTroubles {
				if r.tally.harm[troubleNames[h]] == 0 {
					t.Errorf("no event met this: %s", troubleNames[h])
				}
			}
			for h := none + 1; h < kindsOfHarm; h++ {
				if r.tally.harm[harmNames[h]] == 0 {
					t.Errorf("no POST met this: %s", harmNames[h])
				}
			}
		})
	}
}
