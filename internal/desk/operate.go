package desk

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
	"pombo/internal/words"
)

// Sending is what an operator decides about sending as a whole.
type Sending interface {
	Pause(ctx context.Context, p pombo.Pause) error
	Resume(ctx context.Context) error
	// StartRun starts a run, or joins the one under way. The run does not end with ctx.
	StartRun(ctx context.Context) (run pombo.Run, joined bool, err error)
}

// confirmView is page/confirm.tmpl.
type confirmView struct {
	Title, Warning string
	Confirm        page.Confirm
}

const (
	operateTime = 10 * time.Second // changes wait for the disk
	mostNote    = 200              // characters, as in the API
	fewDigits   = 8                // no phone has fewer
)

// ask shows the page that asks before something is done.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, v confirmView) error {
	status := http.StatusOK
	if v.Confirm.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	v.Confirm.Once = s.newToken(r)
	if v.Confirm.Back.Text == "" {
		v.Confirm.Back.Text = wordsOf(r).Text("button.back")
	}
	return s.renderStatus(w, r, status, "confirm", v)
}

// decide carries out the request, with its line of the trail, and makes the next page
// say so. Pages show the change at once.
func (s *Server) decide(r *http.Request, line audit.Entry, act func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), operateTime)
	defer cancel()
	err := act(ctx)
	line.Result = audit.Done
	if err != nil {
		line.Result = audit.Failed
	}
	s.note(r, line)
	s.facts.health.forget(ctx)
	return err
}

// readNote reads why something is done; problem says what is wrong with it. A note is
// shown to all and kept for years, so it must not contain a phone.
func readNote(r *http.Request, say *words.Words) (note, problem string) {
	note = strings.Join(strings.Fields(r.PostForm.Get("note")), " ")
	switch {
	case note == "":
		return note, say.Text("operate.why_missing")
	case utf8.RuneCountInString(note) > mostNote:
		return note, say.Text("operate.why_long", mostNote)
	case manyDigits(note):
		return note, say.Text("operate.why_number")
	}
	return note, ""
}

// manyDigits reports whether there are as many digits as a phone has, with nothing but
// signs between them.
func manyDigits(text string) bool {
	n := 0
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			if n++; n >= fewDigits {
				return true
			}
		case !strings.ContainsRune(" -().+/", c):
			n = 0
		}
	}
	return false
}

// inputTime is how a browser writes a time of the field "until".
const inputTime = "2006-01-02T15:04"

// readUntil reads until when; zero = without end.
func (s *Server) readUntil(r *http.Request, say *words.Words) (until time.Time, problem string) {
	text := r.PostForm.Get("until")
	if text == "" {
		return until, ""
	}
	until, err := time.ParseInLocation(inputTime, text, s.o.Zone)
	if err != nil || !until.After(s.o.Now()) {
		return time.Time{}, say.Text("operate.until_wrong")
	}
	return until, ""
}

func untilField(r *http.Request, say *words.Words) page.Field {
	return page.Field{Name: "until", Label: say.Text("operate.until"), Type: "datetime-local", Value: r.PostForm.Get("until"), Hint: say.Text("operate.until_hint")}
}

func (s *Server) getPause(w http.ResponseWriter, r *http.Request) error {
	return s.askPause(w, r, "", "")
}

func (s *Server) askPause(w http.ResponseWriter, r *http.Request, note, problem string) error {
	say := wordsOf(r)
	v := confirmView{Title: say.Text("pause_page.title"), Confirm: page.Confirm{
		Action: "/desk/pause", Problem: problem, Question: say.Text("pause_page.question"), Undo: say.Text("pause_page.undo"),
		Follows:   []string{say.Text("pause_page.follows_all"), say.Text("pause_page.follows_taken"), say.Text("pause_page.follows_late")},
		NoteLabel: say.Text("operate.why"), NoteRequired: true, Note: note, Fields: []page.Field{untilField(r, say)},
		Submit: say.Text("pause_page.submit"), Danger: true, Back: page.Link{Href: "/desk/"},
	}}
	if f, err := s.facts.health.get(r.Context()); err == nil {
		v.Confirm.Follows = append(v.Confirm.Follows, say.Text("pause_page.follows_queue", f.Backlog.States[pombo.Queued]))
		if f.Paused {
			v.Warning = say.Text("pause_page.again")
		}
	}
	return s.ask(w, r, v)
}

