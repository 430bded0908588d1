package receipts_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/receipts"
	"pombo/test/nightly"
)

// fakeLedger is a ledger that believes every receipt.
type fakeLedger struct {
	mu       sync.Mutex
	messages []pombo.Notification // by Seq, from 1
	next     map[int64]time.Time
	applied  []pombo.Receipt
	broken   error
}

func newFakeLedger(states ...pombo.State) *fakeLedger {
	s := &fakeLedger{next: map[int64]time.Time{}}
	for i, state := range states {
		key := pombo.Key{Source: "table", RowKey: strconv.Itoa(i + 1), Generation: 1}
		s.messages = append(s.messages, pombo.Notification{Seq: int64(i + 1), Key: key, MessageID: key.MessageID(), State: state, Begun: time.Now()})
	}
	return s
}

func (s *fakeLedger) PollDue(_ context.Context, limit int) ([]pombo.Notification, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []pombo.Notification
	for _, n := range s.messages {
		if at := s.next[n.Seq]; !at.IsZero() && !at.After(time.Now()) {
			due = append(due, n)
		}
	}
	slices.SortStableFunc(due, func(a, b pombo.Notification) int { return s.next[a.Seq].Compare(s.next[b.Seq]) })
	return due[:min(limit, len(due))], s.broken
}

func (s *fakeLedger) Polled(_ context.Context, polls []pombo.NextPoll) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range polls {
		s.next[p.Seq] = p.At
	}
	return nil
}

func (s *fakeLedger) Apply(_ context.Context, list []pombo.Receipt) ([]pombo.ReceiptResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	results := make([]pombo.ReceiptResult, len(list))
	if s.broken != nil {
		return results, s.broken
	}
	for i, r := range list {
		results[i] = pombo.ReceiptUnknown
		for k := range s.messages {
			if n := &s.messages[k]; n.MessageID == r.MessageID {
				results[i], n.State = pombo.ReceiptMoved, r.State
			}
		}
		s.applied = append(s.applied, r)
	}
	return results, nil
}

func (s *fakeLedger) Notification(_ context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.messages {
		if n.MessageID == id {
			return n, nil, s.broken
		}
	}
	return pombo.Notification{}, nil, pombo.ErrNotFound
}

func (s *fakeLedger) states() (list []pombo.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.applied {
		list = append(list, r.State)
	}
	return list
}

// poller is a poller over a ledger, and what it asked.
type poller struct {
	ledger *fakeLedger
	o      receipts.PollerOptions
	begun  time.Time

	mu   sync.Mutex
	ages []time.Duration // at which Blip was asked
	ids  []pombo.MessageID
}

func newPoller(s *fakeLedger, answer func(age time.Duration) ([]pombo.State, error)) *poller {
	p := &poller{ledger: s, begun: time.Now()}
	recorder, err := receipts.NewRecorder(receipts.RecorderOptions{
		Ledger:          s,
		OptOuts:         &fakeOptOuts{},
		SuspendTemplate: func(string, pombo.Reason, time.Time) {},
		PauseBot:        func(context.Context, pombo.Pause) error { return nil },
		Registerer:      prometheus.NewRegistry(),
	})
	if err != nil {
		panic(err)
	}
	p.o = receipts.PollerOptions{
		Ledger: s, Recorder: recorder, Schedule: receipts.Schedule(), Sparse: receipts.Sparse(),
		Acquire: func(context.Context) error { return nil },
		Ask: func(_ context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
			age := time.Since(p.begun).Round(time.Second)
			p.mu.Lock()
			p.ages, p.ids = append(p.ages, age), append(p.ids, id)
			p.mu.Unlock()
			states, err := answer(age)
			var list []pombo.Receipt
			for _, state := range states {
				list = append(list, pombo.Receipt{MessageID: id, State: state})
			}
			return list, err
		},
	}
	return p
}

// run polls for a while.
func (p *poller) run(t *testing.T, last time.Duration) []time.Duration {
	t.Helper()
	poller, err := receipts.NewPoller(p.o)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range p.ledger.messages {
		if p.ledger.next[n.Seq].IsZero() {
			p.ledger.next[n.Seq] = n.Begun.Add(p.o.Schedule[0])
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); poller.Run(ctx) }()
	time.Sleep(last)
	cancel()
	<-done
	return p.ages
}

