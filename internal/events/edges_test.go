package events

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
)

// What Retry-After asks for, the event keeps, and the receiver is left alone for as long.
func TestSender_RetryAfter(t *testing.T) {
	t.Parallel()
	const busy, minutes = "600", 10 * time.Minute
	t.Run("the event", func(t *testing.T) {
		t.Parallel()
		now := time.Now()
		if again, ok := next(pombo.OutboxEvent{}, answer{word: "429", retry: minutes}, now); !ok || again.Before(now.Add(minutes)) {
			t.Errorf("it is tried again after %v, want not before ten minutes", again.Sub(now))
		}
	})
	t.Run("the receiver", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o, r := &fakeOutbox{}, &fakeReceiver{answer: func(call int, _ string) (int, string) {
				if call == 1 {
					return 503, busy
				}
				return 200, ""
			}}
			o.add(0, pombo.EventAccepted)
			time.AfterFunc(time.Minute, func() { o.add(1, pombo.EventAccepted) })
			run(t, o, r, nil, time.Hour)
			if len(r.attempts) != 3 || r.attempts[1].Sub(r.attempts[0]) < minutes {
				t.Errorf("calls at %v, want three, and ten minutes after the first", r.attempts)
			}
		})
	})
}

// A stop cuts off the calls under way: that is no failure of the event. What the receiver has
// taken by then is recorded all the same, before Run returns.
func TestSender_Stops(t *testing.T) {
	t.Parallel()
	t.Run("during a call", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o, r := &fakeOutbox{}, &fakeReceiver{answer: func(int, string) (int, string) { return 0, "" }}
			o.add(0, pombo.EventAccepted)
			run(t, o, r, nil, callTime/2)
			if e := o.events[0]; r.calls != 1 || e.Tries != 0 || e.Answer != "" {
				t.Errorf("%d calls, and the event is %+v, want one that leaves no trace", r.calls, *e)
			}
		})
	})
	t.Run("while it is recorded", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o, r := &fakeOutbox{}, &fakeReceiver{answer: func(int, string) (int, string) { return 200, "" }}
			o.onAcknowledge = func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(10 * time.Second): // the ledger's turn comes after the stop
					return nil
				}
			}
			o.add(0, pombo.EventAccepted)
			run(t, o, r, nil, 5*time.Second)
			if o.open() != 0 {
				t.Error("the event is open although the receiver has it")
			}
		})
	})
}

// Who does not lead sends nothing.
func TestSender_FollowsTheLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, r := &fakeOutbox{}, &fakeReceiver{answer: func(int, string) (int, string) { return 200, "" }}
		fill(o, 2)
		l := &follower{leadsFrom: time.Now().Add(time.Minute)}
		runAs(t, l, o, r, nil, 59*time.Second)
		if r.calls != 0 {
			t.Errorf("%d calls of a process that does not lead", r.calls)
		}
		runAs(t, l, o, r, nil, time.Minute)
		r.complete(2)
	})
}

// follower becomes the leader when its time has come.
type follower struct{ leadsFrom time.Time }

func (f *follower) AcquireLeadership(context.Context, string, string, time.Duration) (bool, error) {
	return !time.Now().Before(f.leadsFrom), nil
}
func (*follower) ReleaseLeadership(context.Context, string, string) error { return nil }

// What was acknowledged leaves after a week, what was given up after RETENTION: a few times a day.
func TestSender_Retires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, r := &fakeOutbox{}, &fakeReceiver{answer: func(int, string) (int, string) { return 200, "" }}
		run(t, o, r, nil, 24*time.Hour)
		if len(o.retired) < 4 || len(o.retired) > 5 || o.retired[0] != [2]time.Duration{7 * 24 * time.Hour, retention} {
			t.Errorf("removed after %v, want a week and RETENTION, four or five times in a day", o.retired)
		}
	})
}

// What was read from the outbox while a call ended may not show that it has: the event is
// not sent again for that.
func TestSender_ReadsWhileACallEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOutbox{}
		r := &fakeReceiver{answer: func(int, string) (int, string) { time.Sleep(time.Second / 2); return 200, "" }}
		o.onRead = func() { time.Sleep(time.Second) }
		fill(o, 1)
		run(t, o, r, nil, time.Minute)
		if r.complete(1); r.calls != len(steps) {
			t.Errorf("%d calls for %d events", r.calls, len(steps))
		}
	})
}

// The outbox is read for many calls at once, not for each that ends; and what was read is not
// used for longer than a second.
func TestSender_ReadsForManyCalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ call, within time.Duration }{
		"a fast receiver": {10 * time.Millisecond, time.Second},
		"a slow one":      {700 * time.Millisecond, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const rows = 200
				o := &fakeOutbox{}
				var reads int
				var last time.Time
				o.onRead = func() {
					o.mu.Lock()
					defer o.mu.Unlock()
					reads, last = reads+1, time.Now()
				}
				o.onAcknowledge = func(context.Context) error {
					time.Sleep(test.call)
					o.mu.Lock()
					defer o.mu.Unlock()
					if age := time.Since(last); age > look+test.call {
						t.Errorf("a call ends %v after the outbox was read", age)
					}
					return nil
				}
				r := &fakeReceiver{answer: func(int, string) (int, string) { return 200, "" }}
				for i := range rows {
					o.add(i, pombo.EventAccepted)
				}
				run(t, o, r, nil, test.within)
				if r.calls != rows || reads > int(test.within/look)+30 {
					t.Errorf("%d calls and %d readings for %d events", r.calls, reads, rows)
				}
			})
		})
	}
}
