package dispatch

import (
	"context"
	"errors"
	"time"

	"pombo"
	"pombo/internal/phone"
	"pombo/internal/template"
	"pombo/internal/throttle"
	"pombo/internal/wait"
)

// deliverLedger is the ledger as delivery sees it.
type deliverLedger interface {
	permissionLedger
	// Claim takes due notifications for this owner; NextDue says when the
	// next one will be due, zero when none waits.
	Claim(ctx context.Context, owner string, limit int) ([]pombo.Notification, error)
	NextDue(ctx context.Context) (time.Time, error)
	// Begin makes "sending" durable and returns the number of the attempt. A
	// fresh identity is kept for the next message to this person.
	Begin(ctx context.Context, n pombo.Notification, identity string) (attempt int, err error)
	// Finish makes the outcome durable, if the notification is still held.
	Finish(ctx context.Context, o pombo.Outcome) error
}

// Deliver takes one claimed notification down the road and records how it
// ended. It returns when that is durable or the process must die.
//
//	phone → opted out? → template → values → quiet? → still wanted? → identity → gate → leave → begin → POST → finish
//
// Whatever goes wrong before begin has sent nothing, and a stop of the program
// ends the way there at once; the POST may end in its own time. The values are checked
// before Blip is asked for the identity: a row that cannot be sent should not
// cost a command, and Blip minds numbers that are looked up and never written to.
func (e *Engine) Deliver(n pombo.Notification) {
	start := time.Now()
	o := e.tryDeliver(&n)
	e.Throttle.Recipients.Leave(&n)
	e.metrics.finished(o)
	e.health.AttemptEnded(o)
	e.finish(o)
	e.counted(&n, o)
	e.logAttempt(&n, o, time.Since(start))
	if o.Parked {
		e.catalog.Recheck(e.catalog.Resolve(n.Template), n.Params)
	}
	switch o.To {
	case pombo.Queued:
		e.queued.Set()
	case pombo.Uncertain:
		e.doubts.Set()
	default:
		e.due.Set()
	}
}

func (e *Engine) tryDeliver(n *pombo.Notification) pombo.Outcome {
	ctx := e.claiming
	held := pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: n.Owner, Attempt: n.Attempt}

	if e.Throttle.Pauser.Paused() { // since it was claimed
		return e.notSent(ctx, held, n, throttle.ErrPaused)
	}
	number := n.Phone
	if number.IsZero() {
		var err error
		if number, err = phone.Parse(n.Recipient.Reveal()); err != nil {
			return fail(held, pombo.InvalidPhone, err.Error())
		}
	}
	name := e.catalog.Resolve(n.Template)
	if o, is := e.optedOut(held, name, number, n.Identity); is {
		return o
	}
	if o, is := e.suspended(held, name); is {
		return o
	}
	if o, ok := e.checkTemplate(held, n); !ok {
		return o
	}
	if o, ok := checkValues(held, n.Params); !ok {
		return o
	}
	if until, where := e.calendar.Free(number, name); !until.IsZero() {
		return hushed(held, until, where)
	}
	if o, ok := e.stillWanted(ctx, held, n); !ok {
		return o
	}

	identity := n.Identity
	if identity == "" {
		err := e.command(ctx, func() (err error) {
			identity, err = e.o.Blip.Identity(ctx, number)
			return err
		})
		if err != nil {
			return e.notSent(ctx, held, n, err)
		}
		if o, is := e.optedOut(held, name, number, identity); is {
			return o
		}
	}
	for step := range e.o.Blip.Redirects() {
		if err := e.command(ctx, func() error { return e.o.Blip.RedirectReply(ctx, identity, step) }); err != nil {
			return e.notSent(ctx, held, n, err)
		}
	}

	if err := e.Throttle.Recipients.Wait(ctx, n); err != nil {
		return e.notSent(ctx, held, n, err)
	}
	if err := e.Throttle.Gate.Acquire(ctx, n); err != nil {
		return e.notSent(ctx, held, n, err)
	}
	if err := e.Throttle.Concurrency.Acquire(ctx); err != nil {
		e.Throttle.Gate.Release()
		return e.notSent(ctx, held, n, err)
	}
	term := e.lease.Term() // before begin: what was interrupted earlier, begin refuses
	sending, begun := e.begin(ctx, held, n, number, identity)
	if !begun {
		e.Throttle.Concurrency.Release()
		return sending
	}
	err := e.send(e.working, term, pombo.Message{MessageID: n.MessageID, To: identity, Template: name, Params: n.Params})
	if errors.Is(err, errNotLeft) {
		e.Throttle.Concurrency.Release()
	} else {
		e.Throttle.Concurrency.Observe(err)
	}
	if err != nil {
		return e.notAccepted(e.working, sending, n, err)
	}
	sending.To = pombo.Accepted
	return sending
}

