package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pombo"
)

// client serves the world and returns a client for it.
func (w *fixture) client(t *testing.T) *Client {
	t.Helper()
	server := httptest.NewServer(w.server)
	t.Cleanup(server.Close)
	return NewClient(server.URL+"/", token, server.Client())
}

func TestClient_RoundTrip(t *testing.T) {
	w := newFixture(t)
	c := w.client(t)
	ctx := t.Context()
	check := func(what string, err error, ok bool) {
		t.Helper()
		if err != nil || !ok {
			t.Errorf("%s: error %v, as wanted = %v", what, err, ok)
		}
	}

	ready, err := c.Ready(ctx)
	check("ready", err, ready.Ready && len(ready.Checks) == 3)
	result, err := c.Send(ctx, NoWait)
	check("send at once", err, result.State == Running && result.RunID == 7)
	run, err := c.Run(ctx, 7)
	check("run", err, run.RunID == 7 && run.Waiting == 1 && run.Started.Equal(today.Add(-time.Minute)))
	close(w.runs.end)
	result, err = c.Send(ctx, 0)
	check("send to the end", err, result.State == Finished && result.DurationMS == 1500)
	runs, err := c.Runs(ctx, 3)
	check("runs", err, len(runs) == 1 && runs[0].RunID == 7)
	list, err := c.List(ctx, pombo.Filter{State: pombo.Failed, Phone: "31 98888-0042", Text: "a&b", Run: 7, Since: today, Limit: 9, Cursor: "c+1"})
	check("list", err, len(list.Notifications) == 1 && list.NextCursor == "c2")
	if got, want := w.ledger.filter, (pombo.Filter{State: pombo.Failed, Phone: plantedPhone, Text: "a&b", Run: 7, Since: today, Limit: 9, Cursor: "c+1"}); got != want {
		t.Errorf("filter = %+v, want %+v", got, want)
	}
	story, err := c.Show(ctx, testID)
	check("show", err, story.ID == testID && len(story.Events) == 2)
	story, err = c.Retry(ctx, testID)
	check("retry", err, story.State == pombo.Queued)
	story, err = c.Cancel(ctx, testID)
	check("cancel", err, story.State == pombo.Cancelled)
	pause, err := c.Pause(ctx, today.Add(time.Hour), "stock-taking")
	check("pause", err, pause.Paused && pause.Until.Equal(today.Add(time.Hour)) && pause.Detail == "stock-taking")
	pause, err = c.Paused(ctx)
	check("paused", err, pause.Paused)
	check("resume", c.Resume(ctx), true)
	pause, err = c.Pause(ctx, time.Time{}, "")
	check("pause for good", err, pause.Paused && pause.Until.IsZero())
	hold, err := c.HoldTemplate(ctx, "aviso", today.Add(time.Hour), "ana", "link")
	check("hold", err, hold.Held && hold.Until.Equal(today.Add(time.Hour)) && hold.By == "ana" && hold.Waiting == 312 && hold.PerHour == 10)
	held, err := c.Templates(ctx)
	check("held", err, len(held) == 1 && held[0].Hold != nil && held[0].Hold.Detail == "link")
	check("release", c.ReleaseTemplate(ctx, "aviso"), true)
	templates, err := c.Templates(ctx)
	check("templates", err, len(templates) == 1 && templates[0].Name == "aviso")
	row := pombo.Row{Recipient: plantedPhone, Params: []pombo.Param{{Value: plantedName}, {Slot: pombo.HeaderText, Value: "h"}}, Template: "aviso", Priority: 2, Expires: today.Add(time.Hour)}
	n, added, err := c.Add(ctx, "k", row)
	check("add", err, added && n.State == pombo.Queued && n.Row == "k")
	_, added, err = c.Add(ctx, "k", row)
	check("add again", err, !added)
	if got := w.added["k"]; len(got.Params) != 2 || got.Params[0] != (pombo.Param{Slot: pombo.Body, Value: plantedName}) || !got.Expires.Equal(row.Expires) || got.Priority != 2 {
		t.Errorf("row = %+v, want what was given", got)
	}
	_, added, err = c.Add(ctx, "", row)
	check("add without a key", err, added)
}

