// Package events tells the company's systems what happens: it takes events from the outbox
// of the ledger and posts them, signed, to EVENTS_URL, by the convention of Standard
// Webhooks.
//
// # What it promises
//
// Each event arrives at least once, under the same id however often it is sent. The events
// of one notification arrive in the order in which they happened: the next one is not sent before
// the one before was acknowledged. Other streams go on meanwhile.
//
// # How it fails
//
// An event that is not acknowledged (by any 2xx) is tried again for three days, less and
// less often. When several in a row fail, the receiver is away: one event at a time tries it
// from then on, so that a million waiting events do not overwhelm a system that is starting.
// A 410 says that the events are no longer wanted: the receiver is tried once an hour, and
// an alert says so at once. After three days an event is given up: it stays in the outbox,
// with all that follows it about its notification, until pombo events replay.
//
// One process sends for all. That spares the receiver the same event from each; no promise
// depends on it.
package events

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/leader"
	"pombo/internal/wait"
)

// Job is the leadership under which one of the processes on a ledger sends the events for
// all.
const Job = "events"

const (
	parallel = 16               // events on their way at once
	page     = 256              // read from the outbox at a time
	look     = time.Second      // how often an empty outbox is looked at
	allTime  = 72 * time.Hour   // how long an event is tried
	gone     = time.Hour        // between two tries of a receiver that answers 410
	away     = 5                // failures in a row after which the receiver counts as away
	longest  = 5 * time.Minute  // between two tries of a receiver that is away
	alerts   = 30 * time.Second // how often alerts are compared

	firstRetire = 5 * time.Minute
	retireEvery = 6 * time.Hour
	kept        = 7 * 24 * time.Hour // what was acknowledged, for a replay
)

// schedule is how long an event waits after each of its tries; the last one repeats.
var schedule = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
}

// Outbox has the events.
type Outbox interface {
	// DueEvents returns the first open event of each stream, if it is due.
	DueEvents(ctx context.Context, limit int) ([]pombo.OutboxEvent, error)
	Acknowledge(ctx context.Context, e pombo.OutboxEvent, answer string) error
	Postpone(ctx context.Context, e pombo.OutboxEvent, answer string, again time.Time) error
	GiveUp(ctx context.Context, e pombo.OutboxEvent, answer string) error
	CompareAlerts(ctx context.Context, active []pombo.ActiveAlert) error
	Retire(ctx context.Context, age, givenUp time.Duration) (int, error)
}

// Options configures a Sender.
type Options struct {
	Outbox     Outbox
	Client     *Client
	Leadership *leader.Leadership
	// Alerts returns those that are active now.
	Alerts     func(ctx context.Context) ([]pombo.ActiveAlert, error)
	Retention  time.Duration // of what was given up; 0 = for ever
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil = no metrics
}

// Sender sends the events of an outbox. Make it with New.
type Sender struct {
	opts         Options
	sent, failed prometheus.Counter
	wake         chan struct{} // has an element when a call has ended
	calls        sync.WaitGroup

	mu       sync.Mutex
	inFlight map[string]bool // streams
	failures int             // in a row
	until    time.Time       // a receiver that is away is not tried before
}

// New checks the options and returns a sender, which Run starts.
func New(o Options) (*Sender, error) {
	if o.Outbox == nil || o.Client == nil || o.Leadership == nil || o.Alerts == nil || o.Logger == nil {
		return nil, errors.New("events: it needs an outbox, a client, a leadership, alerts and a log")
	}
	s := &Sender{
		opts: o, wake: make(chan struct{}, 1), inFlight: map[string]bool{},
		sent:   prometheus.NewCounter(prometheus.CounterOpts{Name: "pombo_events_sent_total", Help: "Events that the receiver has acknowledged."}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "pombo_events_failed_total", Help: "Tries of events that the receiver has not acknowledged."}),
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.sent, s.failed)
	}
	return s, nil
}

// Run sends until ctx ends. Calls under way are cut off then; their events are sent again.
func (s *Sender) Run(ctx context.Context) {
	defer s.opts.Leadership.Release(ctx) // another process need not wait for its end
	defer s.calls.Wait()
	nextAlerts, nextRetire := time.Now(), time.Now().Add(firstRetire)
	for ctx.Err() == nil {
		if err := s.opts.Leadership.Acquire(ctx); err != nil {
			if ctx.Err() == nil {
				s.opts.Logger.Warn("no leader for events", "error", err, "often", pombo.Often("events"))
				_ = wait.For(ctx, look)
			}
			continue
		}
		if now := time.Now(); !now.Before(nextAlerts) {
			nextAlerts = now.Add(alerts)
			s.report(ctx, "alerts not compared for events", s.compareAlerts(ctx))
		}
		if now := time.Now(); !now.Before(nextRetire) {
			nextRetire = now.Add(retireEvery)
			_, err := s.opts.Outbox.Retire(ctx, kept, s.opts.Retention)
			s.report(ctx, "old events not removed", err)
		}
		begun, err := s.pass(ctx)
		s.report(ctx, "events not read", err)
		if begun == 0 || err != nil {
			s.rest(ctx, look)
		}
	}
}

