package template

import (
	"context"
	"log/slog"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// ParkingLedger has the parked notifications.
type ParkingLedger interface {
	// ReleaseParked puts parked notifications back into the queue: those whose time
	// has come, or all.
	ReleaseParked(ctx context.Context, all bool) (int, error)
}

// MostParked is after how long a parked notification is looked at again although
// nothing new was learned about its template.
const MostParked = 6 * time.Hour

// parkingInterval is how often the ledger is asked for parked notifications whose time
// has come.
const parkingInterval = time.Minute

// Parking frees parked notifications: all when something was learned about a
// template, the others when their time has come.
type Parking struct {
	Ledger  ParkingLedger
	Catalog *Catalog
	Freed   func() // called when notifications are back in the queue
	Logger  *slog.Logger
}

// Run frees notifications until ctx ends.
func (p *Parking) Run(ctx context.Context) {
	backoff := wait.Backoff{First: time.Second, Most: parkingInterval}
	all := false
	for {
		n, err := p.Ledger.ReleaseParked(ctx, all)
		switch {
		case err != nil:
			if ctx.Err() == nil {
				p.Logger.Error("parked rows not released; it is tried again", "error", err, "often", pombo.Often("parked"))
			}
			if wait.For(ctx, backoff.Next()) != nil {
				return
			}
			continue
		case n > 0:
			p.Logger.Info("parked rows are looked at again", "rows", n)
			p.Freed()
		}
		backoff.Reset()
		if all, err = p.Catalog.changed.Wait(ctx, parkingInterval); err != nil {
			return
		}
	}
}
