package app

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"pombo"
	"pombo/internal/disk"
	"pombo/internal/dispatch"
	"pombo/internal/events"
	"pombo/internal/health"
	"pombo/internal/ledger"
)

// healthReader gathers from the parts why messages go, or do not. health.Snapshot
// judges it; metrics and GET /readyz only repeat that.
type healthReader struct {
	ledger *ledger.DB
	engine *dispatch.Controls
	zone   *time.Location // of the clock times that people read
	events bool           // EVENTS_URL is set
	folder string         // of a ledger that is a file; "" = it is not one
}

// ledgerFolder is the folder of a ledger that is a file; "" = it is not one.
func ledgerFolder(url string) string {
	path, isFile := strings.CutPrefix(url, "sqlite:")
	if !isFile {
		return ""
	}
	return filepath.Dir(path)
}

// diskFree is the room for a ledger that is a file; nil = it is not one, or cannot be asked.
func (w healthReader) diskFree() *uint64 {
	if w.folder == "" {
		return nil
	}
	free, err := disk.FreeBytes(w.folder)
	if err != nil {
		return nil
	}
	return &free
}

// snapshot costs a few statements on the ledger and none on the source.
func (w healthReader) snapshot(ctx context.Context) (health.Snapshot, error) {
	b, err := w.ledger.History.Backlog(ctx)
	if err != nil {
		return health.Snapshot{}, err
	}
	p, paused := w.engine.Throttle.Pauser.Current()
	if !paused {
		p = pombo.Pause{} // its time is over
	}
	f := health.Snapshot{Now: time.Now().In(w.zone), Backlog: b, Pause: p, Paused: paused, Shared: w.ledger.Shared(), Progress: w.engine.Progress(), DiskFree: w.diskFree()}
	if w.events {
		f.Events, err = w.ledger.Outbox.Backlog(ctx)
	} else {
		f.Untold, err = w.ledger.Leases.Led(ctx, events.Job)
	}
	if err != nil {
		return health.Snapshot{}, err
	}
	return f, nil
}

// check is the check of readiness that is called sending: it fails when rows are
// due or in flight, nothing goes and nothing explains it but a ledger that cannot be
// written. Other explanations (a pause, a quiet time, Blip) are not a fault of this
// process, or have their own check.
func (w healthReader) check(ctx context.Context) error {
	f, err := w.snapshot(ctx)
	if err != nil {
		return nil //nolint:nilerr // the check of the ledger says so
	}
	return stuck(f)
}

func stuck(f health.Snapshot) error {
	if !f.Stalled() {
		return nil
	}
	for _, t := range f.Alerts() {
		if t.Name == "ledger" || t.Name == "nothing_sent" {
			return errors.New(t.Message + "; " + t.Hint)
		}
	}
	return errors.New("rows are due and no try ends; " + pombo.WaitUnexplained.Hint())
}
