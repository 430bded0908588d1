package desk

import (
	"context"
	"errors"
	"net/http"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
)

// Single actions: a page that asks, and then the same way as through the API.

// actView is page/act.tmpl.
type actView struct {
	Title   string
	Row     string
	Badge   page.Badge
	Confirm page.Confirm
}

// mayRetry reports whether the visitor may send a notification again, and whether it can
// be. With only the grant, the visitor may if the row was at fault.
func mayRetry(u pombo.User, n *pombo.Notification) bool {
	if erased(n) && n.State != pombo.Queued {
		return false
	}
	if n.State != pombo.Queued && !n.State.CanBecome(pombo.Queued) || n.State == pombo.Claimed || n.State == pombo.Sending {
		return false
	}
	if may(u, operate) {
		return true
	}
	return may(u, resendOwn) && n.State == pombo.Failed && n.Reason.Class() == pombo.ClassRow
}

// messageOf reads the notification of the address.
func (s *Server) messageOf(ctx context.Context, r *http.Request) (pombo.Notification, error) {
	id, err := pathMessage(r)
	if err != nil {
		return pombo.Notification{}, err
	}
	n, _, err := s.o.Messages.Notification(ctx, id)
	return n, noMessage(err)
}

// getRetry asks before a message is sent again.
func (s *Server) getRetry(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := reading(r)
	defer cancel()
	n, err := s.messageOf(ctx, r)
	if err != nil {
		return err
	}
	if !mayRetry(visitorOf(r).User, &n) {
		return s.cannotRetry(r, &n)
	}
	c := s.clerk(r)
	v := s.act(c, r, &n, "/retry")
	v.Title = c.Text("act_page.retry")
	v.Confirm.Question = c.Text("act_page.retry_question", n.Key.RowKey)
	v.Confirm.Follows = []string{c.Text("act_page.row_read")}
	add := func(key string) { v.Confirm.Follows = append(v.Confirm.Follows, c.Text(key)) }
	switch {
	case n.State == pombo.Uncertain:
		add("act_page.may_be_double")
		v.Confirm.Danger = true
	case n.State == pombo.Queued:
		add("act_page.at_once")
	case n.State == pombo.Suppressed:
		add("act_page.opted_out")
	case n.State == pombo.Failed && !n.Begun.IsZero():
		add("act_page.new_id")
	}
	if n.Reason.Class() == pombo.ClassPerson {
		add("act_page.person")
	}
	v.Confirm.Undo = c.Text("act_page.no_undo_retry")
	v.Confirm.Submit = c.Text("button.retry")
	return s.render(w, r, "act", v)
}

// cannotRetry says whether it is the right or the state that is missing.
func (s *Server) cannotRetry(r *http.Request, n *pombo.Notification) error {
	if !may(visitorOf(r).User, operate) && n.State == pombo.Failed {
		s.note(r, audit.Entry{Act: audit.Retry, Target: string(n.MessageID), Result: audit.Refused})
		return refuse(http.StatusForbidden, "error.retry_right")
	}
	return refuse(http.StatusConflict, "error.too_late")
}

// act is what the pages of all single actions have.
func (s *Server) act(c clerk, r *http.Request, n *pombo.Notification, path string) actView {
	back := messagePath(n.MessageID)
	return actView{
		Row: n.Key.RowKey, Badge: c.badge(n),
		Confirm: page.Confirm{
			Action: back + path, Once: s.newToken(r), NoteLabel: c.Text("act_page.note"), Back: page.Link{Href: back, Text: c.Text("button.back")},
		},
	}
}

func (s *Server) postRetry(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := acting(r)
	defer cancel()
	n, err := s.messageOf(ctx, r)
	if err != nil {
		return err
	}
	if !mayRetry(visitorOf(r).User, &n) {
		return s.cannotRetry(r, &n)
	}
	if err := s.recorded(r, audit.Retry, &n, s.o.Actions.Retry(ctx, n.MessageID)); err != nil {
		return err
	}
	c := s.clerk(r)
	to, sentence := n.MessageID, c.Text("act_page.retried", n.Key.RowKey)
	next := n.Key
	next.Generation++
	if _, _, err := s.o.Messages.Notification(ctx, next.MessageID()); err == nil { // it goes as a message of its own
		to, sentence = next.MessageID(), c.Text("act_page.retried_new", n.Key.RowKey)
	}
	s.say(r, Notice{Text: sentence})
	return redirect(w, messagePath(to))
}

