package pombo

import (
	"math/bits"
	"time"
)

// Cell counts the notifications that were taken in within one hour and agree in
// template, state and reason. It has no personal data, so it outlives them.
type Cell struct {
	Hour     time.Time // its start, UTC
	Template string    // "" = the configured template
	State    State     // at the last count
	Reason   Reason
	N        int
}

// UnknownTemplate stands in a Cell for the template of a notification whose message was
// erased on demand or cannot be read. WhatsApp gives no template such a name.
const UnknownTemplate = "?"

// Leg is a part of a message's way whose time is counted.
type Leg uint8

// The legs. A leg is counted when both of its ends are known: receipts may skip a step.
const (
	LegAccepted  Leg = iota + 1 // from taking in to the first acceptance by Blip
	LegDelivered                // from there to the handset
	LegRead                     // from there to being read
)

// Legs lists every leg in the order of the way.
func Legs() []Leg { return []Leg{LegAccepted, LegDelivered, LegRead} }

// String returns the state in which the leg ends.
func (l Leg) String() string {
	switch l {
	case LegAccepted:
		return string(Accepted)
	case LegDelivered:
		return string(Delivered)
	case LegRead:
		return string(Read)
	default:
		return ""
	}
}

// Latency counts the notifications of one hour and template that took about as long
// for a leg: more than 2^(Bucket-1) ms and at most 2^Bucket.
type Latency struct {
	Hour     time.Time // its start, UTC
	Template string
	Leg      Leg
	Bucket   int
	N        int
}

// LatencyBucket returns the bucket of a time. A negative one, as clocks that were set
// yield, is none.
func LatencyBucket(d time.Duration) int {
	ms := (d + time.Millisecond - 1).Milliseconds()
	if ms <= 1 {
		return 0
	}
	return bits.Len64(uint64(ms - 1))
}

// Counted says how far the tallies have come.
type Counted struct {
	At    time.Time // the current hour was last counted then; zero = never
	Late  time.Time // a count of the last days began then; zero = never
	Whole time.Time // a count of all hours began then; zero = never
	// Final is the first hour that is still counted: RETENTION has begun on those
	// before, which stay as they are. Zero = all are.
	Final time.Time
	Since time.Time // the first hour that has a Cell; zero = none has
}
