package bulk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pombo"
	"pombo/internal/ledger"
	"pombo/internal/phone"
	"pombo/test/nightly"
)

// fixture is a ledger on disk with a runner, in which anything may happen between two steps.
type fixture struct {
	*testing.T
	url  string
	db   *ledger.DB
	rows map[string]pombo.Row // of the table, by key
	out  map[string]bool      // phones that opted out
	away error                // of the table
	// between is called wherever another process may be quicker, or this one may die.
	between func() error
	current pombo.MessageID // what the bulk is about to move
	keys    int
	ahead   atomic.Int64 // how much the ledger's clock is ahead, in nanoseconds
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	w := &fixture{T: t, url: "sqlite:" + filepath.Join(t.TempDir(), "pombo.db"), rows: map[string]pombo.Row{}, out: map[string]bool{}, between: func() error { return nil }}
	w.open()
	t.Cleanup(func() { w.must(w.db.Close()) })
	return w
}

func (w *fixture) open() {
	w.Helper()
	db, err := ledger.Open(w.Context(), ledger.Options{URL: w.url, Exclusive: true, Source: "T", Template: "um", Pending: "1", Codes: map[pombo.State]string{pombo.Accepted: "2", pombo.Failed: "3"}, Now: w.now})
	w.must(err)
	w.db = db
}

// now is the ledger's clock.
func (w *fixture) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *fixture) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// dying is the ledger of a process that may die before or after each change.
type dying struct {
	*sets
	w *fixture
}

type sets = ledger.Bulks // the embedded field must not be called as one of its methods

func (d dying) Apply(ctx context.Context, id int64, act pombo.BulkAct, it pombo.BulkItem, message pombo.MessageID) error {
	d.w.current = message
	if err := d.w.between(); err != nil {
		return err
	}
	stood, err := d.Taken(ctx, it.Seq)
	if err != nil {
		return err
	}
	if err := d.sets.Apply(ctx, id, act, it, message); err != nil {
		return err
	}
	if stood.State != it.State || stood.Attempt != it.Attempt {
		d.w.Errorf("notification %d was %s after %d attempts and is sent again; the bulk knows it %s after %d", it.Seq, stood.State, stood.Attempt, it.State, it.Attempt)
	}
	return d.w.between()
}

func (d dying) Skip(ctx context.Context, id, seq int64, why pombo.BulkResult) error {
	if err := d.w.between(); err != nil {
		return err
	}
	return d.sets.Skip(ctx, id, seq, why)
}

// row is the table's.
func (w *fixture) row(_ context.Context, n pombo.Notification) (pombo.Row, error) {
	if w.away != nil {
		return pombo.Row{}, w.away
	}
	row, ok := w.rows[n.Key.RowKey]
	if !ok {
		return row, pombo.ErrNotFound
	}
	return row, nil
}

func (w *fixture) planner() *Planner {
	return NewPlanner(PlannerOptions{
		Ledger: w.db.Bulks, Row: w.row,
		OptedOut: func(n phone.Number, _ string) pombo.OptOutScope {
			if w.out[n.E164()] {
				return pombo.OptOutAll
			}
			return ""
		},
		Category: func(string, string) (string, bool) { return "UTILITY", true },
		Check:    func(pombo.Row) pombo.TemplateIssue { return pombo.TemplateIssue{} },
		Logger:   slog.New(slog.DiscardHandler),
	})
}

func (w *fixture) runner() *Runner {
	return NewRunner(w.planner(), RunnerOptions{
		Ledger: dying{w.db.Bulks, w}, Leads: func(context.Context) (bool, error) { return true, nil },
		Queued: func(context.Context) (int, error) { return 0, nil }, HighWater: 1,
		Correct: func(ctx context.Context, n pombo.Notification) error {
			r, err := w.row(ctx, n)
			if errors.Is(err, pombo.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return w.db.Operator.Correct(ctx, n.MessageID, r)
		},
		Moved: func() {}, Logger: slog.New(slog.DiscardHandler),
	})
}

// take takes in rows.
func (w *fixture) take(n int, expires time.Time) (ids []pombo.MessageID) {
	w.Helper()
	rows := make([]pombo.Row, n)
	for i := range rows {
		w.keys++
		number, err := phone.FromE164(fmt.Sprintf("+55319%08d", 80000000+w.keys))
		w.must(err)
		rows[i] = pombo.Row{RowKey: fmt.Sprint(w.keys), Recipient: pombo.Private(number.E164()), Phone: number, Expires: expires, Params: []pombo.Param{{Slot: pombo.Body, Value: "x"}}}
		w.rows[rows[i].RowKey] = rows[i]
		ids = append(ids, pombo.Key{Source: "T", RowKey: rows[i].RowKey, Generation: 1}.MessageID())
	}
	_, _, err := w.db.Intake.Enqueue(w.Context(), "T", 0, rows)
	w.must(err)
	return ids
}

// send has a worker send what may go, at most so many; end says how.
func (w *fixture) send(most int, end func(pombo.Notification) pombo.State) {
	w.Helper()
	list, err := w.db.Queue.Claim(w.Context(), "worker", most)
	w.must(err)
	for _, n := range list {
		attempt, err := w.db.Queue.Begin(w.Context(), n, "")
		w.must(err)
		o := pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: "worker", Attempt: attempt, To: end(n)}
		if o.To == pombo.Failed {
			o.Reason = pombo.ParameterFormat
		}
		w.must(w.db.Queue.Finish(w.Context(), o))
	}
}

