package ledgertest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/ledger"
	"pombo/internal/phone"
)

const (
	retention = 90 * 24 * time.Hour
	day       = 24 * time.Hour
)

func (f *fixture) retire() pombo.Retired {
	f.Helper()
	done, err := f.db.Retention.Retire(f.Context(), retention)
	f.must(err)
	return done
}

// endSettling writes everything that is owed, with one result.
func (f *fixture) endSettling(result pombo.SettleResult) {
	f.Helper()
	due := f.unsettled()
	settled := make([]pombo.Settled, len(due))
	for i := range due {
		settled[i] = pombo.Settled{Settlement: due[i], Result: result}
	}
	f.must(f.db.Settlements.Settled(f.Context(), settled))
}

func (f *fixture) erased(id pombo.MessageID) bool {
	f.Helper()
	n := f.get(id)
	return n.Recipient == "" && n.Phone.IsZero() && len(n.Params) == 0
}

// ends is one notification for each way in which its row can be left behind.
type ends struct {
	settled, failed, cancelled, diverged, again, owed, queued, uncertain, outside pombo.MessageID
	rows                                                                          []pombo.Row // of the table
}

// leaveBehind makes them. Only accepted ones have a code, as most tables have it.
func (f *fixture) leaveBehind() (e ends) {
	f.Helper()
	f.must(f.db.Close())
	f.codes = map[pombo.State]string{pombo.Accepted: "2"}
	f.open()
	e.rows = f.newRows(8)
	one := func(i int) pombo.MessageID { return f.enqueue(0, e.rows[i])[0] }
	e.settled = one(0)
	f.send(pombo.Accepted, pombo.NoReason)
	e.again = one(1)
	f.send(pombo.Accepted, pombo.NoReason)
	f.endSettling(pombo.SettleDone)
	f.takenAgain(1, e.rows[1:2], []pombo.Latest{{RowKey: e.rows[1].RowKey, Generation: 1}})
	f.send(pombo.Accepted, pombo.NoReason)
	f.endSettling(pombo.SettleDone)
	e.diverged = one(2)
	f.send(pombo.Accepted, pombo.NoReason)
	f.endSettling(pombo.SettleDiverged)
	e.failed = one(3)
	f.send(pombo.Failed, pombo.NotOnWhatsApp)
	e.cancelled = one(4)
	f.must(f.db.Operator.Cancel(f.Context(), e.cancelled))
	f.endSettling(pombo.SettleDone) // which finds that nothing is owed
	e.owed = one(5)
	f.send(pombo.Accepted, pombo.NoReason)
	e.uncertain = one(6)
	f.send(pombo.Uncertain, pombo.NoAnswer)
	number, err := phone.FromE164("+5531988887777")
	f.must(err)
	n, _, err := f.db.Intake.Add(f.Context(), "api", pombo.Row{RowKey: "k", Recipient: "31 98888-7777", Phone: number})
	f.must(err)
	e.outside = n.MessageID
	f.send(pombo.Accepted, pombo.NoReason)
	e.queued = one(7)
	return e
}

func retire(f *fixture) {
	e := f.leaveBehind()
	second := pombo.Key{Source: source, RowKey: e.rows[1].RowKey, Generation: 2}.MessageID()
	f.pass(retention - time.Second)
	if got := f.retire(); got != (pombo.Retired{}) {
		f.Fatalf("a second before the time is over %+v left, want none", got)
	}
	f.pass(2 * time.Second)
	want := pombo.Retired{Erased: 7}
	f.same("when the time is over", want, f.retire(), identitiesAside)
	for name, id := range map[string]pombo.MessageID{
		"settled": e.settled, "failed": e.failed, "cancelled": e.cancelled, "diverged": e.diverged, "again": e.again, "second": second, "outside": e.outside,
	} {
		if !f.erased(id) {
			f.Errorf("the %s one has its message still", name)
		}
	}
	for name, id := range map[string]pombo.MessageID{"owed": e.owed, "queued": e.queued, "uncertain": e.uncertain} {
		if f.erased(id) {
			f.Errorf("the %s one was erased", name)
		}
	}
	_, events, err := f.db.History.Notification(f.Context(), e.failed)
	f.must(err)
	if got := events[len(events)-1].Reason; got != pombo.KeptLongEnough {
		f.Errorf("the story ends with %q, want it to say why the message is gone", got)
	}
	f.stands(e.failed, pombo.Failed, pombo.NotOnWhatsApp)

	if got := f.retire(); got != (pombo.Retired{}) {
		f.Errorf("at once again %+v, want none", got)
	}
	f.pass(day)
	want = pombo.Retired{Removed: 2}
	f.same("a day later", want, f.retire(), identitiesAside)
	for _, id := range []pombo.MessageID{e.settled, e.outside} {
		_, _, err := f.db.History.Notification(f.Context(), id)
		f.mustBe(err, pombo.ErrNotFound)
	}
	f.stands(second, pombo.Accepted, pombo.NoReason)
	f.pass(365 * day)
	if got := f.retire(); got.Removed != 0 {
		f.Errorf("a year later %+v, want no more", got)
	}

	// A failed one has nothing to send any more, until its row is read again.
	f.mustBe(f.db.Operator.Retry(f.Context(), e.failed), pombo.ErrMove)
	f.must(f.db.Operator.Correct(f.Context(), e.failed, e.rows[3]))
	f.must(f.db.Operator.Retry(f.Context(), e.failed))
	if n := f.get(e.failed); n.Recipient != e.rows[3].Recipient || n.State != pombo.Queued {
		f.Errorf("it is %s to %q, want it queued to whom the row names", n.State, n.Recipient.Reveal())
	}

	if _, err := f.db.Retention.Retire(f.Context(), ledger.MinRetention-1); err == nil {
		f.Error("a time shorter than the least was taken")
	}
}

