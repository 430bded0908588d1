package dispatch_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/dispatch"
)

// holdingLog stands for whatever could hold up the hands outside of Blip and the
// ledger, such as a console in which somebody has clicked.
type holdingLog struct {
	slog.Handler
	freed chan struct{}
}

func (h *holdingLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "attempt" {
		<-h.freed
	}
	return h.Handler.Handle(ctx, r)
}

// Rows that wait while nothing moves are seen after a minute, whatever holds them:
// those in hand too, when no other waits.
func TestNothingMovesForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := &holdingLog{slog.NewTextHandler(io.Discard, nil), make(chan struct{})}
		ledger := newMemory()
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: &pretend{}, Workers: 1, Logger: slog.New(held)})
		stuck := func() bool { return pombo.Facts{Now: time.Now(), Progress: e.Progress()}.Stuck() }
		time.Sleep(time.Hour) // idle is not stuck
		if stuck() {
			t.Error("stuck while there is nothing to do")
		}
		for _, r := range []pombo.Row{row("a", "31988880001", "x"), row("b", "31988880002", "x")} {
			if _, _, err := e.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if stuck() {
			t.Error("stuck at once")
		}
		time.Sleep(59 * time.Second)
		if stuck() {
			t.Error("stuck before a minute is over")
		}
		time.Sleep(2 * time.Second)
		if !stuck() {
			t.Errorf("not stuck, though nothing has moved for a minute: %+v", e.Progress())
		}
		close(held.freed)
		synctest.Wait()
		if stuck() {
			t.Errorf("stuck, though it goes on: %+v", e.Progress())
		}
	})
}
