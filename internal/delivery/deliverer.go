// Package delivery takes notifications from the ledger to Blip and finds out what
// became of those that left without an answer.
//
// A Deliverer claims notifications and takes each down one road (road.go), whose
// outcomes are all made in outcomes.go. "Sending" is durable before the first byte
// leaves, and the outcome is recorded after it; what happens in between decides
// whether a second POST may ever be made. A failure to record an outcome is retried
// until it succeeds or the process dies; it never sends again.
//
// A Resolver decides about uncertain notifications: it asks Blip, or the table where
// the ledger itself has lost something.
//
// WORKERS is how many calls to Blip may be under way at once. More notifications are
// claimed (Capacity), so that those whose begin or outcome is being made durable do not
// delay calls.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pombo"
	"pombo/internal/health"
	"pombo/internal/leader"
	"pombo/internal/phone"
	"pombo/internal/quiet"
	"pombo/internal/template"
	"pombo/internal/throttle"
	"pombo/internal/tracing"
	"pombo/internal/wait"
)

// Source is the company's table.
type Source interface {
	// Row reads one row whatever its status; pombo.ErrNotFound when it is gone.
	Row(ctx context.Context, key string) (pombo.Row, error)
	// Statuses returns the present status code by key; a row that is gone has none.
	Statuses(ctx context.Context, keys []string) (map[string]string, error)
}

// Ledger is the durable queue as delivery uses it.
type Ledger interface {
	// Newest returns the number of what was taken in last.
	Newest(ctx context.Context) (int64, error)
	// Claim takes due notifications for this owner; NextDue says when the next one
	// will be due, zero when none waits.
	Claim(ctx context.Context, owner string, limit int) ([]pombo.Notification, error)
	NextDue(ctx context.Context) (time.Time, error)
	// ClaimedBy lists what this owner has claimed or is sending.
	ClaimedBy(ctx context.Context, owner string) ([]pombo.Notification, error)
	// OptedOut returns which messages the person does not get. It costs no statement.
	OptedOut(n phone.Number, identity string) pombo.OptOutScope
	// Begin makes "sending" durable and returns the number of the attempt. A fresh
	// identity is kept for the next message to this person.
	Begin(ctx context.Context, n pombo.Notification, identity string) (attempt int, err error)
	// Answered reports whether the newest message of a row has an answer.
	Answered(ctx context.Context, source, row string) (bool, error)
	// Finish makes the outcome durable; pombo.ErrLost when the notification is no
	// longer this owner's.
	Finish(ctx context.Context, o pombo.Outcome) error
}

// Blip is the way to WhatsApp. Every error is a *pombo.Error.
type Blip interface {
	Identity(ctx context.Context, n phone.Number) (string, error)
	// RedirectReply makes one of the commands, of which there are Redirects, that put
	// the person's reply where the settings say.
	Redirects() int
	RedirectReply(ctx context.Context, identity string, step int) error
	// UploadAddress asks where to put a document, and Upload puts it there and returns
	// the link to it. Neither sends anything.
	UploadAddress(ctx context.Context) (string, error)
	Upload(ctx context.Context, address, contentType string, b []byte) (link string, err error)
	Send(ctx context.Context, m pombo.Message) error
}

// Signals wake the loops that a change concerns.
type Signals struct {
	Queued    wait.Signal // something may be claimable
	Uncertain wait.Signal // something is uncertain
	Due       wait.Signal // something may need settling
	Idle      wait.Signal // nothing is in flight
}

// NewSignals returns signals that are not set.
func NewSignals() Signals {
	return Signals{Queued: wait.NewSignal(), Uncertain: wait.NewSignal(), Due: wait.NewSignal(), Idle: wait.NewSignal()}
}

// Moved wakes all loops that may be concerned when an operator or a receipt has moved
// notifications.
func (s Signals) Moved() {
	s.Queued.Set()
	s.Due.Set()
	s.Uncertain.Set()
}

// Options is what a Deliverer is made of.
type Options struct {
	SourceName string // the Key.Source of rows of the table
	Source     Source
	Pending    string       // the status code of pending rows
	Slots      []pombo.Slot // those that the source's rows give values for, in order
	Ledger     Ledger
	Blip       Blip
	Documents  Documents
	Owner      string // names this process in the ledger; must never be used twice

	// Payload reports whether a reply button must name its message, where the row gives
	// it nothing else to send back; nil = none must.
	Payload func(b pombo.Button) bool

	Workers  int // calls to Blip at once
	Claims   int // notifications claimed at once: see Capacity
	Policies Policies

	Throttle    *throttle.Throttle
	Suspensions *throttle.Suspensions
	Holds       *throttle.Holds
	Templates   *template.Catalog
	Quiet       *quiet.Calendar
	Lease       *leader.Lease
	Health      *health.Tracker
	Signals     Signals
	Metrics     *Metrics
	Tracer      *tracing.Tracer // nil = no spans
	Logger      *slog.Logger
}

