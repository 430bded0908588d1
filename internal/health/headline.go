package health

import (
	"cmp"
	"slices"
	"time"

	"pombo"
	"pombo/internal/words"
)

// Level says how bad a headline is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // somebody should know about it
	Bad  Level = "bad"  // messages do not go, and somebody has to act
)

// HeadlineName says what a headline is about. The list is closed.
type HeadlineName string

// The headlines, in the order in which Headline looks for them.
const (
	HeadlineLedger      HeadlineName = "ledger" // it cannot be written, or does not answer
	HeadlineRefused     HeadlineName = "key_refused"
	HeadlinePaused      HeadlineName = "paused"
	HeadlineBlip        HeadlineName = "blip"
	HeadlineStuck       HeadlineName = "stuck"
	HeadlineSource      HeadlineName = "source" // the table cannot be read
	HeadlineNobodyCalls HeadlineName = "nobody_calls"
	HeadlineEvents      HeadlineName = "events" // the company's systems are not told what happens
	HeadlineIdle        HeadlineName = "idle"
	HeadlineSending     HeadlineName = "sending"
	HeadlineTemplate    HeadlineName = "template" // all of the queue waits for a template
	HeadlineQuiet       HeadlineName = "quiet"    // or for the end of a quiet time
	HeadlineWaiting     HeadlineName = "waiting"  // or for something else
)

// HeadlineNames lists them all.
func HeadlineNames() []HeadlineName {
	return []HeadlineName{HeadlineLedger, HeadlineRefused, HeadlinePaused, HeadlineBlip, HeadlineStuck, HeadlineSource,
		HeadlineNobodyCalls, HeadlineEvents, HeadlineIdle, HeadlineSending, HeadlineTemplate, HeadlineQuiet, HeadlineWaiting}
}

// Headline is the one sentence that says whether messages go, and if not, why. It
// contains no phone, name, text or secret, unless the operator who paused has written
// one into the note.
type Headline struct {
	Name  HeadlineName
	Level Level
	What  words.Phrase // its sentence, to be said by words.Words.Say
}

func headline(name HeadlineName, level Level, key string, args ...any) Headline {
	return Headline{name, level, words.Phrase{Key: key, Args: args}}
}

// LedgerAway is the headline when there is no Snapshot, because the ledger does not
// answer.
func LedgerAway() Headline { return headline(HeadlineLedger, Bad, "headline.ledger_away") }

// patience is how long Blip may accept nothing before its last failure is the
// headline, and longUncalled how long nobody may look for rows.
const (
	patience     = 30 * time.Second
	longUncalled = 20 * time.Minute
)

// Headline returns the first that holds of the list of HeadlineNames.
func (f Snapshot) Headline() Headline {
	b, p := f.Backlog, f.Progress
	queued := b.States[pombo.Queued]
	open := queued + b.States[pombo.Claimed] + b.States[pombo.Sending]
	unsent := latestOf(p.Started, p.Accepted)
	refused := f.refused()
	switch {
	case long(f.Now, p.Ledger, shortFailure):
		return headline(HeadlineLedger, Bad, "headline.ledger", f.Now.Sub(p.Ledger))
	case refused != pombo.NoReason:
		return headline(HeadlineRefused, Bad, "headline.key_refused", f.at(unsent), refused, f.resumes())
	case f.Paused && f.cause() == pombo.WaitPaused:
		return f.paused()
	case open > 0 && f.cause() == pombo.WaitBlip && (f.Paused || f.Now.Sub(unsent) >= patience):
		return headline(HeadlineBlip, Bad, "headline.blip", f.at(unsent), cmp.Or(f.Pause.Reason, p.Blip), open)
	case f.Stuck():
		return headline(HeadlineStuck, Bad, "headline.stuck", max(b.Ready, p.InFlight), f.idleFor())
	case !f.anyWaiting() && long(f.Now, p.Intake, shortFailure):
		return headline(HeadlineSource, Bad, "headline.source", f.Now.Sub(p.Intake), queued)
	case !f.anyWaiting() && f.uncalled():
		return headline(HeadlineNobodyCalls, Warn, "headline.nobody_calls", f.Now.Sub(latestOf(p.Started, p.TakenIn)))
	case f.Events.GivenUp > 0 || f.Events.Answer == pombo.EventAnswerGone:
		return headline(HeadlineEvents, Warn, "headline.events", f.Events.GivenUp+f.Events.Waiting, queued)
	case open == 0:
		return headline(HeadlineIdle, OK, "headline.idle", f.lastPass())
	case f.anyWaiting() || queued == 0:
		return f.sending(queued)
	default:
		return f.later(queued)
	}
}

