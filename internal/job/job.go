// Package job calls a running API on a fixed schedule, for installations in which
// the old script was a job of its own.
package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"pombo/internal/api"
	"pombo/internal/wait"
)

// Client is the API as the job sees it.
type Client interface {
	// Ready returns an error when the API is away or not ready; in the second
	// case the Readiness says which part is not.
	Ready(ctx context.Context) (api.Readiness, error)
	// Send starts a run, or joins the one under way, and waits for its end, at
	// most so long; 0 = to the end.
	Send(ctx context.Context, wait time.Duration) (api.RunResult, error)
}

// Options is what a Job is made of.
type Options struct {
	Client   Client
	Interval time.Duration    // from one tick to the next; 0 = 5m
	Timeout  time.Duration    // what one tick may take; 0 = 10m
	Logger   *slog.Logger     // one record for each tick, and one for each problem that the API reports; nil = none
	Now      func() time.Time // nil = time.Now
}

// Job calls the API on a fixed schedule. A tick asks whether the API is ready,
// has it send what is pending, and logs how the run ended. A tick that fails is
// logged as an error and the schedule goes on. A problem that the API reports is a
// warning, so that it also reaches people who read only the job's log.
//
// The ticks stand at the start, one interval later, two later and so on, however
// long the calls take. They never overlap: those that pass during a call are
// skipped, and said so once.
type Job struct {
	o Options
}

// New returns a job; Run or Once sets it to work.
func New(o Options) *Job {
	if o.Interval <= 0 {
		o.Interval = 5 * time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Job{o}
}

// Run ticks at once and then on the schedule until ctx ends, and returns nil. A
// tick under way when ctx ends is left; its run goes on in the server.
func (j *Job) Run(ctx context.Context) error {
	for next := j.o.Now(); ; {
		_ = j.Once(ctx) // it has logged its error, and the schedule goes on
		next = next.Add(j.o.Interval)
		if late := j.o.Now().Sub(next); late > 0 && ctx.Err() == nil {
			skipped := int64(late/j.o.Interval) + 1
			next = next.Add(time.Duration(skipped) * j.o.Interval)
			j.o.Logger.LogAttrs(ctx, slog.LevelWarn, "the call took longer than the interval", slog.Int64("ticks_skipped", skipped),
				slog.Time("next_tick", next), slog.String("hint", "raise JOB_INTERVAL if this repeats"))
		}
		if wait.For(ctx, next.Sub(j.o.Now())) != nil {
			return nil //nolint:nilerr // the end of ctx is how a job ends
		}
	}
}

// Once makes one tick and logs it, errors included: the error it returns is for
// the exit code. It is not nil when the API was away or not ready, when the run
// had not ended within the time-out, and when the run stopped taking rows in
// early. Messages that failed are not an error of the job.
func (j *Job) Once(ctx context.Context) error {
	begun := j.o.Now()
	call, cancel := context.WithTimeout(ctx, j.o.Timeout)
	defer cancel()

	ready, err := j.o.Client.Ready(call)
	switch {
	case err != nil && ctx.Err() != nil:
		return errStopped
	case err != nil:
		j.o.Logger.LogAttrs(ctx, slog.LevelError, "the API is away or not ready; this tick is aborted", append(notReady(ready), why(err)...)...)
		return err
	}
	for _, t := range ready.Alerts {
		j.o.Logger.LogAttrs(ctx, slog.LevelWarn, "the API reports a problem", slog.String("alert", t.Name), slog.String("detail", t.Message), slog.String("hint", t.Hint))
	}
	run, err := j.o.Client.Send(call, j.wait(j.o.Now().Sub(begun)))
	switch {
	case err != nil && ctx.Err() != nil:
		return errStopped
	case err != nil && call.Err() != nil:
		j.o.Logger.LogAttrs(ctx, slog.LevelWarn, goesOn, slog.Duration("timeout", j.o.Timeout), slog.String("hint", longer))
		return fmt.Errorf("call /send_notification: no answer within %s: %w", j.o.Timeout, err)
	case err != nil:
		j.o.Logger.LogAttrs(ctx, slog.LevelError, "the call failed", why(err)...)
		return err
	case run.State == api.Running:
		j.o.Logger.LogAttrs(ctx, slog.LevelWarn, goesOn, append(result(run), slog.String("hint", longer))...)
		return fmt.Errorf("run %d has not ended within %s; it goes on in the server", run.RunID, j.o.Timeout)
	case run.Error != "":
		j.o.Logger.LogAttrs(ctx, slog.LevelError, "run finished, but it did not take in all rows",
			append(result(run), slog.String("error", run.Error), slog.String("hint", "the next run takes in the rest; see the server's log"))...)
		return fmt.Errorf("run %d: %s", run.RunID, run.Error)
	default:
		j.o.Logger.LogAttrs(ctx, slog.LevelInfo, "run finished", result(run)...)
		return nil
	}
}

const (
	goesOn = "the run takes longer than the time-out; it goes on in the server, and the next tick joins it"
	longer = "raise JOB_TIMEOUT if the database or Blip is slow"
)

// wait is how long the server is asked to wait for the run. It is a little less
// than what is left of the time-out, so that the answer "the run goes on, its
// number is 7" comes before the connection is cut. 0 = leave it to the time-out.
func (j *Job) wait(used time.Duration) time.Duration {
	margin := min(5*time.Second, j.o.Timeout/10)
	return max(0, j.o.Timeout-used-margin).Truncate(time.Second)
}

var errStopped = errors.New("the job was stopped")

// why gives the fields of an error: its text, and the hint if it has one.
func why(err error) []slog.Attr {
	fields := []slog.Attr{slog.Any("error", err)}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		fields = append(fields, slog.String("hint", hinted.Hint()))
	}
	return fields
}

// notReady names the parts that are not ready, and why not.
func notReady(r api.Readiness) []slog.Attr {
	var fields []slog.Attr
	if names := r.NotReady(); names != "" {
		fields = append(fields, slog.String("not_ready", names))
	}
	for _, c := range r.Checks {
		if !c.OK {
			fields = append(fields, slog.String("check."+c.Name, c.Detail))
		}
	}
	return fields
}

func result(r api.RunResult) []slog.Attr {
	return []slog.Attr{
		slog.Int64("run_id", r.RunID), slog.Int("found", r.Found), slog.Int("accepted", r.Accepted), slog.Int("failed", r.Failed),
		slog.Int("retrying", r.Retrying), slog.Int("uncertain", r.Uncertain), slog.Int("cancelled", r.Cancelled),
		slog.Int64("duration_ms", r.DurationMS),
	}
}
