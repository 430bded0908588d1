package throttle

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

// Concurrency is an adaptive limit of how many messages may be between their permit
// and Blip's answer.
//
// A Blip in trouble (no connection, no answer, 5xx) is not helped by more messages,
// and each that it leaves unanswered is one more in doubt. So a round of messages
// lowers the limit to the share of them that was answered, one at least, and a round
// with little trouble doubles it again. A round lasts a second, or until a quarter of
// what may be in flight has failed.
type Concurrency struct {
	log   *slog.Logger
	gauge prometheus.Gauge
	slots chan struct{} // taken, by a message or because the limit is lower

	mu       sync.Mutex
	limit    int
	owed     int // slots to be withheld as soon as they come back
	answered int // in this round
	troubled int
	began    time.Time // the round; zero = with the next answer
}

const (
	// roundTime is how long answers are counted.
	roundTime = time.Second
	// someTrouble is how many failures mean more than chance.
	someTrouble = 3
)

func newConcurrency(most int, log *slog.Logger, r prometheus.Registerer) *Concurrency {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pombo_in_flight_limit", Help: "Messages that may be between their permit and Blip's answer at once; fewer while Blip is in trouble."})
	gauge.Set(float64(most))
	if r != nil {
		r.MustRegister(gauge)
	}
	return &Concurrency{log: log, gauge: gauge, slots: make(chan struct{}, most), limit: most}
}

// Acquire waits for a slot. Without an error the caller must return it, with Release
// when nothing was sent and with Observe otherwise.
func (c *Concurrency) Acquire(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release returns a slot from which nothing was sent.
func (c *Concurrency) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveBack()
}

// Observe returns a slot and counts how its message went.
func (c *Concurrency) Observe(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveBack()
	if inTrouble(err) {
		c.troubled++
	} else {
		c.answered++
	}
	now := time.Now()
	if c.began.IsZero() {
		c.began = now
	}
	over := now.Sub(c.began) >= roundTime
	failing := c.troubled >= min(someTrouble, c.limit) && c.troubled*10 >= c.answered+c.troubled
	switch {
	case failing && (over || c.troubled*4 >= c.limit):
		c.set(c.limit * c.answered / (c.answered + c.troubled))
	case over:
		c.set(2 * c.limit)
	default:
		return
	}
	c.answered, c.troubled, c.began = 0, 0, time.Time{}
}

func (c *Concurrency) giveBack() {
	if c.owed > 0 {
		c.owed--
		return
	}
	<-c.slots
}

// set changes the limit, between one and the ceiling.
func (c *Concurrency) set(limit int) {
	limit = max(1, min(limit, cap(c.slots)))
	if limit == c.limit {
		return
	}
	for ; c.limit > limit; c.limit-- {
		select {
		case c.slots <- struct{}{}:
		default:
			c.owed++
		}
	}
	for ; c.limit < limit; c.limit++ {
		c.giveBack()
	}
	c.gauge.Set(float64(limit))
	switch limit {
	case 1:
		c.log.Warn("Blip is in trouble: one message at a time until it answers")
	case cap(c.slots):
		c.log.Info("Blip answers again: as many messages at once as before")
	}
}

// inTrouble reports whether an error says that Blip cannot keep up, whatever the
// message was.
func inTrouble(err error) bool {
	e, ok := errors.AsType[*pombo.Error](err)
	return ok && e.Reason.Class() == pombo.ClassLink
}
