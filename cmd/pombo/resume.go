package main

import (
	"context"
)

type resumeCommand struct {
	JSON bool `help:"Print JSON."`
}

func (resumeCommand) Help() string {
	return `It ends Blip's own pauses too (after a 429, say); if Blip still refuses, sending pauses again.

Examples:

    pombo resume`
}

func (c resumeCommand) Run(ctx context.Context, s *shell) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	if err := client.Resume(ctx); err != nil {
		return err
	}
	pause, err := client.Paused(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.printJSON(pause)
	}
	s.printf("%s\n", pauseSentence(pause))
	return nil
}
