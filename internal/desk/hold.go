package desk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
	"pombo/internal/words"
)

// holdView is page/hold.tmpl.
type holdView struct {
	Name, Until string
	Reach       []string
	Confirm     page.Confirm
}

func isNotFound(err error) bool { return errors.Is(err, pombo.ErrNotFound) }

// getHold first shows what a hold until the chosen time would affect.
func (s *Server) getHold(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	text := r.Form.Get("until")
	until, err := time.ParseInLocation(inputTime, text, s.o.Zone)
	if text != "" && (err != nil || !until.After(s.o.Now())) {
		return s.askHold(w, r, time.Time{}, "", wordsOf(r).Text("operate.until_wrong"))
	}
	return s.askHold(w, r, until, "", "")
}

func (s *Server) askHold(w http.ResponseWriter, r *http.Request, until time.Time, note, problem string) error {
	say := wordsOf(r)
	name, err := pathTemplate(r)
	if err != nil {
		return err
	}
	reach, err := s.reach(r.Context(), name, until)
	if err != nil {
		return err
	}
	back := "/desk/templates/" + name
	v := holdView{Name: name, Reach: s.reachSentences(say, reach, until), Confirm: page.Confirm{
		Action: back + "/hold", Once: s.newToken(r), Problem: problem, Question: say.Text("hold_page.question", name),
		Follows: []string{say.Text("hold_page.follows"), say.Text("hold_page.others")}, Undo: say.Text("hold_page.undo"),
		NoteLabel: say.Text("operate.why"), NoteRequired: true, Note: note,
		Submit: say.Text("hold_page.submit"), Danger: true, Back: page.Link{Href: back, Text: say.Text("button.back")},
	}}
	if !until.IsZero() {
		v.Until = until.Format(inputTime)
		v.Confirm.Hidden = []page.Hidden{{Name: "until", Value: v.Until}}
		v.Confirm.Question = say.Text("hold_page.question_until", name, words.Clock{At: until, Now: s.o.Now().In(s.o.Zone)})
	}
	status := http.StatusOK
	if problem != "" {
		status = http.StatusUnprocessableEntity
	}
	return s.renderStatus(w, r, status, "hold", v)
}

// reachSentences says what stops, what keeps coming and what would be lost.
func (s *Server) reachSentences(say *words.Words, reach pombo.TemplateReach, until time.Time) []string {
	waiting := say.Text("hold_page.waiting", reach.Waiting)
	if reach.Partial {
		waiting = say.Text("hold_page.waiting_at_least", reach.Waiting)
	}
	expiring := say.Text("hold_page.expiring", reach.Expiring)
	if !until.IsZero() {
		expiring = say.Text("hold_page.expiring_until", reach.Expiring, words.Clock{At: until, Now: s.o.Now().In(s.o.Zone)})
	}
	return []string{waiting, say.Text("hold_page.per_hour", reach.PerHour()), expiring}
}

func (s *Server) postHold(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	name, err := pathTemplate(r)
	if err != nil {
		return err
	}
	until, wrong := s.readUntil(r, say)
	note, problem := readNote(r, say)
	if wrong != "" {
		problem = wrong
	}
	if problem != "" {
		return s.askHold(w, r, until, note, problem)
	}
	h := pombo.TemplateHold{Template: name, Who: visitorOf(r).Name, Note: note, Until: until}
	line := audit.Entry{Act: audit.Hold, Target: name, Detail: untilDetail(until, note)}
	if err := s.decide(r, line, func(ctx context.Context) error { return s.o.Templates.Hold(ctx, h) }); err != nil {
		return err
	}
	s.say(r, Notice{Text: say.Text("hold_page.done", name)})
	return redirect(w, "/desk/templates/"+url.PathEscape(name))
}

func (s *Server) getRelease(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	name, err := pathTemplate(r)
	if err != nil {
		return err
	}
	reach, err := s.reach(r.Context(), name, time.Time{})
	if err != nil {
		return err
	}
	back := "/desk/templates/" + name
	return s.ask(w, r, confirmView{Title: say.Text("release_page.title"), Confirm: page.Confirm{
		Action: back + "/release", Question: say.Text("release_page.question", name), Follows: []string{say.Text("release_page.follows", reach.Waiting)},
		Undo: say.Text("release_page.undo"), Submit: say.Text("release_page.title"), Back: page.Link{Href: back},
	}})
}

func (s *Server) postRelease(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	name, err := pathTemplate(r)
	if err != nil {
		return err
	}
	released := false
	err = s.decide(r, audit.Entry{Act: audit.Release, Target: name}, func(ctx context.Context) (err error) {
		released, err = s.o.Templates.Release(ctx, name)
		return err
	})
	switch {
	case err != nil:
		return err
	case !released:
		s.say(r, Notice{Bad: true, Text: say.Text("release_page.not_held", name)})
	default:
		s.say(r, Notice{Text: say.Text("release_page.done", name)})
	}
	return redirect(w, "/desk/templates/"+url.PathEscape(name))
}
