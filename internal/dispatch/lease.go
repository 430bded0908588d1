package dispatch

import (
	"context"
	"sync"
	"time"

	"pombo"
)

// leaseLedger is the ledger as the heartbeat sees it.
type leaseLedger interface {
	// Renew keeps what this owner has in hand; Reclaim frees what dead owners had.
	Renew(ctx context.Context, owner string) error
	Reclaim(ctx context.Context) (requeued, uncertain int, err error)
	// InHand lists what this owner has claimed or is sending.
	ClaimedBy(ctx context.Context, owner string) ([]pombo.Notification, error)
}

// lease is what this process knows by itself of its lease in a shared ledger.
//
// A process may be stopped at any instant and go on much later: by SIGSTOP, by a
// machine that sleeps, by a virtual one that is moved. What it had begun then
// belongs to another process, which has asked Blip, found no trace and sent it
// again. So whoever is about to POST asks here, and what was begun in a term that
// has been interrupted is not sent.
type lease struct {
	length time.Duration

	mu      sync.Mutex // guards what follows
	renewed time.Time  // the last renewal was asked for then, so the lease lasts at least length from it
	term    int        // counts up with each renewal that came too late
}

// renew takes note of a renewal that was asked for at that time and granted.
func (l *lease) renew(asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over(asked) {
		l.term++
	}
	l.renewed = asked
}

// current names the term, for holds.
func (l *lease) current() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term
}

// holds reports whether the lease has lasted without a break since the term was
// named.
func (l *lease) holds(term int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return term == l.term && !l.over(time.Now())
}

// over looks at both clocks: where a whole machine has slept, only the one on the
// wall has gone on.
func (l *lease) over(now time.Time) bool {
	return max(now.Sub(l.renewed), now.Round(0).Sub(l.renewed.Round(0))) >= l.length
}
