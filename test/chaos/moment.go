//go:build unix

package main

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"
)

// moment is when a kill hits. wait returns when the process has been signalled, or when the
// moment does not come.
type moment struct {
	name string
	wait func(ctx context.Context, t *trial, s *server) error
	// whose is the process that the moment is for; nil = any.
	whose func(t *trial) *server
	// finds is the step that the moment is for. The step may be over before the signal comes:
	// until one kill has found it, the moment is tried again.
	finds step
	// short is where a short run has it, which has few kills for each ledger.
	short ledgers
}

// ledgers are kinds of ledger.
type ledgers uint8

const (
	onSQLite ledgers = 1 << iota
	onPostgres
)

// await is how long a moment is waited for.
const await = 2 * time.Second

// moments are the instants at which a process is killed. Each is repeated over
// the plan.
func (t *trial) moments() []moment {
	list := []moment{
		{name: "at random", wait: func(ctx context.Context, t *trial, _ *server) error {
			return sleep(ctx, t.chance(400*time.Millisecond))
		}, short: onSQLite},
		{name: "on the way to Blip", wait: func(ctx context.Context, t *trial, s *server) error {
			return onTheWay(ctx, s, s.toBlip, 1+t.rng.IntN(40), true)
		}, finds: stepBegun, short: onSQLite},
		{name: "a POST has come", wait: atStage(arrived), finds: stepArrived, short: onSQLite},
		{name: "a message was taken", wait: atStage(taken), finds: stepTaken, short: onSQLite},
		{name: "an answer was given", wait: atStage(answered), finds: stepAnswered, short: onSQLite},
		{name: "the table was written", wait: func(ctx context.Context, t *trial, s *server) error {
			err := committed(ctx, t.source.db, await)
			s.signal(syscall.SIGKILL)
			return err
		}, finds: stepWritten, short: onSQLite},
		{name: "an answer was written", wait: answerWritten, finds: stepHome, short: onSQLite},
		{name: "a reply was kept", wait: func(ctx context.Context, t *trial, s *server) error {
			hit := make(chan struct{})
			t.people.watch.Store(&replyWatch{server: s, act: func() { s.signal(syscall.SIGKILL); close(hit) }})
			defer t.people.watch.Store(nil)
			return came(ctx, hit)
		}, finds: stepKept, short: onSQLite | onPostgres},
		{name: "an event has come", wait: func(ctx context.Context, t *trial, s *server) error {
			hit := make(chan struct{})
			t.events.watch.Store(&watch{key: s.name, act: func() { s.signal(syscall.SIGKILL); close(hit) }})
			defer t.events.watch.Store(nil)
			return came(ctx, hit)
		}, whose: func(t *trial) *server { return t.sender() }, finds: stepHeard, short: onPostgres},
		{name: "just started", wait: func(ctx context.Context, t *trial, s *server) error {
			t.killNow(s)
			if err := s.start(); err != nil {
				return err
			}
			return sleep(ctx, t.chance(120*time.Millisecond))
		}, short: onPostgres},
		{name: "a row was handed over", wait: handedOver, finds: stepHandedOver}, // which takes many tries
	}
	ofLedger := moment{name: "on the way to the ledger", wait: func(ctx context.Context, t *trial, s *server) error {
		return onTheWay(ctx, s, s.toLedger, 1+t.rng.IntN(40), t.rng.IntN(2) == 0)
	}}
	if t.pg == nil {
		ofLedger = moment{name: "the ledger was written", wait: func(ctx context.Context, t *trial, s *server) error {
			err := committed(ctx, t.book.db, await)
			s.signal(syscall.SIGKILL)
			return err
		}}
	}
	if t.o.short {
		here := onSQLite
		if t.pg != nil {
			here = onPostgres
		}
		list = slices.DeleteFunc(list, func(m moment) bool { return m.short&here == 0 })
	}
	return append([]moment{ofLedger}, list...)
}

// onTheWay kills when the network has something of the process, counted from now.
func onTheWay(ctx context.Context, s *server, way *proxy, count int, lost bool) error {
	hit := make(chan struct{})
	way.watchChunk(count, func() bool {
		s.signal(syscall.SIGKILL)
		close(hit)
		return lost
	})
	defer way.chunk.Store(nil)
	return came(ctx, hit)
}

// answerWritten kills when the table has got one answer more.
func answerWritten(ctx context.Context, t *trial, s *server) error {
	before, err := t.source.answers(ctx)
	for now, deadline := before, time.Now().Add(await); err == nil && now == before && time.Now().Before(deadline); {
		if err = committed(ctx, t.source.db, await); err == nil {
			now, err = t.source.answers(ctx)
		}
	}
	s.signal(syscall.SIGKILL)
	return err
}

// atStage kills in the very handler of a POST that got so far.
func atStage(at stage) func(context.Context, *trial, *server) error {
	return func(ctx context.Context, t *trial, s *server) error {
		hit := make(chan struct{})
		t.blip.watch.Store(&watch{key: s.key, stage: at, act: func() { s.signal(syscall.SIGKILL); close(hit) }})
		defer t.blip.watch.Store(nil)
		return came(ctx, hit)
	}
}

// sender returns the process that sends the events, of several that could.
func (t *trial) sender() *server {
	last := t.events.sender.Load()
	for _, s := range t.servers {
		if last != nil && s.name == *last {
			return s
		}
	}
	return t.servers[0]
}

// handedOver has the time of a row run out and kills when the ledger has handed it over, while the
// table is locked. Where settling waits for the table just then, it tries another row.
func handedOver(ctx context.Context, t *trial, s *server) error {
	killed := false
	for deadline := time.Now().Add(2 * await); !killed && time.Now().Before(deadline); {
		row, err := t.book.waitsFor(ctx)
		if err == nil && row == 0 {
			err = sleep(ctx, 50*time.Millisecond)
		} else if err == nil {
			lockErr := t.source.lock(ctx, 0, func() {
				if _, err = t.book.dayPasses(ctx, row); err == nil {
					killed, err = t.awaitHandOver(ctx)
				}
				if killed {
					s.signal(syscall.SIGKILL)
				}
			})
			err = errors.Join(lockErr, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitHandOver waits for a moment until the ledger has handed a row over, and reports whether it
// has.
func (t *trial) awaitHandOver(ctx context.Context) (bool, error) {
	for deadline := time.Now().Add(await / 4); time.Now().Before(deadline); {
		if keys, err := t.book.handedOver(ctx); err != nil || len(keys) > 0 {
			return len(keys) > 0, err
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return false, err
		}
	}
	return false, nil
}

func came(ctx context.Context, hit <-chan struct{}) error {
	select {
	case <-hit:
		return nil
	case <-time.After(await):
		return nil // a pause, perhaps: the kill hits during it
	case <-ctx.Done():
		return ctx.Err()
	}
}

// killAt is the fault that most of the plan is made of.
func (t *trial) killAt(m moment) func(context.Context, *trial, *server) error {
	kill := func(ctx context.Context, t *trial, s *server) error {
		if err := m.wait(ctx, t, s); err != nil {
			return err
		}
		t.killNow(s)
		if err := t.inquest(ctx, s); err != nil {
			return err
		}
		return t.upAgain(ctx, s)
	}
	return func(ctx context.Context, t *trial, s *server) error {
		if m.whose != nil {
			if other := m.whose(t); !other.frozen.Load() {
				s = other
			}
		}
		err := kill(ctx, t, s)
		for tries := 0; err == nil && tries < 5 && m.finds != noStep && t.tally.steps[m.finds] == 0; tries++ {
			err = kill(ctx, t, s)
		}
		return err
	}
}
