package leader_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"pombo/internal/leader"
)

// fakeLedger has one leadership and the leases of all.
type fakeLedger struct {
	owner string
	until time.Time
	asked int
	away  error
}

func (f *fakeLedger) AcquireLeadership(_ context.Context, _, owner string, d time.Duration) (bool, error) {
	f.asked++
	if f.away != nil || f.owner != owner && time.Now().Before(f.until) {
		return false, f.away
	}
	f.owner, f.until = owner, time.Now().Add(d)
	return true, nil
}

func (f *fakeLedger) ReleaseLeadership(_ context.Context, _, owner string) error {
	if f.owner == owner {
		f.owner, f.until = "", time.Time{}
	}
	return f.away
}

func (f *fakeLedger) Renew(context.Context, string) error { return f.away }

var quiet = slog.New(slog.DiscardHandler)

func TestLeadership_TryAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := &fakeLedger{}
		one, other := leader.Of(ledger, "poll", "one", quiet), leader.Of(ledger, "poll", "other", quiet)
		for range 100 {
			if leads, err := one.TryAcquire(t.Context()); !leads || err != nil {
				t.Fatalf("leads = %v, %v, want true", leads, err)
			}
		}
		if ledger.asked != 1 {
			t.Errorf("the ledger was asked %d times at one moment, want once", ledger.asked)
		}
		if leads, _ := other.TryAcquire(t.Context()); leads || other.Held() {
			t.Error("two lead")
		}
		time.Sleep(5 * time.Second) // one has died
		if leads, _ := other.TryAcquire(t.Context()); !leads {
			t.Error("nobody takes over after five seconds")
		}
		if leads, _ := one.TryAcquire(t.Context()); leads || one.Held() {
			t.Error("two lead after a take-over")
		}
	})
}

func TestLeadership_Release(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := &fakeLedger{}
		one, other := leader.Of(ledger, "poll", "one", quiet), leader.Of(ledger, "poll", "other", quiet)
		if err := one.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		one.Release(over)
		begun := time.Now()
		if err := other.Acquire(t.Context()); err != nil || time.Since(begun) != 0 {
			t.Errorf("acquired with %v after %s, want at once", err, time.Since(begun))
		}
	})
}

func TestLease_Valid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := &fakeLedger{}
		l := leader.NewLease(ledger, "one", 30*time.Second, quiet)
		if l.Valid(l.Term()) {
			t.Error("valid before the first renewal")
		}
		renew := func() {
			t.Helper()
			if err := l.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		renew()
		term := l.Term()
		for range 10 {
			time.Sleep(29 * time.Second)
			if !l.Valid(term) {
				t.Fatal("not valid although each renewal came in time")
			}
			renew()
		}
		ledger.away = errors.New("away")
		if err := l.Renew(t.Context()); !errors.Is(err, ledger.away) {
			t.Errorf("error = %v, want the ledger's", err)
		}
		time.Sleep(30 * time.Second)
		if l.Valid(term) {
			t.Error("valid although it was not renewed in time")
		}
		ledger.away = nil
		renew()
		if l.Valid(term) || !l.Valid(l.Term()) {
			t.Error("a late renewal must end the old term and begin a new one")
		}
	})
}
