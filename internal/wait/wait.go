// Package wait has the ways in which a loop waits: for a time, for a signal, and
// longer each time while a neighbour is away. Every wait ends with its context.
package wait

import (
	"context"
	"math/rand/v2"
	"time"
)

// For returns nil after d, or ctx's error as soon as ctx ends.
func For(ctx context.Context, d time.Duration) error {
	_, err := either(ctx, nil, d)
	return err
}

// Until returns nil when wake is closed or receives, or after d; ctx's error as
// soon as ctx ends.
func Until(ctx context.Context, wake <-chan struct{}, d time.Duration) error {
	_, err := either(ctx, wake, d)
	return err
}

func either(ctx context.Context, wake <-chan struct{}, d time.Duration) (woken bool, err error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-wake:
		return true, nil
	case <-t.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// Signal wakes one loop. Signals that nobody has received yet count as one.
type Signal chan struct{}

// NewSignal returns a signal that is not set.
func NewSignal() Signal { return make(Signal, 1) }

// Set wakes the loop that waits, or the next one that does. It never blocks.
func (s Signal) Set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Wait returns when the signal is set or after d, and reports which; with an error
// only when ctx ends.
func (s Signal) Wait(ctx context.Context, d time.Duration) (set bool, err error) {
	return either(ctx, s, d)
}

// Backoff is the wait of a loop whose neighbour is away. It doubles from First to
// Most, with jitter so that replicas do not come back in step.
type Backoff struct {
	First, Most time.Duration

	last time.Duration
}

// Next returns how long to wait this time.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.First), b.Most)
	return Jitter(b.last)
}

// Reset starts again at First.
func (b *Backoff) Reset() { b.last = 0 }

// Jitter returns d, give or take a fifth.
func Jitter(d time.Duration) time.Duration {
	//nolint:gosec // nothing secret depends on it
	return d + time.Duration((rand.Float64()-0.5)*0.4*float64(d))
}
