package dispatch

import (
	"context"
	"errors"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// deliverLedger is the ledger as delivery sees it.
type deliverLedger interface {
	permissionLedger
	holdLedger
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
	e.lines.leave(&n)
	e.metrics.finished(o)
	e.progress.ended(o)
	e.finish(o)
	e.counted(&n, o)
	e.logAttempt(&n, o, time.Since(start))
	if o.Parked {
		e.recheckHeld(&n)
	}
	switch o.To {
	case pombo.Queued:
		e.queued.set()
	case pombo.Uncertain:
		e.doubts.set()
	default:
		e.due.set()
	}
}

func (e *Engine) tryDeliver(n *pombo.Notification) pombo.Outcome {
	ctx := e.claiming
	held := pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: n.Owner, Attempt: n.Attempt}

	if paused, _ := e.pace.state(); paused { // since it was claimed
		return e.notSent(ctx, held, n, errPaused)
	}
	number := n.Phone
	if number.IsZero() {
		var err error
		if number, err = phone.Parse(n.Recipient.Reveal()); err != nil {
			return fail(held, pombo.InvalidPhone, err.Error())
		}
	}
	template := e.catalog.nameOf(n)
	if o, is := e.optedOut(held, template, number, n.Identity); is {
		return o
	}
	if o, is := e.stoppedTemplate(held, template); is {
		return o
	}
	if o, ok := e.checkTemplate(held, n); !ok {
		return o
	}
	if o, ok := checkValues(held, n.Params); !ok {
		return o
	}
	if until, where := e.calendar.free(number, template); !until.IsZero() {
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
		if o, is := e.optedOut(held, template, number, identity); is {
			return o
		}
	}
	for step := range e.o.Blip.Redirects() {
		if err := e.command(ctx, func() error { return e.o.Blip.RedirectReply(ctx, identity, step) }); err != nil {
			return e.notSent(ctx, held, n, err)
		}
	}

	if err := e.lines.wait(ctx, n); err != nil {
		return e.notSent(ctx, held, n, err)
	}
	if err := e.gate.enter(ctx, n); err != nil {
		return e.notSent(ctx, held, n, err)
	}
	if err := e.flight.enter(ctx); err != nil {
		e.gate.leave()
		return e.notSent(ctx, held, n, err)
	}
	term := e.lease.current() // before begin: what was interrupted earlier, begin refuses
	sending, begun := e.begin(ctx, held, n, number, identity)
	if !begun {
		e.flight.leave()
		return sending
	}
	err := e.send(e.working, term, pombo.Message{MessageID: n.MessageID, To: identity, Template: template, Params: n.Params})
	if errors.Is(err, errNotLeft) {
		e.flight.leave()
	} else {
		e.flight.landed(err)
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
	free, err := e.recipient(ctx, number)
	if err != nil || !free.IsZero() {
		e.gate.leave()
		return paired(held, free, err), false
	}
	e.lines.leave(n) // the next one for this person finds the place taken
	err = e.pace.message(ctx)
	e.gate.leave()
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
	if err := e.pace.command(ctx); err != nil {
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
		if paused, _ := e.pace.state(); paused {
			return errPaused
		}
		if !e.lease.holds(term) {
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
	// errStopping: the engine is being stopped.
	errStopping = errors.New("the program is stopping")
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
	case errors.Is(err, errPaused):
		pause, _ := e.pace.current()
		o.Detail = "sending is paused"
		return release(o, pause.Reason, time.Time{})
	case errors.Is(err, errLeaseOver):
		return release(o, pombo.LeaseOver, time.Now().Add(time.Second))
	case ctx.Err() != nil:
		return release(o, pombo.Interrupted, time.Time{})
	}
	failure := asError(err)
	o.Reason, o.Detail, o.Code = failure.Reason, failure.Detail, failure.Code
	if failure.Pause > 0 {
		e.pauseFor(ctx, failure)
	}
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
		e.progress.went(recording, err)
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
		if failure.Pause > 0 {
			e.pauseFor(ctx, failure)
		}
		o.To, o.Reason, o.Detail = pombo.Uncertain, failure.Reason, failure.Detail
		if e.policyOf(n) == Check {
			o.NotBefore = time.Now().Add(firstCheck)
		}
		return o
	}
	if templateReasons[failure.Reason] && failure.Delivery == pombo.NotSent {
		m, until := e.catalog.refuse(e.catalog.nameOf(n), failure)
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
	if errors.Is(err, pombo.ErrLost) || errors.Is(err, pombo.ErrMove) {
		e.log.Warn("outcome not recorded: the notification has been moved on", "seq", o.Seq, "attempt", o.Attempt, "state", o.To, "error", err)
	}
}

// record has the ledger write an outcome, again and again until it has, or says
// that it never will: pombo.ErrLost or pombo.ErrMove. Any other error means that
// the process ends first.
func (e *Engine) record(o pombo.Outcome) error {
	trouble := backoff{first: 50 * time.Millisecond, most: 5 * time.Second}
	for {
		err := e.o.Ledger.Finish(e.recording, o)
		if err == nil || errors.Is(err, pombo.ErrLost) || errors.Is(err, pombo.ErrMove) {
			return err
		}
		e.progress.went(recording, err)
		e.log.Error("outcome not recorded yet; it is tried again and nothing is sent", "seq", o.Seq, "attempt", o.Attempt, "state", o.To, "error", err, "often", pombo.Often("outcome"))
		if sleep(e.recording, trouble.next()) != nil {
			return err
		}
	}
}
