package receipts

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"pombo"
	"pombo/internal/tracing"
	"pombo/internal/wait"
)

// pollLedger is the ledger as the poller sees it.
type pollLedger interface {
	// PollDue returns sent notifications whose next poll is due, the longest overdue
	// first.
	PollDue(ctx context.Context, limit int) ([]pombo.Notification, error)
	// Polled records the times of the next polls.
	Polled(ctx context.Context, polls []pombo.NextPoll) error
}

// Schedule returns the ages of a message at which Blip is asked about it, counted
// from its last attempt: dense at first, when most receipts come, then less and less.
// The last one is an hour before Blip forgets.
func Schedule() []time.Duration {
	return []time.Duration{
		30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 71 * time.Hour,
	}
}

// Sparse returns the reduced schedule for when polls bring little, because webhooks
// arrive or the message has moved on: see Poller.ages.
func Sparse() []time.Duration {
	return []time.Duration{time.Hour, 24 * time.Hour, 71 * time.Hour}
}

const (
	// pollShare is the part of the bot's commands that polls may take, one in so many:
	// look-ups, without which a message cannot be sent, need the same commands.
	pollShare = 4
	// pollBatch is how many answers are recorded together, or what the rate allows in
	// about two seconds if that is less.
	pollBatch   = 100
	pollsAtOnce = 8
	pollAgain   = time.Minute // after a failed poll
	idle        = time.Second
	leadAgain   = 5 * time.Second // while another process leads
	// lately is how long a webhook is trusted to bring the next receipt after its last.
	lately = 10 * time.Minute
)

// PollerOptions configures a Poller. Ledger, Recorder, Ask, Acquire and Schedule must be
// set.
type PollerOptions struct {
	Ledger   pollLedger
	Recorder *Recorder
	// Ask returns what Blip has about an id; an empty list is not an error.
	Ask func(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	// Acquire waits for the permit to send one command.
	Acquire func(ctx context.Context) error
	// CommandsPerSecond is the bot's rate, of which polls take a quarter at most;
	// 0 = no limit.
	CommandsPerSecond float64
	// Leads reports whether this process is the one that polls, of those that share the
	// ledger; nil = it always is. It is called about once a second.
	Leads func(ctx context.Context) (bool, error)
	// LastWebhook returns when a webhook last brought a receipt; nil = never.
	LastWebhook func() time.Time
	Schedule    []time.Duration // ages of a message at each poll; at least one
	Sparse      []time.Duration // the few ages that are never skipped; none = every poll is made
}

// Poller asks Blip what became of the messages that it accepted.
type Poller struct {
	opts  PollerOptions
	share *share
	batch int
}

// NewPoller checks the options.
func NewPoller(opts PollerOptions) (*Poller, error) {
	if opts.Ledger == nil || opts.Recorder == nil || opts.Ask == nil || opts.Acquire == nil || len(opts.Schedule) == 0 {
		return nil, errors.New("the poller needs a ledger, a recorder, functions that ask Blip and acquire a permit, and a schedule")
	}
	if opts.LastWebhook == nil {
		opts.LastWebhook = func() time.Time { return time.Time{} }
	}
	perSecond := opts.CommandsPerSecond / pollShare
	p := &Poller{opts: opts, share: newShare(perSecond, opts.Acquire, opts.Leads), batch: pollBatch}
	if perSecond > 0 {
		p.batch = min(pollBatch, max(int(2*perSecond), 1))
	}
	return p, nil
}

// Run polls until ctx ends.
func (p *Poller) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause, err := p.round(ctx)
		if err != nil {
			pause = idle
			if ctx.Err() == nil {
				p.opts.Recorder.opts.Logger.Error("receipts not asked for; polling continues", "error", err, "often", pombo.Often("receipts"))
			}
		}
		if pause > 0 {
			_ = wait.For(ctx, pause)
		}
	}
}

