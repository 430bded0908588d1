// Package receipts learns what became of a message after Blip took it. A 202 is
// "accepted", not "delivered": the rest comes later, out of order, more than
// once or never.
//
// The poller asks Blip for the notifications of each message on a growing
// schedule. It needs nothing from outside: it works for every company whose
// server cannot be reached from the internet. Blip keeps the notifications
// three days; what it has not told by then stays as it is. When asking fails,
// the message is asked about again later; states only move forward, so that
// asking twice does no harm.
package receipts

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"pombo"
)

// Ledger is the ledger as receipts see it.
type Ledger interface {
	// PollDue returns sent notifications whose next poll is due.
	PollDue(ctx context.Context, limit int) ([]pombo.Notification, error)
	// Polled sets the next poll; zero = none.
	Polled(ctx context.Context, seq int64, next time.Time) error
	// Apply moves notifications forward; unknown ids and repeats change nothing.
	Apply(ctx context.Context, receipts []pombo.Receipt) (applied int, err error)
}

// Schedule returns the age of a message at each poll, counted from its last attempt.
// The last one is an hour before Blip forgets.
func Schedule() []time.Duration {
	return []time.Duration{30 * time.Second, 5 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 71 * time.Hour}
}

const (
	pollBatch = 100
	// pollsAtOnce is small: polls share the rate of commands with look-ups,
	// which a message cannot go without.
	pollsAtOnce = 8
	pollAgain   = time.Minute // after a poll that failed
	idle        = time.Second
)

// PollerOptions is what a Poller is made of.
type PollerOptions struct {
	Ledger Ledger
	// Ask returns what Blip has about an id; nothing is no error.
	Ask func(ctx context.Context, id pombo.ID) ([]pombo.Receipt, error)
	// Leave waits for leave to make one command.
	Leave func(ctx context.Context) error
	// Moved is called when a notification has moved on; nil = nobody minds.
	Moved func()
	// Duty reports whether it is this process's turn to ask, where several share
	// a ledger; nil = always. It is called before each question.
	Duty     func(ctx context.Context) (bool, error)
	Schedule []time.Duration // ages of a message at each poll; at least one
	Logger   *slog.Logger
}

// Poller asks Blip what became of the messages it took.
type Poller struct{ o PollerOptions }

// NewPoller checks the options.
func NewPoller(o PollerOptions) (*Poller, error) {
	if o.Ledger == nil || o.Ask == nil || o.Leave == nil || len(o.Schedule) == 0 {
		return nil, errors.New("the poller needs a ledger, a way to ask, leave to do so and a schedule")
	}
	if o.Moved == nil {
		o.Moved = func() {}
	}
	if o.Duty == nil {
		o.Duty = func(context.Context) (bool, error) { return true, nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Poller{o}, nil
}

// Run polls until ctx ends.
func (p *Poller) Run(ctx context.Context) {
	for ctx.Err() == nil {
		var batch []pombo.Notification
		mine, err := p.o.Duty(ctx)
		if mine && err == nil {
			batch, err = p.o.Ledger.PollDue(ctx, pollBatch)
		}
		if err != nil && ctx.Err() == nil {
			p.o.Logger.Error("messages to ask about not read", "error", err)
		}
		var group errgroup.Group
		group.SetLimit(pollsAtOnce)
		for _, n := range batch {
			if mine, _ := p.o.Duty(ctx); !mine {
				break // the others have been asked about elsewhere
			}
			group.Go(func() error { return p.poll(ctx, n) })
		}
		err = errors.Join(err, group.Wait())
		if len(batch) < pollBatch || err != nil {
			t := time.NewTimer(idle)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
		}
	}
}

func (p *Poller) poll(ctx context.Context, n pombo.Notification) error {
	if err := p.o.Leave(ctx); err != nil {
		return err // it stays due
	}
	receipts, err := p.o.Ask(ctx, n.ID)
	if err != nil {
		if ctx.Err() == nil {
			p.o.Logger.Warn("receipts not read; asked again later", "id", n.ID, "error", err)
		}
		return p.o.Ledger.Polled(context.WithoutCancel(ctx), n.Seq, time.Now().Add(pollAgain))
	}
	applied, err := p.o.Ledger.Apply(ctx, receipts)
	if err != nil {
		if ctx.Err() == nil {
			p.o.Logger.Error("receipts not recorded; asked again later", "id", n.ID, "error", err)
		}
		return err // it stays due
	}
	if applied > 0 {
		p.o.Moved()
	}
	return p.o.Ledger.Polled(ctx, n.Seq, p.next(n.Begun, receipts))
}

// next returns when to ask again: zero after a receipt that ends the story, and
// when the schedule has run out.
func (p *Poller) next(begun time.Time, receipts []pombo.Receipt) time.Time {
	for _, r := range receipts {
		if r.State == pombo.Read || r.State == pombo.Failed {
			return time.Time{}
		}
	}
	for _, age := range p.o.Schedule {
		if at := begun.Add(age); at.After(time.Now()) {
			return at
		}
	}
	return time.Time{}
}
