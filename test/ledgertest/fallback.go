package ledgertest

import (
	"slices"
	"time"

	"pombo"
	"pombo/internal/ledger"
	"pombo/internal/phone"
)

// withFallback opens the ledger anew with a code for another channel.
func (f *fixture) withFallback(after time.Duration) {
	f.Helper()
	f.close()
	f.fallback = ledger.Fallback{Code: "8", On: []pombo.Reason{pombo.Undeliverable, pombo.NotOnWhatsApp, pombo.TriesExhausted}, After: after}
	f.open()
}

// listOf returns the ids that a filter selects, the newest first.
func (f *fixture) listOf(filter pombo.Filter) (ids []pombo.MessageID) {
	f.Helper()
	page, err := f.db.History.List(f.Context(), filter)
	f.must(err)
	for i := range page.Notifications {
		ids = append(ids, page.Notifications[i].MessageID)
	}
	return ids
}

// utility is the category of every template.
func utility(string, string) (is, known bool) { return false, true }

// handedOver decides about what is due, of which so many rows must have been handed over.
func (f *fixture) handedOver(wantFailed, wantLate int, isMarketing func(string, string) (bool, bool)) {
	f.Helper()
	failed, late, err := f.db.Settlements.HandOver(f.Context(), 100, isMarketing)
	f.must(err)
	if failed != wantFailed || late != wantLate {
		f.Fatalf("handed over %d failed and %d late, want %d and %d", failed, late, wantFailed, wantLate)
	}
}

// undeliverable is a receipt that is the end of a message.
func undeliverable(id pombo.MessageID, policy pombo.ResendPolicy) pombo.Receipt {
	return pombo.Receipt{MessageID: id, State: pombo.Failed, Reason: pombo.Undeliverable, Code: 131026, Policy: policy}
}

func fallbackFailed(f *fixture) {
	f.withFallback(0)
	id := f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
	f.handedOver(0, 0, utility)
	f.apply(undeliverable(id, pombo.ResendNever))
	f.nothingDue() // not the code of the failure first
	f.close()      // the process dies
	f.open()
	f.nothingDue()
	f.handedOver(1, 0, utility)
	f.handedOver(0, 0, utility) // once
	told := f.allEvents(pombo.EventFilter{Type: pombo.EventHandedOver})
	if len(told) != 1 || told[0].Key.MessageID() != id || told[0].State != pombo.Failed || told[0].Reason != pombo.HandedOver {
		f.Errorf("events of rows handed over: %+v, want one of the message", told)
	}
	f.same("listed as handed over", []pombo.MessageID{id}, f.listOf(pombo.Filter{HandedOver: true}))
	f.same("listed as handed over and read", 0, len(f.listOf(pombo.Filter{HandedOver: true, State: pombo.Read})))
	s := f.settleAll("2", "8")
	if s.MessageID != id || s.Reason != pombo.Undeliverable {
		f.Errorf("settlement = %+v, want the message and why it failed", s)
	}
	f.nothingDue()
	n := f.stands(id, pombo.Failed, pombo.Undeliverable)
	_, events, err := f.db.History.Notification(f.Context(), id)
	f.must(err)
	if last := events[len(events)-1]; n.Settled != "8" || last.Reason != pombo.HandedOver || last.Detail == "" {
		f.Errorf("settled %q, and the history ends with %+v; want 8, and that it was handed over", n.Settled, last)
	}
	// It arrives after all: that is recorded, and not undone.
	f.receipt(id, pombo.Delivered)
	f.stands(id, pombo.Delivered, pombo.NoReason)
	f.receipt(id, pombo.Read)
	f.handedOver(0, 0, utility)
	f.nothingDue()

	// Not settled before, or the process died between that and its record.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(undeliverable(id, pombo.ResendNever))
	f.handedOver(1, 0, utility)
	if s := f.settleAll("1", "8"); !slices.Contains(s.Unsure, "2") {
		f.Errorf("the row may have %v as well, want 2 among them", s.Unsure)
	}

	// Another code was on its way to the row.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	due := f.unsettled()
	f.apply(undeliverable(id, pombo.ResendNever))
	f.handedOver(1, 0, utility)
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDone}}))
	f.settleAll("2", "8")
	f.nothingDue()

	// A process that was frozen with that finds another code in the row.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	due = f.unsettled()
	f.apply(undeliverable(id, pombo.ResendNever))
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDiverged}}))
	f.handedOver(1, 0, utility)
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDiverged}}))
	f.settleAll("1", "8")

	// Blip was asked for the person and knew no such account.
	f.queue(1)
	n = f.claimOne(me)
	f.finish(pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: me}, pombo.Failed, pombo.NotOnWhatsApp)
	f.handedOver(1, 0, utility)
	f.settleAll("1", "8")

	// No try got through in nine hours.
	f.queue(1)
	f.send(pombo.Failed, pombo.TriesExhausted)
	f.handedOver(1, 0, utility)
	f.settleAll("1", "8")
}

