package ledger

import (
	"sync"
	"time"
)

// clock tells the time as the ledger keeps it, in ms: that of the database where several
// processes share it, else that of this machine.
//
// Either may be set while notifications wait. Most waits may then be a little longer or
// shorter. Only the wait of an uncertain notification, which is sent again afterwards, must
// not be shorter: the clock at its furthest ahead notes its beginning, and the clock at its
// furthest behind judges how long it has lasted. Then a clock that was wrong for a moment,
// in this process or in the one that noted the beginning, lengthens the wait by as much as
// it was wrong.
type clock struct {
	local     func() time.Time // this machine's
	ofMachine bool             // the ledger's is this machine's
	opened    time.Time        // local; with its monotonic reading

	mu     sync.Mutex
	ahead  int64 // how far the ledger's clock is ahead of the steady time, as last seen
	lately bounds
	before bounds // in the hour before lately began
}

// bounds are the least and the most that the clock was ahead from a time on.
type bounds struct {
	from        int64
	least, most int64
}

// boundsAge is how long bounds are kept apart: a clock that was set is believed after that
// time at the earliest, and after twice that time at the latest. No doubt waits longer by
// default; a call to Blip is over by then.
const boundsAge = int64(time.Hour / time.Millisecond)

func newClock(local func() time.Time, ofMachine bool) *clock {
	return &clock{local: local, ofMachine: ofMachine, opened: local()}
}

// steady is a time of this machine as if nobody had set its clock since the ledger was opened.
func (c *clock) steady(local time.Time) time.Time { return c.opened.Add(local.Sub(c.opened)) }

// look notes what the ledger's clock said when it was asked, at the time asked of this
// machine. It was read between the question and the answer, which bounds how far it is
// ahead: the clock moves no further than into these bounds. So an answer that took long,
// because this process was frozen meanwhile, does not set the clock back by that long.
func (c *clock) look(asked time.Time, says int64) {
	most, answered := says-c.steady(asked).UnixMilli(), c.steady(c.local()).UnixMilli()
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.lately == bounds{}
	c.ahead = max(says-answered, min(c.ahead, most))
	switch {
	case first:
		c.lately = bounds{answered, c.ahead, c.ahead}
		c.before = c.lately
	case answered-c.lately.from >= boundsAge:
		c.before, c.lately = c.lately, bounds{answered, c.ahead, c.ahead}
	default:
		c.lately.least, c.lately.most = min(c.lately.least, c.ahead), max(c.lately.most, c.ahead)
	}
}

// offsets returns how far the ledger's clock is ahead of the steady time, and the least and
// the most that it was within the last hour or two.
func (c *clock) offsets() (ahead, least, most int64) {
	if c.ofMachine {
		now := c.local()
		c.look(now, now.UnixMilli())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead, min(c.lately.least, c.before.least), max(c.lately.most, c.before.most)
}

// now is the time as the ledger keeps it.
func (c *clock) now() int64 {
	ahead, _, _ := c.offsets()
	return c.steady(c.local()).UnixMilli() + ahead
}

// latest is the latest that it may be: the time at which a doubt is noted to have begun.
func (c *clock) latest() int64 {
	_, _, most := c.offsets()
	return c.steady(c.local()).UnixMilli() + most
}

// toLedgerTime converts a time of this machine, such as "in five seconds", to the ledger's.
func (c *clock) toLedgerTime(t time.Time) int64 {
	ahead, _, _ := c.offsets()
	now := c.local()
	return c.steady(now).Add(t.Sub(now)).UnixMilli() + ahead
}

// toLocalTime converts a time by the ledger's clock to one of this machine, whose age
// time.Since tells even when the machine's clock was set meanwhile.
func (c *clock) toLocalTime(t time.Time) time.Time {
	ahead, _, _ := c.offsets()
	return c.convert(t, ahead)
}

// toLatestTime does so for the time at which a doubt began: time.Since tells how long it has
// lasted at least.
func (c *clock) toLatestTime(t time.Time) time.Time {
	_, least, _ := c.offsets()
	return c.convert(t, least)
}

func (c *clock) convert(t time.Time, ahead int64) time.Time {
	if t.IsZero() {
		return t
	}
	now := c.local().UTC()
	return now.Add(t.Add(-time.Duration(ahead) * time.Millisecond).Sub(c.steady(now).Round(0)))
}
