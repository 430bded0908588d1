package ledgertest

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/test/nightly"
)

// roundTrip: all that a row says comes back, odd text included.
func roundTrip(f *fixture) {
	row := f.newRows(1)[0]
	row.RowKey = `chave "ç" \ 'x' 1`
	row.Recipient = "31 98888-0000 / 3222-0000"
	row.Template, row.Language = "aviso", "en_US"
	row.Priority = 4
	row.SendAfter = f.clock.Now().Add(time.Minute)
	row.Expires = f.clock.Now().Add(time.Hour)
	row.Params = []pombo.Param{
		{Slot: pombo.HeaderImage, Value: "https://example.org/a?b=1&c=<2>"},
		{Slot: pombo.Body, Value: "linha\n\"dois\"\t\x00 😀 [\"a\",1]"},
		{Slot: "button0", Value: ""},
	}
	run := f.startRun()
	id := f.enqueue(run.ID, row)[0]
	want := pombo.Notification{
		Seq: 1, MessageID: id, Key: pombo.Key{Source: source, RowKey: row.RowKey, Generation: 1},
		Recipient: row.Recipient, Phone: row.Phone, Params: row.Params, Template: "aviso", Language: "en_US", Priority: 4,
		SendAfter: row.SendAfter, Expires: row.Expires, Run: run.ID,
		State: pombo.Queued, NotBefore: row.SendAfter, Created: f.clock.Now(), Updated: f.clock.Now(),
	}
	f.same("queued", want, f.get(id))
	next, err := f.db.Queue.NextDue(f.Context())
	f.must(err)
	if !next.Equal(row.SendAfter) {
		f.Errorf("next due = %v, want %v", next, row.SendAfter)
	}
	if list := f.claim(me, 1); len(list) != 0 {
		f.Fatal("claimed before its time")
	}
	f.pass(time.Minute)
	want.State, want.Owner = pombo.Claimed, me
	want.Updated = time.Time{} // a claim does not read the history
	f.same("claimed", want, f.claimOne(me))
	next, err = f.db.Queue.NextDue(f.Context())
	f.must(err)
	if !next.IsZero() {
		f.Errorf("next due = %v, want none", next)
	}

	// A row whose phone is not a number is taken in too; it fails later, with a reason.
	bad := f.newRows(1)[0]
	bad.Phone, bad.Recipient, bad.Params, bad.Priority = want.Phone, "abc", nil, -3
	bad.Phone = pombo.Row{}.Phone
	f.enqueue(0, bad)
	if n := f.claimOne(me); !n.Phone.IsZero() || n.Recipient != "abc" || n.Priority != 0 {
		f.Errorf("phone zero %v, priority %d; want true and 0", n.Phone.IsZero(), n.Priority)
	}
	if _, _, err := f.db.Intake.Enqueue(f.Context(), source, 0, nil); err != nil {
		f.Errorf("enqueue nothing: %v", err)
	}
}

