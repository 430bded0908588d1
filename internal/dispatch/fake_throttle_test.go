package dispatch_test

import (
	"context"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// fakeThrottle is the ledger of package throttle.
type fakeThrottle struct {
	*fakeCore
	pause    *pombo.Pause
	quota    map[string]time.Time
	last     map[phone.Number]time.Time
	streak   int // failures in a row
	streakOf pombo.Failure
}

func (f *fakeThrottle) Pause(_ context.Context, p pombo.Pause) error {
	unlock, err := f.enter("Pause")
	defer unlock()
	f.pause = &p
	return err
}

func (f *fakeThrottle) Resume(context.Context) error {
	unlock, err := f.enter("Resume")
	defer unlock()
	f.pause = nil
	return err
}

func (f *fakeThrottle) Paused(context.Context) (pombo.Pause, bool, error) {
	unlock, err := f.enter("Paused")
	defer unlock()
	if f.pause == nil {
		return pombo.Pause{}, false, err
	}
	return *f.pause, f.pause.Until.IsZero() || time.Now().Before(f.pause.Until), err
}

// Quota grants what comes within a fifth of a second.
func (f *fakeThrottle) Quota(_ context.Context, name string, perSecond float64, want int) (int, time.Duration, error) {
	unlock, err := f.enter("Quota")
	defer unlock()
	if err != nil {
		return 0, 0, err
	}
	gap := time.Duration(float64(time.Second) / perSecond)
	now := time.Now()
	from := f.quota[name]
	if from.Before(now) {
		from = now
	}
	granted := min(want, int((200*time.Millisecond-from.Sub(now))/gap)+1)
	if granted <= 0 {
		return 0, gap, nil
	}
	f.quota[name] = from.Add(time.Duration(granted) * gap)
	return granted, from.Sub(now), nil
}

func (f *fakeThrottle) Recipient(_ context.Context, n phone.Number, gap time.Duration) (time.Duration, error) {
	unlock, err := f.enter("Recipient")
	defer unlock()
	if wait := gap - time.Since(f.last[n]); err != nil || wait > 0 {
		return max(wait, 0), err
	}
	f.last[n] = time.Now()
	return 0, nil
}

func (f *fakeThrottle) LoadFailures(context.Context) error { return nil }

func (f *fakeThrottle) CountFailure(_ context.Context, failure pombo.Failure) (int, error) {
	unlock, err := f.enter("CountFailure")
	defer unlock()
	if failure.MessageID = ""; failure != f.streakOf {
		f.streak, f.streakOf = 0, failure
	}
	f.streak++
	return f.streak, err
}

func (f *fakeThrottle) EndFailures(_ context.Context, _ pombo.MessageID, accepted bool) error {
	unlock, err := f.enter("EndFailures")
	defer unlock()
	if !accepted || f.streakOf.Refused {
		f.streak = 0
	}
	return err
}

// fakeLeases is the ledger of package leader.
type fakeLeases struct {
	*fakeCore
	leases  map[string]time.Time // by owner; nil = they never end
	lease   time.Duration
	leaders map[string]leadership
}

// leadership says who leads a job, and until when.
type leadership struct {
	owner string
	until time.Time
}

func (f *fakeLeases) Renew(_ context.Context, owner string) error {
	unlock, err := f.enter("Renew")
	defer unlock()
	if err == nil && f.leases != nil {
		f.leases[owner] = time.Now().Add(f.lease)
	}
	return err
}

// Reclaim frees what silent owners had; without leases nobody is ever silent.
func (f *fakeLeases) Reclaim(context.Context) (requeued, uncertain int, err error) {
	unlock, err := f.enter("Reclaim")
	defer unlock()
	if err != nil || f.leases == nil {
		return 0, 0, err
	}
	for _, n := range f.rows {
		if time.Now().Before(f.leases[n.Owner]) {
			continue
		}
		switch n.State {
		case pombo.Claimed:
			f.move(n, pombo.Queued)
			requeued++
		case pombo.Sending:
			f.move(n, pombo.Uncertain)
			uncertain++
		default:
			continue
		}
		n.Owner, n.NotBefore = "", time.Now()
	}
	return requeued, uncertain, nil
}

func (f *fakeLeases) AcquireLeadership(_ context.Context, job, owner string, d time.Duration) (bool, error) {
	unlock, err := f.enter("AcquireLeadership")
	defer unlock()
	now := time.Now()
	if has := f.leaders[job]; err == nil && (has.owner == owner || !now.Before(has.until)) {
		f.leaders[job] = leadership{owner, now.Add(d)}
		return true, nil
	}
	return false, err
}

func (f *fakeLeases) ReleaseLeadership(_ context.Context, job, owner string) error {
	unlock, err := f.enter("ReleaseLeadership")
	defer unlock()
	if f.leaders[job].owner == owner {
		delete(f.leaders, job)
	}
	return err
}

// fakeOperator is the ledger of an operator.
type fakeOperator struct{ *fakeCore }

func (f *fakeOperator) Notification(_ context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error) {
	unlock, err := f.enter("Notification")
	defer unlock()
	n := f.at(id)
	if n == nil {
		return pombo.Notification{}, nil, pombo.ErrNotFound
	}
	return *n, nil, err
}

func (f *fakeOperator) Correct(_ context.Context, id pombo.MessageID, r pombo.Row) error {
	unlock, err := f.enter("Correct")
	defer unlock()
	n := f.at(id)
	n.Recipient, n.Phone, n.Params, n.Template = r.Recipient, r.Phone, r.Params, r.Template
	return err
}

func (f *fakeOperator) Retry(_ context.Context, id pombo.MessageID) error {
	unlock, err := f.enter("Retry")
	defer unlock()
	n := f.at(id)
	f.move(n, pombo.Queued)
	n.Tries, n.NotBefore = 0, time.Time{}
	return err
}

func (f *fakeOperator) Cancel(_ context.Context, id pombo.MessageID) error {
	unlock, err := f.enter("Cancel")
	defer unlock()
	f.move(f.at(id), pombo.Cancelled)
	return err
}
