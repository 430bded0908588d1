package main

import (
	"context"
	"log/slog"
	"time"

	"pombo/internal/api"
	"pombo/internal/config"
	"pombo/internal/telemetry"
)

type startCommand struct{}

func (startCommand) Help() string {
	return `The same as pombo serve and pombo job in two windows, as start.bat does it. The job calls for the first time when the API is ready, then every JOB_INTERVAL. Its lines, JSON, go to the standard output; those of the API to LOG_FILE and to the error stream. API_URL does not count here: the job calls the API of this process.

Ctrl+C, SIGTERM or SIGHUP ends both in order, within 30 seconds; a second one ends them at once.

Examples:

    pombo start
    pombo start --env-file /etc/pombo/pombo.env`
}

// readyTime is how long the job waits for the API to be ready. After that it
// begins all the same: each of its calls says what is missing.
const readyTime = 20 * time.Second

func (startCommand) Run(ctx context.Context, s *shell) error {
	c, err := s.loadToRun(config.NeedAll)
	if err != nil {
		return err
	}
	defer s.queued("json", c.Log.Format)()
	return s.serve(ctx, c, serving{
		console: s.stderr,
		during: func(ctx context.Context, url, _ string, _ *slog.Logger) error {
			return runJob(ctx, url, c, telemetry.JobLogger(s.stdout, c.Log.Level))
		},
	})
}

// runJob calls the API of this process until ctx ends.
func runJob(ctx context.Context, url string, c config.Config, log *slog.Logger) error {
	client := api.NewClient(url, c.API.Token.Reveal(), nil)
	waitReady(ctx, client)
	return newJob(client, c.Job, log).Run(ctx)
}

// waitReady returns when the server is ready, readyTime is over or ctx ends.
func waitReady(ctx context.Context, client *api.Client) {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := client.Ready(ctx); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
