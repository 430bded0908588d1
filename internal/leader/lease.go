package leader

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// LeaseLedger keeps the leases of all processes.
type LeaseLedger interface {
	// Renew keeps what this owner has claimed for the length of a lease.
	Renew(ctx context.Context, owner string) error
}

// Lease is what this process itself knows about its lease in the ledger.
//
// A process may be stopped at any instant and go on much later: by SIGSTOP, by a
// machine that sleeps, by a virtual one that is moved. What it had begun then belongs
// to another process, which has asked Blip, found no trace and sent it again. So
// every POST asks here first, and what was begun in a term that has been
// interrupted is not sent.
type Lease struct {
	ledger LeaseLedger
	owner  string
	length time.Duration
	log    *slog.Logger

	mu      sync.Mutex // guards what follows
	renewed time.Time  // when the last renewal was requested: the lease lasts at least length from then
	term    int        // counts up with each renewal that came too late
}

// NewLease returns a lease that is not valid before it is renewed. length is that of
// the ledger.
func NewLease(ledger LeaseLedger, owner string, length time.Duration, log *slog.Logger) *Lease {
	return &Lease{ledger: ledger, owner: owner, length: length, log: log}
}

// Renew keeps what this process has claimed for the length of a lease from now. A
// claim renews the lease as well, in the ledger; only what is renewed here counts
// for Valid.
func (l *Lease) Renew(ctx context.Context) error {
	asked := time.Now()
	if err := l.ledger.Renew(ctx, l.owner); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over(asked) {
		l.term++
	}
	l.renewed = asked
	return nil
}

// Term names the present term, for Valid.
func (l *Lease) Term() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term
}

// Valid reports whether the lease has been valid without a break since Term returned
// that term.
func (l *Lease) Valid(term int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return term == l.term && !l.over(time.Now())
}

// over looks at both clocks: while a machine sleeps, only the wall clock goes on.
func (l *Lease) over(now time.Time) bool {
	return max(now.Sub(l.renewed), now.Round(0).Sub(l.renewed.Round(0))) >= l.length
}

// renewAgain is the longest wait after a renewal that failed: without a lease nothing
// is sent.
const renewAgain = 2 * time.Second

// Run renews the lease at every third of it, sooner after a renewal that failed, and
// then calls after with the renewal's error. It must outlive claiming: as long as a
// worker is busy, its notification is claimed.
func (l *Lease) Run(ctx context.Context, after func(ctx context.Context, err error)) {
	for next := l.length / 3; wait.For(ctx, next) == nil; {
		err := l.Renew(ctx)
		if next = l.length / 3; err != nil {
			next = min(next, renewAgain)
		}
		if err != nil && ctx.Err() == nil {
			l.log.Error("lease not renewed: another process may take over what this one has claimed", "error", err, "often", pombo.Often("lease"))
		}
		after(ctx, err)
	}
}
