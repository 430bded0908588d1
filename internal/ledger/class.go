package ledger

import "pombo"

// A queue class is a list that a notification is on because of its state; the column is
// called lane. All classes share one small index, by class and then by not_before:
//
//	-3        queued, but stopped until an operator says why so many were set back
//	-1        queued, but parked for their template until they are released
//	0 to 9    queued, by priority; due ones come before those that wait
//	10        uncertain, in the order in which they are checked
//	11 to 14  what ended badly, for people; not_before is NULL
//	(none)    everything else: claimed, being sent, or with Blip
const (
	classGuarded    = -3 // set back with many others: see guard.go
	classParked     = -1
	classUncertain  = 10
	classFailed     = 11
	classCancelled  = 12
	classExpired    = 13
	classSuppressed = 14

	// classOfPriority stands, in parameters, for the class of the notification's priority.
	classOfPriority = -2
)

// classOf returns the queue class of a state as a parameter.
func classOf(s pombo.State) any {
	switch s {
	case pombo.Queued:
		return classOfPriority
	case pombo.Uncertain:
		return classUncertain
	case pombo.Failed:
		return classFailed
	case pombo.Cancelled:
		return classCancelled
	case pombo.Expired:
		return classExpired
	case pombo.Suppressed:
		return classSuppressed
	default:
		return nil
	}
}

// Why the source is owed nothing for a notification (the column settle), besides a
// pombo.SettleResult.
const (
	settleNone = "none" // it has no row, or a later generation has settled
	// settleResent: it was sent again, and the next generation settles.
	settleResent = "resent"
	// settleWithdrawn: the row's owner changed its status before anything was sent. Set back
	// to pending, the row is a new generation, as after a settlement.
	settleWithdrawn = "taken_back"
	// settleFallback: its row was handed over to another channel. It is owed that code and
	// nothing after it.
	settleFallback = "fallback"
)
