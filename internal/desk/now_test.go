package desk

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/health"
	"pombo/internal/tally"
)

// fakeFacts are what the desk knows; a zero one is a new ledger in which nothing waits.
type fakeFacts struct {
	mu       sync.Mutex
	snapshot health.Snapshot
	today    tally.Today
	compared pombo.Reconciliation
	fail     error
	asked    int
}

func (f *fakeFacts) Health(context.Context) (health.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.snapshot, f.fail
}

func (f *fakeFacts) Today(context.Context) (tally.Today, error) { return f.today, f.fail }

func (f *fakeFacts) LastReconciliation(context.Context) (pombo.Reconciliation, error) {
	if f.compared.Finished.IsZero() {
		return f.compared, pombo.ErrNotFound
	}
	return f.compared, f.fail
}

func TestHeadline_OnEveryPage(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleAdmin, 0)
	w := b.signIn("ana")
	b.facts.snapshot = health.Snapshot{Now: b.now, Paused: true, Pause: pombo.Pause{By: "ana", Detail: "printer on fire"}}
	for _, page := range []string{"/desk/", "/desk/me", "/desk/users", "/desk/nowhere"} {
		body := w.ask("GET", page, nil, "Accept-Language", "en").Body.String()
		if !strings.Contains(body, `role="status"`) || !strings.Contains(body, "Sending was paused by ana: “printer on fire”.") {
			t.Errorf("%s does not say that sending is paused", page)
		}
	}
	asked, lines := b.facts.asked, len(b.ledger.lines)
	for _, page := range []string{"/desk/", "/desk/me", "/desk/nowhere"} {
		rec := w.ask("GET", page, nil, "Accept-Language", "en", partHeader, "headline")
		if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Body.String(), `<div class="headline warn"`) {
			t.Errorf("the part of %s: %d %q", page, rec.Code, rec.Body)
		}
	}
	if b.facts.asked != asked || len(b.ledger.lines) != lines {
		t.Errorf("asked %d times more within 2 s, and %d lines in the trail; want none", b.facts.asked-asked, len(b.ledger.lines)-lines)
	}
	b.now = b.now.Add(keepFacts)
	b.facts.fail = errors.New("away")
	if rec := w.ask("GET", "/desk/", nil, "Accept-Language", "en"); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "The ledger does not answer") {
		t.Errorf("with the ledger away: %d %s", rec.Code, rec.Body)
	}
	b.ledger.fail = errors.New("away")
	if rec := w.ask("GET", "/desk/", nil, "Accept-Language", "en"); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "The ledger does not answer") {
		t.Errorf("with the sessions away too: %d %s", rec.Code, rec.Body)
	}
	if rec := w.ask("GET", "/desk/me", nil); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("another page with the sessions away: %d, want 503", rec.Code)
	}
	if rec := b.browser().ask("GET", "/desk/", nil); rec.Code == http.StatusOK {
		t.Error("somebody who was never here gets the first page")
	}
	for _, part := range []string{"headline", "state"} {
		if rec := w.ask("GET", "/desk/", nil, partHeader, part); rec.Code != http.StatusServiceUnavailable {
			t.Errorf("part %s with the ledger away: %d, want 503", part, rec.Code)
		}
	}
	b.now = b.now.Add(recallTime)
	if rec := w.ask("GET", "/desk/", nil); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("with the sessions away for long: %d, want 503", rec.Code)
	}
	b.ledger.fail = nil
	if rec := b.browser().ask("GET", "/desk/login", nil); strings.Contains(rec.Body.String(), `role="status"`) {
		t.Error("a visitor who has not signed in learns how sending stands")
	}
}

func TestNow(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Checks = []Check{{"source", func(context.Context) error { return nil }}, {"blip", func(context.Context) error { return errors.New("no route to Blip") }}}
	})
	b.now = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	b.account("ana", pombo.RoleOperator, 0)
	b.account("vera", pombo.RoleViewer, 0)
	w := b.signIn("ana")
	text := func(w *browser, header ...string) string {
		return w.ask("GET", "/desk/", nil, append(header, "Accept-Language", "en")...).Body.String()
	}
	if got := text(w); !strings.Contains(got, "No row has come in yet.") {
		t.Error("a new ledger does not say so")
	}
	b.now = b.now.Add(time.Minute)
	b.facts.snapshot = health.Snapshot{
		Now: b.now, Backlog: pombo.Backlog{States: map[pombo.State]int{pombo.Queued: 312, pombo.Uncertain: 2}, Later: map[pombo.WaitReason]int{pombo.WaitTemplate: 312}, Oldest: b.now, Diverged: 1},
		Progress: health.Progress{Started: b.now.Add(-time.Hour), TakenIn: b.now.Add(-time.Minute), RejectedRows: 4, RejectedSince: b.now.Add(-time.Hour)},
	}
	b.facts.today = tally.Today{
		Total: tally.Funnel{Entered: 18204, Accepted: 17551, Delivered: 15930, Read: 9871, Failed: 341},
		Hours: []tally.Bar{{Start: b.now.Truncate(time.Hour), Funnel: tally.Funnel{Entered: 10, Accepted: 8, Delivered: 5, Failed: 2}}},
		New:   []tally.NewReason{{Reason: pombo.TemplateMismatch, N: 41, First: b.now.Truncate(time.Hour)}}, Counted: pombo.Counted{At: b.now, Since: b.now},
	}
	b.facts.compared = pombo.Reconciliation{Finished: b.now.Add(-6 * time.Hour), Counts: map[pombo.DiscrepancyKind]int{pombo.RowGone: 2}}
	b.ledger.lines = append(b.ledger.lines, audit.Entry{At: b.now.Add(-time.Hour), Who: "bia", Act: audit.Resume, Via: audit.ViaDesk, Result: audit.Done})
	for i := range 3 {
		b.s.queue.add(b.now.Add(time.Duration(i-3)*lineStep), 100*i)
	}
	page := text(w)
	for _, want := range []string{
		"312 rows wait: their template cannot be sent now.", "18,204", "17,551", "9,871", "no route to Blip", "<svg class=\"stacked\"", "<svg class=\"trend\"",
		"4 rows left out", "2 findings", "New since", "(41)", "bia resumed sending.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := text(b.signIn("vera")); strings.Contains(got, "bia") {
		t.Error("a viewer learns what others did")
	}
	if part := text(w, partHeader, "charts"); strings.Contains(part, "Came in today") || !strings.Contains(part, "stacked") {
		t.Errorf("the part of the charts is %s", part)
	}
}

func TestQueue(t *testing.T) {
	var q queue
	start := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	for i := range queuePoints + 30 {
		q.add(start.Add(time.Duration(i)*time.Minute), i)
	}
	points := q.since(start.Add(23*time.Hour), 20*time.Minute)
	if len(q.points) != queuePoints || len(points) != 5 || points[0].n != 23*60+19 || points[4].n != queuePoints+29 {
		t.Errorf("%d points are kept, shown are %v", len(q.points), points)
	}
}