// day is how long most of these tests look on: by day they see the first hours of it.
var day = nightly.Or(25*time.Hour, 7*time.Hour)

func before(limit time.Duration, ages []time.Duration) []time.Duration {
	return slices.DeleteFunc(slices.Clone(ages), func(age time.Duration) bool { return age > limit })
}

func near(t *testing.T, got, want []time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("asked at %v, want at %v", got, want)
	}
	for i := range got {
		if got[i] < want[i] || got[i] > want[i]+6*time.Second {
			t.Errorf("poll %d at %s, want at %s", i+1, got[i], want[i])
		}
	}
}

func nothing(time.Duration) ([]pombo.State, error) { return nil, nil }

func TestPoller_FollowsItsScheduleUntilBlipForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := nightly.Or(74*time.Hour, day)
		near(t, newPoller(newFakeLedger(pombo.Accepted), nothing).run(t, whole), before(whole, receipts.Schedule()))
	})
	synctest.Test(t, func(t *testing.T) { // the last one, and none after it
		s := newFakeLedger(pombo.Accepted)
		s.messages[0].Begun = time.Now().Add(-70 * time.Hour)
		near(t, newPoller(s, nothing).run(t, 4*time.Hour), []time.Duration{0, time.Hour})
	})
	schedule := receipts.Schedule()
	if last := schedule[len(schedule)-1]; last >= 72*time.Hour {
		t.Errorf("the last poll is at %s, when Blip has forgotten", last)
	}
	for i := 2; i < len(schedule); i++ {
		if schedule[i] <= schedule[i-1] {
			t.Errorf("poll %d is at %s after %s", i+1, schedule[i], schedule[i-1])
		}
	}
	for _, age := range receipts.Sparse() {
		if !slices.Contains(schedule, age) {
			t.Errorf("the net has %s, which the schedule has not", age)
		}
	}
}

func TestPoller_StopsAtAFinalReceipt(t *testing.T) {
	for _, final := range []pombo.State{pombo.Read, pombo.Failed} {
		synctest.Test(t, func(t *testing.T) {
			s := newFakeLedger(pombo.Accepted)
			near(t, newPoller(s, func(age time.Duration) ([]pombo.State, error) {
				if age < 2*time.Minute {
					return []pombo.State{pombo.Dispatched}, nil
				}
				return []pombo.State{pombo.Dispatched, final}, nil
			}).run(t, day), receipts.Schedule()[:2])
			if states := s.states(); !slices.Contains(states, final) {
				t.Errorf("applied %v, want %s among them", states, final)
			}
		})
	}
}

// What can only be read yet is asked about three times, not eleven.
func TestPoller_AsksRarelyOnceDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delivered := func(time.Duration) ([]pombo.State, error) { return []pombo.State{pombo.Delivered}, nil }
		near(t, newPoller(newFakeLedger(pombo.Accepted), delivered).run(t, day),
			before(day, append([]time.Duration{30 * time.Second}, receipts.Sparse()...)))
	})
}

func TestPoller_AsksRarelyWhereWebhooksArrive(t *testing.T) {
	tests := []struct {
		name    string
		state   pombo.State
		webhook time.Duration // the last one, before the message was sent; 0 = none ever
		want    []time.Duration
	}{
		{"to this process", pombo.Accepted, time.Minute, receipts.Sparse()},
		{"long ago", pombo.Accepted, time.Hour, receipts.Schedule()},
		{"never", pombo.Accepted, 0, receipts.Schedule()},
		{"to another process, before the first poll", pombo.Delivered, 0, receipts.Sparse()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPoller(newFakeLedger(tt.state), nothing)
				if tt.webhook > 0 {
					last := time.Now().Add(-tt.webhook)
					p.o.LastWebhook = func() time.Time {
						if tt.webhook < 10*time.Minute {
							return time.Now() // they go on
						}
						return last
					}
				}
				near(t, p.run(t, day), before(day, tt.want))
			})
		})
	}
	// A webhook reported that it was handed over, then they stopped: dense again
	// from the first hour on.
	synctest.Test(t, func(t *testing.T) {
		schedule := receipts.Schedule()
		near(t, newPoller(newFakeLedger(pombo.Dispatched), nothing).run(t, day), before(day, schedule[4:]))
	})
}

