package ledgertest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/test/nightly"
)

// told is what an event says of a notification.
type told struct {
	Type    pombo.EventType
	State   pombo.State
	Reason  pombo.Reason
	Attempt int
	At      time.Time
}

// outboxComplete checks that each change of state in each history, and each row that was handed
// over, has its event, once, in their order. It runs after every case of the suite. By day it
// passes over most of the thousands that a case may leave in the queue untouched.
func (f *fixture) outboxComplete() {
	f.Helper()
	got := map[pombo.Key][]told{}
	ids := map[string]bool{}
	for _, e := range f.allEvents(pombo.EventFilter{}) {
		if ids[e.ID()] {
			f.Errorf("the id %s is there twice", e.ID())
		}
		ids[e.ID()] = true
		if _, isState := pombo.EventOf("", e.State); isState && e.Type != pombo.EventReply {
			got[e.Key] = append(got[e.Key], told{e.Type, e.State, e.Reason, e.Attempt, e.At})
		}
	}
	untouched := 0
	filter := pombo.Filter{Limit: 1000}
	for more := true; more; more = filter.Cursor != "" {
		page, err := f.db.History.List(f.Context(), filter)
		f.must(err)
		filter.Cursor = page.Next
		for _, n := range page.Notifications {
			if n.State == pombo.Queued && n.Attempt == 0 {
				if untouched++; untouched > 500 && untouched%nightly.Or(1, 100) != 0 {
					continue
				}
			}
			_, history, err := f.db.History.Notification(f.Context(), n.MessageID)
			f.must(err)
			if diff := cmp.Diff(toldOf(history, got[n.Key]), got[n.Key]); diff != "" {
				f.Errorf("events of %v (-history +outbox):\n%s", n.Key, diff)
			}
		}
	}
}

// toldOf returns the events that a history must have. Of one that was rebuilt, which is put in
// whole, the first event is how it stood then: that is an entry of the history, and what came
// before it is not told.
func toldOf(history []pombo.Event, got []told) (want []told) {
	before := pombo.State("")
	if history[0].Reason == pombo.Recovered && len(got) > 0 {
		stood := slices.IndexFunc(history, func(e pombo.Event) bool {
			return e.State == got[0].State && e.Reason == got[0].Reason && e.Attempt == got[0].Attempt && e.At.Equal(got[0].At)
		})
		history = history[max(stood, 0):]
	}
	for _, e := range history {
		if e.Reason == pombo.HandedOver {
			want = append(want, told{pombo.EventHandedOver, e.State, e.Reason, e.Attempt, e.At})
		}
		if t, ok := pombo.EventOf(before, e.State); ok {
			want = append(want, told{t, e.State, e.Reason, e.Attempt, e.At})
		}
		before = e.State
	}
	return want
}

func (f *fixture) allEvents(filter pombo.EventFilter) (all []pombo.OutboxEvent) {
	f.Helper()
	filter.Limit = 1000
	for {
		page, err := f.db.Outbox.List(f.Context(), filter)
		f.must(err)
		all = append(all, page.Events...)
		if filter.Cursor = page.Next; page.Next == "" {
			return all
		}
	}
}

func (f *fixture) dueEvents() []pombo.OutboxEvent {
	f.Helper()
	list, err := f.db.Outbox.DueEvents(f.Context(), 100)
	f.must(err)
	return list
}

func (f *fixture) dueTypes() (types []pombo.EventType) {
	f.Helper()
	for _, e := range f.dueEvents() {
		types = append(types, e.Type)
	}
	return types
}

