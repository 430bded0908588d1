package health

import (
	"maps"
	"strings"
	"testing"
	"time"

	"pombo"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", -3*3600))

// waiting is a moment at which ten rows are due and nothing has happened for an hour.
func waiting(change func(*Snapshot)) Snapshot {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	f := Snapshot{
		Now:      noon,
		Backlog:  pombo.Backlog{States: map[pombo.State]int{pombo.Queued: 10}, Oldest: ago(time.Hour), Ready: 10, ReadySince: ago(time.Hour)},
		Progress: Progress{Started: ago(24 * time.Hour), Accepted: ago(time.Hour), Moved: ago(time.Hour), IdleLimit: 5 * time.Minute},
	}
	change(&f)
	return f
}

func TestSnapshot_WaitReasonsOfDueRows(t *testing.T) {
	for _, test := range []struct {
		why    pombo.WaitReason
		change func(*Snapshot)
	}{
		{pombo.WaitUnexplained, func(*Snapshot) {}},
		{pombo.WaitPaused, func(f *Snapshot) { f.Paused = true }},
		{pombo.WaitBlip, func(f *Snapshot) { f.Paused, f.Pause.Reason = true, pombo.Unauthorized }},
		{pombo.WaitPaused, func(f *Snapshot) { f.Paused, f.Pause.Reason = true, pombo.RateLimited }},
		{pombo.WaitLedger, func(f *Snapshot) { f.Progress.Ledger = noon }},
		{pombo.WaitBlip, func(f *Snapshot) { f.Progress.Blip, f.Progress.BlipAt = pombo.BlipUnreachable, noon.Add(-time.Minute) }},
		{pombo.WaitUnexplained, func(f *Snapshot) { f.Progress.Blip, f.Progress.BlipAt = pombo.BlipUnreachable, noon.Add(-time.Hour) }}, // long ago explains nothing
		{pombo.WaitRate, func(f *Snapshot) { f.Progress.Moved = noon.Add(-time.Second) }},
		{pombo.WaitRate, func(f *Snapshot) { f.Progress.Started = noon.Add(-time.Second) }},
		{pombo.WaitRate, func(f *Snapshot) { f.Progress.Resumed = noon.Add(-time.Second) }},
		{pombo.WaitRate, func(f *Snapshot) { f.Backlog.ReadySince = noon.Add(-time.Second) }}, // they have just become due
		{pombo.WaitRate, func(f *Snapshot) { f.Progress.IdleLimit = 2 * time.Hour }},          // a slow rate
	} {
		f := waiting(test.change)
		if got := f.Waiting()[test.why]; got != 10 {
			t.Errorf("%s: waiting = %v, want 10 for it", test.why, f.Waiting())
		}
		if got, want := f.Stuck(), test.why == pombo.WaitUnexplained; got != want {
			t.Errorf("%s: stuck = %v, want %v", test.why, got, want)
		}
	}
}

func TestSnapshot_NotStuckWithNothingDue(t *testing.T) {
	if waiting(func(f *Snapshot) { f.Backlog.Ready, f.Backlog.ReadySince = 0, time.Time{} }).Stuck() {
		t.Error("stuck, want not: no row is due")
	}
	if !waiting(func(f *Snapshot) { f.Backlog.Ready, f.Progress.InFlight = 0, 1 }).Stuck() {
		t.Error("not stuck, though a notification has been in flight for an hour")
	}
}

// A ledger that cannot be written explains that nothing goes, but the process is not
// ready.
func TestSnapshot_StalledByAnUnwritableLedger(t *testing.T) {
	for since, want := range map[time.Duration]bool{30 * time.Second: false, time.Minute: true} {
		f := waiting(func(f *Snapshot) { f.Progress.Ledger = noon.Add(-since) })
		if f.Stuck() || f.Stalled() != want {
			t.Errorf("stuck %t, stalled %t after %s, want false and %t", f.Stuck(), f.Stalled(), since, want)
		}
	}
}

func TestSnapshot_WaitingAddsUp(t *testing.T) {
	for _, test := range []struct {
		queued, ready int
		sample, want  map[pombo.WaitReason]int
	}{
		{7, 0, map[pombo.WaitReason]int{pombo.WaitBlip: 1, pombo.WaitRetry: 1}, map[pombo.WaitReason]int{pombo.WaitBlip: 4, pombo.WaitRetry: 3}},
		{1000, 100, map[pombo.WaitReason]int{pombo.WaitQuietHours: 299, pombo.WaitRetry: 1}, map[pombo.WaitReason]int{pombo.WaitQuietHours: 897, pombo.WaitRetry: 3, pombo.WaitUnexplained: 100}},
		{3, 0, nil, map[pombo.WaitReason]int{pombo.WaitScheduled: 3}},                                           // what the sample missed in between
		{2, 5, map[pombo.WaitReason]int{pombo.WaitBlip: 1}, map[pombo.WaitReason]int{pombo.WaitUnexplained: 2}}, // the counts are of two moments
	} {
		f := waiting(func(f *Snapshot) {
			f.Backlog.States[pombo.Queued], f.Backlog.Ready, f.Backlog.Later = test.queued, test.ready, test.sample
		})
		got := f.Waiting()
		if len(got) != len(pombo.WaitReasons()) {
			t.Errorf("%d words, want all %d", len(got), len(pombo.WaitReasons()))
		}
		maps.DeleteFunc(got, func(_ pombo.WaitReason, n int) bool { return n == 0 })
		if !maps.Equal(got, test.want) {
			t.Errorf("%+v: waiting = %v, want %v", test, got, test.want)
		}
	}
}

func TestAlerts(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	for _, test := range []struct {
		name   string
		change func(*Snapshot)
		want   string // "" = no such trouble
	}{
		{"nothing_sent", func(f *Snapshot) {
			f.Paused, f.Pause = true, pombo.Pause{Until: noon.Add(30 * time.Minute), Reason: pombo.RateLimited}
			f.Progress.Accepted = ago(12 * time.Minute)
		}, "nothing sent for 12 minutes while 10 rows wait: sending is paused until 12:30 (rate_limited)"},
		{"nothing_sent", func(f *Snapshot) { f.Paused, f.Pause = true, pombo.Pause{Until: noon.Add(20 * time.Hour)} },
			"nothing sent for 60 minutes while 10 rows wait: sending is paused until 2026-11-24 08:00"},
		{"nothing_sent", func(f *Snapshot) { f.Shared = true }, "nothing sent by this process for 60 minutes while 10 rows wait: nothing explains it"},
		{"nothing_sent", func(f *Snapshot) {
			f.Backlog.States[pombo.Queued], f.Backlog.Ready, f.Backlog.Later = 1, 0, map[pombo.WaitReason]int{pombo.WaitQuietHours: 1}
		}, "nothing sent for 60 minutes while 1 row waits: it is a quiet time where the people live"},
		{"nothing_sent", func(f *Snapshot) { f.Progress.Blip, f.Progress.BlipAt = pombo.BlipUnreachable, noon },
			"nothing sent for 60 minutes while 10 rows wait: Blip cannot be used (blip_unreachable)"},
		{"nothing_sent", func(f *Snapshot) {
			f.Paused, f.Pause = true, pombo.Pause{Until: noon.Add(time.Minute), Reason: pombo.Unauthorized}
		},
			"nothing sent for 60 minutes while 10 rows wait: Blip cannot be used until 12:01 (unauthorized)"},
		{"nothing_sent", func(f *Snapshot) { f.Progress.Accepted = ago(time.Minute) }, ""},
		{"nothing_sent", func(f *Snapshot) { f.Progress.Started = ago(time.Minute) }, ""}, // it has only just begun
		{"nothing_sent", func(f *Snapshot) { f.Backlog.Oldest = ago(time.Minute) }, ""},   // they have
		{"nothing_sent", func(f *Snapshot) {
			f.Backlog.Ready, f.Backlog.Later = 0, map[pombo.WaitReason]int{pombo.WaitScheduled: 9}
		}, ""},
		{"ledger", func(f *Snapshot) { f.Progress.Ledger = ago(3 * time.Minute) }, "the ledger has not been written for 3 minutes; nothing is sent meanwhile"},
		{"ledger", func(f *Snapshot) { f.Progress.Ledger = ago(3 * time.Second) }, ""},
		{"key_refused", func(f *Snapshot) { f.Paused, f.Pause = true, pombo.Pause{Reason: pombo.Unauthorized} }, "Blip refuses the key"},
		{"key_refused", func(f *Snapshot) { f.Progress.Blip, f.Progress.BlipAt = pombo.Unauthorized, noon }, "Blip refuses the key"},
		{"key_refused", func(f *Snapshot) { f.Progress.Blip, f.Progress.BlipAt = pombo.Unauthorized, ago(time.Hour) }, ""},
		{"account_limited", func(f *Snapshot) { f.Paused, f.Pause = true, pombo.Pause{Reason: pombo.AccountLimited} },
			"WhatsApp limits the account for some hours, as it does when templates are in the wrong category"},
		{"key_refused", func(f *Snapshot) { f.Paused, f.Pause = true, pombo.Pause{Reason: pombo.NumberNotReady} },
			"the bot's WhatsApp number is not registered, has no approved display name or was deleted"},
		{"same_failure", func(f *Snapshot) {
			f.Paused, f.Pause = true, pombo.Pause{By: "pombo", Reason: pombo.Unexplained, Detail: "the same failure for 20 people in a row, and nothing was delivered in between (code 139999)"}
		}, "sending is paused: the same failure for 20 people in a row, and nothing was delivered in between (code 139999) (unexplained)"},
		{"events", func(f *Snapshot) {
			f.Events = pombo.OutboxBacklog{Waiting: 3, Oldest: ago(59 * time.Minute), Answer: "500"}
		}, ""},
		{"events", func(f *Snapshot) {
			f.Events = pombo.OutboxBacklog{Waiting: 3, Oldest: ago(2 * time.Hour), Answer: "500"}
		},
			"events have not reached EVENTS_URL for 2 hours; 3 wait (last answer: 500)"},
		{"events", func(f *Snapshot) { f.Events = pombo.OutboxBacklog{Waiting: 1, Oldest: ago(time.Minute), Answer: "410"} },
			"EVENTS_URL answers that it wants no more events (410); 1 waits"},
		{"events", func(f *Snapshot) { f.Events = pombo.OutboxBacklog{GivenUp: 2} }, "EVENTS_URL has not taken 2 events for three days; they are no longer tried"},
		{"events", func(f *Snapshot) { f.Untold = true }, "another process on this ledger sends events and this one writes none: EVENTS_URL is not set here"},
		{"template_category", func(f *Snapshot) { f.Progress.Recategorized = []string{"aviso", "exame"} },
			"WhatsApp has moved aviso, exame into another category"},
		{"template", func(f *Snapshot) {
			f.Backlog.Ready, f.Backlog.Later = 7, map[pombo.WaitReason]int{pombo.WaitTemplate: 3}
		}, "3 rows wait: their template cannot be sent now"},
		{"uncertain", func(f *Snapshot) {
			f.Backlog.States[pombo.Uncertain], f.Backlog.UncertainSince = 1, ago(3*24*time.Hour)
		},
			"it is not known of 1 row whether the message arrived, for 3 days"},
		{"uncertain", func(f *Snapshot) { f.Backlog.States[pombo.Uncertain], f.Backlog.UncertainSince = 1, ago(time.Minute) }, ""},
		{"ledger_went_back", func(f *Snapshot) { f.Backlog.WentBack = ago(3 * time.Minute) }, "3 minutes ago it was noticed that the ledger has lost something"},
		{"ledger_went_back", func(f *Snapshot) { f.Backlog.WentBack = ago(2 * time.Hour) }, ""},
		{"resends", func(f *Snapshot) { f.Backlog.Resends, f.Backlog.ResendsSince = 1395, ago(time.Minute) },
			"1,395 rows were set back to pending, as when the database of the table went back; nothing of it is sent"},
		{"nothing_sent", func(f *Snapshot) { // a person has to decide, and the page says so
			f.Backlog.Ready, f.Backlog.Later = 0, map[pombo.WaitReason]int{pombo.WaitResends: 9}
		}, ""},
		{"doubts_behind", func(f *Snapshot) { f.Backlog.UncheckedSince = ago(5 * time.Minute) }, "the doubt about messages is not asked about in time, for 5 minutes"},
		{"doubts_behind", func(f *Snapshot) { f.Backlog.UncheckedSince = ago(time.Minute) }, ""},
		{"settle_behind", func(f *Snapshot) { f.Backlog.Due, f.Backlog.DueSince = 4, ago(2*time.Hour) }, "the results of 4 rows are not yet in the table, for 2 hours"},
		{"settle_behind", func(f *Snapshot) { f.Backlog.Due, f.Backlog.DueSince = 4, ago(time.Minute) }, ""},
		{"intake", func(f *Snapshot) { f.Progress.Intake = ago(90 * time.Second) }, "the pending rows of the table cannot be read, for 90 seconds"},
		{"rejected_rows", func(f *Snapshot) { f.Progress.RejectedRows, f.Progress.RejectedSince = 2, ago(time.Hour) },
			"2 rows pending in the table cannot be taken in as they are, for 60 minutes"},
		{"finished_pending", func(f *Snapshot) { f.Progress.Finished = 1 },
			"1 row is pending in the table and finished here: nothing will be sent, and nobody sees that in the table"},
		{"receipts_stopped", func(f *Snapshot) { f.Progress.NoReceiptsSince = ago(5 * time.Hour) }, "messages have been accepted for 5 hours and no receipt came"},
		{"receipts_stopped", func(f *Snapshot) { f.Progress.NoReceiptsSince = ago(time.Minute) }, ""},
	} {
		got := ""
		for _, trouble := range waiting(test.change).Alerts() {
			if trouble.Name == test.name {
				got = trouble.Message
				if trouble.Hint == "" || strings.HasSuffix(got, ".") {
					t.Errorf("%+v: want what to do, and no full stop", trouble)
				}
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAlerts_NoneWhenAllIsWell(t *testing.T) {
	if got := waiting(func(f *Snapshot) { f.Backlog = pombo.Backlog{} }).Alerts(); len(got) != 0 {
		t.Errorf("troubles = %+v, want none", got)
	}
}
