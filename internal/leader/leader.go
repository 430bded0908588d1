// Package leader says what one process may do alone: the jobs that one of the
// processes on a shared ledger does for all of them (Leadership), and whatever this
// process has claimed, as long as its lease is valid (Lease).
package leader

import (
	"context"
	"log/slog"
	"time"

	"pombo/internal/wait"
)

// Ledger decides between processes.
type Ledger interface {
	// AcquireLeadership makes owner the leader of a job for d, unless another process
	// is.
	AcquireLeadership(ctx context.Context, job, owner string, d time.Duration) (bool, error)
	ReleaseLeadership(ctx context.Context, job, owner string) error
}

// term is how long a leadership lasts without being renewed: when a leader dies,
// another process takes over within this time.
const term = 5 * time.Second

// askAgain is how often a process that waits for a leadership asks for it.
const askAgain = time.Second

// Leadership is a job that one of the processes on a ledger does for all. It spares the
// source and Blip the same question from each. No promise depends on it, because every
// resulting change is a compare-and-set. One goroutine uses a Leadership.
type Leadership struct {
	ledger     Ledger
	job, owner string
	log        *slog.Logger
	validUntil time.Time // until then there is no need to ask
}

// Of returns the leadership of a job, for the process that owner names. It is not
// acquired yet.
func Of(ledger Ledger, job, owner string, log *slog.Logger) *Leadership {
	return &Leadership{ledger: ledger, job: job, owner: owner, log: log}
}

// TryAcquire acquires or keeps the leadership, and reports whether this process has
// it. It is cheap to call: it rarely asks the ledger.
func (l *Leadership) TryAcquire(ctx context.Context) (bool, error) {
	now := time.Now()
	if now.Before(l.validUntil) {
		return true, nil
	}
	acquired, err := l.ledger.AcquireLeadership(ctx, l.job, l.owner, term)
	l.validUntil = time.Time{}
	if acquired && err == nil {
		l.validUntil = now.Add(term / 3)
	}
	return acquired, err
}

// Acquire returns when this process is the leader.
func (l *Leadership) Acquire(ctx context.Context) error {
	for {
		if acquired, err := l.TryAcquire(ctx); acquired || err != nil {
			return err
		}
		if err := wait.For(ctx, askAgain); err != nil {
			return err
		}
	}
}

// Held reports whether this process was the leader when it last asked.
func (l *Leadership) Held() bool { return !l.validUntil.IsZero() }

// Release lets another process lead, if this one does. It works after ctx has ended.
func (l *Leadership) Release(ctx context.Context) {
	if !l.Held() {
		return
	}
	l.validUntil = time.Time{}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := l.ledger.ReleaseLeadership(ctx, l.job, l.owner); err != nil {
		l.log.Warn("leadership not released; it ends by itself", "job", l.job, "error", err)
	}
}
