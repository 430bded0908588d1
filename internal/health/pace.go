package health

import (
	"math"
	"time"

	"pombo"
	"pombo/internal/words"
)

// Pace is how fast messages went in the last minutes, of this process alone.
type Pace struct {
	// Over is how long it was measured: five minutes at most, and no longer than
	// messages have been going without a break.
	Over     time.Duration
	Attempts int // that ended
	Ended    int // of those, the ones that have left the queue
	Accepted int // of those, the ones that Blip has accepted
	// TakenIn is how many come in a second, if they keep coming: the lower rate of the
	// two halves of the last five minutes. One large batch is not a stream.
	TakenIn float64
}

const (
	slot     = 10 * time.Second
	slots    = 30 // five minutes
	maxBreak = 3  // that many slots without an attempt end a run of them
)

// meter counts by slots of ten seconds.
type meter [slots]counts

type counts struct {
	slot                      int64 // since 1970
	first                     time.Time
	attempts, ended, accepted int
	takenIn                   int
}

// at returns the counts of now, empty if they are the first of their slot.
func (m *meter) at(now time.Time) *counts {
	n := now.UnixNano() / int64(slot)
	c := &m[n%slots]
	if c.slot != n {
		*c = counts{slot: n}
	}
	return c
}

func (c *counts) count(now time.Time, to pombo.State) {
	if c.attempts == 0 {
		c.first = now
	}
	c.attempts++
	if to != pombo.Queued {
		c.ended++
	}
	if to == pombo.Accepted {
		c.accepted++
	}
}

// pace sums up the slots since the last break.
func (m *meter) pace(now time.Time) (p Pace) {
	n := now.UnixNano() / int64(slot)
	var halves [2]int
	idle, running := 0, true
	for back := range int64(slots) {
		c := m[(n-back)%slots]
		if c.slot != n-back {
			c = counts{}
		}
		halves[back/(slots/2)] += c.takenIn
		if c.attempts == 0 {
			idle++
			running = running && idle < maxBreak
		}
		if c.attempts == 0 || !running {
			continue
		}
		idle = 0
		p.Over = now.Sub(c.first)
		p.Attempts += c.attempts
		p.Ended += c.ended
		p.Accepted += c.accepted
	}
	p.TakenIn = float64(min(halves[0], halves[1])) / (slot * slots / 2).Seconds()
	return p
}

const (
	fewest   = 20              // fewer messages than that foretell nothing
	shortest = 5 * time.Second // and so does less time
	margin   = 0.1             // rates that differ by less are the same
)

// measured reports whether the pace is known well enough to name it.
func (p Pace) measured(messages int) bool { return messages >= fewest && p.Over >= shortest }

// forecast says what becomes of left messages in the queue if all goes on as it
// does; the zero Phrase when that is unknown. It ignores rows that have not been taken
// in, and messages whose time comes later.
func (p Pace) forecast(now time.Time, left int) words.Phrase {
	rate := float64(p.Ended) / p.Over.Seconds()
	switch net := rate - p.TakenIn; {
	case p.Ended == 0 && p.measured(p.Attempts):
		return words.Phrase{Key: "forecast.still"}
	case !p.measured(p.Ended):
		return words.Phrase{}
	case net < -margin*rate:
		return words.Phrase{Key: "forecast.grows", Args: []any{-net}}
	case net <= margin*rate:
		return words.Phrase{}
	default:
		return words.Phrase{Key: "forecast.done", Args: []any{words.Clock{At: doneAt(now, float64(left)/net), Now: now}}}
	}
}

// doneAt is so many seconds from now, rounded up as coarsely as it is far away.
func doneAt(now time.Time, seconds float64) time.Time {
	d := time.Duration(math.Min(seconds, 30*24*3600) * float64(time.Second))
	step := 15 * time.Minute
	switch {
	case d < 15*time.Minute:
		step = time.Minute
	case d < 2*time.Hour:
		step = 5 * time.Minute
	}
	return now.Add(d + step - 1).Truncate(step)
}

// Shrinks returns how many messages a second the queue loses, what comes in taken off;
// ok is false when that is not known, or it does not shrink.
func (p Pace) Shrinks() (perSecond float64, ok bool) {
	if !p.measured(p.Ended) {
		return 0, false
	}
	rate := float64(p.Ended) / p.Over.Seconds()
	net := rate - p.TakenIn
	return net, net > margin*rate
}
