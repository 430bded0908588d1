package ledgertest

import (
	"time"

	"pombo"
)

// parked: what waits for its template does not delay the others, and lists have it.
func parked(f *fixture) {
	parking := func(n pombo.Notification, until time.Duration) error {
		return f.db.Queue.Finish(f.Context(), pombo.Outcome{
			Seq: n.Seq, From: pombo.Claimed, Owner: me, Attempt: n.Attempt, To: pombo.Queued,
			Reason: pombo.TemplatePaused, Detail: "template um is paused", NotBefore: f.clock.Now().Add(until), Parked: true,
		})
	}
	park := func(n pombo.Notification, until time.Duration) {
		f.Helper()
		f.must(parking(n, until))
	}
	release := func(all bool, want int) {
		f.Helper()
		got, err := f.db.Queue.ReleaseParked(f.Context(), all)
		f.must(err)
		if got != want {
			f.Errorf("released %d, want %d", got, want)
		}
	}
	counted := func(queued, all, parked int) {
		f.Helper()
		n, err := f.db.Intake.Queued(f.Context())
		f.must(err)
		b, err := f.db.History.Backlog(f.Context())
		f.must(err)
		if n != queued || b.States[pombo.Queued] != all || b.Parked != parked {
			f.Errorf("%d in the queue, backlog of %d with %d parked; want %d, %d and %d", n, b.States[pombo.Queued], b.Parked, queued, all, parked)
		}
	}
	rows := f.newRows(3)
	rows[2].Priority = 7
	ids := f.enqueue(0, rows...)
	for _, n := range f.claim(me, 3) {
		park(n, time.Duration(n.Seq)*time.Hour)
	}
	counted(0, 3, 3)
	next, err := f.db.Queue.NextDue(f.Context())
	f.must(err)
	if !next.IsZero() {
		f.Errorf("the next one is due at %v, want none", next)
	}
	page, err := f.db.History.List(f.Context(), pombo.Filter{State: pombo.Queued})
	f.must(err)
	if list := page.Notifications; len(list) != 3 || list[0].Reason != pombo.TemplatePaused {
		f.Errorf("list = %v, want the three that are parked", list)
	}

	// The time of one comes; it is not claimed before it is released.
	f.pass(time.Hour)
	if n := len(f.claim(me, 3)); n != 0 {
		f.Fatalf("claimed %d that are parked", n)
	}
	release(false, 1)
	counted(1, 3, 2)
	n := f.claimOne(me)
	if n.MessageID != ids[0] || n.Tries != 0 || n.Attempt != 0 {
		f.Errorf("claimed %s with %d tries, want the first", n.MessageID, n.Tries)
	}
	park(n, time.Hour)

	// An operator does not wait, and may cancel one.
	f.must(f.db.Operator.Retry(f.Context(), ids[1]))
	if n := f.claimOne(me); n.MessageID != ids[1] {
		f.Errorf("claimed %s, want the one that was retried", n.MessageID)
	}
	f.must(f.db.Operator.Cancel(f.Context(), ids[0]))
	counted(0, 1, 1)

	// All at once, each with its priority; and what a POST brought back too.
	f.enqueue(0, f.newRows(1)...)
	o := f.begin(f.claimOne(me))
	o.NotBefore, o.Parked, o.Counted = f.clock.Now().Add(time.Hour), true, false
	f.finish(o, pombo.Queued, pombo.TemplatePaused)
	release(true, 2)
	release(true, 0)
	if list := f.claim(me, 3); len(list) != 2 || list[0].MessageID != ids[2] || list[0].Priority != 7 {
		f.Errorf("claimed %v, want two and the urgent one first", list)
	}

	// More than one transaction takes.
	f.queue(1201)
	f.atOnce(f.claim(me, 2000), func(_ int, n pombo.Notification) error { return parking(n, time.Hour) })
	release(false, 0)
	release(true, 1201)
	counted(1201, 1201, 0)
}
