package desk

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"pombo"
	"pombo/internal/desk/page"
	"pombo/internal/words"
)

// RunLog has the runs.
type RunLog interface {
	// Run is pombo.ErrNotFound when there is none.
	Run(ctx context.Context, id int64) (pombo.Run, error)
	Runs(ctx context.Context, limit int) ([]pombo.Run, error) // newest first
}

const shownRuns = 100

// runsView is page/runs.tmpl.
type runsView struct {
	Runs  page.Table
	Empty *page.Empty
}

// runView is page/run.tmpl.
type runView struct {
	Number  string
	Badge   page.Badge
	Figures []page.Figure
	Facts   []page.Fact
}

func (s *Server) getRuns(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	ctx, cancel := reading(r)
	defer cancel()
	list, err := s.o.Runs.Runs(ctx, shownRuns)
	if err != nil {
		return err
	}
	var v runsView
	if len(list) == 0 {
		v.Empty = &page.Empty{Title: say.Text("run_page.none"), Text: say.Text("run_page.none_text")}
	}
	v.Runs = page.Table{Caption: say.Text("run_page.caption"), Columns: []page.Column{
		{Word: say.Text("run_page.number")}, {Word: say.Text("run_page.started_at")}, {Word: say.Text("run_page.state")}, {Word: say.Text("run_page.took"), Number: true},
		{Word: say.Text("run_page.found"), Number: true}, {Word: say.Text("run_page.accepted"), Number: true}, {Word: say.Text("run_page.failed"), Number: true},
		{Word: say.Text("run_page.retrying"), Number: true}, {Word: say.Text("run_page.waiting"), Number: true},
	}}
	for _, run := range list {
		id := strconv.FormatInt(run.ID, 10)
		number := func(n int) page.Cell { return page.Cell{Text: say.Number(n)} }
		v.Runs.Rows = append(v.Runs.Rows, []page.Cell{
			{Href: "/desk/runs/" + id, Text: id}, {Time: s.moment(say, run.Started)}, {Badge: runBadge(say, run)}, {Text: s.took(say, run)},
			number(run.Found), number(run.Accepted), number(run.Failed), number(run.Retrying), number(run.Waiting),
		})
	}
	return s.render(w, r, "runs", v)
}

func runBadge(say *words.Words, run pombo.Run) page.Badge {
	switch {
	case run.Finished.IsZero():
		return page.Badge{Icon: "out", Tone: "quiet", Word: say.Text("run_page.under_way")}
	case run.Error != "":
		return page.Badge{Icon: "alert", Tone: "warn", Word: say.Text("run_page.stopped_early")}
	}
	return page.Badge{Icon: "tick", Tone: "good", Word: say.Text("run_page.finished")}
}

func (s *Server) took(say *words.Words, run pombo.Run) string {
	end := run.Finished
	if end.IsZero() {
		end = s.o.Now()
	}
	if d := end.Sub(run.Started); d >= time.Second {
		return say.Span(d)
	}
	return say.Text("run_page.moment")
}

func (s *Server) getRun(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return pombo.ErrNotFound
	}
	ctx, cancel := reading(r)
	defer cancel()
	run, err := s.o.Runs.Run(ctx, id)
	if err != nil {
		return err
	}
	say, number := wordsOf(r), strconv.FormatInt(id, 10)
	v := runView{Number: number, Badge: runBadge(say, run)}
	all := s.link(r, "/desk/messages", "run", number)
	for _, f := range []struct {
		key, tone string
		n         int
	}{
		{"run_page.found", "", run.Found}, {"run_page.accepted", "", run.Accepted}, {"run_page.failed", "bad", run.Failed}, {"run_page.retrying", "warn", run.Retrying},
		{"run_page.uncertain", "warn", run.Uncertain}, {"run_page.cancelled", "", run.Cancelled}, {"run_page.waiting", "", run.Waiting},
	} {
		figure := page.Figure{Word: say.Text(f.key), Number: say.Number(f.n)}
		if f.n > 0 {
			figure.Tone = f.tone
		}
		if f.key == "run_page.found" {
			figure.Href = all
		}
		v.Figures = append(v.Figures, figure)
	}
	v.Facts = []page.Fact{
		{Word: say.Text("run_page.started_at"), Time: s.moment(say, run.Started)},
		{Word: say.Text("run_page.took"), Text: s.took(say, run)},
	}
	if !run.Finished.IsZero() {
		v.Facts = append(v.Facts, page.Fact{Word: say.Text("run_page.finished_at"), Time: s.moment(say, run.Finished)})
	}
	if run.Error != "" {
		v.Facts = append(v.Facts, page.Fact{Word: say.Text("run_page.stopped_early"), Text: run.Error})
	}
	return s.render(w, r, "run", v)
}