func TestClient_Errors(t *testing.T) {
	w := newFixture(t)
	c := w.client(t)
	_, err := c.Run(t.Context(), 8)
	if !errors.Is(err, pombo.ErrNotFound) || err.Error() != "there is no run 8" {
		t.Errorf("error = %v, want not found with the server's sentence", err)
	}
	var problem *Error
	if !errors.As(err, &problem) || problem.Hint() == "" || problem.Problem.Status != 404 {
		t.Errorf("error = %#v, want the problem with its hint", err)
	}
	if _, err = c.Cancel(t.Context(), testID); !errors.Is(err, pombo.ErrMove) {
		t.Errorf("error = %v, want ErrMove", err)
	}
	_, _, err = c.Add(t.Context(), "", pombo.Row{Recipient: "12"})
	if !errors.As(err, &problem) || len(problem.Problem.Errors) != 1 {
		t.Errorf("error = %v, want the field", err)
	}
	w.checks["ledger"] = errors.New("database is locked")
	ready, err := c.Ready(t.Context())
	if err == nil || err.Error() != "not ready: ledger" || ready.NotReady() != "ledger" || ready.Checks[1].Detail != "database is locked" {
		t.Errorf("ready = %+v, %v, want the ledger named", ready, err)
	}
}

func TestClient_ServerUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close() // nobody listens there now
	c := NewClient("http://user:password@"+addr, token, nil)
	_, err = c.List(t.Context(), pombo.Filter{Phone: plantedPhone, Text: plantedName})
	var away *Unreachable
	if !errors.As(err, &away) {
		t.Fatalf("error = %v, want *Unreachable", err)
	}
	if !strings.Contains(away.Hint(), "pombo serve") || !strings.Contains(away.Hint(), addr) || !strings.Contains(away.Hint(), "API_URL") {
		t.Errorf("hint = %q, want pombo serve, API_URL and the address", away.Hint())
	}
	for _, secret := range []string{token, "password", "user", plantedPhone[1:], "Dores"} {
		if strings.Contains(err.Error()+away.Hint(), secret) {
			t.Errorf("error %q has %q", err.Error()+away.Hint(), secret)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if _, err = c.Run(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the deadline", err)
	}
}

func TestClient_ServerIsNotPombo(t *testing.T) {
	other := map[string]http.HandlerFunc{
		"another program": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "AirTunes", http.StatusForbidden) },
		"a login page":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"a redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
	}
	for name, h := range other {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(h)
			defer server.Close()
			_, err := NewClient(server.URL, token, server.Client()).Send(t.Context(), 0)
			var away *Unreachable
			if !errors.As(err, &away) || !strings.Contains(err.Error(), "not as Pombo does") {
				t.Errorf("error = %v, want to be told that this is not Pombo", err)
			}
		})
	}
	for _, address := range []string{"", "127.0.0.1:5000", "ftp://x", "http://", "::"} {
		_, err := NewClient(address, token, nil).Run(t.Context(), 1)
		var away *Unreachable
		if !errors.As(err, &away) || !strings.Contains(err.Error(), "http://127.0.0.1:5000") {
			t.Errorf("address %q: error = %v, want an example", address, err)
		}
	}
}

func TestClient_RoundsTheWaitUp(t *testing.T) {
	var prefer []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefer = append(prefer, r.Header.Get("Prefer"))
		_ = writeJSON(w, http.StatusOK, RunResult{})
	}))
	defer server.Close()
	c := NewClient(server.URL, "", server.Client())
	for _, wait := range []time.Duration{0, NoWait, time.Millisecond, 90 * time.Second} {
		if _, err := c.Send(t.Context(), wait); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(prefer, "|"), "|respond-async|wait=1|wait=90"; got != want {
		t.Errorf("Prefer = %q, want %q", got, want)
	}
}