// enqueueRace: eight goroutines take in overlapping pages; each row is one.
func enqueueRace(f *fixture) {
	step := nightly.Or(100, 20)
	rows, page := nightly.Or(12, 5)*step, 3*step
	all := f.newRows(rows)
	var mu sync.Mutex
	total := 0
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for from := 0; from < rows; from += step {
				at := (from + g*step) % rows
				added, _, err := f.db.Intake.Enqueue(f.Context(), source, 0, all[at:min(at+page, rows)])
				if err != nil {
					f.Error(err)
					return
				}
				mu.Lock()
				total += added
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	queued, err := f.db.Intake.Queued(f.Context())
	f.must(err)
	if total != rows || queued != rows {
		f.Errorf("added %d, queued %d, want %d", total, queued, rows)
	}
}

// claimRace: eight owners claim; none gets what another one has.
func claimRace(f *fixture) {
	rows := nightly.Or(1000, 280)
	f.queue(rows)
	var mu sync.Mutex
	owners := map[pombo.MessageID]string{}
	var wg sync.WaitGroup
	for g := range 8 {
		owner := "owner-" + strconv.Itoa(g)
		wg.Go(func() {
			for {
				list, err := f.db.Queue.Claim(f.Context(), owner, 7)
				if err != nil {
					f.Error(err)
				}
				if len(list) == 0 {
					return
				}
				mu.Lock()
				for _, n := range list {
					if before, twice := owners[n.MessageID]; twice {
						f.Errorf("claimed by %s and by %s", before, owner)
					}
					owners[n.MessageID] = owner
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(owners) != rows {
		f.Errorf("claimed %d, want %d", len(owners), rows)
	}
}

// cancelRace: a notification is either cancelled or claimed, never both.
func cancelRace(f *fixture) {
	ids := f.queue(200)
	var cancelled, claimed int
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, id := range ids {
			if f.db.Operator.Cancel(f.Context(), id) == nil {
				cancelled++
			}
		}
	})
	wg.Go(func() {
		for misses := 0; misses < 3; {
			list, err := f.db.Queue.Claim(f.Context(), me, 3)
			if err != nil {
				f.Error(err)
				return
			}
			claimed += len(list)
			if len(list) == 0 {
				misses++
			}
		}
	})
	wg.Wait()
	if cancelled+claimed != len(ids) {
		f.Errorf("%d cancelled and %d claimed, want %d together", cancelled, claimed, len(ids))
	}
}

// resend: a row that was finished and settled is pending again.
func resend(f *fixture) {
	rows := f.newRows(3)
	ids := f.enqueue(0, rows...)
	seen := func() []pombo.Latest {
		f.Helper()
		finished := f.known(rows)
		return setBack(finished)
	}
	if got := seen(); len(got) != 0 {
		f.Fatalf("finished = %v while queued", got)
	}
	for _, n := range f.claim(me, 2) {
		f.finish(f.begin(n), pombo.Accepted, pombo.NoReason)
	}
	if got := seen(); len(got) != 0 {
		f.Fatalf("finished = %v before the code was written: a page read just before would send it twice", got)
	}
	due := f.unsettled()
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{
		{Settlement: due[0], Result: pombo.SettleDone},
		{Settlement: due[1], Result: pombo.SettleRefused},
	}))
	want := []pombo.Latest{{RowKey: rows[0].RowKey, Generation: 1}}
	f.same("finished", want, seen())
	// Eight take it in again at once; one does.
	var mu sync.Mutex
	total := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			added, err := f.db.Intake.EnqueueAgain(f.Context(), source, 0, rows, want)
			if err != nil {
				f.Error(err)
			}
			mu.Lock()
			total += added
			mu.Unlock()
		})
	}
	wg.Wait()
	if total != 1 {
		f.Fatalf("taken in again %d times, want once", total)
	}
	if got := seen(); len(got) != 0 {
		f.Errorf("finished = %v while the second generation waits", got)
	}
	second := pombo.Key{Source: source, RowKey: rows[0].RowKey, Generation: 2}
	n := f.stands(second.MessageID(), pombo.Queued, pombo.SetBackToPending)
	if n.Key != second || n.Settled != "" {
		f.Errorf("key %v settled %q, want %v and none", n.Key, n.Settled, second)
	}
	f.stands(ids[0], pombo.Accepted, pombo.NoReason)

	// A later result is on its way to the row, which has been set back already:
	// it waits until that has found out.
	f.finish(f.begin(f.claim(me, 1)[0]), pombo.Failed, pombo.NotOnWhatsApp) // the third row
	f.finish(f.begin(f.claim(me, 1)[0]), pombo.Accepted, pombo.NoReason)
	due = f.unsettled()
	if due[0].Reason != pombo.NotOnWhatsApp || due[1].Reason != pombo.NoReason {
		f.Errorf("due = %+v, want the reason of the one that failed and none", due)
	}
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{
		{Settlement: due[0], Result: pombo.SettleGone}, {Settlement: due[1], Result: pombo.SettleDone},
	}))
	f.receipt(second.MessageID(), pombo.Delivered)
	if got := seen(); len(got) != 0 {
		f.Errorf("finished = %v while a code is due", got)
	}
	due = f.unsettled()
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDiverged}}))
	want = []pombo.Latest{{RowKey: rows[0].RowKey, Generation: 2}}
	f.same("finished", want, seen())

	// One that is not settled, or not the latest, is not taken in again.
	f.takenAgain(0, rows, []pombo.Latest{
		{RowKey: rows[0].RowKey, Generation: 1}, {RowKey: rows[1].RowKey, Generation: 1}, {RowKey: rows[2].RowKey, Generation: 1},
	})
}