// identitiesAside leaves out how many look-ups left, of which each begin made one.
var identitiesAside = cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Identities" }, cmp.Ignore())

// Whatever left: a row that is pending is never sent again but by its owner's
// wish.
func retireSendsNothing(f *fixture) {
	e := f.leaveBehind()
	f.send(pombo.Failed, pombo.NotOnWhatsApp) // the queued one
	f.pass(retention + time.Second)
	f.retire()
	f.pass(day)
	f.retire()
	// All rows but those whose code was written are still pending in the table;
	// so is one that had diverged, whose owner has set it to pending since.
	pending := e.rows[2:]
	finished := f.known(pending)
	want := []pombo.Latest{{RowKey: e.rows[2].RowKey, Generation: 1}}
	f.same("to be taken in again", want, setBack(finished))
	// The row with two generations, set back once more, gets a third and no
	// number that was used before.
	finished = f.known(e.rows[1:2])
	f.same("finished", []pombo.Latest{{RowKey: e.rows[1].RowKey, Generation: 2}}, finished)
}

func retireMany(f *fixture) {
	const rows = 1203 // more than two steps
	run := f.startRun()
	f.enqueue(run.ID, f.newRows(rows)...)
	f.must(f.db.Runs.RunTaken(f.Context(), run.ID, ""))
	f.atOnce(f.claim(me, rows), func(_ int, n pombo.Notification) error {
		o, err := f.tryBegin(n)
		if err != nil {
			return err
		}
		return f.tryFinish(o, pombo.Accepted, pombo.NoReason)
	})
	f.endSettling(pombo.SettleDone)
	f.endSettling(pombo.SettleDone)
	if _, ended := f.endRun(run.ID); !ended {
		f.Fatal("the run has not ended")
	}
	f.pass(retention + day)
	if got := f.retire(); got.Erased != rows || got.Runs != 0 {
		f.Fatalf("%+v, want %d erased and the newest run kept", got, rows)
	}
	second := f.startRun()
	f.pass(day)
	if got := f.retire(); got.Removed != rows-1 || got.Runs != 1 {
		f.Errorf("%+v, want all but the newest removed, and the older run", got)
	}
	_, err := f.db.Runs.Run(f.Context(), run.ID)
	f.mustBe(err, pombo.ErrNotFound)
	before, err := f.db.Runs.Run(f.Context(), second.ID)
	f.must(err)
	f.enqueue(second.ID, f.newRows(1)...)
	after, err := f.db.Runs.Run(f.Context(), second.ID)
	f.must(err)
	if before.Found != 0 || after.Found != 1 {
		f.Errorf("the run has %d rows and then %d, want 0 and 1", before.Found, after.Found)
	}
}

