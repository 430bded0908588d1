package ledgertest

import (
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/ledger"
)

func replyReminds(f *fixture) {
	f.codes = map[pombo.State]string{pombo.Accepted: "2", pombo.Expired: "6"}
	f.answering(func(o *ledger.ReplyOptions) { o.Reminders = true })
	rows := f.newRows(4)
	n := f.leaves(rows[0])
	f.endSettling(pombo.SettleDone)
	for i := range rows[1:] {
		rows[i+1].Phone = rows[0].Phone
	}
	rows[1].Reminds, rows[1].SendAfter = rows[0].RowKey, f.clock.Now().Add(time.Hour) // waits
	rows[2].Reminds = rows[0].RowKey                                                  // a worker has it
	rows[3].Reminds, rows[3].SendAfter = "another", f.clock.Now().Add(time.Hour)
	waits := f.enqueue(0, rows[1])[0]
	f.enqueue(0, rows[2])
	claimed := f.claimOne(me)
	if claimed.Reminds != rows[0].RowKey || len(claimed.Params) != 1 {
		f.Fatalf("it reminds of %q with %v", claimed.Reminds, claimed.Params)
	}
	other := f.enqueue(0, rows[3])[0]
	answered := func(row string) bool {
		f.Helper()
		is, err := f.db.Replies.Answered(f.Context(), source, row)
		f.must(err)
		return is
	}
	if answered(rows[0].RowKey) || answered("unknown") {
		f.Error("answered before there is an answer")
	}
	f.press(n.MessageID, "Confirmar")
	if !answered(rows[0].RowKey) {
		f.Error("not answered, want answered")
	}
	got := f.stands(waits, pombo.Cancelled, pombo.Withdrawn)
	if !strings.Contains(got.Detail, "answered") {
		f.Errorf("detail = %q, want why", got.Detail)
	}
	f.stands(other, pombo.Queued, pombo.NoReason)
	// The worker ends what it has.
	f.must(f.db.Queue.Finish(f.Context(), pombo.Outcome{Seq: claimed.Seq, From: pombo.Claimed, Owner: me, To: pombo.Cancelled, Reason: pombo.Withdrawn, Answered: true}))
	codes := map[string]string{}
	for _, s := range f.unsettled() {
		codes[s.RowKey] = s.Code
	}
	f.same("due", map[string]string{rows[0].RowKey: confirm, rows[1].RowKey: "6", rows[2].RowKey: "6"}, codes)
	f.endSettling(pombo.SettleDone)
	f.nothingDue()
	// Neither row is taken in again before its owner wants that.
	f.endSettling(pombo.SettleDone)
	if got := setBack(f.known([]pombo.Row{rows[3]})); len(got) != 0 {
		f.Errorf("set back = %v, want none", got)
	}
}

func replyPolls(f *fixture) {
	f.answering(func(o *ledger.ReplyOptions) { o.Poll = time.Minute })
	rows := f.newRows(4)
	rows[2].Template = "result"
	n := f.arrives(rows[0])
	f.leaves(rows[1])
	f.arrives(rows[2])
	other := f.arrives(rows[3])
	due := func() (list []pombo.Unanswered) {
		f.Helper()
		list, err := f.db.Replies.Unanswered(f.Context(), 10)
		f.must(err)
		return list
	}
	if got := due(); len(got) != 0 {
		f.Fatalf("%+v are due at once, want none", got)
	}
	begun := f.clock.Now()
	f.pass(time.Minute)
	want := []pombo.Unanswered{
		{Seq: n.Seq, Identity: pombo.Private(identityOf(rows[0].Phone)), Since: begun},
		{Seq: other.Seq, Identity: pombo.Private(identityOf(rows[3].Phone)), Since: begun},
	}
	f.same("due", want, due())
	f.must(f.db.Replies.NextPoll(f.Context(), []pombo.NextPoll{{Seq: n.Seq, At: f.clock.Now().Add(time.Minute)}, {Seq: other.Seq, At: f.clock.Now().Add(time.Hour)}}))
	if got := due(); len(got) != 0 {
		f.Errorf("%+v are due, want none", got)
	}
	f.pass(time.Minute)
	want[0].Polls = 1
	f.same("due later", want[:1], due())
	f.press(n.MessageID, "Confirmar")
	if got := due(); len(got) != 0 {
		f.Errorf("%+v are due, want none of the answered", got)
	}
	f.must(f.db.Replies.NextPoll(f.Context(), []pombo.NextPoll{{Seq: n.Seq, At: f.clock.Now()}, {Seq: other.Seq}}))
	f.pass(day)
	f.receipt(n.MessageID, pombo.Read) // which does not start it anew
	f.pass(day)
	if got := due(); len(got) != 0 {
		f.Errorf("%+v are due, want none", got)
	}
}

func replyForgotten(f *fixture) {
	f.answering(nil)
	rows := f.newRows(2)
	n := f.arrives(rows[0])
	f.endSettling(pombo.SettleDone)
	f.press(n.MessageID, "Confirmar")
	f.writes(rows[0].Phone, "meu exame deu positivo")
	f.writes(rows[1].Phone, "outra pessoa")
	_, err := f.db.Retention.Forget(f.Context(), rows[0].Phone, true)
	f.must(err)
	page, err := f.db.Replies.List(f.Context(), pombo.ReplyQuery{})
	f.must(err)
	if len(page.Replies) != 3 {
		f.Fatalf("%d replies, want 3", len(page.Replies))
	}
	empty := pombo.Inbound{}
	for i, r := range page.Replies {
		left := r.Inbound
		left.Kind, left.At, left.Form = "", time.Time{}, ""
		if erased := cmp.Equal(left, empty); erased != (i > 0) {
			f.Errorf("reply %d: erased %v", r.Number, erased)
		}
	}
	// The code is still owed, the words are not; and the same message is not new again.
	if got := f.settleAll("4", confirm); got.Answer != "" || got.Answered.IsZero() {
		f.Errorf("settlement = %+v, want the code and the time", got)
	}
	f.nothingDue()
	other := f.arrives(f.newRows(1)[0])
	f.endSettling(pombo.SettleDone)
	f.press(other.MessageID, "a que horas?")
	_, err = f.db.Retention.Forget(f.Context(), other.Phone, true)
	f.must(err)
	f.nothingDue()
	first := page.Replies[2]
	if !first.Counts || first.MessageID != n.MessageID {
		f.Errorf("%+v, want it to stand as before", first)
	}
}

func replyLeaves(f *fixture) {
	f.answering(nil)
	row := f.newRows(1)[0]
	n := f.arrives(row)
	f.press(n.MessageID, "Confirmar")
	f.writes(row.Phone, "oi")
	f.pass(retention + time.Second)
	if got := f.retire(); got.Replies != 1 {
		f.Errorf("%+v, want the reply gone that is owed nowhere", got)
	}
	f.endSettling(pombo.SettleDone)
	if got := f.retire(); got.Replies != 1 {
		f.Errorf("%+v, want the other gone once it was written", got)
	}
	if got := f.get(n.MessageID).Settled; got != confirm {
		f.Errorf("settled = %q, want the answer's code", got)
	}
	f.nothingDue()
	f.receipt(n.MessageID, pombo.Read)
	f.nothingDue()
}