func (s *Server) postPause(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	note, problem := readNote(r, say)
	until, wrong := s.readUntil(r, say)
	if problem == "" {
		problem = wrong
	}
	if problem != "" {
		return s.askPause(w, r, note, problem)
	}
	p := pombo.Pause{By: visitorOf(r).Name, Detail: note, Until: until}
	if err := s.decide(r, audit.Entry{Act: audit.Pause, Detail: untilDetail(until, note)}, func(ctx context.Context) error { return s.o.Sending.Pause(ctx, p) }); err != nil {
		return err
	}
	s.say(r, Notice{Text: say.Text("pause_page.done")})
	return redirect(w, "/desk/")
}

// untilDetail is what the trail says about a pause or a hold.
func untilDetail(until time.Time, note string) string {
	if until.IsZero() {
		return note
	}
	return "until " + until.Format(time.RFC3339) + ": " + note
}

func (s *Server) getResume(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	v := confirmView{Title: say.Text("resume_page.title"), Confirm: page.Confirm{
		Action: "/desk/resume", Question: say.Text("resume_page.question"), Undo: say.Text("resume_page.undo"),
		Submit: say.Text("button.resume"), Back: page.Link{Href: "/desk/"},
	}}
	f, err := s.facts.health.get(r.Context())
	if err != nil {
		return err
	}
	if !f.Paused {
		s.say(r, Notice{Bad: true, Text: say.Text("resume_page.not_paused")})
		return redirect(w, "/desk/")
	}
	v.Confirm.Follows = []string{say.Text("resume_page.follows", f.Backlog.States[pombo.Queued])}
	switch {
	case f.Pause.Reason.Class() == pombo.ClassBot:
		v.Warning = say.Text("resume_page.refused", f.Pause.Reason, words.Hint(f.Pause.Reason))
	case f.Pause.By == "pombo":
		v.Warning = say.Text("resume_page.failures", f.Pause.Detail)
	case f.Pause.By == "blip":
		v.Warning = say.Text("resume_page.blip")
	}
	return s.ask(w, r, v)
}

func (s *Server) postResume(w http.ResponseWriter, r *http.Request) error {
	if err := s.decide(r, audit.Entry{Act: audit.Resume}, s.o.Sending.Resume); err != nil {
		return err
	}
	s.say(r, Notice{Text: wordsOf(r).Text("resume_page.done")})
	return redirect(w, "/desk/")
}

func (s *Server) getRunNew(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	return s.ask(w, r, confirmView{Title: say.Text("run_page.new"), Confirm: page.Confirm{
		Action: "/desk/runs", Question: say.Text("run_page.question"), Follows: []string{say.Text("run_page.follows"), say.Text("run_page.joined_follows")},
		Undo: say.Text("run_page.undo"), Submit: say.Text("button.run"), Back: page.Link{Href: "/desk/runs"},
	}})
}

func (s *Server) postRun(w http.ResponseWriter, r *http.Request) error {
	var run pombo.Run
	var joined bool
	line := audit.Entry{Act: audit.Run}
	err := s.decide(r, line, func(ctx context.Context) (err error) {
		run, joined, err = s.o.Sending.StartRun(ctx)
		return err
	})
	if err != nil {
		return err
	}
	key := "run_page.started"
	if joined {
		key = "run_page.joined"
	}
	id := strconv.FormatInt(run.ID, 10)
	s.say(r, Notice{Text: wordsOf(r).Text(key, id)})
	return redirect(w, "/desk/runs/"+id)
}
