package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

// fakeLedger is a ledger in memory. moved is applied to a notification when it is
// looked at for the second time, as if it had moved on in between.
type fakeLedger struct {
	list    []pombo.Review
	moved   map[int64]func(*pombo.Review)
	saved   *pombo.Reconciliation
	pages   int
	applied []pombo.Receipt
}

func (b *fakeLedger) Review(_ context.Context, _ time.Time, after int64, limit int) (page []pombo.Review, err error) {
	b.pages++
	for _, n := range b.list {
		if n.Seq > after && len(page) < limit {
			page = append(page, n)
		}
	}
	return page, nil
}

func (b *fakeLedger) Reviewed(_ context.Context, seq int64) (pombo.Review, error) {
	for i := range b.list {
		if n := &b.list[i]; n.Seq == seq {
			if f := b.moved[seq]; f != nil {
				f(n)
			}
			return *n, nil
		}
	}
	return pombo.Review{}, pombo.ErrNotFound
}

func (b *fakeLedger) record(_ context.Context, receipts []pombo.Receipt) error {
	for _, r := range receipts {
		for i := range b.list {
			n := &b.list[i]
			if n.MessageID == r.MessageID && n.State.CanBecome(r.State) {
				n.State, n.Accepted = r.State, true
				b.applied = append(b.applied, r)
			}
		}
	}
	return nil
}

func (b *fakeLedger) SaveReconciliation(_ context.Context, r pombo.Reconciliation) error {
	b.saved = &r
	return nil
}

// fixture is a table, a ledger and Blip that a test makes disagree.
type fixture struct {
	fakeLedger
	status   map[string]string
	receipts map[pombo.MessageID][]pombo.Receipt
	asked    []pombo.MessageID
	// statements on the source; err is what it answers
	statements int
	err        error
	blip       error
	log        bytes.Buffer
}

func newFixture() *fixture {
	return &fixture{fakeLedger: fakeLedger{moved: map[int64]func(*pombo.Review){}}, status: map[string]string{}, receipts: map[pombo.MessageID][]pombo.Receipt{}}
}

func (w *fixture) Statuses(_ context.Context, keys []string) (map[string]string, error) {
	w.statements++
	found := map[string]string{}
	for _, k := range keys {
		if s, ok := w.status[k]; ok {
			found[k] = s
		}
	}
	return found, w.err
}

func (w *fixture) ask(_ context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
	w.asked = append(w.asked, id)
	return w.receipts[id], w.blip
}

// add makes a notification of an hour ago whose row has a status; "" = no row.
func (w *fixture) add(n pombo.Review, status string) *pombo.Review {
	n.Seq = int64(len(w.list) + 1)
	n.Key = pombo.Key{Source: "t", RowKey: strconv.FormatInt(n.Seq, 10), Generation: 1}
	n.MessageID, n.Latest = n.Key.MessageID(), true
	hour := time.Now().Add(-time.Hour - time.Minute)
	n.Created, n.Updated = hour, hour
	if n.Attempt > 0 {
		n.Begun = hour
	}
	if status != "" {
		w.status[n.Key.RowKey] = status
	}
	w.list = append(w.list, n)
	return &w.list[len(w.list)-1]
}

func (w *fixture) tell(n *pombo.Review, states ...pombo.State) {
	for _, s := range states {
		w.receipts[n.MessageID] = append(w.receipts[n.MessageID], pombo.Receipt{MessageID: n.MessageID, State: s})
	}
}

