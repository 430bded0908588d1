package delivery

import (
	"context"
	"errors"
	"time"

	"pombo"
	"pombo/internal/template"
	"pombo/internal/throttle"
	"pombo/internal/tracing"
	"pombo/internal/wait"
)

// Every outcome is made here, starting from endOf.

// endOf is the start of an outcome that ends the present state of a notification.
func endOf(n *pombo.Notification, from pombo.State) pombo.Outcome {
	return pombo.Outcome{Seq: n.Seq, From: from, Owner: n.Owner, Attempt: n.Attempt}
}

func accepted(o pombo.Outcome) *pombo.Outcome {
	o.To = pombo.Accepted
	return &o
}

func failed(o pombo.Outcome, r pombo.Reason, detail string) *pombo.Outcome {
	o.To, o.Reason, o.Detail = pombo.Failed, r, detail
	return &o
}

func suppressed(o pombo.Outcome, r pombo.Reason) *pombo.Outcome {
	o.To, o.Reason = pombo.Suppressed, r
	return &o
}

func withdrawn(o pombo.Outcome, detail string) *pombo.Outcome {
	o.To, o.Reason, o.Detail = pombo.Cancelled, pombo.Withdrawn, detail
	return &o
}

// withdrawnByAnswer ends the reminder of a message that has been answered. Its row is still
// pending.
func withdrawnByAnswer(o pombo.Outcome) *pombo.Outcome {
	o.Answered = true
	return withdrawn(o, "the message that it reminds of has been answered")
}

func expired(o pombo.Outcome) *pombo.Outcome {
	o.To, o.Reason = pombo.Expired, pombo.ExpiredRow
	return &o
}

// requeued puts the row back until a time; it does not count as a try.
func requeued(o pombo.Outcome, r pombo.Reason, until time.Time, detail string) *pombo.Outcome {
	o.To, o.Reason, o.NotBefore, o.Detail = pombo.Queued, r, until, detail
	return &o
}

// deferred puts the row back until the end of the quiet time. All go back to the same
// moment, so that they keep their order: the first in the evening is the first in the
// morning, and the rate prevents a burst.
func deferred(o pombo.Outcome, until time.Time, where *time.Location) *pombo.Outcome {
	return requeued(o, pombo.QuietHours, until, "until "+until.In(where).Format("2006-01-02 15:04")+" in "+where.String())
}

// parked keeps the row in the ledger, out of the way of the others, until its
// template sends it; it is not a try. until is when to look again, zero = as soon as
// something is learned about the template.
func (d *Deliverer) parked(v *delivery, issue pombo.TemplateIssue, until time.Time) *pombo.Outcome {
	d.opts.Templates.Parked(v.ref, issue)
	return parkedUntil(v, issue.Reason, until, issue.Detail())
}

func parkedUntil(v *delivery, r pombo.Reason, until time.Time, detail string) *pombo.Outcome {
	if until.IsZero() {
		until = time.Now().Add(template.MostParked)
	}
	if !v.Expires.IsZero() && v.Expires.Before(until) {
		until = v.Expires // it expires then
	}
	o := requeued(v.claim, r, until, detail)
	o.Parked = true
	return o
}

// schedule is the wait before each further try of one notification: about nine hours
// in all, so that an outage of a working day is survived and a message does not
// arrive after it is of use. Each wait has a jitter of a fifth.
var schedule = []time.Duration{
	10 * time.Second,
	30 * time.Second,
	time.Minute,
	2 * time.Minute,
	5 * time.Minute,
	15 * time.Minute,
	30 * time.Minute,
	time.Hour,
	2 * time.Hour,
	5 * time.Hour,
}

// retried says when the notification is tried next, or fails it when the schedule has
// no further try. tries counts the ones before this; the reason is that of the try
// that has ended.
func retried(o pombo.Outcome, tries int) *pombo.Outcome {
	o.Counted = true
	if tries < len(schedule) {
		o.To = pombo.Queued
		o.NotBefore = time.Now().Add(wait.Jitter(schedule[tries]))
		return &o
	}
	detail := "last time: " + string(o.Reason)
	if o.Detail != "" {
		detail += ": " + o.Detail
	}
	return failed(o, pombo.TriesExhausted, detail)
}

// notSent is for errors before begin and for POSTs that are known not to have reached
// Blip.
func (d *Deliverer) notSent(ctx context.Context, v *delivery, err error) *pombo.Outcome {
	switch {
	case errors.Is(err, throttle.ErrPaused):
		pause, _ := d.opts.Throttle.Pauser.Current()
		return requeued(v.claim, pause.Reason, time.Time{}, "sending is paused")
	case errors.Is(err, errLeaseOver):
		return requeued(v.claim, pombo.LeaseOver, time.Now().Add(time.Second), "")
	case ctx.Err() != nil:
		return requeued(v.claim, pombo.Interrupted, time.Time{}, "")
	}
	failure, o := asError(err), v.claim
	d.opts.Throttle.Pauser.PauseFor(ctx, failure)
	o.Reason, o.Detail, o.Code = failure.Reason, failure.Detail, failure.Code
	switch {
	case !failure.Retry:
		return failed(o, o.Reason, o.Detail)
	case failure.Pause > 0:
		// A failure that stops the whole bot is not this row's fault: it does not
		// count.
		return requeued(o, o.Reason, time.Time{}, o.Detail)
	}
	return retried(o, v.Tries)
}

