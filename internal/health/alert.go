package health

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/words"
)

// AlertNames lists the names of all alerts. Others keep them: monitoring asks for them.
func AlertNames() []string {
	return []string{
		"ledger", "key_refused", "account_limited", "same_failure", "nothing_sent", "template", "ledger_went_back", "resends", "doubts_behind",
		"uncertain", "settle_behind", "intake", "rejected_rows", "finished_pending", "receipts_stopped", "events", "template_category", "disk",
	}
}

// Alert is one thing that needs attention. Message and Hint are in English, for the
// log; What and Todo are the same, to be said in any language by words.Words.Say.
type Alert struct {
	Name          string    // one of a closed list
	Since         time.Time // zero = unknown
	Count         int       // how many rows it is about; 0 = not about rows
	Message, Hint string
	What, Todo    words.Phrase
}

func alert(name string, since time.Time, count int, todo, what words.Phrase) Alert {
	en := words.In(words.English)
	return Alert{name, since, count, en.Say(what), en.Say(todo), what, todo}
}

// say is short for a phrase.
func say(key string, args ...any) words.Phrase { return words.Phrase{Key: key, Args: args} }

// it says a word of a closed list as it is.
func it(word any) words.Phrase { return say("said.it", word) }

// LedgerSilent is the alert where there is no Snapshot, because the ledger does not answer.
func LedgerSilent() Alert {
	return alert("ledger", time.Time{}, 0, it(words.WaitHint(pombo.WaitLedger)), LedgerAway().What)
}

// Alerts lists what needs attention, the worst first. It contains no phone, name,
// text or secret.
func (f Snapshot) Alerts() []Alert {
	var list []Alert
	add := func(name string, since time.Time, count int, todo words.Phrase, key string, args ...any) {
		list = append(list, alert(name, since, count, todo, say(key, args...)))
	}
	b, p := f.Backlog, f.Progress
	ago := f.Now.Sub

	if long(f.Now, p.Ledger, shortFailure) {
		add("ledger", p.Ledger, 0, it(words.WaitHint(pombo.WaitLedger)), "alert.ledger", ago(p.Ledger))
	}
	if f.DiskFree != nil && *f.DiskFree < littleRoom {
		add("disk", time.Time{}, 0, say("alert.disk.hint"), "alert.disk", strconv.FormatUint(*f.DiskFree/1_000_000, 10))
	}
	if r := f.refused(); r != pombo.NoReason {
		name := "key_refused"
		if r == pombo.AccountLimited {
			name = "account_limited"
		}
		add(name, p.BlipAt, 0, it(words.Hint(r)), "said.it", r)
	}
	if f.Paused && f.Pause.By == "pombo" {
		add("same_failure", time.Time{}, 0, say("alert.same_failure.hint"), "alert.same_failure", f.Pause.Detail, string(f.Pause.Reason))
	}
	if a, ok := f.unsent(); ok {
		list = append(list, a)
	}
	if n := f.Waiting()[pombo.WaitTemplate]; n > 0 {
		add("template", time.Time{}, n, it(words.WaitHint(pombo.WaitTemplate)), "alert.template", n, pombo.WaitTemplate)
	}
	if recently := !b.WentBack.IsZero() && ago(b.WentBack) < time.Hour; recently {
		add("ledger_went_back", b.WentBack, b.States[pombo.Uncertain], say("alert.ledger_went_back.hint"), "alert.ledger_went_back", ago(b.WentBack))
	}
	if b.Resends > 0 {
		add("resends", b.ResendsSince, b.Resends, it(words.WaitHint(pombo.WaitResends)), "alert.resends", b.Resends)
	}
	if long(f.Now, b.UncheckedSince, 2*time.Minute) {
		add("doubts_behind", b.UncheckedSince, b.States[pombo.Uncertain], say("alert.doubts_behind.hint"), "alert.doubts_behind", ago(b.UncheckedSince))
	}
	if n := b.States[pombo.Uncertain]; n > 0 && long(f.Now, b.UncertainSince, longUncertain) {
		add("uncertain", b.UncertainSince, n, say("alert.uncertain.hint"), "alert.uncertain", n, ago(b.UncertainSince))
	}
	if long(f.Now, b.DueSince, longUnsettled) {
		add("settle_behind", b.DueSince, b.Due, say("alert.settle_behind.hint"), "alert.settle_behind", b.Due, ago(b.DueSince))
	}
	if long(f.Now, p.Intake, shortFailure) {
		add("intake", p.Intake, 0, it(words.WaitHint(pombo.WaitSource)), "alert.intake", ago(p.Intake))
	}
	if p.RejectedRows > 0 {
		key := "alert.rejected_rows"
		if p.RejectedRows >= pombo.MostRowProblems {
			key = "alert.rejected_rows_many"
		}
		add("rejected_rows", p.RejectedSince, p.RejectedRows, say("alert.rejected_rows.hint"), key, p.RejectedRows, ago(p.RejectedSince))
	}
	if p.Finished > 0 {
		add("finished_pending", time.Time{}, p.Finished, say("alert.finished_pending.hint"), "alert.finished_pending", p.Finished)
	}
	if long(f.Now, p.NoReceiptsSince, longNoReceipts) {
		add("receipts_stopped", p.NoReceiptsSince, 0, say("alert.receipts_stopped.hint"), "alert.receipts_stopped", ago(p.NoReceiptsSince))
	}
	switch e := f.Events; {
	case e.GivenUp > 0:
		add("events", e.Oldest, 0, say("alert.events_given_up.hint"), "alert.events_given_up", e.GivenUp)
	case e.Answer == pombo.EventAnswerGone:
		add("events", e.Oldest, 0, say("alert.events_gone.hint"), "alert.events_gone", e.Waiting)
	case long(f.Now, e.Oldest, longUntold):
		add("events", e.Oldest, 0, say("alert.events.hint"), "alert.events", ago(e.Oldest), e.Waiting, e.Answer)
	}
	if len(p.Recategorized) > 0 {
		add("template_category", time.Time{}, 0, say("alert.template_category.hint"), "alert.template_category", strings.Join(p.Recategorized, ", "))
	}
	return list
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
	why := most(waiting, slices.DeleteFunc(pombo.WaitReasons(), func(w pombo.WaitReason) bool { return w == pombo.WaitScheduled || w == pombo.WaitResends }))
	cause, reason := it(why), pombo.NoReason
	switch {
	case f.Paused && (why == pombo.WaitPaused || why == pombo.WaitBlip):
		reason = f.Pause.Reason
		if !f.Pause.Until.IsZero() {
			cause = say("said.until", why, f.at(f.Pause.Until))
		}
	case why == pombo.WaitBlip:
		reason = f.Progress.Blip
	}
	if reason != pombo.NoReason {
		cause = say("said.reason", cause, string(reason))
	}
	key := "alert.nothing_sent"
	if f.Shared {
		key = "alert.nothing_sent_here"
	}
	return alert("nothing_sent", since, n, it(words.WaitHint(why)), say(key, f.Now.Sub(since), n, cause)), true
}
