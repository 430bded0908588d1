package desk

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/health"
	"pombo/internal/phone"
)

// fakeWork remembers what an operator decided.
type fakeWork struct {
	pause   *pombo.Pause
	resumed int
	runs    []pombo.Run
	joined  bool

	problems  []pombo.RowProblem
	optOuts   []pombo.OptOut
	compared  chan struct{} // closed = a comparison may end
	compareIs error
}

func (f *fakeWork) Statements() []Statement {
	return []Statement{{"read the pending rows", "SELECT 1"}}
}
func (f *fakeWork) Executed() int64              { return 1204 }
func (f *fakeWork) Problems() []pombo.RowProblem { return f.problems }

func (f *fakeWork) compare(ctx context.Context) (pombo.Reconciliation, error) {
	select {
	case <-f.compared:
	case <-ctx.Done():
	}
	return pombo.Reconciliation{}, f.compareIs
}

func (f *fakeWork) OptOut(_ context.Context, o pombo.OptOut) error {
	f.optOuts = append(f.optOuts, o)
	return nil
}

func (f *fakeWork) OptIn(_ context.Context, n phone.Number) (bool, error) {
	before := len(f.optOuts)
	f.optOuts = slices.DeleteFunc(f.optOuts, func(o pombo.OptOut) bool { return o.Phone == n })
	return len(f.optOuts) < before, nil
}

func (f *fakeWork) OptOuts(context.Context, string, int) ([]pombo.OptOut, string, error) {
	return f.optOuts, "", nil
}

func (f *fakeWork) Pause(_ context.Context, p pombo.Pause) error { f.pause = &p; return nil }
func (f *fakeWork) Resume(context.Context) error                 { f.resumed++; return nil }

func (f *fakeWork) StartRun(context.Context) (pombo.Run, bool, error) {
	if !f.joined {
		f.runs = append(f.runs, pombo.Run{ID: int64(len(f.runs) + 1)})
	}
	return f.runs[len(f.runs)-1], f.joined, nil
}

func (f *fakeWork) Run(_ context.Context, id int64) (pombo.Run, error) {
	if id > int64(len(f.runs)) {
		return pombo.Run{}, pombo.ErrNotFound
	}
	return f.runs[id-1], nil
}

func (f *fakeWork) Runs(context.Context, int) ([]pombo.Run, error) { return f.runs, nil }

// act sends the form of a page that asks, with what is given.
func (w *browser) act(ask, post string, form url.Values) (status int, sentence string) {
	w.t.Helper()
	form.Set("once", w.once(ask))
	rec := w.ask("POST", post, form, "Accept-Language", "en")
	if rec.Code != http.StatusSeeOther {
		return rec.Code, rec.Body.String()
	}
	to := rec.Header().Get("Location")
	return rec.Code, w.ask("GET", to, nil, "Accept-Language", "en").Body.String()
}

// trail are the acts in the trail with their results and details, but for signing in.
func (b *fixture) trail() (list []string) {
	for _, e := range b.ledger.lines {
		if e.Act != audit.SignIn {
			list = append(list, strings.TrimSpace(string(e.Act)+" "+string(e.Result)+" "+e.Target+" "+e.Detail))
		}
	}
	return list
}

func TestPause(t *testing.T) {
	b := newBench(t)
	b.now = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	for _, c := range []struct{ note, until, want string }{
		{"", "", "Say why."},
		{"call (31) 98888-0001", "", "looks like a phone"},
		{strings.Repeat("x", 201), "", "200 characters at most"},
		{"maintenance", "2026-11-28T09:00", "This time is over"},
	} {
		status, text := w.act("/desk/pause", "/desk/pause", url.Values{"note": {c.note}, "until": {c.until}})
		if status != http.StatusUnprocessableEntity || !strings.Contains(text, c.want) || b.work.pause != nil {
			t.Errorf("note %q until %q: %d, paused %v, want %q", c.note, c.until, status, b.work.pause, c.want)
		}
	}
	status, text := w.act("/desk/pause", "/desk/pause", url.Values{"note": {" printer \n on fire "}, "until": {"2026-11-28T12:30"}})
	want := pombo.Pause{By: "ana", Detail: "printer on fire", Until: time.Date(2026, 11, 28, 12, 30, 0, 0, time.UTC)}
	if status != http.StatusSeeOther || b.work.pause == nil || *b.work.pause != want || !strings.Contains(text, "Sending is paused.") {
		t.Errorf("paused: %d %+v, want %+v", status, b.work.pause, want)
	}
	if got := b.trail(); !slices.Equal(got, []string{"pause done  until 2026-11-28T12:30:00Z: printer on fire"}) {
		t.Errorf("trail = %q", got)
	}
}

