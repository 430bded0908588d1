package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"pombo/internal/dispatch"
	"pombo/internal/ledger"
	"pombo/internal/throttle"
	"pombo/internal/wait"
)

const (
	// ledgerWait is how long New waits for a ledger whose database is away. After
	// a power cut the machines come back in any order, and a database that has to
	// recover takes its minutes.
	ledgerWait = 5 * time.Minute
	// ledgerRetry is short: it is how much later than the database the process starts.
	ledgerRetry = 2 * time.Second
)

// openLedger opens the ledger. While its database is away it says so in the log
// and tries again until the limit is over (0 = ledgerWait): a supervisor then sees that the program
// has ended, and starts it again or tells somebody.
func openLedger(ctx context.Context, o ledger.Options, limit time.Duration, log *slog.Logger) (*ledger.DB, error) {
	if limit == 0 {
		limit = ledgerWait
	}
	for begun := time.Now(); ; {
		db, err := ledger.Open(ctx, o)
		switch waited := time.Since(begun).Round(time.Second); {
		case err == nil || !errors.Is(err, ledger.ErrAway):
			return db, err
		case ctx.Err() != nil:
			return nil, fmt.Errorf("stopped while the ledger's database was away: %w", ctx.Err())
		case time.Since(begun) >= limit:
			return nil, fmt.Errorf("given up after %s: %w: check LEDGER_URL, or start the database and then pombo", waited, err)
		default:
			log.Warn("the ledger's database is away; nothing is served before it is back; trying again", "waited", waited, "error", err)
		}
		_ = wait.For(ctx, min(ledgerRetry, limit)) // the next try notices that ctx has ended
	}
}

// rooms gives each room the subjects of the ledger that it works with.
func rooms(db *ledger.DB) dispatch.Ledger {
	return dispatch.Ledger{
		Shared: db.Shared(), Throttle: db.Throttle, Leadership: db.Leases, Lease: db.Leases, Reclaim: db.Leases, Parking: db.Queue, Intake: db.Intake,
		Holds: db.Templates, Templates: db.Templates,
		Settle: db.Settlements, Expiry: db.Queue, OptOuts: db.OptOuts,
		Runs:      runLedger{db.Runs, db.Settlements},
		Delivery:  deliveryLedger{db.Queue, db.OptOuts, db.Replies},
		Uncertain: uncertainLedger{db.Queue, db.Doubts, db.Reconciliation},
		Operator:  operatorLedger{db.History, db.Operator},
	}
}

// The rooms that work with more than one subject.
type (
	runLedger struct {
		*ledger.RunLog
		*ledger.Settlements
	}
	deliveryLedger struct {
		*ledger.Queue
		*ledger.OptOutList
		*ledger.Replies
	}
	uncertainLedger struct {
		*ledger.Queue
		*ledger.Doubts
		*ledger.Reconciliation
	}
	operatorLedger struct {
		*ledger.History
		*ledger.Operator
	}
	// holds takes effect at once in this process, and shows what the ledger has.
	holds struct {
		*throttle.Holds
		*ledger.Templates
	}
	recordLedger struct {
		*ledger.Receipts
		*ledger.History
	}
)
