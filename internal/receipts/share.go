package receipts

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// share is a poller's part of the bot's commands. One of the processes that share a ledger
// uses it, and none while Blip refuses every call.
type share struct {
	acquire func(context.Context) error
	leads   func(context.Context) (bool, error)
	limiter *rate.Limiter
	refused atomic.Int64 // until when Blip refuses every call, in Unix ms; 0 = it does not
}

// newShare makes a share of so many commands a second, 0 = as many as acquire permits.
// Without leads, this process always leads.
func newShare(perSecond float64, acquire func(context.Context) error, leads func(context.Context) (bool, error)) *share {
	s := &share{acquire: acquire, leads: leads, limiter: rate.NewLimiter(rate.Inf, 1)}
	if perSecond > 0 {
		s.limiter.SetLimit(rate.Limit(perSecond))
	}
	return s
}

// pause returns how long this process may not ask; 0 = it may now.
func (s *share) pause(ctx context.Context) (time.Duration, error) {
	if s.leads != nil {
		switch leads, err := s.leads(ctx); {
		case err != nil:
			return 0, fmt.Errorf("find out whether this process leads: %w", err)
		case !leads:
			return leadAgain, nil
		}
	}
	return max(time.Until(time.UnixMilli(s.refused.Load())), 0), nil
}

// permit waits for the permit to send one command.
func (s *share) permit(ctx context.Context) error {
	if err := s.limiter.Wait(ctx); err != nil {
		return err
	}
	return s.acquire(ctx)
}

// refuse notes that Blip refuses every call for so long.
func (s *share) refuse(d time.Duration) { s.refused.Store(time.Now().Add(d).UnixMilli()) }

func (s *share) isRefused() bool { return time.Now().Before(time.UnixMilli(s.refused.Load())) }
