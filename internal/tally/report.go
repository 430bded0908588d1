package tally

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"pombo"
)

// Reader has the counts.
type Reader interface {
	// Cells returns those of the hours that begin at or after from and before to, in their
	// order.
	Cells(ctx context.Context, from, to time.Time) ([]pombo.Cell, error)
	// DayCells and DayLatencies return those of the dates from one on, until before
	// another. Their Hour is midnight of the date in UTC.
	DayCells(ctx context.Context, from, to time.Time) ([]pombo.Cell, error)
	DayLatencies(ctx context.Context, from, to time.Time) ([]pombo.Latency, error)
	Counted(ctx context.Context) (pombo.Counted, error)
}

// Span is a time, from an instant until before another. A notification belongs to the one
// in which its hour of taking in begins, whenever it was sent or failed.
type Span struct{ From, To time.Time }

// Month returns a calendar month on the clocks of a zone.
func Month(year int, month time.Month, zone *time.Location) Span {
	noon := time.Date(year, month, 1, 12, 0, 0, 0, zone)
	return Span{midnight(noon, 0, zone), midnight(noon.AddDate(0, 1, 0), 0, zone)}
}

// Has reports whether the time is within the span.
func (s Span) Has(t time.Time) bool { return !t.Before(s.From) && t.Before(s.To) }

// Funnel says how many notifications were taken in, and how far they came. A resend
// counts as a notification of its own.
type Funnel struct {
	Entered   int
	Accepted  int // Blip has the message and it has not failed; Delivered and Read are among them
	Delivered int // on a handset; Read are among them
	Read      int // opened, where the person lets that be known
	Failed    int // refused for good, by Pombo, Blip or WhatsApp
	Unsent    int // cancelled, expired or suppressed
	Open      int // queued, being sent, or uncertain
}

func (f *Funnel) add(c *pombo.Cell) {
	f.Entered += c.N
	switch {
	case c.State == pombo.Failed:
		f.Failed += c.N
	case c.State.Open():
		f.Open += c.N
	case !c.State.Sent():
		f.Unsent += c.N
	default:
		f.Accepted += c.N
	}
	if c.State == pombo.Delivered || c.State == pombo.Read {
		f.Delivered += c.N
	}
	if c.State == pombo.Read {
		f.Read += c.N
	}
}

// Share is the part that n is of those that were taken in; 0 when there are none.
func (f Funnel) Share(n int) float64 {
	if f.Entered == 0 {
		return 0
	}
	return float64(n) / float64(f.Entered)
}

// Total counts the cells of the span.
func Total(cells []pombo.Cell, s Span) (f Funnel) {
	for i := range cells {
		if s.Has(cells[i].Hour) {
			f.add(&cells[i])
		}
	}
	return f
}

// Bar is one bar of a chart: a day or an hour.
type Bar struct {
	Start time.Time
	Funnel
}

// Days counts by the calendar days of the span, on the clocks of the zone of its ends.
// Days without notifications are there too.
func Days(cells []pombo.Cell, s Span) []Bar {
	zone := s.From.Location()
	return bars(cells, s, func(t time.Time) time.Time { return midnight(t, 1, zone) })
}

// Hours counts by the hours of the span.
func Hours(cells []pombo.Cell, s Span) []Bar {
	return bars(cells, s, func(t time.Time) time.Time { return t.Add(time.Hour) })
}

// bars counts by parts of the span, of which next returns the end.
func bars(cells []pombo.Cell, s Span, next func(time.Time) time.Time) []Bar {
	var list []Bar
	for t := s.From; t.Before(s.To); t = next(t) {
		list = append(list, Bar{Start: t})
	}
	for i := range cells {
		c := &cells[i]
		if !s.Has(c.Hour) {
			continue
		}
		at, found := slices.BinarySearchFunc(list, c.Hour, func(b Bar, t time.Time) int { return b.Start.Compare(t) })
		if !found {
			at--
		}
		list[at].add(c)
	}
	return list
}

// ReasonCount says how many notifications are in their state for a reason.
type ReasonCount struct {
	Reason pombo.Reason
	N      int
	Before int // in the span before
}

// unsuccessful reports whether the cell's reason says why notifications did not arrive,
// or why that is unknown.
func unsuccessful(c *pombo.Cell) bool {
	return c.Reason != pombo.NoReason && !c.State.Sent() && (!c.State.Open() || c.State == pombo.Uncertain)
}

