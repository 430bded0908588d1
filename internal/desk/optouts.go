package desk

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
	"pombo/internal/phone"
	"pombo/internal/words"
)

// OptOuts is the list of people who get no more messages.
type OptOuts interface {
	OptOut(ctx context.Context, o pombo.OptOut) error
	// OptIn reports whether the phone was on the list.
	OptIn(ctx context.Context, n phone.Number) (removed bool, err error)
	OptOuts(ctx context.Context, after string, limit int) (list []pombo.OptOut, next string, err error) // latest first
}

const shownOptOuts = 100

// optOutsView is page/optouts.tmpl.
type optOutsView struct {
	List  page.Table
	Empty *page.Empty
	Pager page.Pager
}

func (s *Server) getOptOuts(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	ctx, cancel := reading(r)
	defer cancel()
	list, next, err := s.o.OptOuts.OptOuts(ctx, r.URL.Query().Get("after"), shownOptOuts)
	if err != nil {
		return err
	}
	v := optOutsView{List: page.Table{Caption: say.Text("optouts_page.caption"), Columns: []page.Column{
		{Word: say.Text("optouts_page.since")}, {Word: say.Text("optouts_page.phone")}, {Word: say.Text("optouts_page.scope")}, {Word: say.Text("optouts_page.by")},
	}}}
	for _, o := range list {
		v.List.Rows = append(v.List.Rows, []page.Cell{{Time: s.moment(say, o.At)}, s.phoneCell(r, o.Phone), {Text: say.Text("optout_scope." + string(o.Scope))}, {Text: optOutBy(say, o.By)}})
	}
	if len(list) == 0 {
		v.Empty = &page.Empty{Title: say.Text("optouts_page.none"), Text: say.Text("optouts_page.none_text")}
	}
	v.Pager = page.Pager{Label: say.Text("optouts_page.pages")}
	if r.URL.Query().Get("after") != "" {
		v.Pager.Newer = page.Link{Href: "/desk/optouts", Text: say.Text("optouts_page.newest")}
	}
	if next != "" {
		v.Pager.Older = page.Link{Href: s.link(r, "/desk/optouts", "after", next), Text: say.Text("audit.older")}
	}
	return s.render(w, r, "optouts", v)
}

// phoneCell shows a phone masked. For a person who wrote to the bot, Blip may know a
// name but no phone.
func (s *Server) phoneCell(r *http.Request, n phone.Number) page.Cell {
	if n.IsZero() {
		return page.Cell{Text: wordsOf(r).Text("optouts_page.no_phone")}
	}
	return page.Cell{Phone: s.clerk(r).phone(n)}
}

func optOutBy(say *words.Words, by string) string {
	if slices.Contains([]string{"person", "blip", "operator"}, by) {
		return say.Text("optout_by." + by)
	}
	return by
}

// The page that asks for confirmation also asks for the phone, so that it is in no
// address and is not stored in between.

func (s *Server) getOptOutAdd(w http.ResponseWriter, r *http.Request) error {
	return s.askOptOut(w, r, "")
}

func (s *Server) askOptOut(w http.ResponseWriter, r *http.Request, problem string) error {
	say := wordsOf(r)
	scope := r.PostForm.Get("scope")
	return s.ask(w, r, confirmView{Title: say.Text("optouts_page.add"), Confirm: page.Confirm{
		Action: "/desk/optouts", Problem: problem, Question: say.Text("optouts_page.add_question"),
		Follows: []string{say.Text("optouts_page.add_follows"), say.Text("optouts_page.add_queue")}, Undo: say.Text("optouts_page.add_undo"),
		Fields: []page.Field{
			{Name: "phone", Label: say.Text("optouts_page.phone"), Type: "tel", Required: true, Hint: say.Text("optouts_page.phone_hint")},
			{Name: "scope", Label: say.Text("optouts_page.scope"), Choices: []page.Choice{
				{Value: string(pombo.OptOutAll), Text: say.Text("optout_scope.all")},
				{Value: string(pombo.OptOutMarketing), Text: say.Text("optout_scope.marketing"), Chosen: scope == string(pombo.OptOutMarketing)},
			}},
		},
		Submit: say.Text("optouts_page.add"), Back: page.Link{Href: "/desk/optouts"},
	}})
}

func (s *Server) postOptOut(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	n, err := phone.Parse(strings.TrimSpace(r.PostForm.Get("phone")))
	if err != nil {
		return s.askOptOut(w, r, say.Text("audit.number_wrong"))
	}
	scope := pombo.OptOutScope(r.PostForm.Get("scope"))
	if scope != pombo.OptOutAll && scope != pombo.OptOutMarketing {
		return s.askOptOut(w, r, say.Text("optouts_page.scope_missing"))
	}
	line := audit.Entry{Act: audit.OptOut, Detail: string(scope), Person: s.o.Key.Person(n)}
	o := pombo.OptOut{Phone: n, Scope: scope, At: s.o.Now(), By: "operator"}
	if err := s.decide(r, line, func(ctx context.Context) error { return s.o.OptOuts.OptOut(ctx, o) }); err != nil {
		return err
	}
	s.say(r, Notice{Text: say.Text("optouts_page.added", n.String())})
	return redirect(w, "/desk/optouts")
}

func (s *Server) getOptIn(w http.ResponseWriter, r *http.Request) error {
	return s.askOptIn(w, r, "", "")
}

func (s *Server) askOptIn(w http.ResponseWriter, r *http.Request, note, problem string) error {
	say := wordsOf(r)
	return s.ask(w, r, confirmView{Title: say.Text("optouts_page.remove"), Confirm: page.Confirm{
		Action: "/desk/optouts/remove", Problem: problem, Question: say.Text("optouts_page.remove_question"),
		Follows: []string{say.Text("optouts_page.remove_follows"), say.Text("optouts_page.remove_law")}, Undo: say.Text("optouts_page.remove_undo"),
		NoteLabel: say.Text("optouts_page.remove_note"), NoteRequired: true, Note: note,
		Fields: []page.Field{{Name: "phone", Label: say.Text("optouts_page.phone"), Type: "tel", Required: true, Hint: say.Text("optouts_page.phone_hint")}},
		Submit: say.Text("optouts_page.remove"), Danger: true, Back: page.Link{Href: "/desk/optouts"},
	}})
}

func (s *Server) postOptIn(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	note, problem := readNote(r, say)
	if problem != "" {
		return s.askOptIn(w, r, "", problem)
	}
	n, err := phone.Parse(strings.TrimSpace(r.PostForm.Get("phone")))
	if err != nil {
		return s.askOptIn(w, r, note, say.Text("audit.number_wrong"))
	}
	removed := false
	line := audit.Entry{Act: audit.OptIn, Detail: note, Person: s.o.Key.Person(n)}
	err = s.decide(r, line, func(ctx context.Context) (err error) {
		removed, err = s.o.OptOuts.OptIn(ctx, n)
		return err
	})
	switch {
	case err != nil:
		return err
	case !removed:
		s.say(r, Notice{Bad: true, Text: say.Text("optouts_page.not_there", n.String())})
	default:
		s.say(r, Notice{Text: say.Text("optouts_page.removed", n.String())})
	}
	return redirect(w, "/desk/optouts")
}