// setBack are those that somebody has set back to pending.
func setBack(finished []pombo.Latest) []pombo.Latest {
	return slices.DeleteFunc(slices.Clone(finished), func(l pombo.Latest) bool { return l.Untouched })
}

// resendParked: the row could not be written to. Only of the one that was seen with
// a code of its owner's it is known that somebody has set it back since.
func resendParked(f *fixture) {
	rows := f.newRows(4)
	f.enqueue(0, rows...)
	for _, n := range f.claim(me, 4) {
		f.finish(f.begin(n), pombo.Accepted, pombo.NoReason)
	}
	due := f.unsettled()
	var settled []pombo.Settled
	for i, result := range []pombo.SettleResult{pombo.SettleDiverged, pombo.SettleGone, pombo.SettleRefused} {
		settled = append(settled, pombo.Settled{Settlement: due[i], Result: result})
	}
	f.must(f.db.Settlements.Settled(f.Context(), settled))
	seen := func(want ...pombo.Latest) []pombo.Latest {
		f.Helper()
		finished := f.known(rows)
		f.same("finished", want, finished)
		return finished
	}
	diverged, gone := pombo.Latest{RowKey: rows[0].RowKey, Generation: 1}, pombo.Latest{RowKey: rows[1].RowKey, Generation: 1, Untouched: true}
	refused := pombo.Latest{RowKey: rows[2].RowKey, Generation: 1, Untouched: true}
	finished := seen(diverged, gone, refused)
	f.takenAgain(1, rows, finished)
	seen(gone, refused)
	f.send(pombo.Accepted, pombo.NoReason)
	due = f.unsettled()
	if len(due) != 2 || due[1].RowKey != rows[0].RowKey || due[1].Expected != "1" {
		f.Errorf("due = %+v, want the fourth row and then the first, from pending", due)
	}
}

// resendEnded: what ended without being sent has its own codes, and is set back as
// any other; without a code the row is left as it is.
func resendEnded(f *fixture) {
	rows := f.newRows(2)
	rows[0].Expires = f.clock.Now().Add(time.Minute)
	end := func() {
		f.Helper()
		f.enqueue(0, rows...)
		f.pass(time.Hour)
		n := f.claimOne(me)
		f.finish(pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: me}, pombo.Suppressed, pombo.OptedOut)
	}
	end()
	f.nothingDue()
	finished := f.known(rows)
	if len(finished) != 2 || len(setBack(finished)) != 0 {
		f.Errorf("finished = %v, want two that were left", finished)
	}

	f.close()
	f.codes = map[pombo.State]string{pombo.Accepted: "2", pombo.Failed: "3", pombo.Expired: "6", pombo.Suppressed: "7"}
	f.open()
	rows = f.newRows(2)
	rows[0].Expires = f.clock.Now().Add(time.Minute)
	end()
	due := f.unsettled()
	if len(due) != 2 || due[0].Code != "6" || due[1].Code != "7" || due[0].Reason != pombo.ExpiredRow || due[1].Reason != pombo.OptedOut {
		f.Fatalf("due = %+v, want the codes 6 and 7 and why", due)
	}
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDone}, {Settlement: due[1], Result: pombo.SettleDone}}))
	finished = f.known(rows)
	if len(setBack(finished)) != 2 {
		f.Errorf("finished = %v, want two that were set back", finished)
	}
}

