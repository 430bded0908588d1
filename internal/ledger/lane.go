package ledger

import "pombo"

// A lane is a list that a notification is on because of its state. All lanes
// share one small index, by lane and then by not_before:
//
//	-3        queued, but held until a person says why so many were set back
//	-1        queued, but held for their template until they are released
//	0 to 9    queued, by priority; due ones come before those that wait
//	10        uncertain, in the order in which they are looked at
//	11 to 14  what ended badly, for people; not_before is NULL
//	(none)    everything else: in hands, or with Blip
const (
	laneGuarded    = -3 // set back with many others: see guard.go
	laneHeld       = -1
	laneUncertain  = 10
	laneFailed     = 11
	laneCancelled  = 12
	laneExpired    = 13
	laneSuppressed = 14

	// laneQueued stands, in parameters, for the lane of the priority.
	laneQueued = -2
)

// laneOf returns the lane of a state as a parameter.
func laneOf(s pombo.State) any {
	switch s {
	case pombo.Queued:
		return laneQueued
	case pombo.Uncertain:
		return laneUncertain
	case pombo.Failed:
		return laneFailed
	case pombo.Cancelled:
		return laneCancelled
	case pombo.Expired:
		return laneExpired
	case pombo.Suppressed:
		return laneSuppressed
	default:
		return nil
	}
}
