package ledgertest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"pombo"
)

// nextOf is the id of the generation after a notification's.
func nextOf(n pombo.Notification) pombo.MessageID {
	n.Key.Generation++
	return n.Key.MessageID()
}

// failure is a failed receipt with a remedy.
func (f *fixture) failure(id pombo.MessageID, remedy pombo.ResendPolicy) pombo.Receipt {
	return pombo.Receipt{MessageID: id, State: pombo.Failed, Reason: pombo.ChannelError, Code: 131016, Policy: remedy, At: f.clock.Now()}
}

// receiptsInEveryOrder: whatever comes first, the same ones lead to the same state,
// one by one and all at once.
func receiptsInEveryOrder(f *fixture) {
	for _, test := range []struct {
		states []pombo.State
		want   pombo.State
	}{
		{[]pombo.State{pombo.Dispatched, pombo.Delivered, pombo.Read}, pombo.Read},
		{[]pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Failed}, pombo.Failed},
		{[]pombo.State{pombo.Dispatched, pombo.Failed, pombo.Delivered}, pombo.Delivered},
		{[]pombo.State{pombo.Failed, pombo.Read, pombo.Dispatched}, pombo.Read},
	} {
		for _, remedy := range []pombo.ResendPolicy{pombo.ResendNever, pombo.ResendDays} {
			ids, _ := f.bringAll(pombo.Accepted, 12)
			for order := range permutations(test.states) {
				for _, together := range []bool{false, true} {
					id := ids[0]
					ids = ids[1:]
					var list []pombo.Receipt
					for _, s := range order {
						r := pombo.Receipt{MessageID: id, State: s}
						if s == pombo.Failed {
							r = f.failure(id, remedy)
						}
						list = append(list, r)
						if !together {
							f.apply(r, r)
						}
					}
					if together {
						f.apply(list...)
					}
					n := f.get(id)
					if n.State != test.want {
						f.Errorf("%s with remedy %q, at once %t: it is %s, want %s", order, remedy, together, n.State, test.want)
					}
					_, _, err := f.db.History.Notification(f.Context(), nextOf(n))
					if resent := err == nil; resent != (test.want == pombo.Failed && remedy == pombo.ResendDays) {
						f.Errorf("%s with remedy %q, at once %t: sent again = %t (%v)", order, remedy, together, resent, err)
					}
				}
			}
		}
	}
}

func permutations(list []pombo.State) func(func([]pombo.State) bool) {
	var walk func([]pombo.State, int, func([]pombo.State) bool) bool
	walk = func(l []pombo.State, at int, yield func([]pombo.State) bool) bool {
		if at == len(l) {
			return yield(slices.Clone(l))
		}
		for i := at; i < len(l); i++ {
			l[at], l[i] = l[i], l[at]
			ok := walk(l, at+1, yield)
			l[at], l[i] = l[i], l[at]
			if !ok {
				return false
			}
		}
		return true
	}
	return func(yield func([]pombo.State) bool) { walk(slices.Clone(list), 0, yield) }
}

// traceWhileQueued: Blip had no trace, so it was queued again; then one comes.
func traceWhileQueued(f *fixture) {
	for _, claimed := range []bool{false, true} {
		for _, s := range []pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered, pombo.Read, pombo.Failed} {
			id, o := f.bring(pombo.Uncertain)
			f.finish(o, pombo.Queued, pombo.NoTrace)
			var n pombo.Notification
			if claimed {
				n = f.claimOne(me)
			}
			if moved := f.receipt(id, s); moved != 1 {
				f.Errorf("%s: moved = %d, want 1", s, moved)
			}
			if got := f.get(id); got.State != s || got.Owner != "" {
				f.Errorf("%s: it is %s of %q", s, got.State, got.Owner)
			}
			if events := f.events(id); events[len(events)-1] != s || !slices.Contains(events, pombo.Accepted) {
				f.Errorf("%s: history %v, want it accepted on the way", s, events)
			}
			if list := f.claim(other, 10); len(list) != 0 {
				f.Errorf("%s: it is claimed and would be sent twice", s)
			}
			if claimed {
				_, err := f.db.Queue.Begin(f.Context(), n, "")
				f.mustBe(err, pombo.ErrLost)
			}
		}
	}
	// What never left has no trace, whatever a receipt says.
	id := f.queue(1)[0]
	if moved := f.receipt(id, pombo.Delivered); moved != 0 {
		f.Errorf("a message that never left was moved")
	}
	f.stands(id, pombo.Queued, pombo.NoReason)
}

