package main

import (
	"context"
	"errors"

	"pombo/internal/api"
)

type cancelCommand struct {
	IDs     []string `arg:"" optional:"" name:"id" help:"Ids of notifications, as list shows them."`
	Resends bool     `help:"The rows that wait because many were set back to pending at once."`
	JSON    bool     `help:"Print JSON."`
}

func (cancelCommand) Help() string {
	return `For what is queued or uncertain. What has left cannot be called back.

With --resends, and without ids, it ends what waits because more than RESENDS_BEFORE_PAUSE finished rows were set back to pending within a minute: for when nobody set them back, but the table's database went back to an earlier time. The status of the message before is written to each row again. See pombo resume --resends for when somebody did. The last example is for PowerShell.

Examples:

    pombo cancel 2ed6657d-e927-568b-95e1-2665a8aea6a2
    pombo cancel --resends
    pombo list --state queued --since 1h --json | jq -r ".notifications[].id" | xargs pombo cancel
    (pombo list --state queued --since 1h --json | ConvertFrom-Json).notifications.id | % { pombo cancel $_ }`
}

func (c cancelCommand) Run(ctx context.Context, s *shell) error {
	switch {
	case c.Resends && len(c.IDs) > 0:
		return wrongUse(errors.New("--resends and ids exclude each other"), "give one of them")
	case c.Resends:
		client, err := s.client()
		if err != nil {
			return err
		}
		rows, err := client.SettleResends(ctx)
		return s.resends(rows, "not sent again", c.JSON, err)
	case len(c.IDs) == 0:
		return wrongUse(errors.New("no id is given"), "give the ids that pombo list shows, or --resends")
	}
	return s.change(ctx, c.IDs, c.JSON, (*api.Client).Cancel)
}
