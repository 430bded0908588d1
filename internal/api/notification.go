package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// Notification is a notification as the API shows it: the masked phone is its only
// personal data. Times are UTC.
type Notification struct {
	ID         pombo.MessageID `json:"id"`
	Source     string          `json:"source"`
	Row        string          `json:"row"` // the row's key
	Generation int             `json:"generation"`
	State      pombo.State     `json:"state"`
	Reason     pombo.Reason    `json:"reason,omitempty"`
	Message    string          `json:"message,omitempty"` // what the reason means
	Hint       string          `json:"hint,omitempty"`    // what a person can do about it
	Detail     string          `json:"detail,omitempty"`
	Attempt    int             `json:"attempt"`            // POSTs to Blip begun
	Phone      string          `json:"phone,omitempty"`    // masked; absent when the row has no phone number
	Template   string          `json:"template,omitempty"` // absent = the configured template
	Language   string          `json:"language,omitempty"` // of the template; absent = the configured one
	Priority   int             `json:"priority"`
	RunID      int64           `json:"run_id,omitempty"`
	Settled    string          `json:"settled,omitempty"` // the status code last written to the row
	SendAfter  time.Time       `json:"send_after,omitzero"`
	Expires    time.Time       `json:"expires,omitzero"`
	NotBefore  time.Time       `json:"not_before,omitzero"` // its next try, or when Blip is asked about it next
	Created    time.Time       `json:"created"`             // taken in
	Begun      time.Time       `json:"begun,omitzero"`      // the last attempt's begin
	Updated    time.Time       `json:"updated"`             // the last change of state
}

// Event is one change of state.
type Event struct {
	At      time.Time    `json:"at"`
	State   pombo.State  `json:"state"`
	Attempt int          `json:"attempt"`
	Reason  pombo.Reason `json:"reason,omitempty"`
	Message string       `json:"message,omitempty"`
	Detail  string       `json:"detail,omitempty"`
}

// Story is a notification with its history, oldest first.
type Story struct {
	Notification
	Events  []Event `json:"events"`
	Replies []Reply `json:"replies,omitempty"` // what its recipient answered, oldest first
}

// List is one page of notifications, newest first.
type List struct {
	Notifications []Notification `json:"notifications"`
	NextCursor    string         `json:"next_cursor,omitempty"` // "" = there is no more
	Unreadable    int            `json:"unreadable,omitempty"`  // left out: their records cannot be read
	LookedTo      time.Time      `json:"looked_to,omitzero"`    // when the last one looked at was taken in; absent on the last page
}

func notificationOf(n pombo.Notification) Notification {
	what, todo := pombo.Advice(n.Reason, n.Detail)
	shown := Notification{
		ID: n.MessageID, Source: n.Key.Source, Row: n.Key.RowKey, Generation: n.Key.Generation,
		State: n.State, Reason: n.Reason, Message: n.Reason.Message(), Hint: todo, Detail: what,
		Attempt: n.Attempt, Template: n.Template, Language: n.Language, Priority: n.Priority, RunID: n.Run, Settled: n.Settled,
		SendAfter: utc(n.SendAfter), Expires: utc(n.Expires), NotBefore: utc(n.NotBefore),
		Created: utc(n.Created), Begun: utc(n.Begun), Updated: utc(n.Updated),
	}
	if !n.Phone.IsZero() {
		shown.Phone = n.Phone.String()
	}
	return shown
}

// The times that JSON can have.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC) // one second later than "none"
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// utc keeps the zero Time zero and any other where JSON can have it, so that no
// time that was ever stored breaks an answer.
func utc(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return time.Time{}
	case t.Before(firstTime):
		return firstTime
	case t.After(lastTime):
		return lastTime
	}
	return t.UTC()
}

func (s *Server) getNotifications(w http.ResponseWriter, r *http.Request) error {
	q := readQuery(r, "state", "phone", "q", "run", "since", "until", "reason", "template", "handed_over", "limit", "cursor")
	f := pombo.Filter{
		State:  pombo.State(q.text("state")),
		Reason: pombo.Reason(q.text("reason")),
		Text:   strings.TrimSpace(q.text("q")),
		Run:    q.number("run", 0, 1<<62),
		Since:  q.time("since"),
		Until:  q.time("until"),
		Limit:  int(q.number("limit", 50, 1000)),
		Cursor: q.text("cursor"),
	}
	if f.State != "" && !f.State.Valid() {
		q.refuse("state", "must be one of "+pombo.StateNames())
	}
	if !f.Reason.Valid() {
		q.refuse("reason", "must be a reason as GET /api/v1/notifications shows it, such as not_on_whatsapp")
	}
	if f.Template = q.text("template"); f.Template != "" && !pombo.ValidTemplateName(f.Template) {
		q.refuse("template", "must be the name of a template")
	}
	f.HandedOver = q.flag("handed_over")
	if f.HandedOver && (f.Text != "" || q.text("phone") != "") {
		q.refuse("handed_over", "goes with neither q nor phone")
	}
	if text := q.text("phone"); text != "" {
		n, err := phone.Parse(text)
		if err != nil {
			q.refuse("phone", err.Error())
		}
		f.Phone = n.E164()
	}
	if err := q.err(); err != nil {
		return err
	}
	page, err := s.o.Ledger.List(r.Context(), f)
	if err != nil {
		return fmt.Errorf("list notifications: %w", err)
	}
	list := List{Notifications: make([]Notification, len(page.Notifications)), NextCursor: page.Next, Unreadable: page.Unreadable, LookedTo: utc(page.LookedTo)}
	for i, n := range page.Notifications {
		list.Notifications[i] = notificationOf(n)
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) getNotification(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return s.tell(w, r, id)
}

// tell writes the story of a notification.
func (s *Server) tell(w http.ResponseWriter, r *http.Request, id pombo.MessageID) error {
	n, events, err := s.o.Ledger.Notification(r.Context(), id)
	if err != nil {
		return about(id, err)
	}
	story := Story{Notification: notificationOf(n), Events: make([]Event, len(events))}
	for i, e := range events {
		story.Events[i] = Event{At: utc(e.At), State: e.State, Attempt: e.Attempt, Reason: e.Reason, Message: e.Reason.Message(), Detail: e.Detail}
	}
	if story.Replies, err = s.repliesTo(r.Context(), id); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, story)
}

// decide carries out what an operator decides about the notification of the path,
// and answers with its story. did is for the log.
func (s *Server) decide(did string, f func(context.Context, pombo.MessageID) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := pathID(r)
		if err != nil {
			return err
		}
		if err := f(r.Context(), id); err != nil {
			return about(id, err)
		}
		s.log.InfoContext(r.Context(), "decided by an operator", "decision", did, "id", id)
		return s.tell(w, r, id)
	}
}

// pathID reads the id in the path. It does not repeat what it finds there.
func pathID(r *http.Request) (pombo.MessageID, error) {
	id, err := pombo.ParseMessageID(r.PathValue("id"))
	if err != nil {
		return "", refuse(http.StatusNotFound, "this is not the id of a notification: an id looks like 2ed6657d-e927-568b-95e1-2665a8aea6a2",
			"search by row or phone: GET /api/v1/notifications?q= or ?phone=")
	}
	return id, nil
}

func about(id pombo.MessageID, err error) error {
	if errors.Is(err, pombo.ErrNotFound) {
		return refuse(http.StatusNotFound, fmt.Sprintf("there is no notification %s", id),
			"search by row or phone: GET /api/v1/notifications?q= or ?phone=")
	}
	return fmt.Errorf("notification %s: %w", id, err)
}
