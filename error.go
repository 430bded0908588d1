package pombo

import (
	"errors"
	"time"
)

// Errors that callers ask for with errors.Is.
var (
	// ErrNotFound: there is no such notification, run or template.
	ErrNotFound = errors.New("not found")
	// ErrLost: the caller no longer holds what it wants to change; somebody
	// else has moved it on. Nothing was changed.
	ErrLost = errors.New("no longer held: another worker or an operator has moved it on")
	// ErrMove: the state machine does not allow the move. Nothing was changed.
	ErrMove = errors.New("not allowed in its present state")
	// ErrCursor: a list has never given such a cursor.
	ErrCursor = errors.New("the cursor is none of this list; start again without one")
	// ErrNotJSON: what came in over HTTP is no JSON. The body is never quoted.
	ErrNotJSON = errors.New("not JSON")
	// ErrTooMany: a body has more than MaxEnvelopes.
	ErrTooMany = errors.New("too many envelopes in one body")
)

// MaxEnvelopes is how many envelopes one body of a webhook may have. A body of the
// largest size has fewer receipts than that; whoever sends more sends nonsense, and
// each costs as much to read as a good one.
const MaxEnvelopes = 5000

// Reached says whether a request got to Blip. It decides whether a second one
// may be sent.
type Delivery uint8

// What is known of a request.
const (
	MaybeSent  Delivery = iota // it left, whole or in part, and no answer came
	NotSent                    // it never left whole, or Blip refused it
	ReachedYes                 // Blip answered
)

// String returns "unknown", "no" or "yes".
func (r Delivery) String() string {
	switch r {
	case NotSent:
		return "no"
	case ReachedYes:
		return "yes"
	default:
		return "unknown"
	}
}

// Error is a failure on the way to Blip with the decision that follows from it.
// The decision is made once, in one table (package blip); everybody else obeys.
type Error struct {
	Reason   Reason
	Retry    bool          // a later attempt makes sense
	Delivery Delivery      // whether Blip has the request
	Pause    time.Duration // stop all sending of the bot this long; 0 = do not
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