func (w *fixture) fail(ids []pombo.MessageID) {
	w.Helper()
	w.send(len(ids), func(pombo.Notification) pombo.State { return pombo.Failed })
}

func (w *fixture) plan(act pombo.BulkAct, f pombo.BulkFilter) pombo.BulkPlan {
	w.Helper()
	plan, err := w.planner().Plan(w.Context(), act, f)
	w.must(err)
	return plan
}

// end works off all there is.
func (w *fixture) end() {
	w.Helper()
	for range 1000 {
		worked, err := w.runner().step(w.Context())
		if err == nil && !worked {
			return
		}
	}
	w.Fatal("the bulk does not end")
}

func (w *fixture) get(id int64) pombo.Bulk {
	w.Helper()
	b, err := w.db.Bulks.Bulk(w.Context(), id)
	w.must(err)
	return b
}

func TestPlan_CountsWhatBecomesOfEach(t *testing.T) {
	w := newFixture(t)
	w.fail(w.take(4, time.Time{}))
	late := w.take(1, time.Now().Add(300*time.Millisecond))
	w.fail(late)
	w.out["+5531980000002"] = true
	again := w.take(1, time.Time{})
	w.send(1, func(pombo.Notification) pombo.State { return pombo.Accepted })
	_, err := w.db.Receipts.Apply(t.Context(), []pombo.Receipt{{MessageID: again[0], State: pombo.Failed, Reason: pombo.ParameterFormat}})
	w.must(err)
	w.must(w.db.Operator.Retry(t.Context(), again[0]))
	<-time.After(time.Until(w.rows["5"].Expires) + time.Millisecond)
	f := pombo.BulkFilter{Reason: pombo.ParameterFormat, Template: "um"}
	plan := w.plan(pombo.BulkRetry, f)
	if plan.Matched != 6 || plan.OptedOut != 1 || plan.Expired != 1 || plan.Resent != 1 || plan.Delivered != 0 || plan.Going != 3 {
		t.Errorf("plan = %+v", plan)
	}
	// The one that was sent again arrives.
	w.send(1, func(pombo.Notification) pombo.State { return pombo.Accepted })
	next := pombo.Key{Source: "T", RowKey: "6", Generation: 2}.MessageID()
	_, err = w.db.Receipts.Apply(t.Context(), []pombo.Receipt{{MessageID: next, State: pombo.Delivered}})
	w.must(err)
	if plan = w.plan(pombo.BulkRetry, f); plan.Delivered != 1 || plan.Resent != 0 {
		t.Errorf("plan = %+v, want one delivered", plan)
	}

	broken := w.rows["1"]
	broken.Params = []pombo.Param{{Slot: pombo.Body, Value: "a\nb"}}
	w.rows["1"] = broken
	delete(w.rows, "3")
	dry, err := w.planner().DryRun(t.Context(), plan, 500)
	w.must(err)
	if dry.Read != 3 || dry.Going != 2 || dry.Reasons[pombo.ParameterFormat] != 1 || len(dry.Sample) != 3 || dry.Sample[0].Reason != pombo.ParameterFormat {
		t.Errorf("dry run = %+v", dry)
	}

	id, err := w.planner().Start(t.Context(), plan, "ana", "corrigido")
	w.must(err)
	w.away = errors.New("the table is away")
	if _, err := w.runner().step(t.Context()); err == nil || w.get(id).Left != 3 {
		t.Errorf("a step without the table: %v, %+v", err, w.get(id))
	}
	w.away = nil
	w.end()
	got := w.get(id)
	if got.State != pombo.BulkDone || got.Done != 3 || got.Skipped != 3 || got.Left != 0 || got.Changed != 0 || got.Outcome[pombo.Queued] != 3 {
		t.Errorf("bulk = %+v", got)
	}
}

