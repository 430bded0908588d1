package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

// flight bounds how many messages are between their leave to go and Blip's answer.
// WORKERS is the ceiling.
//
// A Blip in trouble (no connection, no answer, 5xx) is not helped by more
// messages, and each that it leaves unanswered is one more in doubt. So a round
// of messages lowers the bound to the share of them that was answered, one at
// least, and a round with little trouble doubles it again. A round lasts a
// second, or until a quarter of what may be in flight has failed.
type flight struct {
	log    *slog.Logger
	gauge  prometheus.Gauge
	places chan struct{} // taken, by a message or because the bound is lower

	mu       sync.Mutex
	bound    int
	owed     int // places to be withheld as soon as they come back
	answered int // in this round
	troubled int
	began    time.Time // the round; zero = with the next message that lands
}

const (
	// flightRound is how long the answers are counted.
	flightRound = time.Second
	// someTrouble is how many failures mean more than chance.
	someTrouble = 3
)

func newFlight(most int, gauge prometheus.Gauge, log *slog.Logger) *flight {
	gauge.Set(float64(most))
	return &flight{log: log, gauge: gauge, places: make(chan struct{}, most), bound: most}
}

// enter waits for a place. The caller gives it back with leave or landed.
func (f *flight) enter(ctx context.Context) error {
	select {
	case f.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives a place back from which nothing was sent.
func (f *flight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.giveBack()
}

// landed gives a place back and counts how its message went.
func (f *flight) landed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.giveBack()
	if inTrouble(err) {
		f.troubled++
	} else {
		f.answered++
	}
	now := time.Now()
	if f.began.IsZero() {
		f.began = now
	}
	over := now.Sub(f.began) >= flightRound
	failing := f.troubled >= min(someTrouble, f.bound) && f.troubled*10 >= f.answered+f.troubled
	switch {
	case failing && (over || f.troubled*4 >= f.bound):
		f.set(f.bound * f.answered / (f.answered + f.troubled))
	case over:
		f.set(2 * f.bound)
	default:
		return
	}
	f.answered, f.troubled, f.began = 0, 0, time.Time{}
}

func (f *flight) giveBack() {
	if f.owed > 0 {
		f.owed--
		return
	}
	<-f.places
}

// set changes the bound, within one and the ceiling.
func (f *flight) set(bound int) {
	bound = max(1, min(bound, cap(f.places)))
	if bound == f.bound {
		return
	}
	for ; f.bound > bound; f.bound-- {
		select {
		case f.places <- struct{}{}:
		default:
			f.owed++
		}
	}
	for ; f.bound < bound; f.bound++ {
		f.giveBack()
	}
	f.gauge.Set(float64(bound))
	switch bound {
	case 1:
		f.log.Warn("Blip is in trouble: one message at a time until it answers")
	case cap(f.places):
		f.log.Info("Blip answers again: as many messages at once as before")
	}
}

// inTrouble reports whether an error says that Blip cannot keep up, whatever the
// message was.
func inTrouble(err error) bool {
	e, ok := errors.AsType[*pombo.Error](err)
	if !ok {
		return false
	}
	switch e.Reason {
	case pombo.BlipUnreachable, pombo.BlipUnavailable, pombo.NoAnswer, pombo.GatewayTimeout:
		return true
	}
	return false
}
