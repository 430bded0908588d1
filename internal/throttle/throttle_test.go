package throttle_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/phone"
	"pombo/internal/throttle"
)

// fakeLedger keeps one pause and one streak of failures.
type fakeLedger struct {
	pause  *pombo.Pause
	streak int
	away   error
}

func (f *fakeLedger) Pause(_ context.Context, p pombo.Pause) error {
	if f.away == nil {
		f.pause = &p
	}
	return f.away
}
func (f *fakeLedger) Resume(context.Context) error { f.pause = nil; return f.away }
func (f *fakeLedger) Paused(context.Context) (pombo.Pause, bool, error) {
	if f.pause == nil {
		return pombo.Pause{}, false, f.away
	}
	return *f.pause, true, f.away
}
func (f *fakeLedger) Quota(context.Context, string, float64, int) (int, time.Duration, error) {
	return 0, time.Second, f.away
}
func (f *fakeLedger) Recipient(context.Context, phone.Number, time.Duration) (time.Duration, error) {
	return 0, f.away
}
func (f *fakeLedger) CountFailure(context.Context, pombo.Failure) (int, error) {
	f.streak++
	return f.streak, f.away
}
func (f *fakeLedger) EndFailures(context.Context, pombo.MessageID, bool) error {
	f.streak = 0
	return f.away
}
func (f *fakeLedger) LoadFailures(context.Context) error { return f.away }

func newThrottle(ledger *fakeLedger, perSecond float64) *throttle.Throttle {
	return throttle.New(throttle.Options{
		Ledger: ledger, MessagesPerSecond: perSecond, Callers: 16, InFlight: 8, FailuresBeforePause: 3, Logger: slog.New(slog.DiscardHandler),
	})
}

func TestPauser_Extend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := &fakeLedger{}
		p := newThrottle(ledger, 0).Pauser
		long, short := pombo.Pause{By: "blip", Until: time.Now().Add(time.Hour)}, pombo.Pause{By: "blip", Until: time.Now().Add(time.Minute)}
		for _, pause := range []pombo.Pause{long, short} {
			if err := p.Extend(t.Context(), pause); err != nil {
				t.Fatal(err)
			}
		}
		if now, paused := p.Current(); !paused || now != long {
			t.Errorf("pause = %+v, %v, want the longer one", now, paused)
		}
		time.Sleep(time.Hour)
		if p.Paused() || !p.ResumedAt().Equal(long.Until) {
			t.Errorf("paused = %v, resumed at %v, want the end at %v", p.Paused(), p.ResumedAt(), long.Until)
		}
		ledger.away = errors.New("away")
		if err := p.Extend(t.Context(), pombo.Pause{By: "pombo"}); !errors.Is(err, ledger.away) || !p.Paused() {
			t.Errorf("error = %v, paused = %v, want the ledger's and a pause all the same", err, p.Paused())
		}
	})
}

func TestRates_AcquireEndsWithAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(&fakeLedger{}, 0.1)
		if err := th.Rates.AcquireMessage(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { _ = th.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}) })
		begun := time.Now()
		if err := th.Rates.AcquireMessage(t.Context()); !errors.Is(err, throttle.ErrPaused) || time.Since(begun) != time.Second {
			t.Errorf("returned %v after %s, want ErrPaused after a second", err, time.Since(begun))
		}
		if err := th.Rates.AcquireQuestion(t.Context()); err != nil {
			t.Errorf("a question in an operator's pause: %v, want a permit", err)
		}
	})
}

func TestGate_LetsTheMostUrgentInFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := newThrottle(&fakeLedger{}, 1).Gate // two at a time
		var order []int64
		for seq, priority := range []int{0, 0, 0, 5, 9, 5} {
			n := &pombo.Notification{Seq: int64(seq), Priority: priority}
			go func() {
				if err := gate.Acquire(t.Context(), n); err != nil {
					t.Error(err)
				}
				order = append(order, n.Seq)
			}()
			synctest.Wait()
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := gate.Acquire(gone, &pombo.Notification{Seq: 7, Priority: 9}); err == nil {
			t.Error("let in although its context has ended")
		}
		for range 4 {
			gate.Release()
			synctest.Wait()
		}
		want := []int64{0, 1, 4, 3, 5, 2}
		for i := range want {
			if i >= len(order) || order[i] != want[i] {
				t.Fatalf("let in %v, want %v", order, want)
			}
		}
	})
}

func TestConcurrency_FallsToOneAndDoublesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newThrottle(&fakeLedger{}, 0).Concurrency
		free := func() (n int) {
			for {
				ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
				err := c.Acquire(ctx)
				cancel()
				if err != nil {
					break
				}
				n++
			}
			for range n {
				c.Release()
			}
			return n
		}
		observe := func(err error, times int) {
			t.Helper()
			for range times {
				if err := c.Acquire(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.Observe(err)
			}
		}
		silent := &pombo.Error{Reason: pombo.NoAnswer, Delivery: pombo.MaybeSent}
		observe(silent, 3)
		if got := free(); got != 1 {
			t.Errorf("%d slots after three failures in a row, want 1", got)
		}
		observe(&pombo.Error{Reason: pombo.BadRequest}, 1) // an answer, if not a kind one
		for _, want := range []int{2, 4, 8, 8} {
			time.Sleep(time.Second)
			observe(nil, 1)
			if got := free(); got != want {
				t.Errorf("%d slots, want %d", got, want)
			}
			observe(nil, 1)
		}
	})
}

func TestBreaker_PausesAfterFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(&fakeLedger{}, 0)
		for _, name := range []string{"a", "b"} {
			th.Breaker.Failed(t.Context(), pombo.Failure{MessageID: pombo.MessageID(name), Reason: pombo.Unexplained})
		}
		th.Breaker.Delivered(t.Context(), "c")
		for _, name := range []string{"d", "e"} {
			th.Breaker.Failed(t.Context(), pombo.Failure{MessageID: pombo.MessageID(name), Reason: pombo.Unexplained})
		}
		if th.Pauser.Paused() {
			t.Fatal("paused although a message was delivered in between")
		}
		th.Breaker.Failed(t.Context(), pombo.Failure{MessageID: "f", Reason: pombo.Unexplained})
		if p, paused := th.Pauser.Current(); !paused || p.By != "pombo" || p.Reason != pombo.Unexplained {
			t.Errorf("pause = %+v, %v, want one by pombo", p, paused)
		}
	})
}