func (f Snapshot) at(t time.Time) words.Clock { return words.Clock{At: t, Now: f.Now} }

func (f Snapshot) resumes() words.Phrase {
	if f.Pause.Until.IsZero() {
		return words.Phrase{}
	}
	return words.Phrase{Key: "pause.resumes", Args: []any{f.at(f.Pause.Until)}}
}

// paused says who has paused all sending, why and until when.
func (f Snapshot) paused() Headline {
	level, by := Warn, words.Phrase{Key: "pause.person", Args: []any{f.Pause.By}}
	switch f.Pause.By {
	case "operator", "":
		by = words.Phrase{Key: "pause.operator"}
	case "blip":
		by = words.Phrase{Key: "pause.blip"}
	case "pombo":
		level, by = Bad, words.Phrase{Key: "pause.pombo"}
	}
	var why words.Phrase
	switch {
	case f.Pause.Reason != pombo.NoReason:
		why = words.Phrase{Key: "pause.reason", Args: []any{f.Pause.Reason}}
	case f.Pause.Detail != "":
		why = words.Phrase{Key: "pause.note", Args: []any{f.Pause.Detail}}
	}
	until := words.Phrase{Key: "pause.open"}
	if !f.Pause.Until.IsZero() {
		until = words.Phrase{Key: "pause.until", Args: []any{f.at(f.Pause.Until)}}
	}
	return headline(HeadlinePaused, level, "headline.paused", by, why, until)
}

// uncalled reports whether rows should have been looked for and were not. Of
// processes that share a ledger another one may have done it.
func (f Snapshot) uncalled() bool {
	return !f.Shared && f.Now.Sub(latestOf(f.Progress.Started, f.Progress.TakenIn)) >= max(longUncalled, 3*f.Progress.PassEvery)
}

func (f Snapshot) lastPass() words.Phrase {
	p := f.Progress
	switch {
	case p.TakenIn.IsZero() && f.Shared:
		return words.Phrase{}
	case p.TakenIn.IsZero():
		return words.Phrase{Key: "pass.never", Args: []any{f.at(p.Started)}}
	case p.PassEvery >= time.Minute && p.TakenIn.Add(p.PassEvery).After(f.Now):
		return words.Phrase{Key: "pass.next", Args: []any{f.at(p.TakenIn), f.at(p.TakenIn.Add(p.PassEvery))}}
	default:
		return words.Phrase{Key: "pass.last", Args: []any{f.at(p.TakenIn)}}
	}
}

// sending says how fast messages go and, where this process sends alone, what
// becomes of the queue.
func (f Snapshot) sending(queued int) Headline {
	pace := f.Progress.Pace
	if !pace.measured(pace.Attempts) {
		return headline(HeadlineSending, OK, "headline.sending_slowly", queued)
	}
	rate := float64(pace.Accepted) / pace.Over.Seconds()
	var forecast words.Phrase
	if !f.Shared {
		forecast = pace.forecast(f.Now, f.Backlog.Ready+f.Backlog.States[pombo.Claimed]+f.Backlog.States[pombo.Sending])
	}
	switch forecast.Key {
	case "":
		return headline(HeadlineSending, OK, "headline.sending", rate, queued)
	case "forecast.done":
		return headline(HeadlineSending, OK, "headline.sending_forecast", rate, queued, forecast)
	default:
		return headline(HeadlineSending, Warn, "headline.sending_forecast", rate, queued, forecast)
	}
}

// later says what the queued notifications wait for when none of them may go now.
func (f Snapshot) later(queued int) Headline {
	waiting := f.Waiting()
	switch n := queued - waiting[pombo.WaitScheduled]; {
	case n > 0 && waiting[pombo.WaitTemplate] == n:
		return headline(HeadlineTemplate, Warn, "headline.template", n)
	case n > 0 && waiting[pombo.WaitQuietHours] == n:
		return headline(HeadlineQuiet, OK, "headline.quiet", n)
	}
	level := OK
	if waiting[pombo.WaitResends] > 0 {
		level = Warn
	}
	return headline(HeadlineWaiting, level, "headline.waiting", queued, most(waiting, pombo.WaitReasons()))
}

// most returns what most notifications wait for; of equals, the first in the list.
func most(waiting map[pombo.WaitReason]int, list []pombo.WaitReason) pombo.WaitReason {
	return slices.MaxFunc(list, func(a, b pombo.WaitReason) int { return cmp.Compare(waiting[a], waiting[b]) })
}

// long reports whether something that began at t, if at all, has lasted for d.
func long(now, t time.Time, d time.Duration) bool { return !t.IsZero() && now.Sub(t) >= d }