// resendByItself: the failed one stays, the next is a generation of its own, and
// there is an end to it.
func resendByItself(f *fixture) {
	row := f.newRows(1)[0]
	row.Priority = 7
	id := f.enqueue(0, row)[0]
	first := id
	for i := 0; ; i++ {
		n := f.send(pombo.Accepted, pombo.NoReason)
		if n.MessageID != id || n.Priority != 7 || n.Phone != row.Phone || len(n.Params) != 1 {
			f.Fatalf("sent %+v, want what was taken in under %s", n, id)
		}
		r := f.failure(id, pombo.ResendBackoff)
		for range 2 { // a repeat changes nothing
			f.apply(r)
		}
		wait, ok := pombo.ResendBackoff.Wait(i)
		n = f.stands(id, pombo.Failed, pombo.ChannelError)
		if !ok {
			if !strings.Contains(n.Detail, "as often as it may be") {
				f.Errorf("detail of the last = %q", n.Detail)
			}
			break
		}
		next := nextOf(n)
		queued := f.stands(next, pombo.Queued, pombo.ResentByItself)
		if !queued.NotBefore.Equal(r.At.Add(wait)) || queued.Attempt != 0 || queued.Tries != 0 {
			f.Errorf("resend %d: not before %v, attempt %d, tries %d; want %v, 0 and 0", i+1, queued.NotBefore, queued.Attempt, queued.Tries, r.At.Add(wait))
		}
		_, events, err := f.db.History.Notification(f.Context(), id)
		f.must(err)
		if told := events[len(events)-1].Detail; !strings.Contains(told, string(next)) {
			f.Errorf("the story of the failed one ends with %q, want the id of the next", told)
		}
		f.pass(wait - time.Second)
		if list := f.claim(me, 1); len(list) != 0 {
			f.Fatal("claimed before its time")
		}
		f.pass(time.Second)
		id = next
	}
	_, _, err := f.db.History.Notification(f.Context(), nextOf(f.get(id)))
	f.mustBe(err, pombo.ErrNotFound)
	f.stands(first, pombo.Failed, pombo.ChannelError)

	// Not what would come too late, nor a row that its owner has changed.
	late := f.newRows(1)[0]
	late.Expires = f.clock.Now().Add(time.Hour)
	id = f.enqueue(0, late)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(f.failure(id, pombo.ResendDays))
	_, _, err = f.db.History.Notification(f.Context(), nextOf(f.get(id)))
	f.mustBe(err, pombo.ErrNotFound)

	id, _ = f.bring(pombo.Accepted)
	due := f.unsettled()
	for i := range due {
		f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[i], Result: pombo.SettleDiverged}}))
	}
	f.apply(f.failure(id, pombo.ResendBackoff))
	_, _, err = f.db.History.Notification(f.Context(), nextOf(f.get(id)))
	f.mustBe(err, pombo.ErrNotFound)

	// One that came over HTTP is sent again too, and owes no table anything.
	api := f.newRows(1)[0]
	n, _, err := f.db.Intake.Add(f.Context(), "http", api)
	f.must(err)
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(f.failure(n.MessageID, pombo.ResendBackoff))
	f.pass(time.Hour)
	f.send(pombo.Accepted, pombo.NoReason)
	f.receipt(nextOf(n), pombo.Read)
	f.nothingDue()
}

