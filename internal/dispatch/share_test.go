package dispatch_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/dispatch"
)

// replicas starts n engines on one shared ledger.
func replicas(t *testing.T, n int, ledger *memory, o dispatch.Options) []*dispatch.Engine {
	t.Helper()
	ledger.shared = true
	o.Ledger = ledger
	var engines []*dispatch.Engine
	for i := range n {
		o.Owner = "replica" + strconv.Itoa(i)
		engines = append(engines, engine(t, o))
	}
	return engines
}

func TestReplicasKeepTheRateOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rows = 300
		ledger := newMemory()
		var mu sync.Mutex
		var times []time.Time
		blip := &pretend{onSend: func(context.Context, pombo.Message, int) error {
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Now())
			return nil
		}}
		engines := replicas(t, 3, ledger, dispatch.Options{Blip: blip, MessagesPerSecond: 30})
		start := time.Now()
		for i := range rows {
			if _, _, err := engines[i%3].Intake.Add(t.Context(), row(strconv.Itoa(i), fmt.Sprintf("31988880%03d", i), "x")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(times) != rows {
			t.Fatalf("%d messages in a minute, want %d", len(times), rows)
		}
		least := float64(rows-1) / 30
		if took := times[rows-1].Sub(start).Seconds(); took < least-0.001 || took > least*1.1 {
			t.Errorf("%d messages took %.3f s, want between %.3f and %.3f", rows, took, least, least*1.1)
		}
	})
}

func TestOneReplicaTakesInAndAnotherFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"), row("2", "31988880002", "José"))
		ledger := newMemory()
		release := make(chan struct{})
		blip := &pretend{onSend: func(context.Context, pombo.Message, int) error { <-release; return nil }}
		engines := replicas(t, 2, ledger, dispatch.Options{Source: source, Blip: blip})
		first, _, err := engines[0].Runs.StartRun(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		pages := 0
		source.onPage = func() { pages++ }
		second, joined, err := engines[1].Runs.StartRun(t.Context())
		if err != nil || !joined || second.ID != first.ID {
			t.Fatalf("run %d, joined %v, error %v; want run %d joined", second.ID, joined, err, first.ID)
		}
		synctest.Wait()
		close(release)
		run, err := engines[1].Runs.WaitRun(t.Context(), second.ID)
		if err != nil || run.Accepted != 2 || pages != 0 {
			t.Errorf("accepted %d, error %v, %d pages read again; want 2 and none", run.Accepted, err, pages)
		}
	})
}

func TestADutyThatNobodyGivesUpIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		ledger := newMemory()
		ledger.duties["intake"] = held{"somebody else", time.Now().Add(10 * time.Second)}
		engines := replicas(t, 1, ledger, dispatch.Options{Source: source, Blip: &pretend{}})
		start := time.Now()
		run := runToEnd(t, engines[0])
		if took := time.Since(start); run.Accepted != 1 || took < 10*time.Second || took > 12*time.Second {
			t.Errorf("accepted %d after %s, want 1 once the duty was free", run.Accepted, took)
		}
	})
}

func TestAPauseOfOneHoldsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newMemory(), &pretend{}
		engines := replicas(t, 2, ledger, dispatch.Options{Blip: blip})
		if err := engines[0].Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if paused := engines[1].Throttle.Pauser.Paused(); !paused {
			t.Error("the other replica goes on sending")
		}
	})
}

func TestReplicasKeepTheGapOfAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		var mu sync.Mutex
		var times []time.Time
		blip := &pretend{onSend: func(context.Context, pombo.Message, int) error {
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Now())
			return nil
		}}
		engines := replicas(t, 2, ledger, dispatch.Options{Blip: blip})
		for i, e := range engines {
			if _, _, err := e.Intake.Add(t.Context(), row(strconv.Itoa(i), "31988880001", "x")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(times) != 2 || times[1].Sub(times[0]) < 6*time.Second {
			t.Errorf("messages to one person at %v, want two, six seconds apart", times)
		}
	})
}

// Without the ledger nobody gets a share, and nothing is sent.
func TestNoShareWhileTheLedgerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newMemory(), &pretend{}
		ledger.breakMethod("Quota", errAway)
		engines := replicas(t, 1, ledger, dispatch.Options{Blip: blip, MessagesPerSecond: 10})
		n, _, err := engines[0].Intake.Add(t.Context(), row("a", "31988880001", "x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if blip.posts(n.MessageID) != 0 {
			t.Error("sent without a share of the rate")
		}
		ledger.breakMethod("Quota", nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if blip.posts(n.MessageID) != 1 {
			t.Error("not sent once the ledger was back")
		}
	})
}