// eventsInOrder: the next event of a row waits for the one before; others do not.
func eventsInOrder(f *fixture) {
	first, _ := f.bring(pombo.Read)
	f.pass(time.Second)
	f.bring(pombo.Failed)
	f.same("due at first", []pombo.EventType{pombo.EventAccepted, pombo.EventFailed}, f.dueTypes())

	e := f.dueEvents()[0]
	f.must(f.db.Outbox.Postpone(f.Context(), e, "500", f.clock.Now().Add(time.Minute)))
	f.same("due while one is put off", []pombo.EventType{pombo.EventFailed}, f.dueTypes())
	f.pass(time.Minute)
	again := f.dueEvents()[1]
	if again.ID() != e.ID() || again.Tries != 1 || again.Answer != "500" || again.Tried.IsZero() {
		f.Errorf("the event at its second try: %+v, want that of %+v", again, e)
	}
	if again.Key.MessageID() != first || again.Template != usual {
		f.Errorf("the event is about %s and %q, want %s and the usual template", again.Key.MessageID(), again.Template, first)
	}
	f.must(f.db.Outbox.Acknowledge(f.Context(), again, "204"))
	f.must(f.db.Outbox.Acknowledge(f.Context(), again, "204"))
	f.same("due after the first", []pombo.EventType{pombo.EventFailed, pombo.EventRead}, f.dueTypes())
	f.must(f.db.Outbox.Acknowledge(f.Context(), f.dueEvents()[0], "200"))
	f.must(f.db.Outbox.Acknowledge(f.Context(), f.dueEvents()[0], "200"))
	b, err := f.db.Outbox.Backlog(f.Context())
	f.must(err)
	f.same("backlog", pombo.OutboxBacklog{}, b)
}

// eventsGivenUp: what is given up holds back its row alone, until it is replayed.
func eventsGivenUp(f *fixture) {
	since := f.clock.Now()
	f.bring(pombo.Delivered)
	f.pass(time.Minute)
	f.bring(pombo.Failed)
	f.must(f.db.Outbox.GiveUp(f.Context(), f.dueEvents()[0], "500"))
	f.same("due beside what was given up", []pombo.EventType{pombo.EventFailed}, f.dueTypes())
	b, err := f.db.Outbox.Backlog(f.Context())
	f.must(err)
	f.same("backlog", pombo.OutboxBacklog{Waiting: 1, Oldest: f.clock.Now(), GivenUp: 2}, b)
	f.must(f.db.Outbox.Acknowledge(f.Context(), f.dueEvents()[0], "200"))
	f.same("due then", 0, len(f.dueEvents()))

	n, err := f.db.Outbox.Replay(f.Context(), time.Time{})
	f.must(err)
	f.same("replayed", 2, n)
	f.same("due after the replay", []pombo.EventType{pombo.EventAccepted}, f.dueTypes())
	f.must(f.db.Outbox.Postpone(f.Context(), f.dueEvents()[0], "500", f.clock.Now().Add(time.Hour)))
	n, err = f.db.Outbox.Replay(f.Context(), since.Add(time.Second))
	f.must(err)
	f.same("replayed since a time", 1, n)
	types := f.dueTypes()
	slices.Sort(types)
	f.same("due after the second replay", []pombo.EventType{pombo.EventAccepted, pombo.EventFailed}, types)
	f.same("those of one type", 1, len(f.allEvents(pombo.EventFilter{Type: pombo.EventFailed})))
	f.same("those that happened later", 1, len(f.allEvents(pombo.EventFilter{Since: since.Add(time.Second)})))
}

// eventsLeave: what was acknowledged leaves after its time, what was given up later.
func eventsLeave(f *fixture) {
	f.bring(pombo.Accepted)
	f.bring(pombo.Failed)
	f.bring(pombo.Suppressed)
	due := f.dueEvents()
	f.must(f.db.Outbox.Acknowledge(f.Context(), due[0], "200"))
	f.must(f.db.Outbox.GiveUp(f.Context(), due[1], "500"))
	day := 24 * time.Hour
	for _, test := range []struct {
		pass          time.Duration
		removed, left int
	}{{day, 0, 3}, {7 * day, 1, 2}, {90 * day, 1, 1}} {
		f.pass(test.pass)
		n, err := f.db.Outbox.Retire(f.Context(), 7*day, 90*day)
		f.must(err)
		if left := len(f.allEvents(pombo.EventFilter{})); n != test.removed || left != test.left {
			f.Errorf("after %v: removed %d and left %d, want %d and %d", test.pass, n, left, test.removed, test.left)
		}
	}
	f.quietOutbox = true // what is left has no event
}

