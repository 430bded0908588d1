package pombo

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Progress is what a process remembers of its own going. A zero time says that
// it has not been so since the start.
type Progress struct {
	Started  time.Time
	Accepted time.Time // the last message that Blip took
	Moved    time.Time // the last end of a try, whatever it was
	Resumed  time.Time // the end of the last pause
	TakenIn  time.Time // the beginning of the last pass that saw every pending row
	// InHand is how many notifications the process has claimed and not ended, and
	// Claimed when the first of them came since the last end of a try.
	InFlight      int
	InFlightSince time.Time
	// Patience is how long rows may wait, with no try ending, until something must
	// be wrong.
	IdleLimit time.Duration

	// The last trouble with Blip; none once it has taken a message.
	Blip   Reason
	BlipAt time.Time

	// Since when each of these fails; zero = it works.
	Ledger   time.Time // claiming and recording
	Intake   time.Time // reading the pending rows
	Settling time.Time // writing results to the table

	// Pending rows that the last pass could not take in as they are, and since
	// when the first of them has been seen so.
	RejectedRows  int
	RejectedSince time.Time

	// Finished counts the rows that the last pass saw pending although they are
	// finished here: no code is written to them, and nothing will be sent.
	Finished int

	// NoReceiptsSince is since when Blip has taken messages without telling what became
	// of any of them.
	NoReceiptsSince time.Time

	// Recategorized names the templates that WhatsApp has lately moved into
	// another category.
	Recategorized []string
}

// Facts is what is known about why something goes, or does not, at one moment.
// It is the one place that judges; metrics, GET /readyz and its check of sending
// all repeat it.
type Snapshot struct {
	Now      time.Time
	Backlog  Backlog
	Pause    Pause
	Paused   bool
	Shared   bool // other processes send from the same ledger
	Progress Progress
}

// How long something may last before it is called a trouble.
const (
	longUnsent    = 5 * time.Minute  // nothing accepted though rows wait
	longUncertain = 15 * time.Minute // more than the questions to Blip take
	longUnsettled = 10 * time.Minute
	longUnheard   = time.Hour // Blip is asked 30 seconds and 5 minutes after each message
	shortTrouble  = time.Minute
)

// due says why the rows wait that could go now.
func (f Snapshot) cause() WaitReason {
	p := f.Progress
	switch {
	case f.Paused && f.Pause.Reason.WaitReason() == WaitBlip: // Blip is away, or refuses the bot
		return WaitBlip
	case f.Paused:
		return WaitPaused
	case !p.Ledger.IsZero():
		return WaitLedger
	case p.Blip != NoReason && f.lately(p.BlipAt):
		return WaitBlip
	case f.idleFor() < p.IdleLimit || f.Backlog.Ready > 0 && p.InFlight == 0 && f.Now.Sub(f.Backlog.ReadySince) < p.IdleLimit:
		return WaitRate
	}
	return WaitUnexplained
}

// still is how long no try has ended, though one could have.
func (f Snapshot) idleFor() time.Duration {
	p := f.Progress
	return f.Now.Sub(latestOf(p.Started, p.Moved, p.Resumed, p.InFlightSince))
}

// lately reports whether what Blip said then still explains that nothing goes.
func (f Snapshot) lately(t time.Time) bool {
	return f.Now.Sub(t) < max(f.Progress.IdleLimit, longUnsent)
}

