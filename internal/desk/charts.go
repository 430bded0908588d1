package desk

import (
	"html/template"

	"pombo/internal/desk/page"
	"pombo/internal/words"
)

// diagram is a chart with its numbers; the first row has their names.
type diagram interface {
	SVG() template.HTML
	Rows() [][]string
}

// chartOf returns a chart as pages show it. first is the name of the table's first column.
func chartOf(say *words.Words, title, first string, d diagram, legend []string) page.Chart {
	out := page.Chart{Title: title, SVG: d.SVG(), AsTable: say.Text("chart.as_table"), Table: page.Table{Caption: title}}
	rows := d.Rows()
	for i, name := range rows[0] {
		if i == 0 {
			name = first
		}
		out.Table.Columns = append(out.Table.Columns, page.Column{Word: name, Number: i > 0})
	}
	for _, row := range rows[1:] {
		cells := make([]page.Cell, len(row))
		for i, text := range row {
			cells[i] = page.Cell{Text: text}
		}
		out.Table.Rows = append(out.Table.Rows, cells)
	}
	for i, name := range legend {
		out.Legend = append(out.Legend, page.Series{Series: i + 1, Word: name})
	}
	return out
}

// count writes the numbers of a chart.
func count(say *words.Words) func(float64) string {
	return func(v float64) string { return say.Number(int(v)) }
}
