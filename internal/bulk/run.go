package bulk

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// RunLedger keeps the sets while they are worked off.
type RunLedger interface {
	Next(ctx context.Context) (pombo.Bulk, error)
	Left(ctx context.Context, id int64, limit int) ([]pombo.BulkItem, error)
	Taken(ctx context.Context, seq int64) (pombo.Notification, error)
	Apply(ctx context.Context, id int64, act pombo.BulkAct, it pombo.BulkItem, message pombo.MessageID) error
	Skip(ctx context.Context, id, seq int64, why pombo.BulkResult) error
	Finish(ctx context.Context, id int64) error
}

// RunnerOptions is what a Runner is made of. All must be set.
type RunnerOptions struct {
	Ledger RunLedger
	Leads  func(context.Context) (bool, error) // whether this process works bulks off
	// Queued counts what waits in the queue and may go now; a bulk waits at HighWater.
	Queued    func(context.Context) (int, error)
	HighWater int
	// Correct reads the row again and replaces what is sent; pombo.ErrMove.
	Correct func(ctx context.Context, n pombo.Notification) error
	Moved   func() // something was queued or ended
	Logger  *slog.Logger
}

// Runner works bulks off.
type Runner struct {
	opts    RunnerOptions
	planner *Planner // knows what may be sent again
}

// NewRunner returns a runner. It works off at once what the planner starts.
func NewRunner(p *Planner, o RunnerOptions) *Runner { return &Runner{opts: o, planner: p} }

const (
	atOnce = 50 // are read from the set
	idle   = 5 * time.Second
)

// Run works bulks off until ctx ends, while this process leads.
func (r *Runner) Run(ctx context.Context) {
	backoff := wait.Backoff{First: time.Second, Most: time.Minute}
	for ctx.Err() == nil {
		worked, err := r.step(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			r.opts.Logger.Error("bulk interrupted; it is tried again", "error", err, "often", pombo.Often("bulk"))
			_ = wait.For(ctx, backoff.Next())
		case worked:
			backoff.Reset()
		default:
			backoff.Reset()
			_, _ = r.planner.started.Wait(ctx, idle)
		}
	}
}

// step works off some of the oldest open bulk and reports whether there was something to do.
// A table or ledger that cannot be asked now ends the step: it skips nothing.
func (r *Runner) step(ctx context.Context) (worked bool, err error) {
	if leads, err := r.opts.Leads(ctx); err != nil || !leads {
		return false, err
	}
	bulk, err := r.opts.Ledger.Next(ctx)
	if errors.Is(err, pombo.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if bulk.Plan.Act == pombo.BulkRetry {
		if queued, err := r.opts.Queued(ctx); err != nil || queued >= r.opts.HighWater {
			return false, err
		}
	}
	items, err := r.opts.Ledger.Left(ctx, bulk.ID, atOnce)
	if err != nil {
		return false, err
	}
	if len(items) == 0 {
		if err := r.opts.Ledger.Finish(ctx, bulk.ID); err != nil {
			return false, err
		}
		r.opts.Logger.Info("bulk worked off", "bulk", bulk.ID)
		return true, nil
	}
	defer r.opts.Moved()
	for _, it := range items {
		if err := r.one(ctx, &bulk, it); err != nil {
			return false, err
		}
	}
	return true, nil
}

// one carries out the bulk on one notification, or records why not.
func (r *Runner) one(ctx context.Context, bulk *pombo.Bulk, it pombo.BulkItem) error {
	n, err := r.opts.Ledger.Taken(ctx, it.Seq)
	if err == nil {
		err = r.apply(ctx, bulk, it, &n)
	}
	var skipped skip
	switch {
	case errors.As(err, &skipped):
		return r.opts.Ledger.Skip(ctx, bulk.ID, it.Seq, pombo.BulkResult(skipped))
	case errors.Is(err, pombo.ErrMove):
		return r.opts.Ledger.Skip(ctx, bulk.ID, it.Seq, pombo.BulkItemChanged)
	case errors.Is(err, pombo.ErrNotFound):
		return r.opts.Ledger.Skip(ctx, bulk.ID, it.Seq, pombo.BulkItemGone)
	}
	return err
}

// skip is a reason to leave a notification alone.
type skip pombo.BulkResult

func (s skip) Error() string { return string(s) }

func (r *Runner) apply(ctx context.Context, bulk *pombo.Bulk, it pombo.BulkItem, n *pombo.Notification) error {
	if n.State != it.State || n.Attempt != it.Attempt {
		return skip(pombo.BulkItemChanged)
	}
	why, _, err := r.planner.permitted(ctx, bulk.Plan.Act, n)
	if err != nil {
		return err
	}
	if why != "" {
		return skip(why)
	}
	if bulk.Plan.Act == pombo.BulkRetry {
		if err := r.opts.Correct(ctx, *n); err != nil {
			return err
		}
	}
	return r.opts.Ledger.Apply(ctx, bulk.ID, bulk.Plan.Act, it, n.MessageID)
}
