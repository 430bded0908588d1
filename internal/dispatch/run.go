package dispatch

import (
	"context"
	"errors"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// runLedger is the ledger as runs see it.
type runLedger interface {
	// StartRun begins a run, or joins the one under way.
	StartRun(ctx context.Context) (run pombo.Run, joined bool, err error)
	// RunTaken says that the run takes no more rows in, and why if it left some out.
	RunTaken(ctx context.Context, id int64, why string) error
	// EndRun ends the run if it has taken in and none of its rows waits for a first try.
	EndRun(ctx context.Context, id int64) (run pombo.Run, ended bool, err error)
	Run(ctx context.Context, id int64) (pombo.Run, error)
	Runs(ctx context.Context, limit int) ([]pombo.Run, error)
}

// StartRun starts a pass over the pending rows, or joins the one under way.
func (e *Engine) StartRun(ctx context.Context) (run pombo.Run, joined bool, err error) {
	run, joined, err = e.o.Ledger.StartRun(ctx)
	if err != nil {
		return run, joined, err
	}
	if e.watch(run.ID) {
		if joined && e.o.Ledger.Shared() {
			return run, joined, nil // the process that began it takes in
		}
		if e.o.Source == nil {
			return run, joined, e.o.Ledger.RunTaken(ctx, run.ID, "")
		}
		select {
		case e.intake <- run.ID:
		case <-e.claiming.Done():
			return run, joined, errStopping
		}
	}
	return run, joined, nil
}

// WaitRun returns the run when it has ended, or as it stands when ctx ends
// (with ctx's error). The caller's going away changes nothing for the run.
func (e *Engine) WaitRun(ctx context.Context, id int64) (pombo.Run, error) {
	e.mu.Lock()
	ended := e.waiting[id]
	e.mu.Unlock()
	var err error
	if ended != nil {
		select {
		case <-ended:
		case <-ctx.Done():
			err = ctx.Err()
		case <-e.claiming.Done():
			err = errStopping
		}
	}
	run, readErr := e.o.Ledger.Run(context.WithoutCancel(ctx), id)
	if readErr != nil {
		return run, readErr
	}
	return run, err
}

// watch follows the run to its end; false when it is being followed already.
func (e *Engine) watch(id int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting[id] != nil {
		return false
	}
	ended := make(chan struct{})
	e.waiting[id] = ended
	e.loop(func(ctx context.Context) {
		e.followRun(ctx, id)
		e.mu.Lock()
		delete(e.waiting, id)
		e.mu.Unlock()
		close(ended)
	})
	return true
}

// followRun asks the ledger whether the run is over, soon at first, then at a
// measured pace, and whenever nothing is left in hand: a run of an hour need not be
// asked fifty times a second.
func (e *Engine) followRun(ctx context.Context, id int64) {
	pause := 10 * time.Millisecond
	for {
		if wait.For(ctx, 10*time.Millisecond) != nil {
			return
		}
		if _, err := e.idle.Wait(ctx, pause); err != nil {
			return
		}
		pause = min(pause*5/4, 500*time.Millisecond)
		run, ended, err := e.o.Ledger.EndRun(ctx, id)
		switch {
		case err != nil:
			e.log.Error("run not read", "run_id", id, "error", err)
		case ended:
			e.awaitSettled(ctx)
			e.log.Info("run finished", "run_id", id, "found", run.Found, "accepted", run.Accepted, "failed", run.Failed,
				"retrying", run.Retrying, "uncertain", run.Uncertain, "cancelled", run.Cancelled,
				"duration_ms", run.Finished.Sub(run.Started).Milliseconds())
			return
		}
	}
}

// awaitSettled gives the rows a moment to get their new code, so that who
// called sees it in the table. The source may be away for hours: the run does
// not wait for that.
func (e *Engine) awaitSettled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for e.o.Source != nil {
		e.due.Set()
		if due, err := e.o.Ledger.Unsettled(ctx, 1); err != nil || len(due) == 0 || wait.For(ctx, 20*time.Millisecond) != nil {
			return
		}
	}
}

func (e *Engine) takeInFor(ctx context.Context, run int64) {
	e.log.Info("run started", "run_id", run)
	added, taking := 0, e.leadership("intake")
	err := taking.Acquire(ctx)
	if err == nil {
		added, err = e.takeIn(ctx, run, taking)
	}
	if ctx.Err() != nil {
		return // the run stays under way: the next start goes on with it
	}
	why := ""
	if err != nil {
		why = "not everything was taken in: " + err.Error()
		e.log.Error("not everything was taken in; the next run tries again", "run_id", run, "taken_in", added, "error", err)
	}
	backoff := wait.Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second}
	for {
		err := e.o.Ledger.RunTaken(ctx, run, why)
		if err == nil || errors.Is(err, pombo.ErrNotFound) { // it has ended: no row of it waited for its first try
			return
		}
		if ctx.Err() == nil {
			e.log.Error("run not written", "run_id", run, "error", err, "often", pombo.Often("run"))
		}
		if wait.For(ctx, backoff.Next()) != nil {
			return
		}
	}
}

// runUnderWay finds the run that a stopped or killed process left.
func (e *Engine) runUnderWay(ctx context.Context) (pombo.Run, bool, error) {
	runs, err := e.o.Ledger.Runs(ctx, 1)
	if err != nil || len(runs) == 0 {
		return pombo.Run{}, false, err
	}
	return runs[0], runs[0].Finished.IsZero() && e.o.Source != nil, nil
}