func (w *fixture) reconciler(t *testing.T, change func(*Options)) *Reconciler {
	t.Helper()
	o := Options{
		SourceName: "t", Source: w, Pending: "1", Ledger: &w.fakeLedger, Ask: w.ask, Record: w.record,
		Acquire: func(context.Context) error { return nil },
		Logger:  slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	if change != nil {
		change(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReconciler_FindsEveryDiscrepancy(t *testing.T) {
	sent := pombo.Review{State: pombo.Accepted, Attempt: 1, Accepted: true, Settled: "2"}
	for _, test := range []struct {
		name  string
		build func(w *fixture)
		want  pombo.DiscrepancyKind // "" = they agree
	}{
		{"all is well", func(w *fixture) { w.tell(w.add(sent, "2"), pombo.Accepted) }, ""},
		{"a receipt that was missed", func(w *fixture) { w.tell(w.add(sent, "2"), pombo.Accepted, pombo.Delivered) }, ""},
		{"pending again", func(w *fixture) { w.tell(w.add(sent, "1"), pombo.Accepted) }, pombo.RowPending},
		{"pending again, and a later generation waits", func(w *fixture) {
			n := w.add(sent, "1")
			w.tell(n, pombo.Accepted)
			n.Latest = false
		}, ""},
		{"another status by its owner", func(w *fixture) { w.tell(w.add(sent, "9"), pombo.Accepted) }, ""},
		{"deleted after it was settled", func(w *fixture) { w.tell(w.add(sent, ""), pombo.Accepted) }, ""},
		{"a row of another table", func(w *fixture) {
			n := w.add(sent, "1")
			n.Key.Source = "old"
			w.tell(n, pombo.Accepted)
		}, ""},
		{"queued", func(w *fixture) { w.add(pombo.Review{State: pombo.Queued}, "1") }, ""},
		{"queued after a failure that was written", func(w *fixture) { w.add(pombo.Review{State: pombo.Queued, Settled: "3"}, "3") }, ""},
		{"queued, withdrawn", func(w *fixture) { w.add(pombo.Review{State: pombo.Queued}, "9") }, pombo.RowNotPending},
		{"queued, deleted", func(w *fixture) { w.add(pombo.Review{State: pombo.Queued}, "") }, pombo.RowNotPending},
		{"queued, and sent while we looked", func(w *fixture) {
			n := w.add(pombo.Review{State: pombo.Queued}, "2")
			w.moved[n.Seq] = func(n *pombo.Review) { n.State, n.Settled, n.Accepted, n.Attempt = pombo.Accepted, "2", true, 1 }
		}, ""},
		{"diverged", func(w *fixture) {
			n := sent
			n.Settled, n.SettleResult = "", pombo.SettleDiverged
			w.tell(w.add(n, "7"), pombo.Accepted)
		}, pombo.RowDiverged},
		{"gone", func(w *fixture) {
			n := sent
			n.Settled, n.SettleResult = "", pombo.SettleGone
			w.tell(w.add(n, ""), pombo.Accepted)
		}, pombo.RowGone},
		{"refused", func(w *fixture) {
			n := sent
			n.Settled, n.SettleResult = "", pombo.SettleRefused
			w.tell(w.add(n, "1"), pombo.Accepted)
		}, pombo.RowRefused},
		{"owed for an hour", func(w *fixture) {
			n := sent
			n.Settled, n.Owed = "", true
			w.tell(w.add(n, "1"), pombo.Accepted)
		}, ""},
		{"owed for a day", func(w *fixture) {
			n := sent
			n.Settled, n.Owed = "", true
			at := w.add(n, "1")
			at.Updated = at.Updated.Add(-24 * time.Hour)
			w.tell(at, pombo.Accepted)
		}, pombo.SettleOverdue},
		{"uncertain for an hour", func(w *fixture) { w.add(pombo.Review{State: pombo.Uncertain, Attempt: 1}, "1") }, pombo.UncertainOverdue},
		{"uncertain for minutes", func(w *fixture) {
			n := w.add(pombo.Review{State: pombo.Uncertain, Attempt: 1}, "1")
			n.Updated = time.Now()
		}, ""},
		{"failed at Blip", func(w *fixture) { w.tell(w.add(sent, "2"), pombo.Accepted, pombo.Failed) }, pombo.FailedAtBlip},
		{"unknown at Blip", func(w *fixture) { w.add(sent, "2") }, pombo.UnknownAtBlip},
		{"unknown at Blip, but just sent", func(w *fixture) { w.add(sent, "2").Begun = time.Now() }, ""},
		{"unknown at Blip, but long ago", func(w *fixture) {
			n := w.add(sent, "2")
			n.Begun = time.Now().Add(-window)
		}, ""},
		{"delivered needs no trace", func(w *fixture) {
			n := sent
			n.State = pombo.Delivered
			w.add(n, "2")
		}, ""},
		{"failed here, sent there", func(w *fixture) { w.tell(w.add(pombo.Review{State: pombo.Failed, Attempt: 1}, "1"), pombo.Accepted) }, pombo.SentAtBlip},
		{"failed here, failed there", func(w *fixture) { w.tell(w.add(pombo.Review{State: pombo.Failed, Attempt: 1}, "1"), pombo.Failed) }, ""},
		{"failed after Blip had it", func(w *fixture) {
			w.tell(w.add(pombo.Review{State: pombo.Failed, Attempt: 1, Accepted: true}, "1"), pombo.Accepted, pombo.Failed)
		}, ""},
		{"failed before anything left", func(w *fixture) { w.tell(w.add(pombo.Review{State: pombo.Failed}, "1"), pombo.Accepted) }, ""},
		{"cancelled here, sent there", func(w *fixture) {
			w.tell(w.add(pombo.Review{State: pombo.Cancelled, Attempt: 1}, "1"), pombo.Dispatched)
		}, pombo.SentAtBlip},
		{"a ledger of before", func(w *fixture) { w.tell(w.add(pombo.Review{State: pombo.Queued}, "1"), pombo.Read) }, pombo.SentAtBlip},
		{"queued, tried again meanwhile", func(w *fixture) {
			n := w.add(pombo.Review{State: pombo.Queued, Attempt: 1}, "1")
			w.tell(n, pombo.Accepted)
			w.moved[n.Seq] = func(n *pombo.Review) { n.Attempt = 2 }
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newFixture()
			test.build(w)
			got, err := w.reconciler(t, nil).Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := map[pombo.DiscrepancyKind]int{}
			if test.want != "" {
				want[test.want] = 1
			}
			if diff := cmp.Diff(want, got.Counts); diff != "" {
				t.Errorf("discrepancies (-want +got):\n%s", diff)
			}
			if len(got.Discrepancies) != len(want) || test.want != "" && got.Discrepancies[0] != (pombo.Discrepancy{Kind: test.want, MessageID: w.list[0].MessageID, Key: w.list[0].Key}) {
				t.Errorf("discrepancies = %+v, want one of %s", got.Discrepancies, w.list[0].MessageID)
			}
			if test.want != "" && !strings.Contains(w.log.String(), "kind="+string(test.want)) {
				t.Errorf("the log has no line for it:\n%s", w.log.String())
			}
			if w.saved == nil || w.saved.Started != got.Started {
				t.Error("the result was not saved")
			}
		})
	}
}

// However many are in doubt: few statements, few questions, the most doubtful
// first, and the result says so of the rest.
func TestReconciler_BoundsItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture()
		const rows = 1500
		for i := range rows {
			n := pombo.Review{State: pombo.Accepted, Attempt: 1, Accepted: true, Settled: "2"}
			if i == rows-1 {
				n = pombo.Review{State: pombo.Failed, Attempt: 1} // the last one is the most doubtful
			}
			w.tell(w.add(n, "2"), pombo.Accepted)
		}
		registry := prometheus.NewRegistry()
		r := w.reconciler(t, func(o *Options) { o.MostAsked, o.PerSecond, o.Registerer = 100, 10, registry })
		begun := time.Now()
		got, err := r.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if w.statements != rows/pageSize {
			t.Errorf("%d statements on the source for %d rows, want %d", w.statements, rows, rows/pageSize)
		}
		if got.Compared != rows || got.Doubtful != rows || got.Asked != 100 || len(w.asked) != 100 || !strings.Contains(got.Unasked, "100") {
			t.Errorf("%+v, want 100 of %d asked and the reason", got, rows)
		}
		if w.asked[0] != w.list[rows-1].MessageID || w.asked[1] != w.list[0].MessageID {
			t.Error("the most doubtful one was not asked about first, or the oldest not next")
		}
		if took := time.Since(begun); took < 99*100*time.Millisecond {
			t.Errorf("100 questions took %v, want ten a second", took)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		gauges := map[string]float64{}
		for _, m := range families[0].GetMetric() {
			gauges[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
		want := map[string]float64{}
		for _, k := range pombo.DiscrepancyKinds() {
			want[string(k)] = float64(got.Counts[k])
		}
		if diff := cmp.Diff(want, gauges); diff != "" || gauges["sent_at_blip"] != 1 {
			t.Errorf("gauges (-want +got):\n%s", diff)
		}
	})
}

func TestReconciler_CountsManyDiscrepancies(t *testing.T) {
	w := newFixture()
	for range MaxDiscrepancies + 7 {
		w.add(pombo.Review{State: pombo.Queued}, "9")
	}
	got, err := w.reconciler(t, nil).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Discrepancies) != MaxDiscrepancies || got.Counts[pombo.RowNotPending] != MaxDiscrepancies+7 {
		t.Errorf("%d discrepancies of %d, want %d of %d", len(got.Discrepancies), got.Counts[pombo.RowNotPending], MaxDiscrepancies, MaxDiscrepancies+7)
	}
}

// Without the table there is no result; without Blip there is one that says so.
func TestReconciler_SourceOrBlipAway(t *testing.T) {
	w := newFixture()
	w.add(pombo.Review{State: pombo.Accepted, Attempt: 1, Accepted: true, Settled: "2"}, "2")
	w.blip = &pombo.Error{Reason: pombo.BlipUnreachable, Retry: true}
	got, err := w.reconciler(t, nil).Run(t.Context())
	if err != nil || got.Asked != 0 || got.Doubtful != 1 || !strings.Contains(got.Unasked, string(pombo.BlipUnreachable)) {
		t.Errorf("%+v, error %v, want none asked and why", got, err)
	}
	if len(got.Counts) != 0 {
		t.Errorf("discrepancies %v, want none: without an answer there is no trace", got.Counts)
	}
	w.saved, w.err = nil, errors.New("the database is away")
	if _, err := w.reconciler(t, nil).Run(t.Context()); err == nil || w.saved != nil {
		t.Errorf("error = %v, saved %v, want the error and nothing saved", err, w.saved)
	}
}

func TestDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		zone := time.FixedZone("", -3*3600)
		w := newFixture()
		ctx, cancel := context.WithCancel(t.Context())
		var at []string
		r := w.reconciler(t, func(o *Options) {
			o.Leads = func(context.Context) (bool, error) {
				at = append(at, time.Now().In(zone).Format("15:04"))
				switch len(at) {
				case 1:
					return false, errors.New("the ledger is away")
				case 4:
					return false, nil // another process has the duty
				}
				return true, nil
			}
		})
		done := make(chan struct{})
		go func() { defer close(done); r.Daily(ctx, 3*time.Hour+30*time.Minute, zone) }()
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		cancel()
		<-done
		if diff := cmp.Diff([]string{"03:30", "03:45", "03:30", "03:30"}, at); diff != "" {
			t.Errorf("it was its turn at (-want +got):\n%s", diff)
		}
		if w.saved == nil || w.pages != 2 {
			t.Errorf("%d comparisons, want 2", w.pages)
		}
	})
}

func TestNextDay(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York") // which puts its clocks on and back
	if err != nil {
		t.Skip(fmt.Sprint("no time zones on this machine: ", err))
	}
	const at = 2*time.Hour + 30*time.Minute
	for _, test := range []struct{ now, want string }{
		{"2026-11-24T01:00:00-05:00", "2026-11-24T02:30:00-05:00"},
		{"2026-11-24T02:30:00-05:00", "2026-11-25T02:30:00-05:00"},
		{"2026-12-31T23:00:00-05:00", "2027-01-01T02:30:00-05:00"},
		{"2026-03-08T00:00:00-05:00", "2026-03-08T01:30:00-05:00"}, // there is no 02:30
		{"2026-03-08T01:30:00-05:00", "2026-03-09T02:30:00-04:00"}, // and not twice
	} {
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextDay(now, at, zone).Format(time.RFC3339); got != test.want {
			t.Errorf("after %s: %s, want %s", test.now, got, test.want)
		}
	}
}
