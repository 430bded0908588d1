package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pombo"
)

// inHand knows which notifications this process works on, so that at each renewal
// of the lease they can be compared with those that the ledger says it has. One that
// nobody here knows of would stay where it is for as long as the process lives: a
// claim can have been committed by a database that was then taken over from, or its
// outcome lost with one.
//
// A claim is in the ledger a moment before its notifications are known here. So one
// is given back only when it was unknown at two comparisons in a row, unchanged, and
// no claim has been under way from before the first one on.
type inHand struct {
	mu       sync.Mutex
	known    map[int64]int // by seq: how many hands, as one may be claimed again before it is let go
	claims   int           // that have ended
	claiming bool
	unknown  map[int64]sighting // at the last comparison
}

// sighting is a notification in hand that nobody knew of.
type sighting struct {
	state    pombo.State
	attempt  int
	since    time.Time // it has been in this state
	claims   int       // that had ended by then
	claiming bool
}

func newInHand() *inHand { return &inHand{known: map[int64]int{}} }

// claim tells of a claim that begins, and returns what tells of its end.
func (h *inHand) claim() (ended func([]pombo.Notification)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claiming = true
	return func(batch []pombo.Notification) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for i := range batch {
			h.known[batch[i].Seq]++
		}
		h.claims++
		h.claiming = false
	}
}

// let tells that the outcome is recorded, or will never be.
func (h *inHand) let(seq int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known[seq]--; h.known[seq] <= 0 {
		delete(h.known, seq)
	}
}

// abandoned returns those of the list that nobody here works on.
func (h *inHand) abandoned(list []pombo.Notification) []pombo.Notification {
	h.mu.Lock()
	defer h.mu.Unlock()
	var abandoned []pombo.Notification
	before := h.unknown
	h.unknown = map[int64]sighting{}
	for i := range list {
		n := &list[i]
		if h.known[n.Seq] > 0 {
			continue
		}
		s, again := before[n.Seq]
		if !again || s.state != n.State || s.attempt != n.Attempt || !s.since.Equal(n.Updated) {
			h.unknown[n.Seq] = sighting{n.State, n.Attempt, n.Updated, h.claims, h.claiming}
			continue
		}
		if s.claiming && s.claims == h.claims {
			h.unknown[n.Seq] = s // the same claim is still under way
			continue
		}
		abandoned = append(abandoned, *n)
	}
	return abandoned
}

const unknownHere = "the process that had it did not know of it"

// giveBack ends what the ledger says this process has in hand and nobody here works
// on: what was only claimed goes back to the queue, and of what was being sent Blip
// is asked.
func (e *Engine) giveBack(ctx context.Context) error {
	list, err := e.o.Ledger.ClaimedBy(ctx, e.o.Owner)
	if err != nil {
		return fmt.Errorf("compare what is in hand: %w", err)
	}
	requeued, uncertain := 0, 0
	for _, n := range e.inHand.abandoned(list) {
		o := pombo.Outcome{Seq: n.Seq, From: n.State, Owner: e.o.Owner, Attempt: n.Attempt, To: pombo.Uncertain, Reason: pombo.Interrupted, Detail: unknownHere}
		if n.State == pombo.Claimed {
			o = release(o, pombo.Interrupted, time.Time{})
		}
		switch err := e.o.Ledger.Finish(ctx, o); {
		case errors.Is(err, pombo.ErrLost):
		case err != nil:
			return fmt.Errorf("give back what nobody has in hand: %w", err)
		case o.To == pombo.Queued:
			requeued++
		default:
			uncertain++
		}
	}
	if requeued+uncertain > 0 {
		e.log.Warn("gave back what the ledger had in the hands of this process and nobody worked on", "requeued", requeued, "uncertain", uncertain)
		e.queued.Set()
		e.doubts.Set()
	}
	return nil
}
