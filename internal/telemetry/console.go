package telemetry

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// What a console may be behind.
const (
	consoleRoom = 1 << 20         // bytes that wait for it; what comes beyond is counted
	consoleEnd  = 2 * time.Second // how long Close waits for it
)

// Console writes to a terminal or a pipe without ever waiting for it. A click
// into a Windows console, Ctrl+S on a terminal or a reader that has stopped block
// every write for as long as they last; so what is written waits in a queue for a
// goroutine of its own. When the queue is full, lines are left out and counted,
// and the console is told how many once it takes lines again.
type Console struct {
	w      io.Writer
	format format

	mu      sync.Mutex
	waiting []byte // whole lines
	lost    int    // lines left out since the last that waits
	closed  bool

	wake  chan struct{} // of size one: something waits, or it is closed
	ended chan struct{} // closed by the writer
}

// NewConsole returns a Console that writes to w and tells in the format ("text"
// or "json") of what it left out. Close ends it.
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
		c.lost += bytes.Count(lines, []byte("\n"))
	default:
		c.tellLost()
		c.waiting = append(c.waiting, lines...)
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return len(lines), nil
}

// tellLost puts into the queue how many lines were left out here.
func (c *Console) tellLost() {
	if c.lost > 0 {
		c.waiting = c.format(c.waiting, time.Now(), slog.LevelWarn, "lines not shown here: the console did not take them",
			[]field{{"lines", slog.IntValue(c.lost)}})
		c.lost = 0
	}
}

func (c *Console) run() {
	defer close(c.ended)
	var lines []byte
	for range c.wake {
		c.mu.Lock()
		c.tellLost()
		lines, c.waiting = c.waiting, lines[:0]
		closed := c.closed
		c.mu.Unlock()
		if len(lines) > 0 {
			_, _ = c.w.Write(lines) // there is nobody else to tell
		}
		if closed {
			return
		}
	}
}

// Close writes what waits, as far as the console takes it within two seconds.
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
	case <-late.C: // the writer ends when the console takes lines again, or with the process
	}
	return nil
}
