package pombo

import (
	"errors"
	"time"
)

// Errors that callers ask for with errors.Is.
var (
	// ErrNotFound: there is no such notification, run or template.
	ErrNotFound = errors.New("not found")
	// ErrLost: the caller no longer owns what it wants to change: another worker or
	// an operator has moved it on. Nothing was changed.
	ErrLost = errors.New("no longer held: another worker or an operator has moved it on")
	// ErrMove: the state machine does not allow the move. Nothing was changed.
	ErrMove = errors.New("not allowed in its present state")
	// ErrCursor: the cursor does not come from this list.
	ErrCursor = errors.New("the cursor does not belong to this list; start again without one")
	// ErrNotJSON: a request's body is not JSON. The error never quotes the body.
	ErrNotJSON = errors.New("not JSON")
	// ErrTooMany: a body has more than MaxEnvelopes.
	ErrTooMany = errors.New("too many envelopes in one body")
)

// MaxEnvelopes is how many envelopes one body of a webhook may have. A body of the
// largest size has fewer receipts than that; more of them are nonsense, and each
// costs as much to read as a good one.
const MaxEnvelopes = 5000

// Delivery says whether Blip may have a message. It decides whether the message may
// be sent again.
type Delivery uint8

// What is known of a message.
const (
	MaybeSent Delivery = iota // it was sent, whole or in part, and no answer came
	NotSent                   // it was never sent whole, or Blip refused it
)

// String returns "maybe sent" or "not sent".
func (d Delivery) String() string {
	if d == NotSent {
		return "not sent"
	}
	return "maybe sent"
}

// Error is a failure on the way to Blip with the decision that follows from it. One
// table makes the decision (package blip); all other code follows it.
type Error struct {
	Reason   Reason
	Retry    bool          // a later attempt makes sense
	Delivery Delivery      // whether Blip may have the message
	Pause    time.Duration // pause all sending of the bot this long; 0 = do not
	Code     int           // Blip's or the channel's code, or the HTTP status; 0 = none
	Detail   string        // a safe sentence: no phone, no name, no text, no key
	Err      error         // the cause, for operators; may be nil; must be safe too
}

// Error returns the reason and the detail. It is safe to log.
func (e *Error) Error() string {
	s := string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
