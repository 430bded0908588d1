package dispatch_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/delivery"
)

// TestResolver_LedgerWentBack: the row first, then Blip, and only
// what neither of them knows of is sent.
func TestResolver_LedgerWentBack(t *testing.T) {
	for _, test := range []struct {
		name      string
		code      string // in the row; "" = there is none
		traces    []int  // the generations that Blip knows
		alive     time.Duration
		policy    delivery.Policy
		begun     bool
		away      bool
		state     pombo.State // of generation 1
		reason    pombo.Reason
		next      pombo.State // of generation 2
		posts     int
		questions int
	}{
		{name: "the row says that it was sent", code: "2", traces: []int{1}, state: pombo.Accepted, reason: pombo.LedgerWentBack},
		{name: "its owner took it back", code: "9", state: pombo.Cancelled, reason: pombo.Withdrawn},
		{name: "the row is gone", state: pombo.Cancelled, reason: pombo.Withdrawn},
		{name: "Blip has it", code: "1", traces: []int{1}, state: pombo.Accepted, reason: pombo.TraceFound, questions: 2},
		{name: "Blip has it, and the source is away", code: "1", away: true, traces: []int{1}, state: pombo.Accepted, reason: pombo.TraceFound, questions: 2},
		{name: "Blip does not know it", code: "1", state: pombo.Accepted, posts: 1, questions: 3},
		{name: "the same, left to the operator if it was being sent", code: "1", policy: delivery.AskOperator, begun: true, state: pombo.Uncertain, reason: pombo.AwaitingOperator, questions: 3},
		{name: "the same, left to the operator, and it was not", code: "1", policy: delivery.AskOperator, state: pombo.Accepted, posts: 1, questions: 3},
		{name: "longer ago than Blip remembers", code: "1", alive: 72 * time.Hour, state: pombo.Uncertain, reason: pombo.AwaitingOperator, questions: 3},
		{name: "the next generation was sent", code: "1", traces: []int{2}, state: pombo.Cancelled, reason: pombo.LedgerWentBack, next: pombo.Accepted, questions: 4},
		{name: "both were", code: "1", traces: []int{1, 2}, state: pombo.Accepted, reason: pombo.TraceFound, next: pombo.Accepted, questions: 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source, ledger := newTable(row("a", "31988880001", "Maria")), newFakeLedger()
				source.status["a"] = test.code
				if test.code == "" {
					delete(source.status, "a")
				}
				if test.away {
					source.away = errAway
				}
				key := pombo.Key{Source: "notificacao", RowKey: "a", Generation: 1}
				n := ledger.insert(key, 0, parsed(row("a", "31988880001", "Maria")))
				ledger.move(n, pombo.Uncertain)
				n.Attempt, n.Reason = 1, pombo.LedgerWentBack
				if test.begun {
					n.Begun = time.Now()
				}
				ledger.noticed, ledger.alive = time.Now(), time.Now().Add(-test.alive)
				var mu sync.Mutex
				questions := 0
				blip := &fakeBlip{onReceipts: func(id pombo.MessageID) ([]pombo.Receipt, error) {
					mu.Lock()
					defer mu.Unlock()
					questions++
					for _, g := range test.traces {
						if id == (pombo.Key{Source: key.Source, RowKey: key.RowKey, Generation: g}).MessageID() {
							return []pombo.Receipt{{MessageID: id, State: pombo.Accepted}}, nil
						}
					}
					return nil, nil
				}}
				startEngine(t, options{Source: source, Ledger: ledger, Blip: blip, Uncertain: test.policy})
				time.Sleep(2*time.Minute - time.Second)
				synctest.Wait()
				if blip.posts(n.MessageID) != 0 {
					t.Error("sent before the wait was over")
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				got := ledger.find(key)
				if got.State != test.state || got.Reason != test.reason {
					t.Errorf("%s (%s), want %s (%s)", got.State, got.Reason, test.state, test.reason)
				}
				var next pombo.State
				key.Generation = 2
				if n := ledger.find(key); n != nil {
					next = n.State
				}
				if next != test.next || blip.posts(n.MessageID) != test.posts || questions != test.questions {
					t.Errorf("generation 2 is %q after %d posts and %d questions, want %q, %d and %d",
						next, blip.posts(n.MessageID), questions, test.next, test.posts, test.questions)
				}
			})
		})
	}
}

// TestRecheck_QueuedBeforeTheStart: whatever the pause was.
func TestRecheck_QueuedBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rows []pombo.Row
		for _, key := range []string{"1", "2", "3"} {
			rows = append(rows, row(key, "3198888000"+key, "Maria"))
		}
		source, ledger := newTable(rows...), newFakeLedger()
		for _, r := range rows {
			ledger.insert(pombo.Key{Source: "notificacao", RowKey: r.RowKey, Generation: 1}, 0, parsed(r))
		}
		source.status["2"] = "9"
		blip := &fakeBlip{}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		var states []pombo.State
		for _, r := range rows {
			states = append(states, ledger.get(t, r.RowKey).State)
		}
		if want := []pombo.State{pombo.Accepted, pombo.Cancelled, pombo.Accepted}; !slices.Equal(states, want) || source.asked != 1 {
			t.Errorf("%s after %d questions to the source, want %s after 1", states, source.asked, want)
		}
		if _, err := e.Intake.TakeIn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if source.asked != 1 {
			t.Error("the source was asked about what was just taken in")
		}
	})
}
