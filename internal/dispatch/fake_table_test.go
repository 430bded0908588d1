package dispatch_test

import (
	"context"
	"sync"

	"pombo"
)

// fakeTable is a source in fakeLedger: rows by key, with their status.
type fakeTable struct {
	mu       sync.Mutex
	rows     []pombo.Row
	status   map[string]string
	away     error
	problems []pombo.RowProblem
	asked    int  // how often Statuses was
	hangs    bool // Statuses answers only when its time is over
	// onPage is called after a page has been read and before it is returned.
	onPage func()
}

func newTable(rows ...pombo.Row) *fakeTable {
	t := &fakeTable{rows: rows, status: map[string]string{}}
	for _, r := range rows {
		t.status[r.RowKey] = "1"
	}
	return t
}

func row(key, phone string, values ...string) pombo.Row {
	r := pombo.Row{RowKey: key, Recipient: pombo.Private(phone)}
	for _, v := range values {
		r.Params = append(r.Params, pombo.Param{Slot: pombo.Body, Value: pombo.Private(v)})
	}
	return r
}

// parsed is a row as intake hands it to the ledger.
func parsed(r pombo.Row) pombo.Row {
	r.ParsePhone()
	return r
}

func (t *fakeTable) Page(_ context.Context, after string, limit int) ([]pombo.Row, error) {
	t.mu.Lock()
	if t.away != nil {
		defer t.mu.Unlock()
		return nil, t.away
	}
	var page []pombo.Row
	for _, r := range t.rows {
		if r.RowKey > after && t.status[r.RowKey] == "1" && len(page) < limit {
			page = append(page, r)
		}
	}
	onPage := t.onPage
	t.mu.Unlock()
	if onPage != nil {
		onPage()
	}
	return page, nil
}

func (t *fakeTable) Problems() []pombo.RowProblem {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.problems
}

func (t *fakeTable) Row(_ context.Context, key string) (pombo.Row, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rows {
		if r.RowKey == key {
			return r, t.away
		}
	}
	return pombo.Row{}, pombo.ErrNotFound
}

func (t *fakeTable) Statuses(ctx context.Context, keys []string) (map[string]string, error) {
	t.mu.Lock()
	t.asked++
	hangs := t.hangs
	t.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[string]string{}
	for _, k := range keys {
		if s, ok := t.status[k]; ok {
			found[k] = s
		}
	}
	return found, t.away
}

func (t *fakeTable) Settle(_ context.Context, batch []pombo.Settlement) ([]pombo.Settled, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	results := make([]pombo.Settled, len(batch))
	for i, s := range batch {
		results[i] = pombo.Settled{Settlement: s}
		switch {
		case t.away != nil:
		case t.status[s.RowKey] == s.Expected, t.status[s.RowKey] == s.Code:
			t.status[s.RowKey] = s.Code
			results[i].Result = pombo.SettleDone
		default:
			results[i].Result = pombo.SettleDiverged
		}
	}
	return results, t.away
}

func (t *fakeTable) add(r pombo.Row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r)
	t.status[r.RowKey] = "1"
}

func (t *fakeTable) set(key, status string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status[key] = status
}

func (t *fakeTable) remove(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.status, key)
}

func (t *fakeTable) get(key string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status[key]
}

func (t *fakeTable) goAway(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away = err
}
