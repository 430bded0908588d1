package dispatch

import (
	"context"
	"math/rand/v2"
	"time"
)

// signal wakes one loop. Signals that nobody has seen yet are one signal.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// wait returns when the signal is set or after d; with an error only when ctx ends.
func (s signal) wait(ctx context.Context, d time.Duration) error { return wait(ctx, s, d) }

// waitSet is wait, and says whether the signal was set.
func (s signal) waitSet(ctx context.Context, d time.Duration) (set bool, err error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s:
		return true, nil
	case <-t.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// sleep returns after d; with an error only when ctx ends.
func sleep(ctx context.Context, d time.Duration) error { return wait(ctx, nil, d) }

func wait(ctx context.Context, wake <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-wake:
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// backoff is the wait of a loop whose neighbour is away: it doubles from first
// to most, with jitter so that replicas do not come back in step.
type backoff struct {
	first, most, wait time.Duration
}

func (b *backoff) next() time.Duration {
	b.wait = min(max(2*b.wait, b.first), b.most)
	return jitter(b.wait)
}

func (b *backoff) reset() { b.wait = 0 }

// jitter returns d give or take a fifth.
func jitter(d time.Duration) time.Duration {
	//nolint:gosec // nothing secret hangs on it
	return d + time.Duration((rand.Float64()-0.5)*0.4*float64(d))
}
