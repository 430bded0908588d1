package ledgertest

import (
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// settleAll writes back the only result that is due, which has to be that code.
func (f *fixture) settleAll(expected, code string) pombo.Settlement {
	f.Helper()
	due := f.unsettled()
	if len(due) != 1 || due[0].Expected != expected || due[0].Code != code {
		f.Fatalf("due = %+v, want one from %s to %s", due, expected, code)
	}
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDone}}))
	return due[0]
}

func (f *fixture) nothingDue() {
	f.Helper()
	due := f.unsettled()
	if len(due) != 0 {
		f.Fatalf("due = %+v, want nothing", due)
	}
}

func settle(f *fixture) {
	id := f.queue(1)[0]
	f.nothingDue()
	begun := f.clock.Now()
	n := f.send(pombo.Accepted, pombo.NoReason)
	f.pass(time.Second)
	got := f.settleAll("1", "2")
	want := pombo.Settlement{Seq: n.Seq, RowKey: n.Key.RowKey, Expected: "1", Code: "2", MessageID: id, SentAt: begun}
	f.same("settlement", want, got)
	f.nothingDue()
	if got := f.get(id).Settled; got != "2" {
		f.Errorf("settled = %q, want 2", got)
	}
	f.receipt(id, pombo.Dispatched) // has no code of its own
	f.nothingDue()
	f.receipt(id, pombo.Delivered)
	f.settleAll("2", "4")
	f.receipt(id, pombo.Read)
	f.settleAll("4", "5")
	f.nothingDue()

	// What failed before it was sent has a sentence and no time.
	f.queue(1)
	o := f.claimOne(me)
	f.finish(pombo.Outcome{Seq: o.Seq, From: pombo.Claimed, Owner: me}, pombo.Failed, pombo.InvalidPhone)
	got = f.settleAll("1", "3")
	if !got.SentAt.IsZero() || got.Reason != pombo.InvalidPhone {
		f.Errorf("settlement = %+v, want the reason and no time", got)
	}

	// The source is away: it is asked again, but not at once.
	f.queue(1)
	f.send(pombo.Accepted, pombo.NoReason)
	due := f.unsettled()
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleLater}}))
	f.nothingDue()
	f.pass(time.Minute)
	f.settleAll("1", "2")

	// Left alone: said once, with the reason, and not tried again.
	for _, result := range []pombo.SettleResult{pombo.SettleDiverged, pombo.SettleGone, pombo.SettleRefused} {
		id = f.queue(1)[0]
		f.send(pombo.Accepted, pombo.NoReason)
		due = f.unsettled()
		parked := []pombo.Settled{{Settlement: due[0], Result: result, Detail: `it has "7"`}}
		f.must(f.db.Settlements.Settled(f.Context(), parked))
		f.must(f.db.Settlements.Settled(f.Context(), parked))
		f.pass(time.Hour)
		f.nothingDue()
		f.receipt(id, pombo.Read)
		f.nothingDue()
		n, events, err := f.db.History.Notification(f.Context(), id)
		f.must(err)
		if n.Reason != pombo.NoReason || n.Detail != "" || n.State != pombo.Read {
			f.Errorf("%s: the row's trouble changed the notification: %s %q %q", result, n.State, n.Reason, n.Detail)
		}
		if told := events[len(events)-2].Detail; len(events) != 6 || !strings.HasSuffix(told, `: it has "7"`) {
			f.Errorf("%s: events = %v, want one about the row", result, events)
		}
	}
	b, err := f.db.History.Backlog(f.Context())
	f.must(err)
	if b.Diverged != 1 || b.Due != 0 {
		f.Errorf("diverged %d, due %d; want 1 and 0", b.Diverged, b.Due)
	}
}

// settleMovedOn: between reading what is due and marking it, the world turned.
func settleMovedOn(f *fixture) {
	id := f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	due := f.unsettled()
	f.receipt(id, pombo.Delivered)
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDone}}))
	f.settleAll("2", "4")

	// Read before anything was written: only the last code is.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.receipt(id, pombo.Read)
	f.settleAll("1", "5")
	f.nothingDue()

	// Retried while the code of its failure was on its way to the row.
	id = f.queue(1)[0]
	f.finish(f.begin(f.claimOne(me)), pombo.Failed, pombo.NotOnWhatsApp)
	due = f.unsettled()
	f.must(f.db.Operator.Retry(f.Context(), id))
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDone}}))
	f.nothingDue()
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("3", "2")
}

// neverSettled: the codes are those of a table that knows pending and sent only.
func neverSettled(f *fixture) {
	f.close()
	f.codes = map[pombo.State]string{pombo.Accepted: "2"}
	f.open()

	f.queue(1)
	f.send(pombo.Failed, pombo.NotOnWhatsApp)
	f.nothingDue()

	id := f.queue(1)[0]
	f.must(f.db.Operator.Cancel(f.Context(), id))
	f.nothingDue()

	// It went, and was settled or not by the time that WhatsApp refused it: the
	// row has the same code in the end.
	for _, settledFirst := range []bool{true, false} {
		id = f.queue(1)[0]
		f.send(pombo.Accepted, pombo.NoReason)
		if settledFirst {
			f.settleAll("1", "2")
		}
		f.receipt(id, pombo.Failed)
		if !settledFirst {
			f.settleAll("1", "2")
		}
		f.nothingDue()
	}
	// Delivered on a trace, never seen accepted: it went.
	id, _ = f.bring(pombo.Uncertain)
	f.receipt(id, pombo.Delivered)
	f.settleAll("1", "2")

	// A row of a table that was configured before must not be written to this one.
	row := f.newRows(1)[0]
	_, _, err := f.db.Intake.Enqueue(f.Context(), "OTHER_TABLE", 0, []pombo.Row{row})
	f.must(err)
	f.send(pombo.Accepted, pombo.NoReason)
	f.nothingDue()
}

