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
)

// fakeWork remembers what an operator decided.
type fakeWork struct {
	pause   *pombo.Pause
	resumed int
	runs    []pombo.Run
	joined  bool
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
func (b *bench) trail() (list []string) {
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
