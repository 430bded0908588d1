package main

import (
	"context"
	"errors"
	"log/slog"

	"pombo/internal/api"
	"pombo/internal/config"
	"pombo/internal/job"
	"pombo/internal/telemetry"
)

type jobCommand struct {
	Once bool `help:"Call once and end: 0 when the run was made, else 1."`
}

func (jobCommand) Help() string {
	return `Each call asks whether the API is ready, has it send what is pending, and reports how the run ended, as one line of JSON on the standard output. When the API is away the call is given up with an error, and the next comes on the schedule. Messages that failed are not failure of the job: see pombo list.

Examples:

    pombo job
    pombo job --once
    API_URL=http://10.0.0.5:5000 pombo job --once`
}

func (c jobCommand) Run(ctx context.Context, s *shell) error {
	settings, err := s.load(config.NeedJob)
	if err != nil {
		return err
	}
	defer s.queued("json", "text")()
	client := api.NewClient(settings.Job.URL, settings.API.Token.Reveal(), nil)
	job := newJob(client, settings.Job, telemetry.JobLogger(s.stdout, slog.LevelInfo))
	if !c.Once {
		return job.Run(ctx)
	}
	if err := job.Once(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return errShown // the job's line has said why
	}
	return nil
}

func newJob(client *api.Client, c config.Job, log *slog.Logger) *job.Job {
	return job.New(job.Options{Client: client, Interval: c.Interval, Timeout: c.Timeout, Logger: log})
}