func receipts(f *fixture) {
	id := f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	at := f.clock.Now()
	unknown := pombo.Key{Source: source, RowKey: "unknown", Generation: 1}.MessageID()
	batch := []pombo.Receipt{
		{MessageID: id, State: pombo.Accepted}, // a repeat
		{MessageID: id, State: pombo.Delivered, At: at.Add(time.Hour)},
		{MessageID: unknown, State: pombo.Read},
		{MessageID: id, State: pombo.Dispatched},                     // late
		{MessageID: id, State: pombo.Failed, Reason: pombo.OptedOut}, // it was delivered, so it has not failed
		{MessageID: "no id at all", State: pombo.Read},
		{MessageID: id, State: pombo.Delivered},
		{MessageID: id, State: pombo.Read},
	}
	for i := range 2 {
		got, err := f.db.Receipts.Apply(f.Context(), batch)
		f.must(err)
		want := []pombo.ReceiptResult{
			pombo.ReceiptStale, pombo.ReceiptMoved, pombo.ReceiptUnknown, pombo.ReceiptStale,
			pombo.ReceiptStale, pombo.ReceiptUnknown, pombo.ReceiptStale, pombo.ReceiptMoved,
		}
		if i == 1 {
			want[1], want[7] = pombo.ReceiptStale, pombo.ReceiptStale
		}
		if diff := cmp.Diff(want, got); diff != "" {
			f.Errorf("pass %d: results (-want +got):\n%s", i+1, diff)
		}
	}
	_, events, err := f.db.History.Notification(f.Context(), id)
	f.must(err)
	want := []pombo.Event{
		{At: at, State: pombo.Accepted, Attempt: 1},
		{At: at, State: pombo.Delivered, Attempt: 1}, // Blip's clock may be ahead; a history is not
		{At: at, State: pombo.Read, Attempt: 1},
	}
	f.same("history", want, events[3:])

	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(pombo.Receipt{MessageID: id, State: pombo.Failed, Reason: pombo.Undeliverable, Code: 131026, Detail: "Message undeliverable"})
	n := f.stands(id, pombo.Failed, pombo.Undeliverable)
	if want := "code 131026: Message undeliverable; not sent again automatically"; n.Detail != want {
		f.Errorf("detail = %q, want %q", n.Detail, want)
	}
}

// receiptsFirst: a receipt overtakes the answer to the POST, or replaces it.
func receiptsFirst(f *fixture) {
	id := f.queue(1)[0]
	o := f.begin(f.claimOne(me))
	if f.receipt(id, pombo.Delivered) != 1 {
		f.Fatal("the receipt was not applied")
	}
	f.stands(id, pombo.Delivered, pombo.NoReason)
	f.finish(o, pombo.Accepted, pombo.NoReason) // the worker's answer comes late and is not an error
	f.stands(id, pombo.Delivered, pombo.NoReason)
	want := []pombo.State{pombo.Queued, pombo.Claimed, pombo.Sending, pombo.Accepted, pombo.Delivered}
	f.same("history", want, f.events(id))

	id, _ = f.bring(pombo.Uncertain)
	f.receipt(id, pombo.Accepted)
	f.stands(id, pombo.Accepted, pombo.TraceFound)
	list, err := f.db.Doubts.Uncertain(f.Context(), 10)
	f.must(err)
	if len(list) != 0 {
		f.Errorf("uncertain = %d, want none", len(list))
	}
}

func (f *fixture) polled(seq int64, next time.Time) {
	f.Helper()
	f.must(f.db.Receipts.Polled(f.Context(), []pombo.NextPoll{{Seq: seq, At: next}}))
}

func polls(f *fixture) {
	due := func(want int, when string) {
		f.Helper()
		list, err := f.db.Receipts.PollDue(f.Context(), 10)
		f.must(err)
		if len(list) != want {
			f.Errorf("polls due %s = %d, want %d", when, len(list), want)
		}
	}
	id := f.queue(1)[0]
	n := f.send(pombo.Accepted, pombo.NoReason)
	due(0, "at once")
	f.pass(30 * time.Second)
	list, err := f.db.Receipts.PollDue(f.Context(), 10)
	f.must(err)
	if len(list) != 1 || list[0].MessageID != id || list[0].Begun.IsZero() {
		f.Fatalf("polls due = %v, want one with its begin", list)
	}
	f.polled(n.Seq, f.clock.Now().Add(time.Minute))
	due(0, "before the next time")
	f.pass(time.Minute)
	f.receipt(id, pombo.Delivered)
	due(1, "after delivery")
	f.polled(n.Seq, time.Time{})
	due(0, "after the last")
	f.polled(n.Seq, f.clock.Now())
	due(0, "after it ended")

	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.pass(time.Minute)
	f.receipt(id, pombo.Read)
	due(0, "after read")
	id, _ = f.bring(pombo.Uncertain)
	f.receipt(id, pombo.Dispatched)
	f.pass(time.Minute)
	due(1, "after a trace")
}