func latestOf(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// Stuck reports whether rows are due or in hand, nothing goes and nothing explains
// it.
func (f Snapshot) Stuck() bool { return f.waits() && f.cause() == WaitUnexplained }

// Stalled reports whether nothing goes through a fault on this side: Stuck, or the
// ledger has not been written for a minute.
func (f Snapshot) Stalled() bool {
	return f.Stuck() || f.waits() && f.cause() == WaitLedger && f.Now.Sub(f.Progress.Ledger) >= shortTrouble
}

func (f Snapshot) waits() bool { return f.Backlog.Ready > 0 || f.Progress.InFlight > 0 }

// Waiting returns how many queued notifications wait, by why; every word has its
// count. Those that could go now share one answer. The others are told by the
// reasons of a sample of them.
func (f Snapshot) Waiting() map[WaitReason]int {
	n := make(map[WaitReason]int, len(WaitReasons()))
	for _, w := range WaitReasons() {
		n[w] = 0
	}
	ready := min(f.Backlog.Ready, f.Backlog.States[Queued])
	n[f.cause()] += ready
	sampled := 0
	for _, k := range f.Backlog.Later {
		sampled += k
	}
	// Scaled up, the largest share takes what rounding leaves over.
	later, left := f.Backlog.States[Queued]-ready, f.Backlog.States[Queued]-ready
	largest := WaitScheduled
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

// Trouble is one thing that is not as it should be.
type Alert struct {
	Name    string    // a word of a closed list
	Since   time.Time // zero = it is not known
	Count   int       // how many rows it is about; 0 = it is not about rows
	Message string
	Hint    string
}

// Troubles lists what is not as it should be, the worst first. No phone, name,
// text or secret is in it.
func (f Snapshot) Alerts() []Alert {
	var list []Alert
	add := func(name string, since time.Time, count int, todo, format string, args ...any) {
		list = append(list, Alert{name, since, count, fmt.Sprintf(format, args...), todo})
	}
	b, p := f.Backlog, f.Progress
	ago := func(t time.Time) string { return span(f.Now.Sub(t)) }
	long := func(t time.Time, d time.Duration) bool { return !t.IsZero() && f.Now.Sub(t) >= d }

	if long(p.Ledger, shortTrouble) {
		add("ledger", p.Ledger, 0, WaitLedger.Hint(), "the ledger has not been written for %s; nothing is sent meanwhile", ago(p.Ledger))
	}
	if r := f.refused(); r != NoReason {
		name := "key_refused"
		if r == AccountLimited {
			name = "account_limited"
		}
		add(name, p.BlipAt, 0, r.Hint(), "%s", r.Message())
	}
	if f.Paused && f.Pause.By == "pombo" {
		add("same_failure", time.Time{}, 0, "see its reason with pombo list --state failed, mend the cause, then pombo resume; the rows that failed are retried with pombo retry",
			"sending is paused: %s (%s)", f.Pause.Detail, f.Pause.Reason)
	}
	if t, is := f.unsent(); is {
		list = append(list, t)
	}
	if n := f.Waiting()[WaitTemplate]; n > 0 {
		add("template", time.Time{}, n, WaitTemplate.Hint(), "%s: %s", waitSentence(n), WaitTemplate.Message())
	}
	if recently := !b.WentBack.IsZero() && f.Now.Sub(b.WentBack) < time.Hour; recently {
		add("ledger_went_back", b.WentBack, b.States[Uncertain], "nothing: the rows and Blip are asked before anything of it is sent; find out why the ledger lost it",
			"%s ago it was noticed that the ledger has lost something", ago(b.WentBack))
	}
	if b.Resends > 0 {
		add("resends", b.ResendsSince, b.Resends, WaitResends.Hint(), "%s set back to pending, as when the database of the table went back; nothing of it is sent", rowsWere(b.Resends))
	}
	if long(b.UncheckedSince, 2*time.Minute) {
		add("doubts_behind", b.UncheckedSince, b.States[Uncertain], "see whether Blip answers, and whether BLIP_COMMANDS_PER_SECOND leaves room for its questions",
			"the doubt about messages is not asked about in time, for %s", ago(b.UncheckedSince))
	}
	if n := b.States[Uncertain]; n > 0 && long(b.UncertainSince, longUncertain) {
		add("uncertain", b.UncertainSince, n, "nothing with UNCERTAIN=check once Blip can be asked; else decide with retry or cancel",
			"it is not known of %s whether the message arrived, for %s", rowsOf(n), ago(b.UncertainSince))
	}
	if long(b.DueSince, longUnsettled) {
		add("settle_behind", b.DueSince, b.Due, "see to the database: the account must be able to write the mapped columns",
			"the results of %s are not yet in the table, for %s", rowsOf(b.Due), ago(b.DueSince))
	}
	if long(p.Intake, shortTrouble) {
		add("intake", p.Intake, 0, WaitSource.Hint(), "the pending rows of the table cannot be read, for %s", ago(p.Intake))
	}
	if p.RejectedRows > 0 {
		add("rejected_rows", p.RejectedSince, p.RejectedRows, "mend the rows that the log names", "%s pending in the table cannot be taken in as they are, for %s", CountRowProblems(p.RejectedRows), ago(p.RejectedSince))
	}
	if p.Finished > 0 {
		add("finished_pending", time.Time{}, p.Finished, "set STATUS_FAILED, which is for what expired and for opt-outs too; give the rows that have ended their code by hand",
			"%s pending in the table and finished here: nothing will be sent, and nobody sees that in the table", areRows(p.Finished))
	}
	if long(p.NoReceiptsSince, longUnheard) {
		add("receipts_stopped", p.NoReceiptsSince, 0, "see the log for what Blip answers when it is asked; with webhooks, see their addresses in the Blip portal",
			"messages have been accepted for %s and no receipt came", ago(p.NoReceiptsSince))
	}
	if len(p.Recategorized) > 0 {
		add("template_category", time.Time{}, 0, "see pombo templates: price, limits and opt-outs follow the category; change the text and have it approved again if it is wrong",
			"WhatsApp has moved %s into another category", strings.Join(p.Recategorized, ", "))
	}
	return list
}

// refused is why Blip refuses the bot, if that was its last word.
func (f Snapshot) refused() Reason {
	for _, r := range []Reason{f.Pause.Reason, f.Progress.Blip} {
		switch r {
		case Unauthorized, Forbidden, AccountBlocked, AccountLimited, NumberNotReady:
			if f.Paused || f.lately(f.Progress.BlipAt) {
				return r
			}
		}
	}
	return NoReason
}

// unsent tells that nothing goes though rows wait, and why; is says whether it
// is so.
func (f Snapshot) unsent() (t Alert, is bool) {
	waiting := f.Waiting()
	n := f.Backlog.States[Queued] - waiting[WaitScheduled] - waiting[WaitResends]
	since := latestOf(f.Progress.Accepted, f.Progress.Started, f.Backlog.Oldest)
	if n <= 0 || f.Now.Sub(since) < longUnsent {
		return Alert{}, false
	}
	// What most of them wait for; of equals, the first in the list.
	why := slices.MaxFunc(slices.DeleteFunc(WaitReasons(), func(w WaitReason) bool { return w == WaitScheduled || w == WaitResends }), func(a, b WaitReason) int {
		return cmp.Compare(waiting[a], waiting[b])
	})
	sentence, reason := why.Message(), NoReason
	switch {
	case f.Paused && (why == WaitPaused || why == WaitBlip):
		reason = f.Pause.Reason
		if !f.Pause.Until.IsZero() {
			sentence += " until " + f.clock(f.Pause.Until)
		}
	case why == WaitBlip:
		reason = f.Progress.Blip
	}
	if reason != NoReason {
		sentence += " (" + string(reason) + ")"
	}
	by := ""
	if f.Shared {
		by = " by this process"
	}
	sentence = fmt.Sprintf("nothing sent%s for %s while %s: %s", by, span(f.Now.Sub(since)), waitSentence(n), sentence)
	return Alert{"nothing_sent", since, n, sentence, why.Hint()}, true
}

// clock writes a time in the zone of Now, with its day when that is another one.
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

// span writes a time in the largest unit of which there are two.
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
