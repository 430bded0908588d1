package app

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pombo"
	"pombo/internal/ledger"
	"pombo/internal/tally"
	"pombo/test/nightly"
)

// failingTallies cannot finish.
type failingTallies struct{ *ledger.Tallies }

func (failingTallies) Finish(context.Context, time.Time) error { return errors.New("no") }

// What retention takes away has been counted as it was at last; what cannot be counted
// stays.
func TestRetire_CountsFirst(t *testing.T) {
	nightly.WithoutRace(t)
	const age = 90 * 24 * time.Hour
	var passed atomic.Int64
	begun := time.Date(2026, 8, 1, 10, 0, 0, 0, time.UTC)
	db, err := ledger.Open(t.Context(), ledger.Options{
		URL: "sqlite:" + filepath.Join(t.TempDir(), "pombo.db"), Exclusive: true, Source: "S", Pending: "1",
		Now: func() time.Time { return begun.Add(time.Duration(passed.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	app := func(l tally.Ledger) *App {
		c, err := tally.NewCounter(tally.Options{Ledger: l, Retention: age})
		if err != nil {
			t.Fatal(err)
		}
		return &App{ledger: db, counter: c}
	}
	running := app(db.Tallies)
	if _, err := running.retire(t.Context(), age); err != nil { // as after the start
		t.Fatal(err)
	}
	n, _, err := db.Intake.Add(t.Context(), "api", pombo.Row{RowKey: "1", Template: "exame"})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Operator.Cancel(t.Context(), n.MessageID); err != nil {
		t.Fatal(err)
	}

	passed.Store(int64(age + time.Minute))
	if done, err := app(failingTallies{db.Tallies}).retire(t.Context(), age); err == nil || done.Erased != 0 {
		t.Errorf("%d erased that could not be counted, %v", done.Erased, err)
	}
	if done, err := running.retire(t.Context(), age); err != nil || done.Erased != 1 {
		t.Fatalf("%d erased, %v; want 1", done.Erased, err)
	}
	cells, err := db.Tallies.Cells(t.Context(), begun, begun.Add(time.Hour))
	want := pombo.Cell{Hour: begun, Template: "exame", State: pombo.Cancelled, Reason: pombo.CancelledByHand, N: 1}
	if err != nil || len(cells) != 1 || cells[0] != want {
		t.Errorf("counted %+v, %v; want %+v", cells, err, want)
	}
}
