//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"pombo"
)

// fault is one entry of the plan.
type fault struct {
	name   string
	server int // which process, where there are several
	do     func(ctx context.Context, t *trial, s *server) error
}

func (t *trial) chance(most time.Duration) time.Duration {
	return time.Duration(t.rng.Int64N(int64(most)))
}

// killNow kills and waits until the process is gone.
func (t *trial) killNow(s *server) {
	s.kill()
	t.tally.kills++
}

// upAgain starts a process that was killed.
func (t *trial) upAgain(ctx context.Context, s *server) error {
	if err := t.endLease(ctx, s); err != nil {
		return err
	}
	return s.up(ctx)
}

// endLease has the lease of a process run out for the others, and those of the dead before it. Only
// a short run does: the rest of a lease would be most of it.
func (t *trial) endLease(ctx context.Context, s *server) error {
	if !t.o.short || t.pg == nil {
		return nil
	}
	for _, other := range t.servers {
		if other != s {
			return t.book.endLeases(ctx, other.pid())
		}
	}
	return nil
}

// killTakingIn starts a process and kills it when it has taken in the first page of the
// table. That lasts for a moment only, once in a run, and the plan might miss it.
func (t *trial) killTakingIn(ctx context.Context) error {
	s := t.servers[0]
	if err := s.start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if begun, err := t.book.has(ctx, "1"); err == nil && begun { // there may be no ledger yet
			break
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	t.killNow(s)
	return t.inquest(ctx, s)
}

// inquest finds out at which steps of the road the killed process was.
func (t *trial) inquest(ctx context.Context, s *server) error {
	list, err := t.book.inFlight(ctx, s.pid())
	if err != nil {
		return err
	}
	found := map[step]bool{}
	for _, h := range list {
		if h.state == pombo.Claimed {
			found[stepClaimed] = true
			continue
		}
		switch t.blip.sightOf(h.id).stage {
		case arrived:
			found[stepArrived] = true
		case taken:
			found[stepTaken] = true
		case answered:
			found[stepAnswered] = true
		default:
			found[stepBegun] = true
		}
	}
	keys, err := t.book.unsettled(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		status, err := t.source.status(ctx, key)
		if err != nil {
			return err
		}
		if status == statusPending {
			found[stepFinished] = true
		} else {
			found[stepWritten] = true
		}
	}
	last, err := t.source.lastPending(ctx)
	if err != nil {
		return err
	}
	if last != "" {
		known, err := t.book.has(ctx, last)
		if err != nil {
			return err
		}
		found[stepIntake] = !known
	}
	if err := t.inquestOnTheWayBack(ctx, found); err != nil {
		return err
	}
	t.tally.saw(found)
	return nil
}

// inquestOnTheWayBack does the same for replies, events and rows that go elsewhere.
func (t *trial) inquestOnTheWayBack(ctx context.Context, found map[step]bool) error {
	replies := map[string]int{} // by row
	var owed []kept
	err := t.book.replies(ctx, 1000, func(k kept) error {
		if k.row != "" {
			replies[k.row]++
		}
		if k.owed && len(owed) < 200 {
			owed = append(owed, k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key, n := range replies {
		row, err := strconv.Atoi(key)
		if err != nil {
			return err
		}
		if personaOf(row, t.o.rows) != unheard && n > t.people.ackedOf(row) {
			found[stepKept] = true
			break
		}
	}
	for _, k := range owed {
		answer, err := t.source.answer(ctx, k.row)
		if err != nil {
			return err
		}
		if answer == k.text {
			found[stepHome] = true
		} else {
			found[stepOwed] = true
		}
	}
	keys, err := t.book.handedOver(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		code, err := t.source.status(ctx, key)
		if err != nil {
			return err
		}
		found[stepHandedOver] = found[stepHandedOver] || code != statusElsewhere
	}
	ids, err := t.book.unsent(ctx, 500)
	for _, id := range ids {
		if t.events.has(id) {
			found[stepHeard] = true
		} else {
			found[stepTold] = true
		}
	}
	return err
}

// others are the faults that are not a kill in the first place. Each is used in turn.
func (t *trial) others() []fault {
	list := []fault{
		{name: "stopped in order", do: func(ctx context.Context, _ *trial, s *server) error {
			if err := s.stop(); err != nil {
				return err
			}
			return s.up(ctx)
		}},
		{name: "frozen for a moment", do: func(ctx context.Context, t *trial, s *server) error {
			s.signal(syscall.SIGSTOP)
			defer s.signal(syscall.SIGCONT)
			return sleep(ctx, blipTimeout+t.chance(2*time.Second))
		}},
		{name: "the table is locked", do: func(ctx context.Context, t *trial, s *server) error {
			kill := t.rng.IntN(2) == 0
			err := t.source.lock(ctx, time.Second+t.chance(3*time.Second), func() {
				if kill {
					t.killNow(s)
					_ = s.start()
				}
			})
			if err != nil || !kill {
				return err
			}
			t.killNow(s)
			return t.upAgain(ctx, s)
		}},
	}
	list = append(list, fault{name: "the receiver of events is away", do: t.away(func(s *server) (func() error, error) {
		s.toReceiver.refuse()
		return s.toReceiver.accept, nil
	}, 3*time.Second)})
	blip := t.network("Blip", func(s *server) *proxy { return s.toBlip }, 2*time.Second, longestStall)
	if refuse := blip[0].do; t.o.short {
		// An operator who knows that Blip is back ends the pause, which would be much of the run.
		blip[0].do = func(ctx context.Context, t *trial, s *server) error {
			if err := refuse(ctx, t, s); err != nil {
				return err
			}
			return s.command(ctx, "resume")
		}
	}
	list = append(list, blip...)
	if t.o.short && t.pg != nil {
		list = nil // they are for SQLite then
	}
	if t.pg == nil {
		list = append(list, fault{name: "the ledger is locked", do: func(ctx context.Context, t *trial, _ *server) error {
			most := 11 * time.Second // longer than the program waits for a lock
			if t.o.short {
				most = 2 * time.Second
			}
			return hold(ctx, t.book.db, "BEGIN IMMEDIATE", time.Second+t.chance(most), func() {})
		}})
		if t.disk != nil {
			list = append(list, fault{name: "the disk is full", do: t.away(func(*server) (func() error, error) {
				return t.disk.free, t.disk.fill()
			}, 3*time.Second)})
		}
		return list
	}
	list = append(list, t.network("the ledger", func(s *server) *proxy { return s.toLedger }, 3*time.Second, 3*time.Second)...)
	return append(list,
		fault{name: "the ledger's server is killed", do: t.away(func(*server) (func() error, error) {
			t.pg.Kill()
			return t.pg.Restart, nil
		}, 2*time.Second)},
		fault{name: "the ledger's clock is moved", do: func(ctx context.Context, t *trial, _ *server) error {
			// By more than a lease. What is queued meanwhile is due by the moved clock,
			// and so that much later once the clock is back.
			ahead := []string{"40 seconds", "-40 seconds"}[t.rng.IntN(2)]
			if err := t.setClock(ctx, ahead); err != nil {
				return err
			}
			if err := sleep(ctx, time.Second+t.chance(3*time.Second)); err != nil {
				return err
			}
			if err := t.setClock(ctx, "0"); err != nil || !t.o.short {
				return err
			}
			// What was reserved by the moved clock would last most of the run.
			return t.pg.Exec(ctx, "chaos", "DELETE FROM chaos.duty", "DELETE FROM chaos.recipient")
		}},
	)
}

// network are the faults of the way to something: refused and stalled for up to so long,
// and cut.
func (t *trial) network(what string, way func(*server) *proxy, refused, stalled time.Duration) []fault {
	return []fault{
		{name: what + " refuses connections", do: t.away(func(s *server) (func() error, error) {
			way(s).refuse()
			return way(s).accept, nil
		}, refused)},
		{name: what + "'s connections are cut", do: func(_ context.Context, _ *trial, s *server) error { way(s).cut(); return nil }},
		{name: "the network to " + what + " stalls", do: t.away(func(s *server) (func() error, error) {
			way(s).stall()
			return func() error { way(s).flow(); return nil }, nil
		}, stalled)},
	}
}

func (t *trial) setClock(ctx context.Context, ahead string) error {
	return t.pg.Exec(ctx, "chaos", "UPDATE beside.clock SET ahead = '"+ahead+"'")
}

// away takes something away for up to most, kills the process meanwhile in half of the
// cases, gives it back and makes sure that the process is up.
func (t *trial) away(take func(*server) (giveBack func() error, err error), most time.Duration) func(context.Context, *trial, *server) error {
	return func(ctx context.Context, t *trial, s *server) error {
		kill := t.rng.IntN(2) == 0
		d := most/4 + t.chance(most*3/4)
		giveBack, err := take(s)
		if err != nil {
			return err
		}
		err = sleep(ctx, d/2)
		if kill && err == nil {
			t.killNow(s)
			err = s.start()
		}
		if err == nil {
			err = sleep(ctx, d/2)
		}
		if err := errors.Join(err, giveBack()); err != nil || !kill {
			return err
		}
		// It may have ended by itself, or be in the middle of starting.
		t.killNow(s)
		return t.upAgain(ctx, s)
	}
}

// freezePastLease freezes a process that has notifications in flight until another one has
// taken all of them over and ended them. Then it wakes the process, which believes that
// they are still its own.
func freezePastLease(ctx context.Context, t *trial, s *server) error {
	t.freezing.Wait() // one at a time: another process has to continue
	// With slow answers most of what it has in flight has begun and waits for its call: the
	// worst moment.
	before := t.blip.latency.Swap(int64(blipTimeout / 2))
	defer t.blip.latency.Store(before)
	var list []flying
	begun := 0
	for deadline := time.Now().Add(30 * time.Second); begun == 0; {
		if err := sleep(ctx, blipTimeout); err != nil || time.Now().After(deadline) {
			return err // a long pause: it will have to do without
		}
		hit := make(chan struct{})
		t.blip.watch.Store(&watch{key: s.key, stage: arrived, act: func() { close(hit) }})
		err := came(ctx, hit)
		t.blip.watch.Store(nil)
		// POSTs come in waves now. Between two of them none has been checked for the last time and
		// has not left: nobody can help that one (docs/reliability.md).
		err = errors.Join(err, sleep(ctx, blipTimeout/4))
		s.signal(syscall.SIGSTOP)
		if err == nil {
			list, err = t.book.inFlight(ctx, s.pid())
		}
		for _, h := range list {
			if h.state == pombo.Sending {
				begun++
			}
		}
		if err != nil || begun == 0 {
			s.signal(syscall.SIGCONT)
		}
		if err != nil {
			return err
		}
	}
	s.frozen.Store(true)
	t.o.say("%s is frozen with %d notifications in flight, %d of them begun", s.name, len(list), begun)
	frozen := time.Now()
	if err := t.endLease(ctx, s); err != nil {
		return err
	}
	t.freezing.Go(func() {
		taken, err := t.takenOver(ctx, list)
		if err == nil {
			err = sleep(ctx, time.Until(frozen.Add(lease)))
		}
		t.o.say("%s goes on; another has ended %d of them", s.name, taken)
		s.signal(syscall.SIGCONT)
		s.frozen.Store(false)
		t.tally.takenOver.Add(int64(taken))
		t.frozeErr = errors.Join(t.frozeErr, err)
	})
	return nil
}

// lease is how long a process believes without a renewal that what it has claimed is its own.
const lease = 30 * time.Second

// takenOver waits until the notifications have come to an end without the
// process that had them, and returns how many have.
func (t *trial) takenOver(ctx context.Context, list []flying) (n int, err error) {
	patience := 75 * time.Second
	if t.o.short {
		patience = lease
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		n = 0
		for _, h := range list {
			state, err := t.book.state(ctx, h.row)
			if err == nil && !state.Open() {
				n++
			}
		}
		if n == len(list) {
			return n, nil
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return n, err
		}
	}
	return n, nil
}

// plan draws the faults. Every moment and every other fault comes as often as any
// other of its kind, in an order that the seed decides.
func (t *trial) plan() []fault {
	var kills, others []fault
	list := t.moments()
	for i := range t.o.kills {
		m := list[i%len(list)]
		kills = append(kills, fault{name: "killed: " + m.name, do: t.killAt(m)})
	}
	kinds := t.others()
	for i := range max(t.o.kills/5, len(kinds)) {
		f := kinds[i%len(kinds)]
		others = append(others, fault{name: f.name, do: t.counted(f)})
	}
	plan := append(kills, others...)
	t.rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	for i := range plan {
		plan[i].server = t.rng.IntN(2)
	}
	if t.pg == nil {
		return plan
	}
	// Freezing past the lease takes most of a minute, in which the others continue.
	var with []fault
	for i, f := range plan {
		if i%250 == 0 {
			freeze := fault{name: "frozen past the lease", server: i}
			freeze.do = t.counted(fault{name: freeze.name, do: freezePastLease})
			with = append(with, freeze)
		}
		with = append(with, f)
	}
	return with
}

func (t *trial) counted(f fault) func(context.Context, *trial, *server) error {
	return func(ctx context.Context, t *trial, s *server) error {
		t.tally.faults++
		t.tally.kinds[f.name]++
		if err := f.do(ctx, t, s); err != nil {
			return fmt.Errorf("while %s: %w", f.name, err)
		}
		return nil
	}
}
