// Package chart draws figures as SVG: stacked and horizontal bars, a funnel, a
// histogram, a line with a forecast, a sparkline.
//
// A drawing is text that can be read, copied and printed: it has a title and a
// description, each mark has a title, and colours are classes (s1 to s6) of the
// stylesheet, which gives them patterns on paper. It has no style attribute and no
// script, so that the strictest content security policy lets it be. All that callers
// give is escaped. Every axis begins at zero; what is not a number, negative or without
// end is drawn as zero.
//
// Each chart has Rows, the same numbers as a table to stand beside it.
package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// MaxSeries is how many series can be distinguished.
const MaxSeries = 6

// Frame is what every chart has.
type Frame struct {
	ID     string               // of the drawing, unlike any other on the page
	Title  string               // what it is about
	Desc   string               // what can be seen, in a sentence
	Number func(float64) string // nil = plain digits
	Share  func(float64) string // of 0 to 1; nil = whole percent
}

func (f Frame) number(v float64) string {
	v = clean(v)
	if f.Number != nil {
		return f.Number(v)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (f Frame) share(v float64) string {
	if f.Share != nil {
		return f.Share(v)
	}
	return strconv.FormatFloat(100*v, 'f', 0, 64) + " %"
}

// Series is a row of values with a name.
type Series struct {
	Name   string
	Values []float64
}

func (s Series) at(i int) float64 {
	if i >= len(s.Values) {
		return 0
	}
	return clean(s.Values[i])
}

// most is the largest value that is drawn: a sum of many more must stay a number.
const most = 1e15

// clean returns the value as it can be drawn.
func clean(v float64) float64 {
	if math.IsNaN(v) || v < 0 {
		return 0
	}
	return min(v, most)
}

// The plot of the charts with axes, in the units of the drawing.
const (
	width, height = 640.0, 260.0
	left, right   = 70.0, 8.0
	top, bottom   = 14.0, 30.0
	plotWidth     = width - left - right
	plotHeight    = height - top - bottom
)

// drawing writes SVG. Text goes through escape, numbers through f.
type drawing struct{ strings.Builder }

func escape(s string) string { return template.HTMLEscapeString(s) }

// f formats a coordinate.
func f(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

func (d *drawing) open(fr Frame, class string, w, h float64) {
	id := escape(fr.ID)
	fmt.Fprintf(d, `<svg class="%s" role="img" viewBox="0 0 %s %s" aria-labelledby="%s-title %s-desc" focusable="false"><title id="%s-title">%s</title><desc id="%s-desc">%s</desc>`,
		class, f(w), f(h), id, id, id, escape(fr.Title), id, escape(fr.Desc))
}

func (d *drawing) done() template.HTML {
	d.WriteString("</svg>")
	return template.HTML(d.String()) //nolint:gosec // made of numbers and escaped texts only
}

// rect draws a bar; one without an extent is left out.
func (d *drawing) rect(class string, x, y, w, h float64, title string) {
	if w <= 0 || h <= 0 {
		return
	}
	fmt.Fprintf(d, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"><title>%s</title></rect>`, class, f(x), f(y), f(max(w, 0.1)), f(max(h, 0.1)), escape(title))
}

func (d *drawing) text(class string, x, y float64, anchor, text string) {
	fmt.Fprintf(d, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`, class, f(x), f(y), anchor, escape(text))
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, f(x1), f(y1), f(x2), f(y2))
}

// scale draws the vertical axis from zero to at least the highest value, with a line
// and a number at round steps, and returns the top of the axis.
func (d *drawing) scale(fr Frame, highest float64) float64 {
	step := niceStep(highest / 4)
	steps := max(1, math.Ceil(highest/step))
	for i := 0.0; i <= steps; i++ {
		y := top + plotHeight*(1-i/steps)
		class := "grid"
		if i == 0 {
			class = "axis"
		}
		d.line(class, left, y, width-right, y)
		d.text("", left-8, y+4, "end", fr.number(i*step))
	}
	return steps * step
}

// niceStep returns the next of 1, 2, 5, 10, 20, … and never less than one: what is
// counted comes whole.
func niceStep(v float64) float64 {
	if v <= 1 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 5} {
		if v <= n*unit {
			return n * unit
		}
	}
	return 10 * unit
}

// labels writes the words below the columns: as many as there is room for, and on a
// small screen, where letters are larger, half of them (class thin is left out).
func (d *drawing) labels(names []string, center func(int) float64) {
	if len(names) == 0 {
		return
	}
	longest := 1
	for _, name := range names {
		longest = max(longest, len([]rune(name)))
	}
	room := max(1, int(plotWidth/(float64(longest)*7.5+14)))
	every := (len(names) + room - 1) / room
	for i, name := range names {
		if i%every != 0 {
			continue
		}
		class := ""
		if i%(2*every) != 0 {
			class = "thin"
		}
		d.text(class, center(i), height-9, "middle", name)
	}
}

// short cuts a name that would not fit in its line; its title has all of it.
func short(name string) string {
	const room = 42
	if r := []rune(name); len(r) > room {
		return string(r[:room-1]) + "…"
	}
	return name
}