// begin waits for leave to send, writes "sending" and returns what is held from
// then on; or the outcome of what may not go now. It leaves the gate.
func (e *Engine) begin(ctx context.Context, held pombo.Outcome, n *pombo.Notification, number phone.Number, identity string) (o pombo.Outcome, begun bool) {
	free, err := e.Throttle.Recipients.Reserve(ctx, number)
	if err != nil || !free.IsZero() {
		e.Throttle.Gate.Release()
		return paired(held, free, err), false
	}
	e.Throttle.Recipients.Leave(n) // the next one for this person finds the place taken
	err = e.Throttle.Rates.AcquireMessage(ctx)
	e.Throttle.Gate.Release()
	if err != nil {
		return e.notSent(ctx, held, n, err), false
	}
	if late(n) {
		return expire(held), false
	}
	attempt, err := e.o.Ledger.Begin(ctx, *n, identity)
	if err != nil {
		return e.notBegun(held, err), false
	}
	n.Attempt = attempt
	held.From, held.Attempt = pombo.Sending, attempt
	return held, true
}

// call makes one call to Blip, of which WORKERS may be under way.
func (e *Engine) call(ctx context.Context, f func() error) error {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.slots }()
	return f()
}

// command makes the one command of f, at the pace of commands.
func (e *Engine) command(ctx context.Context, f func() error) error {
	if err := e.Throttle.Rates.AcquireCommand(ctx); err != nil {
		return err
	}
	return e.call(ctx, f)
}

// send makes the POST. A pause that began while it waited for its turn still
// holds it back, and so does the end of the lease under which it was begun:
// nothing has left.
func (e *Engine) send(ctx context.Context, term int, m pombo.Message) error {
	begun := false
	err := e.call(ctx, func() error {
		if e.Throttle.Pauser.Paused() {
			return throttle.ErrPaused
		}
		if !e.lease.Valid(term) {
			return errLeaseOver
		}
		begun = true
		return e.o.Blip.Send(ctx, m)
	})
	if err != nil && !begun {
		return errors.Join(errNotLeft, err)
	}
	return err
}

var (
	// errNotLeft: the POST was not even tried.
	errNotLeft = errors.New("not sent")
	// errLeaseOver: another process may have taken the notification over.
	errLeaseOver = errors.New("the lease was over")
)

// asError makes sure that there is a decision: an error without one comes from
// a client that broke its contract, and the careful reading is "unknown".
func asError(err error) *pombo.Error {
	if e, ok := errors.AsType[*pombo.Error](err); ok {
		return e
	}
	return &pombo.Error{Reason: pombo.Unexplained, Retry: true, Delivery: pombo.MaybeSent, Err: err}
}

func fail(o pombo.Outcome, r pombo.Reason, detail string) pombo.Outcome {
	o.To, o.Reason, o.Detail = pombo.Failed, r, detail
	return o
}

// release puts the row back; it does not count as a try.
func release(o pombo.Outcome, r pombo.Reason, until time.Time) pombo.Outcome {
	o.To, o.Reason, o.NotBefore = pombo.Queued, r, until
	return o
}

