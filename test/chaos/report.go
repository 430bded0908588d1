//go:build unix

package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// step is a place on the road where a kill can find a notification.
type step int

const (
	noStep step = iota
	stepIntake
	stepClaimed
	stepBegun
	stepArrived
	stepTaken
	stepAnswered
	stepFinished
	stepWritten
	steps
)

var stepNames = [steps]string{
	stepIntake:   "taking in (rows of the table not yet in the ledger)",
	stepClaimed:  "claimed",
	stepBegun:    "sending, Blip has seen no POST",
	stepArrived:  "sending, the POST at Blip and not taken (yet)",
	stepTaken:    "sending, taken, no answer given (yet)",
	stepAnswered: "sending, answered, the answer not recorded",
	stepFinished: "recorded, the table not written",
	stepWritten:  "the table written, not marked as settled",
}

// tally counts what was done.
type tally struct {
	kills  int
	faults int // the others
	kinds  map[string]int
	harm   map[string]int // POSTs that met something, by what
	steps  [steps]int     // kills that found a notification there
	// takenOver counts notifications that another process ended while the one that had
	// claimed them was frozen.
	takenOver *atomic.Int64
	notTried  map[string]string // and why
}

func newTally() tally {
	return tally{kinds: map[string]int{}, harm: map[string]int{}, takenOver: new(atomic.Int64), notTried: map[string]string{}}
}

func (t *tally) saw(found map[step]bool) {
	for s, yes := range found {
		if yes {
			t.steps[s]++
		}
	}
}

// result is what came out.
type result struct {
	ledger    string
	seed      uint64
	rows      int
	tally     tally
	lost      []finding
	doubled   []finding
	uncertain int
	took      time.Duration
}

// finding is a row that was lost or doubled.
type finding struct {
	row, status string
	messages    int
	id          string
}

func (r result) good() bool { return len(r.lost)+len(r.doubled) == 0 }

// report prints what came out.
func report(results []result) {
	out := writer("ledger", "rows", "kills", "faults", "POSTs harmed", "lost", "doubled", "uncertain", "seconds", "seed")
	for _, r := range results {
		harmed := 0
		for _, n := range r.tally.harm {
			harmed += n
		}
		out.AppendRow(table.Row{r.ledger, r.rows, r.tally.kills, r.tally.faults, harmed, len(r.lost), len(r.doubled), r.uncertain, fmt.Sprintf("%.0f", r.took.Seconds()), r.seed})
	}
	out.RenderMarkdown()
	for _, r := range results {
		fmt.Printf("\n%s\n\n", r.ledger)
		out := writer("kills that found a notification …", "")
		for s := noStep + 1; s < steps; s++ {
			out.AppendRow(table.Row{stepNames[s], r.tally.steps[s]})
		}
		out.RenderMarkdown()
		fmt.Println()
		out = writer("what else was done", "")
		rows(out, r.tally.kinds)
		rows(out, r.tally.harm)
		if n := r.tally.takenOver.Load(); n > 0 {
			out.AppendRow(table.Row{"notifications taken over from a frozen process", n})
		}
		rows(out, r.tally.notTried)
		out.RenderMarkdown()
	}
}

func writer(header ...any) table.Writer {
	out := table.NewWriter()
	out.SetOutputMirror(os.Stdout)
	out.AppendHeader(table.Row(header))
	return out
}

func rows[V any](out table.Writer, m map[string]V) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := any(m[name])
		if why, ok := value.(string); ok {
			value = "not tried: " + why
		}
		out.AppendRow(table.Row{name, value})
	}
}
