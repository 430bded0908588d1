package dispatch_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/dispatch"
	"pombo/internal/health"
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

// lateClaim is a ledger whose claim takes its time, also when nothing waits.
type lateClaim struct{ *memory }

func (s lateClaim) Claim(ctx context.Context, owner string, n int) ([]pombo.Notification, error) {
	time.Sleep(10 * time.Second)
	return s.memory.Claim(ctx, owner, n)
}

// Hands that are taken for a claim hold nothing yet.
func TestAClaimUnderWayIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine(t, dispatch.Options{Ledger: lateClaim{newMemory()}, Blip: &pretend{}})
		for range 30 {
			time.Sleep(7 * time.Second)
			if f := (health.Snapshot{Now: time.Now(), Progress: e.Progress()}); f.Stuck() {
				t.Fatalf("stuck with nothing to do: %+v", f.Progress)
			}
		}
	})
}

// Of many rows that cannot be taken in some are named in a pass, each once, and
// the count says that there may be more.
func TestRowsThatCannotBeTakenInDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		source := newTable()
		for i := range pombo.MostRowProblems {
			source.problems = append(source.problems, pombo.RowProblem{RowKey: strconv.Itoa(i), Column: "DT_ENVIO", Message: "is no time"})
		}
		e := engine(t, dispatch.Options{Ledger: newMemory(), Blip: &pretend{}, Source: source, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for range 60 {
			_, err := e.Intake.TakeIn(t.Context())
			if err == nil || !strings.Contains(err.Error(), "at least 1000 rows pending in the table cannot be taken in") {
				t.Fatalf("error = %v", err)
			}
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "row not taken in"); n != pombo.MostRowProblems {
			t.Errorf("rows were named %d times in 60 passes, want %d: each once", n, pombo.MostRowProblems)
		}
		if n := strings.Count(log.String(), "often=\"rejected rows\""); n != 60 {
			t.Errorf("%d passes said how many, as what the log sums up; want 60", n)
		}
	})
}

// Rows that wait while nothing moves are seen after a minute, whatever holds them:
// those in hand too, when no other waits.
func TestNothingMovesForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := &holdingLog{slog.NewTextHandler(io.Discard, nil), make(chan struct{})}
		ledger := newMemory()
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: &pretend{}, Workers: 1, Logger: slog.New(held)})
		stuck := func() bool { return health.Snapshot{Now: time.Now(), Progress: e.Progress()}.Stuck() }
		time.Sleep(time.Hour) // idle is not stuck
		if stuck() {
			t.Error("stuck while there is nothing to do")
		}
		for _, r := range []pombo.Row{row("a", "31988880001", "x"), row("b", "31988880002", "x")} {
			if _, _, err := e.Intake.Add(t.Context(), r); err != nil {
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
