package dispatch_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// slowLeadership is a shared ledger that takes a moment to say who leads.
type slowLeadership struct{ *fakeLedger }

func (s slowLeadership) AcquireLeadership(ctx context.Context, job, owner string, d time.Duration) (bool, error) {
	time.Sleep(2 * time.Millisecond)
	return s.fakeLedger.AcquireLeadership(ctx, job, owner, d)
}

// A row is taken in within one POLL_INTERVAL of its commit, whatever the passes
// themselves take.
func TestIntake_PollInterval(t *testing.T) {
	for _, interval := range []time.Duration{100 * time.Millisecond, time.Second, 1500 * time.Millisecond, 5 * time.Second} {
		t.Run(interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source, ledger := newTable(), newFakeLedger()
				source.onPage = func() { time.Sleep(3 * time.Millisecond) }
				ledger.shared = true
				startEngine(t, options{Source: source, Ledger: slowLeadership{ledger}, Blip: &fakeBlip{}, PollInterval: interval})
				const rows = 50
				var waits []time.Duration
				start := time.Now()
				for i := range rows {
					time.Sleep(time.Until(start.Add(interval * time.Duration(i) * 237 / 100))) // at every phase of the interval
					committed := time.Now()
					key := fmt.Sprintf("%04d", i)
					source.add(row(key, fmt.Sprintf("31988880%03d", i), "Maria"))
					for ledger.takenIn() <= i {
						time.Sleep(interval / 200)
					}
					waits = append(waits, time.Since(committed))
				}
				slices.Sort(waits)
				if p50, most := waits[rows/2], waits[rows-1]; p50 > interval*55/100+20*time.Millisecond || most > interval*105/100+20*time.Millisecond {
					t.Errorf("taken in %s after the commit at the median and %s at most, want half an interval and one (%s)", p50, most, interval)
				}
			})
		})
	}
}
