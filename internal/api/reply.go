package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// replyLedger reads what people answered.
type replyLedger interface {
	Replies(ctx context.Context, q pombo.ReplyQuery) (pombo.ReplyPage, error)
}

// Reply is what a person sent to the bot, as the API shows it: the word of a button, but
// no text that the person wrote.
type Reply struct {
	Number     int64            `json:"number"` // in the order of coming in
	Match      pombo.ReplyMatch `json:"match"`  // how it was matched
	Kind       pombo.ReplyKind  `json:"kind"`
	Answer     string           `json:"answer,omitempty"`  // of a button or a list
	OptOut     bool             `json:"opt_out,omitempty"` // it is a word for "no more messages"
	ID         pombo.MessageID  `json:"id,omitempty"`      // of the notification; absent when it is unmatched
	Source     string           `json:"source,omitempty"`
	Row        string           `json:"row,omitempty"`
	Generation int              `json:"generation,omitempty"`
	Counts     bool             `json:"counts"`           // it is the answer that stands
	Code       string           `json:"code,omitempty"`   // the status code that it gives the row
	Written    time.Time        `json:"written,omitzero"` // when the row got it
	Phone      string           `json:"phone,omitempty"`  // masked; absent when only Blip's name of the person is known
	At         time.Time        `json:"at,omitzero"`      // by WhatsApp's or Blip's clock
	Received   time.Time        `json:"received"`
}

// ReplyList is one page of replies, the newest first.
type ReplyList struct {
	Replies    []Reply `json:"replies"`
	NextCursor string  `json:"next_cursor,omitempty"` // "" = there is no more
}

func replyOf(r pombo.Reply) Reply {
	shown := Reply{
		Number: r.Number, Match: r.Match, Kind: r.Kind, OptOut: r.OptOut,
		ID: r.MessageID, Source: r.Key.Source, Row: r.Key.RowKey, Generation: r.Key.Generation,
		Counts: r.Counts, Code: r.Code, Written: utc(r.Written), At: utc(r.At), Received: utc(r.Received),
	}
	if r.Kind.Pressed() {
		shown.Answer = r.Answer().Reveal() // the company's own word, which stands on the button
	}
	if n, err := phone.FromE164("+" + r.Phone.Reveal()); err == nil {
		shown.Phone = n.String()
	}
	return shown
}

func (s *Server) getReplies(w http.ResponseWriter, r *http.Request) error {
	q := readQuery(r, "unmatched", "notification", "since", "until", "limit", "cursor")
	f := pombo.ReplyQuery{
		Since: q.time("since"), Until: q.time("until"), Limit: int(q.number("limit", 50, 1000)), Cursor: q.text("cursor"),
	}
	switch q.text("unmatched") {
	case "", "false":
	case "true":
		f.Unmatched = true
	default:
		q.refuse("unmatched", "must be true or false")
	}
	if text := q.text("notification"); text != "" {
		id, err := pombo.ParseMessageID(text)
		if err != nil {
			q.refuse("notification", "must be the id of a notification")
		}
		f.Notification = id
	}
	if err := q.err(); err != nil {
		return err
	}
	page, err := s.o.Ledger.Replies(r.Context(), f)
	if err != nil {
		return fmt.Errorf("list replies: %w", err)
	}
	return writeJSON(w, http.StatusOK, ReplyList{Replies: repliesOf(page.Replies), NextCursor: page.Next})
}

func repliesOf(list []pombo.Reply) []Reply {
	shown := make([]Reply, len(list))
	for i, r := range list {
		shown[i] = replyOf(r)
	}
	return shown
}

// mostReplies is how many a story has; the list has all.
const mostReplies = 100

// repliesTo returns the replies to a notification, the oldest first.
func (s *Server) repliesTo(ctx context.Context, id pombo.MessageID) ([]Reply, error) {
	page, err := s.o.Ledger.Replies(ctx, pombo.ReplyQuery{Notification: id, Limit: mostReplies})
	if err != nil {
		return nil, fmt.Errorf("replies to %s: %w", id, err)
	}
	list := repliesOf(page.Replies)
	slices.Reverse(list)
	return list, nil
}

// flowKind is the address for the bot's flow, for the metrics.
const flowKind = "replies"

// postReply takes one answer from a step in the bot's flow. Members whose variable had no
// value arrive empty, and others are ignored: the author of a flow copies what there is.
func (s *Server) postReply(w http.ResponseWriter, r *http.Request) error {
	if s.o.Webhook == nil || !s.o.Webhook.Admits(flowKind, r.PathValue("secret")) {
		return noSuchAddress()
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var identity, number, text, payload, inReplyTo, id string
	for _, m := range []struct {
		name string
		into *string
		most int
	}{
		{"identity", &identity, 1000},
		{"phone", &number, 100},
		{"text", &text, 100_000},
		{"payload", &payload, 10_000},
		{"inReplyTo", &inReplyTo, 1000},
		{"messageId", &id, 255},
	} {
		body.read(m.name, m.into, "must be text")
		*m.into = strings.TrimSpace(strings.ReplaceAll(*m.into, "\x00", ""))
		if len(*m.into) > m.most {
			body.refuse(m.name, fmt.Sprintf("has more than %d bytes", m.most))
		}
	}
	in := pombo.Inbound{ID: id, Kind: pombo.ReplyText, Text: pombo.Private(text), Form: "flow"}
	identity, _, _ = strings.Cut(identity, "/")
	if strings.Contains(identity, "@") {
		in.Identity = pombo.Private(identity)
	}
	if n, err := phone.Parse(number); err == nil {
		in.Phone = pombo.Private(strings.TrimPrefix(n.E164(), "+"))
	}
	if in.Identity == "" && in.Phone == "" {
		body.refuse("identity", "says not who answered: give {{contact.identity}}, or the number as phone")
	}
	if payload != "" && payload != text {
		in.Payload = pombo.Private(payload)
	}
	if payload != "" {
		in.Kind = pombo.ReplyButton
	}
	if text == "" && payload == "" {
		body.refuse("text", "is missing: give {{input.content}}")
	}
	if err := body.err(); err != nil {
		return err
	}
	for strings.HasPrefix(inReplyTo, "fwd:") {
		inReplyTo = strings.TrimPrefix(inReplyTo, "fwd:")
	}
	if ours, err := pombo.ParseMessageID(inReplyTo); err == nil {
		in.RepliesTo = []pombo.MessageID{ours}
	}
	if err := s.o.Webhook.TakeReply(r.Context(), in); err != nil {
		return fmt.Errorf("take a reply: %v", err) //nolint:errorlint // whatever it was: 503, so that the flow tries again
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