// resendSettles: of several generations that continue each other, the newest
// writes to the row, whatever was written for those before, and when.
func resendSettles(f *fixture) {
	again := func(id pombo.MessageID) pombo.MessageID {
		f.Helper()
		f.apply(f.failure(id, pombo.ResendBackoff))
		f.nothingDue()
		f.pass(3 * time.Hour)
		f.send(pombo.Accepted, pombo.NoReason)
		return nextOf(f.get(id))
	}
	// Settled before it failed.
	id := f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
	id = again(id)
	if s := f.settleAll("2", "2"); s.MessageID != id {
		f.Errorf("message id = %s, want that of the message sent last", s.MessageID)
	}
	f.receipt(id, pombo.Read)
	f.settleAll("2", "5")

	// Not settled before; it fails for good in the end.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	id = again(id)
	f.apply(f.failure(id, pombo.ResendNever))
	f.settleAll("1", "3")

	// Settled at first, and failed twice before the second could be.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
	id = again(again(id))
	f.settleAll("2", "2")
	f.receipt(id, pombo.Delivered)
	f.settleAll("2", "4")

	// On its way to the row while it failed.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	due := f.unsettled()
	f.apply(f.failure(id, pombo.ResendBackoff))
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDone}}))
	f.nothingDue()
	f.pass(time.Hour)
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("2", "2")

	// The last generation ends without a code of its own: the row can be set back
	// on purpose all the same.
	row := f.newRows(1)[0]
	id = f.enqueue(0, row)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
	f.apply(f.failure(id, pombo.ResendBackoff))
	finished := f.known([]pombo.Row{row})
	if len(finished) != 0 {
		f.Fatalf("finished = %v while it waits to be sent again", finished)
	}
	f.pass(time.Hour)
	n := f.claimOne(me)
	f.finish(pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: me}, pombo.Suppressed, pombo.OptedOut)
	finished = f.known([]pombo.Row{row})
	f.same("finished", []pombo.Latest{{RowKey: row.RowKey, Generation: 2}}, finished)
	f.takenAgain(1, []pombo.Row{row}, finished)
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2") // its owner has set it back, so that is what the row has
}

// resendKnowsItsRow: what is sent again knows the code that the message before it
// left in the row. Its worker and a reconciliation compare the row with that one.
func resendKnowsItsRow(f *fixture) {
	knows := func(id pombo.MessageID, code string) pombo.Notification {
		f.Helper()
		n := f.claimOne(me)
		if n.MessageID != id || n.Settled != code {
			f.Errorf("claimed %s whose row has %q, want %s and %q", n.MessageID, n.Settled, id, code)
		}
		r, err := f.db.Reconciliation.Reviewed(f.Context(), n.Seq)
		f.must(err)
		if r.Settled != code {
			f.Errorf("reviewed, its row has %q, want %q", r.Settled, code)
		}
		return n
	}
	again := func(id pombo.MessageID) pombo.MessageID {
		f.Helper()
		f.apply(f.failure(id, pombo.ResendBackoff))
		f.pass(3 * time.Hour)
		return nextOf(f.get(id))
	}
	// The row has the code of a message that was sent, twice over.
	id, _ := f.bring(pombo.Accepted)
	f.settleAll("1", "2")
	for range 2 {
		id = again(id)
		f.finish(f.begin(knows(id, "2")), pombo.Accepted, pombo.NoReason)
	}
	f.settleAll("2", "2")
	f.apply(f.failure(id, pombo.ResendNever))
	f.settleAll("2", "3")

	// By hand: the code of its failure; put back meanwhile, that still.
	f.must(f.db.Operator.Retry(f.Context(), id))
	id = nextOf(f.get(id))
	f.finish(f.begin(knows(id, "3")), pombo.Queued, pombo.BlipUnavailable)
	f.finish(f.begin(knows(id, "3")), pombo.Accepted, pombo.NoReason)
	f.settleAll("3", "2")

	// Set back on purpose, the row is pending.
	row := f.newRows(1)[0]
	id = f.enqueue(0, row)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
	f.takenAgain(1, []pombo.Row{row}, []pombo.Latest{{RowKey: row.RowKey, Generation: 1}})
	knows(nextOf(f.get(id)), "")
}

