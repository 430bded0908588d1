package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pombo"
)

// inFlight knows which notifications this process works on, so that at each renewal
// of the lease they can be compared with those that the ledger says it has. One that is
// unknown here would stay where it is for as long as the process lives: its claim may
// have been committed, or its outcome lost, by a database that another has taken over
// from.
//
// A claim is in the ledger a moment before its notifications are known here. So one
// is given back only when it was unknown at two comparisons in a row, unchanged, and
// no claim has been under way since before the first one.
type inFlight struct {
	mu       sync.Mutex
	known    map[int64]int // workers by seq: a notification may be claimed again before it is removed
	claims   int           // that have ended
	claiming bool
	unknown  map[int64]sighting // at the last comparison
}

// sighting is a notification in flight that no worker knew.
type sighting struct {
	state    pombo.State
	attempt  int
	since    time.Time // it has been in this state
	claims   int       // that had ended by then
	claiming bool
}

func newInFlight() *inFlight { return &inFlight{known: map[int64]int{}} }

// claim is called when a claim begins, and the function that it returns when the claim
// has ended.
func (f *inFlight) claim() (ended func([]pombo.Notification)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claiming = true
	return func(batch []pombo.Notification) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for i := range batch {
			f.known[batch[i].Seq]++
		}
		f.claims++
		f.claiming = false
	}
}

// remove is called when the outcome is recorded, or will never be.
func (f *inFlight) remove(seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known[seq]--; f.known[seq] <= 0 {
		delete(f.known, seq)
	}
}

// abandoned returns those of the list that nobody here works on.
func (f *inFlight) abandoned(list []pombo.Notification) []pombo.Notification {
	f.mu.Lock()
	defer f.mu.Unlock()
	var abandoned []pombo.Notification
	before := f.unknown
	f.unknown = map[int64]sighting{}
	for i := range list {
		n := &list[i]
		if f.known[n.Seq] > 0 {
			continue
		}
		s, again := before[n.Seq]
		if !again || s.state != n.State || s.attempt != n.Attempt || !s.since.Equal(n.Updated) {
			f.unknown[n.Seq] = sighting{n.State, n.Attempt, n.Updated, f.claims, f.claiming}
			continue
		}
		if s.claiming && s.claims == f.claims {
			f.unknown[n.Seq] = s // the same claim is still under way
			continue
		}
		abandoned = append(abandoned, *n)
	}
	return abandoned
}

// GiveBack ends what the ledger says this process has and no worker knows of. Call it
// after each renewal of the lease.
func (d *Deliverer) GiveBack(ctx context.Context) error {
	list, err := d.opts.Ledger.ClaimedBy(ctx, d.opts.Owner)
	if err != nil {
		return fmt.Errorf("compare what is in flight: %w", err)
	}
	requeued, uncertain := 0, 0
	for _, n := range d.flying.abandoned(list) {
		o := abandoned(&n, d.opts.Owner)
		switch err := d.opts.Ledger.Finish(ctx, *o); {
		case errors.Is(err, pombo.ErrLost):
		case err != nil:
			return fmt.Errorf("give back what no worker knows of: %w", err)
		case o.To == pombo.Queued:
			requeued++
		default:
			uncertain++
		}
	}
	if requeued+uncertain > 0 {
		d.log.Warn("gave back what the ledger said this process had in flight and no worker knew of", "requeued", requeued, "uncertain", uncertain)
		d.opts.Signals.Queued.Set()
		d.opts.Signals.Uncertain.Set()
	}
	return nil
}