func TestPlan_Refuses(t *testing.T) {
	w := newFixture(t)
	for _, test := range []struct {
		act pombo.BulkAct
		of  pombo.State
	}{{"erase", ""}, {pombo.BulkRetry, pombo.Delivered}, {pombo.BulkRetry, pombo.Expired}, {pombo.BulkCancel, pombo.Failed}} {
		f := pombo.BulkFilter{}
		if test.of != "" {
			f.States = []pombo.State{test.of}
		}
		if _, err := w.planner().Plan(t.Context(), test.act, f); err == nil {
			t.Errorf("%s of %q is planned", test.act, test.of)
		}
	}
	if _, err := w.planner().Start(t.Context(), pombo.BulkPlan{Act: pombo.BulkRetry, Matched: most + 1}, "", ""); !errors.Is(err, pombo.ErrBulkTooMany) {
		t.Errorf("too many are started: %v", err)
	}
}

var errKilled = errors.New("killed")

// Whatever comes between, each notification of a plan is counted once, and each is queued again
// by the bulk at most once: every retry in the histories is one of an operator or of one item.
func TestRun_AnyInterleaving(t *testing.T) {
	t.Parallel()
	for seed := range nightly.Or[uint64](25, 6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			r := rand.New(rand.NewPCG(seed, 1))
			ids := w.take(8, time.Time{})
			w.send(8, func(n pombo.Notification) pombo.State {
				return []pombo.State{pombo.Failed, pombo.Accepted, pombo.Uncertain}[n.Seq%3]
			})
			for i, id := range ids {
				if i%2 == 0 {
					_, err := w.db.Receipts.Apply(t.Context(), []pombo.Receipt{{MessageID: id, State: pombo.Failed, Reason: pombo.ParameterFormat}})
					w.must(err)
				}
			}
			byHand := 0
			anything := func() {
				id := ids[r.IntN(len(ids))]
				if r.IntN(3) == 0 {
					n, _, err := w.db.History.Notification(t.Context(), id)
					w.must(err)
					n.Key.Generation++
					id = n.Key.MessageID()
				}
				if w.current != "" && r.IntN(2) == 0 {
					id = w.current
				}
				allowed := func(err error) bool {
					if err != nil && !errors.Is(err, pombo.ErrMove) && !errors.Is(err, pombo.ErrNotFound) {
						t.Fatal(err)
					}
					return err == nil
				}
				switch r.IntN(5) {
				case 0:
					if allowed(w.db.Operator.Retry(t.Context(), id)) {
						byHand++
					}
				case 1:
					allowed(w.db.Operator.Cancel(t.Context(), id))
				case 2:
					states := []pombo.State{pombo.Failed, pombo.Delivered}
					_, err := w.db.Receipts.Apply(t.Context(), []pombo.Receipt{{MessageID: id, State: states[r.IntN(2)], Reason: pombo.ParameterFormat}})
					w.must(err)
				default:
					w.send(1, func(pombo.Notification) pombo.State {
						return []pombo.State{pombo.Failed, pombo.Accepted, pombo.Uncertain}[r.IntN(3)]
					})
				}
			}
			plan := w.plan(pombo.BulkRetry, pombo.BulkFilter{States: []pombo.State{pombo.Failed, pombo.Uncertain}})
			w.ahead.Add(int64(2 * time.Millisecond)) // what changes now is later than the plan
			for range r.IntN(4) {
				anything()
			}
			id, err := w.planner().Start(t.Context(), plan, "", "")
			w.must(err)
			w.between = func() error {
				if r.IntN(3) > 0 {
					anything()
				}
				if r.IntN(4) == 0 {
					return errKilled
				}
				return nil
			}
			for range 40 {
				if _, err := w.runner().step(t.Context()); err != nil && !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				if r.IntN(3) == 0 {
					w.must(w.db.Close())
					w.open()
				}
				anything()
			}
			w.between = func() error { return nil }
			w.end()
			b := w.get(id)
			if b.Left != 0 || b.Changed+b.Done+b.Skipped != plan.Matched || b.State != pombo.BulkDone {
				t.Errorf("%d matched; bulk = %+v", plan.Matched, b)
			}
			retries := 0
			page, err := w.db.History.List(t.Context(), pombo.Filter{Limit: 1000})
			w.must(err)
			for _, n := range page.Notifications {
				_, events, err := w.db.History.Notification(t.Context(), n.MessageID)
				w.must(err)
				for _, e := range events {
					if e.Reason == pombo.RetriedByOperator {
						retries++
					}
				}
			}
			if retries != byHand+b.Done {
				t.Errorf("%d retries in the histories, want %d by hand and %d of the bulk", retries, byHand, b.Done)
			}
		})
	}
}
