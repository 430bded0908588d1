package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"pombo"
	"pombo/internal/api"
)

type retryCommand struct {
	IDs  []string `arg:"" name:"id" help:"Ids of notifications, as list shows them."`
	JSON bool     `help:"Print JSON."`
}

func (retryCommand) Help() string {
	return `For what failed, was cancelled, has expired or is uncertain. An uncertain one may have arrived: then the person gets it twice. One that failed after Blip had taken it is sent again under another id, which is printed. What was sent cannot be sent again so; set its row back to pending in the table instead. The last example is for PowerShell.

Examples:

    pombo retry 2ed6657d-e927-568b-95e1-2665a8aea6a2
    pombo list --state failed --json | jq -r ".notifications[].id" | xargs pombo retry
    (pombo list --state failed --json | ConvertFrom-Json).notifications.id | % { pombo retry $_ }`
}

func (c retryCommand) Run(ctx context.Context, s *shell) error {
	return s.change(ctx, c.IDs, c.JSON, (*api.Client).Retry)
}

// changed is the result of changing one notification.
type changed struct {
	ID     pombo.MessageID `json:"id"`
	OK     bool            `json:"ok"`
	State  pombo.State     `json:"state,omitempty"`
	Reason pombo.Reason    `json:"reason,omitempty"`
	Detail string          `json:"detail,omitempty"` // under which other id it is sent
	Error  string          `json:"error,omitempty"`
	Hint   string          `json:"hint,omitempty"`
}

// enoughUnable is how often in a row the server may be unable before the command gives
// up the rest: each time it may have waited seconds for a locked table.
const enoughUnable = 3

// isUnable reports whether the server was temporarily unable, or did not answer.
func isUnable(err error) bool {
	answered, ok := errors.AsType[*api.Error](err)
	_, away := errors.AsType[*api.Unreachable](err)
	return away || ok && answered.Problem.Status == http.StatusServiceUnavailable
}

// change makes the same change to several notifications. A failure does not stop the
// others, but fails the command.
func (s *shell) change(ctx context.Context, texts []string, asJSON bool, change func(*api.Client, context.Context, pombo.MessageID) (api.Story, error)) error {
	ids, err := parseIDs(texts...)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	results := make([]changed, 0, len(ids))
	var failed error
	unable := 0 // how often in a row the server was temporarily unable
	for _, id := range ids {
		if unable == enoughUnable {
			results = append(results, changed{ID: id, Error: "not tried: the server could not do it for those before", Hint: "do the same again when the server can: see the first errors and GET /readyz"})
			continue
		}
		story, err := change(client, ctx, id)
		if isUnable(err) {
			unable++
		} else {
			unable = 0
		}
		if err != nil {
			failed = errShown
			results = append(results, changed{ID: id, Error: err.Error(), Hint: hintOf(err)})
			continue
		}
		r := changed{ID: id, OK: true, State: story.State, Reason: story.Reason}
		if n := len(story.Events); n > 0 && story.State == pombo.Failed {
			// It stays as it was: WhatsApp had refused it after Blip had accepted it.
			r.Detail = story.Events[n-1].Detail
		}
		results = append(results, r)
	}
	err = s.show(asJSON, results, func() {
		for _, r := range results {
			if r.OK {
				s.printf("%s  %s\n", r.ID, cmp.Or(r.Detail, standing(r.State, r.Reason)))
				continue
			}
			s.sayFailed(string(r.ID), r.Error, r.Hint)
		}
	})
	return cmp.Or(err, failed)
}
