package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"pombo/internal/app"
	"pombo/internal/config"
	"pombo/internal/demo"
	"pombo/internal/desk"
)

type demoCommand struct {
	Once bool `help:"End by itself when every row has reached its end."`
	Rows int  `default:"40" placeholder:"N" help:"How many rows the sample table has (${default})."`
}

func (demoCommand) Help() string {
	return `A sample table, a pretend Blip, the ledger, the API and the job, in this one process and in a folder that is removed at the end. Among the rows are those that every table has: a bad phone, a landline, a number without WhatsApp, an empty text, a template that does not fit, and messages whose answer is slow, cut off or an error. Some people press Confirmar or Cancelar, which comes back into the table. It reads no .env and no environment, and nothing leaves this machine.

Without --once it goes on after the last row, so that the pages can be visited; Ctrl+C ends it.

Examples:

    pombo demo
    pombo demo --once
    pombo demo --rows 2000`
}

func (c demoCommand) Run(ctx context.Context, s *shell) error {
	const most = 100_000
	if c.Rows < 1 || c.Rows > most {
		return wrongUse(fmt.Errorf("--rows is %d: it must be from 1 to %d", c.Rows, most), "the usual number is 40")
	}
	return demo.Run(ctx, demo.Options{
		Rows: c.Rows, Once: c.Once, Out: s.stdout,
		Serve: func(ctx context.Context, settings config.Config, receipts []time.Duration, during demo.During) error {
			return s.serve(ctx, settings, serving{quiet: true, receipts: receipts, during: func(ctx context.Context, url, deskURL string, log *slog.Logger) error {
				key, err := app.AuditKey(settings)
				if err != nil {
					return err
				}
				return during(ctx, url, deskURL+desk.NewLink(key, machineAccount(), time.Now()), log)
			}})
		},
	})
}
