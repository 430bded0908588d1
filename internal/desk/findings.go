package desk

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
)

const shownFindings = 50 // of each kind

// comparison is the one requested on the desk. Run makes it.
type comparison struct {
	start chan struct{} // has one element when one is requested

	mu    sync.Mutex
	since time.Time // of the one under way; zero = none is
	err   error     // of the last one
}

// ask has one made; joined says that one is under way already.
func (c *comparison) ask(now time.Time) (joined bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.since.IsZero() {
		return true
	}
	c.since, c.err = now, nil
	c.start <- struct{}{}
	return false
}

func (c *comparison) status() (since time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since, c.err
}

// compare makes the requested comparisons, until ctx ends.
func (s *Server) compare(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.comparison.start:
		}
		_, err := s.o.Compare(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the comparison that the desk asked for failed", "error", err)
		}
		s.facts.compared.forget(ctx)
		s.comparison.mu.Lock()
		s.comparison.since, s.comparison.err = time.Time{}, err
		s.comparison.mu.Unlock()
	}
}

// findingsView is page/findings.tmpl.
type findingsView struct {
	Running *page.Notice
	Empty   *page.Empty
	Facts   []page.Fact
	Kinds   []findingKind
}

type findingKind struct {
	ID, What, Todo, Count string
	Rows                  page.Table
	More                  string
}

func (s *Server) getFindings(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	var v findingsView
	since, failed := s.comparison.status()
	switch {
	case !since.IsZero():
		v.Running = &page.Notice{Level: "ok", Title: say.Text("findings_page.running", say.Time(since, s.o.Now().In(s.o.Zone))), Text: say.Text("findings_page.running_text")}
	case failed != nil:
		v.Running = &page.Notice{Level: "bad", Title: say.Text("findings_page.failed"), Text: say.Text("findings_page.failed_text")}
	}
	result, err := s.facts.compared.get(r.Context())
	switch {
	case errors.Is(err, pombo.ErrNotFound):
		v.Empty = &page.Empty{Title: say.Text("findings_page.never"), Text: say.Text("findings_page.never_text")}
		return s.render(w, r, "findings", v)
	case err != nil:
		return err
	}
	v.Facts = []page.Fact{
		{Word: say.Text("now.last_comparison"), Time: s.moment(say, result.Finished)},
		{Word: say.Text("findings_page.compared"), Text: say.Number(result.Compared)},
		{Word: say.Text("findings_page.asked"), Text: say.Text("findings_page.asked_of", result.Asked, result.Doubtful)},
		{Word: say.Text("findings_page.applied"), Text: say.Number(result.Applied)},
	}
	if result.Unasked != "" {
		v.Facts = append(v.Facts, page.Fact{Word: say.Text("findings_page.unasked"), Text: result.Unasked})
	}
	for _, kind := range pombo.DiscrepancyKinds() {
		n := result.Counts[kind]
		if n == 0 {
			continue
		}
		k := findingKind{ID: string(kind), What: asSentence(say.Discrepancy(kind)), Todo: asSentence(say.DiscrepancyHint(kind)), Count: say.Number(n)}
		k.Rows = page.Table{Caption: say.Text("findings_page.rows"), Columns: []page.Column{{Word: say.Text("table_page.row")}, {Word: say.Text("findings_page.generation"), Number: true}, {Word: say.Text("findings_page.id")}}}
		for _, d := range result.Discrepancies {
			if d.Kind == kind && len(k.Rows.Rows) < shownFindings {
				k.Rows.Rows = append(k.Rows.Rows, []page.Cell{s.rowCell(r, d.MessageID, d.Key), {Text: say.Number(d.Key.Generation)}, {Text: string(d.MessageID)}})
			}
		}
		if more := n - len(k.Rows.Rows); more > 0 {
			k.More = say.Text("table_page.more", more)
		}
		v.Kinds = append(v.Kinds, k)
	}
	if len(v.Kinds) == 0 {
		v.Empty = &page.Empty{Title: say.Text("findings_page.none"), Text: say.Text("findings_page.none_text")}
	}
	return s.render(w, r, "findings", v)
}

func (s *Server) getCompare(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	return s.ask(w, r, confirmView{Title: say.Text("button.reconcile"), Confirm: page.Confirm{
		Action: "/desk/findings", Question: say.Text("findings_page.question"),
		Follows: []string{say.Text("findings_page.follows"), say.Text("findings_page.follows_blip"), say.Text("findings_page.follows_time")},
		Undo:    say.Text("findings_page.undo"), Submit: say.Text("button.reconcile"), Back: page.Link{Href: "/desk/findings"},
	}})
}

func (s *Server) postCompare(w http.ResponseWriter, r *http.Request) error {
	joined := false
	if err := s.decide(r, audit.Entry{Act: audit.Reconcile}, func(context.Context) error { joined = s.comparison.ask(s.o.Now()); return nil }); err != nil {
		return err
	}
	key := "findings_page.started"
	if joined {
		key = "findings_page.joined"
	}
	s.say(r, Notice{Text: wordsOf(r).Text(key)})
	return redirect(w, "/desk/findings")
}
