package desk

import (
	"encoding/csv"
	"io"
	"net/http"
	"strings"

	"pombo/internal/audit"
)

// auditMost is how many lines a file has: what the ledger gives in one go.
const auditMost = 1000

// getAuditCSV answers with the lines that the page would show, and older ones, as a file
// that a spreadsheet opens. That it was taken stands in the trail.
func (s *Server) getAuditCSV(w http.ResponseWriter, r *http.Request) error {
	f, _, err := s.auditFilter(r)
	if err != nil {
		return err
	}
	f.Limit = auditMost
	lines, err := s.o.Trail.Audit(r.Context(), f)
	if err != nil {
		return err
	}
	if err := s.write(r, audit.Entry{Act: audit.Export, Target: "audit", Person: f.Person, Result: audit.Done}); err != nil {
		return err
	}
	say := wordsOf(r)
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="audit.csv"`)
	_, _ = io.WriteString(w, "\ufeff") // without it Excel takes the text for that of an old code page
	out := csv.NewWriter(w)
	out.Comma, out.UseCRLF = ';', true
	row := func(cells ...string) {
		for i, c := range cells {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				cells[i] = "\t" + c // it would be a formula
			}
		}
		_ = out.Write(cells) // Error says it below
	}
	row(say.Text("audit.at"), say.Text("audit.who"), say.Text("audit.act"), say.Text("audit.target"), say.Text("audit.result"), say.Text("audit.address"), say.Text("trail.line"))
	for _, e := range lines {
		row(say.DateTime(e.At.In(s.o.Zone)), e.Who, string(e.Act), e.Target, string(e.Result), strings.TrimSpace(string(e.Via)+" "+e.Address), sentenceOf(say, e))
	}
	if len(lines) == auditMost {
		row(say.Text("trail.cut", auditMost))
	}
	out.Flush()
	return out.Error()
}
