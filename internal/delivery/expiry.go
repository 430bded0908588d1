package delivery

import (
	"context"
	"log/slog"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// ExpiryLedger has the waiting notifications.
type ExpiryLedger interface {
	// Expire ends what waits in the queue although its time is over.
	Expire(ctx context.Context) (int, error)
}

// Expirer ends late rows soon after their time, even those that no worker would have
// claimed yet: at night, in a pause, behind a long queue.
type Expirer struct {
	Ledger  ExpiryLedger
	Due     wait.Signal // set when results are to be settled
	Metrics *Metrics
	Logger  *slog.Logger
}

// Run expires until ctx ends.
func (e *Expirer) Run(ctx context.Context) {
	for wait.For(ctx, idle) == nil {
		n, err := e.Ledger.Expire(ctx)
		if err != nil && ctx.Err() == nil {
			e.Logger.Error("late notifications not ended; it is tried again", "error", err, "often", pombo.Often("late"))
		}
		if n > 0 {
			e.Metrics.expired(n)
			e.Logger.Info("expired before they could be sent", "notifications", n)
			e.Due.Set()
		}
	}
}

// OptOutLedger has the list of opt-outs.
type OptOutLedger interface {
	// LoadOptOuts reads the list if it has changed.
	LoadOptOuts(ctx context.Context) error
}

// OptOuts keeps the list of opt-outs fresh: another process may have added to it.
type OptOuts struct {
	Ledger OptOutLedger
	Logger *slog.Logger
}

// Run reloads the list until ctx ends.
func (o *OptOuts) Run(ctx context.Context) {
	for wait.For(ctx, 2*time.Second) == nil {
		if err := o.Ledger.LoadOptOuts(ctx); err != nil && ctx.Err() == nil {
			o.Logger.Error("opt-outs not read; those read before still hold", "error", err, "often", pombo.Often("opt-outs"))
		}
	}
}
