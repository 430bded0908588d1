package main

import (
	"context"

	"pombo/api"
)

type cancelCommand struct {
	IDs  []string `arg:"" name:"id" help:"Ids of notifications, as list shows them."`
	JSON bool     `help:"Print JSON."`
}

func (cancelCommand) Help() string {
	return `For what is queued or uncertain. What has left cannot be called back.

Examples:

    pombo cancel 2ed6657d-e927-568b-95e1-2665a8aea6a2
    pombo list --state queued --since 1h --json | jq -r '.notifications[].id' | xargs pombo cancel`
}

func (c cancelCommand) Run(ctx context.Context, s *shell) error {
	return s.change(ctx, c.IDs, c.JSON, (*api.Client).Cancel)
}
