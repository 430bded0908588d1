package demo

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pombo"
	"pombo/internal/config"
	"pombo/internal/ledger"
)

// The past is true: each message of it stands where its row says, and everything that a
// page of the desk shows is there.
func TestPast(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short writes no ledger")
	}
	d := &demo{folder: t.TempDir(), sim: nil}
	c, _, err := config.Load("", []string{
		"KEYBLIP=" + Key, "BLIP_URL=http://127.0.0.1:1", "TEMPLATE_NAME=notificacao", "DB_URL=sqlite:" + d.path("table.db"),
		"STATUS_PENDING=1", "STATUS_SENT=2", "STATUS_FAILED=3", "STATUS_DELIVERED=4", "STATUS_READ=7", "LEDGER_URL=sqlite:" + filepath.Join(d.folder, "ledger.db"),
	}, config.NeedAll)
	if err != nil {
		t.Fatal(err)
	}
	waves := pastOf(time.Now())
	begun := time.Now()
	if err := writePast(t.Context(), c, waves); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d waves in %v", len(waves), time.Since(begun))
	db, err := ledger.Open(t.Context(), ledger.Options{URL: c.Ledger.URL.Reveal(), Source: c.Source.Name, Pending: "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := map[int]pombo.State{codeRead: pombo.Read, codeDelivered: pombo.Delivered, codeSent: pombo.Accepted}
	ends := map[string]int{}
	rows := map[string]*pastRow{}
	for _, w := range waves {
		for _, r := range w.rows {
			rows[pombo.Key{Source: c.Source.Name, RowKey: strconv.Itoa(r.id), Generation: 1}.RowKey] = r
		}
	}
	filter := pombo.Filter{Limit: 1000}
	for seen := 0; ; {
		page, err := db.History.List(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range page.Notifications {
			seen++
			r := rows[n.Key.RowKey]
			if w, ok := want[r.code]; ok && n.State != w {
				t.Errorf("row %s has the code %d and stands at %s", n.Key.RowKey, r.code, n.State)
			}
			ends[string(n.State)+" "+string(n.Reason)]++
		}
		if filter.Cursor = page.Next; page.Next == "" {
			if seen != len(rows) {
				t.Errorf("%d of %d messages are in the ledger", seen, len(rows))
			}
			break
		}
	}
	for _, end := range []string{"failed not_on_whatsapp", "failed undeliverable", "failed parameter_format", "failed invalid_phone", "expired expired", "suppressed opted_out", "uncertain no_answer", "queued "} {
		if ends[end] == 0 {
			t.Errorf("nothing is %q: %v", end, ends)
		}
	}
	held, err := db.Templates.HeldTemplates(t.Context())
	if err != nil || len(held) != 1 {
		t.Errorf("held: %v, %v", held, err)
	}
	if r, err := db.Reconciliation.LastReconciliation(t.Context()); err != nil || len(r.Discrepancies) != 1 {
		t.Errorf("comparison: %+v, %v", r, err)
	}
}

// Whatever the hour, one reason is there in the last 24 hours and was not before: the desk's
// first page shows it. What failed for it can be sent again at once.
func TestPast_HasANewReason(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 27, 0, 30, 0, 0, time.UTC) // a Friday
	for hour := range 4 * 24 {
		now := day.Add(time.Duration(hour) * time.Hour)
		since := now.Truncate(time.Hour).Add(time.Hour - 24*time.Hour)
		lately := 0
		for _, w := range pastOf(now) {
			for _, r := range w.rows {
				switch {
				case r.fate != hadLineBreak:
				case r.template == heldTemplate:
					t.Errorf("at %v it waits for the held template when it is sent again", now)
				case w.at.Before(since):
					t.Errorf("at %v it was there at %v already", now, w.at)
				default:
					lately++
				}
			}
		}
		if lately == 0 {
			t.Errorf("at %v there is none", now)
		}
	}
}