func TestResume(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	if rec := w.ask("GET", "/desk/resume", nil); rec.Code != http.StatusSeeOther {
		t.Errorf("nothing is paused: %d, want back to the first page", rec.Code)
	}
	b.now = b.now.Add(keepFacts)
	b.facts.snapshot = health.Snapshot{Now: b.now, Paused: true, Pause: pombo.Pause{By: "blip", Reason: pombo.Unauthorized}}
	if text := w.ask("GET", "/desk/resume", nil, "Accept-Language", "en").Body.String(); !strings.Contains(text, "Blip refused the bot: "+pombo.Unauthorized.Message()) {
		t.Error("the page does not warn that the key was refused")
	}
	status, text := w.act("/desk/resume", "/desk/resume", url.Values{})
	if status != http.StatusSeeOther || b.work.resumed != 1 || !strings.Contains(text, "Sending was resumed.") {
		t.Errorf("resumed: %d, %d times", status, b.work.resumed)
	}
	if got := b.trail(); !slices.Equal(got, []string{"resume done"}) {
		t.Errorf("trail = %q", got)
	}
}

func TestRuns(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	if text := w.ask("GET", "/desk/runs", nil, "Accept-Language", "en").Body.String(); !strings.Contains(text, "There has been no run yet.") {
		t.Error("an empty list does not say so")
	}
	if status, text := w.act("/desk/runs/new", "/desk/runs", url.Values{}); status != http.StatusSeeOther || !strings.Contains(text, "Run 1 has started.") {
		t.Errorf("started: %d %s", status, text)
	}
	b.work.joined = true
	if _, text := w.act("/desk/runs/new", "/desk/runs", url.Values{}); !strings.Contains(text, "Run 1 was under way already") {
		t.Errorf("joined: %s", text)
	}
	b.work.runs[0] = pombo.Run{ID: 1, Started: b.now.Add(-5 * time.Minute), Finished: b.now, Error: "the table went away", Tally: pombo.Tally{Found: 1204, Failed: 3}}
	for page, want := range map[string]string{"/desk/runs": "1,204", "/desk/runs/1": "the table went away"} {
		if text := w.ask("GET", page, nil, "Accept-Language", "en").Body.String(); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q", page, want)
		}
	}
	for _, page := range []string{"/desk/runs/2", "/desk/runs/0", "/desk/runs/x"} {
		if rec := w.ask("GET", page, nil); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", page, rec.Code)
		}
	}
	if got := b.trail(); !slices.Equal(got, []string{"run done", "run done"}) {
		t.Errorf("trail = %q", got)
	}
}

func TestPages_Operator(t *testing.T) {
	b := busyBench(t)
	w := b.signIn("ana")
	for _, page := range operatorPages {
		for _, lang := range []string{"pt-BR", "en"} {
			rec := w.ask("GET", page, nil, "Accept-Language", lang)
			if rec.Code != http.StatusOK || rec.Body.Len() > 60<<10 {
				t.Errorf("%s: %d, %d bytes", page, rec.Code, rec.Body.Len())
			}
			for _, bad := range []string{"style=", "onclick", "[private]", "%!", "88880001"} {
				if strings.Contains(rec.Body.String(), bad) {
					t.Errorf("%s has %q in it", page, bad)
				}
			}
		}
	}
}

func TestTable(t *testing.T) {
	b := newBench(t)
	b.account("vera", pombo.RoleViewer, 0)
	w := b.signIn("vera")
	b.work.problems = []pombo.RowProblem{{RowKey: "471102", Column: "DT_ENVIO", Message: "is not a time"}}
	b.facts.snapshot = health.Snapshot{Now: b.now, Backlog: pombo.Backlog{Due: 7, DueSince: b.now, Diverged: 3}}
	b.facts.compared = pombo.Reconciliation{Finished: b.now, Discrepancies: []pombo.Discrepancy{
		{Kind: pombo.RowGone, Key: pombo.Key{RowKey: "99"}}, {Kind: pombo.UnknownAtBlip, Key: pombo.Key{RowKey: "98"}},
	}}
	text := w.ask("GET", "/desk/table", nil, "Accept-Language", "en").Body.String()
	for _, want := range []string{"471102", "DT_ENVIO", "is not a time", "7, the oldest", "SELECT 1", "1,204 statements", pombo.RowGone.Message(), ">99<"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, ">98<") {
		t.Error("what is not about the table stands on its page")
	}
}

