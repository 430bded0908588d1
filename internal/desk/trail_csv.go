package desk

import (
	"net/http"
	"strings"

	"pombo/internal/audit"
)

// auditMost is how many lines a file has: what the ledger gives in one go.
const auditMost = 1000

// getAuditCSV answers with the lines that the page would show, and older ones, as a file
// that a spreadsheet opens. The trail records the download.
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
	say := s.figureWords(r)
	out := newSheet(w, r, say, "pombo-audit")
	out.row(say.Text("audit.at"), say.Text("audit.who"), say.Text("audit.act"), say.Text("audit.target"), say.Text("audit.result"), say.Text("audit.address"), say.Text("trail.line"))
	for _, e := range lines {
		out.row(e.At, e.Who, string(e.Act), e.Target, string(e.Result), strings.TrimSpace(string(e.Via)+" "+e.Address), sentenceOf(say.Words, e))
	}
	if len(lines) == auditMost {
		out.row(say.Text("trail.cut", auditMost))
	}
	return out.end()
}
