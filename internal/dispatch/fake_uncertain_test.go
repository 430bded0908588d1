package dispatch_test

import (
	"context"
	"slices"
	"time"

	"pombo"
)

// fakeUncertain is the ledger of a Resolver.
type fakeUncertain struct {
	*fakeCore
	noticed, alive time.Time // of a loss
}

func (f *fakeUncertain) Uncertain(_ context.Context, limit int) (batch []pombo.Notification, err error) {
	unlock, err := f.enter("Uncertain")
	defer unlock()
	for _, n := range f.doubts(limit) {
		batch = append(batch, *n)
	}
	return batch, err
}

func (f *fakeUncertain) doubts(limit int) (list []*pombo.Notification) {
	for _, n := range f.rows {
		if n.State == pombo.Uncertain && !n.NotBefore.After(time.Now()) {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b *pombo.Notification) int { return a.NotBefore.Compare(b.NotBefore) })
	return list[:min(limit, len(list))]
}

func (f *fakeUncertain) TakeUncertain(_ context.Context, limit int, d time.Duration) (batch []pombo.Notification, err error) {
	unlock, err := f.enter("TakeUncertain")
	defer unlock()
	if err != nil {
		return nil, err
	}
	for _, n := range f.doubts(limit) {
		n.NotBefore = time.Now().Add(d)
		batch = append(batch, *n)
	}
	return batch, nil
}

func (f *fakeUncertain) Postpone(_ context.Context, o pombo.Outcome) error {
	unlock, err := f.enter("Postpone")
	defer unlock()
	n := f.rows[o.Seq-1]
	n.Reason, n.Detail, n.NotBefore = o.Reason, o.Detail, o.NotBefore
	return err
}

func (f *fakeUncertain) WentBack(context.Context) (noticed, alive time.Time, err error) {
	unlock, err := f.enter("WentBack")
	defer unlock()
	return f.noticed, f.alive, err
}

func (f *fakeUncertain) Recover(_ context.Context, source string, r pombo.Row, generations [][]pombo.Receipt) error {
	unlock, err := f.enter("Recover")
	defer unlock()
	for i, receipts := range generations {
		key := pombo.Key{Source: source, RowKey: r.RowKey, Generation: i + 1}
		if f.find(key) == nil {
			n := f.insert(key, 0, r)
			n.State = pombo.Cancelled
			if len(receipts) > 0 {
				n.State = receipts[0].State
			}
		}
	}
	return err
}

func (f *fakeUncertain) EndDoubt(_ context.Context, n pombo.Notification, code string, gone bool) (pombo.Outcome, error) {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, To: pombo.Cancelled, Reason: pombo.Withdrawn}
	if code == "2" && !gone {
		o.To, o.Reason = pombo.Accepted, pombo.LedgerWentBack
	}
	return o, f.end(n, o)
}

func (f *fakeUncertain) Overtaken(_ context.Context, n pombo.Notification, trace pombo.Receipt) (pombo.Outcome, error) {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, To: pombo.Cancelled, Reason: pombo.LedgerWentBack}
	if trace.State != "" {
		o.To, o.Reason = trace.State, pombo.TraceFound
	}
	return o, f.end(n, o)
}

func (f *fakeUncertain) end(n pombo.Notification, o pombo.Outcome) error {
	unlock, err := f.enter("EndDoubt")
	defer unlock()
	if f.rows[n.Seq-1].Attempt != n.Attempt {
		return pombo.ErrLost
	}
	f.move(f.rows[n.Seq-1], o.To)
	f.rows[n.Seq-1].Reason = o.Reason
	return err
}
