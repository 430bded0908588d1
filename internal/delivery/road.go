package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pombo"
	"pombo/internal/document"
	"pombo/internal/phone"
	"pombo/internal/template"
	"pombo/internal/throttle"
	"pombo/internal/tracing"
)

// delivery is one notification on its way, with the results of the steps so far.
type delivery struct {
	*pombo.Notification
	claim    pombo.Outcome // what every outcome starts from: which claim it ends
	template string
	ref      template.Ref // the template in its language
	identity string       // at Blip; "" = not known yet
	term     int          // of the lease, when it was begun

	document *document.Document // of the header, to be uploaded; nil = none
	linked   time.Time          // when it was uploaded
	link     string             // to the uploaded document, and the name that the person sees on it
	shown    string

	inGate, hasSlot bool // what must be released
}

// step is one step of the road. It returns how the delivery ended, or nil to go on.
type step func(ctx context.Context, v *delivery) *pombo.Outcome

// steps is the road. Whatever ends before begin has sent nothing, and the end of ctx
// ends it there at once; the POST ends in its own time. All checks of the row itself
// come before Blip is asked for the identity: a row that cannot be sent should not cost
// a command, and Blip objects to numbers that are looked up and never written to.
func (d *Deliverer) steps() []step {
	return []step{
		d.sendingNotPaused, // it may have been since the claim
		d.phoneValid,
		d.notOptedOut,
		d.templateNotHeld,
		d.templateNotSuspended,
		d.templateFits,
		d.valuesValid,
		d.notQuiet,
		d.rowUnchanged,
		d.notAnswered,
		d.documentFits,
		d.findIdentity,
		d.notOptedOut, // by the identity too
		d.redirectReply,
		d.documentUploaded,
		d.waitForRecipient,
		d.waitForGate,
		d.waitForSlot,
		d.reserveInterval,
		d.waitForRate,
		d.notExpired,
		d.linkValid,
		d.notAnswered, // it may have been while this one waited
		d.begin,
		d.post,
	}
}

// walk takes a notification down the road and returns how it ended.
func (d *Deliverer) walk(ctx context.Context, n *pombo.Notification) pombo.Outcome {
	ref := d.opts.Templates.Ref(n.Template, n.Language)
	v := &delivery{Notification: n, claim: endOf(n, pombo.Claimed), template: ref.Name, ref: ref, identity: n.Identity}
	defer func() {
		v.document.Close()
		d.leaveGate(v)
		if v.hasSlot {
			d.opts.Throttle.Concurrency.Release()
		}
	}()
	for _, s := range d.road {
		if o := s(ctx, v); o != nil {
			return *o
		}
	}
	panic("the last step of the road ends every delivery")
}

func (d *Deliverer) sendingNotPaused(ctx context.Context, v *delivery) *pombo.Outcome {
	if d.opts.Throttle.Pauser.Paused() {
		return d.notSent(ctx, v, throttle.ErrPaused)
	}
	return nil
}

// phoneValid ends a row in which intake found no phone number.
func (d *Deliverer) phoneValid(_ context.Context, v *delivery) *pombo.Outcome {
	if v.Phone.IsZero() {
		return failed(v.claim, pombo.InvalidPhone, phone.Explain(v.Recipient.Reveal()))
	}
	return nil
}

const (
	// Marketing is what Meta and Blip call that category of templates.
	Marketing = "MARKETING"
	// categoryWait is how long a row waits for Blip to list its template.
	categoryWait = time.Minute
)

// notOptedOut ends the row when the person gets no messages of this template. While
// the category of the template is unknown, a person who opted out of marketing only
// gets nothing, and the row waits: nobody is disturbed, and no exam result is lost.
func (d *Deliverer) notOptedOut(_ context.Context, v *delivery) *pombo.Outcome {
	switch d.opts.Ledger.OptedOut(v.Phone, v.identity) {
	case "":
		return nil
	case pombo.OptOutMarketing:
		category, known := d.opts.Templates.Category(v.ref)
		switch {
		case !known:
			return requeued(v.claim, pombo.CommandFailed, time.Now().Add(categoryWait),
				"the person opted out of marketing, and the category of template "+v.template+" is not known yet")
		case category != Marketing:
			return nil
		}
		return suppressed(v.claim, pombo.OptedOutOfMarketing)
	}
	return suppressed(v.claim, pombo.OptedOut)
}

// templateNotHeld parks the row while an operator holds its template.
func (d *Deliverer) templateNotHeld(_ context.Context, v *delivery) *pombo.Outcome {
	if hold, held := d.opts.Holds.Held(v.template); held {
		return parkedUntil(v, pombo.TemplateHeld, hold.Until, "template "+v.template+" is held")
	}
	return nil
}

