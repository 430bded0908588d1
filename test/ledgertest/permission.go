package ledgertest

import (
	"errors"
	"slices"
	"sync"
	"time"

	"pombo"
	"pombo/internal/ledger"
	"pombo/internal/phone"
)

// expireWaiting: what is too late ends although it is not claimed.
func expireWaiting(f *fixture) {
	rows := f.newRows(6)
	for i := range 5 {
		rows[i].Expires = f.clock.Now().Add(time.Duration(i+1) * time.Minute)
	}
	rows[1].SendAfter = f.clock.Now().Add(time.Hour)
	ids := f.enqueue(0, rows...)
	held := f.claim(me, 1)[0] // the first row: claimed
	expire := func(want int) {
		f.Helper()
		got, err := f.db.Queue.Expire(f.Context())
		f.must(err)
		if got != want {
			f.Fatalf("expired %d, want %d", got, want)
		}
	}
	expire(0)
	f.pass(3 * time.Minute)
	expire(2)
	expire(0)
	f.stands(ids[1], pombo.Expired, pombo.ExpiredRow)
	f.stands(ids[2], pombo.Expired, pombo.ExpiredRow)
	f.stands(ids[0], pombo.Claimed, pombo.NoReason)
	f.stands(ids[3], pombo.Queued, pombo.NoReason)

	// Put back until tomorrow it is too late at once.
	f.must(f.db.Queue.Finish(f.Context(), pombo.Outcome{
		Seq: held.Seq, From: pombo.Claimed, Owner: me, To: pombo.Queued, Reason: pombo.QuietHours, NotBefore: f.clock.Now().Add(8 * time.Hour),
	}))
	f.stands(ids[0], pombo.Queued, pombo.QuietHours)
	expire(1)
	f.stands(ids[0], pombo.Expired, pombo.ExpiredRow)
	f.pass(time.Hour)
	expire(2)
	f.stands(ids[5], pombo.Queued, pombo.NoReason)
	f.must(f.db.Operator.Retry(f.Context(), ids[1])) // a person wants it all the same
	expire(0)
	f.stands(ids[1], pombo.Queued, pombo.RetriedByOperator)
}

// rowWithdrawn: nothing is written to the row, and set back to pending it is
// another generation.
func rowWithdrawn(f *fixture) {
	rows := f.newRows(2)
	ids := f.enqueue(0, rows...)
	held := f.claim(me, 2)
	back := func(n pombo.Notification) {
		f.Helper()
		f.finish(pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: me, Attempt: n.Attempt}, pombo.Cancelled, pombo.Withdrawn)
	}
	back(held[0])
	f.mustBe(f.db.Queue.Finish(f.Context(), pombo.Outcome{Seq: held[1].Seq, From: pombo.Claimed, Owner: other, To: pombo.Cancelled, Reason: pombo.Withdrawn}), pombo.ErrLost)
	f.stands(ids[0], pombo.Cancelled, pombo.Withdrawn)
	f.nothingDue()
	finished := f.known(rows)
	want := []pombo.Latest{{RowKey: rows[0].RowKey, Generation: 1}}
	f.same("finished", want, finished)
	f.takenAgain(1, rows, finished)
	second := pombo.Key{Source: source, RowKey: rows[0].RowKey, Generation: 2}.MessageID()
	f.stands(second, pombo.Queued, pombo.SetBackToPending)

	// Retried by an operator, it is as if it had not been withdrawn.
	f.must(f.db.Operator.Retry(f.Context(), ids[0]))
	for _, n := range f.claim(me, 10) {
		if n.MessageID == ids[0] {
			f.finish(f.begin(n), pombo.Accepted, pombo.NoReason)
		}
	}
	due := f.unsettled()
	if len(due) != 1 || due[0].RowKey != rows[0].RowKey || due[0].Expected != "1" {
		f.Errorf("due = %+v, want the row, from pending", due)
	}
}

// queuedNow: what may go later only does not keep other rows out.
func queuedNow(f *fixture) {
	rows := f.newRows(5)
	for i := range 3 {
		rows[i].SendAfter = f.clock.Now().Add(time.Hour)
	}
	rows[4].Priority = 9
	f.enqueue(0, rows...)
	queued := func(want int) {
		f.Helper()
		got, err := f.db.Intake.Queued(f.Context())
		f.must(err)
		if got != want {
			f.Errorf("queued = %d, want %d", got, want)
		}
	}
	queued(2)
	f.pass(time.Hour)
	queued(5)
}

