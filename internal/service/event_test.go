package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pombo/internal/health"
)

// fakeLog keeps events as "level id text".
type fakeLog struct{ events []string }

func (l *fakeLog) note(level string, id uint32, text string) error {
	l.events = append(l.events, fmt.Sprintf("%s %d %s", level, id, strings.ReplaceAll(text, "\n", " | ")))
	return nil
}

func (l *fakeLog) Info(id uint32, text string) error    { return l.note("info", id, text) }
func (l *fakeLog) Warning(id uint32, text string) error { return l.note("warning", id, text) }
func (l *fakeLog) Error(id uint32, text string) error   { return l.note("error", id, text) }

func TestAlerts_WhatComesAndWhatIsOver(t *testing.T) {
	t.Parallel()
	log := &fakeLog{}
	alerts := Alerts{Log: log, Say: func(a health.Alert) (string, string) { return a.Message, a.Hint }}
	key := health.Alert{Name: "key_refused", Message: "the key is refused", Hint: "change it"}
	waits := health.Alert{Name: "uncertain", Message: "1 is uncertain"}
	for _, now := range [][]health.Alert{nil, {key}, {key, waits}, {key, waits}, {waits}, nil, {{Name: "new_one", Message: "x"}}, nil} {
		alerts.Compare(now)
	}
	want := []string{
		"error 11 the key is refused | change it | (key_refused)",
		"warning 19 1 is uncertain | (uncertain)",
		"info 11 over: the key is refused | (key_refused)",
		"info 19 over: 1 is uncertain | (uncertain)",
		"warning 9 x | (new_one)",
		"info 9 over: x | (new_one)",
	}
	if !slices.Equal(log.events, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(log.events, "\n"), strings.Join(want, "\n"))
	}
}

// Every alert has an event, and every event is one of EventCreate.exe, which has the ids
// from 1 to 1000.
func TestAlerts_EachHasAnEvent(t *testing.T) {
	t.Parallel()
	used := map[uint32]string{}
	for _, name := range health.AlertNames() {
		e, ok := alertEvents[name]
		if !ok {
			t.Errorf("the alert %s has no event: give it the next number", name)
		}
		if other, twice := used[e.id]; twice || e.id < 10 || e.id > 1000 {
			t.Errorf("the alert %s has the id %d (%s)", name, e.id, other)
		}
		used[e.id] = name
	}
	if len(alertEvents) != len(used) {
		t.Errorf("%d events for %d alerts", len(alertEvents), len(used))
	}
}

func TestTell(t *testing.T) {
	t.Parallel()
	log := &fakeLog{}
	Tell(log, EventRunning, "runs", "", "API: x")
	Tell(log, EventWrongSetting, "wrong")
	Tell(log, EventNotInOrder, "late")
	Tell(log, EventFailed, strings.Repeat("ç", maxText+5))
	if want := []string{"info 1 runs | API: x", "error 3 wrong", "warning 7 late"}; !slices.Equal(log.events[:3], want) {
		t.Errorf("events = %q, want %q", log.events[:3], want)
	}
	if got := len([]rune(log.events[3])); got > maxText+20 {
		t.Errorf("an event of %d characters", got)
	}
}