func (d *Deliverer) templateNotSuspended(_ context.Context, v *delivery) *pombo.Outcome {
	if reason, until, suspended := d.opts.Suspensions.Suspended(v.template); suspended {
		return requeued(v.claim, reason, until, "template "+v.template+" is suspended after a failed message")
	}
	return nil
}

// templateFits parks the row while its template does not send what it gives. A row
// that was taken in under another DB_COL_PARAMS is read again, so that a corrected
// setting frees what waited for it.
func (d *Deliverer) templateFits(ctx context.Context, v *delivery) *pombo.Outcome {
	issue, until := d.opts.Templates.Check(v.ref, v.Params)
	if issue.Reason == pombo.NoReason {
		return nil
	}
	fixable := until.IsZero() && issue.FixableByValues()
	switch {
	case fixable && v.Key.Source == pombo.SourceHTTP:
		return failed(v.claim, issue.Reason, issue.Detail()) // the caller gave the slots too
	case fixable && v.Key.Source == d.opts.SourceName && !template.Fills(v.Params, d.opts.Slots):
		row, err := d.opts.Source.Row(ctx, v.Key.RowKey)
		switch {
		case err == nil && template.Fills(row.Params, d.opts.Slots):
			v.Params = row.Params
			return d.templateFits(ctx, v)
		case err != nil && !errors.Is(err, pombo.ErrNotFound):
			until = time.Now().Add(5 * time.Minute) // the source is away
		}
	}
	return d.parked(v, issue, until)
}

// valuesValid checks the values against WhatsApp's rules, which WhatsApp itself would
// do later, out of sight.
func (d *Deliverer) valuesValid(_ context.Context, v *delivery) *pombo.Outcome {
	for i, p := range v.Params {
		if reason, detail := pombo.CheckParam(p); reason != pombo.NoReason {
			return failed(v.claim, reason, fmt.Sprintf("value %d (%s) %s", i+1, p.Slot, detail))
		}
	}
	return nil
}

func (d *Deliverer) notQuiet(_ context.Context, v *delivery) *pombo.Outcome {
	if until, where := d.opts.Quiet.Free(v.Phone, v.template); !until.IsZero() {
		return deferred(v.claim, until, where)
	}
	return nil
}

func (d *Deliverer) findIdentity(ctx context.Context, v *delivery) *pombo.Outcome {
	if v.identity != "" {
		return nil
	}
	err := d.command(ctx, func() (err error) {
		v.identity, err = d.opts.Blip.Identity(ctx, v.Phone)
		return err
	})
	if err != nil {
		return d.notSent(ctx, v, err)
	}
	return nil
}

func (d *Deliverer) redirectReply(ctx context.Context, v *delivery) *pombo.Outcome {
	for i := range d.opts.Blip.Redirects() {
		if err := d.command(ctx, func() error { return d.opts.Blip.RedirectReply(ctx, v.identity, i) }); err != nil {
			return d.notSent(ctx, v, err)
		}
	}
	return nil
}

func (d *Deliverer) waitForRecipient(ctx context.Context, v *delivery) *pombo.Outcome {
	if err := d.opts.Throttle.Recipients.Wait(ctx, v.Notification); err != nil {
		return d.notSent(ctx, v, err)
	}
	return nil
}

func (d *Deliverer) waitForGate(ctx context.Context, v *delivery) *pombo.Outcome {
	if err := d.opts.Throttle.Gate.Acquire(ctx, v.Notification); err != nil {
		return d.notSent(ctx, v, err)
	}
	v.inGate = true
	return nil
}

func (d *Deliverer) leaveGate(v *delivery) {
	if v.inGate {
		v.inGate = false
		d.opts.Throttle.Gate.Release()
	}
}

func (d *Deliverer) waitForSlot(ctx context.Context, v *delivery) *pombo.Outcome {
	if err := d.opts.Throttle.Concurrency.Acquire(ctx); err != nil {
		return d.notSent(ctx, v, err)
	}
	v.hasSlot = true
	return nil
}

func (d *Deliverer) reserveInterval(ctx context.Context, v *delivery) *pombo.Outcome {
	free, err := d.opts.Throttle.Recipients.Reserve(ctx, v.Phone)
	switch {
	case err != nil: // the ledger could not say
		return requeued(v.claim, pombo.Interrupted, time.Now().Add(time.Second), "")
	case !free.IsZero():
		return requeued(v.claim, pombo.PairRate, free, "")
	}
	d.opts.Throttle.Recipients.Leave(v.Notification) // the next one for this person finds the interval taken
	return nil
}

