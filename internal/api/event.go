package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"pombo"
)

// OutboxLedger has the events for EVENTS_URL.
type OutboxLedger interface {
	// List returns events, the oldest first.
	List(ctx context.Context, f pombo.EventFilter) (pombo.EventPage, error)
	// Replay sends again the events that were given up and, unless since is zero, those since
	// then.
	Replay(ctx context.Context, since time.Time) (int, error)
}

// OutEvent is an event for EVENTS_URL, and how far it has got.
type OutEvent struct {
	ID           string          `json:"id"` // the header webhook-id
	Type         pombo.EventType `json:"type"`
	At           time.Time       `json:"at"`                     // when it happened
	Notification pombo.MessageID `json:"notification,omitempty"` // what it is about; absent when that is not a notification
	Row          string          `json:"row,omitempty"`
	Template     string          `json:"template,omitempty"`
	State        pombo.State     `json:"state,omitempty"`
	Reason       pombo.Reason    `json:"reason,omitempty"`
	Progress     string          `json:"progress"` // waiting, acknowledged or given_up
	Tries        int             `json:"tries"`
	Answer       string          `json:"answer,omitempty"` // how the last try ended
	Due          time.Time       `json:"due,omitzero"`     // the next try
}

// OutEventList is one page of events, the oldest first.
type OutEventList struct {
	Events     []OutEvent `json:"events"`
	NextCursor string     `json:"next_cursor,omitempty"` // "" = there are no more
}

// Replayed says how many events are sent again.
type Replayed struct {
	Replayed int `json:"replayed"`
}

func outEvent(e pombo.OutboxEvent) OutEvent {
	o := OutEvent{ID: e.ID(), Type: e.Type, At: utc(e.At), Template: e.Template, State: e.State, Reason: e.Reason,
		Progress: "waiting", Tries: e.Tries, Answer: e.Answer, Due: utc(e.Due)}
	if e.Key != (pombo.Key{}) {
		o.Notification, o.Row = e.Key.MessageID(), e.Key.RowKey
	}
	switch {
	case !e.Acknowledged.IsZero():
		o.Progress = "acknowledged"
	case !e.GivenUp.IsZero():
		o.Progress = "given_up"
	}
	return o
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	q := readQuery(r, "since", "type", "open", "limit", "cursor")
	f := pombo.EventFilter{Since: q.time("since"), Type: pombo.EventType(q.text("type")), Open: q.flag("open"), Limit: int(q.number("limit", 50, 1000)), Cursor: q.text("cursor")}
	if f.Type != "" && !slices.Contains(pombo.EventTypes(), f.Type) {
		q.refuse("type", "must be the type of an event such as notification.read")
	}
	if err := q.err(); err != nil {
		return err
	}
	page, err := s.o.Events.List(r.Context(), f)
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	list := OutEventList{Events: make([]OutEvent, len(page.Events)), NextCursor: page.Next}
	for i, e := range page.Events {
		list.Events[i] = outEvent(e)
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) replayEvents(w http.ResponseWriter, r *http.Request) error {
	q := readQuery(r, "since")
	since := q.time("since")
	if err := q.err(); err != nil {
		return err
	}
	n, err := s.o.Events.Replay(r.Context(), since)
	if err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "events replayed", "events", n)
	return writeJSON(w, http.StatusOK, Replayed{n})
}

// Events returns events for EVENTS_URL.
func (c *Client) Events(ctx context.Context, f pombo.EventFilter) (OutEventList, error) {
	q := given("type", string(f.Type), "limit", number(int64(f.Limit)), "cursor", f.Cursor)
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339Nano))
	}
	if f.Open {
		q.Set("open", "true")
	}
	return ask[OutEventList](ctx, c, call{method: "GET", path: "/api/v1/events", query: q})
}

// ReplayEvents sends again the events that were given up and, unless since is zero,
// those since then.
func (c *Client) ReplayEvents(ctx context.Context, since time.Time) (Replayed, error) {
	q := given()
	if !since.IsZero() {
		q.Set("since", since.Format(time.RFC3339Nano))
	}
	return ask[Replayed](ctx, c, call{method: "POST", path: "/api/v1/events/replay", query: q})
}
