package receipts

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"pombo"
	"pombo/internal/wait"
)

// threadLedger is the ledger as the reader of conversations sees it.
type threadLedger interface {
	// Unanswered returns delivered notifications whose template has quick replies and
	// that have no answer, when their next poll is due, the longest overdue first.
	Unanswered(ctx context.Context, limit int) ([]pombo.Unanswered, error)
	// NextPoll records the times of the next polls, zero = none, and counts those made.
	NextPoll(ctx context.Context, polls []pombo.NextPoll) error
}

// ThreadSchedule returns how long after the arrival of a message its recipient's
// conversation is read for an answer: most people answer within minutes of reading, or not at all.
func ThreadSchedule() []time.Duration {
	return []time.Duration{
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 80 * time.Minute,
		3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 36 * time.Hour, 48 * time.Hour, 72 * time.Hour,
	}
}

const (
	// threadShare is the part of the bot's commands that conversations may take, one in
	// so many: half of what receipts may.
	threadShare   = 8
	threadBatch   = 50
	threadsAtOnce = 4
	threadIdle    = 2 * time.Second
	// trusted is how long a webhook, or the bot's flow, is trusted to bring the next
	// message of a person after its last. A bot may be silent for a night; if the webhook
	// broke meanwhile, the later polls find what it did not bring.
	trusted = 12 * time.Hour
	// skew is how much earlier than the message the clock of WhatsApp may date its answer.
	skew = 2 * time.Minute
)

// ThreadsOptions configures a Threads. Ledger, Inbox, Ask, Acquire and Schedule must be set.
type ThreadsOptions struct {
	Ledger threadLedger
	Inbox  *Inbox
	// Ask returns what a person sent lately, the oldest first.
	Ask func(ctx context.Context, identity pombo.Private) ([]pombo.Inbound, error)
	// Acquire waits for the permit to send one command.
	Acquire func(ctx context.Context) error
	// CommandsPerSecond is the bot's rate, of which an eighth may be used; 0 = no limit.
	CommandsPerSecond float64
	// Leads reports whether this process is the one that polls, of those that share the
	// ledger; nil = it always is.
	Leads func(ctx context.Context) (bool, error)
	// LastMessage returns when Blip or the bot's flow last posted a person's message;
	// nil = never.
	LastMessage func() time.Time
	Schedule    []time.Duration // counted from the arrival of a message
}

// Threads reads the conversations of people whose answer has not come, for companies
// that Blip cannot post to. It reads nothing while messages are being posted.
type Threads struct {
	opts  ThreadsOptions
	share *share
}

// NewThreads checks the options.
func NewThreads(opts ThreadsOptions) (*Threads, error) {
	if opts.Ledger == nil || opts.Inbox == nil || opts.Ask == nil || opts.Acquire == nil || len(opts.Schedule) == 0 {
		return nil, errors.New("the reader of conversations needs a ledger, an inbox, functions that ask Blip and acquire a permit, and a schedule")
	}
	if opts.LastMessage == nil {
		opts.LastMessage = func() time.Time { return time.Time{} }
	}
	return &Threads{opts: opts, share: newShare(opts.CommandsPerSecond/threadShare, opts.Acquire, opts.Leads)}, nil
}

// Run reads conversations until ctx ends.
func (t *Threads) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause, err := t.round(ctx)
		if err != nil {
			pause = pollAgain
			if ctx.Err() == nil {
				t.opts.Inbox.log.Error("answers not looked for; that continues", "error", err, "often", pombo.Often("threads"))
			}
		}
		_ = wait.For(ctx, max(pause, idle/10))
	}
}

// round reads the conversations that are due and returns how long to wait before the
// next round. After an error everything stays due.
func (t *Threads) round(ctx context.Context) (time.Duration, error) {
	if time.Since(t.opts.LastMessage()) < trusted {
		return leadAgain, nil
	}
	if pause, err := t.share.pause(ctx); err != nil || pause > 0 {
		return pause, err
	}
	due, err := t.opts.Ledger.Unanswered(ctx, threadBatch)
	if err != nil || len(due) == 0 {
		return threadIdle, err
	}
	var order []pombo.Private // one command a person, however many messages they have
	byPerson := map[pombo.Private][]pombo.Unanswered{}
	for _, u := range due {
		if _, known := byPerson[u.Identity]; !known {
			order = append(order, u.Identity)
		}
		byPerson[u.Identity] = append(byPerson[u.Identity], u)
	}
	var group errgroup.Group
	group.SetLimit(threadsAtOnce)
	for _, identity := range order {
		group.Go(func() error {
			if t.share.isRefused() {
				return nil // it stays due
			}
			return t.read(ctx, identity, byPerson[identity])
		})
	}
	return 0, group.Wait()
}

// read reads one conversation and records what there is in it. Its error is the ledger's,
// or ctx's; that Blip does not answer is not one.
func (t *Threads) read(ctx context.Context, identity pombo.Private, waiting []pombo.Unanswered) error {
	if err := t.share.permit(ctx); err != nil {
		return err
	}
	list, err := t.opts.Ask(ctx, identity)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	since := waiting[0].Since
	next := make([]pombo.NextPoll, len(waiting))
	for i, u := range waiting {
		if u.Since.Before(since) {
			since = u.Since
		}
		next[i] = pombo.NextPoll{Seq: u.Seq, At: t.next(u.Polls)}
	}
	if err != nil {
		t.count("failed")
		t.opts.Inbox.log.Warn("a conversation was not read; it is read again later", "error", err, "often", pombo.Often("thread"))
		if t.rest(ctx, err) {
			return nil // it stays due, and uses up no poll
		}
		return t.opts.Ledger.NextPoll(ctx, next)
	}
	list = after(list, since.Add(-skew))
	if len(list) == 0 {
		t.count("nothing")
	} else {
		t.count("messages")
	}
	if err := t.opts.Inbox.Take(ctx, ByPoll, list); err != nil {
		return err
	}
	return t.opts.Ledger.NextPoll(ctx, next)
}

// rest makes all reading wait when Blip cannot be asked at all, and reports whether that is
// so.
func (t *Threads) rest(ctx context.Context, err error) bool {
	pause := t.opts.Inbox.opts.Recorder.followRefusal(ctx, err)
	if f, ok := errors.AsType[*pombo.Error](err); pause == 0 && (!ok || f.Retry) {
		pause = pollAgain
	}
	if pause > 0 {
		t.share.refuse(pause)
	}
	return pause > 0
}

// after returns the messages from a time on: earlier ones are not answers. One without a
// time says itself what it answers, or is left out.
func after(list []pombo.Inbound, since time.Time) []pombo.Inbound {
	var kept []pombo.Inbound
	for _, m := range list {
		if !m.At.Before(since) || m.At.IsZero() && (len(m.RepliesTo) > 0 || m.UniqueID != "") {
			kept = append(kept, m)
		}
	}
	return kept
}

// next returns when to read again after so many polls before this one; zero when the
// schedule has run out.
func (t *Threads) next(polls int) time.Time {
	if polls+1 >= len(t.opts.Schedule) {
		return time.Time{}
	}
	return time.Now().Add(t.opts.Schedule[polls+1] - t.opts.Schedule[polls])
}

func (t *Threads) count(result string) {
	t.opts.Inbox.opts.Recorder.metrics.threads.WithLabelValues(result).Inc()
}
