package tally

import (
	"cmp"
	"context"
	"slices"
	"time"

	"pombo"
)

const day = 24 * time.Hour

// trendDays is how many days a trend has.
const trendDays = 7

// TemplateCount says how many notifications have a template.
type TemplateCount struct {
	Template string
	N        int
}

// FailureGroup is the notifications that did not arrive for one reason.
type FailureGroup struct {
	Reason    pombo.Reason
	N         int
	Templates []TemplateCount // the most frequent first
	// First is the group's first hour within the span, and Always says that there were some
	// before.
	First  time.Time
	Always bool
	Trend  [trendDays]int // of the last seven times 24 hours, the latest last
	New    Novelty
}

// Failures is what the operator reads of the last hours or days.
type Failures struct {
	Span, Before Span // Before is as long, and ends where Span begins
	Total        Funnel
	TotalBefore  Funnel
	Groups       []FailureGroup // the largest first
	Last         time.Time      // the last hour that has any; zero = none is known
	Counted      pombo.Counted
}

// ReadFailures reads what did not arrive of the last d before now. What is older than eight
// days it has by the day on the clocks of the zone, so that such a span begins with a day.
func ReadFailures(ctx context.Context, r Reader, now time.Time, d time.Duration, zone *time.Location) (f Failures, err error) {
	counted, err := r.Counted(ctx)
	if err != nil {
		return f, err
	}
	end := endOfHour(now).In(zone)
	hourly := midnight(end.Add(-(trendDays+1)*day), 0, zone)
	cells, err := r.Cells(ctx, hourly, end)
	if err != nil {
		return f, err
	}
	if from := end.Add(-2 * d); from.Before(hourly) {
		days, err := dayCells(ctx, r, from, hourly)
		if err != nil {
			return f, err
		}
		cells = append(days, cells...)
	}
	f = FailuresOf(cells, now, d)
	f.Counted = counted
	return f, nil
}

// FailuresOf groups the cells of the last d before now that did not arrive. The cells go
// back twice as far, and eight days at least.
func FailuresOf(cells []pombo.Cell, now time.Time, d time.Duration) Failures {
	end := endOfHour(now)
	f := Failures{Span: Span{end.Add(-d), end}, Before: Span{end.Add(-2 * d), end.Add(-d)}}
	f.Total, f.TotalBefore = Total(cells, f.Span), Total(cells, f.Before)
	groups := map[pombo.Reason]*FailureGroup{}
	templates := map[pombo.Reason]map[string]int{}
	news := novelties(cells, end)
	for i := range cells {
		c := &cells[i]
		if !unsuccessful(c) {
			continue
		}
		g := groups[c.Reason]
		if g == nil {
			g = &FailureGroup{Reason: c.Reason, New: news[c.Reason].novelty()}
			groups[c.Reason], templates[c.Reason] = g, map[string]int{}
		}
		if age := int(end.Sub(c.Hour)-1) / int(day); age < trendDays {
			g.Trend[trendDays-1-age] += c.N
		}
		if c.Hour.After(f.Last) {
			f.Last = c.Hour
		}
		switch {
		case c.Hour.Before(f.Span.From):
			g.Always = true
		default:
			g.N += c.N
			templates[c.Reason][c.Template] += c.N
			if g.First.IsZero() || c.Hour.Before(g.First) {
				g.First = c.Hour
			}
		}
	}
	for _, g := range groups {
		if g.N == 0 {
			continue
		}
		for template, n := range templates[g.Reason] {
			g.Templates = append(g.Templates, TemplateCount{template, n})
		}
		slices.SortFunc(g.Templates, func(a, b TemplateCount) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Template, b.Template)) })
		f.Groups = append(f.Groups, *g)
	}
	slices.SortFunc(f.Groups, func(a, b FailureGroup) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Reason, b.Reason)) })
	return f
}

// endOfHour returns the end of the hour that has the time, which the counts of the present
// hour belong to.
func endOfHour(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }

// Novelty says whether a reason is new.
type Novelty uint8

// The degrees of novelty.
const (
	NotNew     Novelty = iota // it was there in the 24 hours before the last 24, or is not there
	NewToday                  // it was not, but within the week before
	NewAllWeek                // it was not there in that week either
)

// NewReason is a reason of the last 24 hours that was not there before.
type NewReason struct {
	Reason pombo.Reason
	N      int
	First  time.Time // the first hour
	New    Novelty
}

// NewReasons returns the reasons of the last 24 hours that were not there in the 24 hours
// before, the most frequent first. The cells go back eight days.
func NewReasons(cells []pombo.Cell, now time.Time) []NewReason {
	var list []NewReason
	for reason, seen := range novelties(cells, endOfHour(now)) {
		if n := seen.novelty(); n != NotNew {
			list = append(list, NewReason{Reason: reason, N: seen.today, First: seen.first, New: n})
		}
	}
	slices.SortFunc(list, func(a, b NewReason) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Reason, b.Reason)) })
	return list
}

// sightings is how often a reason was there lately.
type sightings struct {
	today, yesterday, week int // the last 24 hours, the 24 before, the seven days before the last 24
	first                  time.Time
}

func (s sightings) novelty() Novelty {
	switch {
	case s.today == 0 || s.yesterday > 0:
		return NotNew
	case s.week > 0:
		return NewToday
	default:
		return NewAllWeek
	}
}

// novelties returns nothing when there are no figures of the time before the last 24 hours:
// everything would be new.
func novelties(cells []pombo.Cell, end time.Time) map[pombo.Reason]sightings {
	today, yesterday, week := Span{end.Add(-day), end}, Span{end.Add(-2 * day), end.Add(-day)}, Span{end.Add(-8 * day), end.Add(-day)}
	seen := map[pombo.Reason]sightings{}
	if !slices.ContainsFunc(cells, func(c pombo.Cell) bool { return c.Hour.Before(today.From) }) {
		return seen
	}
	for i := range cells {
		c := &cells[i]
		if !unsuccessful(c) {
			continue
		}
		s := seen[c.Reason]
		if today.Has(c.Hour) {
			s.today += c.N
			if s.first.IsZero() || c.Hour.Before(s.first) {
				s.first = c.Hour
			}
		}
		if yesterday.Has(c.Hour) {
			s.yesterday += c.N
		}
		if week.Has(c.Hour) {
			s.week += c.N
		}
		seen[c.Reason] = s
	}
	return seen
}

// Today is what the first page shows.
type Today struct {
	Total   Funnel // since midnight on the clocks of the zone
	Hours   []Bar  // the last 24
	New     []NewReason
	Counted pombo.Counted
}

// ReadToday reads today's figures.
func ReadToday(ctx context.Context, r Reader, now time.Time, zone *time.Location) (t Today, err error) {
	if t.Counted, err = r.Counted(ctx); err != nil {
		return t, err
	}
	end := endOfHour(now)
	cells, err := r.Cells(ctx, end.Add(-8*day), end)
	if err != nil {
		return t, err
	}
	t.Total = Total(cells, Span{midnight(now, 0, zone), end})
	t.Hours = Hours(cells, Span{end.Add(-day), end})
	t.New = NewReasons(cells, now)
	return t, nil
}