func (d *Deliverer) waitForRate(ctx context.Context, v *delivery) *pombo.Outcome {
	err := d.opts.Throttle.Rates.AcquireMessage(ctx)
	d.leaveGate(v)
	if err != nil {
		return d.notSent(ctx, v, err)
	}
	tracing.Current(ctx).Event(tracing.Permitted)
	return nil
}

func (d *Deliverer) notExpired(_ context.Context, v *delivery) *pombo.Outcome {
	if !v.Expires.IsZero() && !time.Now().Before(v.Expires) {
		return expired(v.claim)
	}
	return nil
}

// notAnswered ends the reminder of a row that has an answer. A reminder that is still queued
// ends as soon as the answer comes.
func (d *Deliverer) notAnswered(ctx context.Context, v *delivery) *pombo.Outcome {
	if v.Reminds == "" {
		return nil
	}
	answered, err := d.opts.Ledger.Answered(ctx, v.Key.Source, v.Reminds)
	switch {
	case err != nil:
		return requeued(v.claim, pombo.Interrupted, time.Now().Add(time.Second), "")
	case answered:
		return withdrawnByAnswer(v.claim)
	}
	return nil
}

// begin writes "sending". From here on the outcome ends the attempt.
func (d *Deliverer) begin(ctx context.Context, v *delivery) *pombo.Outcome {
	v.term = d.opts.Lease.Term() // the ledger refuses to begin what was interrupted earlier
	within, span := tracing.Child(ctx, tracing.Begin)
	attempt, err := d.opts.Ledger.Begin(within, *v.Notification, v.identity)
	span.End()
	if err != nil {
		return d.notBegun(ctx, v, err)
	}
	v.Attempt = attempt
	v.claim.From, v.claim.Attempt = pombo.Sending, attempt
	return nil
}

// post sends the message. It works beyond the end of ctx.
func (d *Deliverer) post(ctx context.Context, v *delivery) *pombo.Outcome {
	m := pombo.Message{MessageID: v.MessageID, To: v.identity, Template: v.template, Language: v.Language, Params: d.withPayloads(v)}
	if v.link != "" {
		m.Params = linked(m.Params, v.link, v.shown)
	}
	working := tracing.Carry(d.working, ctx)
	err := d.send(working, v.term, m)
	if errors.Is(err, errNotLeft) {
		return d.notSent(working, v, err)
	}
	v.hasSlot = false
	d.opts.Throttle.Concurrency.Observe(err)
	if err != nil {
		return d.notAccepted(working, v, err)
	}
	return accepted(v.claim)
}

// withPayloads gives the buttons without a payload in the row one that names the message,
// so that an answer names it.
func (d *Deliverer) withPayloads(v *delivery) []pombo.Param {
	params := v.Params
	if d.opts.Payload == nil {
		return params
	}
	for i, b := range d.opts.Templates.Buttons(v.ref) {
		slot := pombo.PayloadSlot(i)
		given := slices.ContainsFunc(v.Params, func(p pombo.Param) bool { return p.Slot == slot })
		if b.QuickReply() && !given && d.opts.Payload(b) {
			params = append(slices.Clip(params), pombo.Param{Slot: slot, Value: pombo.ReplyPayload(v.MessageID, i)})
		}
	}
	return params
}

var (
	// errNotLeft: the POST was not even tried.
	errNotLeft = errors.New("not sent")
	// errLeaseOver: another process may have taken the notification over.
	errLeaseOver = errors.New("the lease was over")
)

// send makes the POST. A pause that began while it waited for its call still stops it,
// and so does the end of the lease under which it was begun: nothing has left.
func (d *Deliverer) send(ctx context.Context, term int, m pombo.Message) error {
	begun := false
	err := d.call(ctx, func() error {
		if d.opts.Throttle.Pauser.Paused() {
			return throttle.ErrPaused
		}
		if !d.opts.Lease.Valid(term) {
			return errLeaseOver
		}
		begun = true
		return d.opts.Blip.Send(ctx, m)
	})
	if err != nil && !begun {
		return errors.Join(errNotLeft, err)
	}
	return err
}

// command makes a command, at the rate of commands.
func (d *Deliverer) command(ctx context.Context, f func() error) error {
	if err := d.opts.Throttle.Rates.AcquireCommand(ctx); err != nil {
		return err
	}
	return d.call(ctx, f)
}

// call makes one call to Blip, of which WORKERS may be under way.
func (d *Deliverer) call(ctx context.Context, f func() error) error {
	select {
	case d.calls <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.calls }()
	return f()
}