// notSent is for errors before begin and for POSTs that are known not to have
// reached Blip.
func (e *Engine) notSent(ctx context.Context, o pombo.Outcome, n *pombo.Notification, err error) pombo.Outcome {
	switch {
	case errors.Is(err, throttle.ErrPaused):
		pause, _ := e.Throttle.Pauser.Current()
		o.Detail = "sending is paused"
		return release(o, pause.Reason, time.Time{})
	case errors.Is(err, errLeaseOver):
		return release(o, pombo.LeaseOver, time.Now().Add(time.Second))
	case ctx.Err() != nil:
		return release(o, pombo.Interrupted, time.Time{})
	}
	failure := asError(err)
	o.Reason, o.Detail, o.Code = failure.Reason, failure.Detail, failure.Code
	e.Throttle.Pauser.PauseFor(ctx, failure)
	switch {
	case !failure.Retry:
		o.To = pombo.Failed
		return o
	case failure.Pause > 0:
		// What stops the whole bot is not this row's fault: it does not count.
		return release(o, o.Reason, time.Time{})
	}
	return again(o, n.Tries)
}

// notBegun is for a begin that failed. It may have become durable all the same;
// nothing has left, so what is still claimed goes back to the queue. What is being
// sent is in doubt: that can be our own begin, or that of another hand which has
// claimed the row since.
func (e *Engine) notBegun(o pombo.Outcome, err error) pombo.Outcome {
	if errors.Is(err, pombo.ErrLost) {
		o.To = "" // somebody else has it: nothing to record
		return o
	}
	if e.claiming.Err() == nil {
		e.health.LedgerAnswered(err)
		e.log.Error("begin not recorded; nothing was sent", "error", err, "often", pombo.Often("begin"))
	}
	back := release(o, pombo.Interrupted, time.Now().Add(time.Second))
	if err := e.record(back); !errors.Is(err, pombo.ErrLost) {
		back.To = "" // it is recorded, or the process dies first
		return back
	}
	back.From, back.Attempt, back.To = pombo.Sending, o.Attempt+1, pombo.Uncertain
	return back
}

// notAccepted decides about a POST that failed. Only what is known not to have
// reached Blip may be sent again without asking.
func (e *Engine) notAccepted(ctx context.Context, o pombo.Outcome, n *pombo.Notification, err error) pombo.Outcome {
	if errors.Is(err, errNotLeft) {
		return e.notSent(ctx, o, n, err)
	}
	failure := asError(err)
	if failure.Delivery == pombo.MaybeSent {
		e.Throttle.Pauser.PauseFor(ctx, failure)
		o.To, o.Reason, o.Detail = pombo.Uncertain, failure.Reason, failure.Detail
		if e.policyOf(n) == Check {
			o.NotBefore = time.Now().Add(firstCheck)
		}
		return o
	}
	if templateReasons[failure.Reason] && failure.Delivery == pombo.NotSent {
		m, until := e.catalog.Refused(e.catalog.Resolve(n.Template), failure)
		return e.hold(o, n, m, until)
	}
	return e.notSent(context.WithoutCancel(ctx), o, n, err)
}

// finish records the outcome until it is recorded. Nothing is sent again
// because of a failure here; if the process dies first, the ledger still says
// "sending", which a restart makes uncertain. What a POST has told ends that
// doubt too, when this process was thought dead meanwhile.
func (e *Engine) finish(o pombo.Outcome) {
	if o.To == "" {
		return
	}
	err := e.record(o)
	if errors.Is(err, pombo.ErrLost) && o.From == pombo.Sending && o.To != pombo.Uncertain {
		o.From = pombo.Uncertain
		err = e.record(o)
	}
	if final(err) {
		e.log.Warn("outcome not recorded: the notification has been moved on", "seq", o.Seq, "attempt", o.Attempt, "state", o.To, "error", err)
	}
}

// final reports whether the ledger will never write an outcome. A ledger that has lost
// something may not even know the notification.
func final(err error) bool {
	return errors.Is(err, pombo.ErrLost) || errors.Is(err, pombo.ErrMove) || errors.Is(err, pombo.ErrNotFound)
}

