package dispatch_test

import (
	"cmp"
	"context"
	"slices"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// fakeDelivery is the ledger of a Deliverer.
type fakeDelivery struct {
	*fakeCore
	out      map[string]pombo.OptOutScope // opted out, by E.164 or identity
	answered map[string]bool              // rows, by key
}

func (f *fakeDelivery) Newest(context.Context) (int64, error) {
	unlock, err := f.enter("Newest")
	defer unlock()
	return int64(len(f.rows)), err
}

func (f *fakeDelivery) Claim(_ context.Context, owner string, limit int) (batch []pombo.Notification, err error) {
	unlock, err := f.enter("Claim")
	defer unlock()
	if err != nil {
		return nil, err
	}
	var due []*pombo.Notification
	for _, n := range f.rows {
		if n.State == pombo.Queued && !f.parked[n.Seq] && !n.NotBefore.After(time.Now()) {
			due = append(due, n)
		}
	}
	slices.SortStableFunc(due, func(a, b *pombo.Notification) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.Seq, b.Seq))
	})
	for _, n := range due[:min(limit, len(due))] {
		n.Owner = owner
		f.move(n, pombo.Claimed)
		batch = append(batch, *n)
	}
	return batch, nil
}

func (f *fakeDelivery) NextDue(context.Context) (next time.Time, err error) {
	unlock, err := f.enter("NextDue")
	defer unlock()
	for _, n := range f.rows {
		if n.State == pombo.Queued && !f.parked[n.Seq] && (next.IsZero() || n.NotBefore.Before(next)) {
			next = n.NotBefore
		}
	}
	return next, err
}

func (f *fakeDelivery) Begin(_ context.Context, c pombo.Notification, identity string) (int, error) {
	unlock, err := f.enter("Begin")
	defer unlock()
	n := f.rows[c.Seq-1]
	if err != nil {
		return 0, err
	}
	if n.State != pombo.Claimed || n.Owner != c.Owner {
		return 0, pombo.ErrLost
	}
	n.Attempt++
	n.Identity, n.Begun = identity, time.Now()
	f.move(n, pombo.Sending)
	return n.Attempt, nil
}

func (f *fakeDelivery) Finish(_ context.Context, o pombo.Outcome) error {
	unlock, err := f.enter("Finish")
	defer unlock()
	n := f.rows[o.Seq-1]
	if err != nil {
		return err
	}
	if n.State != o.From || o.From != pombo.Uncertain && n.Owner != o.Owner || n.Attempt != o.Attempt {
		return pombo.ErrLost
	}
	f.move(n, o.To)
	n.Reason, n.Detail, n.NotBefore = o.Reason, o.Detail, o.NotBefore
	if n.NotBefore.IsZero() {
		n.NotBefore = time.Now()
	}
	if delete(f.parked, n.Seq); o.Parked {
		f.parked[n.Seq] = true
	}
	if o.Counted {
		n.Tries++
	}
	if o.To == pombo.Accepted && n.Key.Source != "api" {
		f.settle[n.Seq] = true
	}
	return nil
}

func (f *fakeDelivery) OptedOut(n phone.Number, identity string) pombo.OptOutScope {
	unlock, _ := f.enter("OptedOut")
	defer unlock()
	return f.out[n.E164()].Wider(f.out[identity])
}

func (f *fakeDelivery) Answered(_ context.Context, _, row string) (bool, error) {
	unlock, err := f.enter("Answered")
	defer unlock()
	return f.answered[row], err
}

func (f *fakeDelivery) LoadOptOuts(context.Context) error {
	unlock, err := f.enter("LoadOptOuts")
	defer unlock()
	return err
}

func (f *fakeDelivery) Expire(context.Context) (expired int, err error) {
	unlock, err := f.enter("Expire")
	defer unlock()
	for _, n := range f.rows {
		if n.State == pombo.Queued && !n.Expires.IsZero() && !n.Expires.After(time.Now()) {
			f.move(n, pombo.Expired)
			n.Reason = pombo.ExpiredRow
			expired++
		}
	}
	return expired, err
}

func (f *fakeDelivery) optOut(who string, scope pombo.OptOutScope) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out[who] = scope
}

func (f *fakeDelivery) ReleaseParked(_ context.Context, all bool) (released int, err error) {
	unlock, err := f.enter("ReleaseParked")
	defer unlock()
	for seq := range f.parked {
		if n := f.rows[seq-1]; err == nil && (all || !n.NotBefore.After(time.Now())) {
			n.NotBefore = time.Now()
			delete(f.parked, seq)
			released++
		}
	}
	return released, err
}

func (f *fakeDelivery) ClaimedBy(_ context.Context, owner string) (list []pombo.Notification, err error) {
	unlock, err := f.enter("ClaimedBy")
	defer unlock()
	for _, n := range f.rows {
		if n.Owner == owner && (n.State == pombo.Claimed || n.State == pombo.Sending) {
			list = append(list, *n)
		}
	}
	return list, err
}