func TestPoller_RepeatsAFailedPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeLedger(pombo.Accepted)
		p := newPoller(s, func(age time.Duration) ([]pombo.State, error) {
			if age < 3*time.Minute {
				return nil, errors.New("Blip is away")
			}
			return []pombo.State{pombo.Read}, nil
		})
		p.o.Schedule = []time.Duration{time.Minute}
		if ages := p.run(t, time.Hour); len(ages) != 3 || !slices.Equal(s.states(), []pombo.State{pombo.Read}) {
			t.Errorf("asked at %v, applied %v, want a poll each minute until one was answered", ages, s.states())
		}
	})
}

func TestPoller_LosesNoReceiptWhileTheLedgerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeLedger(pombo.Accepted)
		s.broken = errors.New("the disk is full")
		time.AfterFunc(10*time.Minute, func() { s.mu.Lock(); defer s.mu.Unlock(); s.broken = nil })
		newPoller(s, func(time.Duration) ([]pombo.State, error) { return []pombo.State{pombo.Read}, nil }).run(t, time.Hour)
		if !slices.Equal(s.states(), []pombo.State{pombo.Read}) {
			t.Errorf("applied %v, want read once the ledger was back", s.states())
		}
	})
}

// Look-ups share the rate: a thousand due polls take a quarter of it and no more,
// those that wait longest first.
func TestPoller_TakesAShareOfTheCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeLedger(slices.Repeat([]pombo.State{pombo.Accepted}, 1000)...)
		for _, n := range s.messages {
			s.next[n.Seq] = time.Now().Add(-time.Duration(n.Seq) * time.Second)
		}
		p := newPoller(s, func(time.Duration) ([]pombo.State, error) { return []pombo.State{pombo.Read}, nil })
		p.o.CommandsPerSecond = 40
		p.run(t, 20*time.Second)
		if n := len(p.ages); n < 180 || n > 202 {
			t.Errorf("%d polls in 20 s, want a quarter of 40/s", n)
		}
		last := p.ids[:20]
		for _, n := range s.messages[:900] {
			if slices.Contains(last, n.MessageID) {
				t.Errorf("row %s was asked about among the first, and waits less long than a hundred others", n.Key.RowKey)
			}
		}
	})
}

func TestPoller_AsksOnlyWhileItLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoller(newFakeLedger(pombo.Accepted), nothing)
		begun := time.Now()
		p.o.Leads = func(context.Context) (bool, error) {
			switch age := time.Since(begun); {
			case age < time.Minute:
				return false, nil
			case age < 2*time.Minute:
				return false, errors.New("the ledger is away")
			}
			return true, nil
		}
		near(t, p.run(t, 4*time.Minute), []time.Duration{2 * time.Minute})
	})
}

func TestPoller_NeedsAPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoller(newFakeLedger(pombo.Accepted), nothing)
		begun := time.Now()
		p.o.Acquire = func(context.Context) error {
			if time.Since(begun) < 5*time.Minute {
				return errors.New("Blip has the bot pause")
			}
			return nil
		}
		near(t, p.run(t, 6*time.Minute), []time.Duration{5 * time.Minute})
	})
}

// Asking too fast closes Blip's door to everything for two minutes; each further
// call would be one too many.
func TestPoller_RestsWhileBlipRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoller(newFakeLedger(pombo.Accepted, pombo.Accepted, pombo.Accepted), func(age time.Duration) ([]pombo.State, error) {
			if age < time.Minute {
				return nil, &pombo.Error{Reason: pombo.RateLimited, Retry: true, Pause: 2 * time.Minute}
			}
			return []pombo.State{pombo.Read}, nil
		})
		p.run(t, 10*time.Minute)
		first := 30 * time.Second
		near(t, p.ages, []time.Duration{first, first, first, first + 2*time.Minute, first + 2*time.Minute, first + 2*time.Minute})
	})
}
