package throttle

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// sharedLimiter grants this process's share of a rate that all processes on one
// ledger keep together.
type sharedLimiter struct {
	quota    func(ctx context.Context, want int) (granted int, in time.Duration, err error)
	interval time.Duration
	log      *slog.Logger
	waiting  chan *reservation
}

// reservation is one caller who waits.
type reservation struct {
	ready    chan struct{}
	canceled atomic.Bool
}

func newSharedLimiter(ledger Ledger, name string, perSecond float64, callers int, log *slog.Logger) *sharedLimiter {
	return &sharedLimiter{
		quota: func(ctx context.Context, want int) (int, time.Duration, error) {
			return ledger.Quota(ctx, name, perSecond, want)
		},
		interval: time.Duration(float64(time.Second) / perSecond),
		log:      log,
		waiting:  make(chan *reservation, callers),
	}
}

func (s *sharedLimiter) reserve() (<-chan struct{}, func()) {
	r := &reservation{ready: make(chan struct{})}
	s.waiting <- r
	return r.ready, func() { r.canceled.Store(true) }
}

// mostQuotaWait is the longest wait between two requests for a quota while the
// ledger does not answer: sending resumes at most so long after it does again.
const mostQuotaWait = 2 * time.Second

// run asks the ledger for as many permits as callers wait, and grants each at its
// time. While the ledger is away nobody gets one: nobody could record what was sent.
func (s *sharedLimiter) run(ctx context.Context) {
	backoff := wait.Backoff{First: 100 * time.Millisecond, Most: mostQuotaWait}
	var queue []*reservation
	for {
		var err error
		if queue, err = s.collect(ctx, queue); err != nil {
			return
		}
		granted, in, err := s.quota(ctx, len(queue))
		if err != nil {
			if ctx.Err() == nil {
				s.log.Error("no share of the rate", "error", err, "often", pombo.Often("share"))
			}
			in = backoff.Next()
		} else {
			backoff.Reset()
		}
		if wait.For(ctx, in) != nil {
			return
		}
		first := time.Now()
		for i, r := range queue[:granted] {
			if wait.For(ctx, time.Until(first.Add(time.Duration(i)*s.interval))) != nil {
				return
			}
			close(r.ready)
		}
		queue = queue[granted:]
	}
}

// collect waits until somebody waits, and drops the canceled.
func (s *sharedLimiter) collect(ctx context.Context, queue []*reservation) ([]*reservation, error) {
	kept := queue[:0]
	for _, r := range queue {
		if !r.canceled.Load() {
			kept = append(kept, r)
		}
	}
	for {
		if len(kept) == 0 {
			select {
			case r := <-s.waiting:
				kept = append(kept, r)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		select {
		case r := <-s.waiting:
			if !r.canceled.Load() {
				kept = append(kept, r)
			}
		default:
			return kept, nil
		}
	}
}
