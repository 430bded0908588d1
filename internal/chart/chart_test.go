package chart

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// drawn is what every chart is.
type drawn interface {
	SVG() template.HTML
	Rows() [][]string
}

// all returns every chart with the values, under names that have to be escaped.
func all(values []float64) map[string]drawn {
	frame := Frame{ID: "c", Title: `Por <hora> & "dia"`, Desc: "uma descrição"}
	labels := make([]string, len(values))
	bars := make([]Bar, len(values))
	buckets := make([]Bucket, len(values))
	series := make([]Series, 8)
	for i, v := range values {
		labels[i] = fmt.Sprintf("%02dh", i)
		bars[i] = Bar{Name: fmt.Sprintf("motivo <%d> de que há muito que dizer em uma linha", i), Value: v}
		buckets[i] = Bucket{Label: labels[i], Count: v}
		for n := range series {
			series[n].Name = fmt.Sprintf("série %d", n+1)
			series[n].Values = append(series[n].Values, v/float64(n+1))
		}
	}
	mark := 0.0
	if len(values) > 0 {
		mark = values[0]
	}
	return map[string]drawn{
		"stacked":   Stacked{Frame: frame, Labels: labels, Series: series[:4]},
		"many":      Stacked{Frame: frame, Labels: labels, Series: series, Others: "outros"},
		"bars":      Bars{Frame: frame, Bars: bars, Value: "quantas"},
		"funnel":    Funnel{Frame: frame, Stages: bars, Value: "quantas", Part: "do anterior"},
		"histogram": Histogram{Frame: frame, Buckets: buckets, Marks: []Mark{{At: 2.5, Name: "metade"}, {At: mark, Name: "95 %"}}, Count: "quantas"},
		"line":      Line{Frame: frame, Labels: labels, Values: values, Forecast: len(values) - 1, Value: "na fila", Expected: "(previsão)"},
		"spark":     Sparkline{Frame: frame, Values: values},
	}
}

func TestSVG_MatchesTheGoldenFiles(t *testing.T) {
	for name, chart := range all([]float64{12, 340, 0, 77, 1031, 512.4}) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".svg")
			got := strings.ReplaceAll(string(chart.SVG()), "><", ">\n<") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs (-want +got); -update writes it anew:\n%s", file, diff)
			}
		})
	}
}

func TestRows(t *testing.T) {
	values := []float64{4, 1}
	for name, want := range map[string][][]string{
		"many":      {{"", "série 1", "série 2", "série 3", "série 4", "série 5", "outros"}, {"00h", "4", "2", "1.3333333333333333", "1", "0.8", "1.7380952380952381"}, {"01h", "1", "0.5", "0.3333333333333333", "0.25", "0.2", "0.43452380952380953"}},
		"funnel":    {{"", "quantas", "do anterior"}, {"motivo <0> de que há muito que dizer em uma linha", "4", ""}, {"motivo <1> de que há muito que dizer em uma linha", "1", "25 %"}},
		"histogram": {{"", "quantas"}, {"00h", "4"}, {"01h", "1"}},
		"line":      {{"", "na fila"}, {"00h", "4"}, {"01h", "1 (previsão)"}},
		"spark":     {{"4", "1"}},
	} {
		if diff := cmp.Diff(want, all(values)[name].Rows()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A bar twice as long stands for twice as many: the axis begins at zero.
func TestBars_FromZero(t *testing.T) {
	svg := string(Bars{Frame: Frame{ID: "c"}, Bars: []Bar{{"a", 100}, {"b", 50}}}.SVG())
	for _, want := range []string{`width="640"`, `width="320"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in %s", want, svg)
		}
	}
}

// checkDrawing fails for what is not well-formed, has a style, a script or a number
// that is none, or sticks out of the drawing.
func checkDrawing(t *testing.T, svg string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	var box []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		at := map[string]float64{}
		for _, a := range start.Attr {
			switch a.Name.Local {
			case "style", "onload", "onclick", "href":
				t.Fatalf("attribute %s in %s", a.Name.Local, svg)
			case "viewBox":
				box = strings.Fields(a.Value)
			case "x", "y", "width", "height", "x1", "x2", "y1", "y2":
				v, err := strconv.ParseFloat(a.Value, 64)
				if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%s=%q in %s", a.Name.Local, a.Value, svg)
				}
				at[a.Name.Local] = v
			}
		}
		if start.Name.Local != "rect" {
			continue
		}
		wide, _ := strconv.ParseFloat(box[2], 64)
		tall, _ := strconv.ParseFloat(box[3], 64)
		if at["x"] < -0.2 || at["y"] < -0.2 || at["x"]+at["width"] > wide+0.3 || at["y"]+at["height"] > tall+0.3 {
			t.Fatalf("a bar at %v sticks out of %v", at, box)
		}
	}
}

// fuzz draws one chart with whatever values and names.
func fuzz(f *testing.F, name string) {
	f.Helper()
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1, 1e9, math.MaxFloat64} {
		f.Add(v, 1.0, uint8(3))
		f.Add(1.0, v, uint8(30))
		f.Add(v, v, uint8(0))
	}
	f.Fuzz(func(t *testing.T, a, b float64, n uint8) {
		values := make([]float64, n%64)
		for i := range values {
			values[i] = a + float64(i)*b
		}
		chart := all(values)[name]
		checkDrawing(t, string(chart.SVG()))
		for _, row := range chart.Rows() {
			for _, cell := range row {
				if strings.Contains(cell, "NaN") || strings.Contains(cell, "Inf") {
					t.Fatalf("cell %q", cell)
				}
			}
		}
	})
}

func FuzzStacked(f *testing.F)      { fuzz(f, "stacked") }
func FuzzStacked_Many(f *testing.F) { fuzz(f, "many") }
func FuzzBars(f *testing.F)         { fuzz(f, "bars") }
func FuzzFunnel(f *testing.F)       { fuzz(f, "funnel") }
func FuzzHistogram(f *testing.F)    { fuzz(f, "histogram") }
func FuzzLine(f *testing.F)         { fuzz(f, "line") }
func FuzzSparkline(f *testing.F)    { fuzz(f, "spark") }