// notBegun is for a begin that failed. It may have become durable all the same; nothing
// has left, so a notification that is still claimed goes back to the queue. One that is
// being sent is in doubt: the begin may be our own, or that of another worker that has
// claimed the row since.
func (d *Deliverer) notBegun(ctx context.Context, v *delivery, err error) *pombo.Outcome {
	if errors.Is(err, pombo.ErrLost) {
		return nothing(v.claim) // another process has it
	}
	if ctx.Err() == nil {
		d.opts.Health.LedgerAnswered(err)
		d.log.Error("begin not recorded; nothing was sent", "error", err, "often", pombo.Often("begin"))
	}
	back := requeued(v.claim, pombo.Interrupted, time.Now().Add(time.Second), "")
	if err := d.record(tracing.Carry(d.recording, ctx), *back); !errors.Is(err, pombo.ErrLost) {
		return nothing(*back) // it is recorded, or the process dies first
	}
	back.From, back.Attempt, back.To = pombo.Sending, v.claim.Attempt+1, pombo.Uncertain
	return back
}

// nothing leaves nothing to be recorded.
func nothing(o pombo.Outcome) *pombo.Outcome {
	o.To = ""
	return &o
}

// notAccepted decides about a POST that failed. Only what is known not to have
// reached Blip may be sent again without asking.
func (d *Deliverer) notAccepted(ctx context.Context, v *delivery, err error) *pombo.Outcome {
	failure := asError(err)
	switch {
	case failure.Delivery == pombo.MaybeSent:
		d.opts.Throttle.Pauser.PauseFor(ctx, failure)
		o := v.claim
		o.To, o.Reason, o.Detail = pombo.Uncertain, failure.Reason, failure.Detail
		if d.opts.Policies.of(v.template) == Check {
			o.NotBefore = time.Now().Add(firstCheck)
		}
		return &o
	case failure.Reason.Class() == pombo.ClassTemplate && failure.Delivery == pombo.NotSent:
		issue, until := d.opts.Templates.Refused(v.ref, failure)
		return d.parked(v, issue, until)
	}
	return d.notSent(context.WithoutCancel(ctx), v, err)
}

// asError makes sure that there is a decision: an error without one comes from a
// client that broke its contract, and the careful reading is "unknown".
func asError(err error) *pombo.Error {
	if e, ok := errors.AsType[*pombo.Error](err); ok {
		return e
	}
	return &pombo.Error{Reason: pombo.Unexplained, Retry: true, Delivery: pombo.MaybeSent, Err: err}
}

// abandoned ends a notification that this process has according to the ledger, but no
// worker knows. One that was only claimed goes back; about one that was being sent,
// Blip is asked.
func abandoned(n *pombo.Notification, owner string) *pombo.Outcome {
	const detail = "the process that had it did not know of it"
	o := endOf(n, n.State)
	o.Owner = owner
	if n.State == pombo.Claimed {
		return requeued(o, pombo.Interrupted, time.Time{}, detail)
	}
	o.To, o.Reason, o.Detail = pombo.Uncertain, pombo.Interrupted, detail
	return &o
}

// The outcomes of a Resolver. An uncertain notification that is postponed stays
// uncertain: the outcome has no To.

// postponed looks again at a time; the reason and the detail say why it waits.
func postponed(o pombo.Outcome, r pombo.Reason, until time.Time, detail string) pombo.Outcome {
	o.Reason, o.NotBefore, o.Detail = r, until, detail
	return o
}

// operatorWait is how far off the next check is put when a person has to decide.
const operatorWait = 100 * 365 * 24 * time.Hour

// leftToOperator waits until a person decides.
func leftToOperator(o pombo.Outcome, detail string) pombo.Outcome {
	return postponed(o, pombo.AwaitingOperator, time.Now().Add(operatorWait), detail)
}

// sentAgain is for a doubt that ended with "it was not sent".
func sentAgain(o pombo.Outcome, r pombo.Reason, from time.Time) pombo.Outcome {
	return *requeued(o, r, from, "")
}

// retriedAfterDoubt counts the attempt as a try and sends the message again, without
// a further wait when it has waited long enough.
func retriedAfterDoubt(o pombo.Outcome, r pombo.Reason, tries int, waited bool) pombo.Outcome {
	o.Reason = r
	next := retried(o, tries)
	if waited && next.To == pombo.Queued {
		next.NotBefore = time.Time{}
	}
	return *next
}
