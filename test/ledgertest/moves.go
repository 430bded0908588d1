package ledgertest

import (
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// everyOutcome tries every pair of states that an outcome can name.
func everyOutcome(f *fixture) {
	for _, from := range pombo.States() {
		ids, outcomes := f.bringAll(from, len(pombo.States()))
		for i, to := range pombo.States() {
			id, o := ids[i], outcomes[i]
			before := f.events(id)
			o.To = to
			err := f.db.Queue.Finish(f.Context(), o)
			held := from == pombo.Claimed || from == pombo.Sending || from == pombo.Uncertain
			// Sending is not an outcome: without an owner it would be neither sent
			// nor reclaimed. What was only claimed cannot
			// have been accepted, but by an attempt before, as a receipt says; nor is it in
			// doubt, but after a loss.
			outcome := to != pombo.Sending && (from != pombo.Claimed || !to.Sent() && to != pombo.Uncertain)
			switch allowed := from.CanBecome(to) && outcome; {
			case !allowed && !errors.Is(err, pombo.ErrMove):
				f.Errorf("%s to %s: error = %v, want ErrMove", from, to, err)
			case allowed && held && err != nil:
				f.Errorf("%s to %s: %v", from, to, err)
			case allowed && held:
				f.stands(id, to, pombo.NoReason)
				continue
			}
			if !held {
				continue // claims and receipts have methods of their own
			}
			if diff := cmp.Diff(before, f.events(id)); diff != "" {
				f.Errorf("%s to %s changed the history (-before +after):\n%s", from, to, diff)
			}
		}
	}
}

// everyReceipt tries every receipt in every state.
func everyReceipt(f *fixture) {
	for _, from := range pombo.States() {
		tried := []pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered, pombo.Read, pombo.Failed}
		ids, _ := f.bringAll(from, len(tried))
		for i, to := range tried {
			id := ids[i]
			want := from
			// What has left and has no answer was accepted first. What has not left
			// has no receipts.
			switch {
			case from == pombo.Queued, from == pombo.Claimed, from == pombo.Cancelled, from == pombo.Expired, from == pombo.Suppressed:
			case from.CanBecome(to), from == pombo.Sending && pombo.Accepted.CanBecome(to):
				want = to
			}
			applied := f.receipt(id, to)
			if got := f.get(id).State; got != want || applied != count(want != from) {
				f.Errorf("receipt %s in %s: %s (applied %d), want %s", to, from, got, applied, want)
			}
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// everyControl tries what an operator can do in every state.
func everyControl(f *fixture) {
	for _, from := range pombo.States() {
		ids, _ := f.bringAll(from, 2)
		id := ids[0]
		err := f.db.Operator.Cancel(f.Context(), id)
		if from == pombo.Queued || from == pombo.Uncertain {
			f.must(err)
			f.stands(id, pombo.Cancelled, pombo.CancelledByHand)
		} else {
			f.mustBe(err, pombo.ErrMove)
			if got := f.get(id).State; got != from {
				f.Errorf("cancel in %s: %s now", from, got)
			}
		}

		id = ids[1]
		err = f.db.Operator.Retry(f.Context(), id)
		switch from {
		case pombo.Queued, pombo.Failed, pombo.Cancelled, pombo.Expired, pombo.Suppressed, pombo.Uncertain:
			f.must(err)
			f.stands(id, pombo.Queued, pombo.RetriedByOperator)
		default:
			f.mustBe(err, pombo.ErrMove)
			if got := f.get(id).State; got != from {
				f.Errorf("retry in %s: %s now", from, got)
			}
		}
	}
	nobody := pombo.Key{Source: source, RowKey: "nobody", Generation: 1}.MessageID()
	f.mustBe(f.db.Operator.Cancel(f.Context(), nobody), pombo.ErrNotFound)
	f.mustBe(f.db.Operator.Retry(f.Context(), nobody), pombo.ErrNotFound)
	f.mustBe(f.db.Operator.Cancel(f.Context(), "rubbish"), pombo.ErrNotFound)
}

// history follows one message that fails, is tried again and is read.
func history(f *fixture) {
	start := f.clock.Now()
	id := f.queue(1)[0]
	f.pass(time.Second)
	n := f.claimOne(me)
	f.pass(time.Second)
	o := f.begin(n)
	f.pass(time.Second)
	o.To, o.Reason, o.Detail, o.NotBefore = pombo.Queued, pombo.BlipUnreachable, `dial: "refused" \ ação`, f.clock.Now().Add(time.Minute)
	f.must(f.db.Queue.Finish(f.Context(), o))
	if got := f.get(id); got.Tries != 1 || got.Attempt != 1 || !got.NotBefore.Equal(o.NotBefore) || got.Detail != o.Detail || got.Owner != "" {
		f.Errorf("after the first try: %+v", got)
	}
	f.pass(time.Minute)
	begun := f.clock.Now()
	f.send(pombo.Accepted, pombo.NoReason)
	f.pass(time.Second)
	if got := f.get(id); !got.Begun.Equal(begun) || !got.Updated.Equal(begun) || got.Tries != 2 || got.Attempt != 2 {
		f.Errorf("after the second try: begun %v, updated %v, tries %d, attempt %d", got.Begun, got.Updated, got.Tries, got.Attempt)
	}
	if moved := f.apply(pombo.Receipt{MessageID: id, State: pombo.Read, At: begun.Add(time.Second / 2)}); moved != 1 {
		f.Errorf("moved = %d, want 1", moved)
	}

	_, events, err := f.db.History.Notification(f.Context(), id)
	f.must(err)
	want := []pombo.Event{
		{At: start, State: pombo.Queued},
		{At: start.Add(1 * time.Second), State: pombo.Claimed},
		{At: start.Add(2 * time.Second), State: pombo.Sending, Attempt: 1},
		{At: start.Add(3 * time.Second), State: pombo.Queued, Attempt: 1, Reason: pombo.BlipUnreachable, Detail: o.Detail},
		{At: begun, State: pombo.Claimed, Attempt: 1},
		{At: begun, State: pombo.Sending, Attempt: 2},
		{At: begun, State: pombo.Accepted, Attempt: 2},
		{At: begun.Add(time.Second / 2), State: pombo.Read, Attempt: 2},
	}
	f.same("history", want, events)
}

// fencing: an owner that was thought dead must not overwrite what came after it.
func fencing(f *fixture) {
	id := f.queue(1)[0]
	n := f.claimOne(me)
	stale := f.begin(n)
	f.pass(lease + time.Second)
	requeued, uncertain, err := f.db.Leases.Reclaim(f.Context())
	f.must(err)
	if requeued != 0 || uncertain != 1 {
		f.Fatalf("reclaimed %d to the queue, %d uncertain; want 0 and 1", requeued, uncertain)
	}
	stale.To = pombo.Accepted
	f.mustBe(f.db.Queue.Finish(f.Context(), stale), pombo.ErrLost)
	f.stands(id, pombo.Uncertain, pombo.Interrupted)

	// No trace: it is sent again by somebody else. The first one is still late.
	o := stale
	o.From, o.To, o.Owner, o.Reason = pombo.Uncertain, pombo.Queued, "", pombo.NoTrace
	f.must(f.db.Queue.Finish(f.Context(), o))
	again := f.claimOne(other)
	stale.To = pombo.Failed
	f.mustBe(f.db.Queue.Finish(f.Context(), stale), pombo.ErrLost)
	second := f.begin(again)
	f.mustBe(f.db.Queue.Finish(f.Context(), stale), pombo.ErrLost)
	if _, err := f.db.Queue.Begin(f.Context(), n, ""); !errors.Is(err, pombo.ErrLost) {
		f.Errorf("begin with an old claim: %v, want ErrLost", err)
	}
	stranger := second
	stranger.Owner, stranger.To = me, pombo.Failed
	f.mustBe(f.db.Queue.Finish(f.Context(), stranger), pombo.ErrLost)
	f.stands(id, pombo.Sending, pombo.NoReason)
	f.finish(second, pombo.Accepted, pombo.NoReason)

	f.mustBe(f.db.Queue.Finish(f.Context(), pombo.Outcome{Seq: 4711, From: pombo.Sending, To: pombo.Accepted}), pombo.ErrNotFound)
}

// fencingClaims: the same, before anything has left and with one's own past.
func fencingClaims(f *fixture) {
	id := f.queue(1)[0]
	stale := f.claimOne(me)
	f.pass(lease)
	if _, _, err := f.db.Leases.Reclaim(f.Context()); err != nil {
		f.Fatal(err)
	}
	n := f.claimOne(other)
	_, err := f.db.Queue.Begin(f.Context(), stale, "")
	f.mustBe(err, pombo.ErrLost)
	f.mustBe(f.db.Queue.Finish(f.Context(), pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: me, To: pombo.Failed}), pombo.ErrLost)
	f.stands(id, pombo.Claimed, pombo.NoReason)

	first := f.begin(n)
	f.finish(first, pombo.Queued, pombo.BlipUnreachable)
	again := f.claimOne(other)
	_, err = f.db.Queue.Begin(f.Context(), n, "")
	f.mustBe(err, pombo.ErrLost)
	first.To = pombo.Accepted
	f.mustBe(f.db.Queue.Finish(f.Context(), first), pombo.ErrLost)
	f.stands(id, pombo.Claimed, pombo.NoReason)
	f.finish(f.begin(again), pombo.Accepted, pombo.NoReason)
}

// finishTwice: an error may hide that an outcome was written, so it is tried again.
func finishTwice(f *fixture) {
	id := f.queue(1)[0]
	o := f.begin(f.claimOne(me))
	for range 2 {
		f.finish(o, pombo.Queued, pombo.BlipUnreachable)
	}
	n := f.stands(id, pombo.Queued, pombo.BlipUnreachable)
	if n.Tries != 1 {
		f.Errorf("tries = %d, want 1", n.Tries)
	}
	o.To = pombo.Accepted
	f.mustBe(f.db.Queue.Finish(f.Context(), o), pombo.ErrLost)
}

func leaseOver(f *fixture) {
	ids := f.queue(2)
	claimed := f.claim(me, 2)
	f.begin(claimed[1])
	f.pass(lease - time.Second)
	requeued, uncertain, err := f.db.Leases.Reclaim(f.Context())
	f.must(err)
	if requeued+uncertain != 0 {
		f.Fatalf("reclaimed %d and %d while the lease ran", requeued, uncertain)
	}
	f.pass(time.Second)
	requeued, uncertain, err = f.db.Leases.Reclaim(f.Context())
	f.must(err)
	if requeued != 1 || uncertain != 1 {
		f.Fatalf("reclaimed %d and %d, want 1 and 1", requeued, uncertain)
	}
	f.stands(ids[0], pombo.Queued, pombo.LeaseOver)
	f.stands(ids[1], pombo.Uncertain, pombo.Interrupted)
	list, err := f.db.Doubts.Uncertain(f.Context(), 10)
	f.must(err)
	if len(list) != 1 || list[0].MessageID != ids[1] || list[0].Begun.IsZero() {
		f.Errorf("uncertain = %v, want the one that was being sent, with the time of its begin", list)
	}
	if n := f.claimOne(other); n.MessageID != ids[0] {
		f.Errorf("claimed %s, want what went back to the queue", n.MessageID)
	}
}

func leaseRenewed(f *fixture) {
	f.queue(2)
	n := f.claim(me, 1)[0]
	f.claim(other, 1)
	for range 4 {
		f.pass(lease - time.Second)
		f.must(f.db.Leases.Renew(f.Context(), me))
	}
	requeued, _, err := f.db.Leases.Reclaim(f.Context())
	f.must(err)
	if requeued != 1 {
		f.Errorf("reclaimed %d, want only the other's", requeued)
	}
	f.begin(n)
}

// claimedBy: a process can see what the ledger says it has, and give back what it does not
// know of; what it has begun or ended since it looked stays as it is.
func claimedBy(f *fixture) {
	ids := f.queue(5)
	claimed := f.claim(me, 4)
	f.claim(other, 1)
	sending, ended := f.begin(claimed[1]), f.begin(claimed[2])
	list, err := f.db.Queue.ClaimedBy(f.Context(), me)
	f.must(err)
	want := []struct {
		id      pombo.MessageID
		state   pombo.State
		attempt int
	}{{ids[0], pombo.Claimed, 0}, {ids[1], pombo.Sending, 1}, {ids[2], pombo.Sending, 1}, {ids[3], pombo.Claimed, 0}}
	if len(list) != len(want) {
		f.Fatalf("%d are claimed, want %d", len(list), len(want))
	}
	for i, w := range want {
		if n := list[i]; n.MessageID != w.id || n.State != w.state || n.Attempt != w.attempt || n.Updated.IsZero() {
			f.Errorf("claimed: %s, %s at attempt %d since %v; want %s, %s at %d", n.MessageID, n.State, n.Attempt, n.Updated, w.id, w.state, w.attempt)
		}
	}
	f.finish(ended, pombo.Accepted, pombo.NoReason)
	begun := f.begin(claimed[3])
	back := func(n pombo.Notification, to pombo.State) error {
		return f.db.Queue.Finish(f.Context(), pombo.Outcome{Seq: n.Seq, From: n.State, Owner: me, Attempt: n.Attempt, To: to, Reason: pombo.Interrupted})
	}
	f.must(back(list[0], pombo.Queued))
	f.must(back(list[1], pombo.Uncertain))
	f.mustBe(back(list[2], pombo.Uncertain), pombo.ErrLost)
	f.mustBe(back(list[3], pombo.Queued), pombo.ErrLost)
	f.stands(ids[0], pombo.Queued, pombo.Interrupted)
	f.stands(ids[1], pombo.Uncertain, pombo.Interrupted)
	f.stands(ids[2], pombo.Accepted, pombo.NoReason)
	f.finish(begun, pombo.Accepted, pombo.NoReason)
	sending.To, sending.From = pombo.Accepted, pombo.Uncertain // its answer comes late
	f.must(f.db.Queue.Finish(f.Context(), sending))
	if list, err := f.db.Queue.ClaimedBy(f.Context(), me); err != nil || len(list) != 0 {
		f.Errorf("%d are claimed, %v; want none", len(list), err)
	}
}

// restart: the processes before this one are dead, whatever their leases say.
func restart(f *fixture) {
	ids := f.queue(2)
	f.begin(f.claim(me, 2)[1])
	f.close()
	f.open()
	requeued, uncertain, err := f.db.Leases.Reclaim(f.Context())
	f.must(err)
	if requeued != 1 || uncertain != 1 {
		f.Fatalf("reclaimed %d and %d, want 1 and 1", requeued, uncertain)
	}
	f.stands(ids[0], pombo.Queued, pombo.LeaseOver)
	f.stands(ids[1], pombo.Uncertain, pombo.Interrupted)
}

func retry(f *fixture) {
	id := f.queue(1)[0]
	o := f.begin(f.claimOne(me))
	f.finish(o, pombo.Failed, pombo.NotOnWhatsApp)
	f.settleAll("1", "3")
	f.must(f.db.Operator.Retry(f.Context(), id))
	n := f.stands(id, pombo.Queued, pombo.RetriedByOperator)
	if n.Tries != 0 || n.Attempt != 1 || n.Settled != "3" {
		f.Errorf("tries %d, attempt %d, settled %q; want 0, 1 and 3", n.Tries, n.Attempt, n.Settled)
	}
	// The row has the code of the failure now, and is given the new result.
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("3", "2")

	// One in back-off goes at once.
	id = f.queue(1)[0]
	o = f.begin(f.claimOne(me))
	o.NotBefore = f.clock.Now().Add(time.Hour)
	f.finish(o, pombo.Queued, pombo.BlipUnavailable)
	if list := f.claim(me, 1); len(list) != 0 {
		f.Fatal("claimed one that was in back-off")
	}
	f.must(f.db.Operator.Retry(f.Context(), id))
	if n := f.claimOne(me); n.MessageID != id || n.Tries != 1 {
		f.Errorf("claimed %s with %d tries, want the one in back-off with its tries", n.MessageID, n.Tries)
	}
}

// postpone: an uncertain one is checked later, and the history says why once.
func postpone(f *fixture) {
	id, o := f.bring(pombo.Uncertain)
	changed := f.get(id).Updated
	for range 3 {
		f.pass(time.Minute)
		o.Reason, o.Detail, o.NotBefore = pombo.NoAnswer, "Blip could not be asked", f.clock.Now().Add(time.Minute)
		f.must(f.db.Doubts.Postpone(f.Context(), o))
		list, err := f.db.Doubts.Uncertain(f.Context(), 1)
		f.must(err)
		if len(list) != 0 {
			f.Fatal("it is due although it was postponed")
		}
	}
	n := f.stands(id, pombo.Uncertain, pombo.NoAnswer)
	if !n.Updated.Equal(changed) || n.Detail != o.Detail || !n.NotBefore.Equal(o.NotBefore) {
		f.Errorf("updated %v, detail %q, not before %v; want %v, %q, %v", n.Updated, n.Detail, n.NotBefore, changed, o.Detail, o.NotBefore)
	}
	want := []pombo.State{pombo.Queued, pombo.Claimed, pombo.Sending, pombo.Uncertain, pombo.Uncertain}
	f.same("history", want, f.events(id))
	o.Attempt++
	f.mustBe(f.db.Doubts.Postpone(f.Context(), o), pombo.ErrLost)
}

// takeUncertain: what one process checks no other one does, the longest due come
// first, and what a dead one was at is due again.
func takeUncertain(f *fixture) {
	var ids []pombo.MessageID
	for range 3 {
		id, _ := f.bring(pombo.Uncertain)
		ids = append(ids, id)
		f.pass(time.Second)
	}
	take := func(limit int, want ...pombo.MessageID) {
		f.Helper()
		list, err := f.db.Doubts.TakeUncertain(f.Context(), limit, time.Minute)
		f.must(err)
		var got []pombo.MessageID
		for _, n := range list {
			got = append(got, n.MessageID)
			if n.State != pombo.Uncertain || n.Attempt != 1 || !n.Updated.Equal(f.get(n.MessageID).Updated) {
				f.Errorf("taken as %+v, want it as it stands", n)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		f.same("taken", want, got)
	}
	take(2, ids[0], ids[1])
	take(2, ids[2])
	take(2)
	f.pass(time.Minute)
	take(5, ids...)
}

// bring makes a new notification and takes it to a state, by allowed moves. It
// returns an outcome from there.
func (f *fixture) bring(to pombo.State) (pombo.MessageID, pombo.Outcome) {
	f.Helper()
	ids, from := f.bringAll(to, 1)
	return ids[0], from[0]
}

// bringAll does so with many in a few transactions.
func (f *fixture) bringAll(to pombo.State, many int) ([]pombo.MessageID, []pombo.Outcome) {
	f.Helper()
	rows, from := f.newRows(many), make([]pombo.Outcome, many)
	for i := range rows {
		if to == pombo.Expired {
			rows[i].Expires = f.clock.Now()
		}
	}
	ids := f.enqueue(0, rows...)
	var list []pombo.Notification
	if to != pombo.Queued && to != pombo.Cancelled {
		list = f.claim(me, 1000) // with whatever earlier ones left in the queue
	}
	switch to {
	case pombo.Queued, pombo.Cancelled, pombo.Expired:
		for i, id := range ids {
			if to == pombo.Cancelled {
				f.must(f.db.Operator.Cancel(f.Context(), id))
			}
			from[i] = pombo.Outcome{Seq: f.get(id).Seq, From: to}
		}
		return ids, from
	}
	list = list[len(list)-many:]
	for i, n := range list {
		if n.MessageID != ids[i] {
			f.Fatalf("claimed %s among the last, want %s, which was just taken in", n.MessageID, ids[i])
		}
		from[i] = pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: me, Attempt: n.Attempt}
	}
	end := func(to pombo.State, reason pombo.Reason) {
		f.Helper()
		f.atOnce(list, func(i int, _ pombo.Notification) error { return f.tryFinish(from[i], to, reason) })
	}
	switch to {
	case pombo.Claimed:
		return ids, from
	case pombo.Suppressed:
		end(to, pombo.OptedOut)
	default:
		f.atOnce(list, func(i int, n pombo.Notification) (err error) {
			from[i], err = f.tryBegin(n)
			return err
		})
	}
	switch to {
	case pombo.Sending:
		return ids, from
	case pombo.Suppressed:
	case pombo.Uncertain:
		end(to, pombo.NoAnswer)
	case pombo.Failed:
		end(to, pombo.NotOnWhatsApp)
	default:
		end(pombo.Accepted, pombo.NoReason)
	}
	if to == pombo.Dispatched || to == pombo.Delivered || to == pombo.Read {
		list := make([]pombo.Receipt, many)
		for i, id := range ids {
			list[i] = pombo.Receipt{MessageID: id, State: to}
		}
		f.same("moved by the receipts", many, f.apply(list...))
	}
	for i, o := range from {
		from[i] = pombo.Outcome{Seq: o.Seq, From: to, Attempt: o.Attempt}
	}
	return ids, from
}