// Capacity returns how many notifications are claimed at once and how many messages
// may be between their permit and Blip's answer.
//
// Without a rate, the disk limits the calls: more are claimed while they are few, and
// those whose begin is being made durable have slots of their own. Under a rate the
// permit is scarce: it goes only to a message that can use it at once.
func Capacity(workers int, perSecond float64) (claims, inFlight int) {
	if perSecond > 0 {
		return 4 * workers, workers
	}
	claims = max(4*workers, min(8*workers, 512))
	return claims, claims
}

// Deliverer is the road from the ledger to Blip.
type Deliverer struct {
	opts    Options
	log     *slog.Logger
	road    []step
	recheck *recheck
	links   links

	newestAtStart int64 // up to this Seq, a row may have waited for an unknown time

	calls  chan struct{}           // a slot for each call to Blip under way
	claims chan struct{}           // a slot for each claimed notification
	flying *inFlight               // the notifications in those slots
	work   chan pombo.Notification // from the claim loop to the workers

	workers       sync.WaitGroup
	working       context.Context // POSTs under way; ends when Drain cuts them off
	stopWork      context.CancelFunc
	recording     context.Context // outcomes that could not be recorded yet; ends last
	stopRecording context.CancelFunc
}

// New returns a deliverer. Load and Run start it, Drain ends it.
func New(o Options) *Deliverer {
	d := &Deliverer{
		opts:    o,
		log:     o.Logger,
		recheck: newRecheck(o.Source.Statuses, o.Claims, o.Logger),
		links:   newLinks(),
		calls:   make(chan struct{}, o.Workers),
		claims:  make(chan struct{}, o.Claims),
		flying:  newInFlight(),
		work:    make(chan pombo.Notification, o.Claims),
	}
	d.road = d.steps()
	d.working, d.stopWork = context.WithCancel(context.Background())
	d.recording, d.stopRecording = context.WithCancel(context.Background())
	return d
}

// Load reads which rows were there before this process.
func (d *Deliverer) Load(ctx context.Context) (err error) {
	d.newestAtStart, err = d.opts.Ledger.Newest(ctx)
	return err
}

// Run claims notifications for the workers until ctx ends; after that nothing begins.
// It asks for no more than there are slots free, so that nothing waits in a worker that
// another replica could have sent. Drain must be called afterwards.
func (d *Deliverer) Run(ctx context.Context) {
	for range cap(d.claims) {
		d.workers.Go(func() { d.worker(ctx) })
	}
	defer close(d.work)
	select {
	case <-d.opts.Templates.Listed(): // what Blip says of the templates, before the first row goes
	case <-ctx.Done():
		return
	}
	backoff := wait.Backoff{First: 100 * time.Millisecond, Most: mostLedgerWait}
	busy := false // the last claim got all that it asked for
	for {
		if err := d.opts.Throttle.Pauser.WaitResumed(ctx); err != nil {
			return
		}
		free, err := d.takeSlots(ctx, busy)
		if err != nil {
			return
		}
		n, err := d.claim(ctx, free)
		if err != nil {
			if ctx.Err() == nil {
				d.opts.Health.LedgerAnswered(err)
				d.log.Error("claim failed", "error", err, "often", pombo.Often("claim"))
			}
			if wait.For(ctx, backoff.Next()) != nil {
				return
			}
			continue
		}
		backoff.Reset()
		d.opts.Health.LedgerAnswered(nil)
		busy = n == free
		if n == 0 && d.waitQueued(ctx) != nil {
			return
		}
	}
}

const (
	// mostLedgerWait is the longest wait between two tries while the ledger does not
	// answer: sending resumes at most this long after the ledger is back.
	mostLedgerWait = 2 * time.Second
	// collectSlots is short compared to the least time that a call to Blip takes.
	collectSlots = 2 * time.Millisecond
	// idle is how long a loop sleeps at most without a signal: another process may
	// have added work, and no loop depends on one signal alone.
	idle = time.Second
)

