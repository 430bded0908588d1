// Package receipts learns what became of a message after Blip took it. A 202 is
// "accepted", not "delivered": the rest comes later, out of order, more than once
// or never.
//
//	Blip ──POST──▶ webhook ─┐
//	                        ├─▶ recorder ──▶ ledger, opt-outs, holds
//	Blip ◀──ask─── poller ──┘
//
// The webhook takes what Blip posts to the two addresses of the bot, and answers
// when it is durable: an answer of success is the end of it for Blip. The poller
// asks Blip for the notifications of each message on a growing schedule. It needs
// nothing from outside, so it works for every company whose server cannot be
// reached from the internet; where webhooks arrive it is only the net under them.
// Blip keeps the notifications three days; what it has not told by then stays as
// it is.
//
// Both ways end in the recorder. Which state a message gets is the ledger's
// business: states only move forward, so that disorder and repeats do no harm.
// What else follows from a failure (a person who opted out, a template or a bot
// that has to stop) is done here.
//
// When the ledger or whoever keeps the opt-outs fails, the webhook's answer is no
// success and the poll stays due: both ways bring it again.
package receipts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

// OptOuts keeps who wants no more messages. The same opt-out may come again.
type OptOuts interface {
	OptOut(ctx context.Context, o pombo.OptOut) error
}

// recordLedger is the ledger as the recorder sees it.
type recordLedger interface {
	// Apply moves notifications forward and says what each receipt did; unknown
	// ids and repeats change nothing.
	Apply(ctx context.Context, receipts []pombo.Receipt) ([]pombo.ReceiptResult, error)
	// Notification returns one notification; pombo.ErrNotFound when there is none.
	Notification(ctx context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error)
}

// RecorderOptions is what a Recorder is made of. All but Moved, Logger and Registerer must
// be set.
type RecorderOptions struct {
	Ledger recordLedger
	// OptOuts is told who wrote that messages are to stop.
	OptOuts OptOuts
	// HoldTemplate stops a template ("" = the configured one) until a time.
	HoldTemplate func(template string, reason pombo.Reason, until time.Time)
	// HoldBot stops all sending until a time.
	HoldBot func(ctx context.Context, p pombo.Pause) error
	// Failed and Delivered are called for each message that a receipt says so of; nil
	// = nobody counts.
	Failed    func(ctx context.Context, f pombo.Failure)
	Delivered func(ctx context.Context, id pombo.MessageID)
	// Moved is called when notifications have moved on; nil = nobody minds.
	Moved      func()
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Recorder carries out what receipts say, whichever way they came. It is safe for
// use by many goroutines.
type Recorder struct {
	o       RecorderOptions
	metrics *metrics
}

// NewRecorder checks the options.
func NewRecorder(o RecorderOptions) (*Recorder, error) {
	if o.Ledger == nil || o.OptOuts == nil || o.HoldTemplate == nil || o.HoldBot == nil {
		return nil, errors.New("the recorder of receipts needs a ledger, a list of opt-outs and ways to hold a template and the bot")
	}
	if o.Failed == nil {
		o.Failed = func(context.Context, pombo.Failure) {}
	}
	if o.Delivered == nil {
		o.Delivered = func(context.Context, pombo.MessageID) {}
	}
	if o.Moved == nil {
		o.Moved = func() {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Recorder{o, newMetrics(o.Registerer)}, nil
}

// Record applies receipts and returns how many were about messages of ours. After
// an error the same ones must be brought again; those already applied then change
// nothing.
func (r *Recorder) Record(ctx context.Context, list []pombo.Receipt) (ours int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	results, err := r.o.Ledger.Apply(ctx, list)
	if err != nil {
		return 0, err
	}
	moved := 0
	for i, result := range results {
		switch result {
		case pombo.ReceiptUnknown:
			r.metrics.unknown.Inc()
			continue
		case pombo.ReceiptMoved, pombo.ReceiptResent:
			moved++
			r.metrics.applied.WithLabelValues(string(list[i].State)).Inc()
			switch list[i].State {
			case pombo.Failed:
				r.o.Failed(ctx, pombo.Failure{MessageID: list[i].MessageID, Reason: list[i].Reason, Code: list[i].Code})
				r.failed(ctx, &list[i], result == pombo.ReceiptResent)
			case pombo.Delivered:
				r.o.Delivered(ctx, list[i].MessageID)
			}
		}
		ours++
	}
	if ours > 0 {
		r.metrics.last.SetToCurrentTime()
	}
	if moved > 0 {
		r.o.Moved()
	}
	return ours, nil
}

// failed logs a failure and stops what it asks to be stopped. How long is counted
// from when it happened: a receipt that was three hours on its way stops nothing.
func (r *Recorder) failed(ctx context.Context, f *pombo.Receipt, resent bool) {
	r.o.Logger.Warn("message failed after Blip had taken it", "id", f.MessageID, "reason", f.Reason, "code", f.Code, "detail", f.Detail, "sent_again", resent)
	stop := f.Policy.Pause()
	if stop == 0 {
		return
	}
	from := f.At
	if now := time.Now(); from.IsZero() || from.After(now) {
		from = now
	}
	until := from.Add(stop)
	if !until.After(time.Now()) {
		return
	}
	var err error
	if f.Policy == pombo.ResendBot || f.Policy == pombo.ResendAccount {
		err = r.o.HoldBot(ctx, pombo.Pause{Until: until, Reason: f.Reason, Detail: f.Detail, By: "blip"})
	} else {
		var n pombo.Notification
		if n, _, err = r.o.Ledger.Notification(ctx, f.MessageID); err == nil {
			r.o.HoldTemplate(n.Template, f.Reason, until)
		}
	}
	if err != nil {
		// The next message that fails tries again.
		r.o.Logger.Error("what a failure asks to stop goes on", "id", f.MessageID, "remedy", f.Policy, "error", err)
	}
}

// refused has the bot pause when Blip has said so to a poll, and returns for how
// long.
func (r *Recorder) refused(ctx context.Context, err error) time.Duration {
	f, ok := errors.AsType[*pombo.Error](err)
	if !ok || f.Pause == 0 {
		return 0
	}
	p := pombo.Pause{Until: time.Now().Add(f.Pause), Reason: f.Reason, Detail: f.Detail, By: "blip"}
	if err := r.o.HoldBot(ctx, p); err != nil {
		r.o.Logger.Error("the bot does not pause although Blip refuses it", "reason", f.Reason, "error", err)
	}
	return f.Pause
}

// keep hands an opt-out over.
func (r *Recorder) keep(ctx context.Context, o pombo.OptOut) error {
	if err := r.o.OptOuts.OptOut(ctx, o); err != nil {
		r.metrics.optOut("failed")
		return fmt.Errorf("keep an opt-out: %w", err)
	}
	r.metrics.optOut("kept")
	r.o.Logger.Info("a person opted out")
	return nil
}
