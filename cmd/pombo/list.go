package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pombo"
	"pombo/internal/api"
)

type listCommand struct {
	State  stateFlag `placeholder:"STATE" help:"Only those in this state: ${states}."`
	Phone  string    `placeholder:"PHONE" help:"Only those to this person, in any spelling; - reads it from the standard input."`
	Search string    `placeholder:"TEXT" help:"Only the row with this key; or those whose key starts so, or whose id is or starts with this (at least eight digits)."`
	Taken  int64     `name:"run" placeholder:"N" help:"Only those that this run took in."`
	Handed bool      `name:"handed-over" help:"Only those whose rows the company's other channel has (STATUS_FALLBACK); not with --phone or --search."`
	Since  sinceFlag `placeholder:"TIME" help:"Only those taken in since: 2h, 2026-11-23 or 2026-11-23T10:00:00-03:00."`
	Limit  int       `default:"50" placeholder:"N" help:"At most so many, up to 1000 (${default})."`
	Cursor string    `placeholder:"CURSOR" help:"Go on behind an earlier list, which names its cursor."`
	JSON   bool      `help:"Print JSON."`
}

func (listCommand) Help() string {
	return `Arguments can be seen by others on this machine (ps) and stay in the shell's history; the standard input does not.

Examples:

    pombo list --state failed --since 24h
    echo 31988880000 | pombo list --phone -
    pombo list --state uncertain --json`
}

// stateFlag is one of the states.
type stateFlag pombo.State

// UnmarshalText reads the state.
func (f *stateFlag) UnmarshalText(text []byte) error {
	state := pombo.State(strings.ToLower(string(text)))
	if !state.Valid() {
		return fmt.Errorf("%q is not a state: use %s", text, pombo.StateNames())
	}
	*f = stateFlag(state)
	return nil
}

// sinceFlag is a moment, or how long ago it was.
type sinceFlag struct{ time.Time }

// UnmarshalText reads the moment.
func (f *sinceFlag) UnmarshalText(text []byte) error {
	s := string(text)
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		f.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			f.Time = t
			return nil
		}
	}
	return fmt.Errorf("%q is not a time: write 2h, 2026-11-23 or 2026-11-23T10:00:00-03:00", s)
}

// checkLimit checks the --limit of a list.
func checkLimit(n int) error {
	if n < 1 || n > 1000 {
		return wrongUse(fmt.Errorf("--limit is %d: it must be from 1 to 1000", n), "with --cursor the list goes on")
	}
	return nil
}

// printPage prints a page of a list, and how to get the next one.
func (s *shell) printPage(g grid, next string) {
	if g.w.Length() == 0 {
		s.sayf("there are none")
		return
	}
	s.printf("%s", g)
	if next != "" {
		s.sayf("there are more: the same with --cursor %s", next)
	}
}

func (c listCommand) Run(ctx context.Context, s *shell) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	phone, err := s.readPhone(ctx, c.Phone)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	list, err := collect(ctx, client, pombo.Filter{
		State: pombo.State(c.State), Phone: phone, Text: c.Search, Run: c.Taken, HandedOver: c.Handed,
		Since: c.Since.Time, Limit: c.Limit, Cursor: c.Cursor,
	})
	if err != nil {
		return err
	}
	if list.Unreadable > 0 {
		s.sayf("%d are left out: their records cannot be read; the log names them", list.Unreadable)
	}
	return s.show(c.JSON, list, func() {
		g := newGrid("id", "row", "phone", "state", "reason", "updated")
		for _, n := range list.Notifications {
			g.add(string(n.ID), n.Row, n.Phone, string(n.State), string(n.Reason), clock(n.Updated))
		}
		s.printPage(g, list.NextCursor)
	})
}

// collect asks for pages until there are as many as the limit says: a page of a
// search may have fewer, or none, and still not be the last.
func collect(ctx context.Context, client *api.Client, f pombo.Filter) (api.List, error) {
	all, err := client.List(ctx, f)
	for limit := f.Limit; err == nil && all.NextCursor != "" && len(all.Notifications) < limit; {
		f.Cursor, f.Limit = all.NextCursor, limit-len(all.Notifications)
		var page api.List
		page, err = client.List(ctx, f)
		all.Notifications = append(all.Notifications, page.Notifications...)
		all.NextCursor, all.Unreadable = page.NextCursor, all.Unreadable+page.Unreadable
	}
	return all, err
}