// getCancel asks before a message is taken out of the queue.
func (s *Server) getCancel(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := reading(r)
	defer cancel()
	n, err := s.messageOf(ctx, r)
	if err != nil {
		return err
	}
	if n.State != pombo.Queued && n.State != pombo.Uncertain {
		return refuse(http.StatusConflict, "error.too_late")
	}
	c := s.clerk(r)
	v := s.act(c, r, &n, "/cancel")
	v.Title = c.Text("act_page.cancel")
	v.Confirm.Question = c.Text("act_page.cancel_question", n.Key.RowKey)
	v.Confirm.Follows = []string{c.Text("act_page.cancel_code")}
	if n.State == pombo.Uncertain {
		v.Confirm.Follows = append(v.Confirm.Follows, c.Text("act_page.may_have_arrived"))
	}
	v.Confirm.Undo = c.Text("act_page.no_undo_cancel")
	v.Confirm.Submit, v.Confirm.Danger = c.Text("button.cancel"), true
	return s.render(w, r, "act", v)
}

func (s *Server) postCancel(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := acting(r)
	defer cancel()
	n, err := s.messageOf(ctx, r)
	if err != nil {
		return err
	}
	if err := s.recorded(r, audit.Cancel, &n, s.o.Actions.Cancel(ctx, n.MessageID)); err != nil {
		return err
	}
	s.say(r, Notice{Text: wordsOf(r).Text("act_page.cancelled", n.Key.RowKey)})
	return redirect(w, messagePath(n.MessageID))
}

// postAsk asks Blip what became of an uncertain message. It sends nothing.
func (s *Server) postAsk(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := acting(r)
	defer cancel()
	n, err := s.messageOf(ctx, r)
	if err != nil {
		return err
	}
	traced, err := s.o.Actions.Ask(ctx, n.MessageID)
	say := Notice{Text: wordsOf(r).Text("act_page.ask_none")}
	switch {
	case traced && err == nil:
		say.Text = wordsOf(r).Text("act_page.ask_traced")
	case errors.Is(err, pombo.ErrNotFound), errors.Is(err, pombo.ErrMove), errors.Is(err, pombo.ErrLost):
		return refuse(http.StatusConflict, "error.too_late")
	case err != nil:
		say = Notice{Bad: true, Text: wordsOf(r).Text("act_page.ask_failed")}
		s.log.WarnContext(r.Context(), "Blip could not be asked about a message", "id", n.MessageID, "error", err)
	}
	s.say(r, say)
	return redirect(w, messagePath(n.MessageID))
}

// acting is the time for a change: it reads the row from the company's database, or asks
// Blip.
func acting(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), pageTime/2)
}

// recorded writes the line about a change that succeeded or failed, with the visitor's
// note.
func (s *Server) recorded(r *http.Request, act audit.Act, n *pombo.Notification, err error) error {
	line := audit.Entry{Act: act, Target: string(n.MessageID), Detail: string(n.State), Result: audit.Done}
	if n.Reason != pombo.NoReason {
		line.Detail += " " + string(n.Reason)
	}
	if note := cut(r.PostForm.Get("note"), 200); note != "" && !hasNumber(note) {
		line.Detail += ": " + note
	}
	if !n.Phone.IsZero() {
		line.Person = s.o.Key.Person(n.Phone)
	}
	if err != nil {
		line.Result = audit.Failed
	}
	s.note(r, line)
	if errors.Is(err, pombo.ErrMove) || errors.Is(err, pombo.ErrLost) {
		return refuse(http.StatusConflict, "error.too_late")
	}
	return noMessage(err)
}
