// Package health judges why messages go, or why they do not. Metrics, GET /readyz,
// its check of sending and doctor all repeat what a Snapshot says.
package health

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
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
}

// How long something may last before it is reported as an alert.
const (
	longUnsent     = 5 * time.Minute  // nothing accepted though rows wait
	longUncertain  = 15 * time.Minute // more than the questions to Blip take
	longUnsettled  = 10 * time.Minute
	longNoReceipts = time.Hour // Blip is asked 30 seconds and 5 minutes after each message
	shortFailure   = time.Minute
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

// Alert is one thing that needs attention.
type Alert struct {
	Name    string    // one of a closed list
	Since   time.Time // zero = unknown
	Count   int       // how many rows it is about; 0 = not about rows
	Message string
	Hint    string
}

// Alerts lists what needs attention, the worst first. It contains no phone, name,
// text or secret.
func (f Snapshot) Alerts() []Alert {
	var list []Alert
	add := func(name string, since time.Time, count int, todo, format string, args ...any) {
		list = append(list, Alert{name, since, count, fmt.Sprintf(format, args...), todo})
	}
	b, p := f.Backlog, f.Progress
	ago := func(t time.Time) string { return span(f.Now.Sub(t)) }
	long := func(t time.Time, d time.Duration) bool { return !t.IsZero() && f.Now.Sub(t) >= d }

	if long(p.Ledger, shortFailure) {
		add("ledger", p.Ledger, 0, pombo.WaitLedger.Hint(), "the ledger has not been written for %s; nothing is sent meanwhile", ago(p.Ledger))
	}
	if r := f.refused(); r != pombo.NoReason {
		name := "key_refused"
		if r == pombo.AccountLimited {
			name = "account_limited"
		}
		add(name, p.BlipAt, 0, r.Hint(), "%s", r.Message())
	}
	if f.Paused && f.Pause.By == "pombo" {
		add("same_failure", time.Time{}, 0, "see its reason with pombo list --state failed, fix the cause, then pombo resume; the rows that failed are retried with pombo retry",
			"sending is paused: %s (%s)", f.Pause.Detail, f.Pause.Reason)
	}
	if a, ok := f.unsent(); ok {
		list = append(list, a)
	}
	if n := f.Waiting()[pombo.WaitTemplate]; n > 0 {
		add("template", time.Time{}, n, pombo.WaitTemplate.Hint(), "%s: %s", waitSentence(n), pombo.WaitTemplate.Message())
	}
	if recently := !b.WentBack.IsZero() && f.Now.Sub(b.WentBack) < time.Hour; recently {
		add("ledger_went_back", b.WentBack, b.States[pombo.Uncertain], "nothing: the rows and Blip are asked before anything of it is sent; find out why the ledger lost it",
			"%s ago it was noticed that the ledger has lost something", ago(b.WentBack))
	}
	if b.Resends > 0 {
		add("resends", b.ResendsSince, b.Resends, pombo.WaitResends.Hint(), "%s set back to pending, as when the database of the table went back; nothing of it is sent", rowsWere(b.Resends))
	}
	if long(b.UncheckedSince, 2*time.Minute) {
		add("doubts_behind", b.UncheckedSince, b.States[pombo.Uncertain], "see whether Blip answers, and whether BLIP_COMMANDS_PER_SECOND leaves room for its questions",
			"the doubt about messages is not asked about in time, for %s", ago(b.UncheckedSince))
	}
	if n := b.States[pombo.Uncertain]; n > 0 && long(b.UncertainSince, longUncertain) {
		add("uncertain", b.UncertainSince, n, "nothing with UNCERTAIN=check once Blip can be asked; else decide with retry or cancel",
			"it is not known of %s whether the message arrived, for %s", rowsOf(n), ago(b.UncertainSince))
	}
	if long(b.DueSince, longUnsettled) {
		add("settle_behind", b.DueSince, b.Due, "check the database: the account must be able to write the mapped columns",
			"the results of %s are not yet in the table, for %s", rowsOf(b.Due), ago(b.DueSince))
	}
	if long(p.Intake, shortFailure) {
		add("intake", p.Intake, 0, pombo.WaitSource.Hint(), "the pending rows of the table cannot be read, for %s", ago(p.Intake))
	}
	if p.RejectedRows > 0 {
		add("rejected_rows", p.RejectedSince, p.RejectedRows, "correct the rows that the log names", "%s pending in the table cannot be taken in as they are, for %s", pombo.CountRowProblems(p.RejectedRows), ago(p.RejectedSince))
	}
	if p.Finished > 0 {
		add("finished_pending", time.Time{}, p.Finished, "set STATUS_FAILED, which is for what expired and for opt-outs too; give the rows that have ended their code by hand",
			"%s pending in the table and finished here: nothing will be sent, and nobody sees that in the table", areRows(p.Finished))
	}
	if long(p.NoReceiptsSince, longNoReceipts) {
		add("receipts_stopped", p.NoReceiptsSince, 0, "see the log for what Blip answers when it is asked; with webhooks, see their addresses in the Blip portal",
			"messages have been accepted for %s and no receipt came", ago(p.NoReceiptsSince))
	}
	if len(p.Recategorized) > 0 {
		add("template_category", time.Time{}, 0, "see pombo templates: price, limits and opt-outs follow the category; change the text and have it approved again if it is wrong",
			"WhatsApp has moved %s into another category", strings.Join(p.Recategorized, ", "))
	}
	return list
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

// unsent returns the alert that nothing goes although rows wait; ok is false when
// something does.
func (f Snapshot) unsent() (a Alert, ok bool) {
	waiting := f.Waiting()
	n := f.Backlog.States[pombo.Queued] - waiting[pombo.WaitScheduled] - waiting[pombo.WaitResends]
	since := latestOf(f.Progress.Accepted, f.Progress.Started, f.Backlog.Oldest)
	if n <= 0 || f.Now.Sub(since) < longUnsent {
		return Alert{}, false
	}
	// What most of them wait for; of equals, the first in the list.
	why := slices.MaxFunc(slices.DeleteFunc(pombo.WaitReasons(), func(w pombo.WaitReason) bool { return w == pombo.WaitScheduled || w == pombo.WaitResends }), func(a, b pombo.WaitReason) int {
		return cmp.Compare(waiting[a], waiting[b])
	})
	sentence, reason := why.Message(), pombo.NoReason
	switch {
	case f.Paused && (why == pombo.WaitPaused || why == pombo.WaitBlip):
		reason = f.Pause.Reason
		if !f.Pause.Until.IsZero() {
			sentence += " until " + f.clock(f.Pause.Until)
		}
	case why == pombo.WaitBlip:
		reason = f.Progress.Blip
	}
	if reason != pombo.NoReason {
		sentence += " (" + string(reason) + ")"
	}
	by := ""
	if f.Shared {
		by = " by this process"
	}
	sentence = fmt.Sprintf("nothing sent%s for %s while %s: %s", by, span(f.Now.Sub(since)), waitSentence(n), sentence)
	return Alert{"nothing_sent", since, n, sentence, why.Hint()}, true
}

// clock formats a time in the zone of Now, with the date when it is not today.
func (f Snapshot) clock(t time.Time) string {
	t = t.In(f.Now.Location())
	if t.YearDay() == f.Now.YearDay() && t.Year() == f.Now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

func rowsOf(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

func areRows(n int) string {
	if n == 1 {
		return "1 row is"
	}
	return fmt.Sprintf("%d rows are", n)
}

func rowsWere(n int) string {
	if n == 1 {
		return "1 row was"
	}
	return fmt.Sprintf("%d rows were", n)
}

func waitSentence(n int) string {
	if n == 1 {
		return "1 row waits"
	}
	return fmt.Sprintf("%d rows wait", n)
}

// span formats a duration in the largest unit of which it has at least two.
func span(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		word string
	}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if d >= 2*u.unit {
			return fmt.Sprintf("%d %s", d/u.unit, u.word)
		}
	}
	return fmt.Sprintf("%d seconds", max(0, d/time.Second))
}
