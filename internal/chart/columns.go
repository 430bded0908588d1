package chart

import (
	"fmt"
	"html/template"
	"math"
)

// Stacked has a column for each label, in which the series stand on each other, the
// first one at the bottom. Series beyond the sixth are added together as Others.
type Stacked struct {
	Frame
	Labels []string
	Series []Series
	Others string
}

// series returns at most six.
func (s Stacked) series() []Series {
	if len(s.Series) <= MaxSeries {
		return s.Series
	}
	rest := Series{Name: s.Others, Values: make([]float64, len(s.Labels))}
	for _, more := range s.Series[MaxSeries-1:] {
		for i := range rest.Values {
			rest.Values[i] += more.at(i)
		}
	}
	return append(append([]Series(nil), s.Series[:MaxSeries-1]...), rest)
}

// Legend returns the names of the series, in the order of their classes.
func (s Stacked) Legend() []string {
	var names []string
	for _, one := range s.series() {
		names = append(names, one.Name)
	}
	return names
}

// Rows returns the numbers; the first row has the names of the series.
func (s Stacked) Rows() [][]string {
	rows := [][]string{append([]string{""}, s.Legend()...)}
	for i, label := range s.Labels {
		row := []string{label}
		for _, one := range s.series() {
			row = append(row, s.number(one.at(i)))
		}
		rows = append(rows, row)
	}
	return rows
}

// SVG draws the chart.
func (s Stacked) SVG() template.HTML {
	var d drawing
	d.open(s.Frame, "stacked", width, height)
	series := s.series()
	highest := 0.0
	for i := range s.Labels {
		sum := 0.0
		for _, one := range series {
			sum += one.at(i)
		}
		highest = max(highest, sum)
	}
	ceiling := d.scale(s.Frame, highest)
	slot := plotWidth / math.Max(1, float64(len(s.Labels)))
	for i, label := range s.Labels {
		y := top + plotHeight
		for n, one := range series {
			v := one.at(i)
			h := plotHeight * v / ceiling
			y -= h
			d.rect(fmt.Sprintf("seg s%d", n+1), left+slot*(float64(i)+0.12), y, slot*0.76, h, label+", "+one.Name+": "+s.number(v))
		}
	}
	d.labels(s.Labels, func(i int) float64 { return left + slot*(float64(i)+0.5) })
	return d.done()
}

// Bucket is a column of a histogram.
type Bucket struct {
	Label string // where it begins
	Count float64
}

// Mark is a place on the axis of a histogram: At counts buckets from the left, 2.5 is
// the middle of the third.
type Mark struct {
	At   float64
	Name string
}

// Histogram shows how often what occurs, with marks for the median and its like.
type Histogram struct {
	Frame
	Buckets []Bucket
	Marks   []Mark
	Count   string // name of the column of counts in Rows
}

// Rows returns the numbers; the first row has the name of the counts. The marks follow.
func (h Histogram) Rows() [][]string {
	rows := [][]string{{"", h.Count}}
	for _, b := range h.Buckets {
		rows = append(rows, []string{b.Label, h.number(b.Count)})
	}
	return rows
}

// SVG draws the chart.
func (h Histogram) SVG() template.HTML {
	var d drawing
	d.open(h.Frame, "histogram", width, height)
	highest := 0.0
	var names []string
	for _, b := range h.Buckets {
		highest = max(highest, clean(b.Count))
		names = append(names, b.Label)
	}
	ceiling := d.scale(h.Frame, highest)
	slot := plotWidth / math.Max(1, float64(len(h.Buckets)))
	for i, b := range h.Buckets {
		tall := plotHeight * clean(b.Count) / ceiling
		d.rect("seg s1", left+slot*float64(i)+1, top+plotHeight-tall, slot-2, tall, b.Label+": "+h.number(b.Count))
	}
	for i, m := range h.Marks {
		x := left + min(slot*clean(m.At), plotWidth)
		d.line("mark", x, top, x, top+plotHeight)
		side, anchor := x+5, "start"
		if x > left+plotWidth*0.75 {
			side, anchor = x-5, "end"
		}
		d.text("strong", side, top+12+24*float64(i%3), anchor, m.Name)
	}
	d.labels(names, func(i int) float64 { return left + slot*(float64(i)+0.5) })
	return d.done()
}

// Line is a line over time. The values from Forecast on have not happened: they are
// dashed. Forecast 0 = all of them have.
type Line struct {
	Frame
	Labels   []string
	Values   []float64
	Forecast int
	Value    string // name of the column of values in Rows
	Expected string // marks what has not happened in Rows
}

// Rows returns the numbers; the first row has the name of the values.
func (l Line) Rows() [][]string {
	rows := [][]string{{"", l.Value}}
	for i, label := range l.Labels {
		value := l.number(Series{Values: l.Values}.at(i))
		if l.Forecast > 0 && i >= l.Forecast {
			value += " " + l.Expected
		}
		rows = append(rows, []string{label, value})
	}
	return rows
}

// SVG draws the chart.
func (l Line) SVG() template.HTML {
	var d drawing
	d.open(l.Frame, "trend", width, height)
	series := Series{Values: l.Values}
	highest := 0.0
	for i := range l.Labels {
		highest = max(highest, series.at(i))
	}
	ceiling := d.scale(l.Frame, highest)
	x := func(i int) float64 {
		return left + plotWidth*float64(i)/math.Max(1, float64(len(l.Labels)-1))
	}
	point := func(i int) string { return f(x(i)) + "," + f(top+plotHeight*(1-series.at(i)/ceiling)) }
	path := func(class string, from, to int) {
		if to <= from {
			return
		}
		fmt.Fprintf(&d, `<polyline class="%s" points="`, class)
		for i := from; i <= to; i++ {
			if i > from {
				d.WriteByte(' ')
			}
			d.WriteString(point(i))
		}
		d.WriteString(`"/>`)
	}
	last := len(l.Labels) - 1
	now := last
	if l.Forecast > 0 {
		now = min(l.Forecast-1, last)
	}
	if now > 0 {
		fmt.Fprintf(&d, `<polygon class="area" points="%s,%s`, f(x(0)), f(top+plotHeight))
		for i := range now + 1 {
			d.WriteString(" " + point(i))
		}
		fmt.Fprintf(&d, ` %s,%s"/>`, f(x(now)), f(top+plotHeight))
	}
	path("line", 0, now)
	path("line forecast", max(now, 0), last)
	// The ends are kept inside the drawing.
	d.labels(l.Labels, func(i int) float64 { return min(max(x(i), left+18), width-right-18) })
	return d.done()
}

// Sparkline is a small row of bars to stand in a line of text. It has no axis: it tells
// more from less.
type Sparkline struct {
	Frame
	Values []float64
}

// SVG draws the chart.
func (s Sparkline) SVG() template.HTML {
	var d drawing
	const w, h = 104.0, 24.0
	d.open(s.Frame, "spark", w, h)
	highest := 1.0
	for _, v := range s.Values {
		highest = max(highest, clean(v))
	}
	slot := w / math.Max(1, float64(len(s.Values)))
	for i, v := range s.Values {
		tall := (h - 1) * clean(v) / highest
		d.rect("s1", slot*float64(i)+slot*0.1, h-1-tall, slot*0.8, tall, s.number(v))
	}
	d.line("axis", 0, h-0.5, w, h-0.5)
	return d.done()
}

// Rows returns the numbers.
func (s Sparkline) Rows() [][]string {
	row := make([]string, 0, len(s.Values))
	for _, v := range s.Values {
		row = append(row, s.number(v))
	}
	return [][]string{row}
}