// resendUnsure: the process died between writing to the row and recording it, and
// then the message failed. It is not known which of the two codes the row has.
func resendUnsure(f *fixture) {
	id, _ := f.bring(pombo.Accepted)
	for range 2 {
		f.apply(f.failure(id, pombo.ResendBackoff))
		f.pass(3 * time.Hour)
		id = nextOf(f.get(id))
		n := f.claimOne(me)
		r, err := f.db.Reconciliation.Reviewed(f.Context(), n.Seq)
		f.must(err)
		want := []string{"2", "3"}
		if n.Settled != "" || !slices.Equal(n.Unsure, want) || r.Settled != "" || !slices.Equal(r.Unsure, want) {
			f.Errorf("claimed with %q or %q, reviewed with %q or %q, want none and %q", n.Settled, n.Unsure, r.Settled, r.Unsure, want)
		}
		f.finish(f.begin(n), pombo.Accepted, pombo.NoReason)
	}
	if s := f.settleAll("1", "2"); !slices.Equal(s.Unsure, []string{"2", "3"}) {
		f.Errorf("settled from %q or %q, want the codes that the row may have", s.Expected, s.Unsure)
	}
	f.receipt(id, pombo.Delivered)
	if s := f.settleAll("2", "4"); s.Unsure != nil {
		f.Errorf("settled from %q or %q, want the one that was recorded", s.Expected, s.Unsure)
	}
}

// resendUndone: of two messages with one id, one failed and one arrived.
func resendUndone(f *fixture) {
	id, _ := f.bring(pombo.Accepted)
	f.settleAll("1", "2")
	f.apply(f.failure(id, pombo.ResendBackoff))
	next := nextOf(f.get(id))
	f.stands(next, pombo.Queued, pombo.ResentByItself)
	f.receipt(id, pombo.Delivered)
	_, _, err := f.db.History.Notification(f.Context(), next)
	f.mustBe(err, pombo.ErrNotFound)
	f.settleAll("2", "4")
	f.pass(time.Hour)
	if list := f.claim(me, 1); len(list) != 0 {
		f.Fatal("the message after it is sent all the same")
	}
	// It has left already: then both are what they are.
	id, _ = f.bring(pombo.Accepted)
	f.apply(f.failure(id, pombo.ResendBackoff))
	f.pass(time.Hour)
	f.send(pombo.Accepted, pombo.NoReason)
	f.receipt(id, pombo.Read)
	f.stands(id, pombo.Read, pombo.NoReason)
	f.stands(nextOf(f.get(id)), pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
}

// resendByHand: a person retries what failed by a receipt. Under the old id its
// old receipts would be taken for those of the new message.
func resendByHand(f *fixture) {
	row := f.newRows(1)[0]
	row.Expires = f.clock.Now().Add(time.Minute)
	id := f.enqueue(0, row)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(f.failure(id, pombo.ResendNever))
	f.settleAll("1", "3")
	f.pass(time.Hour)
	f.must(f.db.Operator.Retry(f.Context(), id))
	n := f.stands(id, pombo.Failed, pombo.ChannelError)
	next := nextOf(n)
	f.stands(next, pombo.Queued, pombo.RetriedByOperator)
	if err := f.db.Operator.Retry(f.Context(), id); !errors.Is(err, pombo.ErrMove) {
		f.Errorf("retried twice: %v, want ErrMove", err)
	}
	f.must(f.db.Operator.Retry(f.Context(), next)) // it waits: at once
	f.apply(f.failure(id, pombo.ResendNever))
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("3", "2")

	// Its tries by itself start anew.
	f.apply(f.failure(next, pombo.ResendBackoff))
	f.stands(nextOf(f.get(next)), pombo.Queued, pombo.ResentByItself)

	// Blip never had it: the id is as good as new.
	id, _ = f.bring(pombo.Failed)
	f.must(f.db.Operator.Retry(f.Context(), id))
	f.stands(id, pombo.Queued, pombo.RetriedByOperator)
}
