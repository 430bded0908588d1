package receipts_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/receipts"
)

// shelf is a ledger with one message.
type shelf struct {
	mu      sync.Mutex
	message pombo.Notification
	next    time.Time
	applied []pombo.State
	broken  error
}

func (s *shelf) PollDue(context.Context, int) ([]pombo.Notification, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next.IsZero() || s.next.After(time.Now()) {
		return nil, s.broken
	}
	return []pombo.Notification{s.message}, s.broken
}

func (s *shelf) Polled(_ context.Context, _ int64, next time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
	return nil
}

func (s *shelf) Apply(_ context.Context, list []pombo.Receipt) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return 0, s.broken
	}
	for _, r := range list {
		s.applied = append(s.applied, r.State)
	}
	return len(list), nil
}

// poll runs a poller over one message for a while and returns the ages at which
// Blip was asked.
func poll(t *testing.T, s *shelf, schedule []time.Duration, last time.Duration, answer func(age time.Duration) ([]pombo.Receipt, error)) (ages []time.Duration) {
	t.Helper()
	begun := time.Now()
	s.message, s.next = pombo.Notification{Seq: 1, ID: "id", State: pombo.Accepted, Begun: begun}, begun.Add(schedule[0])
	p, err := receipts.NewPoller(receipts.PollerOptions{
		Ledger: s, Schedule: schedule,
		Leave: func(context.Context) error { return nil },
		Ask: func(context.Context, pombo.ID) ([]pombo.Receipt, error) {
			age := time.Since(begun).Round(time.Second)
			ages = append(ages, age)
			return answer(age)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	time.Sleep(last)
	cancel()
	<-done
	return ages
}

func TestPollsOnAGrowingScheduleUntilBlipForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schedule := receipts.Schedule()
		ages := poll(t, &shelf{}, schedule, 5*24*time.Hour, func(time.Duration) ([]pombo.Receipt, error) { return nil, nil })
		if len(ages) != len(schedule) {
			t.Fatalf("asked at %v, want once for each of %v", ages, schedule)
		}
		for i, age := range ages {
			if age < schedule[i] || age > schedule[i]+2*time.Second {
				t.Errorf("poll %d at %s, want at %s", i+1, age, schedule[i])
			}
		}
		if last := schedule[len(schedule)-1]; last >= 72*time.Hour {
			t.Errorf("the last poll is at %s, when Blip has forgotten", last)
		}
	})
}

func TestAFinalReceiptEndsThePolling(t *testing.T) {
	for _, final := range []pombo.State{pombo.Read, pombo.Failed} {
		synctest.Test(t, func(t *testing.T) {
			s := &shelf{}
			ages := poll(t, s, []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}, time.Hour, func(age time.Duration) ([]pombo.Receipt, error) {
				if age < 2*time.Minute {
					return []pombo.Receipt{{State: pombo.Accepted}}, nil
				}
				return []pombo.Receipt{{State: pombo.Accepted}, {State: final}}, nil
			})
			if len(ages) != 2 || !slices.Contains(s.applied, final) {
				t.Errorf("asked at %v, applied %v, want two polls and %s", ages, s.applied, final)
			}
		})
	}
}

func TestAPollThatFailsIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		ages := poll(t, s, []time.Duration{time.Minute}, time.Hour, func(age time.Duration) ([]pombo.Receipt, error) {
			if age < 3*time.Minute {
				return nil, errors.New("Blip is away")
			}
			return []pombo.Receipt{{State: pombo.Delivered}}, nil
		})
		if len(ages) != 3 || !slices.Equal(s.applied, []pombo.State{pombo.Delivered}) {
			t.Errorf("asked at %v, applied %v, want a poll each minute until one was answered", ages, s.applied)
		}
	})
}

func TestALedgerThatIsAwayLosesNoReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{broken: errors.New("the disk is full")}
		time.AfterFunc(10*time.Minute, func() { s.mu.Lock(); defer s.mu.Unlock(); s.broken = nil })
		poll(t, s, []time.Duration{time.Minute}, time.Hour, func(time.Duration) ([]pombo.Receipt, error) {
			return []pombo.Receipt{{State: pombo.Delivered}}, nil
		})
		if !slices.Equal(s.applied, []pombo.State{pombo.Delivered}) {
			t.Errorf("applied %v, want delivered once the ledger was back", s.applied)
		}
	})
}

// TestWhoHasNoDutyDoesNotAsk: another process has it for the first ten minutes.
func TestWhoHasNoDutyDoesNotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		begun := time.Now()
		p, err := receipts.NewPoller(receipts.PollerOptions{
			Ledger:   &shelf{message: pombo.Notification{Seq: 1, ID: "id", State: pombo.Accepted, Begun: begun}, next: begun.Add(time.Minute)},
			Schedule: []time.Duration{time.Minute},
			Duty:     func(context.Context) (bool, error) { return time.Since(begun) > 10*time.Minute, nil },
			Leave:    func(context.Context) error { return nil },
			Ask: func(context.Context, pombo.ID) ([]pombo.Receipt, error) {
				asked = append(asked, time.Since(begun))
				return nil, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx) }()
		time.Sleep(time.Hour)
		cancel()
		<-done
		if len(asked) != 1 || asked[0] < 10*time.Minute || asked[0] > 10*time.Minute+2*time.Second {
			t.Errorf("asked at %v, want once, after ten minutes", asked)
		}
	})
}
