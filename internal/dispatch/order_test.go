package dispatch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
)

// What is urgent goes before what is claimed already.
func TestGate_Priority(t *testing.T) {
	for _, shared := range []bool{false, true} {
		for _, rate := range []float64{3, 45} {
			t.Run(fmt.Sprintf("%g a second, shared %t", rate, shared), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const rows = 600
					ledger := newFakeLedger()
					ledger.shared = shared
					var mu sync.Mutex
					sent := map[pombo.MessageID]time.Time{}
					blip := &fakeBlip{
						onIdentity: func() error { time.Sleep(50 * time.Millisecond); return nil },
						onSend: func(_ context.Context, m pombo.Message, _ int) error {
							mu.Lock()
							sent[m.MessageID] = time.Now()
							mu.Unlock()
							time.Sleep(50 * time.Millisecond)
							return nil
						},
					}
					e := startEngine(t, options{Ledger: ledger, Blip: blip, MessagesPerSecond: rate, CommandsPerSecond: 180, Workers: 64})
					begun := time.Now()
					for i := range rows {
						if _, _, err := e.Intake.Add(t.Context(), row(strconv.Itoa(i), fmt.Sprintf("31988880%03d", i), "x")); err != nil {
							t.Fatal(err)
						}
					}
					for i := range 3 {
						time.Sleep(2 * time.Second)
						urgent := row("urgent"+strconv.Itoa(i), fmt.Sprintf("31977770%03d", i), "x")
						urgent.Priority = 9
						n, _, err := e.Intake.Add(t.Context(), urgent)
						if err != nil {
							t.Fatal(err)
						}
						added := time.Now()
						time.Sleep(2 * time.Second)
						mu.Lock()
						if at, ok := sent[n.MessageID]; !ok {
							t.Errorf("not sent within 2 s, behind %d others", rows-len(sent))
						} else {
							t.Logf("sent after %s", at.Sub(added))
						}
						mu.Unlock()
					}
					mu.Lock()
					defer mu.Unlock()
					if took := time.Since(begun).Seconds(); float64(len(sent)) < 0.95*took*rate {
						t.Errorf("%d messages in %.1f s, want %g a second", len(sent), took, rate)
					}
				})
			})
		}
	}
}

// Of what is claimed together the messages to one person go in the order of their rows,
// whatever happens to them on the way, and the urgent one first. With fewer workers than
// people a later claim can take a row that has not waited yet before one that has.
func TestRecipients_Order(t *testing.T) {
	for _, shared := range []bool{false, true} {
		for _, rate := range []float64{0, 45} {
			t.Run(fmt.Sprintf("%g a second, shared %t", rate, shared), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const people, each = 20, 5
					ledger := newFakeLedger()
					ledger.shared = shared
					random := rand.New(rand.NewPCG(1, 2))
					var mu sync.Mutex
					var sent []pombo.MessageID
					blip := &fakeBlip{
						onIdentity: func() error {
							mu.Lock()
							d := time.Duration(random.IntN(2000)) * time.Millisecond
							mu.Unlock()
							time.Sleep(d)
							return nil
						},
						onSend: func(_ context.Context, m pombo.Message, _ int) error {
							mu.Lock()
							defer mu.Unlock()
							sent = append(sent, m.MessageID)
							return nil
						},
					}
					var rows []pombo.Row
					for i := range people * each {
						r := row(fmt.Sprintf("%04d", i), fmt.Sprintf("31988880%03d", i%people), "x")
						if i/people == 3 {
							r.Priority = 9
						}
						rows = append(rows, r)
					}
					e := startEngine(t, options{Source: newTable(rows...), Ledger: ledger, Blip: blip, MessagesPerSecond: rate, Workers: 64})
					runToEnd(t, e)
					time.Sleep(2 * time.Minute)
					mu.Lock()
					defer mu.Unlock()
					if len(sent) != people*each {
						t.Fatalf("%d messages, want %d", len(sent), people*each)
					}
					for person := range people {
						var got []int
						for _, id := range sent {
							for round := range each {
								if key := fmt.Sprintf("%04d", round*people+person); id == ledger.get(t, key).MessageID {
									got = append(got, round)
								}
							}
						}
						if want := []int{3, 0, 1, 2, 4}; !slices.Equal(got, want) {
							t.Errorf("person %d: the messages went in the order %v, want %v", person, got, want)
						}
					}
				})
			})
		}
	}
}