// TestOneReplicaAsksForAll: what one process does for all costs what one costs.
func TestOneReplicaAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, ledger := newTable(), newMemory()
		pages := 0
		source.onPage = func() { pages++ }
		replicas(t, 3, ledger, dispatch.Options{Source: source, Blip: &pretend{}, PollInterval: 10 * time.Second})
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if pages != 6 {
			t.Errorf("the source was asked %d times in a minute, want 6", pages)
		}
		if got := ledger.called("Unsettled"); got < 50 || got > 70 {
			t.Errorf("Unsettled was called %d times in a minute, want about once a second", got)
		}
	})
}

// TestDutiesOfADeadReplicaAreTakenOver: all of them, within seconds.
func TestDutiesOfADeadReplicaAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, ledger := newTable(row("1", "31988880001", "Maria")), newMemory()
		for _, duty := range []string{"poll", "intake", "settle"} {
			ledger.duties[duty] = held{"dead", time.Now().Add(5 * time.Second)}
		}
		replicas(t, 2, ledger, dispatch.Options{Source: source, Blip: &pretend{}, PollInterval: time.Second})
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got := source.get("1"); got != "1" {
			t.Fatalf("status %s before the duties were over, want 1", got)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := source.get("1"); got != "2" {
			t.Errorf("status %s, want 2: taken in, sent and settled by those who live", got)
		}
		if got := ledger.called("Uncertain"); got == 0 {
			t.Error("nobody asks about the uncertain")
		}
	})
}

// TestWhoCannotSettleLetsAnotherTry: one machine has lost its way to the table.
func TestWhoCannotSettleLetsAnotherTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		away, near := newTable(), newTable(row("1", "31988880001", "Maria"))
		away.away = errAway
		replicas(t, 1, ledger, dispatch.Options{Source: away, Blip: &pretend{}})
		synctest.Wait() // it has the duty
		other := engine(t, dispatch.Options{Source: near, Ledger: ledger, Blip: &pretend{}, Owner: "other"})
		if run := runToEnd(t, other); run.Accepted != 1 {
			t.Fatalf("accepted %d, want 1", run.Accepted)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := near.get("1"); got != "2" {
			t.Errorf("status %s, want 2", got)
		}
	})
}

// A process that slept past its lease wakes with what it had begun still waiting
// for a call. Another one may have taken that over, asked Blip and sent it again,
// so it is not sent in its old right, also when the lease has been renewed since.
func TestWhatWasBegunBeforeTheLeaseWasOverIsNotSent(t *testing.T) {
	for _, renewed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const lease = 30 * time.Second
			ledger := newMemory()
			var mu sync.Mutex
			var first pombo.MessageID
			var attempts []int
			answer := make(chan struct{})
			// A look-up takes a while, so that the other one is next in the queue for a call.
			blip := &pretend{onIdentity: func() error { time.Sleep(100 * time.Millisecond); return nil }}
			blip.onSend = func(_ context.Context, m pombo.Message, _ int) error {
				mu.Lock()
				if first == "" {
					first = m.MessageID
					mu.Unlock()
					<-answer
					return nil
				}
				defer mu.Unlock()
				ledger.mu.Lock()
				defer ledger.mu.Unlock()
				attempts = append(attempts, ledger.at(m.MessageID).Attempt)
				return nil
			}
			// One call at a time. Both are claimed at once, so that both have begun when the
			// first is sent.
			e := replicas(t, 1, ledger, dispatch.Options{Blip: blip, Workers: 1, Lease: lease})[0]
			if err := e.Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
				t.Fatal(err)
			}
			for i, key := range []string{"one", "other"} {
				if _, _, err := e.Intake.Add(t.Context(), row(key, "3198888000"+strconv.Itoa(i), "Maria")); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Throttle.Pauser.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			waiting := "one"
			mu.Lock()
			if ledger.get(t, "one").MessageID == first {
				waiting = "other"
			}
			mu.Unlock()
			if n := ledger.get(t, waiting); n.State != pombo.Sending || n.Attempt != 1 {
				t.Errorf("%s at attempt %d, want one that has begun and waits for its call", n.State, n.Attempt)
			}
			ledger.breakMethod("Renew", errAway)
			time.Sleep(lease + time.Second)
			if renewed {
				ledger.breakMethod("Renew", nil)
				time.Sleep(lease / 2)
			}
			close(answer)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if n := ledger.get(t, waiting); len(attempts) != 0 || n.State != pombo.Queued || n.Reason != pombo.LeaseOver {
				t.Errorf("renewed again %v: posts at attempts %v, then %s (%s); want none, and back in the queue", renewed, attempts, n.State, n.Reason)
			}
			ledger.breakMethod("Renew", nil)
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := ledger.get(t, waiting); len(attempts) != 1 || attempts[0] < 2 || n.State != pombo.Accepted {
				t.Errorf("renewed again %v: posts at attempts %v, then %s; want one of a later attempt, accepted", renewed, attempts, n.State)
			}
		})
	}
}
