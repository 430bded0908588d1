// Package health judges why messages go, or why they do not. Metrics, GET /readyz,
// its check of sending and doctor all repeat what a Snapshot says. What people read
// comes from package words, in the language of the reader.
package health

import (
	"maps"
	"math"
	"slices"
	"time"

	"pombo"
)

// Progress is what a process remembers of its own work. A zero time means that the
// event has not happened since the process started.
type Progress struct {
	Started  time.Time
	Accepted time.Time // the last message that Blip accepted
	Moved    time.Time // the last attempt that ended, whatever its outcome
	Resumed  time.Time // the end of the last pause
	TakenIn  time.Time // the start of the last pass that saw every pending row

	// InFlight counts the notifications that the process has claimed and not
	// finished. InFlightSince is when the first of them was claimed after the last
	// attempt ended.
	InFlight      int
	InFlightSince time.Time
	// IdleLimit is how long rows may wait without any attempt ending before
	// something must be wrong.
	IdleLimit time.Duration

	// Blip is the last failure that Blip caused; NoReason once it has accepted a
	// message again.
	Blip   pombo.Reason
	BlipAt time.Time

	// Since when each of these fails; zero = it works.
	Ledger   time.Time // claiming and recording
	Intake   time.Time // reading the pending rows
	Settling time.Time // writing results to the table

	// RejectedRows counts the pending rows that the last pass could not take in,
	// and RejectedSince is when the first of them was seen.
	RejectedRows  int
	RejectedSince time.Time

	// Finished counts the rows that the last pass saw pending although they are
	// finished here: no code is written to them, and nothing will be sent.
	Finished int

	// NoReceiptsSince is since when Blip has accepted messages without one receipt
	// for any of them.
	NoReceiptsSince time.Time

	// Pace is how fast messages have gone lately.
	Pace Pace
	// PassEvery is how often somebody looks for pending rows; 0 = it is not known.
	PassEvery time.Duration

	// Recategorized names the templates that WhatsApp has recently moved to another
	// category.
	Recategorized []string
}

// Snapshot is everything that explains, at one moment, whether messages go.
type Snapshot struct {
	Now      time.Time
	Backlog  pombo.Backlog
	Pause    pombo.Pause
	Paused   bool
	Shared   bool // other processes send from the same ledger
	Progress Progress
	Events   pombo.OutboxBacklog // zero = nobody wants events, or none waits
	// Untold says that another process on the ledger sends events and this one, without
	// EVENTS_URL, writes none of what it does.
	Untold bool

	// DiskFree is the room on the disk of a ledger that is a file; nil = it is not one, or
	// cannot be asked.
	DiskFree *uint64
}

// How long something may last before it is reported as an alert.
const (
	longUnsent     = 5 * time.Minute  // nothing accepted though rows wait
	longUncertain  = 15 * time.Minute // more than the questions to Blip take
	longUnsettled  = 10 * time.Minute
	longNoReceipts = time.Hour // Blip is asked 30 seconds and 5 minutes after each message
	longUntold     = time.Hour
	shortFailure   = time.Minute

	littleRoom = 1_000_000_000 // bytes: enough for a day in which nobody looks
)

// cause returns why the rows that are due have not gone.
func (f Snapshot) cause() pombo.WaitReason {
	p := f.Progress
	switch {
	case f.Paused && f.Pause.Reason.WaitReason() == pombo.WaitBlip: // Blip is away, or refuses the bot
		return pombo.WaitBlip
	case f.Paused:
		return pombo.WaitPaused
	case !p.Ledger.IsZero():
		return pombo.WaitLedger
	case p.Blip != pombo.NoReason && f.recent(p.BlipAt):
		return pombo.WaitBlip
	case f.idleFor() < p.IdleLimit || f.Backlog.Ready > 0 && p.InFlight == 0 && f.Now.Sub(f.Backlog.ReadySince) < p.IdleLimit:
		return pombo.WaitRate
	}
	return pombo.WaitUnexplained
}

// idleFor is how long no attempt has ended although one could have.
func (f Snapshot) idleFor() time.Duration {
	p := f.Progress
	return f.Now.Sub(latestOf(p.Started, p.Moved, p.Resumed, p.InFlightSince))
}

// recent reports whether what Blip answered at t still explains that nothing goes.
func (f Snapshot) recent(t time.Time) bool {
	return f.Now.Sub(t) < max(f.Progress.IdleLimit, longUnsent)
}

func latestOf(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// Stuck reports whether rows are due or in flight, nothing goes and nothing
// explains it.
func (f Snapshot) Stuck() bool { return f.anyWaiting() && f.cause() == pombo.WaitUnexplained }

// Stalled reports whether nothing goes because of a fault on this side: it is
// Stuck, or the ledger has not been written for a minute.
func (f Snapshot) Stalled() bool {
	return f.Stuck() || f.anyWaiting() && f.cause() == pombo.WaitLedger && f.Now.Sub(f.Progress.Ledger) >= shortFailure
}

func (f Snapshot) anyWaiting() bool { return f.Backlog.Ready > 0 || f.Progress.InFlight > 0 }

// Waiting counts the queued notifications by what they wait for; every WaitReason
// has a count. Those that are due share one cause. The others are counted by the
// reasons of a sample.
func (f Snapshot) Waiting() map[pombo.WaitReason]int {
	n := make(map[pombo.WaitReason]int, len(pombo.WaitReasons()))
	for _, w := range pombo.WaitReasons() {
		n[w] = 0
	}
	ready := min(f.Backlog.Ready, f.Backlog.States[pombo.Queued])
	n[f.cause()] += ready
	sampled := 0
	for _, k := range f.Backlog.Later {
		sampled += k
	}
	// Scaled up, the largest share takes what rounding leaves over.
	later, left := f.Backlog.States[pombo.Queued]-ready, f.Backlog.States[pombo.Queued]-ready
	largest := pombo.WaitScheduled
	for _, w := range slices.Sorted(maps.Keys(f.Backlog.Later)) {
		k := f.Backlog.Later[w]
		share := int(math.Floor(float64(later) * float64(k) / float64(max(sampled, 1))))
		n[w] += share
		left -= share
		if k > f.Backlog.Later[largest] {
			largest = w
		}
	}
	n[largest] += left
	return n
}

// refused returns why Blip refuses the bot, or NoReason when it does not.
func (f Snapshot) refused() pombo.Reason {
	for _, r := range []pombo.Reason{f.Pause.Reason, f.Progress.Blip} {
		if r.Class() == pombo.ClassBot && (f.Paused || f.recent(f.Progress.BlipAt)) {
			return r
		}
	}
	return pombo.NoReason
}
