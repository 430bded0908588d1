package desk

import (
	"errors"
	"net/http"

	"pombo"
	"pombo/internal/desk/page"
	"pombo/internal/words"
)

// Table is the company's table, as its DBA needs to see it.
type Table interface {
	// Statements are all that can run on it.
	Statements() []Statement
	// Executed is how many have run since the start.
	Executed() int64
	// Problems are the pending rows that the last pass could not take in.
	Problems() []pombo.RowProblem
}

// Statement is a text of SQL and what it is for.
type Statement struct{ Purpose, Text string }

const shownProblems = 200

// tableView is page/table.tmpl.
type tableView struct {
	Facts      []page.Fact
	Results    page.Table // what was not written to the table
	Rejected   page.Table
	More       string // how many are not shown
	Statements []Statement
	Executed   string
}

func (s *Server) getTable(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	v := tableView{Statements: s.o.Table.Statements(), Executed: say.Text("table_page.executed", int(s.o.Table.Executed()))}
	f, err := s.facts.health.get(r.Context())
	if err != nil {
		return err
	}
	pass := page.Fact{Word: say.Text("now.last_pass"), Time: s.moment(say, f.Progress.TakenIn)}
	if f.Progress.TakenIn.IsZero() {
		pass.Text = say.Text("now.no_pass")
	}
	owed := page.Fact{Word: say.Text("table_page.owed"), Text: say.Number(f.Backlog.Due)}
	if f.Backlog.Due > 0 {
		owed.Text, owed.Time = say.Text("table_page.owed_since", f.Backlog.Due), s.moment(say, f.Backlog.DueSince)
	}
	v.Facts = []page.Fact{pass, owed, {Word: say.Text("table_page.diverged"), Text: say.Number(f.Backlog.Diverged)}}
	v.Results = page.Table{Caption: say.Text("table_page.results"), Columns: []page.Column{{Word: say.Text("table_page.what")}, {Word: say.Text("table_page.row")}}}
	result, err := s.facts.compared.get(r.Context())
	switch {
	case errors.Is(err, pombo.ErrNotFound):
	case err != nil:
		return err
	default:
		v.Facts = append(v.Facts, page.Fact{Word: say.Text("now.last_comparison"), Time: s.moment(say, result.Finished), Href: s.link(r, "/desk/findings"), Text: say.Text("menu.findings")})
		for _, d := range result.Discrepancies {
			switch d.Kind {
			case pombo.RowDiverged, pombo.RowGone, pombo.RowRefused, pombo.SettleOverdue:
				if len(v.Results.Rows) < shownProblems {
					v.Results.Rows = append(v.Results.Rows, []page.Cell{{Text: say.Discrepancy(d.Kind)}, s.rowCell(r, d.MessageID, d.Key)})
				}
			}
		}
	}
	s.rejected(&v, say)
	return s.render(w, r, "table", v)
}

// rowCell names a row, and leads to its message.
func (s *Server) rowCell(r *http.Request, id pombo.MessageID, key pombo.Key) page.Cell {
	cell := page.Cell{Text: key.RowKey}
	if s.link(r, "/desk/messages/{id}") != "" {
		cell.Href = "/desk/messages/" + string(id)
	}
	return cell
}

// rejected lists the rows that could not be taken in.
func (s *Server) rejected(v *tableView, say *words.Words) {
	v.Rejected = page.Table{Caption: say.Text("table_page.rejected"), Columns: []page.Column{
		{Word: say.Text("table_page.row")}, {Word: say.Text("table_page.column")}, {Word: say.Text("table_page.problem")},
	}}
	problems := s.o.Table.Problems()
	for i, p := range problems {
		if i == shownProblems {
			v.More = say.Text("table_page.more", len(problems)-i)
			return
		}
		key := p.RowKey
		if key == "" {
			key = "–"
		}
		v.Rejected.Rows = append(v.Rejected.Rows, []page.Cell{{Text: key}, {Text: p.Column}, {Text: p.Message}})
	}
}