func (f *fixture) number(e164 string) phone.Number {
	f.Helper()
	n, err := phone.FromE164(e164)
	f.must(err)
	return n
}

func (f *fixture) optedOut(want bool, n phone.Number, identity string) {
	f.Helper()
	scope := pombo.OptOutScope("")
	if want {
		scope = pombo.OptOutAll
	}
	f.optedOutOf(scope, n, identity)
}

func (f *fixture) optedOutOf(want pombo.OptOutScope, n phone.Number, identity string) {
	f.Helper()
	if got := f.db.OptOuts.OptedOut(n, identity); got != want {
		f.Errorf("%s %q opted out of %q, want %q", n, identity, got, want)
	}
}

func (f *fixture) optIn(n phone.Number, want bool) {
	f.Helper()
	removed, err := f.db.OptOuts.OptIn(f.Context(), n)
	f.must(err)
	if removed != want {
		f.Errorf("removed = %v, want %v", removed, want)
	}
}

// list returns what is on the list of opt-outs, in clear for the comparison.
func (f *fixture) listed() (all []string) {
	f.Helper()
	list, next, err := f.db.OptOuts.OptOuts(f.Context(), "", 1000)
	f.must(err)
	if next != "" {
		f.Fatalf("next = %q, want none", next)
	}
	for _, o := range list {
		all = append(all, o.Phone.E164()+" "+o.Identity.Reveal()+" "+o.By+" "+o.At.Format(time.TimeOnly))
	}
	return all
}

func (f *fixture) mustList(want ...string) {
	f.Helper()
	f.same("the list", want, f.listed())
}

func optOuts(f *fixture) {
	maria, jose, ana := f.number("+5531988880001"), f.number("+5531988880002"), f.number("+5531988880003")
	nobody := phone.Number{}
	const idMaria, idJose, idAna = "maria@wa.gw.msging.net", "jose@wa.gw.msging.net", "ana@wa.gw.msging.net"
	out := func(n phone.Number, identity pombo.Private, by string) {
		f.Helper()
		f.must(f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{Phone: n, Identity: identity, By: by}))
		f.pass(time.Second)
	}
	f.must(f.db.OptOuts.LoadOptOuts(f.Context()))
	f.optedOut(false, maria, idMaria)
	if err := f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{By: "operator"}); err == nil {
		f.Error("nobody was put on the list")
	}

	out(maria, "", "operator")
	f.optedOut(true, maria, "")
	f.optedOut(false, nobody, "")
	f.optedOut(false, jose, idMaria)
	out(maria, "", "blip") // stays as first put there
	f.mustList("+5531988880001  operator 10:00:00")

	out(nobody, idJose, "person")
	f.optedOut(true, nobody, idJose)
	f.optedOut(true, ana, idJose)
	f.optedOut(false, jose, "")
	out(jose, idJose, "person") // the phone is known now
	out(maria, idMaria, "person")
	f.optedOut(true, jose, "")
	f.optedOut(true, nobody, idMaria)
	f.mustList("+5531988880002 jose@wa.gw.msging.net person 10:00:02", "+5531988880001 maria@wa.gw.msging.net operator 10:00:00")

	// Each of the two is known with another one; the one that is new is added.
	out(ana, idMaria, "person")
	out(maria, "m2@wa.gw.msging.net", "person")
	out(ana, idJose, "person")
	f.optedOut(true, ana, "")
	f.optedOut(true, nobody, "m2@wa.gw.msging.net")
	if got := len(f.listed()); got != 4 {
		f.Errorf("%d on the list, want 4", got)
	}

	// Off the list by the phone, with what Blip has called it.
	row := f.newRows(1)[0]
	row.Phone = ana
	f.enqueue(0, row)
	n := f.claimOne(me)
	_, err := f.db.Queue.Begin(f.Context(), n, idAna)
	f.must(err)
	out(nobody, idAna, "person")
	f.optedOut(true, nobody, idAna)
	f.optIn(ana, true)
	f.optedOut(false, ana, idAna)
	f.optIn(ana, false)
	f.optIn(f.number("+5531988880009"), false)
	out(nobody, idAna, "person")
	f.close() // which writes what Blip has called phones
	f.open()
	f.optedOut(false, nobody, idAna) // nothing is read before it is asked for
	f.must(f.db.OptOuts.LoadOptOuts(f.Context()))
	f.optedOut(true, nobody, idAna)
	f.optedOut(true, maria, "")
	f.optIn(ana, true)
	f.optedOut(false, nobody, idAna)
	f.optIn(maria, true)
	f.optedOut(false, maria, idMaria) // the identity stood beside the phone
	if _, err := f.db.OptOuts.OptIn(f.Context(), nobody); err == nil {
		f.Error("nobody was taken off the list")
	}
}

