package dispatch_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"pombo"
)

// fakeIntake is the ledger of package intake and of package settle.
type fakeIntake struct{ *fakeCore }

func (f *fakeIntake) Enqueue(_ context.Context, source string, run int64, rows []pombo.Row) (added int, finished []pombo.Latest, err error) {
	unlock, err := f.enter("Enqueue")
	defer unlock()
	if err != nil {
		return 0, nil, err
	}
	for _, r := range rows {
		key := pombo.Key{Source: source, RowKey: r.RowKey, Generation: 1}
		latest := f.find(key)
		if latest == nil {
			f.insert(key, run, r)
			added++
			continue
		}
		for key.Generation++; f.find(key) != nil; key.Generation++ {
			latest = f.find(key)
		}
		if !latest.State.Open() {
			finished = append(finished, pombo.Latest{RowKey: r.RowKey, Generation: latest.Key.Generation, Untouched: latest.Settled == ""})
		}
	}
	return added, finished, nil
}

func (f *fakeIntake) EnqueueAgain(_ context.Context, source string, run int64, rows []pombo.Row, latest []pombo.Latest) (int, error) {
	unlock, err := f.enter("EnqueueAgain")
	defer unlock()
	for i, r := range rows {
		f.insert(pombo.Key{Source: source, RowKey: r.RowKey, Generation: latest[i].Generation + 1}, run, r)
	}
	return len(rows), err
}

func (f *fakeIntake) Add(_ context.Context, source string, r pombo.Row) (pombo.Notification, bool, error) {
	unlock, err := f.enter("Add")
	defer unlock()
	key := pombo.Key{Source: source, RowKey: r.RowKey, Generation: 1}
	if n := f.find(key); n != nil {
		return *n, false, err
	}
	return *f.insert(key, 0, r), true, err
}

func (f *fakeIntake) Queued(context.Context) (int, error) {
	unlock, err := f.enter("Queued")
	defer unlock()
	return f.in(pombo.Queued) - len(f.parked), err
}

func (f *fakeIntake) TakenIn(context.Context, time.Time) error {
	unlock, err := f.enter("TakenIn")
	defer unlock()
	return err
}

func (f *fakeIntake) HandOver(context.Context, int, func(string, string) (bool, bool)) (failed, late int, err error) {
	return 0, 0, nil
}

func (f *fakeIntake) Unsettled(_ context.Context, limit int) (batch []pombo.Settlement, err error) {
	unlock, err := f.enter("Unsettled")
	defer unlock()
	for _, seq := range slices.Sorted(maps.Keys(f.settle)) {
		if len(batch) < limit {
			n := f.rows[seq-1]
			batch = append(batch, pombo.Settlement{Seq: seq, RowKey: n.Key.RowKey, Expected: "1", Code: "2", MessageID: n.MessageID})
		}
	}
	return batch, err
}

func (f *fakeIntake) Settled(_ context.Context, results []pombo.Settled) error {
	unlock, err := f.enter("Settled")
	defer unlock()
	for _, r := range results {
		if r.Result != pombo.SettleLater {
			delete(f.settle, r.Seq)
			f.rows[r.Seq-1].Settled = r.Code
		}
	}
	return err
}

// fakeRuns is the ledger of runs.
type fakeRuns struct {
	*fakeCore
	runs []pombo.Run
}

func (f *fakeRuns) StartRun(context.Context) (pombo.Run, bool, error) {
	unlock, err := f.enter("StartRun")
	defer unlock()
	if i := len(f.runs) - 1; i >= 0 && f.runs[i].Finished.IsZero() {
		return f.runs[i], true, err
	}
	f.runs = append(f.runs, pombo.Run{ID: int64(len(f.runs) + 1), Started: time.Now(), Taking: true})
	return f.runs[len(f.runs)-1], false, err
}

func (f *fakeRuns) RunTaken(_ context.Context, id int64, why string) error {
	unlock, err := f.enter("RunTaken")
	defer unlock()
	f.runs[id-1].Taking, f.runs[id-1].Error = false, why
	return err
}

func (f *fakeRuns) EndRun(_ context.Context, id int64) (pombo.Run, bool, error) {
	unlock, err := f.enter("EndRun")
	defer unlock()
	r := &f.runs[id-1]
	r.Tally = f.tally(id)
	if r.Taking || r.Waiting > 0 || err != nil {
		return *r, false, err
	}
	r.Finished = time.Now()
	return *r, true, nil
}

func (f *fakeRuns) tally(id int64) (t pombo.Tally) {
	for _, n := range f.rows {
		if n.Run != id {
			continue
		}
		t.Found++
		switch {
		case n.State.Sent():
			t.Accepted++
		case n.State == pombo.Failed:
			t.Failed++
		case n.State == pombo.Uncertain:
			t.Uncertain++
		case n.State == pombo.Cancelled || n.State == pombo.Expired || n.State == pombo.Suppressed:
			t.Cancelled++
		case n.State == pombo.Queued && (n.Attempt > 0 || n.Tries > 0 || n.Reason != pombo.NoReason || n.NotBefore.After(time.Now())):
			t.Retrying++
		default:
			t.Waiting++
		}
	}
	return t
}

func (f *fakeRuns) Run(_ context.Context, id int64) (pombo.Run, error) {
	unlock, err := f.enter("Run")
	defer unlock()
	if id < 1 || id > int64(len(f.runs)) {
		return pombo.Run{}, pombo.ErrNotFound
	}
	r := f.runs[id-1]
	r.Tally = f.tally(id)
	return r, err
}

func (f *fakeRuns) Runs(context.Context, int) ([]pombo.Run, error) {
	unlock, err := f.enter("Runs")
	defer unlock()
	if len(f.runs) == 0 {
		return nil, err
	}
	return f.runs[len(f.runs)-1:], err
}
