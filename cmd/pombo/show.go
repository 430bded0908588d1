package main

import (
	"context"
	"strconv"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/words"
)

type showCommand struct {
	ID   string `arg:"" placeholder:"ID" help:"Id of the notification, as list shows it."`
	JSON bool   `help:"Print JSON."`
}

func (showCommand) Help() string {
	return `Where it stands, why, what to do, and every change of state with its time. The phone is masked; names and texts are not shown.

Examples:

    pombo show 2ed6657d-e927-568b-95e1-2665a8aea6a2
    pombo show --json 2ed6657d-e927-568b-95e1-2665a8aea6a2`
}

func (c showCommand) Run(ctx context.Context, s *shell) error {
	ids, err := parseIDs(c.ID)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	story, err := client.Show(ctx, ids[0])
	if err != nil {
		return err
	}
	return s.show(c.JSON, story, func() { s.tell(story) })
}

// tell prints the whole history of a notification.
func (s *shell) tell(story api.Story) {
	s.summarize(story.Notification)
	g := newGrid("time", "state", "attempt", "reason", "detail")
	for _, e := range story.Events {
		g.add(clock(e.At), string(e.State), strconv.Itoa(e.Attempt), string(e.Reason), e.Detail)
	}
	s.printf("\n%s", g)
	s.tellReplies(story.Replies)
}

// summarize prints the state of a notification, one fact a line. It leaves out absent
// facts.
func (s *shell) summarize(n api.Notification) {
	s.fact("id", string(n.ID))
	s.fact("state", standing(n.State, n.Reason))
	w := words.In(s.language)
	s.fact("meaning", w.Reason(n.Reason))
	if n.Hint == n.Reason.Hint() {
		n.Hint = w.ReasonHint(n.Reason)
	}
	s.fact("what to do", n.Hint)
	s.fact("detail", n.Detail)
	s.fact("row", n.Row+" of "+n.Source+", generation "+strconv.Itoa(n.Generation))
	s.fact("phone", n.Phone)
	s.fact("template", n.Template)
	s.fact("attempts", strconv.Itoa(n.Attempt))
	s.fact("taken in", clock(n.Created))
	if n.State == pombo.Queued || n.State == pombo.Uncertain {
		s.moment("next look", n.NotBefore)
	}
	s.moment("send after", n.SendAfter)
	s.moment("expires", n.Expires)
	s.fact("written back", n.Settled)
}
