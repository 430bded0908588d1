// Package receipts learns what became of a message after Blip accepted it. A 202 is
// "accepted", not "delivered": the rest comes later, out of order, more than once or
// never.
//
//	Blip ──POST──▶ webhook ─┐
//	                        ├─▶ recorder ──▶ ledger, opt-outs, pauses, suspensions
//	Blip ◀──ask─── poller ──┘
//
// The webhook receives what Blip posts to the two addresses of the bot, and answers
// once it is durable: after an answer of success Blip does not post it again. The
// poller asks Blip for the notifications of each message on a growing schedule. It
// needs no inbound connection, so it works for every company whose server cannot be
// reached from the internet; where webhooks arrive it only catches those that were
// lost. Blip keeps notifications for three days; a state that it has not reported by
// then stays as it is.
//
// The same ways bring what people sent, and a third one does, a step in the bot's flow
// that posts it. All end in the inbox (inbox.go), which keeps it in the ledger before it
// is acknowledged. Where nothing is posted, the conversations of people who have not
// answered are read (threads.go).
//
// Both ways of receipts end in the recorder. The ledger decides which state a message gets: states
// only move forward, so that disorder and repeats do no harm. What else follows from a
// failure (to pause the bot, to suspend a template) is in policy.go.
//
// When the ledger or the list of opt-outs fails, the webhook answers with a failure
// and the poll stays due: both ways bring the receipt again.
package receipts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/phone"
	"pombo/internal/tracing"
)

// OptOuts is the list of people who want no more messages. OptOut is idempotent.
type OptOuts interface {
	OptOut(ctx context.Context, o pombo.OptOut) error
}

// recordLedger is the ledger as the recorder sees it.
type recordLedger interface {
	// Apply moves notifications forward and returns what each receipt did; unknown
	// ids and repeats change nothing.
	Apply(ctx context.Context, receipts []pombo.Receipt) ([]pombo.ReceiptResult, error)
	// Notification returns one notification; pombo.ErrNotFound when there is none.
	Notification(ctx context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error)
}

// RecorderOptions configures a Recorder. Ledger, OptOuts, SuspendTemplate and PauseBot
// must be set.
type RecorderOptions struct {
	Ledger recordLedger
	// OptOuts records people who wrote that messages must stop.
	OptOuts OptOuts
	// SuspendTemplate suspends a template ("" = the configured one) until a time.
	SuspendTemplate func(template string, reason pombo.Reason, until time.Time)
	// PauseBot pauses all sending until a time.
	PauseBot func(ctx context.Context, p pombo.Pause) error
	// Failed and Delivered are called for each message that a receipt reports as such;
	// nil = none.
	Failed    func(ctx context.Context, f pombo.Failure)
	Delivered func(ctx context.Context, id pombo.MessageID)
	// Moved is called when notifications have moved on; nil = none.
	Moved      func()
	Logger     *slog.Logger
	Tracer     *tracing.Tracer // nil = no spans
	Registerer prometheus.Registerer
}

// Recorder applies receipts, whichever way they came. It is safe for concurrent use.
type Recorder struct {
	opts    RecorderOptions
	metrics *metrics
}

// NewRecorder checks the options.
func NewRecorder(opts RecorderOptions) (*Recorder, error) {
	if opts.Ledger == nil || opts.OptOuts == nil || opts.SuspendTemplate == nil || opts.PauseBot == nil {
		return nil, errors.New("the recorder of receipts needs a ledger, a list of opt-outs, and functions that suspend a template and pause the bot")
	}
	if opts.Failed == nil {
		opts.Failed = func(context.Context, pombo.Failure) {}
	}
	if opts.Delivered == nil {
		opts.Delivered = func(context.Context, pombo.MessageID) {}
	}
	if opts.Moved == nil {
		opts.Moved = func() {}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Recorder{opts, newMetrics(opts.Registerer)}, nil
}

// Record applies receipts and returns how many were about messages of ours. After an
// error the caller passes the same ones again; those already applied change nothing
// then.
func (r *Recorder) Record(ctx context.Context, list []pombo.Receipt) (ours int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	ctx, span := r.opts.Tracer.Pass(ctx, tracing.Receipts)
	defer span.End()
	span.SetInt(tracing.Messages, len(list))
	results, err := r.opts.Ledger.Apply(ctx, list)
	if err != nil {
		span.Fail("ledger")
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
			span.Link(string(list[i].MessageID), string(list[i].State))
			r.metrics.applied.WithLabelValues(string(list[i].State)).Inc()
			switch list[i].State {
			case pombo.Failed:
				r.opts.Failed(ctx, pombo.Failure{MessageID: list[i].MessageID, Reason: list[i].Reason, Code: list[i].Code})
				r.followPolicy(ctx, &list[i], result == pombo.ReceiptResent)
			case pombo.Delivered:
				r.opts.Delivered(ctx, list[i].MessageID)
			}
		}
		ours++
	}
	if ours > 0 {
		r.metrics.last.SetToCurrentTime()
	}
	if moved > 0 {
		r.opts.Moved()
	}
	return ours, nil
}

// optOut records the opt-out of a person who wants no more messages. A message without
// a phone or Blip's name of the person does not say who that is.
func (r *Recorder) optOut(ctx context.Context, m *pombo.Inbound) error {
	o := pombo.OptOut{Identity: m.Identity, BSUID: m.BSUID, Scope: pombo.OptOutAll, At: m.At, By: "person"}
	if m.Phone != "" {
		o.Phone, _ = phone.Parse("+" + m.Phone.Reveal()) // without a phone, the identity remains
	}
	if o.Identity == "" && o.Phone.IsZero() {
		return nil
	}
	if err := r.opts.OptOuts.OptOut(ctx, o); err != nil {
		r.metrics.optOut("failed")
		return fmt.Errorf("record an opt-out: %w", err)
	}
	r.metrics.optOut("kept")
	r.opts.Logger.Info("a person opted out")
	return nil
}
