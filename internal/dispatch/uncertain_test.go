package dispatch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/test/nightly"
)

// doubtful fills a ledger with messages that were being sent when their process
// died, as many as a reclaim finds.
func doubtful(t *testing.T, m *fakeLedger, n int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range n {
		d := m.insert(pombo.Key{Source: "api", RowKey: fmt.Sprint(i), Generation: 1}, 0, row(fmt.Sprint(i), fmt.Sprint(31_900_000_000+i), "Maria"))
		m.move(d, pombo.Claimed)
		m.move(d, pombo.Sending)
		m.move(d, pombo.Uncertain)
		d.Attempt, d.Reason, d.NotBefore, d.Identity = 1, pombo.Interrupted, time.Now(), "somebody"
	}
}

// TestResolver_KeepsUp: with an answer of Blip that takes a
// fifth of a second, of 1,500 doubts none is left a minute after the wait, and no
// more commands are made than are allowed.
func TestResolver_KeepsUp(t *testing.T) {
	nightly.WithoutRace(t)
	for _, traced := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			const doubts, perSecond = 1500, 45
			ledger := newFakeLedger()
			doubtful(t, ledger, doubts)
			var mu sync.Mutex
			asked := 0
			blip := &fakeBlip{onReceipts: func(id pombo.MessageID) ([]pombo.Receipt, error) {
				mu.Lock()
				asked++
				mu.Unlock()
				time.Sleep(200 * time.Millisecond)
				if !traced {
					return nil, nil
				}
				return []pombo.Receipt{{MessageID: id, State: pombo.Accepted}}, nil
			}}
			begun := time.Now()
			e := startEngine(t, options{Ledger: ledger, Blip: blip, CommandsPerSecond: perSecond, UncertainWait: 2 * time.Minute, Workers: 64})
			if err := e.Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator", Until: time.Now()}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			if left := ledger.count(pombo.Uncertain); left != 0 {
				t.Errorf("traced %v: %d are still uncertain %v later, want none", traced, left, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			if most := int(time.Since(begun).Seconds()*perSecond) + 1; asked > most || asked > 2*doubts+64 {
				t.Errorf("traced %v: %d questions, want %d at most and about two for each", traced, asked, min(most, 2*doubts+64))
			}
		})
	}
}

// TestResolver_ProcessesComeAndGo: of two processes one dies every two seconds,
// and what it was just asking about is asked by another.
func TestResolver_ProcessesComeAndGo(t *testing.T) {
	nightly.WithoutRace(t)
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		ledger.shared = true
		doubtful(t, ledger, 1000)
		blip := &fakeBlip{onReceipts: func(id pombo.MessageID) ([]pombo.Receipt, error) {
			time.Sleep(100 * time.Millisecond)
			return []pombo.Receipt{{MessageID: id, State: pombo.Accepted}}, nil
		}}
		// Dead is who gets no answer from the ledger any more.
		process := func(i int) *mortal {
			m := &mortal{fakeLedger: ledger}
			startEngine(t, options{Ledger: m, Blip: blip, Owner: fmt.Sprint("process ", i), CommandsPerSecond: 45})
			return m
		}
		live := []*mortal{process(0), process(1)}
		for i := range 30 {
			time.Sleep(2 * time.Second)
			live[i%2].die()
			live[i%2] = process(i + 2)
		}
		time.Sleep(35 * time.Second)
		synctest.Wait()
		if left := ledger.count(pombo.Uncertain); left != 0 {
			t.Errorf("%d are still uncertain, want none", left)
		}
	})
}

// mortal is a ledger as a process sees it that may die: nothing of what it does
// afterwards has happened.
type mortal struct {
	*fakeLedger
	life sync.Mutex
	dead bool
}

func (m *mortal) die() {
	m.life.Lock()
	defer m.life.Unlock()
	m.dead = true
}

func (m *mortal) gone() error {
	m.life.Lock()
	defer m.life.Unlock()
	if m.dead {
		return errAway
	}
	return nil
}

func (m *mortal) Finish(ctx context.Context, o pombo.Outcome) error {
	if m.gone() != nil {
		return pombo.ErrLost
	}
	return m.fakeLedger.Finish(ctx, o)
}

func (m *mortal) Uncertain(ctx context.Context, limit int) ([]pombo.Notification, error) {
	if err := m.gone(); err != nil {
		return nil, err
	}
	return m.fakeLedger.Uncertain(ctx, limit)
}

func (m *mortal) TakeUncertain(ctx context.Context, limit int, d time.Duration) ([]pombo.Notification, error) {
	if err := m.gone(); err != nil {
		return nil, err
	}
	return m.fakeLedger.TakeUncertain(ctx, limit, d)
}

func (m *mortal) Postpone(ctx context.Context, o pombo.Outcome) error {
	if err := m.gone(); err != nil {
		return err
	}
	return m.fakeLedger.Postpone(ctx, o)
}

func (m *mortal) AcquireLeadership(ctx context.Context, job, owner string, d time.Duration) (bool, error) {
	if err := m.gone(); err != nil {
		return false, err
	}
	return m.fakeLedger.AcquireLeadership(ctx, job, owner, d)
}

func (m *mortal) ReleaseLeadership(ctx context.Context, job, owner string) error {
	if err := m.gone(); err != nil {
		return err
	}
	return m.fakeLedger.ReleaseLeadership(ctx, job, owner)
}