func fallbackLate(f *fixture) {
	f.withFallback(4 * time.Hour)
	id := f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
	f.pass(3 * time.Hour)
	f.receipt(id, pombo.Dispatched) // which is not a delivery
	f.handedOver(0, 0, utility)
	f.pass(time.Hour)
	f.handedOver(0, 1, utility)
	if s := f.settleAll("2", "8"); s.Reason != pombo.HandedOver || s.SentAt.IsZero() {
		f.Errorf("settlement = %+v, want when it was sent and that it was handed over", s)
	}
	f.stands(id, pombo.Dispatched, pombo.NoReason)

	// It fails afterwards: no second message follows the one of the other channel.
	if results, err := f.db.Receipts.Apply(f.Context(), []pombo.Receipt{undeliverable(id, pombo.ResendBackoff)}); err != nil || results[0] != pombo.ReceiptMoved {
		f.Errorf("a failure after that did %v, %v; want the message moved and not sent again", results, err)
	}
	f.handedOver(0, 0, utility)
	f.nothingDue()
	f.pass(24 * time.Hour)
	if list := f.claim(me, 10); len(list) != 0 {
		f.Errorf("claimed %d, want nothing to be sent again", len(list))
	}

	// Delivered in time.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.receipt(id, pombo.Delivered)
	f.pass(24 * time.Hour)
	f.handedOver(0, 0, utility)
	f.settleAll("1", "4")

	// Not while it waits, nor while nobody knows whether it was sent.
	f.queue(1)
	f.pass(24 * time.Hour)
	f.handedOver(0, 0, utility)
	f.send(pombo.Uncertain, pombo.NoAnswer)
	f.pass(24 * time.Hour)
	f.handedOver(0, 0, utility)
	f.nothingDue()
}

func fallbackResends(f *fixture) {
	f.withFallback(4 * time.Hour)
	id := f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
	f.apply(undeliverable(id, pombo.ResendBackoff))
	f.pass(5 * time.Hour) // the first one was sent longer ago
	f.handedOver(0, 0, utility)
	f.nothingDue()
	f.send(pombo.Accepted, pombo.NoReason)
	next := nextOf(f.get(id))
	f.settleAll("2", "2")
	f.handedOver(0, 0, utility)
	f.apply(undeliverable(next, pombo.ResendNever))
	f.handedOver(1, 0, utility)
	f.settleAll("2", "8")

	// As often as it may be.
	id = f.queue(1)[0]
	for range 4 {
		f.send(pombo.Accepted, pombo.NoReason)
		f.handedOver(0, 0, utility)
		f.apply(undeliverable(id, pombo.ResendBackoff))
		id = nextOf(f.get(id))
		f.pass(3 * time.Hour)
	}
	f.handedOver(1, 0, utility)
	f.settleAll("1", "8")

	// It would come too late: there is no further message, so the failure is the last.
	row := f.newRows(1)[0]
	row.Expires = f.clock.Now().Add(time.Minute)
	id = f.enqueue(0, row)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(undeliverable(id, pombo.ResendBackoff))
	f.handedOver(1, 0, utility)
	f.settleAll("1", "8")
}

