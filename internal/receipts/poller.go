package receipts

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"pombo"
)

// pollLedger is the ledger as the poller sees it.
type pollLedger interface {
	// PollDue returns sent notifications whose next poll is due, the longest due
	// first.
	PollDue(ctx context.Context, limit int) ([]pombo.Notification, error)
	// Polled sets the next polls.
	Polled(ctx context.Context, polls []pombo.NextPoll) error
}

// Schedule returns the ages of a message at which Blip is asked about it, counted
// from its last attempt: dense at first, when most is told, then less and less. The
// last one is an hour before Blip forgets.
func Schedule() []time.Duration {
	return []time.Duration{
		30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 71 * time.Hour,
	}
}

// Net returns the ages that are left of the schedule where a webhook or the
// message's own state says that little is to be learnt: see Poller.ages.
func Net() []time.Duration {
	return []time.Duration{time.Hour, 24 * time.Hour, 71 * time.Hour}
}

const (
	// share is the part of the bot's commands that polls may take, one in so
	// many: look-ups, which a message cannot go without, take from the same.
	share = 4
	// pollBatch is how many are asked about before the answers are recorded
	// together, or what the rate allows in about two seconds.
	pollBatch   = 100
	pollsAtOnce = 8
	pollAgain   = time.Minute // after a poll that failed
	idle        = time.Second
	dutyAgain   = 5 * time.Second // after another process had the duty
	// lately is how long ago a webhook may have brought a receipt to be trusted
	// to bring the next.
	lately = 10 * time.Minute
)

// PollerOptions is what a Poller is made of. Ledger, Recorder, Ask, Leave and
// Schedule must be set.
type PollerOptions struct {
	Ledger   pollLedger
	Recorder *Recorder
	// Ask returns what Blip has about an id; nothing is no error.
	Ask func(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	// Leave waits for leave to make one command.
	Leave func(ctx context.Context) error
	// CommandsPerSecond is the bot's rate, of which polls take a quarter at most;
	// 0 = no limit.
	CommandsPerSecond float64
	// Duty reports whether this process is the one that polls, of those that
	// share the ledger; nil = it always is. Asked about once a second.
	Duty func(ctx context.Context) (bool, error)
	// LastWebhook returns when a webhook last brought a receipt; nil = never.
	LastWebhook func() time.Time
	Schedule    []time.Duration // ages of a message at each poll; at least one
	Net         []time.Duration // the few of them that are always made; none = all are
}

// Poller asks Blip what became of the messages it took.
type Poller struct {
	o     PollerOptions
	pace  *rate.Limiter
	batch int
	rest  atomic.Int64 // until when Blip will refuse every call, in Unix ms; 0 = it does not
}

// NewPoller checks the options.
func NewPoller(o PollerOptions) (*Poller, error) {
	if o.Ledger == nil || o.Recorder == nil || o.Ask == nil || o.Leave == nil || len(o.Schedule) == 0 {
		return nil, errors.New("the poller needs a ledger, a recorder, a way to ask, leave to do so and a schedule")
	}
	if o.Duty == nil {
		o.Duty = func(context.Context) (bool, error) { return true, nil }
	}
	if o.LastWebhook == nil {
		o.LastWebhook = func() time.Time { return time.Time{} }
	}
	p := &Poller{o: o, pace: rate.NewLimiter(rate.Inf, 1), batch: pollBatch}
	if perSecond := o.CommandsPerSecond / share; perSecond > 0 {
		p.pace.SetLimit(rate.Limit(perSecond))
		p.batch = min(pollBatch, max(int(2*perSecond), 1))
	}
	return p, nil
}

// Run polls until ctx ends.
func (p *Poller) Run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := p.round(ctx)
		if err != nil {
			wait = idle
			if ctx.Err() == nil {
				p.o.Recorder.o.Logger.Error("receipts not asked for; it goes on by itself", "error", err, "often", pombo.Often("receipts"))
			}
		}
		if wait > 0 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
		}
	}
}

