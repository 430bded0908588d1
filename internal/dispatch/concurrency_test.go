package dispatch_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/delivery"
	"pombo/test/nightly"
)

// TestConcurrency_BlipInTrouble: while Blip answers nothing, few messages come
// into doubt, and none is written as "sending" without being sent at once; when it
// answers again, the rate is soon what it was.
func TestConcurrency_BlipInTrouble(t *testing.T) {
	nightly.WithoutRace(t)
	synctest.Test(t, func(t *testing.T) {
		var rows []pombo.Row
		for i := range 3000 {
			rows = append(rows, row(fmt.Sprintf("%04d", i), fmt.Sprintf("319%08d", 80000000+i), "Maria"))
		}
		var silent atomic.Bool
		var flying, most, posts atomic.Int64
		blip := &fakeBlip{onSend: func(ctx context.Context, _ pombo.Message, _ int) error {
			posts.Add(1)
			if n := flying.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer flying.Add(-1)
			if !silent.Load() {
				time.Sleep(100 * time.Millisecond)
				return nil
			}
			time.Sleep(20 * time.Second)
			return cut
		}}
		ledger := newFakeLedger()
		e := startEngine(t, options{Source: newTable(rows...), Ledger: ledger, Blip: blip, Uncertain: delivery.AskOperator, Workers: 64, MessagesPerSecond: 45})
		if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		before := posts.Load()
		if before < 400 {
			t.Fatalf("%d messages in ten good seconds, want about 450", before)
		}

		silent.Store(true)
		time.Sleep(5 * time.Minute)
		// The 64 that had left before anybody could know, sixteen in the places of the
		// first quarter that failed, and then one every twenty seconds.
		if got := posts.Load() - before; got > 64+16+15 {
			t.Errorf("%d messages left in five silent minutes, want at most 95", got)
		}
		if sending := ledger.count(pombo.Sending); sending > 2 {
			t.Errorf("%d stand as sending, want only what is under way", sending)
		}

		silent.Store(false)
		time.Sleep(30 * time.Second) // the last silent one ends within twenty
		before, start := posts.Load(), time.Now()
		time.Sleep(10 * time.Second)
		if rate := float64(posts.Load()-before) / time.Since(start).Seconds(); rate < 44 {
			t.Errorf("%.1f messages a second once Blip answers again, want 45", rate)
		}
		if most.Load() > 64 {
			t.Errorf("%d messages at once, want at most 64", most.Load())
		}
	})
}

// TestConcurrency_FewFailures: one message in twenty without an answer is no
// reason to send fewer.
func TestConcurrency_FewFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rows []pombo.Row
		for i := range 900 {
			rows = append(rows, row(fmt.Sprintf("%04d", i), fmt.Sprintf("319%08d", 80000000+i), "Maria"))
		}
		var posts atomic.Int64
		blip := &fakeBlip{onSend: func(context.Context, pombo.Message, int) error {
			time.Sleep(100 * time.Millisecond)
			if posts.Add(1)%20 == 0 {
				return cut
			}
			return nil
		}}
		e := startEngine(t, options{Source: newTable(rows...), Ledger: newFakeLedger(), Blip: blip, Uncertain: delivery.AskOperator, Workers: 64, MessagesPerSecond: 45})
		start := time.Now()
		runToEnd(t, e)
		if took := time.Since(start); took > 22*time.Second {
			t.Errorf("900 messages took %v, want 20 s at 45 a second", took)
		}
	})
}
