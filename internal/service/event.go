package service

import (
	"fmt"
	"slices"
	"strings"

	"pombo/internal/health"
)

// The events of Pombo's life, by their ids in the event log of Windows. Monitoring asks
// for them: they never change.
const (
	EventRunning      = 1 // it runs and answers
	EventStopped      = 2 // in order
	EventWrongSetting = 3 // with all that is wrong; it is not started again before that is changed
	EventFailed       = 4 // why; Windows starts it again
	EventUnasked      = 5 // the manager has started a Pombo that was not installed as a service
	EventFile         = 6 // the log file cannot be written, or not be rotated
	EventNotInOrder   = 7 // stopped, but not everything had ended in time
	// eventOther is an alert that has no id of its own.
	eventOther = 9
)

// alertEvent is the event of an alert: when it comes, with its level, and when it is over,
// as an information under the same id.
type alertEvent struct {
	id    uint32
	grave bool // an error, because messages do not go or rows wait for a person; else a warning
}

// alertEvents has the event of each alert of package health. New ones come at the end:
// a number is never used for something else.
var alertEvents = map[string]alertEvent{
	"ledger":            {10, true},
	"key_refused":       {11, true},
	"account_limited":   {12, true},
	"same_failure":      {13, true},
	"nothing_sent":      {14, true},
	"template":          {15, false},
	"ledger_went_back":  {16, true},
	"resends":           {17, true},
	"doubts_behind":     {18, false},
	"uncertain":         {19, false},
	"settle_behind":     {20, false},
	"intake":            {21, true},
	"rejected_rows":     {22, false},
	"finished_pending":  {23, false},
	"receipts_stopped":  {24, false},
	"events":            {25, false},
	"template_category": {26, false},
	"disk":              {27, false},
}

// Log takes events.
type Log interface {
	Info(id uint32, text string) error
	Warning(id uint32, text string) error
	Error(id uint32, text string) error
}

// maxText is what Windows takes of an event, less some room.
const maxText = 30_000

// eventText is a text as an event may have it. The event log shows line breaks.
func eventText(lines ...string) string {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return l == "" })
	text := []rune(strings.Join(lines, "\n"))
	if len(text) > maxText {
		text = append(text[:maxText], '…')
	}
	return string(text)
}

// Tell writes an event of Pombo's life. It does not report a failure: a service has
// nowhere else to report it, and the log file has the event too.
func Tell(log Log, id uint32, lines ...string) {
	text := eventText(lines...)
	switch id {
	case EventRunning, EventStopped:
		_ = log.Info(id, text)
	case EventFile, EventNotInOrder:
		_ = log.Warning(id, text)
	default:
		_ = log.Error(id, text)
	}
}

// Alerts writes an event when an alert comes and when it is over. It is not for several
// goroutines.
type Alerts struct {
	Log Log
	// Say returns an alert's two sentences: what is the matter and what to do.
	Say    func(health.Alert) (what, todo string)
	active map[string]string // what was said of them, by name
}

// Compare writes what has changed since the last call.
func (a *Alerts) Compare(now []health.Alert) {
	active := make(map[string]string, len(now))
	for _, alert := range now {
		what, todo := a.Say(alert)
		active[alert.Name] = what
		if _, known := a.active[alert.Name]; known {
			continue
		}
		event, ok := alertEvents[alert.Name]
		if !ok {
			event.id = eventOther
		}
		write := a.Log.Warning
		if event.grave {
			write = a.Log.Error
		}
		_ = write(event.id, eventText(what, todo, fmt.Sprintf("(%s)", alert.Name)))
	}
	for name, what := range a.active {
		if _, still := active[name]; still {
			continue
		}
		id := uint32(eventOther)
		if event, ok := alertEvents[name]; ok {
			id = event.id
		}
		_ = a.Log.Info(id, eventText("over: "+what, fmt.Sprintf("(%s)", name)))
	}
	a.active = active
}

// noLog drops events.
type noLog struct{}

func (noLog) Info(uint32, string) error    { return nil }
func (noLog) Warning(uint32, string) error { return nil }
func (noLog) Error(uint32, string) error   { return nil }
