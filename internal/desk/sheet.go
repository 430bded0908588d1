package desk

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// sheet writes a table for a spreadsheet: with semicolons and decimal commas, which is
// what a double click opens in Brazil; for a program that asks with sep=, with commas and
// decimal points.
type sheet struct {
	say     figureWords
	machine bool
	csv     *csv.Writer
	limits  *http.ResponseController
}

// newSheet begins an answer with a table.
func newSheet(w http.ResponseWriter, r *http.Request, say figureWords, name string) *sheet {
	out := &sheet{say: say, machine: r.URL.Query().Get("sep") == ",", csv: csv.NewWriter(w), limits: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	if !out.machine {
		_, _ = io.WriteString(w, "\ufeff") // without it Excel takes the text for that of an old code page
		out.csv.Comma = ';'
		out.csv.UseCRLF = true
	}
	return out
}

// row writes texts, whole numbers, shares of 1 and times.
func (s *sheet) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = s.cell(c)
	}
	_ = s.csv.Write(row) // end says whether it went well
}

func (s *sheet) cell(c any) string {
	switch c := c.(type) {
	case string:
		return harmless(c)
	case int:
		return strconv.Itoa(c)
	case float64: // a share, in percent
		text := strconv.FormatFloat(100*c, 'f', 2, 64)
		if !s.machine {
			text = strings.Replace(text, ".", ",", 1)
		}
		return text
	case time.Time:
		switch {
		case c.IsZero():
			return ""
		case s.machine:
			return c.Format(time.RFC3339)
		}
		return c.In(s.say.now.Location()).Format("02/01/2006 15:04:05")
	}
	return fmt.Sprint(c)
}

// harmless keeps a spreadsheet from taking a text for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "\t" + text
	}
	return text
}

// more sends what was written so far, and gives the rest as long as a page has. It
// reports whether somebody still reads.
func (s *sheet) more() bool {
	s.csv.Flush()
	_ = s.limits.SetWriteDeadline(time.Now().Add(2 * pageTime)) // only a test's writer lacks deadlines
	return s.csv.Error() == nil
}

// end sends the rest. A failure cannot be reported to anybody.
func (s *sheet) end() error {
	s.csv.Flush()
	return nil
}

// cut ends a table that has begun and cannot be finished, so that the browser reports
// it as incomplete.
func (s *sheet) cut(desk *Server, err error) error {
	desk.log.Error("a table for a spreadsheet was cut", "error", err, "often", pombo.Often("sheet"))
	panic(http.ErrAbortHandler)
}
