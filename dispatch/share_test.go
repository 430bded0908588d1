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
	"pombo/dispatch"
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
			if _, _, err := engines[i%3].Add(t.Context(), row(strconv.Itoa(i), fmt.Sprintf("31988880%03d", i), "x")); err != nil {
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
		first, _, err := engines[0].StartRun(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		pages := 0
		source.onPage = func() { pages++ }
		second, joined, err := engines[1].StartRun(t.Context())
		if err != nil || !joined || second.ID != first.ID {
			t.Fatalf("run %d, joined %v, error %v; want run %d joined", second.ID, joined, err, first.ID)
		}
		synctest.Wait()
		close(release)
		run, err := engines[1].WaitRun(t.Context(), second.ID)
		if err != nil || run.Accepted != 2 || pages != 0 {
			t.Errorf("accepted %d, error %v, %d pages read again; want 2 and none", run.Accepted, err, pages)
		}
	})
}

func TestADutyThatNobodyGivesUpIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		ledger := newMemory()
		ledger.duty = "somebody else"
		engines := replicas(t, 1, ledger, dispatch.Options{Source: source, Blip: &pretend{}})
		time.AfterFunc(10*time.Second, func() { ledger.mu.Lock(); defer ledger.mu.Unlock(); ledger.duty = "" })
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
		if err := engines[0].Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, paused, _ := engines[1].Paused(t.Context()); !paused {
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
			if _, _, err := e.Add(t.Context(), row(strconv.Itoa(i), "31988880001", "x")); err != nil {
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
		n, _, err := engines[0].Add(t.Context(), row("a", "31988880001", "x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if blip.posts(n.ID) != 0 {
			t.Error("sent without a share of the rate")
		}
		ledger.breakMethod("Quota", nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if blip.posts(n.ID) != 1 {
			t.Error("not sent once the ledger was back")
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
			var attempts []int
			answer := make(chan struct{})
			blip := &pretend{onSend: func(_ context.Context, m pombo.Message, _ int) error {
				switch m.Params[0].Value.Reveal() {
				case "slow":
					<-answer
					return nil
				case "first":
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				attempts = append(attempts, ledger.get(t, "waiting").Attempt)
				return nil
			}}
			// One call at a time. The first takes the turn that there is, so that the
			// identities of the others are known before theirs come.
			e := replicas(t, 1, ledger, dispatch.Options{Blip: blip, Workers: 1, Lease: lease, MessagesPerSecond: 0.5})[0]
			for i, key := range []string{"first", "slow", "waiting"} {
				if _, _, err := e.Add(t.Context(), row(key, "3198888000"+strconv.Itoa(i), key)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			time.Sleep(5 * time.Second)
			if n := ledger.get(t, "waiting"); n.State != pombo.Sending || n.Attempt != 1 {
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
			if n := ledger.get(t, "waiting"); len(attempts) != 0 || n.State != pombo.Queued || n.Reason != pombo.LeaseOver {
				t.Errorf("renewed again %v: posts at attempts %v, then %s (%s); want none, and back in the queue", renewed, attempts, n.State, n.Reason)
			}
			ledger.breakMethod("Renew", nil)
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := ledger.get(t, "waiting"); len(attempts) != 1 || attempts[0] < 2 || n.State != pombo.Accepted {
				t.Errorf("renewed again %v: posts at attempts %v, then %s; want one of a later attempt, accepted", renewed, attempts, n.State)
			}
		})
	}
}
