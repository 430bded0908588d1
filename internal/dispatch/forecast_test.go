package dispatch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/health"
	"pombo/internal/words"
	"pombo/test/nightly"
)

// TestForecast: what the headline says after three minutes about the end of the queue is at
// most 15 % wrong in nine of ten mornings, besides its rounding; each has another Blip.
func TestForecast(t *testing.T) {
	nightly.WithoutRace(t)
	mornings, wanted := nightly.Or(10, 3), nightly.Or(9, 2)
	rng := rand.New(rand.NewPCG(20261129, 0))
	right := 0
	for i := range mornings {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			rate, workers := 0.5+2*rng.Float64(), 1+rng.IntN(8)
			latency, refused := time.Duration(100+rng.IntN(3000))*time.Millisecond, 0.1*rng.Float64()
			answers := rand.New(rand.NewPCG(uint64(i), 1))
			synctest.Test(t, func(t *testing.T) {
				blip := &fakeBlip{}
				blip.onSend = func(context.Context, pombo.Message, int) error {
					blip.mu.Lock()
					d, no := time.Duration((0.5+answers.Float64())*float64(latency)), answers.Float64() < refused
					blip.mu.Unlock()
					time.Sleep(d)
					if no {
						return &pombo.Error{Reason: pombo.NotOnWhatsApp}
					}
					return nil
				}
				var rows []pombo.Row
				for k := range int(min(rate, float64(workers)/latency.Seconds()) * float64(10+rng.IntN(20)) * 60) {
					rows = append(rows, row(fmt.Sprintf("%05d", k), fmt.Sprintf("319888%05d", k), "Maria"))
				}
				ledger := newFakeLedger()
				e := startEngine(t, options{
					Source: newTable(rows...), Ledger: ledger, Blip: blip, Workers: workers, MessagesPerSecond: rate, PollInterval: time.Minute,
				})
				left := func() (open int) {
					ledger.mu.Lock()
					defer ledger.mu.Unlock()
					for _, n := range ledger.rows {
						if n.State.Open() {
							open++
						}
					}
					return open
				}
				time.Sleep(3 * time.Minute)
				now := time.Now()
				waiting := left()
				s := health.Snapshot{
					Now: now, Progress: e.Progress(),
					Backlog: pombo.Backlog{Ready: waiting, States: map[pombo.State]int{pombo.Queued: waiting}},
				}
				headline := s.Headline()
				if headline.What.Key != "headline.sending_forecast" {
					t.Fatalf("it forecasts nothing: %v", headline)
				}
				said := headline.What.Args[2].(words.Phrase)
				if said.Key != "forecast.done" {
					t.Fatalf("it forecasts no end: %v", headline)
				}
				forecast := said.Args[0].(words.Clock).At
				for left() > 0 {
					time.Sleep(time.Second)
				}
				took, latest := time.Since(now), forecast.Sub(now)
				earliest := latest - 5*time.Minute // it is rounded up to five minutes
				off := max(earliest-took, took-latest)
				t.Logf("%d rows, %.1f/s, %d workers, %s: said %s to %s, took %s", len(rows), rate, workers, latency, earliest, latest, took)
				if off <= took*15/100 {
					right++
				}
			})
		})
	}
	if right < wanted {
		t.Errorf("%d of %d forecasts were right, want %d", right, mornings, wanted)
	}
}