func (s *Sender) report(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.opts.Logger.Error("events delayed", "detail", what, "error", err, "often", pombo.Often("events"))
	}
}

func (s *Sender) compareAlerts(ctx context.Context) error {
	active, err := s.opts.Alerts(ctx)
	if err != nil {
		return err
	}
	return s.opts.Outbox.CompareAlerts(ctx, active)
}

// rest waits until a call has ended, at most d.
func (s *Sender) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-t.C:
	}
}

// pass begins the calls of what is due, and returns how many.
func (s *Sender) pass(ctx context.Context) (begun int, err error) {
	if s.free() == 0 {
		return 0, nil
	}
	s.mu.Lock()
	busy := maps.Clone(s.inFlight) // before the reading: it may not yet show how their calls end
	s.mu.Unlock()
	list, err := s.opts.Outbox.DueEvents(ctx, page+len(busy))
	if err != nil {
		return 0, err
	}
	old := time.Now().Add(look)
	for _, e := range list {
		if busy[e.Stream] {
			continue
		}
		if !s.place(ctx, old) {
			break
		}
		s.mu.Lock()
		s.inFlight[e.Stream] = true
		probe := s.failures >= away
		s.mu.Unlock()
		begun++
		s.calls.Go(func() {
			s.send(ctx, e, probe)
			s.mu.Lock()
			delete(s.inFlight, e.Stream)
			s.mu.Unlock()
			select {
			case s.wake <- struct{}{}:
			default:
			}
		})
	}
	return begun, ctx.Err()
}

// place waits until a call may begin. It returns false when none may until then.
func (s *Sender) place(ctx context.Context, until time.Time) bool {
	for ctx.Err() == nil {
		left := time.Until(until)
		if left <= 0 {
			return false
		}
		if s.free() > 0 {
			return true
		}
		s.rest(ctx, left)
	}
	return false
}

// free returns how many calls may begin: one at a time while the receiver is away, and none before
// its time.
func (s *Sender) free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case time.Now().Before(s.until):
		return 0
	case s.failures >= away:
		return max(0, 1-len(s.inFlight))
	}
	return parallel - len(s.inFlight)
}

// send posts an event and records the result. An event whose result cannot be recorded is sent
// again. probe says that the receiver was away when the call began.
func (s *Sender) send(ctx context.Context, e pombo.OutboxEvent, probe bool) {
	text, err := Body(e)
	if err != nil {
		s.report(ctx, "event not written", err)
		text = []byte("{}")
	}
	now := time.Now()
	a := s.opts.Client.post(ctx, e.ID(), text, now)
	if ctx.Err() != nil && !a.taken {
		return
	}
	// What was acknowledged is recorded although the process is asked to stop.
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	if a.taken {
		s.sent.Inc()
		s.answered(a, probe)
		err = s.opts.Outbox.Acknowledge(record, e, a.word)
	} else {
		s.failed.Inc()
		s.answered(a, probe)
		again, ok := next(e, a, time.Now())
		if ok {
			err = s.opts.Outbox.Postpone(record, e, a.word, again)
		} else {
			s.opts.Logger.Error("event given up; pombo events replay sends it again", "event", e.ID(), "type", e.Type, "answer", a.word, "tries", e.Tries+1)
			err = s.opts.Outbox.GiveUp(record, e, a.word)
		}
		s.opts.Logger.Warn("event not taken", "event", e.ID(), "type", e.Type, "answer", a.word, "tries", e.Tries+1, "often", pombo.Often("event"))
	}
	s.report(ctx, "how an event was answered is not recorded; it is sent again", err)
}

// answered keeps track of whether the receiver is away. All calls under way when it goes away
// fail, and count once: only a probe shows that it is still away.
func (s *Sender) answered(a answer, probe bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.taken {
		s.failures, s.until = 0, time.Time{}
		return
	}
	if probe || s.failures < away {
		s.failures++
	}
	pause := a.retry
	switch {
	case a.word == pombo.EventAnswerGone:
		s.failures, pause = max(s.failures, away), max(pause, gone)
	case s.failures >= away:
		pause = max(pause, wait.Jitter(min(longest, 5*time.Second<<min(s.failures-away, 10))))
	}
	if until := time.Now().Add(pause); pause > 0 && until.After(s.until) {
		s.until = until
	}
}

// next returns when an event is tried again, with a jitter so that events that failed together do
// not come back together; ok is false when its time is over.
func next(e pombo.OutboxEvent, a answer, now time.Time) (again time.Time, ok bool) {
	first := cmp.Or(e.Tried, now)
	end := first.Add(allTime)
	if !now.Before(end) {
		return again, false
	}
	again = now.Add(max(a.retry, wait.Jitter(schedule[min(e.Tries, len(schedule)-1)])))
	if again.After(end) {
		again = end
	}
	return again, true
}
