package desk

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	"pombo"
)

// fakeFigures are counts in memory.
type fakeFigures struct {
	cells     []pombo.Cell
	latencies []pombo.Latency
	counted   pombo.Counted
}

func (f *fakeFigures) Cells(_ context.Context, from, to time.Time) (out []pombo.Cell, err error) {
	for _, c := range f.cells {
		if !c.Hour.Before(from) && c.Hour.Before(to) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (f *fakeFigures) DayCells(ctx context.Context, from, to time.Time) ([]pombo.Cell, error) {
	cells, err := f.Cells(ctx, from, to)
	for i := range cells {
		cells[i].Hour = date(cells[i].Hour)
	}
	return cells, err
}

func (f *fakeFigures) DayLatencies(_ context.Context, from, to time.Time) (out []pombo.Latency, err error) {
	for _, l := range f.latencies {
		if !l.Hour.Before(from) && l.Hour.Before(to) {
			l.Hour = date(l.Hour)
			out = append(out, l)
		}
	}
	return out, nil
}

func (f *fakeFigures) Counted(context.Context) (pombo.Counted, error) { return f.counted, nil }

// date is midnight of the day of a time.
func date(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func ago(b *fixture, hours int) time.Time {
	return b.now.UTC().Truncate(time.Hour).Add(-time.Duration(hours) * time.Hour)
}

// request is one of nobody's, for what needs no more than its language.
func (b *fixture) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, &request{}))
}