func optOutPages(f *fixture) {
	person := f.newRows(1)[0].Phone
	if _, err := f.db.OptOuts.OptOutOf(f.Context(), person); !errors.Is(err, pombo.ErrNotFound) {
		f.Errorf("somebody who is not on the list: %v, want ErrNotFound", err)
	}
	f.must(f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{Phone: person, Scope: pombo.OptOutMarketing, By: "blip", At: f.clock.Now()}))
	if o, err := f.db.OptOuts.OptOutOf(f.Context(), person); err != nil || o.By != "blip" || o.Scope != pombo.OptOutMarketing || !o.At.Equal(f.clock.Now()) {
		f.Errorf("the line of somebody on the list: %+v, %v", o, err)
	}
	f.optIn(person, true)
	const count = 7
	for i := range count {
		f.must(f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{Phone: f.newRows(1)[0].Phone, By: "person", At: f.clock.Now().Add(time.Duration(i) * time.Second)}))
	}
	var got []time.Time
	cursor := ""
	for pages := 1; ; pages++ {
		list, next, err := f.db.OptOuts.OptOuts(f.Context(), cursor, 3)
		f.must(err)
		for _, o := range list {
			got = append(got, o.At)
		}
		if cursor = next; next == "" {
			if pages != 3 {
				f.Errorf("%d pages, want 3", pages)
			}
			break
		}
	}
	if len(got) != count || !slices.IsSortedFunc(got, func(a, b time.Time) int { return b.Compare(a) }) {
		f.Errorf("pages have %v, want %d, the latest first", got, count)
	}
	for _, bad := range []string{"!", "-1"} {
		if _, _, err := f.db.OptOuts.OptOuts(f.Context(), bad, 3); err == nil {
			f.Errorf("cursor %q was taken", bad)
		}
	}
	if _, _, err := f.db.OptOuts.OptOuts(f.Context(), "", 1001); err == nil {
		f.Error("a limit of 1001 was taken")
	}
}

// optOutByReceipt: WhatsApp says that the person has switched marketing off.
func optOutByReceipt(f *fixture) {
	rows := f.newRows(3)
	ids := f.enqueue(0, rows...)
	held := f.claim(me, 3)
	for _, n := range held[:2] {
		f.finish(f.begin(n), pombo.Accepted, pombo.NoReason)
	}
	apply := func(id pombo.MessageID, reason pombo.Reason) {
		f.Helper()
		_, err := f.db.Receipts.Apply(f.Context(), []pombo.Receipt{{MessageID: id, State: pombo.Failed, Reason: reason}})
		f.must(err)
	}
	apply(ids[0], pombo.Undeliverable)
	f.optedOut(false, rows[0].Phone, "")
	apply(ids[1], pombo.OptedOutOfMarketing)
	f.optedOutOf(pombo.OptOutMarketing, rows[1].Phone, "")
	f.optIn(rows[1].Phone, true)
	apply(ids[1], pombo.OptedOutOfMarketing) // the same receipt, come late
	f.optedOut(false, rows[1].Phone, "")
	f.finish(f.begin(held[2]), pombo.Failed, pombo.OptedOutOfMarketing)
	f.optedOutOf(pombo.OptOutMarketing, rows[2].Phone, "")
	list, _, err := f.db.OptOuts.OptOuts(f.Context(), "", 0)
	f.must(err)
	if len(list) != 1 || list[0].By != "blip" || list[0].Scope != pombo.OptOutMarketing {
		f.Errorf("list = %v, want one of marketing, by blip", list)
	}
}

