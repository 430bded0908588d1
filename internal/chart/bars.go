package chart

import (
	"fmt"
	"html/template"
)

// Bar is one bar of a chart of horizontal ones.
type Bar struct {
	Name  string
	Value float64
}

// Bars has horizontal bars with their names above, in the order given: the longest
// first, "others" last. Series is the class of all of them; 0 = the first.
type Bars struct {
	Frame
	Bars   []Bar
	Series int
	Value  string // name of the column of values in Rows
}

// Rows returns the numbers; the first row has the name of the values.
func (b Bars) Rows() [][]string {
	rows := [][]string{{"", b.Value}}
	for _, one := range b.Bars {
		rows = append(rows, []string{one.Name, b.number(one.Value)})
	}
	return rows
}

// A bar with its name takes rowHeight, and what stands between two of a funnel, gap.
const (
	rowHeight = 46.0
	gap       = 24.0
)

func highest(bars []Bar) float64 {
	most := 1.0
	for _, one := range bars {
		most = max(most, clean(one.Value))
	}
	return most
}

func (d *drawing) row(fr Frame, one Bar, y, highest float64, series int) {
	value := fr.number(one.Value)
	d.text("name", 0, y+18, "start", short(one.Name))
	d.text("name strong", width, y+18, "end", value)
	d.rect(fmt.Sprintf("seg s%d", series), 0, y+25, width*clean(one.Value)/highest, 14, one.Name+": "+value)
	d.line("grid", 0, y+39.5, width, y+39.5)
}

// SVG draws the chart.
func (b Bars) SVG() template.HTML {
	var d drawing
	d.open(b.Frame, "bars", width, max(1, rowHeight*float64(len(b.Bars))))
	for i, one := range b.Bars {
		d.row(b.Frame, one, rowHeight*float64(i), highest(b.Bars), min(max(b.Series, 1), MaxSeries))
	}
	return d.done()
}

// Funnel shows how many of the first stage come to the second, and so on, with the
// share of the stage before between them.
type Funnel struct {
	Frame
	Stages []Bar
	Value  string // names of the columns in Rows
	Part   string
}

// share returns how many of the stage before come to stage i, or "" where it has none.
func (f Funnel) part(i int) string {
	if i == 0 || clean(f.Stages[i-1].Value) == 0 {
		return ""
	}
	return f.share(clean(f.Stages[i].Value) / clean(f.Stages[i-1].Value))
}

// Rows returns the numbers; the first row has the names of the columns.
func (f Funnel) Rows() [][]string {
	rows := [][]string{{"", f.Value, f.Part}}
	for i, one := range f.Stages {
		rows = append(rows, []string{one.Name, f.number(one.Value), f.part(i)})
	}
	return rows
}

// SVG draws the chart.
func (f Funnel) SVG() template.HTML {
	var d drawing
	d.open(f.Frame, "funnel", width, max(1, (rowHeight+gap)*float64(len(f.Stages))-gap))
	for i, one := range f.Stages {
		y := (rowHeight + gap) * float64(i)
		d.row(f.Frame, one, y, highest(f.Stages), 1)
		if part := f.part(i); part != "" {
			d.text("", 2, y-5, "start", "↓ "+part)
		}
	}
	return d.done()
}