// order: by priority, then by time, then as taken in; what waits is passed over.
func order(f *fixture) {
	const waiting = 300
	late := f.newRows(waiting)
	for i := range late {
		late[i].Priority, late[i].SendAfter = 9, f.clock.Now().Add(time.Hour)
	}
	f.enqueue(0, late...)
	var want []pombo.MessageID
	rows := f.newRows(6)
	for i, priority := range []int{0, 5, 0, 9, 5, 12} {
		rows[i].Priority = priority
	}
	rows[0].SendAfter = f.clock.Now().Add(time.Second)
	ids := f.enqueue(0, rows...)
	f.pass(2 * time.Second)
	for _, i := range []int{3, 5, 1, 4, 2, 0} {
		want = append(want, ids[i])
	}
	var got []pombo.MessageID
	for _, n := range append(f.claim(me, 4), f.claim(me, 100)...) {
		got = append(got, n.MessageID)
	}
	f.same("claimed", want, got)
	next, err := f.db.Queue.NextDue(f.Context())
	f.must(err)
	if !next.Equal(late[0].SendAfter) {
		f.Errorf("next due = %v, want %v", next, late[0].SendAfter)
	}
}

func expiry(f *fixture) {
	rows := f.newRows(50)
	for i := range 40 {
		rows[i].Expires = f.clock.Now().Add(time.Minute)
	}
	ids := f.enqueue(0, rows...)
	f.pass(time.Minute)
	if list := f.claim(me, 10); len(list) != 10 || list[0].MessageID != ids[40] {
		f.Errorf("claimed %d, want the 10 that have not expired", len(list))
	}
	f.stands(ids[0], pombo.Expired, pombo.ExpiredRow)
	// An operator may still want it.
	f.must(f.db.Operator.Retry(f.Context(), ids[0]))
	if n := f.claimOne(me); n.MessageID != ids[0] {
		f.Errorf("claimed %s, want the one that was retried", n.MessageID)
	}
}

func identities(f *fixture) {
	rows := f.newRows(1)
	again := func() pombo.Notification {
		f.Helper()
		row := f.newRows(1)[0]
		row.Phone = rows[0].Phone
		f.enqueue(0, row)
		return f.claimOne(me)
	}
	f.enqueue(0, rows...)
	n := f.claimOne(me)
	if n.Identity != "" {
		f.Fatalf("identity = %q before anybody asked", n.Identity)
	}
	f.begin(n)
	if n = again(); n.Identity != "5531988880000@wa.gw.msging.net" {
		f.Fatalf("identity = %q at once, want the one from the look-up", n.Identity)
	}
	f.close()
	f.open()
	f.pass(7*24*time.Hour - time.Millisecond)
	n = again()
	if n.Identity != "5531988880000@wa.gw.msging.net" {
		f.Fatalf("identity = %q, want the one from the look-up", n.Identity)
	}
	f.begin(n) // using it does not make it younger
	f.pass(time.Millisecond)
	if n = again(); n.Identity != "" {
		f.Errorf("identity = %q after seven days, want none", n.Identity)
	}
	f.begin(n)
	f.pass(7 * 24 * time.Hour)
	if n = again(); n.Identity != "" {
		f.Errorf("identity = %q seven days after the second look-up, want none", n.Identity)
	}
}

func add(f *fixture) {
	row := f.newRows(1)[0]
	first, added, err := f.db.Intake.Add(f.Context(), "api", row)
	f.must(err)
	if !added || first.State != pombo.Queued || first.Key != (pombo.Key{Source: "api", RowKey: row.RowKey, Generation: 1}) {
		f.Fatalf("added %v: %+v", added, first)
	}
	row.Template = "another"
	second, added, err := f.db.Intake.Add(f.Context(), "api", row)
	f.must(err)
	if diff := cmp.Diff(first, second); added || diff != "" {
		f.Errorf("added again %v (-first +second):\n%s", added, diff)
	}
	f.send(pombo.Accepted, pombo.NoReason)
	f.receipt(first.MessageID, pombo.Read)
	f.nothingDue()
}