// optOutScopes: a scope becomes wider, and never narrower.
func optOutScopes(f *fixture) {
	maria := f.number("+5531988880001")
	const idMaria = "maria@wa.gw.msging.net"
	out := func(o pombo.OptOut) {
		f.Helper()
		f.must(f.db.OptOuts.OptOut(f.Context(), o))
		f.pass(time.Second)
	}
	out(pombo.OptOut{Phone: maria, Scope: pombo.OptOutMarketing, By: "blip"})
	f.optedOutOf(pombo.OptOutMarketing, maria, "")
	out(pombo.OptOut{Identity: idMaria, By: "person"}) // whose phone is not known yet
	f.optedOutOf(pombo.OptOutMarketing, maria, "")
	f.optedOutOf(pombo.OptOutAll, maria, idMaria)
	out(pombo.OptOut{Phone: maria, Scope: pombo.OptOutAll, By: "operator"})
	f.optedOutOf(pombo.OptOutAll, maria, "")
	out(pombo.OptOut{Phone: maria, Scope: pombo.OptOutMarketing, By: "blip"})
	f.optedOutOf(pombo.OptOutAll, maria, "")
	f.close()
	f.open()
	f.must(f.db.OptOuts.LoadOptOuts(f.Context()))
	f.optedOutOf(pombo.OptOutAll, maria, "")
	list, _, err := f.db.OptOuts.OptOuts(f.Context(), "", 0)
	f.must(err)
	if len(list) != 2 || list[1].Scope != pombo.OptOutAll || list[1].By != "operator" {
		f.Errorf("list = %+v, want Maria's phone off all messages by the operator", list)
	}
}

// optOutByBSUID: a person with a user name writes under an identity that says
// nothing of the phone. What links the two is the BSUID of the receipts.
func optOutByBSUID(f *fixture) {
	rows := f.newRows(3)
	ids := f.enqueue(0, rows...)
	for _, n := range f.claim(me, 3) {
		f.finish(f.begin(n), pombo.Accepted, pombo.NoReason)
	}
	receipt := func(i int, bsuid pombo.Private) {
		f.Helper()
		_, err := f.db.Receipts.Apply(f.Context(), []pombo.Receipt{{MessageID: ids[i], State: pombo.Delivered, BSUID: bsuid}})
		f.must(err)
	}
	const first, second = "BR.1502576394655843", "BR.1502576394655844"
	f.must(f.db.OptOuts.LoadOptOuts(f.Context()))
	receipt(0, first)
	f.must(f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{Identity: "0e9c@wa.gw.msging.net", BSUID: first, By: "person"}))
	f.optedOutOf(pombo.OptOutAll, rows[0].Phone, "")
	f.optedOutOf("", rows[1].Phone, "")

	// The other way round: the receipt comes after the opt-out.
	f.must(f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{Identity: "1f0d@wa.gw.msging.net", BSUID: second, By: "person"}))
	f.optedOutOf("", rows[1].Phone, "")
	receipt(1, second)
	receipt(1, second)
	f.optedOutOf(pombo.OptOutAll, rows[1].Phone, "")
	receipt(2, "")
	f.optedOutOf("", rows[2].Phone, "")

	f.optIn(rows[0].Phone, true)
	f.optedOutOf("", rows[0].Phone, "0e9c@wa.gw.msging.net")
	_, err := f.db.Retention.Forget(f.Context(), rows[0].Phone, true)
	f.must(err)
	f.must(f.db.OptOuts.OptOut(f.Context(), pombo.OptOut{Identity: "2a1b@wa.gw.msging.net", BSUID: first, By: "person"}))
	f.optedOutOf("", rows[0].Phone, "") // the link was erased with the person
}

// optOutShared: what another process changes is known after the next look.
func optOutShared(f *fixture) {
	beside, err := ledger.Open(f.Context(), ledger.Options{URL: f.url, Now: f.clock.Now})
	f.must(err)
	defer func() { f.must(beside.Close()) }()
	n := f.number("+5531988880001")
	f.must(beside.OptOuts.OptOut(f.Context(), pombo.OptOut{Phone: n, By: "operator"}))
	f.optedOut(false, n, "")
	f.must(f.db.OptOuts.LoadOptOuts(f.Context()))
	f.optedOut(true, n, "")
	f.optIn(n, true)
	f.must(beside.OptOuts.LoadOptOuts(f.Context()))
	if beside.OptOuts.OptedOut(n, "") != "" {
		f.Error("it is still opted out beside")
	}
	// All at once, from both: one record, nothing lost.
	var wg sync.WaitGroup
	for i, db := range []*ledger.DB{f.db, beside, f.db, beside} {
		wg.Go(func() {
			o := pombo.OptOut{Phone: n, By: "operator"}
			if i > 1 {
				o.Identity = "maria@wa.gw.msging.net"
			}
			if err := db.OptOuts.OptOut(f.Context(), o); err != nil {
				f.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(f.listed()); got == 0 || got > 2 {
		f.Errorf("%d on the list, want one person", got)
	}
	f.must(f.db.OptOuts.LoadOptOuts(f.Context()))
	f.optedOut(true, n, "")
	f.optedOut(true, phone.Number{}, "maria@wa.gw.msging.net")
}
