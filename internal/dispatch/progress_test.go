package dispatch_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/dispatch"
)

func TestProgressOfSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var fault atomic.Pointer[pombo.Error]
		ledger := newMemory()
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: &pretend{onSend: func(context.Context, pombo.Message, int) error {
			if f := fault.Load(); f != nil {
				return f
			}
			return nil
		}}})
		add := func(key, phone string) {
			t.Helper()
			if _, _, err := e.Intake.Add(t.Context(), row(key, phone, "Maria")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		p := e.Progress()
		if p.Started != start || !p.Accepted.IsZero() || !p.Moved.IsZero() || !p.NoReceiptsSince.IsZero() || p.IdleLimit != time.Minute {
			t.Errorf("at the start = %+v, want nothing but the start and the patience", p)
		}
		time.Sleep(time.Minute)
		add("a", "31988880001")
		accepted := time.Now()
		if p = e.Progress(); p.Accepted != accepted || p.Moved != accepted || p.NoReceiptsSince != accepted {
			t.Errorf("after an acceptance = %+v, want its time", p)
		}

		time.Sleep(time.Minute)
		fault.Store(&pombo.Error{Reason: pombo.BlipUnreachable, Retry: true, Delivery: pombo.NotSent})
		add("b", "31988880002")
		if p = e.Progress(); p.Blip != pombo.BlipUnreachable || p.BlipAt != time.Now() || p.Accepted != accepted || p.Moved != time.Now() {
			t.Errorf("after a failure = %+v, want Blip's", p)
		}

		fault.Store(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if p = e.Progress(); p.Blip != pombo.NoReason || p.NoReceiptsSince != accepted {
			t.Errorf("after it went = %+v, want no trouble, and no receipt since the first", p)
		}
		e.ReceiptCame()
		if p = e.Progress(); !p.NoReceiptsSince.IsZero() {
			t.Errorf("unheard since %v after a receipt, want zero", p.NoReceiptsSince)
		}

		ledger.breakMethod("Claim", errors.New("disk full"))
		time.Sleep(time.Minute)
		if p = e.Progress(); p.Ledger.IsZero() || time.Since(p.Ledger) < 50*time.Second {
			t.Errorf("failing since %v, want about a minute", p.Ledger)
		}
		ledger.breakMethod("Claim", nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if p = e.Progress(); !p.Ledger.IsZero() {
			t.Errorf("failing since %v after it was mended, want zero", p.Ledger)
		}

		// Nobody claims in a pause; the heartbeat tells all the same.
		if err := e.Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
			t.Fatal(err)
		}
		ledger.breakMethod("Renew", errors.New("disk full"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if p = e.Progress(); p.Ledger.IsZero() {
			t.Error("not failing in a pause, want since when")
		}
		ledger.breakMethod("Renew", nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if p = e.Progress(); !p.Ledger.IsZero() {
			t.Errorf("failing since %v after it was mended in a pause, want zero", p.Ledger)
		}
	})
}

func TestProgressKnowsTheEndOfAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine(t, dispatch.Options{Ledger: newMemory(), Blip: &pretend{}})
		if got := e.Progress().Resumed; !got.IsZero() {
			t.Errorf("resumed = %v, want zero", got)
		}
		until := time.Now().Add(65 * time.Second) // between two heartbeats
		if err := e.Throttle.Pauser.Pause(t.Context(), pombo.Pause{Until: until, By: "operator"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(66 * time.Second)
		if got := e.Progress().Resumed; !got.Equal(until) {
			t.Errorf("resumed = %v after a pause that ended by itself, want %v", got, until)
		}
		if err := e.Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := e.Throttle.Pauser.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := e.Progress().Resumed; !got.Equal(time.Now()) {
			t.Errorf("resumed = %v, want now, by hand", got)
		}
	})
}

func TestProgressOfTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		source.problems = []pombo.RowProblem{{RowKey: "2", Column: "DT", Message: "the time cannot be read"}}
		e := engine(t, dispatch.Options{Source: source, Ledger: newMemory(), Blip: &pretend{}, PollInterval: time.Minute})
		time.Sleep(time.Minute)
		synctest.Wait()
		first := time.Now()
		if p := e.Progress(); p.TakenIn != first || p.RejectedRows != 1 || p.RejectedSince != first {
			t.Errorf("after a pass = %+v, want its time and the row left out", p)
		}

		source.mu.Lock()
		source.problems = append(source.problems, pombo.RowProblem{RowKey: "3"})
		source.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if p := e.Progress(); p.TakenIn.Equal(first) || p.RejectedRows != 2 || p.RejectedSince != first {
			t.Errorf("after the second pass = %+v, want two left out, the first since the first pass", p)
		}

		source.mu.Lock()
		source.problems, source.away = nil, errors.New("no listener")
		source.mu.Unlock()
		seen := time.Now()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if p := e.Progress(); p.TakenIn != seen || p.Intake.IsZero() || p.RejectedRows != 2 {
			t.Errorf("while the table is away = %+v, want what was last known, and since when it is away", p)
		}
		source.mu.Lock()
		source.away = nil
		source.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if p := e.Progress(); p.TakenIn != time.Now() || !p.Intake.IsZero() || p.RejectedRows != 0 || !p.RejectedSince.IsZero() {
			t.Errorf("when it is back = %+v, want all well", p)
		}
	})
}

// Rows that are finished here and stay pending are read again and again. The more of
// the time that takes, the longer the next look waits, but a run looks at once.
func TestVainPassesRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "none"), row("2", "none"), row("3", "none"))
		var looks, takes atomic.Int64
		takes.Store(int64(time.Millisecond))
		pages := 0
		source.onPage = func() { // a pass is two pages: all the rows, and none more
			time.Sleep(time.Duration(takes.Load()) / 2)
			if pages++; pages%2 == 0 {
				looks.Add(1)
			}
		}
		e := engine(t, dispatch.Options{Source: source, Ledger: newMemory(), Blip: &pretend{}, PollInterval: time.Second})
		during := func(d time.Duration) int64 {
			before := looks.Load()
			time.Sleep(d)
			return looks.Load() - before
		}
		time.Sleep(5 * time.Second)
		if got := e.Progress().Finished; got != 3 {
			t.Fatalf("%d rows pending and finished, want 3", got)
		}
		if got := during(time.Minute); got < 58 {
			t.Errorf("%d looks a minute at a few such rows, want one a second", got)
		}
		takes.Store(int64(500 * time.Millisecond))
		time.Sleep(time.Minute)
		if got := during(5 * time.Minute); got < 25 || got > 31 {
			t.Errorf("%d looks in five minutes of half a second each, want one every ten seconds", got)
		}
		takes.Store(int64(10 * time.Second))
		time.Sleep(2 * time.Minute)
		if got := during(10 * time.Minute); got < 9 || got > 11 {
			t.Errorf("%d looks in ten minutes of ten seconds each, want one a minute", got)
		}
		takes.Store(int64(time.Millisecond))
		begun := time.Now()
		runToEnd(t, e)
		if took := time.Since(begun); took > time.Minute/2 {
			t.Errorf("a run waited %v", took)
		}
	})
}
