package desk

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
	"pombo/internal/phone"
	"pombo/internal/words"
)

// People is what the ledger knows of a person, by the phone.
type People interface {
	// List returns the notifications that the filter selects, the newest first.
	List(ctx context.Context, f pombo.Filter) (pombo.Page, error)
	// OptOutOf is pombo.ErrNotFound when the person gets every message.
	OptOutOf(ctx context.Context, n phone.Number) (pombo.OptOut, error)
	// Forget erases a person, or only counts.
	Forget(ctx context.Context, n phone.Number, really bool) (pombo.Forgotten, error)
}

const (
	// What the session keeps of the person who is looked at: the number, since a page that
	// is refreshed or printed needs it and no address may have it. It leaves with the
	// session, by "close" and before the person is erased.
	inPerson = "person"

	personRead     = 1000 // messages that are counted by their state
	personShown    = 100
	personLooks    = 50               // lines of the trail
	personEraseFor = 20 * time.Second // erasing waits for the disk, and for readers
)

// personView is page/person.tmpl.
type personView struct {
	Wrong   string
	Masked  string // "" = nobody has been looked for
	Phone   page.Phone
	Found   int
	First   time.Time
	Last    time.Time
	Until   time.Time // zero = for ever
	OptOut  string
	Note    string // whether the opt-out was respected
	Nothing page.Empty
	States  page.Table
	List    page.Table
	Cut     string
	Trail   []trailLine
}

// trailLine is a line of the trail as a sentence.
type trailLine struct {
	At       time.Time
	Sentence string
}

// personOf returns the number that the session keeps; zero = none.
func (s *Server) personOf(r *http.Request) phone.Number {
	n, err := phone.FromE164(s.sessions.GetString(r.Context(), inPerson))
	if err != nil {
		return phone.Number{}
	}
	return n
}

// postPerson takes a number into the session, or out of it.
func (s *Server) postPerson(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	if r.PostForm.Has("close") {
		s.sessions.Remove(r.Context(), inPerson)
		s.say(r, Notice{Text: wordsOf(r).Text("person.closed")})
		return redirect(w, "/desk/person")
	}
	n, err := phone.Parse(strings.TrimSpace(r.PostForm.Get("number")))
	if err != nil {
		return s.renderStatus(w, r, http.StatusUnprocessableEntity, "person", personView{Wrong: wordsOf(r).Text("person.wrong")})
	}
	if err := s.write(r, audit.Entry{Act: audit.Search, Target: "person", Person: s.o.Key.Person(n), Result: audit.Done}); err != nil {
		return err
	}
	s.sessions.Put(r.Context(), inPerson, n.E164())
	return redirect(w, "/desk/person")
}

func (s *Server) getPerson(w http.ResponseWriter, r *http.Request) error {
	n := s.personOf(r)
	if n.IsZero() {
		return s.render(w, r, "person", personView{})
	}
	ctx, cancel := reading(r)
	defer cancel()
	v, err := s.lookAt(ctx, wordsOf(r), n)
	if err != nil {
		return err
	}
	return s.render(w, r, "person", v)
}

// lookAt collects what there is of a person.
func (s *Server) lookAt(ctx context.Context, say *words.Words, n phone.Number) (v personView, err error) {
	v.Masked = n.String()
	v.Phone = page.Phone{Masked: v.Masked, Spoken: say.Text("person.spoken", v.Masked[len(v.Masked)-2:])}
	known, err := s.o.People.Forget(ctx, n, false)
	if err != nil {
		return v, err
	}
	v.Found = known.Found
	list, err := s.o.People.List(ctx, pombo.Filter{Phone: n.E164(), Limit: personRead})
	if err != nil {
		return v, err
	}
	s.showMessages(&v, say, list.Notifications)
	if err := s.showOptOut(ctx, &v, say, n, list.Notifications); err != nil {
		return v, err
	}
	lines, err := s.o.Trail.Audit(ctx, audit.Filter{Person: s.o.Key.Person(n), Limit: personLooks})
	for _, e := range lines {
		v.Trail = append(v.Trail, trailLine{e.At, sentenceOf(say, e)})
	}
	return v, err
}

