package desk

import (
	"context"
	"net/http"
	"time"

	"pombo"
	"pombo/internal/chart"
	"pombo/internal/tally"
	"pombo/internal/words"
)

// figureTime is how long a page of figures may read.
const figureTime = 2 * time.Second

// named reads the counts with the configured template under its name, as messages and
// addresses have it.
type named struct {
	tally.Reader
	template string
}

func (s *Server) figures() tally.Reader { return named{s.o.Figures, s.o.Template} }

func (n named) Cells(ctx context.Context, from, to time.Time) ([]pombo.Cell, error) {
	cells, err := n.Reader.Cells(ctx, from, to)
	return n.name(cells), err
}

func (n named) DayCells(ctx context.Context, from, to time.Time) ([]pombo.Cell, error) {
	cells, err := n.Reader.DayCells(ctx, from, to)
	return n.name(cells), err
}

func (n named) name(cells []pombo.Cell) []pombo.Cell {
	for i := range cells {
		if cells[i].Template == "" {
			cells[i].Template = n.template
		}
	}
	return cells
}

func (n named) DayLatencies(ctx context.Context, from, to time.Time) ([]pombo.Latency, error) {
	latencies, err := n.Reader.DayLatencies(ctx, from, to)
	for i := range latencies {
		if latencies[i].Template == "" {
			latencies[i].Template = n.template
		}
	}
	return latencies, err
}

// figureWords says figures in the visitor's language.
type figureWords struct {
	*words.Words
	now time.Time // in the zone of the desk
}

func (s *Server) figureWords(r *http.Request) figureWords {
	return figureWords{wordsOf(r), s.o.Now().In(s.o.Zone)}
}

// template names a template for people.
func (w figureWords) template(name string) string {
	if name == pombo.UnknownTemplate {
		return w.Text("figures.unknown_template")
	}
	return name
}

// asOf says when the figures were counted.
func (w figureWords) asOf(c pombo.Counted) string {
	if c.At.IsZero() {
		return w.Text("figures.not_counted")
	}
	return w.Text("figures.as_of", words.Clock{At: c.At, Now: w.now})
}

// frame is what each chart of figures has.
func (w figureWords) frame(id, title, desc string) chart.Frame {
	return chart.Frame{ID: id, Title: title, Desc: desc, Number: count(w.Words), Share: w.Percent}
}