func forget(f *fixture) {
	e := f.leaveBehind()
	f.must(f.db.Operator.Cancel(f.Context(), e.queued))
	rows := f.newRows(4)
	for i := range rows {
		rows[i].Phone = e.rows[0].Phone
	}
	f.enqueue(0, rows[0])
	held := f.claimOne(me)
	waits := f.enqueue(0, rows[1])[0]
	to := rows[0].Phone

	got, err := f.db.Retention.Forget(f.Context(), to, false)
	f.must(err)
	f.same("only counted", pombo.Forgotten{Found: 3, Open: 1, InFlight: 1}, got)
	f.stands(waits, pombo.Queued, pombo.NoReason)
	got, err = f.db.Retention.Forget(f.Context(), to, true)
	f.must(err)
	f.same("erased", pombo.Forgotten{Found: 3, Open: 1, InFlight: 1, Erased: 2}, got)
	if !f.erased(e.settled) || !f.erased(waits) || f.erased(held.MessageID) {
		f.Error("the finished and the waiting one must be erased, the one in flight not")
	}
	f.stands(waits, pombo.Cancelled, pombo.CancelledByHand)
	f.finish(f.begin(held), pombo.Accepted, pombo.NoReason)
	got, err = f.db.Retention.Forget(f.Context(), to, true)
	f.must(err)
	if got.Erased != 1 || !f.erased(held.MessageID) {
		f.Errorf("%+v, want the one that was in flight erased now", got)
	}
	// What is owed is still written, with what the history says.
	due := f.unsettled()
	found := false
	for _, s := range due {
		found = found || s.MessageID == held.MessageID && s.Code == "2" && !s.SentAt.IsZero()
	}
	if !found {
		f.Errorf("due = %+v, want the erased one among them", due)
	}
	page, err := f.db.History.List(f.Context(), pombo.Filter{Phone: to.E164()})
	f.must(err)
	if found := len(page.Notifications); found != 0 {
		f.Errorf("%d are found by the phone, want none", found)
	}
	// No other lost anything, and no row is taken in again.
	if f.erased(e.failed) || f.erased(e.outside) {
		f.Error("somebody else was forgotten too")
	}
	finished := f.known(rows[:2])
	if back := setBack(finished); len(back) != 0 {
		f.Errorf("%d taken in again, want none", len(back))
	}
	n := f.get(e.settled)
	if n.State != pombo.Accepted || n.Settled != "2" {
		f.Errorf("it is %s with %q, want what it was", n.State, n.Settled)
	}
}

// recoverRows: what Blip reports of rows whose ledger was lost.
func recoverRows(f *fixture) {
	empty, err := f.db.Reconciliation.Empty(f.Context())
	f.must(err)
	if !empty {
		f.Error("a new ledger is not empty")
	}
	sent := f.clock.Now().Add(-time.Hour)
	reported := func(states ...pombo.State) (list []pombo.Receipt) {
		for i, s := range states {
			list = append(list, pombo.Receipt{State: s, At: sent.Add(time.Duration(i) * time.Second)})
		}
		return list
	}
	rows := f.newRows(4)
	for _, test := range []struct {
		generations [][]pombo.Receipt
		want        pombo.State
		code        string
	}{
		{[][]pombo.Receipt{reported(pombo.Accepted)}, pombo.Accepted, "2"},
		{[][]pombo.Receipt{reported(pombo.Read, pombo.Delivered)}, pombo.Read, "5"}, // in no order
		{[][]pombo.Receipt{{{State: pombo.Failed, Reason: pombo.NotOnWhatsApp}}}, pombo.Failed, "3"},
		{[][]pombo.Receipt{nil, reported(pombo.Dispatched)}, pombo.Dispatched, "2"},
	} {
		row := rows[0]
		rows = rows[1:]
		f.must(f.db.Reconciliation.Recover(f.Context(), source, row, test.generations))
		f.must(f.db.Reconciliation.Recover(f.Context(), source, row, test.generations)) // changes nothing
		known, err := f.db.Reconciliation.Knows(f.Context(), source, row.RowKey)
		f.must(err)
		id := pombo.Key{Source: source, RowKey: row.RowKey, Generation: len(test.generations)}.MessageID()
		n := f.get(id)
		if !known || n.State != test.want || n.Attempt != 1 || n.Recipient != row.Recipient || n.Phone != row.Phone {
			f.Errorf("known %v, %+v, want %s as the row has it", known, n, test.want)
		}
		due := f.unsettled()
		if len(due) != 1 || due[0].MessageID != id || due[0].Code != test.code || due[0].Expected != "1" || due[0].SentAt.IsZero() {
			f.Errorf("due = %+v, want the code %s for %s and nothing else", due, test.code, id)
		}
		f.endSettling(pombo.SettleDone)
		// The row is not sent again, but by its owner's wish.
		finished := f.known([]pombo.Row{row})
		want := []pombo.Latest{{RowKey: row.RowKey, Generation: len(test.generations)}}
		f.same("finished", want, finished)
	}
	if list := f.claim(me, 10); len(list) != 0 {
		f.Errorf("%d are to be sent, want none", len(list))
	}
	// The company's systems are told of each message once: how it stands.
	told := map[pombo.EventType]int{}
	for _, e := range f.allEvents(pombo.EventFilter{}) {
		told[e.Type]++
	}
	f.same("events of what was rebuilt", map[pombo.EventType]int{pombo.EventAccepted: 2, pombo.EventRead: 1, pombo.EventFailed: 1, pombo.EventCancelled: 1}, told)
	f.pass(time.Minute)
	polls, err := f.db.Receipts.PollDue(f.Context(), 10)
	f.must(err)
	if len(polls) != 2 { // neither the read one nor the failed one
		f.Errorf("%d are asked about, want 2", len(polls))
	}
	if err := f.db.Reconciliation.Recover(f.Context(), source, f.newRows(1)[0], [][]pombo.Receipt{nil}); err == nil {
		f.Error("a row without a trace was recovered")
	}
	owners, err := f.db.Leases.Owners(f.Context())
	f.must(err)
	empty, err = f.db.Reconciliation.Empty(f.Context())
	f.must(err)
	if owners != 0 || empty {
		f.Errorf("%d owners, empty %v, want none and false", owners, empty)
	}
	f.must(f.db.Leases.Renew(f.Context(), me))
	if owners, err = f.db.Leases.Owners(f.Context()); err != nil || owners != 1 {
		f.Errorf("%d owners, error %v, want one", owners, err)
	}
}