// eventsOfAlerts: an alert is raised once and cleared once, by whichever process.
func eventsOfAlerts(f *fixture) {
	compare := func(names ...string) {
		f.Helper()
		var active []pombo.ActiveAlert
		for _, name := range names {
			active = append(active, pombo.ActiveAlert{Name: name, Message: "rows wait", Hint: "look"})
		}
		f.must(f.db.Outbox.CompareAlerts(f.Context(), active))
	}
	compare("uncertain")
	compare("uncertain", "template")
	f.pass(time.Minute)
	compare("template")
	f.pass(90 * time.Second)
	compare("template")
	compare("template")
	f.pass(time.Hour)
	compare("uncertain")
	var told []string
	for _, e := range f.allEvents(pombo.EventFilter{}) {
		told = append(told, string(e.Type)+" "+e.Stream)
	}
	f.same("told", []string{"alert.raised alert:uncertain", "alert.raised alert:template", "alert.cleared alert:uncertain",
		"alert.raised alert:uncertain", "alert.cleared alert:template"}, told)
}

// eventsOfTemplates: the first list is how things stand; what differs from it is told.
func eventsOfTemplates(f *fixture) {
	save := func(list ...pombo.Template) {
		f.Helper()
		f.must(f.db.Templates.SaveTemplates(f.Context(), list))
		f.pass(time.Minute)
	}
	aviso := pombo.Template{Name: "aviso", Language: "pt_BR", Status: "APPROVED", Category: "UTILITY", Body: "Oi {{1}}"}
	save(aviso)
	save(aviso)
	paused := aviso
	paused.Status = "PAUSED"
	save(paused)
	moved := paused
	moved.Category = "MARKETING"
	save(moved, pombo.Template{Name: "exame", Language: "pt_BR", Status: "APPROVED"})
	moved.Body = "Olá {{1}}"
	save(moved)
	var told []string
	for _, e := range f.allEvents(pombo.EventFilter{Type: pombo.EventTemplate}) {
		told = append(told, e.Template+" "+string(e.Extra))
	}
	f.same("told", []string{
		`aviso {"language":"pt_BR","changes":["status"],"status":"PAUSED","category":"UTILITY","previous_status":"APPROVED"}`,
		`aviso {"language":"pt_BR","changes":["category"],"status":"PAUSED","category":"MARKETING","previous_category":"UTILITY"}`,
		`exame {"language":"pt_BR","changes":["added"],"status":"APPROVED","category":""}`,
		`aviso {"language":"pt_BR","changes":["content"],"status":"PAUSED","category":"MARKETING"}`,
	}, told)
}

// eventsOfReplies: the event of a reply has nothing of what was written.
func eventsOfReplies(f *fixture) {
	id, _ := f.bring(pombo.Delivered)
	_, err := f.db.Replies.Take(f.Context(), []pombo.Inbound{
		{ID: "in-1", Identity: "5531988880000@wa.gw.msging.net", Kind: pombo.ReplyButton, Text: "Confirmar", RepliesTo: []pombo.MessageID{id}, At: f.clock.Now()},
		{ID: "in-2", Identity: "nobody@wa.gw.msging.net", Kind: pombo.ReplyText, Text: "oi", At: f.clock.Now()},
	})
	f.must(err)
	list := f.allEvents(pombo.EventFilter{Type: pombo.EventReply})
	if len(list) != 1 || list[0].Key.MessageID() != id || list[0].Template != usual || list[0].State != pombo.Delivered {
		f.Fatalf("events of replies: %+v", list)
	}
	f.same("what it says", `{"reply":1,"kind":"button","counts":true}`, string(list[0].Extra))
}

// eventsOff: a ledger of which nobody wants events writes none.
func eventsOff(f *fixture) {
	f.close()
	f.quietOutbox = true
	f.open()
	f.bring(pombo.Read)
	f.bring(pombo.Failed)
	f.must(f.db.Outbox.CompareAlerts(f.Context(), []pombo.ActiveAlert{{Name: "template"}}))
	f.same("events", 0, len(f.allEvents(pombo.EventFilter{})))
}
