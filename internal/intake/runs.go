package intake

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// RunLedger has the runs.
type RunLedger interface {
	// StartRun begins a run, or joins the one under way.
	StartRun(ctx context.Context) (run pombo.Run, joined bool, err error)
	// RunTaken records that the run takes no more rows in, and why if it left some out.
	RunTaken(ctx context.Context, id int64, why string) error
	// EndRun ends the run if it has taken in and none of its rows waits for a first try.
	EndRun(ctx context.Context, id int64) (run pombo.Run, ended bool, err error)
	Run(ctx context.Context, id int64) (pombo.Run, error)
	Runs(ctx context.Context, limit int) ([]pombo.Run, error)
	// Unsettled returns results that are due to be written to the source.
	Unsettled(ctx context.Context, limit int) ([]pombo.Settlement, error)
}

// RunsOptions is what Runs is made of.
type RunsOptions struct {
	Ledger RunLedger
	Shared bool // other processes work on the same ledger
	Intake *Intake
	Idle   wait.Signal // set when nothing is in flight
	Due    wait.Signal // set by Runs to have results settled
	Logger *slog.Logger
}

// Runs starts passes over the pending rows and follows each to its end.
type Runs struct {
	opts RunsOptions
	log  *slog.Logger

	underWay int64      // the run that a stopped or killed process left; 0 = none
	follow   chan int64 // runs to be followed
	stopped  chan struct{}

	mu      sync.Mutex
	waiting map[int64]chan struct{} // closed when the run has ended
}

// NewRuns returns runs that are not followed before Run.
func NewRuns(o RunsOptions) *Runs {
	return &Runs{opts: o, log: o.Logger, follow: make(chan int64), stopped: make(chan struct{}), waiting: map[int64]chan struct{}{}}
}

// Load finds the run that a stopped or killed process left under way.
func (r *Runs) Load(ctx context.Context) error {
	runs, err := r.opts.Ledger.Runs(ctx, 1)
	if err == nil && len(runs) > 0 && runs[0].Finished.IsZero() {
		r.underWay = runs[0].ID
	}
	return err
}

// Run follows runs until ctx ends, that of Load first.
func (r *Runs) Run(ctx context.Context) {
	var following sync.WaitGroup
	defer following.Wait()
	defer close(r.stopped)
	follow := func(id int64) { following.Go(func() { r.followToEnd(ctx, id) }) }
	if r.underWay != 0 && r.register(r.underWay) {
		follow(r.underWay)
		if !r.opts.Shared { // otherwise it is another process's, or Reclaim has ended it
			following.Go(func() { _ = r.takeIn(r.underWay) })
		}
	}
	for {
		select {
		case id := <-r.follow:
			follow(id)
		case <-ctx.Done():
			return
		}
	}
}

// StartRun starts a pass over the pending rows, or joins the one under way.
func (r *Runs) StartRun(ctx context.Context) (run pombo.Run, joined bool, err error) {
	run, joined, err = r.opts.Ledger.StartRun(ctx)
	if err != nil || !r.register(run.ID) {
		return run, joined, err
	}
	select {
	case r.follow <- run.ID:
	case <-r.stopped:
		return run, joined, ErrStopping
	}
	if joined && r.opts.Shared {
		return run, joined, nil // the process that began it takes in
	}
	return run, joined, r.takeIn(run.ID)
}

// WaitRun returns the run when it has ended, or as it stands when ctx ends (with
// ctx's error). A caller that goes away changes nothing about the run.
func (r *Runs) WaitRun(ctx context.Context, id int64) (pombo.Run, error) {
	r.mu.Lock()
	ended := r.waiting[id]
	r.mu.Unlock()
	var err error
	if ended != nil {
		select {
		case <-ended:
		case <-ctx.Done():
			err = ctx.Err()
		case <-r.stopped:
			err = ErrStopping
		}
	}
	run, readErr := r.opts.Ledger.Run(context.WithoutCancel(ctx), id)
	if readErr != nil {
		return run, readErr
	}
	return run, err
}

// register reports whether the run must be followed, because nothing follows it yet.
func (r *Runs) register(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[id] != nil {
		return false
	}
	r.waiting[id] = make(chan struct{})
	return true
}

func (r *Runs) followToEnd(ctx context.Context, id int64) {
	r.awaitEnd(ctx, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.waiting[id])
	delete(r.waiting, id)
}

// awaitEnd asks the ledger whether the run is over, soon at first, then less and less
// often, and whenever nothing is left in flight: a run of an hour need not be asked
// about fifty times a second.
func (r *Runs) awaitEnd(ctx context.Context, id int64) {
	pause := 10 * time.Millisecond
	for {
		if wait.For(ctx, 10*time.Millisecond) != nil {
			return
		}
		if _, err := r.opts.Idle.Wait(ctx, pause); err != nil {
			return
		}
		pause = min(pause*5/4, 500*time.Millisecond)
		run, ended, err := r.opts.Ledger.EndRun(ctx, id)
		switch {
		case err != nil:
			r.log.Error("run not read", "run_id", id, "error", err)
		case ended:
			r.awaitSettled(ctx)
			r.log.Info("run finished", "run_id", id, "found", run.Found, "accepted", run.Accepted, "failed", run.Failed,
				"retrying", run.Retrying, "uncertain", run.Uncertain, "cancelled", run.Cancelled,
				"duration_ms", run.Finished.Sub(run.Started).Milliseconds())
			return
		}
	}
}

// awaitSettled gives the rows a moment to get their new code, so that the caller sees
// it in the table. The run does not wait longer: the source may be away for hours.
func (r *Runs) awaitSettled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		r.opts.Due.Set()
		if due, err := r.opts.Ledger.Unsettled(ctx, 1); err != nil || len(due) == 0 || wait.For(ctx, 20*time.Millisecond) != nil {
			return
		}
	}
}

// takeIn takes in the rows of a run, and records when there are no more.
func (r *Runs) takeIn(id int64) error {
	return r.opts.Intake.request(id, func(ctx context.Context, added int, err error) {
		why := ""
		if err != nil {
			why = "not everything was taken in: " + err.Error()
			r.log.Error("not everything was taken in; the next run tries again", "run_id", id, "taken_in", added, "error", err)
		}
		r.recordTaken(ctx, id, why)
	})
}

func (r *Runs) recordTaken(ctx context.Context, id int64, why string) {
	backoff := wait.Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second}
	for {
		err := r.opts.Ledger.RunTaken(ctx, id, why)
		if err == nil || errors.Is(err, pombo.ErrNotFound) { // it has ended: none of its rows waited for a first try
			return
		}
		if ctx.Err() == nil {
			r.log.Error("run not written", "run_id", id, "error", err, "often", pombo.Often("run"))
		}
		if wait.For(ctx, backoff.Next()) != nil {
			return
		}
	}
}
