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
	stepKept
	stepOwed
	stepHome
	stepHandedOver
	stepTold
	stepHeard
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

	stepKept:       "a reply kept, Blip not answered",
	stepOwed:       "a reply kept, the table without it",
	stepHome:       "a reply in the table, not marked as written",
	stepHandedOver: "handed over to another channel, the table without it",
	stepTold:       "an event written, the receiver without it",
	stepHeard:      "an event at the receiver, not marked as taken",
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
	broken    []complaint
	uncertain int
	back      wayBack
	took      time.Duration
}

// finding is a row that was lost or doubled.
type finding struct {
	row, status string
	messages    int
	id          string
}

// promise is one about the way back.
type promise string

const (
	answersHome  promise = "each reply that Blip got a 2xx for is in its row, once"
	elsewhereOne promise = "a row is handed over once, nothing follows, and never for who opted out"
	eventsArrive promise = "each change has an event at the receiver, in order"
	eventsTell   promise = "an event is signed and says nothing of a person"
)

// complaint says which promise was broken, and how.
type complaint struct {
	promise promise
	row     string // "" = none in particular
	text    string
}

// wayBack counts what came back.
type wayBack struct {
	posted, postedAgain int // receipts and replies with a 2xx
	replies             int // in the ledger
	answers             int // in the table
	handedOver          int
	events, eventsAgain int // at the receiver
	written, spare      int // statements that wrote to a row; those that changed nothing
}

func (r result) good() bool { return len(r.lost)+len(r.doubled)+len(r.broken) == 0 }

// report prints what came out.
func report(results []result) {
	out := writer("ledger", "rows", "kills", "faults", "POSTs harmed", "lost", "doubled", "uncertain", "broken", "seconds", "seed")
	for _, r := range results {
		harmed := 0
		for _, n := range r.tally.harm {
			harmed += n
		}
		out.AppendRow(table.Row{r.ledger, r.rows, r.tally.kills, r.tally.faults, harmed, len(r.lost), len(r.doubled), r.uncertain, len(r.broken), fmt.Sprintf("%.0f", r.took.Seconds()), r.seed})
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
		fmt.Println()
		out = writer("what came back", "")
		for _, line := range []struct {
			name string
			n    int
		}{
			{"receipts and replies that Blip got a 2xx for", r.back.posted},
			{"the same, posted again", r.back.postedAgain},
			{"replies in the ledger", r.back.replies},
			{"answers in the table", r.back.answers},
			{"rows handed over to another channel", r.back.handedOver},
			{"events at the receiver", r.back.events},
			{"the same, once more", r.back.eventsAgain},
			{"rows written", r.back.written},
			{"the same, with nothing new", r.back.spare},
		} {
			out.AppendRow(table.Row{line.name, line.n})
		}
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
