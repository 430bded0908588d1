package ledger

import (
	"encoding/json"
	"strings"
	"time"

	"pombo"
)

type cellKey struct {
	template string
	state    pombo.State
	reason   pombo.Reason
}

type latencyKey struct {
	template string
	leg      pombo.Leg
	bucket   int
}

// count is an hour while it is counted.
type count struct {
	hour      int64
	n         int
	cells     map[cellKey]int
	latencies map[latencyKey]int
}

func newCount(hour int64) *count {
	return &count{hour: hour, cells: map[cellKey]int{}, latencies: map[latencyKey]int{}}
}

// add counts a notification. One that cannot be read counts all the same, as far as it
// is known.
func (c *count) add(created time.Time, state pombo.State, message, history []byte) {
	c.n++
	template := templateOf(message)
	j := readJourney(history)
	c.cells[cellKey{template, state, j.reason}]++
	c.time(template, pombo.LegAccepted, created, j.first)
	c.time(template, pombo.LegDelivered, j.accepted, j.delivered)
	c.time(template, pombo.LegRead, j.delivered, j.read)
}

// time counts a leg of which both ends are known.
func (c *count) time(template string, leg pombo.Leg, from, to time.Time) {
	if !from.IsZero() && !to.IsZero() {
		c.latencies[latencyKey{template, leg, pombo.LatencyBucket(to.Sub(from))}]++
	}
}

// rows are the parameters that write the counts.
func (c *count) rows() (cells, latencies string, err error) {
	cellRows, latencyRows := make([][]any, 0, len(c.cells)), make([][]any, 0, len(c.latencies))
	for k, n := range c.cells {
		cellRows = append(cellRows, []any{k.template, k.state, k.reason, n})
	}
	for k, n := range c.latencies {
		latencyRows = append(latencyRows, []any{k.template, k.leg, k.bucket, n})
	}
	a, err := json.Marshal(cellRows)
	if err != nil {
		return "", "", err
	}
	b, err := json.Marshal(latencyRows)
	return string(a), string(b), err
}

// templateOf reads the template out of a message, and nothing else: see message.
func templateOf(text []byte) string {
	rest, ok := strings.CutPrefix(string(text), "[")
	if !ok {
		return pombo.UnknownTemplate // erased
	}
	if _, rest, ok = readString(rest); !ok {
		return pombo.UnknownTemplate
	}
	template, _, ok := readString(strings.TrimPrefix(rest, ","))
	if !ok {
		return pombo.UnknownTemplate
	}
	return template
}

// journey is what a history says of a message's way.
type journey struct {
	reason          pombo.Reason
	first           time.Time // from when on it is known that Blip had it
	accepted        time.Time // zero when the first that is known comes later
	delivered, read time.Time
}

func readJourney(history []byte) (j journey) {
	for h := string(history); h != ""; {
		e, isNote, rest, ok := readEvent(h)
		if !ok {
			return journey{}
		}
		if h = rest; isNote {
			continue
		}
		j.reason = e.Reason
		if j.first.IsZero() && e.State.Sent() {
			j.first = e.At
		}
		switch e.State {
		case pombo.Accepted, pombo.Dispatched:
			if j.accepted.IsZero() {
				j.accepted = e.At
			}
		case pombo.Delivered:
			j.delivered = e.At
		case pombo.Read:
			j.read = e.At
		}
	}
	return j
}
