package main

import (
	"context"

	"pombo/internal/api"
)

type resumeCommand struct {
	Resends bool `help:"Send again the rows that wait because many were set back to pending at once."`
	JSON    bool `help:"Print JSON."`
}

func (resumeCommand) Help() string {
	return `It ends Blip's own pauses too (after a 429, say); if Blip still refuses, sending pauses again.

With --resends it ends no pause, but lets the rows go that wait because more than RESENDS_BEFORE_PAUSE finished ones were set back to pending within a minute, and those that follow until a minute has passed without any. See pombo cancel --resends for when nobody set them back.

Examples:

    pombo resume
    pombo resume --resends`
}

func (c resumeCommand) Run(ctx context.Context, s *shell) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	if c.Resends {
		rows, err := client.ReleaseResends(ctx)
		return s.resends(rows, "sent again", c.JSON, err)
	}
	if err := client.Resume(ctx); err != nil {
		return err
	}
	pause, err := client.Paused(ctx)
	if err != nil {
		return err
	}
	return s.show(c.JSON, pause, func() { s.printf("%s\n", pauseSentence(pause)) })
}

// resends says what became of the rows that were set back with many others.
func (s *shell) resends(rows int, what string, asJSON bool, err error) error {
	if err != nil {
		return err
	}
	return s.show(asJSON, api.Resends{Rows: rows}, func() {
		s.printf("rows that were set back to pending, %s: %d\n", what, rows)
	})
}
