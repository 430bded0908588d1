package main

import (
	"cmp"
	"context"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/words"
)

type repliesCommand struct {
	Unmatched bool      `help:"Only those of which it is not known what they answer."`
	ID        string    `name:"notification" placeholder:"ID" help:"Only those to this notification."`
	Since     sinceFlag `placeholder:"TIME" help:"Only those that came in since: 2h, 2026-11-23 or 2026-11-23T10:00:00-03:00."`
	Limit     int       `default:"50" placeholder:"N" help:"At most so many, up to 1000 (${default})."`
	Cursor    string    `placeholder:"CURSOR" help:"Go on behind an earlier list, which names its cursor."`
	JSON      bool      `help:"Print JSON."`
}

func (repliesCommand) Help() string {
	return `What people sent to the bot, the newest first: which row it answers, how that was found out, and the status code that it gave the row. The word of a button is shown; what somebody wrote is not. A reply that could answer two messages, or none, is unmatched: nobody guesses.

Examples:

    pombo replies --since 24h
    pombo replies --unmatched
    pombo replies --notification 2ed6657d-e927-568b-95e1-2665a8aea6a2 --json`
}

func (c repliesCommand) Run(ctx context.Context, s *shell) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	q := pombo.ReplyQuery{Unmatched: c.Unmatched, Since: c.Since.Time, Limit: c.Limit, Cursor: c.Cursor}
	if c.ID != "" {
		ids, err := parseIDs(c.ID)
		if err != nil {
			return err
		}
		q.Notification = ids[0]
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	list, err := client.Replies(ctx, q)
	if err != nil {
		return err
	}
	return s.show(c.JSON, list, func() {
		g := newGrid("received", "row", "answer", "code", "match", "phone", "notification")
		for _, r := range list.Replies {
			g.add(clock(r.Received), r.Row, s.answer(r), r.Code, string(r.Match), cmp.Or(r.Phone, "(known to Blip)"), string(r.ID))
		}
		s.printPage(g, list.NextCursor)
	})
}

// answer says what was answered: a button's word, or what kind of thing was sent.
func (s *shell) answer(r api.Reply) string {
	kind := words.In(s.language).ReplyKind(r.Kind)
	if r.OptOut {
		kind = words.In(s.language).Text("reply.opt_out")
	}
	return cmp.Or(r.Answer, "("+kind+")")
}

// tellReplies prints what was answered to a notification.
func (s *shell) tellReplies(list []api.Reply) {
	if len(list) == 0 {
		return
	}
	g := newGrid("answered", "answer", "counts", "code", "written", "match")
	for _, r := range list {
		counts, written := "no", ""
		if r.Counts {
			counts = "yes"
		}
		if !r.Written.IsZero() {
			written = clock(r.Written)
		}
		at := r.At
		if at.IsZero() {
			at = r.Received
		}
		g.add(clock(at), s.answer(r), counts, r.Code, written, string(r.Match))
	}
	s.printf("\n%s", g)
}
