package receipts

import (
	"context"
	"errors"
	"time"

	"pombo"
)

// Everything that acts on a failure is here. The policy of a failed receipt comes from
// the table in package blip (resend_policy.go) and its times from pombo.ResendPolicy.
// The ledger has queued the next generation, if there is one, in the transaction that
// applied the receipt; this file pauses the bot or suspends the template.

// byBlip marks a pause that a failure at Blip asks for.
const byBlip = "blip"

// followPolicy logs a failed receipt, and pauses the bot or suspends the template if
// its policy says so. The pause counts from the failure: a receipt that took three
// hours stops nothing.
func (r *Recorder) followPolicy(ctx context.Context, f *pombo.Receipt, resent bool) {
	r.opts.Logger.Warn("message failed after Blip had taken it", "id", f.MessageID, "reason", f.Reason, "code", f.Code, "detail", f.Detail, "sent_again", resent)
	from := f.At
	if now := time.Now(); from.IsZero() || from.After(now) {
		from = now
	}
	until := from.Add(f.Policy.Pause())
	if !until.After(time.Now()) {
		return
	}
	var err error
	if f.Policy == pombo.ResendBot || f.Policy == pombo.ResendAccount {
		err = r.opts.PauseBot(ctx, pombo.Pause{Until: until, Reason: f.Reason, Detail: f.Detail, By: byBlip})
	} else {
		err = r.suspendTemplate(ctx, f, until)
	}
	if err != nil {
		// The next failed message tries again.
		r.opts.Logger.Error("a failure pauses neither the bot nor the template", "id", f.MessageID, "policy", f.Policy, "error", err)
	}
}

// suspendTemplate suspends the template of the message that failed.
func (r *Recorder) suspendTemplate(ctx context.Context, f *pombo.Receipt, until time.Time) error {
	n, _, err := r.opts.Ledger.Notification(ctx, f.MessageID)
	if err != nil {
		return err
	}
	r.opts.SuspendTemplate(n.Template, f.Reason, until)
	return nil
}

// followRefusal pauses the bot when Blip has answered a poll with a refusal that asks
// for it, and returns for how long.
func (r *Recorder) followRefusal(ctx context.Context, err error) time.Duration {
	f, ok := errors.AsType[*pombo.Error](err)
	if !ok || f.Pause == 0 {
		return 0
	}
	p := pombo.Pause{Until: time.Now().Add(f.Pause), Reason: f.Reason, Detail: f.Detail, By: byBlip}
	if err := r.opts.PauseBot(ctx, p); err != nil {
		r.opts.Logger.Error("the bot does not pause although Blip refuses it", "reason", f.Reason, "error", err)
	}
	return f.Pause
}
