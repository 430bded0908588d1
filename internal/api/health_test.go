package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
)

func TestReadiness_NamesWhatIsNotReady(t *testing.T) {
	w := newFixture(t)
	w.checks["source"] = errors.New("no route to host")
	w.checks["blip"] = &pombo.Error{Reason: pombo.Unauthorized, Code: 401}
	rec := w.ask("GET", "/readyz", "")
	checkStatus(t, rec, http.StatusServiceUnavailable)
	got := decode[notReady](t, rec)
	if got.Ready || got.Detail != "not ready: source, blip" || got.NotReady() != "source, blip" {
		t.Errorf("readiness = %+v, want source and blip named", got)
	}
	if got.Checks[0].Detail != "no route to host" || !got.Checks[1].OK || !strings.Contains(got.Hint, "KEYBLIP") {
		t.Errorf("readiness = %+v, want details and hint", got)
	}
	if got.Backlog == nil || got.Backlog.States[pombo.Queued] != 3 {
		t.Errorf("backlog = %+v, want it told", got.Backlog)
	}
}

func TestReadiness_TellsOnlyNamesWithoutToken(t *testing.T) {
	w := newFixture(t)
	w.checks["source"] = errors.New("no route to db.internal")
	rec := w.ask("GET", "/readyz", "", "Authorization", "")
	checkStatus(t, rec, http.StatusServiceUnavailable)
	got := decode[notReady](t, rec)
	if strings.Contains(rec.Body.String(), "db.internal") || got.Backlog != nil || got.Pause != nil {
		t.Errorf("answer = %s, want names only", rec.Body)
	}
	if got.NotReady() != "source" || len(got.Checks) != 3 {
		t.Errorf("checks = %+v, want all three by name", got.Checks)
	}
	// What one caller may not see must not be gone for the next.
	if full := decode[notReady](t, w.ask("GET", "/readyz", "")); full.Checks[0].Detail == "" {
		t.Errorf("checks = %+v, want the detail for the token", full.Checks)
	}
}

func TestReadiness_ReadyWhilePaused(t *testing.T) {
	w := newFixture(t)
	w.ledger.pause = &pombo.Pause{Until: today.Add(time.Hour), By: "blip", Reason: pombo.RateLimited}
	rec := w.ask("GET", "/readyz", "")
	checkStatus(t, rec, http.StatusOK)
	if p := decode[Readiness](t, rec).Pause; p == nil || !p.Paused || p.Message == "" {
		t.Errorf("pause = %+v, want it told", p)
	}
}

func TestChecker_SharesItsAnswerAmongProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked int
		var err error
		h := newChecker(t.Context(), []Check{{"blip", func(context.Context) error { asked++; time.Sleep(time.Second); return err }}}, time.Now)
		var probes sync.WaitGroup
		for range 20 {
			probes.Go(func() { h.read() })
		}
		probes.Wait()
		if asked != 1 {
			t.Errorf("asked %d times by 20 probes at once, want once", asked)
		}
		time.Sleep(freshReady - time.Millisecond)
		h.read()
		if asked != 1 {
			t.Errorf("asked %d times while fresh, want once", asked)
		}
		time.Sleep(time.Millisecond)
		err = errors.New("no")
		if h.read(); asked != 2 {
			t.Errorf("asked %d times after that, want twice", asked)
		}
		time.Sleep(freshNot)
		if h.read(); asked != 3 {
			t.Errorf("asked %d times after a bad result, want soon again", asked)
		}
	})
}

func TestChecker_RunsChecksTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) error { time.Sleep(time.Second); return nil }
		h := newChecker(t.Context(), []Check{{"a", slow}, {"b", slow}, {"c", slow}}, time.Now)
		begun := time.Now()
		if r := h.read(); !r.Ready {
			t.Errorf("readiness = %+v, want ready", r)
		}
		if got := time.Since(begun); got != time.Second {
			t.Errorf("took %s, want 1s", got)
		}
	})
}

// A driver that does not obey its context must not hang the probe, pile up
// sessions, or outlive the server unseen.
func TestChecker_LeavesACheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping, stop := context.WithCancel(t.Context())
		defer stop()
		var begun atomic.Int32
		release := make(chan struct{})
		h := newChecker(stopping, []Check{
			{"source", func(context.Context) error { begun.Add(1); <-release; return nil }},
			{"ledger", func(context.Context) error { time.Sleep(time.Second); return nil }},
			{"blip", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		}, time.Now)
		start := time.Now()
		r := h.read()
		if got := time.Since(start); got > checkTime+checkGrace {
			t.Errorf("took %s, want at most %s", got, checkTime+checkGrace)
		}
		if r.NotReady() != "source, blip" || !strings.Contains(r.Checks[0].Detail, "no answer within 2s") {
			t.Errorf("readiness = %+v, want source and blip without answer", r)
		}
		time.Sleep(time.Minute)
		if h.read(); begun.Load() != 1 {
			t.Errorf("check begun %d times while the first goes on, want once", begun.Load())
		}
		stop()
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.wait(soon); err == nil || !strings.Contains(err.Error(), "source") {
			t.Errorf("wait = %v, want to be told of the check", err)
		}
		close(release)
		if err := h.wait(t.Context()); err != nil {
			t.Errorf("wait after the check = %v", err)
		}
	})
}

func TestReadiness_TellsWhyNothingIsSent(t *testing.T) {
	w := newFixture(t)
	w.ledger.pause = &pombo.Pause{Until: today.Add(32 * time.Minute), By: "blip", Reason: pombo.RateLimited}
	rec := w.ask("GET", "/readyz", "")
	checkStatus(t, rec, http.StatusOK)
	got := decode[Readiness](t, rec)
	if got.Backlog.Waiting[pombo.WaitPaused] != 2 || got.Backlog.Waiting[pombo.WaitRetry] != 1 || !got.Backlog.ReadySince.Equal(today) {
		t.Errorf("backlog = %+v, want two that wait for the pause and one for its try", got.Backlog)
	}
	want := "nothing sent for 12 minutes while 3 rows wait: sending is paused until 10:32 (rate_limited)"
	if len(got.Alerts) != 1 || got.Alerts[0].Name != "nothing_sent" || got.Alerts[0].Message != want || got.Alerts[0].Hint == "" {
		t.Errorf("troubles = %+v, want %q", got.Alerts, want)
	}
	if rec := w.ask("GET", "/readyz", "", "Authorization", ""); strings.Contains(rec.Body.String(), "alerts") {
		t.Errorf("answer without the token = %s, want no troubles", rec.Body)
	}
}
