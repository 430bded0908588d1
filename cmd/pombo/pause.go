package main

import (
	"context"
	"fmt"
	"time"

	"pombo/internal/api"
)

type pauseCommand struct {
	For  *time.Duration `placeholder:"SPAN" help:"Resume by itself after this long, such as 2h; without it until pombo resume."`
	Why  string         `placeholder:"TEXT" help:"For others to read; no name and no phone."`
	JSON bool           `help:"Print JSON."`
}

func (pauseCommand) Help() string {
	return `Rows are taken in and results written back meanwhile; nothing is sent. It holds over a restart.

Examples:

    pombo pause
    pombo pause --for 2h --why "wrong text in the table"`
}

func (c pauseCommand) Run(ctx context.Context, s *shell) error {
	if c.For != nil && *c.For <= 0 {
		return wrongUse(fmt.Errorf("--for is %s, which is over already", c.For), "write a time span such as 2h, or leave --for out to pause until pombo resume")
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	var until time.Time
	if c.For != nil {
		until = time.Now().Add(*c.For)
	}
	pause, err := client.Pause(ctx, until, c.Why)
	if err != nil {
		return err
	}
	return s.show(c.JSON, pause, func() { s.printf("%s\n", pauseSentence(pause)) })
}

func pauseSentence(p api.Pause) string {
	switch {
	case !p.Paused:
		return "sending is not paused"
	case p.Until.IsZero():
		return "sending is paused until pombo resume"
	default:
		return "sending is paused until " + clock(p.Until)
	}
}
