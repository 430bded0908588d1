package telemetry

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Limits of a console that is slow.
const (
	consoleRoom = 1 << 20         // bytes that may wait; lines beyond are dropped and counted
	consoleEnd  = 2 * time.Second // how long Close waits for it
)

// Console writes to a terminal or a pipe without ever waiting for it. A click into a
// Windows console, Ctrl+S on a terminal or a stopped reader block every write for as long
// as they last; so lines wait in a queue that a goroutine writes. When the queue is full,
// lines are dropped and counted, and the console says how many once it accepts lines
// again.
type Console struct {
	w      io.Writer
	format format

	mu      sync.Mutex
	waiting []byte // whole lines
	dropped int    // lines dropped since the last one in the queue
	closed  bool

	wake  chan struct{} // of size one: lines wait, or the console is closed
	ended chan struct{} // closed by run
}

// NewConsole returns a Console that writes to w, and reports dropped lines in the format
// ("text" or "json"). Close ends it.
func NewConsole(w io.Writer, format string) *Console {
	c := &Console{w: w, format: appendText, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	if format == "json" {
		c.format = appendJSON
	}
	go c.run() // Close waits for it
	return c
}

// Write puts lines into the queue. It never fails and never waits.
func (c *Console) Write(lines []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
	case len(c.waiting) > 0 && len(c.waiting)+len(lines) > consoleRoom:
		c.dropped += bytes.Count(lines, []byte("\n"))
	default:
		c.reportDropped()
		c.waiting = append(c.waiting, lines...)
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return len(lines), nil
}

// reportDropped queues a record that says how many lines were dropped here.
func (c *Console) reportDropped() {
	if c.dropped > 0 {
		c.waiting = c.format(c.waiting, time.Now(), slog.LevelWarn, "lines not shown here: the console did not accept them",
			[]field{{"lines", slog.IntValue(c.dropped)}})
		c.dropped = 0
	}
}

func (c *Console) run() {
	defer close(c.ended)
	var lines []byte
	for range c.wake {
		c.mu.Lock()
		c.reportDropped()
		lines, c.waiting = c.waiting, lines[:0]
		closed := c.closed
		c.mu.Unlock()
		if len(lines) > 0 {
			_, _ = c.w.Write(lines) // there is nowhere to report an error
		}
		if closed {
			return
		}
	}
}

// Close writes the queue, as far as the console accepts it within two seconds.
func (c *Console) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	late := time.NewTimer(consoleEnd)
	defer late.Stop()
	select {
	case <-c.ended:
	case <-late.C: // run ends when the console accepts lines again, or with the process
	}
	return nil
}