func TestFindings(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	page := func() string { return w.ask("GET", "/desk/findings", nil, "Accept-Language", "en").Body.String() }
	if text := page(); !strings.Contains(text, "There has been no comparison yet.") {
		t.Error("nothing was compared, and the page does not say so")
	}
	b.work.compared = make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.s.compare(ctx) }()
	for _, want := range []string{"The comparison has started.", "A comparison is under way already"} {
		if status, text := w.act("/desk/findings/new", "/desk/findings", url.Values{}); status != http.StatusSeeOther || !strings.Contains(text, want) || !strings.Contains(text, "has been under way since") {
			t.Errorf("asked for: %d, want %q", status, want)
		}
	}
	b.facts.compared = pombo.Reconciliation{Finished: b.now, Counts: map[pombo.DiscrepancyKind]int{pombo.RowGone: 60}, Discrepancies: []pombo.Discrepancy{{Kind: pombo.RowGone, Key: pombo.Key{RowKey: "99"}}}}
	close(b.work.compared)
	for since, _ := b.s.comparison.status(); !since.IsZero(); since, _ = b.s.comparison.status() {
		if t.Context().Err() != nil {
			t.Fatal("it never ends")
		}
	}
	text := page()
	for _, want := range []string{"60 ·", "99", "And 59 more"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	stop()
	<-done
	if got := b.trail(); !slices.Equal(got, []string{"reconcile done", "reconcile done"}) {
		t.Errorf("trail = %q", got)
	}
}

func TestOptOuts(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	const number = "31 98888-0001"
	if status, text := w.act("/desk/optouts/add", "/desk/optouts", url.Values{"phone": {"123"}, "scope": {"all"}}); status != http.StatusUnprocessableEntity || !strings.Contains(text, "This phone cannot be read.") {
		t.Errorf("a phone that is none: %d", status)
	}
	status, text := w.act("/desk/optouts/add", "/desk/optouts", url.Values{"phone": {number}, "scope": {"marketing"}})
	if status != http.StatusSeeOther || len(b.work.optOuts) != 1 || b.work.optOuts[0].Scope != pombo.OptOutMarketing || !strings.Contains(text, "gets no more messages") || !strings.Contains(text, "phone ending in 01") {
		t.Errorf("added: %d %v", status, b.work.optOuts)
	}
	b.work.optOuts = append(b.work.optOuts, pombo.OptOut{Identity: "zulmira@wa.gw", Scope: pombo.OptOutAll, At: b.now, By: "person"})
	pages := text + w.ask("GET", "/desk/optouts", nil).Body.String()
	if status, text := w.act("/desk/optouts/remove", "/desk/optouts/remove", url.Values{"phone": {number}, "note": {""}}); status != http.StatusUnprocessableEntity || len(b.work.optOuts) != 2 {
		t.Errorf("removed without a note: %d", status)
	} else {
		pages += text
	}
	_, text = w.act("/desk/optouts/remove", "/desk/optouts/remove", url.Values{"phone": {number}, "note": {"asked at the counter"}})
	if pages += text; len(b.work.optOuts) != 1 || !strings.Contains(text, "gets messages again") {
		t.Errorf("removed: %v", b.work.optOuts)
	}
	_, text = w.act("/desk/optouts/remove", "/desk/optouts/remove", url.Values{"phone": {number}, "note": {"again"}})
	if pages += text; !strings.Contains(text, "is not on the list") {
		t.Error("a phone that is not on the list was removed")
	}
	for _, secret := range []string{"98888", "988880001", "zulmira"} {
		if strings.Contains(pages, secret) || strings.Contains(b.log.String(), secret) {
			t.Errorf("%q stands on a page or in the log", secret)
		}
	}
	person := b.s.o.Key.Person(parsed(t, number))
	for _, e := range b.ledger.lines[1:] {
		if !slices.Equal(e.Person, person) || strings.Contains(e.Detail, "8888") {
			t.Errorf("the line of %s is about %x %q", e.Act, e.Person, e.Detail)
		}
	}
}

func parsed(t *testing.T, text string) phone.Number {
	t.Helper()
	n, err := phone.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
