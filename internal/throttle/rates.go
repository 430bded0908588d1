package throttle

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// Rates grants permits for calls at the bot's rates.
type Rates struct {
	pauser             *Pauser
	messages, commands limiter
}

// limiter says when the next call of a kind may be made.
type limiter interface {
	// reserve returns a channel that is closed when it is time, or nil when it is
	// time now. A caller that does not wait until then must cancel.
	reserve() (ready <-chan struct{}, cancel func())
}

// AcquireMessage waits for the permit to send one message. It returns ErrPaused as
// soon as sending is paused and ctx's error when ctx ends.
func (r *Rates) AcquireMessage(ctx context.Context) error { return r.acquire(ctx, r.messages) }

// AcquireCommand waits likewise for the permit to make one command.
func (r *Rates) AcquireCommand(ctx context.Context) error { return r.acquire(ctx, r.commands) }

// AcquireQuestion waits for the permit to ask Blip what became of a message. It
// shares the rate of commands. An operator's pause is about sending, so questions go
// on; a pause that Blip demands stops them with ErrPaused.
func (r *Rates) AcquireQuestion(ctx context.Context) error {
	if p, paused := r.pauser.Current(); paused && p.By != "blip" {
		return r.acquirePaused(ctx, r.commands)
	}
	return r.AcquireCommand(ctx)
}

func (r *Rates) acquire(ctx context.Context, from limiter) error {
	paused, changed := r.pauser.state()
	if paused {
		return ErrPaused
	}
	ready, cancel := from.reserve()
	if ready == nil {
		return ctx.Err()
	}
	for {
		select {
		case <-ready:
			return nil
		case <-changed:
			if paused, changed = r.pauser.state(); paused {
				cancel()
				return ErrPaused
			}
		case <-ctx.Done():
			cancel()
			return fmt.Errorf("wait for a permit to send: %w", ctx.Err())
		}
	}
}

// acquirePaused waits for a permit whether or not sending is paused.
func (r *Rates) acquirePaused(ctx context.Context, from limiter) error {
	ready, cancel := from.reserve()
	if ready == nil {
		return ctx.Err()
	}
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		cancel()
		return fmt.Errorf("wait for a permit to ask: %w", ctx.Err())
	}
}

// localLimiter is the rate of a process that has the bot to itself. It allows no
// burst: Blip answers a burst with two minutes of 429, and a restart must not cause
// one.
type localLimiter struct{ limiter *rate.Limiter }

func newLocalLimiter(perSecond float64) localLimiter {
	if perSecond <= 0 {
		return localLimiter{rate.NewLimiter(rate.Inf, 0)}
	}
	return localLimiter{rate.NewLimiter(rate.Limit(perSecond), 1)}
}

func (l localLimiter) reserve() (<-chan struct{}, func()) {
	if l.limiter.Limit() == rate.Inf {
		return nil, nil
	}
	r := l.limiter.Reserve()
	d := r.Delay()
	if d == 0 {
		return nil, nil
	}
	ready := make(chan struct{})
	t := time.AfterFunc(d, func() { close(ready) })
	return ready, func() { t.Stop(); r.Cancel() }
}
