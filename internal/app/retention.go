package app

import (
	"context"
	"time"

	"pombo"
)

const (
	firstKeep = time.Minute // after the start, which has other things to do
	keepEvery = 6 * time.Hour
	keepAgain = 5 * time.Minute // after an error
)

// keep deletes from the ledger what is older than RETENTION, until ctx ends. Processes
// that share the ledger all do it, and each finds less to do.
func (a *App) retain(ctx context.Context) {
	age := a.settings.Ledger.Retention
	if age == 0 {
		return
	}
	next := time.NewTimer(firstKeep)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		wait := keepEvery
		done, err := a.retire(ctx, age)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Error("not all that is old has left the ledger; it is tried again", "error", err)
			wait = keepAgain
		case done.Erased > 0 || done.Removed > 0:
			a.log.Info("old notifications left the ledger", "erased", done.Erased, "removed", done.Removed, "runs", done.Runs, "identities", done.Identities)
		}
		next.Reset(wait)
	}
}

// retire counts for the last time what is about to go, for the reports of later years, and
// then takes it out. What cannot be counted stays.
func (a *App) retire(ctx context.Context, age time.Duration) (pombo.Retired, error) {
	if err := a.counter.BeforeRetire(ctx, age); err != nil {
		return pombo.Retired{}, err
	}
	return a.ledger.Retention.Retire(ctx, age)
}
