package pombo

import (
	"errors"
	"time"
)

// BulkAct is what is done to many notifications.
type BulkAct string

// What can be done to many.
const (
	BulkRetry  BulkAct = "retry"
	BulkCancel BulkAct = "cancel"
)

// BulkFilter selects what a bulk is about.
type BulkFilter struct {
	States   []State   // of a retry: failed, uncertain, cancelled or suppressed; of a cancel: queued or uncertain
	Reason   Reason    // "" = any
	Template string    // what it is sent with; "" = any
	Since    time.Time // last changed at or after; zero = any
}

// BulkPlan is a set of notifications as it was when somebody looked, counted by what would
// become of it. What changes afterwards is no longer in the set.
type BulkPlan struct {
	Act    BulkAct
	Filter BulkFilter
	UpTo   int64     // the last notification taken in by then
	Drawn  time.Time // by the ledger's clock

	Matched   int
	Delivered int // a later message of the row has been delivered
	Resent    int // a later message of the row is under way or has failed
	OptedOut  int
	Expired   int
	Going     int // Matched without all these
}

// Bulk is a plan that was started.
type Bulk struct {
	ID   int64
	Plan BulkPlan
	Who  string
	Note string // why, for others to read

	State    BulkState
	Created  time.Time
	Finished time.Time // zero while it is open
	// Every notification of the plan is counted once: Changed had changed before the start,
	// Skipped are in BulkItem with the reason, Left are still to be looked at or, once it was
	// stopped, never were.
	Changed, Done, Skipped, Left int
	// Outcome is where the messages that were sent again stand now, by state; nil in a list.
	Outcome map[State]int
}

// BulkState is how far a bulk is.
type BulkState string

// How far a bulk can be. One is worked off at a time, the others wait in their order.
const (
	BulkOpen    BulkState = "open"
	BulkStopped BulkState = "stopped"
	BulkDone    BulkState = "done"
)

// BulkResult is what became of one notification of a bulk.
type BulkResult string

// What can become of one; "" = not looked at yet.
const (
	BulkItemDone    BulkResult = "done"
	BulkItemChanged BulkResult = "changed"    // it had moved on meanwhile
	BulkItemResent  BulkResult = "sent_again" // its row has a later message
	BulkItemOptOut  BulkResult = "opted_out"
	BulkItemExpired BulkResult = "expired"
	BulkItemGone    BulkResult = "gone"
)

// BulkItem is one notification of a bulk.
type BulkItem struct {
	Seq     int64
	State   State // as it was when the bulk started
	Attempt int
	Result  BulkResult
	Sent    int64 // the notification that is sent again: the same, or its next generation; 0 = none
}

// ErrBulkTooMany refuses a plan of more than a hundred thousand.
var ErrBulkTooMany = errors.New("more than 100,000 notifications match: narrow it by reason, template or time, and do one part after the other")