// takeSlots waits until a slot is free, then takes all that are. While there is more
// to do than there are slots it lets some come together first: a claim costs the same
// for one as for a hundred.
func (d *Deliverer) takeSlots(ctx context.Context, busy bool) (n int, err error) {
	if free := cap(d.claims) - len(d.claims); busy && free < cap(d.claims)/8 {
		if err := wait.For(ctx, collectSlots); err != nil {
			return 0, err
		}
	}
	select {
	case d.claims <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for n = 1; ; n++ {
		select {
		case d.claims <- struct{}{}:
		default:
			return n, nil
		}
	}
}

// claim claims at most as many notifications as slots were taken, returns the slots
// that are left over and passes the notifications to the workers.
func (d *Deliverer) claim(ctx context.Context, slots int) (n int, err error) {
	ended := d.flying.claim()
	batch, err := d.opts.Ledger.Claim(ctx, d.opts.Owner, slots)
	ended(batch)
	for range slots - len(batch) {
		<-d.claims
	}
	if err != nil {
		return 0, err
	}
	d.opts.Health.Claimed(len(batch))
	for i := range batch {
		d.opts.Throttle.Recipients.Join(&batch[i]) // all before the first goes
	}
	for _, n := range batch {
		d.work <- n // never blocks: it has room for as many as there are slots
	}
	return len(batch), nil
}

func (d *Deliverer) waitQueued(ctx context.Context) error {
	most := idle
	if next, err := d.opts.Ledger.NextDue(ctx); err == nil && !next.IsZero() {
		most = min(most, max(time.Until(next), time.Millisecond))
	}
	_, err := d.opts.Signals.Queued.Wait(ctx, most)
	return err
}

func (d *Deliverer) worker(ctx context.Context) {
	for n := range d.work {
		d.Deliver(ctx, n)
		d.flying.remove(n.Seq)
		d.opts.Health.Released()
		<-d.claims
		if len(d.claims) == 0 {
			d.opts.Signals.Idle.Set()
		}
	}
}

// Drain lets the calls under way finish after Run has returned. When ctx ends first
// it cuts them off and returns an error; their notifications become uncertain, which
// is recorded. No worker is left when it returns.
func (d *Deliverer) Drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() { d.workers.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("stop sending: %w: the calls under way were cut off", ctx.Err())
		d.stopWork()
		// The outcomes of these calls must still be recorded, but not for ever.
		defer time.AfterFunc(10*time.Second, d.stopRecording).Stop()
		<-done
	}
	d.stopWork()
	d.stopRecording()
	return err
}

// Deliver takes one claimed notification down the road and records how it ended. It
// returns when that is durable or the process must die. When ctx ends, a notification
// that has not begun goes back into the queue.
func (d *Deliverer) Deliver(ctx context.Context, n pombo.Notification) {
	start := time.Now()
	ctx, span := d.opts.Tracer.Message(ctx, string(n.MessageID), tracing.Attempt)
	o := d.walk(ctx, &n)
	d.opts.Throttle.Recipients.Leave(&n)
	d.opts.Metrics.finished(o)
	d.opts.Health.AttemptEnded(o)
	d.finish(tracing.Carry(d.recording, ctx), o)
	d.traceAttempt(span, &n, o)
	d.countFailure(&n, o)
	logAttempt(d.log, &n, o, time.Since(start))
	if o.Parked {
		ref := d.opts.Templates.Ref(n.Template, n.Language)
		if _, held := d.opts.Holds.Held(ref.Name); !held {
			d.opts.Templates.Recheck(ref, n.Params)
		}
	}
	switch o.To {
	case pombo.Queued:
		d.opts.Signals.Queued.Set()
	case pombo.Uncertain:
		d.opts.Signals.Uncertain.Set()
	default:
		d.opts.Signals.Due.Set()
	}
}

// countFailure tells the breaker what Blip answered to a POST.
func (d *Deliverer) countFailure(n *pombo.Notification, o pombo.Outcome) {
	switch {
	case o.From != pombo.Sending:
	case o.To == pombo.Accepted:
		d.opts.Throttle.Breaker.Accepted(d.recording, n.MessageID)
	case o.To == pombo.Failed:
		d.opts.Throttle.Breaker.Failed(d.recording, pombo.Failure{MessageID: n.MessageID, Reason: o.Reason, Code: o.Code, Refused: true})
	}
}

// finish records the outcome until it is recorded. Nothing is sent again because of a
// failure here; if the process dies first, the ledger still says "sending", which a
// restart makes uncertain. If this process was thought dead meanwhile, the result of a
// POST ends that doubt as well.
func (d *Deliverer) finish(ctx context.Context, o pombo.Outcome) {
	if o.To == "" {
		return
	}
	err := d.record(ctx, o)
	if errors.Is(err, pombo.ErrLost) && o.From == pombo.Sending && o.To != pombo.Uncertain {
		o.From = pombo.Uncertain
		err = d.record(ctx, o)
	}
	if final(err) {
		d.log.Warn("outcome not recorded: the notification has been moved on", "seq", o.Seq, "attempt", o.Attempt, "state", o.To, "error", err)
	}
}

// final reports whether the ledger will never write an outcome. A ledger that has
// lost something may not even know the notification.
func final(err error) bool {
	return errors.Is(err, pombo.ErrLost) || errors.Is(err, pombo.ErrMove) || errors.Is(err, pombo.ErrNotFound)
}

// record makes the ledger write an outcome, and repeats that until it has, or says that
// it never will: see final. Any other error means that the process ends first.
func (d *Deliverer) record(ctx context.Context, o pombo.Outcome) error {
	ctx, span := tracing.Child(ctx, tracing.Finish)
	defer span.End()
	backoff := wait.Backoff{First: 50 * time.Millisecond, Most: 5 * time.Second}
	for {
		err := d.opts.Ledger.Finish(ctx, o)
		if err == nil || final(err) {
			return err
		}
		d.opts.Health.LedgerAnswered(err)
		d.log.Error("outcome not recorded yet; it is tried again and nothing is sent", "seq", o.Seq, "attempt", o.Attempt, "state", o.To, "error", err, "often", pombo.Often("outcome"))
		if wait.For(ctx, backoff.Next()) != nil {
			return err
		}
	}
}
