package throttle

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// Breaker pauses the bot after the same failure for several different people in a
// row, with no message getting through in between. An unknown code, or a fault of the
// account that WhatsApp reports for every message, would otherwise burn the whole
// table: every row fails for good. What is queued stays queued until a person resumes.
// The count spans processes and restarts.
type Breaker struct {
	ledger   Ledger
	pauser   *Pauser
	failures int // before a pause; 0 = never
	log      *slog.Logger
}

const (
	// countryRestricted is WhatsApp's code for "this business may not write to people
	// in this country". In Brazil that is the state of the whole account, so few
	// messages are enough to know.
	countryRestricted = 130497
	fewFailures       = 3
)

// Failed counts a failure that Blip or WhatsApp reported.
func (b *Breaker) Failed(ctx context.Context, f pombo.Failure) {
	most := b.failures
	if most <= 0 {
		return
	}
	if f.Code == countryRestricted {
		most = min(most, fewFailures)
	}
	people, err := b.ledger.CountFailure(ctx, f)
	if err != nil {
		b.log.Error("a failure is not counted among those in a row", "reason", f.Reason, "code", f.Code, "error", err)
		return
	}
	if people < most {
		return
	}
	detail := fmt.Sprintf("the same failure for %d people in a row, and nothing was delivered in between", people)
	if f.Code != 0 {
		detail += fmt.Sprintf(" (code %d)", f.Code)
	}
	b.pauser.extend(ctx, pombo.Pause{Reason: f.Reason, Detail: detail, By: "pombo"})
}

// Delivered ends the count: a message has arrived.
func (b *Breaker) Delivered(ctx context.Context, id pombo.MessageID) {
	if err := b.ledger.EndFailures(ctx, id, false); err != nil {
		b.log.Error("the count of failures in a row goes on although a message was delivered", "error", err)
	}
}

// Accepted ends the count of what Blip refused: it has accepted a message.
func (b *Breaker) Accepted(ctx context.Context, id pombo.MessageID) {
	if err := b.ledger.EndFailures(ctx, id, true); err != nil {
		b.log.Error("the count of failures in a row goes on although a message was accepted", "error", err)
	}
}

// run keeps the count fresh.
func (b *Breaker) run(ctx context.Context) {
	for wait.For(ctx, 2*time.Second) == nil {
		if err := b.Reload(ctx); err != nil && ctx.Err() == nil {
			b.log.Error("failures in a row not read", "error", err)
		}
	}
}

// Reload reads what other processes have counted.
func (b *Breaker) Reload(ctx context.Context) error { return b.ledger.LoadFailures(ctx) }