// round asks about what is due and returns how long to wait before the next round.
// After an error everything stays due.
func (p *Poller) round(ctx context.Context) (pause time.Duration, err error) {
	if pause, err := p.share.pause(ctx); err != nil || pause > 0 {
		return pause, err
	}
	due, err := p.opts.Ledger.PollDue(ctx, p.batch)
	if err != nil {
		return 0, err
	}
	if len(due) > 0 {
		var span tracing.Span
		ctx, span = p.opts.Recorder.opts.Tracer.Pass(ctx, tracing.Poll)
		defer span.End()
		span.SetInt(tracing.Messages, len(due))
	}
	results := p.askAll(ctx, due)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	var list []pombo.Receipt
	var next []pombo.NextPoll
	for i, a := range results {
		list = append(list, a.receipts...)
		if a.done {
			next = append(next, pombo.NextPoll{Seq: due[i].Seq, At: a.next})
		}
	}
	if _, err := p.opts.Recorder.Record(ctx, list); err != nil {
		return 0, err
	}
	if err := p.opts.Ledger.Polled(ctx, next); err != nil {
		return 0, err
	}
	if len(due) < p.batch || len(next) < len(due) {
		return idle, nil
	}
	return 0, nil
}

// pollResult is the result of one poll.
type pollResult struct {
	done     bool // else it stays due
	receipts []pombo.Receipt
	next     time.Time
}

// askAll asks about each notification, several at once, the first ones first.
func (p *Poller) askAll(ctx context.Context, due []pombo.Notification) []pollResult {
	results := make([]pollResult, len(due))
	var group errgroup.Group
	group.SetLimit(pollsAtOnce)
	for i := range due {
		n := &due[i]
		if at, spared := p.spare(n); spared {
			p.count("spared")
			results[i] = pollResult{done: true, next: at}
			continue
		}
		group.Go(func() error {
			results[i] = p.ask(ctx, n)
			return nil
		})
	}
	_ = group.Wait()
	return results
}

func (p *Poller) ask(ctx context.Context, n *pombo.Notification) pollResult {
	if p.share.permit(ctx) != nil {
		return pollResult{} // stopping, or sending is paused
	}
	list, err := p.opts.Ask(ctx, n.MessageID)
	if err != nil {
		if ctx.Err() == nil {
			p.count("failed")
			p.opts.Recorder.opts.Logger.Warn("receipts not read; asked again later", "id", n.MessageID, "error", err, "often", pombo.Often("receipt"))
			if pause := p.opts.Recorder.followRefusal(ctx, err); pause > 0 {
				// Even where an operator's pause, which stops no polls, masks Blip's.
				p.share.refuse(pause)
			}
		}
		return pollResult{done: true, next: time.Now().Add(pollAgain)}
	}
	if len(list) == 0 {
		p.count("nothing")
	} else {
		p.count("receipts")
	}
	return pollResult{done: true, receipts: list, next: p.next(n, list)}
}

// next returns when to ask again: zero after a final receipt, and when the schedule has
// run out.
func (p *Poller) next(n *pombo.Notification, list []pombo.Receipt) time.Time {
	after := *n
	for _, r := range list {
		switch r.State {
		case pombo.Read, pombo.Failed:
			return time.Time{}
		case pombo.Delivered:
			after.State = r.State
		}
	}
	for _, age := range p.ages(&after) {
		if at := n.Begun.Add(age); at.After(time.Now()) {
			return at
		}
	}
	return time.Time{}
}

// spare returns when a poll that is due now can be made instead; spared is false when
// it cannot wait.
func (p *Poller) spare(n *pombo.Notification) (at time.Time, spared bool) {
	first := p.ages(n)[0]
	at = n.Begun.Add(first)
	return at, first > p.opts.Schedule[0] && at.After(time.Now())
}

// ages returns the schedule of a notification, which is the sparse one when
//
//   - it is delivered: only "read" can follow;
//   - webhooks have brought receipts to this process lately;
//   - it has moved on before its first poll: a webhook reported it, maybe to another
//     process.
func (p *Poller) ages(n *pombo.Notification) []time.Duration {
	early := len(p.opts.Schedule) > 1 && time.Since(n.Begun) < p.opts.Schedule[1]
	switch {
	case len(p.opts.Sparse) == 0:
	case n.State == pombo.Delivered,
		time.Since(p.opts.LastWebhook()) < lately,
		n.State == pombo.Dispatched && early:
		return p.opts.Sparse
	}
	return p.opts.Schedule
}

func (p *Poller) count(result string) { p.opts.Recorder.metrics.polls.WithLabelValues(result).Inc() }