// Reasons counts those that did not arrive by their reason, the most frequent first.
func Reasons(cells []pombo.Cell, s, before Span) []ReasonCount {
	counts := map[pombo.Reason]ReasonCount{}
	for i := range cells {
		c := &cells[i]
		if !unsuccessful(c) {
			continue
		}
		r := counts[c.Reason]
		switch r.Reason = c.Reason; {
		case s.Has(c.Hour):
			r.N += c.N
		case before.Has(c.Hour):
			r.Before += c.N
		default:
			continue
		}
		counts[c.Reason] = r
	}
	list := slices.Collect(maps.Values(counts))
	slices.SortFunc(list, func(a, b ReasonCount) int { return cmp.Or(b.N-a.N, b.Before-a.Before, cmp.Compare(a.Reason, b.Reason)) })
	return list
}

// TemplateReport is one template's line of a report.
type TemplateReport struct {
	Template      string // as in pombo.Cell
	Total, Before Funnel
	Main          ReasonCount // the most frequent reason; its N is 0 when there is none
}

// Templates counts by template, the one with the most notifications first.
func Templates(cells []pombo.Cell, s, before Span) []TemplateReport {
	byTemplate := map[string][]pombo.Cell{}
	for i := range cells {
		byTemplate[cells[i].Template] = append(byTemplate[cells[i].Template], cells[i])
	}
	var list []TemplateReport
	for template, own := range byTemplate {
		r := TemplateReport{Template: template, Total: Total(own, s), Before: Total(own, before)}
		if r.Total.Entered == 0 && r.Before.Entered == 0 {
			continue
		}
		if reasons := Reasons(own, s, before); len(reasons) > 0 && reasons[0].N > 0 {
			r.Main = reasons[0]
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b TemplateReport) int {
		return cmp.Or(b.Total.Entered-a.Total.Entered, b.Before.Entered-a.Before.Entered, cmp.Compare(a.Template, b.Template))
	})
	return list
}

// Report is what the manager reads: a calendar month beside the one before.
type Report struct {
	Month, MonthBefore Span
	Total, Before      Funnel
	Days               []Bar
	Templates          []TemplateReport
	Reasons            []ReasonCount
	Times              []Times // by leg, in the order of the way
	Counted            pombo.Counted
}

// ReportQuery selects a report.
type ReportQuery struct {
	Year     int
	Month    time.Month
	Zone     *time.Location
	Template *string // as in pombo.Cell; nil = every template
}

// ReadReport reads a month's report.
func ReadReport(ctx context.Context, r Reader, q ReportQuery) (report Report, err error) {
	report.Month, report.MonthBefore = Month(q.Year, q.Month, q.Zone), Month(q.Year, q.Month-1, q.Zone)
	if report.Counted, err = r.Counted(ctx); err != nil {
		return report, err
	}
	cells, err := dayCells(ctx, r, report.MonthBefore.From, report.Month.To)
	if err != nil {
		return report, err
	}
	latencies, err := r.DayLatencies(ctx, report.Month.From, report.Month.To)
	if err != nil {
		return report, err
	}
	// The list of templates has all, to choose from.
	report.Templates = Templates(cells, report.Month, report.MonthBefore)
	if q.Template != nil {
		cells = slices.DeleteFunc(cells, func(c pombo.Cell) bool { return c.Template != *q.Template })
		latencies = slices.DeleteFunc(latencies, func(l pombo.Latency) bool { return l.Template != *q.Template })
	}
	report.Total, report.Before = Total(cells, report.Month), Total(cells, report.MonthBefore)
	report.Days = Days(cells, report.Month)
	report.Reasons = Reasons(cells, report.Month, report.MonthBefore)
	report.Times = TimesOf(latencies)
	return report, nil
}

// dayCells returns the counts of days, whose Hour is when the day begins on the clocks of
// the zone of from.
func dayCells(ctx context.Context, r Reader, from, to time.Time) ([]pombo.Cell, error) {
	cells, err := r.DayCells(ctx, from, to)
	for i := range cells {
		y, m, d := cells[i].Hour.UTC().Date()
		cells[i].Hour = midnight(time.Date(y, m, d, 12, 0, 0, 0, from.Location()), 0, from.Location())
	}
	return cells, err
}