func fallbackOptOuts(f *fixture) {
	f.withFallback(0)
	marketing := func(string, string) (bool, bool) { return true, true }
	unknown := func(string, string) (bool, bool) { return false, false }
	fails := func(optOut func(n pombo.Notification) pombo.OptOut) {
		f.Helper()
		id := f.queue(1)[0]
		n := f.send(pombo.Accepted, pombo.NoReason)
		f.must(f.db.OptOuts.OptOut(f.Context(), optOut(n)))
		f.apply(undeliverable(id, pombo.ResendNever))
	}
	fails(func(n pombo.Notification) pombo.OptOut { return pombo.OptOut{Phone: n.Phone} })
	f.handedOver(0, 0, utility)
	f.settleAll("1", "3")

	// Known by Blip's name alone, which was asked just now, or which only a receipt says.
	id := f.queue(1)[0]
	n := f.goes()
	f.must(f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{Identity: pombo.Private(identityOf(n.Phone))}))
	f.apply(undeliverable(id, pombo.ResendNever))
	f.handedOver(0, 0, utility)
	f.settleAll("1", "3")
	id = f.queue(1)[0]
	n = f.send(pombo.Accepted, pombo.NoReason)
	f.must(f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{Identity: pombo.Private(identityOf(n.Phone))}))
	failure := undeliverable(id, pombo.ResendNever)
	failure.Identity = pombo.Private(identityOf(n.Phone))
	f.apply(failure)
	f.handedOver(0, 0, utility)
	f.settleAll("1", "3")

	marketingOnly := func(n pombo.Notification) pombo.OptOut {
		return pombo.OptOut{Phone: n.Phone, Scope: pombo.OptOutMarketing}
	}
	fails(marketingOnly)
	f.handedOver(0, 0, marketing)
	f.settleAll("1", "3")

	fails(marketingOnly)
	f.handedOver(1, 0, utility)
	f.settleAll("1", "8")

	fails(marketingOnly)
	f.handedOver(0, 0, unknown)
	f.settleAll("1", "3") // it does not hold the row up
	f.pass(time.Minute)
	f.handedOver(1, 0, utility)
	f.settleAll("3", "8")
}

func fallbackNever(f *fixture) {
	f.withFallback(time.Hour)
	settles := func() {
		f.Helper()
		f.pass(2 * time.Hour)
		f.handedOver(0, 0, utility)
		f.settleAll("1", "3")
	}
	// Blip refused the message: that says nothing about the person.
	f.queue(1)
	f.send(pombo.Failed, pombo.Undeliverable)
	settles()
	f.queue(1)
	f.send(pombo.Failed, pombo.TemplateRefused)
	settles()
	// Another reason.
	id := f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(pombo.Receipt{MessageID: id, State: pombo.Failed, Reason: pombo.ParameterFormat})
	settles()
	// The row has another owner now.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	due := f.unsettled()
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDiverged}}))
	f.apply(undeliverable(id, pombo.ResendNever))
	f.handedOver(0, 0, utility)
	f.nothingDue()
	// A message without a row.
	row := f.newRows(1)[0]
	n, _, err := f.db.Intake.Add(f.Context(), "http", row)
	f.must(err)
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(undeliverable(n.MessageID, pombo.ResendNever))
	f.handedOver(0, 0, utility)
	f.nothingDue()
	// A person who was forgotten.
	id = f.queue(1)[0]
	n = f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")
	_, err = f.db.Retention.Forget(f.Context(), n.Phone, true)
	f.must(err)
	f.pass(2 * time.Hour)
	f.handedOver(0, 0, utility)
	f.nothingDue()
	if f.get(id).Phone != (phone.Number{}) {
		f.Error("the phone is still there")
	}
	// The code was taken out of the settings: nothing waits for it.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(undeliverable(id, pombo.ResendNever))
	f.close()
	f.fallback = ledger.Fallback{}
	f.open()
	settles()
}

func fallbackSettles(f *fixture) {
	f.withFallback(0)
	row := f.newRows(1)[0]
	id := f.enqueue(0, row)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(undeliverable(id, pombo.ResendNever))
	f.handedOver(1, 0, utility)
	f.settleAll("1", "8")
	// Its owner sets it back on purpose.
	finished := f.known([]pombo.Row{row})
	f.takenAgain(1, []pombo.Row{row}, finished)
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("1", "2")

	// An operator retries it: over the code of the other channel, if that still stands.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(undeliverable(id, pombo.ResendNever))
	f.handedOver(1, 0, utility)
	f.settleAll("1", "8")
	f.must(f.db.Operator.Retry(f.Context(), id))
	f.send(pombo.Accepted, pombo.NoReason)
	f.settleAll("8", "2")

	f.queue(1)
	n := f.send(pombo.Failed, pombo.TriesExhausted)
	f.handedOver(1, 0, utility)
	f.settleAll("1", "8")
	f.must(f.db.Operator.Retry(f.Context(), n.MessageID))
	f.send(pombo.Accepted, pombo.NoReason)
	f.handedOver(0, 0, utility)
	f.settleAll("8", "2")

	// Retried before it is known whether the code of the other channel was written.
	id = f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.apply(undeliverable(id, pombo.ResendNever))
	f.handedOver(1, 0, utility)
	f.must(f.db.Operator.Retry(f.Context(), id))
	f.send(pombo.Accepted, pombo.NoReason)
	if due := f.unsettled(); len(due) != 1 || due[0].Code != "2" || !slices.Contains(due[0].Unsure, "8") {
		f.Errorf("due = %+v, want 2 over 1 or 8", due)
	}
}
