package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"pombo/internal/blip"
	"pombo/internal/config"
	"pombo/internal/ledger"
	"pombo/internal/reconcile"
	"pombo/internal/setup"
)

// Recover rebuilds a lost ledger from the table and from what Blip still tells;
// see reconcile.Recover. It needs the ledger to itself: while a Pombo works on it,
// Recover refuses. It asks Blip at the rate of BLIP_COMMANDS_PER_SECOND. progress is
// called after every page of rows.
func Recover(ctx context.Context, c config.Config, progress func(reconcile.Recovery)) (r reconcile.Recovery, err error) {
	table, err := setup.OpenSource(ctx, setup.Source(c.Source))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	client, err := blip.New(setup.Blip(c, nil))
	if err != nil {
		return r, err
	}
	defer client.Close()
	db, err := ledger.Open(ctx, ledger.Options{
		URL: c.Ledger.URL.Reveal(), Source: c.Source.Name, Exclusive: true, Pending: c.Source.Pending, Codes: setup.Codes(c.Source), Replies: setup.Replies(c), Lease: lease, Timeout: c.Ledger.Timeout,
		Events: c.Events.URL != "",
	})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	switch n, err := db.Leases.Owners(ctx); {
	case err != nil:
		return r, err
	case n > 0:
		return r, fmt.Errorf("%d pombo processes work on this ledger; stop them all, wait %s, then do it again", n, lease)
	}
	limit := rate.Inf
	if c.Blip.CommandsPerSecond > 0 {
		limit = rate.Limit(c.Blip.CommandsPerSecond)
	}
	begun := time.Now()
	r, err = reconcile.Recover(ctx, reconcile.RecoverOptions{
		SourceName: c.Source.Name, Source: table, Ledger: db.Reconciliation,
		Ask: client.Receipts, Acquire: rate.NewLimiter(limit, 1).Wait,
		Progress: progress,
	})
	if err != nil {
		return r, err
	}
	if problems := table.Problems(); len(problems) > 0 {
		return r, fmt.Errorf("%d pending rows could not be read, the first: %s", len(problems), problems[0])
	}
	return r, db.Intake.TakenIn(ctx, begun) // nothing of what was lost is left in the table
}
