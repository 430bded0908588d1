package dispatch

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// shareLedger is what the processes that share a ledger have in common. On a
// ledger of one process everything is granted at once, and pace.go keeps the
// rates alone.
type shareLedger interface {
	Shared() bool
	// AcquireLeadership gives this owner a duty for d, unless another has it.
	AcquireLeadership(ctx context.Context, duty, owner string, d time.Duration) (bool, error)
	ReleaseLeadership(ctx context.Context, duty, owner string) error
	// Quota grants calls of a kind out of a rate that all keep together: call i
	// may be made from in + i/perSecond on; with none granted, ask again after in.
	Quota(ctx context.Context, name string, perSecond float64, want int) (granted int, in time.Duration, err error)
	// Recipient returns how long a message to n must wait; 0 takes the place.
	Recipient(ctx context.Context, n phone.Number, gap time.Duration) (wait time.Duration, err error)
}

// dutyTime is how long a duty lasts without being renewed: when its holder dies,
// another one takes over within this time.
const dutyTime = 5 * time.Second

// duty is something that one of the processes that share a ledger does for all of
// them. That spares the source and Blip the same question from each; nothing
// depends on it, because what follows is a compare-and-set wherever it is done.
// One goroutine has it.
type duty struct {
	ledger      shareLedger
	name, owner string
	log         *slog.Logger
	sure        time.Time // it is ours until then without asking
}

func (e *Engine) duty(name string) *duty {
	return &duty{ledger: e.o.Ledger, name: name, owner: e.o.Owner, log: e.log}
}

// Duty returns a function for a loop outside of this package. It reports whether
// the duty of this name is this process's at present; one goroutine may call it.
func (e *Engine) Duty(name string) func(context.Context) (bool, error) { return e.duty(name).mine }

// mine takes or keeps the duty, and reports whether this process has it. It may
// be asked as often as there is something to do: the ledger is asked seldom.
func (d *duty) mine(ctx context.Context) (bool, error) {
	now := time.Now()
	if now.Before(d.sure) {
		return true, nil
	}
	mine, err := d.ledger.AcquireLeadership(ctx, d.name, d.owner, dutyTime)
	d.sure = time.Time{}
	if mine && err == nil {
		d.sure = now.Add(dutyTime / 3)
	}
	return mine, err
}

// wait returns when it is this process's turn.
func (d *duty) wait(ctx context.Context) error {
	for {
		if mine, err := d.mine(ctx); mine || err != nil {
			return err
		}
		if err := sleep(ctx, idle); err != nil {
			return err
		}
	}
}

// release lets another process have its turn, if this one has it.
func (d *duty) release(ctx context.Context) {
	if d.sure.IsZero() {
		return
	}
	d.sure = time.Time{}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := d.ledger.ReleaseLeadership(ctx, d.name, d.owner); err != nil {
		d.log.Warn("duty not given up; it ends by itself", "duty", d.name, "error", err)
	}
}

// recipient returns until when a message to n must wait for the person's sake; the
// zero time takes the place.
func (e *Engine) recipient(ctx context.Context, n phone.Number) (free time.Time, err error) {
	if !e.o.Ledger.Shared() {
		return e.pace.recipient(n), nil
	}
	wait, err := e.o.Ledger.Recipient(ctx, n, pairGap)
	if err != nil || wait <= 0 {
		return time.Time{}, err
	}
	return e.lines.freeAt(n, time.Now().Add(wait)), nil
}

// pauseLoop learns of pauses soon: another process may have got the 429.
func (e *Engine) pauseLoop(ctx context.Context) {
	for sleep(ctx, idle) == nil {
		if err := e.readPause(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("pause not read", "error", err, "often", pombo.Often("pause"))
		}
	}
}

// shares hands out this process's share of a rate that all keep together.
type shares struct {
	ask     func(ctx context.Context, want int) (granted int, in time.Duration, err error)
	gap     time.Duration
	log     *slog.Logger
	waiting chan *turn
}

// turn is one caller who waits.
type turn struct {
	ready chan struct{}
	gone  atomic.Bool
}

func sharedTurns(l shareLedger, name string, perSecond float64, callers int, log *slog.Logger) *shares {
	return &shares{
		ask: func(ctx context.Context, want int) (int, time.Duration, error) {
			return l.Quota(ctx, name, perSecond, want)
		},
		gap:     time.Duration(float64(time.Second) / perSecond),
		log:     log,
		waiting: make(chan *turn, callers),
	}
}

func (s *shares) next() (<-chan struct{}, func()) {
	t := &turn{ready: make(chan struct{})}
	s.waiting <- t
	return t.ready, func() { t.gone.Store(true) }
}

// run asks the ledger for as many turns as callers wait, and gives them out when
// their time has come. While the ledger is away nobody gets one, and nobody
// could record what he sends.
func (s *shares) run(ctx context.Context) {
	trouble := backoff{first: 100 * time.Millisecond, most: ledgerAway}
	var queue []*turn
	for {
		var err error
		if queue, err = s.gather(ctx, queue); err != nil {
			return
		}
		granted, in, err := s.ask(ctx, len(queue))
		if err != nil {
			if ctx.Err() == nil {
				s.log.Error("no share of the rate", "error", err, "often", pombo.Often("share"))
			}
			in = trouble.next()
		} else {
			trouble.reset()
		}
		if sleep(ctx, in) != nil {
			return
		}
		first := time.Now()
		for i, t := range queue[:granted] {
			if sleep(ctx, time.Until(first.Add(time.Duration(i)*s.gap))) != nil {
				return
			}
			close(t.ready)
		}
		queue = queue[granted:]
	}
}

// gather waits until somebody waits, and leaves out who has gone.
func (s *shares) gather(ctx context.Context, queue []*turn) ([]*turn, error) {
	kept := queue[:0]
	for _, t := range queue {
		if !t.gone.Load() {
			kept = append(kept, t)
		}
	}
	for {
		if len(kept) == 0 {
			select {
			case t := <-s.waiting:
				kept = append(kept, t)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		select {
		case t := <-s.waiting:
			if !t.gone.Load() {
				kept = append(kept, t)
			}
		default:
			return kept, nil
		}
	}
}

// paired is the outcome of a row whose person just got a message, or of one for
// whom the ledger could not say.
func paired(held pombo.Outcome, free time.Time, err error) pombo.Outcome {
	if err != nil {
		return release(held, pombo.Interrupted, time.Now().Add(time.Second))
	}
	return release(held, pombo.PairRate, free)
}
