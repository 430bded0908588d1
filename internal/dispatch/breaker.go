package dispatch

import (
	"context"
	"fmt"

	"pombo"
)

// A code that nobody knows, or a trouble of the account that WhatsApp tells of for
// each message anew, would burn the whole table: every row fails for good. So the
// same failure for several different people in a row, with no message getting through
// in between, pauses the bot. What is queued stays queued until a person resumes.

// breakerLedger counts failures over all processes and restarts.
type breakerLedger interface {
	// CountFailure returns how many different people the streak has.
	CountFailure(ctx context.Context, f pombo.Failure) (people int, err error)
	// EndFailures ends the streak. It costs nothing while there is none.
	EndFailures(ctx context.Context, id pombo.MessageID, accepted bool) error
	// LoadFailures learns of what other processes have counted.
	LoadFailures(ctx context.Context) error
}

const (
	// countryRestricted is WhatsApp's code for "this business may not write to people
	// in this country". In Brazil that is the state of the whole account, so few
	// messages are enough to know.
	countryRestricted = 130497
	fewFailures       = 3
)

// MessageFailed counts a failure that Blip or WhatsApp told of.
func (e *Engine) MessageFailed(ctx context.Context, f pombo.Failure) {
	most := e.o.FailuresBeforePause
	if most <= 0 {
		return
	}
	if f.Code == countryRestricted {
		most = min(most, fewFailures)
	}
	people, err := e.o.Ledger.CountFailure(ctx, f)
	if err != nil {
		e.log.Error("a failure is not counted among those in a row", "reason", f.Reason, "code", f.Code, "error", err)
		return
	}
	if people < most {
		return
	}
	detail := fmt.Sprintf("the same failure for %d people in a row, and nothing was delivered in between", people)
	if f.Code != 0 {
		detail += fmt.Sprintf(" (code %d)", f.Code)
	}
	if err := e.HoldBot(ctx, pombo.Pause{Reason: f.Reason, Detail: detail, By: "pombo"}); err != nil {
		e.log.Error("pause not written to the ledger; it holds in this process only", "error", err)
	}
}

// MessageDelivered ends the count of failures in a row.
func (e *Engine) MessageDelivered(ctx context.Context, id pombo.MessageID) {
	if err := e.o.Ledger.EndFailures(ctx, id, false); err != nil {
		e.log.Error("the count of failures in a row goes on although a message was delivered", "error", err)
	}
}

// counted takes note of what Blip answered to a POST.
func (e *Engine) counted(n *pombo.Notification, o pombo.Outcome) {
	switch {
	case o.From != pombo.Sending:
	case o.To == pombo.Accepted:
		if err := e.o.Ledger.EndFailures(e.recording, n.MessageID, true); err != nil {
			e.log.Error("the count of failures in a row goes on although a message was accepted", "error", err)
		}
	case o.To == pombo.Failed:
		e.MessageFailed(e.recording, pombo.Failure{MessageID: n.MessageID, Reason: o.Reason, Code: o.Code, Refused: true})
	}
}