// review: what is new, and of the old what is not over, by pages.
func review(f *fixture) {
	e := f.leaveBehind()
	f.pass(96 * time.Hour)
	fresh := f.queue(1)[0]
	names := map[pombo.MessageID]string{
		e.settled: "settled", e.failed: "failed", e.cancelled: "cancelled", e.diverged: "diverged", e.again: "again", e.owed: "owed",
		e.queued: "queued", e.uncertain: "uncertain", e.outside: "outside", fresh: "fresh",
		pombo.Key{Source: source, RowKey: e.rows[1].RowKey, Generation: 2}.MessageID(): "second",
	}
	all := func(since time.Time, limit int) (found []string, list []pombo.Review) {
		f.Helper()
		for last := int64(0); ; {
			page, err := f.db.Reconciliation.Review(f.Context(), since, last, limit)
			f.must(err)
			for _, r := range page {
				found = append(found, names[r.MessageID])
				last = r.Seq
			}
			list = append(list, page...)
			if len(page) < limit {
				return found, list
			}
		}
	}
	want := []string{"owed", "uncertain", "queued", "fresh"}
	for _, limit := range []int{1, 2, 3, 100} {
		got, _ := all(f.clock.Now().Add(-72*time.Hour), limit)
		if diff := cmp.Diff(want, got); diff != "" {
			f.Errorf("since three days by %d (-want +got):\n%s", limit, diff)
		}
	}
	got, list := all(time.Time{}, 4)
	if len(got) != len(names) {
		f.Errorf("all that there are = %v, want %d", got, len(names))
	}
	for _, r := range list {
		n := f.get(r.MessageID)
		want := pombo.Review{
			Seq: n.Seq, MessageID: n.MessageID, Key: n.Key, State: n.State, Attempt: n.Attempt, Created: n.Created, Begun: n.Begun, Updated: n.Updated,
			Settled: n.Settled, Owed: r.MessageID == e.owed, Accepted: n.State == pombo.Accepted, Latest: r.MessageID != e.again,
		}
		if r.MessageID == e.diverged {
			want.SettleResult = pombo.SettleDiverged
		}
		if diff := cmp.Diff(want, r); diff != "" {
			f.Errorf("the %s one (-want +got):\n%s", names[r.MessageID], diff)
		}
		one, err := f.db.Reconciliation.Reviewed(f.Context(), r.Seq)
		f.must(err)
		f.same("alone it is another one", r, one)
	}
	_, err := f.db.Reconciliation.Reviewed(f.Context(), 1<<40)
	f.mustBe(err, pombo.ErrNotFound)

	_, err = f.db.Reconciliation.LastReconciliation(f.Context())
	f.mustBe(err, pombo.ErrNotFound)
	for i := range 2 {
		saved := pombo.Reconciliation{
			Started: f.clock.Now(), Finished: f.clock.Now().Add(time.Second), Compared: i, Counts: map[pombo.DiscrepancyKind]int{pombo.RowGone: 1},
			Discrepancies: []pombo.Discrepancy{{Kind: pombo.RowGone, MessageID: e.owed, Key: list[0].Key}},
		}
		f.must(f.db.Reconciliation.SaveReconciliation(f.Context(), saved))
		last, err := f.db.Reconciliation.LastReconciliation(f.Context())
		f.must(err)
		if diff := cmp.Diff(saved, last); diff != "" {
			f.Errorf("the last one (-saved +read):\n%s", diff)
		}
	}
}
