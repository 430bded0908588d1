package ledgertest

import (
	"time"

	"pombo"
)

// finished takes in rows, sends them and settles them.
func (f *fixture) finished(rows []pombo.Row) {
	f.Helper()
	f.enqueue(0, rows...)
	for _, n := range f.claim(me, len(rows)) {
		f.finish(f.begin(n), pombo.Accepted, pombo.NoReason)
	}
	f.writeBack("2")
}

// writeBack writes what is due, and it must be this code for all of them.
func (f *fixture) writeBack(code string) (settled []pombo.Settlement) {
	f.Helper()
	list, err := f.db.Settlements.Unsettled(f.Context(), 1000)
	f.must(err)
	results := make([]pombo.Settled, len(list))
	for i, s := range list {
		if s.Code != code || s.Expected != "1" {
			f.Errorf("row %s is to get %q over %q, want %q over 1", s.RowKey, s.Code, s.Expected, code)
		}
		results[i] = pombo.Settled{Settlement: s, Result: pombo.SettleDone}
	}
	f.must(f.db.Settlements.Settled(f.Context(), results))
	return list
}

// setBack takes in rows that were finished and are pending again.
func (f *fixture) setBack(rows []pombo.Row) (added int) {
	f.Helper()
	_, finished, err := f.db.Intake.Enqueue(f.Context(), source, 0, rows)
	f.must(err)
	added, err = f.db.Intake.EnqueueAgain(f.Context(), source, 0, rows, finished)
	f.must(err)
	return added
}

// waiting checks how many wait for a person and how many may go.
func (f *fixture) waiting(held, ready int) {
	f.Helper()
	b, err := f.db.History.Backlog(f.Context())
	f.must(err)
	if b.Resends != held || b.Ready != ready || b.States[pombo.Queued] != held+ready || (held > 0) == b.ResendsSince.IsZero() {
		f.Errorf("%d wait for a person since %v and %d may go, of %d; want %d and %d", b.Resends, b.ResendsSince, b.Ready, b.States[pombo.Queued], held, ready)
	}
}

func (f *fixture) guarded(most int) {
	f.Helper()
	f.close()
	f.resends = most
	f.open()
}

// resendGuard: so many within a minute are sent again and no more; those before
// them that have not left wait with them, and those that follow; over a restart too.
func resendGuard(f *fixture) {
	f.guarded(5)
	rows := f.newRows(30)
	f.finished(rows)

	f.setBack(rows[:3])
	f.waiting(0, 3)
	f.pass(time.Minute)
	f.setBack(rows[3:6])
	f.waiting(0, 6) // three in each of two minutes
	f.pass(time.Second)
	f.setBack(rows[6:8])
	left := f.claim(me, 1) // of the first minute, by its age
	f.waiting(0, 7)
	f.setBack(rows[8:9])
	f.waiting(6, 2)
	id := pombo.Key{Source: source, RowKey: rows[8].RowKey, Generation: 2}.MessageID()
	if n := f.get(id); n.Reason != pombo.ResendGuard || n.State != pombo.Queued {
		f.Errorf("it is %s (%s), want queued (%s)", n.State, n.Reason, pombo.ResendGuard)
	}
	if left[0].Key.Generation != 2 {
		f.Errorf("claimed generation %d, want 2", left[0].Key.Generation)
	}
	f.queue(1) // another row is not in this
	f.close()
	f.open()
	f.pass(10 * time.Minute)
	f.setBack(rows[9:10])
	b, err := f.db.History.Backlog(f.Context())
	f.must(err)
	if b.Resends != 7 {
		f.Errorf("%d wait for a person ten minutes and a restart later, want 7", b.Resends)
	}
	// A person may see to one of them.
	f.must(f.db.Operator.Retry(f.Context(), id))
	f.must(f.db.Operator.Cancel(f.Context(), pombo.Key{Source: source, RowKey: rows[9].RowKey, Generation: 2}.MessageID()))
	if b, err = f.db.History.Backlog(f.Context()); err != nil || b.Resends != 5 {
		f.Errorf("%d wait for a person, %v; want 5", b.Resends, err)
	}
}

// resendsReleased: they go, and so do those that follow without a pause.
func resendsReleased(f *fixture) {
	f.guarded(5)
	rows := f.newRows(40)
	f.finished(rows)
	f.setBack(rows[:10])
	f.waiting(10, 0)
	if next, err := f.db.Queue.NextDue(f.Context()); err != nil || !next.IsZero() {
		f.Errorf("the next one is due at %v, %v; want none", next, err)
	}
	n, err := f.db.Operator.ReleaseResends(f.Context())
	f.must(err)
	if n != 10 {
		f.Errorf("released %d, want 10", n)
	}
	f.waiting(0, 10)
	f.setBack(rows[10:20])
	f.pass(50 * time.Second)
	f.setBack(rows[20:30])
	f.waiting(0, 30)
	if n := f.claim(me, 1)[0]; n.Key.Generation != 2 || n.Attempt != 0 {
		f.Errorf("claimed %+v, want a second generation that was not tried", n)
	}
	f.pass(61 * time.Second)
	f.setBack(rows[30:40])
	f.waiting(10, 29)
}

// resendsSettled: the rows get their codes again, nothing is sent, and a row that is
// set back later on purpose is.
func resendsSettled(f *fixture) {
	f.guarded(5)
	rows := f.newRows(14)
	f.finished(rows)
	f.setBack(rows[:10])
	n, err := f.db.Operator.SettleResends(f.Context())
	f.must(err)
	if n != 10 {
		f.Errorf("ended %d, want 10", n)
	}
	f.waiting(0, 0)
	if added := f.setBack(rows[:10]); added != 0 {
		f.Errorf("%d were taken in again before their status was written", added)
	}
	if got := len(f.writeBack("2")); got != 10 {
		f.Errorf("%d are settled, want 10", got)
	}
	f.setBack(rows[10:12]) // of the same return: few, but not alone
	f.waiting(2, 0)
	n, err = f.db.Operator.SettleResends(f.Context())
	f.must(err)
	f.writeBack("2")
	f.pass(2 * time.Minute)
	f.setBack(append(rows[12:14:14], rows[0]))
	f.waiting(0, 3)
	if n != 2 {
		f.Errorf("ended %d, want 2", n)
	}
}