func (s *Server) showMessages(v *personView, say *words.Words, list []pombo.Notification) {
	now := s.o.Now().In(s.o.Zone)
	when := func(t time.Time) page.Time {
		return page.Time{At: t, Short: say.Time(t, now), Long: say.DateTime(t.In(s.o.Zone))}
	}
	v.Nothing = page.Empty{Title: say.Text("person.none"), Text: say.Text("person.none_why")}
	v.States = page.Table{Caption: say.Text("person.states"), Columns: []page.Column{{Word: say.Text("person.state")}, {Word: say.Text("person.messages"), Number: true}}}
	v.List = page.Table{Caption: say.Text("person.list"), Columns: []page.Column{
		{Word: say.Text("person.row")}, {Word: say.Text("person.template")}, {Word: say.Text("person.state")}, {Word: say.Text("person.created")}, {Word: say.Text("person.changed")},
	}}
	counts := map[pombo.State]int{}
	for i := range list {
		m := &list[i]
		counts[m.State]++
		if v.Last.IsZero() {
			v.Last = m.Created
		}
		v.First = m.Created
		if until := m.Updated.Add(s.o.Retention); s.o.Retention > 0 && until.After(v.Until) {
			v.Until = until
		}
		if i >= personShown {
			continue
		}
		template, why := m.Template, ""
		if template == "" {
			template = say.Text("person.usual")
		}
		if m.Reason != pombo.NoReason && !m.State.Sent() {
			why = say.Reason(m.Reason)
		}
		v.List.Rows = append(v.List.Rows, []page.Cell{
			{Href: "/desk/messages/" + string(m.MessageID), Text: m.Key.RowKey}, {Text: template},
			{Badge: page.StateBadge(m.State, say.State(m.State), why)}, {Time: when(m.Created)}, {Time: when(m.Updated)},
		})
	}
	if v.Found > personShown {
		v.Cut = say.Text("person.cut", len(v.List.Rows))
	}
	for _, state := range pombo.States() {
		if n := counts[state]; n > 0 {
			v.States.Rows = append(v.States.Rows, []page.Cell{{Badge: page.StateBadge(state, say.State(state), say.StateMeaning(state))}, {Text: say.Number(n)}})
		}
	}
}

func (s *Server) showOptOut(ctx context.Context, v *personView, say *words.Words, n phone.Number, list []pombo.Notification) error {
	o, err := s.o.People.OptOutOf(ctx, n)
	if errors.Is(err, pombo.ErrNotFound) {
		v.OptOut = say.Text("person.optout_no")
		return nil
	}
	if err != nil {
		return err
	}
	by := say.Text("person.by_operator")
	switch o.By {
	case "person":
		by = say.Text("person.by_person")
	case "blip":
		by = say.Text("person.by_blip")
	}
	since := words.Clock{At: o.At, Now: s.o.Now().In(s.o.Zone)}
	v.OptOut = say.Text("person.optout_ads", since, by)
	if o.Scope == pombo.OptOutAll {
		v.OptOut = say.Text("person.optout_all", since, by)
	}
	kept := 0
	for i := range list {
		if list[i].State == pombo.Suppressed {
			kept++
		}
	}
	if kept > 0 {
		v.Note = say.Text("person.respected", kept)
	}
	return nil
}

func (s *Server) getForget(w http.ResponseWriter, r *http.Request) error {
	return s.askForget(w, r, "")
}

func (s *Server) askForget(w http.ResponseWriter, r *http.Request, problem string) error {
	say, n := wordsOf(r), s.personOf(r)
	if n.IsZero() {
		s.say(r, Notice{Bad: true, Text: say.Text("forget.nobody")})
		return redirect(w, "/desk/person")
	}
	ctx, cancel := reading(r)
	defer cancel()
	known, err := s.o.People.Forget(ctx, n, false)
	if err != nil {
		return err
	}
	var follows []string
	if known.Open > 0 {
		follows = append(follows, say.Text("forget.open", known.Open))
	}
	if known.InFlight > 0 {
		follows = append(follows, say.Text("forget.flight", known.InFlight))
	}
	for _, stays := range []string{"forget.rows", "forget.optout", "forget.table", "forget.backups", "forget.blip"} {
		follows = append(follows, say.Text(stays))
	}
	return s.ask(w, r, confirmView{Title: say.Text("forget.title"), Confirm: page.Confirm{
		Action: "/desk/person/forget", Problem: problem, Question: say.Text("forget.question", n.String(), known.Found), Follows: follows, Undo: say.Text("forget.undo"),
		Fields: []page.Field{{Name: "number", Label: say.Text("forget.again"), Type: "tel", Required: true}},
		Submit: say.Text("forget.submit"), Danger: true, Back: page.Link{Href: "/desk/person"},
	}})
}

func (s *Server) postForget(w http.ResponseWriter, r *http.Request) error {
	say, n := wordsOf(r), s.personOf(r)
	again, err := phone.Parse(strings.TrimSpace(r.PostForm.Get("number")))
	if n.IsZero() || err != nil || !again.Equal(n) {
		return s.askForget(w, r, say.Text("forget.differs"))
	}
	// The number leaves the session, on the disk too, before what is erased is overwritten.
	s.sessions.Remove(r.Context(), inPerson)
	if _, _, err := s.sessions.Commit(r.Context()); err != nil {
		return err
	}
	// What has begun is not left halfway because the visitor closes the page.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), personEraseFor)
	defer cancel()
	line := audit.Entry{Act: audit.Forget, Person: s.o.Key.Person(n), Result: audit.Done}
	f, err := s.o.People.Forget(ctx, n, true)
	line.Detail = strconv.Itoa(f.Erased) + "/" + strconv.Itoa(f.Found)
	if err != nil {
		line.Result = audit.Failed
		s.note(r, line)
		return err
	}
	s.note(r, line)
	if f.InFlight > 0 {
		s.say(r, Notice{Bad: true, Text: say.Text("forget.some", f.InFlight, f.Erased)})
	} else {
		s.say(r, Notice{Text: say.Text("forget.done", f.Erased)})
	}
	return redirect(w, "/desk/person")
}
