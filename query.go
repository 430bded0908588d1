package pombo

import "time"

// Filter selects notifications for a list. The zero Filter selects all.
type Filter struct {
	State State     // "" = every state
	Phone string    // E.164 of one person; "" = everybody
	Text  string    // a row key, else the start of some, or an id or at least eight of its digits; "" = any
	Run   int64     // 0 = any
	Since time.Time // taken in at or after; zero = any
	Until time.Time // taken in before; zero = any
	// HandedOver selects those whose rows another channel of the company's has
	// (STATUS_FALLBACK). It goes with neither Phone nor Text.
	HandedOver bool
	// Reason and Template, "" = any, are in no index: what the other fields select is
	// read until enough of it has them. Template names what it is sent with.
	Reason   Reason
	Template string

	Limit  int    // 1 to 1000; 0 = 50
	Cursor string // from the list before; "" = from the newest
}

// Page is one page of a list.
type Page struct {
	Notifications []Notification // the newest first
	Next          string         // the cursor of those that follow; "" = there are none
	Unreadable    int            // skipped because their record cannot be read
	// LookedTo is when the last one that the list looked at was taken in: Next goes on
	// from there. Zero when there is no Next.
	LookedTo time.Time
}

// Backlog counts what is open in the ledger, for metrics and readiness.
type Backlog struct {
	States   map[State]int // only the states that can be counted cheaply: the open ones
	Parked   int           // queued ones that wait for their template
	Due      int           // settlements not yet written to the source
	Oldest   time.Time     // taking-in time of the oldest queued notification; zero = none
	Diverged int           // rows whose owner changed the status meanwhile

	Ready      int                // queued ones that may go now
	ReadySince time.Time          // since when the first of them may; zero = none
	Later      map[WaitReason]int // why the other queued ones wait, of a sample of the oldest
	// Since when, of the oldest: what is uncertain has been so, and a result has
	// been due. Zero = none.
	UncertainSince, DueSince time.Time
	// UncheckedSince is since when the first uncertain one has been due for a check;
	// zero = none is due.
	UncheckedSince time.Time
	// WentBack is when the ledger was last found to have lost something; zero = never.
	WentBack time.Time

	Resends      int       // queued resends that wait for an operator
	ResendsSince time.Time // since when there are any
}
