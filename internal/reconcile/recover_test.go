package reconcile

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// table has rows 1 to n pending, in this order.
type fakeSource int

func (n fakeSource) Page(_ context.Context, after string, limit int) (rows []pombo.Row, err error) {
	first, _ := strconv.Atoi(after)
	for i := first + 1; i <= int(n) && len(rows) < limit; i++ {
		rows = append(rows, pombo.Row{RowKey: strconv.Itoa(i), Recipient: "(31) 98888-0000"})
	}
	return rows, nil
}

// rebuilt is a ledger that keeps how many generations of each row it was given.
type rebuilt struct {
	mu   sync.Mutex
	rows map[string]int
}

func (l *rebuilt) Knows(_ context.Context, _, row string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.rows[row]
	return ok, nil
}

func (l *rebuilt) Recover(_ context.Context, _ string, row pombo.Row, generations [][]pombo.Receipt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if row.Phone.IsZero() {
		return errors.New("the phone was not understood")
	}
	l.rows[row.RowKey] = len(generations)
	return nil
}

// traces are the ids that Blip knows.
func traces(keys ...pombo.Key) map[pombo.MessageID]bool {
	known := map[pombo.MessageID]bool{}
	for _, k := range keys {
		k.Source = "t"
		known[k.MessageID()] = true
	}
	return known
}

func options(l *rebuilt, rows fakeSource, known map[pombo.MessageID]bool) RecoverOptions {
	return RecoverOptions{
		SourceName: "t", Source: rows, Ledger: l,
		Acquire: func(context.Context) error { return nil },
		Ask: func(_ context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
			if known[id] {
				return []pombo.Receipt{{MessageID: id, State: pombo.Accepted}}, nil
			}
			return nil, nil
		},
	}
}

func TestRecover_FindsTheLatestGeneration(t *testing.T) {
	l := &rebuilt{rows: map[string]int{"5": 1}}
	known := traces(
		pombo.Key{RowKey: "1", Generation: 1},
		pombo.Key{RowKey: "2", Generation: 2}, // the trace of the first has gone
		pombo.Key{RowKey: "3", Generation: 1}, pombo.Key{RowKey: "3", Generation: 2}, pombo.Key{RowKey: "3", Generation: 3},
		pombo.Key{RowKey: "5", Generation: 1},
	)
	got, err := Recover(t.Context(), options(l, 6, known))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"1": 1, "2": 2, "3": 3, "5": 1}, l.rows); diff != "" {
		t.Errorf("generations by row (-want +got):\n%s", diff)
	}
	want := Recovery{Rows: 6, Known: 1, Recovered: 3, Untraced: 2, Asked: 2 + 3 + 4 + 2 + 2}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// An error that passes is waited for; one that does not ends the work, and what
// was found before it is kept.
func TestRecover_Errors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &rebuilt{rows: map[string]int{}}
		o := options(l, 3, traces(pombo.Key{RowKey: "2", Generation: 1}))
		ask := o.Ask
		var mu sync.Mutex
		failures := 2
		o.Ask = func(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
			mu.Lock()
			defer mu.Unlock()
			if failures > 0 {
				failures--
				return nil, &pombo.Error{Reason: pombo.RateLimited, Retry: true, Pause: 2 * time.Minute}
			}
			return ask(ctx, id)
		}
		begun := time.Now()
		got, err := Recover(t.Context(), o)
		if err != nil || got.Recovered != 1 || got.Rows != 3 {
			t.Errorf("%+v, error %v, want 1 of 3 recovered", got, err)
		}
		if waited := time.Since(begun); waited < 2*time.Minute {
			t.Errorf("it went on after %v, want it to keep the pause of two minutes", waited)
		}

		o.Ledger = &rebuilt{rows: map[string]int{}}
		o.Ask = func(context.Context, pombo.MessageID) ([]pombo.Receipt, error) {
			return nil, &pombo.Error{Reason: pombo.Unauthorized}
		}
		if got, err = Recover(t.Context(), o); err == nil || got.Rows != 0 || got.Untraced != 0 {
			t.Errorf("%+v, error %v, want the error and no row called unknown to Blip", got, err)
		}
	})
}
