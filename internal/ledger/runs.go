package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"pombo"
)

// RunLog has the passes over the source.
type RunLog struct {
	*store

	mu      sync.Mutex
	waiting map[int64]int64 // run → all its rows before this seq have been tried
}

// StartRun starts a run, or joins the one that is under way.
func (l *RunLog) StartRun(ctx context.Context) (run pombo.Run, joined bool, err error) {
	err = l.do(ctx, func(tx *txn) error {
		var started int64
		underWay := func() error {
			run, joined = pombo.Run{Taking: true}, true
			return tx.queryRow(sqlRunUnderWay).Scan(&run.ID, &started, &run.Taking, &run.Error)
		}
		err := underWay()
		if errors.Is(err, sql.ErrNoRows) {
			joined, started = false, l.now()
			l.dirty.Store(true)
			err = tx.queryRow(sqlStartRun, started, l.name).Scan(&run.ID)
			if errors.Is(err, sql.ErrNoRows) { // another process was quicker
				err = underWay()
			}
		}
		run.Started = time.UnixMilli(started).UTC()
		return err
	})
	return run, joined, wrap(err, "start a run")
}

// RunTaken says that the run has taken in what there was; why is not empty when
// it stopped early.
func (l *RunLog) RunTaken(ctx context.Context, id int64, why string) error {
	changed, err := l.change(ctx, sqlRunTaken, why, id)
	if err == nil && changed == 0 {
		err = pombo.ErrNotFound
	}
	return wrap(err, fmt.Sprintf("record that run %d has taken in", id))
}

// soon is how far ahead a run looks: a row that may not go before then (its own
// "send after") is not waited for. A row that was put back until some time, for
// its template or its person's sake, is not waited for at all.
const soon = 10 * time.Minute

// EndRun ends the run if it has taken in and no row of it waits for the end of
// its first try; ended says whether it has ended, now or before. Rows that wait
// for a further try are not waited for, nor are those that may not go within
// ten minutes. It may be asked often: once a row has been tried it does not
// count again, so each call looks on from where the last one stopped.
func (l *RunLog) EndRun(ctx context.Context, id int64) (run pombo.Run, ended bool, err error) {
	run, first, last, err := l.run(ctx, id)
	if err != nil || !run.Finished.IsZero() {
		return run, err == nil, err
	}
	if run.Taking {
		return run, false, nil
	}
	l.mu.Lock()
	from := max(first, l.waiting[id])
	l.mu.Unlock()
	now := l.now()
	var seq int64
	err = l.get(ctx, sqlRunWaiting, []any{from, last, id, now, now + soon.Milliseconds()}, &seq)
	switch {
	case err == nil:
		l.mu.Lock()
		l.waiting[id] = seq
		l.mu.Unlock()
		return run, false, nil
	case !errors.Is(err, sql.ErrNoRows):
		return run, false, fmt.Errorf("end run %d: %w", id, err)
	}
	if run.Tally, err = l.tally(ctx, id, first, last); err != nil {
		return run, false, err
	}
	text, err := json.Marshal(run.Tally)
	if err != nil {
		return run, false, fmt.Errorf("end run %d: %w", id, err)
	}
	changed, err := l.change(ctx, sqlFinishRun, now, string(text), id)
	if err != nil {
		return run, false, fmt.Errorf("end run %d: %w", id, err)
	}
	l.mu.Lock()
	delete(l.waiting, id)
	l.mu.Unlock()
	if changed == 0 { // another process ended it
		run, err = l.Run(ctx, id)
		return run, !run.Finished.IsZero(), err
	}
	run.Finished = time.UnixMilli(now).UTC()
	return run, true, nil
}

func scanRun(scan func(...any) error) (run pombo.Run, first, last int64, err error) {
	var started int64
	var finished, lastSeq sql.NullInt64
	var tally sql.NullString
	if err := scan(&run.ID, &started, &finished, &run.Taking, &run.Error, &first, &lastSeq, &tally); err != nil {
		return run, 0, 0, err
	}
	run.Started, run.Finished = time.UnixMilli(started).UTC(), moment(finished)
	last = endOfTime
	if lastSeq.Valid {
		last = lastSeq.Int64
	}
	if tally.Valid {
		err = json.Unmarshal([]byte(tally.String), &run.Tally)
	}
	return run, first, last, err
}

// run reads a run without counting its rows.
func (db *store) run(ctx context.Context, id int64) (run pombo.Run, first, last int64, err error) {
	err = db.first(ctx, sqlRun, []any{id}, func(rows *sql.Rows) (err error) {
		run, first, last, err = scanRun(rows.Scan)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = pombo.ErrNotFound
	}
	return run, first, last, wrap(err, fmt.Sprintf("read run %d", id))
}

// Run returns a run with its tally; pombo.ErrNotFound when there is none. While
// the run is under way its rows are counted again each time, at about a second for a
// million; EndRun asks more cheaply whether it has ended.
func (l *RunLog) Run(ctx context.Context, id int64) (pombo.Run, error) {
	run, first, last, err := l.run(ctx, id)
	if err != nil || !run.Finished.IsZero() {
		return run, err
	}
	run.Tally, err = l.tally(ctx, id, first, last)
	return run, err
}

// Runs returns the newest runs, at most limit, the newest first.
func (l *RunLog) Runs(ctx context.Context, limit int) ([]pombo.Run, error) {
	var runs []pombo.Run
	type bounds struct{ first, last int64 }
	var rows []bounds
	err := l.all(ctx, sqlRuns, []any{limit}, func(r *sql.Rows) error {
		run, first, last, err := scanRun(r.Scan)
		runs, rows = append(runs, run), append(rows, bounds{first, last})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	for i := range runs {
		if runs[i].Finished.IsZero() {
			if runs[i].Tally, err = l.tally(ctx, runs[i].ID, rows[i].first, rows[i].last); err != nil {
				return nil, err
			}
		}
	}
	return runs, nil
}

// tally counts the rows of a run. A message that WhatsApp refused after Blip had
// accepted it counts as accepted: its history says so.
func (l *RunLog) tally(ctx context.Context, id, first, last int64) (t pombo.Tally, err error) {
	err = l.get(ctx, sqlTally, []any{first, last, id}, &t.Found, &t.Waiting, &t.Retrying, &t.Accepted, &t.Failed, &t.Uncertain, &t.Cancelled)
	return t, wrap(err, fmt.Sprintf("count the rows of run %d", id))
}
