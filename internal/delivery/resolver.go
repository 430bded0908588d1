package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"pombo"
	"pombo/internal/template"
	"pombo/internal/throttle"
	"pombo/internal/tracing"
	"pombo/internal/wait"
)

// UncertainLedger has the notifications that may or may not have been sent.
type UncertainLedger interface {
	// Uncertain returns the uncertain notifications that are due for a check, the
	// longest due first.
	Uncertain(ctx context.Context, limit int) ([]pombo.Notification, error)
	// TakeUncertain returns them too and makes each due again after d, so that no other
	// process checks it meanwhile.
	TakeUncertain(ctx context.Context, limit int, d time.Duration) ([]pombo.Notification, error)
	// Postpone changes when an uncertain notification is looked at next, and why it
	// waits; its state and its time of change stay.
	Postpone(ctx context.Context, o pombo.Outcome) error
	Finish(ctx context.Context, o pombo.Outcome) error

	// WentBack returns when the ledger was last found to have lost something, and when
	// what it lost was last written; zero = never.
	WentBack(ctx context.Context) (noticed, alive time.Time, err error)
	// EndDoubt ends a doubt by the code in the row; Overtaken by a later generation.
	EndDoubt(ctx context.Context, n pombo.Notification, code string, gone bool) (pombo.Outcome, error)
	Overtaken(ctx context.Context, n pombo.Notification, trace pombo.Receipt) (pombo.Outcome, error)
	// Recover inserts the generations of a row that Blip reports.
	Recover(ctx context.Context, source string, row pombo.Row, generations [][]pombo.Receipt) error
}

// ResolverOptions is what a Resolver is made of.
type ResolverOptions struct {
	SourceName string
	Source     Source
	Pending    string // the status code of pending rows
	Ledger     UncertainLedger
	// Receipts asks Blip what it has about an id. Every error is a *pombo.Error.
	Receipts func(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	// Record applies the receipt that ends a check, with all its consequences.
	Record func(ctx context.Context, receipts []pombo.Receipt) error

	Workers  int
	Policies Policies
	Wait     time.Duration // without a trace after this long it is sent again

	Throttle  *throttle.Throttle
	Templates *template.Catalog
	Signals   Signals
	Metrics   *Metrics
	Tracer    *tracing.Tracer // nil = no spans
	Logger    *slog.Logger
}

// Resolver ends the doubt about messages that left without an answer.
type Resolver struct {
	opts ResolverOptions
	log  *slog.Logger
	free chan struct{} // a slot for each check that may begin
}

const (
	// firstCheck is soon: Blip's first trace comes within moments.
	firstCheck = 5 * time.Second
	// checkTime is how long a check may take until another process makes it too. What
	// follows is a compare-and-set: the second caller changes nothing.
	checkTime = 30 * time.Second
	// collectChecks lets some of the checks under way end before more are taken: taking
	// one costs the ledger as much as taking ten.
	collectChecks = 50 * time.Millisecond
)

// NewResolver returns a resolver. Run starts it.
func NewResolver(o ResolverOptions) *Resolver {
	// One after the other, each with its round trip to Blip and its disk sync, checks
	// reached some twenty a second where many times as many doubts arise; this many
	// keep up with the rate of commands.
	checks := min(max(o.Workers/2, 4), 64)
	r := &Resolver{opts: o, log: o.Logger, free: make(chan struct{}, checks)}
	for range checks {
		r.free <- struct{}{}
	}
	return r
}

// Run resolves until ctx ends. Each process that shares the ledger takes some of the
// doubts, the longest due first: if one process had the job, nothing would be checked
// until its death was noticed.
func (r *Resolver) Run(ctx context.Context) {
	var checks sync.WaitGroup
	defer checks.Wait()
	backoff := wait.Backoff{First: time.Second, Most: time.Minute}
	for {
		behind, err := r.beginChecks(ctx, &checks)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.log.Error("uncertain notifications not read", "error", err)
			err = wait.For(ctx, backoff.Next())
		case behind:
			backoff.Reset()
			err = wait.For(ctx, collectChecks)
		default:
			backoff.Reset()
			_, err = r.opts.Signals.Uncertain.Wait(ctx, idle)
		}
		if err != nil {
			return
		}
	}
}