// round asks about what is due and returns how long to wait before the next. After
// an error all stays due.
func (p *Poller) round(ctx context.Context) (wait time.Duration, err error) {
	mine, err := p.o.Duty(ctx)
	switch {
	case err != nil:
		return 0, fmt.Errorf("find out whether this process polls: %w", err)
	case !mine:
		return dutyAgain, nil
	}
	if rest := time.Until(time.UnixMilli(p.rest.Load())); rest > 0 {
		return rest, nil
	}
	due, err := p.o.Ledger.PollDue(ctx, p.batch)
	if err != nil {
		return 0, err
	}
	answers := p.askAll(ctx, due)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	var list []pombo.Receipt
	var next []pombo.NextPoll
	for i, a := range answers {
		list = append(list, a.receipts...)
		if a.done {
			next = append(next, pombo.NextPoll{Seq: due[i].Seq, At: a.next})
		}
	}
	if _, err := p.o.Recorder.Record(ctx, list); err != nil {
		return 0, err
	}
	if err := p.o.Ledger.Polled(ctx, next); err != nil {
		return 0, err
	}
	if len(due) < p.batch || len(next) < len(due) {
		return idle, nil
	}
	return 0, nil
}

// answer is what became of one poll.
type answer struct {
	done     bool // else it stays due
	receipts []pombo.Receipt
	next     time.Time
}

// askAll asks about each of the notifications, some at once, the first ones first.
func (p *Poller) askAll(ctx context.Context, due []pombo.Notification) []answer {
	answers := make([]answer, len(due))
	var group errgroup.Group
	group.SetLimit(pollsAtOnce)
	for i := range due {
		n := &due[i]
		if at, spared := p.spare(n); spared {
			p.count("spared")
			answers[i] = answer{done: true, next: at}
			continue
		}
		group.Go(func() error {
			answers[i] = p.ask(ctx, n)
			return nil
		})
	}
	_ = group.Wait()
	return answers
}

func (p *Poller) ask(ctx context.Context, n *pombo.Notification) answer {
	if p.pace.Wait(ctx) != nil || p.o.Leave(ctx) != nil {
		return answer{} // stopping, or sending is paused
	}
	list, err := p.o.Ask(ctx, n.MessageID)
	if err != nil {
		if ctx.Err() == nil {
			p.count("failed")
			p.o.Recorder.o.Logger.Warn("receipts not read; asked again later", "id", n.MessageID, "error", err, "often", pombo.Often("receipt"))
			if pause := p.o.Recorder.refused(ctx, err); pause > 0 {
				// Also where an operator's pause, which stops no polls, hides Blip's.
				p.rest.Store(time.Now().Add(pause).UnixMilli())
			}
		}
		return answer{done: true, next: time.Now().Add(pollAgain)}
	}
	if len(list) == 0 {
		p.count("nothing")
	} else {
		p.count("receipts")
	}
	return answer{done: true, receipts: list, next: p.next(n, list)}
}

// next returns when to ask again: zero after a receipt that ends the story, and
// when the schedule has run out.
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

// spare says when a poll that is due now is made instead.
func (p *Poller) spare(n *pombo.Notification) (at time.Time, spared bool) {
	first := p.ages(n)[0]
	at = n.Begun.Add(first)
	return at, first > p.o.Schedule[0] && at.After(time.Now())
}

// ages returns the schedule of a notification, which is the net when
//
//   - it is delivered: it can only be read yet;
//   - webhooks have brought receipts of late, to this process;
//   - it has moved on before it was asked about for the first time: a webhook told
//     it, maybe another process.
func (p *Poller) ages(n *pombo.Notification) []time.Duration {
	early := len(p.o.Schedule) > 1 && time.Since(n.Begun) < p.o.Schedule[1]
	switch {
	case len(p.o.Net) == 0:
	case n.State == pombo.Delivered,
		time.Since(p.o.LastWebhook()) < lately,
		n.State == pombo.Dispatched && early:
		return p.o.Net
	}
	return p.o.Schedule
}

func (p *Poller) count(result string) { p.o.Recorder.metrics.polls.WithLabelValues(result).Inc() }
