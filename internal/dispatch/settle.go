package dispatch

import (
	"context"
	"time"

	"pombo"
	"pombo/internal/wait"
)

const (
	// settleBatch is how many rows one UPDATE on the source changes.
	settleBatch = 500
	// gather is how long a small batch waits for company: the company's
	// database gets one statement instead of many.
	gather = 100 * time.Millisecond
)

// settleLedger is the ledger as settling sees it.
type settleLedger interface {
	// Unsettled returns results that are due to be written to the source.
	Unsettled(ctx context.Context, limit int) ([]pombo.Settlement, error)
	// Settled records what became of them.
	Settled(ctx context.Context, results []pombo.Settled) error
}

// settleLoop writes results back to the source. The source may be away for
// hours: sending goes on meanwhile, and settling catches up afterwards. A crash
// between the source's change and the ledger's mark does the same change
// again, which finds the row as it wants it. Of the processes that share a ledger
// one settles; when it cannot, another one that can reach the source may.
func (e *Engine) settleLoop(ctx context.Context) {
	mine := e.leadership("settle")
	defer mine.Release(ctx)
	backoff := wait.Backoff{First: time.Second, Most: time.Minute}
	for {
		n, err := 0, mine.Acquire(ctx)
		if err == nil {
			n, err = e.Settle(ctx)
		}
		if ctx.Err() == nil {
			e.health.SourceWritten(err)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			e.metrics.settleErrors.Inc()
			e.log.Error("settle failed; sending goes on, settling is tried again", "error", err, "often", pombo.Often("settle"))
			mine.Release(ctx)
			if wait.For(ctx, backoff.Next()) != nil {
				return
			}
			continue
		}
		backoff.Reset()
		switch {
		case n >= settleBatch:
		case n > 0:
			err = wait.For(ctx, gather)
		default:
			if _, err = e.due.Wait(ctx, idle); err == nil {
				err = wait.For(ctx, gather/4)
			}
		}
		if err != nil {
			return
		}
	}
}

// Settle writes one batch of results back to the source and returns how many it
// had.
func (e *Engine) Settle(ctx context.Context) (int, error) {
	batch, err := e.o.Ledger.Unsettled(ctx, settleBatch)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	results, err := e.o.Source.Settle(ctx, batch)
	later, why := 0, ""
	for _, r := range results {
		e.metrics.settled.WithLabelValues(r.Result.String()).Inc()
		switch r.Result {
		case pombo.SettleDiverged, pombo.SettleGone, pombo.SettleRefused:
			e.log.Warn("row not settled", "row", r.RowKey, "result", r.Result.String(), "id", r.MessageID, "detail", r.Detail)
		case pombo.SettleLater:
			later, why = later+1, r.Detail
		}
	}
	if later > 0 && err == nil { // else the error is told
		e.log.Warn("rows not settled yet; they are tried again", "rows", later, "detail", why, "often", pombo.Often("settle later"))
	}
	if len(results) > 0 {
		// What the source has done is recorded even when the process is stopping.
		rec, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if recErr := e.o.Ledger.Settled(rec, results); recErr != nil {
			return 0, recErr
		}
	}
	return len(batch), err
}