// beginChecks begins as many checks as slots are free. behind reports that more are
// due.
func (r *Resolver) beginChecks(ctx context.Context, checks *sync.WaitGroup) (behind bool, err error) {
	if err := r.opts.Throttle.Pauser.WaitResumed(ctx); err != nil {
		return false, err
	}
	if some, err := r.opts.Ledger.Uncertain(ctx, 1); err != nil || len(some) == 0 {
		return false, err
	}
	select {
	case <-r.free:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	n := 1 + takeAll(r.free)
	batch, err := r.opts.Ledger.TakeUncertain(ctx, n, checkTime)
	for range n - len(batch) {
		r.free <- struct{}{}
	}
	behind = err == nil && len(batch) == n
	loss, lossErr := r.lookUp(ctx, batch)
	err = errors.Join(err, lossErr)
	for _, doubt := range batch {
		checks.Go(func() {
			defer func() { r.free <- struct{}{} }()
			err := r.resolve(ctx, doubt, loss, behind)
			if err != nil && ctx.Err() == nil && !errors.Is(err, pombo.ErrLost) {
				r.log.Error("uncertain notification not resolved", "id", doubt.MessageID, "error", err)
			}
		})
	}
	return behind, err
}

// takeAll takes what is there without waiting.
func takeAll(c <-chan struct{}) (n int) {
	for {
		select {
		case <-c:
			n++
		default:
			return n
		}
	}
}

// Resolve decides about one uncertain notification by the policy and records the
// decision; pombo.ErrLost when somebody else was quicker.
func (r *Resolver) Resolve(ctx context.Context, n pombo.Notification) error {
	loss, err := r.lookUp(ctx, []pombo.Notification{n})
	if err != nil {
		return err
	}
	return r.resolve(ctx, n, loss, false)
}

// Ask asks Blip about an uncertain notification because an operator wants to know. A trace
// ends the doubt, whatever the policy; without one nothing changes.
func (r *Resolver) Ask(ctx context.Context, n pombo.Notification) (traced bool, err error) {
	receipts, asked, err := r.ask(ctx, n.MessageID)
	if err != nil || !asked {
		return false, err
	}
	trace, ok := furthest(receipts)
	if !ok {
		return false, nil
	}
	return true, r.traced(ctx, n, trace)
}

func (r *Resolver) resolve(ctx context.Context, n pombo.Notification, l loss, behind bool) error {
	if n.Reason == pombo.LedgerWentBack {
		return r.resolveLost(ctx, n, l)
	}
	o := endOf(&n, pombo.Uncertain)
	switch r.policyOf(&n) {
	case AskOperator:
		return r.opts.Ledger.Postpone(ctx, leftToOperator(o, ""))
	case Resend:
		return r.finish(ctx, n, retriedAfterDoubt(o, pombo.ResentByPolicy, n.Tries, false))
	}
	return r.check(ctx, n, o, behind)
}

func (r *Resolver) policyOf(n *pombo.Notification) Policy {
	return r.opts.Policies.of(r.opts.Templates.Resolve(n.Template))
}

// check asks Blip for the id. A trace ends the doubt; none after the wait means that
// Blip never had it; without an answer to the question it keeps asking. Where more
// doubts are due than can be asked about, the questions between the first and the one
// that counts are skipped: a doubt then costs two commands at most, and Blip allows
// four for each message.
func (r *Resolver) check(ctx context.Context, n pombo.Notification, o pombo.Outcome, behind bool) error {
	waited := time.Since(n.Updated)
	receipts, asked, err := r.ask(ctx, n.MessageID)
	switch {
	case err != nil:
		return r.notAsked(ctx, n, o, waited, err)
	case !asked:
		return nil // it stays due
	}
	if trace, ok := furthest(receipts); ok {
		return r.traced(ctx, n, trace)
	}
	if waited < r.opts.Wait {
		rest := max(r.opts.Wait-waited, firstCheck)
		if !behind {
			rest = max(min(waited, rest), firstCheck)
		}
		return r.opts.Ledger.Postpone(ctx, postponed(o, n.Reason, time.Now().Add(rest), n.Detail))
	}
	return r.finish(ctx, n, retriedAfterDoubt(o, pombo.NoTrace, n.Tries, true))
}

// ask asks Blip what it has about an id, at the rate of commands. asked is false when
// sending was paused.
func (r *Resolver) ask(ctx context.Context, id pombo.MessageID) (receipts []pombo.Receipt, asked bool, err error) {
	if err := r.opts.Throttle.Pauser.WaitResumed(ctx); err != nil {
		return nil, false, err
	}
	if err := r.opts.Throttle.Rates.AcquireCommand(ctx); err != nil {
		if errors.Is(err, throttle.ErrPaused) {
			err = nil
		}
		return nil, false, err
	}
	ctx, span := r.opts.Tracer.Message(ctx, string(id), tracing.Check)
	defer span.End()
	receipts, err = r.opts.Receipts(ctx, id)
	if trace, ok := furthest(receipts); ok {
		span.Set(tracing.State, string(trace.State))
	}
	return receipts, true, err
}

// notAsked is for a question that got no answer.
func (r *Resolver) notAsked(ctx context.Context, n pombo.Notification, o pombo.Outcome, waited time.Duration, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failure := asError(err)
	r.opts.Throttle.Pauser.PauseFor(ctx, failure)
	until := time.Now().Add(wait.Jitter(min(max(waited, firstCheck), 5*time.Minute)))
	return r.opts.Ledger.Postpone(ctx, postponed(o, n.Reason, until, "Blip could not be asked: "+failure.Error()))
}

// traced records the receipt that ends the doubt, with all its consequences.
func (r *Resolver) traced(ctx context.Context, n pombo.Notification, trace pombo.Receipt) error {
	if err := r.opts.Record(ctx, []pombo.Receipt{trace}); err != nil {
		return err
	}
	o := pombo.Outcome{To: trace.State, Reason: pombo.TraceFound, Detail: trace.Detail}
	if trace.State == pombo.Failed {
		o.Reason = trace.Reason
	}
	return r.doubtEnded(n, o, nil)
}

func (r *Resolver) finish(ctx context.Context, n pombo.Notification, o pombo.Outcome) error {
	return r.doubtEnded(n, o, r.opts.Ledger.Finish(ctx, o))
}

// doubtEnded reports the end of a doubt, unless err says that it was not recorded.
func (r *Resolver) doubtEnded(n pombo.Notification, o pombo.Outcome, err error) error {
	if err != nil {
		return err
	}
	r.log.Info("doubt ended", "id", n.MessageID, "row", n.Key.RowKey, "attempt", n.Attempt, "state", o.To, "reason", o.Reason, "detail", o.Detail)
	r.opts.Metrics.finished(o)
	if o.To == pombo.Queued {
		r.opts.Signals.Queued.Set()
	} else {
		r.opts.Signals.Due.Set()
	}
	return nil
}

// rank orders what receipts say; they come in any order and repeat.
var rank = map[pombo.State]int{pombo.Accepted: 1, pombo.Dispatched: 2, pombo.Failed: 3, pombo.Delivered: 4, pombo.Read: 5}

// furthest returns the receipt that says most. A message that was delivered on one
// attempt has not failed, whatever another attempt got.
func furthest(receipts []pombo.Receipt) (best pombo.Receipt, ok bool) {
	for _, r := range receipts {
		if rank[r.State] > rank[best.State] {
			best, ok = r, true
		}
	}
	return best, ok
}
