package ledgertest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// listsByReason covers the fields of a filter that no index has.
func listsByReason(f *fixture) {
	var failed []pombo.MessageID
	var taken []time.Time
	for i := range 12 {
		f.pass(time.Minute)
		rows := f.newRows(1)
		rows[0].Template = []string{"", "exame", "fatura"}[i%3]
		id := f.enqueue(0, rows...)[0]
		reason := pombo.ParameterFormat
		if i%2 == 1 {
			reason = pombo.NotOnWhatsApp
		}
		n := f.claimOne(me)
		f.finish(f.begin(n), pombo.Failed, reason)
		failed, taken = append(failed, id), append(taken, f.clock.Now())
	}
	f.queue(3)
	all := func(filter pombo.Filter) (got []int) {
		f.Helper()
		for range 100 {
			page, err := f.db.History.List(f.Context(), filter)
			f.must(err)
			for _, n := range page.Notifications {
				for i, id := range failed {
					if id == n.MessageID {
						got = append(got, i)
					}
				}
			}
			if page.Next == "" {
				if !page.LookedTo.IsZero() {
					f.Errorf("the last page has looked to %v", page.LookedTo)
				}
				return got
			}
			filter.Cursor = page.Next
		}
		f.Fatalf("%+v does not end", filter)
		return nil
	}
	for name, test := range map[string]struct {
		filter pombo.Filter
		want   []int
	}{
		"a reason":                             {pombo.Filter{Reason: pombo.NotOnWhatsApp}, []int{11, 9, 7, 5, 3, 1}},
		"a reason, in pages":                   {pombo.Filter{Reason: pombo.NotOnWhatsApp, Limit: 2}, []int{11, 9, 7, 5, 3, 1}},
		"a reason and a state":                 {pombo.Filter{Reason: pombo.ParameterFormat, State: pombo.Failed, Limit: 1}, []int{10, 8, 6, 4, 2, 0}},
		"a reason and another state":           {pombo.Filter{Reason: pombo.ParameterFormat, State: pombo.Queued}, nil},
		"a reason of a state that most end in": {pombo.Filter{Reason: pombo.ParameterFormat, State: pombo.Delivered}, nil},
		"a template":                           {pombo.Filter{Template: "exame", State: pombo.Failed}, []int{10, 7, 4, 1}},
		"the usual template":                   {pombo.Filter{Template: usual, State: pombo.Failed}, []int{9, 6, 3, 0}},
		"both":                                 {pombo.Filter{Template: "fatura", Reason: pombo.NotOnWhatsApp}, []int{11, 5}},
		"both, and a row":                      {pombo.Filter{Template: "fatura", Reason: pombo.NotOnWhatsApp, Text: "row-"}, []int{11, 5}},
		"until":                                {pombo.Filter{Until: taken[2]}, []int{1, 0}},
		"from and until":                       {pombo.Filter{Since: taken[1], Until: taken[3], State: pombo.Failed}, []int{2, 1}},
		"from, until and a reason":             {pombo.Filter{Since: taken[1], Until: taken[5], Reason: pombo.NotOnWhatsApp}, []int{3, 1}},
	} {
		if diff := cmp.Diff(test.want, all(test.filter)); diff != "" {
			f.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	page, err := f.db.History.List(f.Context(), pombo.Filter{State: pombo.Failed, Limit: 4})
	f.must(err)
	if got, want := page.LookedTo, taken[8]; !got.Equal(want) {
		f.Errorf("looked to %v, want %v", got, want)
	}
	if _, err := f.db.History.List(f.Context(), pombo.Filter{Reason: "because"}); err == nil {
		f.Error("a reason that there is not is listed")
	}
}

// listOfStates covers lists of several states at once, in pages of any size.
func listOfStates(f *fixture) {
	var want []pombo.MessageID // the newest first
	for i := range 20 {
		id := f.enqueue(0, f.newRows(1)...)[0]
		if i%4 == 3 { // stays in the queue
			f.must(f.db.Operator.Cancel(f.Context(), id))
		} else {
			f.finish(f.begin(f.claimOne(me)), []pombo.State{pombo.Accepted, pombo.Failed, pombo.Uncertain}[i%3], pombo.NoReason)
		}
		if n := f.get(id); n.State != pombo.Failed {
			want = append([]pombo.MessageID{id}, want...)
		}
	}
	for _, limit := range []int{1, 3, 50} {
		var got []pombo.MessageID
		filter := pombo.Filter{Limit: limit}
		for range 100 {
			page, err := f.db.History.ListStates(f.Context(), filter, pombo.Cancelled, pombo.Accepted, pombo.Uncertain)
			f.must(err)
			if len(page.Notifications) > limit {
				f.Errorf("%d on a page, want %d at most", len(page.Notifications), limit)
			}
			for _, n := range page.Notifications {
				got = append(got, n.MessageID)
			}
			if filter.Cursor = page.Next; filter.Cursor == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			f.Errorf("in pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	page, err := f.db.History.ListStates(f.Context(), pombo.Filter{Limit: 50})
	f.must(err)
	if len(page.Notifications) != 20 {
		f.Errorf("of no state in particular %d, want 20", len(page.Notifications))
	}
}

// listBounded: a list that finds nothing stops after 20,000, and goes on from there.
func listBounded(f *fixture) {
	const rows = 21_000
	list := f.newRows(rows)
	var second, newest pombo.MessageID
	for len(list) > 0 {
		ids := f.enqueue(0, list[:3000]...)
		if second == "" {
			second = ids[1]
		}
		newest = ids[len(ids)-1]
		list = list[3000:]
		f.pass(time.Second)
	}
	for _, state := range []pombo.State{"", pombo.Queued, pombo.Delivered} {
		filter := pombo.Filter{State: state, Template: "nobody"}
		page, err := f.db.History.List(f.Context(), filter)
		f.must(err)
		if len(page.Notifications) != 0 || page.Next == "" || !page.LookedTo.Equal(f.clock.Now().Add(-7*time.Second)) {
			f.Fatalf("state %q: %d found, next %q, looked to %v at %v", state, len(page.Notifications), page.Next, page.LookedTo, f.clock.Now())
		}
		filter.Cursor = page.Next
		page, err = f.db.History.List(f.Context(), filter)
		f.must(err)
		if len(page.Notifications) != 0 || page.Next != "" {
			f.Errorf("state %q, the rest: %d found, next %q", state, len(page.Notifications), page.Next)
		}
	}

	// Of two states the one has an index and the other is walked through: what the one
	// finds beyond where the other has stopped belongs on the next page.
	oldest := f.claim(me, 1)[0]
	f.finish(f.begin(oldest), pombo.Accepted, pombo.NoReason)
	f.must(f.db.Operator.Cancel(f.Context(), second))
	f.must(f.db.Operator.Cancel(f.Context(), newest))
	var got []pombo.MessageID
	filter := pombo.Filter{}
	for pages := 1; ; pages++ {
		page, err := f.db.History.ListStates(f.Context(), filter, pombo.Cancelled, pombo.Accepted)
		f.must(err)
		for _, n := range page.Notifications {
			got = append(got, n.MessageID)
		}
		if filter.Cursor = page.Next; filter.Cursor == "" || pages == 9 {
			break
		}
	}
	if diff := cmp.Diff([]pombo.MessageID{newest, second, oldest.MessageID}, got); diff != "" {
		f.Errorf("of two states (-want +got):\n%s", diff)
	}
}

func templateVersions(f *fixture) {
	old := pombo.Template{Name: "exame", Language: "pt_BR", Status: "APPROVED", Category: "UTILITY", Body: "Olá, {{1}}!", Buttons: []pombo.Button{{Kind: "URL", Text: "Ver"}}}
	other := pombo.Template{Name: "fatura", Language: "pt_BR", Status: "APPROVED", Body: "Fatura"}
	begin := f.clock.Now()
	at := func(when time.Time, want string) {
		f.Helper()
		got, known, err := f.db.Templates.TemplateAt(f.Context(), "exame", "pt_BR", when)
		f.must(err)
		if known != (want != "") || got.Body != want {
			f.Errorf("at %v: %q, known %v; want %q", when.Sub(begin), got.Body, known, want)
		}
	}
	at(begin, "")
	f.must(f.db.Templates.SaveTemplates(f.Context(), []pombo.Template{old, other}))
	paused := old
	paused.Status, paused.Updated = "PAUSED", begin
	f.pass(30 * time.Minute)
	f.must(f.db.Templates.SaveTemplates(f.Context(), []pombo.Template{paused, other})) // looks the same
	changed := old
	changed.Body = "Bom dia, {{1}}!"
	f.pass(30 * time.Minute)
	f.must(f.db.Templates.SaveTemplates(f.Context(), []pombo.Template{changed, other}))
	f.pass(time.Hour)
	f.must(f.db.Templates.SaveTemplates(f.Context(), []pombo.Template{old, other})) // and back again
	f.close()
	f.open()
	at(begin.Add(-time.Second), "")
	at(begin, old.Body)
	at(begin.Add(59*time.Minute), old.Body)
	at(begin.Add(time.Hour), changed.Body)
	at(begin.Add(119*time.Minute), changed.Body)
	at(begin.Add(100*time.Hour), old.Body)
	got, known, err := f.db.Templates.TemplateAt(f.Context(), "exame", "", begin.Add(time.Minute))
	f.must(err)
	if diff := cmp.Diff(old, got); !known || diff != "" {
		f.Errorf("the first version, known %v (-want +got):\n%s", known, diff)
	}
	versions, err := f.db.Templates.TemplateVersions(f.Context(), "exame", "pt_BR")
	f.must(err)
	var seen []string
	for _, v := range versions {
		seen = append(seen, fmt.Sprint(v.Body, " ", v.FirstSeen.Sub(begin)))
	}
	if diff := cmp.Diff([]string{"Olá, {{1}}! 2h0m0s", "Bom dia, {{1}}! 1h0m0s", "Olá, {{1}}! 0s"}, seen); diff != "" {
		f.Errorf("versions (-want +got):\n%s", diff)
	}
	versions, err = f.db.Templates.TemplateVersions(f.Context(), "fatura", "pt_BR")
	f.must(err)
	if len(versions) != 1 || !versions[0].LastSeen.Equal(begin.Add(2*time.Hour)) {
		f.Errorf("versions of a template that stays: %+v", versions)
	}
}

func templateHolds(f *fixture) {
	held := func(want ...pombo.TemplateHold) {
		f.Helper()
		got, err := f.db.Templates.HeldTemplates(f.Context())
		f.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			f.Fatalf("held (-want +got):\n%s", diff)
		}
	}
	held()
	begin := f.clock.Now()
	exame := pombo.TemplateHold{Template: "exame", Who: "ana", Note: "texto errado", At: begin}
	fatura := pombo.TemplateHold{Template: "fatura", At: begin, Until: begin.Add(time.Hour)}
	f.must(f.db.Templates.HoldTemplate(f.Context(), exame))
	f.must(f.db.Templates.HoldTemplate(f.Context(), fatura))
	held(exame, fatura)
	f.close()
	f.open()
	held(exame, fatura)
	f.pass(time.Minute)
	exame.At, exame.Note = f.clock.Now(), "chamado 1234"
	f.must(f.db.Templates.HoldTemplate(f.Context(), exame))
	held(exame, fatura)
	f.pass(time.Hour)
	held(exame)
	for name, want := range map[string]bool{"fatura": false, "nobody": false, "exame": true} {
		released, err := f.db.Templates.ReleaseTemplate(f.Context(), name)
		f.must(err)
		if released != want {
			f.Errorf("%s released: %v, want %v", name, released, want)
		}
	}
	held()
	if err := f.db.Templates.HoldTemplate(f.Context(), pombo.TemplateHold{}); err == nil || !strings.Contains(err.Error(), "name") {
		f.Errorf("a hold of no template: %v", err)
	}
}

func templateReach(f *fixture) {
	now := f.clock.Now()
	rows := f.newRows(8)
	for i := range rows {
		rows[i].Template = []string{"", "exame"}[i%2]
		rows[i].Expires = now.Add(time.Duration(i+1) * time.Hour)
	}
	ids := f.enqueue(0, rows...)
	f.must(f.db.Operator.Cancel(f.Context(), ids[1]))
	reach := func(template string, until time.Time) pombo.TemplateReach {
		f.Helper()
		r, err := f.db.Templates.TemplateReach(f.Context(), template, until)
		f.must(err)
		return r
	}
	day := 24 * time.Hour
	for name, test := range map[string]struct{ got, want pombo.TemplateReach }{
		"a template":    {reach("exame", now.Add(5*time.Hour)), pombo.TemplateReach{Waiting: 3, Expiring: 1, Arrived: 4, Within: day}},
		"without end":   {reach("exame", time.Time{}), pombo.TemplateReach{Waiting: 3, Expiring: 3, Arrived: 4, Within: day}},
		"the usual one": {reach(usual, now.Add(5*time.Hour)), pombo.TemplateReach{Waiting: 4, Expiring: 2, Arrived: 4, Within: day}},
		"none":          {reach("nobody", now), pombo.TemplateReach{Within: day}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			f.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f.pass(day + time.Minute)
	if r := reach("exame", time.Time{}); r.Arrived != 0 || r.Waiting != 3 {
		f.Errorf("a day later: %+v", r)
	}
}
