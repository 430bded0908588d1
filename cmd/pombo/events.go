package main

import (
	"context"
	"strconv"

	"pombo"
)

type eventsCommand struct {
	List   eventsListCommand   `cmd:"" help:"List them, the oldest first, and how far each has got."`
	Replay eventsReplayCommand `cmd:"" help:"Send events again."`
}

type eventsListCommand struct {
	Since  sinceFlag       `placeholder:"TIME" help:"Only what happened since: 2h, 2026-11-23 or 2026-11-23T10:00:00-03:00."`
	Type   pombo.EventType `placeholder:"TYPE" help:"Only those of this type, such as notification.failed."`
	Open   bool            `help:"Only those that EVENTS_URL has not taken."`
	Limit  int             `default:"50" placeholder:"N" help:"At most so many, up to 1000 (${default})."`
	Cursor string          `placeholder:"CURSOR" help:"Go on behind an earlier list, which names its cursor."`
	JSON   bool            `help:"Print JSON."`
}

func (eventsListCommand) Help() string {
	return `What EVENTS_URL has taken is kept for seven days. The column answer has the status of the last try, or what went wrong.

Examples:

    pombo events list --open
    pombo events list --since 2h --type notification.failed --json`
}

func (c eventsListCommand) Run(ctx context.Context, s *shell) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	list, err := client.Events(ctx, pombo.EventFilter{Since: c.Since.Time, Type: c.Type, Open: c.Open, Limit: c.Limit, Cursor: c.Cursor})
	if err != nil {
		return err
	}
	return s.show(c.JSON, list, func() {
		g := newGrid("happened", "type", "row", "progress", "tries", "answer", "next try")
		for _, e := range list.Events {
			g.add(clock(e.At), string(e.Type), e.Row, e.Progress, strconv.Itoa(e.Tries), e.Answer, clock(e.Due))
		}
		s.printPage(g, list.NextCursor)
	})
}

type eventsReplayCommand struct {
	Since sinceFlag `placeholder:"TIME" help:"Also what happened since then and was taken: 2h, 2026-11-23 or 2026-11-23T10:00:00-03:00."`
	JSON  bool      `help:"Print JSON."`
}

func (eventsReplayCommand) Help() string {
	return `Sends what was given up after three days, in the order in which it happened, and tries at once what waits for a later try. With --since it also sends again what was taken, at most of the last seven days: for a receiver that has lost something. Each event keeps its webhook-id.

Examples:

    pombo events replay
    pombo events replay --since 24h`
}

func (c eventsReplayCommand) Run(ctx context.Context, s *shell) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	done, err := client.ReplayEvents(ctx, c.Since.Time)
	if err != nil {
		return err
	}
	return s.show(c.JSON, done, func() { s.printf("%d events are sent again\n", done.Replayed) })
}
