package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pombo/internal/api"
)

type templatesHoldCommand struct {
	Name  string         `arg:"" help:"The template, as pombo templates lists it."`
	Why   string         `required:"" placeholder:"TEXT" help:"For others to read; no name and no phone."`
	By    string         `placeholder:"NAME" help:"Who holds it."`
	Until *time.Time     `placeholder:"TIME" format:"2006-01-02T15:04:05Z07:00" help:"Release by itself then, such as 2026-11-24T08:00:00-03:00."`
	For   *time.Duration `placeholder:"SPAN" help:"Release by itself after this long, such as 2h; without either until pombo templates release."`
	JSON  bool           `help:"Print JSON."`
}

func (templatesHoldCommand) Help() string {
	return `Messages of the template wait; those of others go on. Rows are taken in meanwhile, and expire in their time. It holds over a restart and for all processes on the ledger.

Examples:

    pombo templates hold fatura_nova --why "wrong link"
    pombo templates hold fatura_nova --why "wrong link" --for 2h`
}

func (c templatesHoldCommand) Run(ctx context.Context, s *shell) error {
	var until time.Time
	switch {
	case c.For != nil && c.Until != nil:
		return wrongUse(errors.New("--for and --until both say when the hold ends"), "use one of them")
	case c.For != nil && *c.For <= 0:
		return wrongUse(fmt.Errorf("--for is %s, which is over already", c.For), "write a time span such as 2h, or leave --for out to hold until pombo templates release")
	case c.For != nil:
		until = time.Now().Add(*c.For)
	case c.Until != nil:
		until = *c.Until
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	hold, err := client.HoldTemplate(ctx, c.Name, until, c.By, c.Why)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.printJSON(hold)
	}
	s.printf("%s\n", c.Name+" "+holdSentence(hold.Hold))
	more := ""
	if hold.Partial {
		more = " or more"
	}
	s.printf("%d%s wait now, %d of them expire before that, and about %.0f an hour come\n", hold.Waiting, more, hold.Expiring, hold.PerHour)
	return nil
}

func holdSentence(h api.Hold) string {
	if h.Until.IsZero() {
		return "is held until pombo templates release"
	}
	return "is held until " + clock(h.Until)
}

type templatesReleaseCommand struct {
	Name string `arg:"" help:"The template."`
}

func (templatesReleaseCommand) Help() string {
	return `Its messages go on at once.

Examples:

    pombo templates release fatura_nova`
}

func (c templatesReleaseCommand) Run(ctx context.Context, s *shell) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	if err := client.ReleaseTemplate(ctx, c.Name); err != nil {
		return err
	}
	s.printf("%s is held no longer\n", c.Name)
	return nil
}