// record has the ledger write an outcome, again and again until it has, or says
// that it never will: see final. Any other error means that the process ends first.
func (e *Engine) record(o pombo.Outcome) error {
	backoff := wait.Backoff{First: 50 * time.Millisecond, Most: 5 * time.Second}
	for {
		err := e.o.Ledger.Finish(e.recording, o)
		if err == nil || final(err) {
			return err
		}
		e.health.LedgerAnswered(err)
		e.log.Error("outcome not recorded yet; it is tried again and nothing is sent", "seq", o.Seq, "attempt", o.Attempt, "state", o.To, "error", err, "often", pombo.Often("outcome"))
		if wait.For(e.recording, backoff.Next()) != nil {
			return err
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

// templateReasons are those that say that the template does not send now,
// whatever the row has in it.
var templateReasons = map[pombo.Reason]bool{
	pombo.TemplateMissing: true, pombo.TemplateNotApproved: true, pombo.TemplatePaused: true, pombo.TemplateDisabled: true,
	pombo.TemplateUnusable: true,
}

// hold keeps a row in the ledger, out of the way of the others, for the sake of
// its template. It goes when the template is right; it is not a try. until is
// when to look again, zero = whenever something is learned.
func (e *Engine) hold(o pombo.Outcome, n *pombo.Notification, m pombo.TemplateIssue, until time.Time) pombo.Outcome {
	e.catalog.Parked(e.catalog.Resolve(n.Template), m)
	if until.IsZero() {
		until = time.Now().Add(template.MostParked)
	}
	if !n.Expires.IsZero() && n.Expires.Before(until) {
		until = n.Expires // the claim then ends it
	}
	o = release(o, m.Reason, until)
	o.Detail, o.Parked = m.Detail(), true
	return o
}

// suspended puts the row back when its template is suspended.
func (e *Engine) suspended(o pombo.Outcome, name string) (back pombo.Outcome, is bool) {
	reason, until, is := e.Suspensions.Suspended(name)
	if !is {
		return o, false
	}
	o.Detail = "template " + name + " is suspended after a failed message"
	return release(o, reason, until), true
}

// checkTemplate holds the row against its template. ok is false when it cannot be
// sent now; o says what becomes of it. A row that was taken in under another
// DB_COL_PARAMS is read again, so that a mended setting frees what waited for it.
func (e *Engine) checkTemplate(held pombo.Outcome, n *pombo.Notification) (o pombo.Outcome, ok bool) {
	m, until := e.catalog.Check(e.catalog.Resolve(n.Template), n.Params)
	if m.Reason == pombo.NoReason {
		return held, true
	}
	ofValues := until.IsZero() && m.FixableByValues()
	switch {
	case ofValues && n.Key.Source == pombo.SourceHTTP:
		return fail(held, m.Reason, m.Detail()), false // whoever sent it gave the places too
	case ofValues && e.remapped(n):
		row, err := e.o.Source.Row(e.claiming, n.Key.RowKey)
		switch {
		case err == nil && template.Fills(row.Params, e.o.Places):
			n.Params = row.Params
			return e.checkTemplate(held, n)
		case err != nil && !errors.Is(err, pombo.ErrNotFound):
			until = time.Now().Add(5 * time.Minute) // the source is away
		}
	}
	return e.hold(held, n, m, until), false
}

// remapped reports whether the row of a notification would give its values for
// other places today.
func (e *Engine) remapped(n *pombo.Notification) bool {
	return n.Key.Source == e.o.SourceName && !template.Fills(n.Params, e.o.Places)
}

// counted takes note of what Blip answered to a POST.
func (e *Engine) counted(n *pombo.Notification, o pombo.Outcome) {
	switch {
	case o.From != pombo.Sending:
	case o.To == pombo.Accepted:
		e.Throttle.Breaker.Accepted(e.recording, n.MessageID)
	case o.To == pombo.Failed:
		e.Throttle.Breaker.Failed(e.recording, pombo.Failure{MessageID: n.MessageID, Reason: o.Reason, Code: o.Code, Refused: true})
	}
}
