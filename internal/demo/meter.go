package demo

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"
)

// tally is how far the demo's rows are, counted in the company's table; doubt
// alone is the ledger's to tell.
type tally struct {
	pending, sent, failed, delivered, read int
	confirmed, cancelled                   int
	answered, awaited                      int // rows with an answer, and those that get one
	doubt                                  int
}

// over reports whether every row has reached its end.
func (t tally) over() bool { return t.pending == 0 && t.sent == 0 && t.answered >= t.awaited }

// String is the tally as one line.
func (t tally) String() string {
	return fmt.Sprintf("%d pending (%d of them in doubt) · %d sent · %d delivered · %d read · %d confirmed · %d cancelled · %d failed",
		t.pending, t.doubt, t.sent, t.delivered, t.read, t.confirmed, t.cancelled, t.failed)
}

// meter shows a tally while it changes. A terminal gets bars, everything else
// lines, of which there are no more than two a second.
type meter struct {
	out  io.Writer
	last tally
	at   time.Time // of the last line

	bars              progress.Writer // nil = lines
	delivered, failed *progress.Tracker
	rendered          chan struct{} // closed when the bars have ended
}

// newMeter returns the meter for so many rows that are expected to be delivered
// and to fail. The caller ends it with close.
func newMeter(out io.Writer, delivered, failed int) *meter {
	m := &meter{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		m.startBars(delivered, failed)
	}
	return m
}

func (m *meter) startBars(delivered, failed int) {
	m.bars = progress.NewWriter()
	m.bars.SetOutputWriter(m.out)
	m.bars.SetUpdateFrequency(100 * time.Millisecond)
	m.bars.SetTrackerLength(30)
	m.bars.SetTrackerPosition(progress.PositionRight)
	m.bars.SetSortBy(progress.SortByIndex)
	style := progress.StyleBlocks
	style.Visibility.ETA, style.Visibility.Time, style.Visibility.Speed = false, false, false
	m.bars.SetStyle(style)
	add := func(index uint64, message string, total int) *progress.Tracker {
		if total == 0 {
			return nil // a total of 0 would mean that it is not known
		}
		t := &progress.Tracker{Index: index, Message: message, Total: int64(total)}
		m.bars.AppendTracker(t)
		return t
	}
	m.delivered = add(0, "delivered", delivered)
	m.failed = add(1, "failed, with a reason", failed)
	m.rendered = make(chan struct{})
	go func() { // close waits for it
		defer close(m.rendered)
		m.bars.Render()
	}()
}

// show shows the tally, if it is new.
func (m *meter) show(t tally) {
	if m.bars != nil {
		m.bars.SetPinnedMessages(t.String())
		set(m.delivered, t.delivered+t.read+t.confirmed+t.cancelled)
		set(m.failed, t.failed)
		return
	}
	if t == m.last || time.Since(m.at) < 500*time.Millisecond && !t.over() {
		return
	}
	m.last, m.at = t, time.Now()
	_, _ = fmt.Fprintln(m.out, t)
}

func set(t *progress.Tracker, n int) {
	if t != nil {
		t.SetValue(int64(n))
	}
}

// close ends the bars and leaves the last tally on the screen.
func (m *meter) close() {
	if m.bars == nil {
		return
	}
	for {
		m.bars.Stop() // does nothing as long as Render has not got going
		select {
		case <-m.rendered:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
