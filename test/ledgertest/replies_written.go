package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"pombo"
	"pombo/internal/ledger"
)

func replyFirst(f *fixture) {
	f.answering(nil)
	n := f.arrives(f.newRows(1)[0])
	if r := f.press(n.MessageID, "oi"); !r.Counts || r.Code != "" {
		f.Errorf("%+v, want it to stand without a code", r)
	}
	if r := f.press(n.MessageID, "outra coisa"); r.Counts || r.Due {
		f.Errorf("%+v, want the first to stand", r)
	}
	r := f.press(n.MessageID, " NAO VOU. ") // the first that says what to do
	if !r.Counts || r.Code != refuse {
		f.Errorf("%+v, want it to take the place of one without a code", r)
	}
	if late := f.press(n.MessageID, "Confirmar"); late.Counts {
		f.Errorf("%+v, want the first code to stand", late)
	}
	got := f.settleAll("1", refuse)
	if got.Answer != " NAO VOU. " || !got.Answered.Equal(r.At) || got.Reply != r.Number {
		f.Errorf("settlement = %q at %v, want what was written", got.Answer.Reveal(), got.Answered)
	}
	f.nothingDue()
	f.stood(n.MessageID, r.Number)
}

// stood checks that one reply stands, which the row has.
func (f *fixture) stood(id pombo.MessageID, number int64) {
	f.Helper()
	page, err := f.db.Replies.List(f.Context(), pombo.ReplyQuery{Notification: id})
	f.must(err)
	for _, r := range page.Replies {
		if is := r.Number == number; r.Counts != is || r.Due || r.Written.IsZero() == is && is {
			f.Errorf("reply %d: counts %v, due %v, written %v; want only %d to stand", r.Number, r.Counts, r.Due, r.Written, number)
		}
	}
}

func replyLast(f *fixture) {
	f.answering(func(o *ledger.ReplyOptions) { o.Last = true })
	n := f.arrives(f.newRows(1)[0])
	f.press(n.MessageID, "Confirmar")
	f.settleAll("1", confirm)
	r := f.press(n.MessageID, "Não vou")
	f.settleAll(confirm, refuse)
	if thanks := f.press(n.MessageID, "obrigada"); thanks.Counts {
		f.Error("thanks undo what was said")
	}
	f.nothingDue()
	f.stood(n.MessageID, r.Number)
	// It changed its mind while the code was on its way: it is due again.
	r = f.press(n.MessageID, "Confirmar")
	due := f.unsettled()
	again := f.press(n.MessageID, "Não vou")
	f.must(f.db.Settlements.Settled(f.Context(), []pombo.Settled{{Settlement: due[0], Result: pombo.SettleDone}}))
	if r.Number == again.Number {
		f.Fatal("one number twice")
	}
	f.settleAll(confirm, refuse)
	f.nothingDue()
	f.stood(n.MessageID, again.Number)
	// The same once more: there is a later time to write.
	f.press(n.MessageID, "não vou")
	f.settleAll(refuse, refuse)
	f.nothingDue()
}

func replyRace(f *fixture) {
	for _, last := range []bool{false, true} {
		f.answering(func(o *ledger.ReplyOptions) { o.Last = last })
		n := f.arrives(f.newRows(1)[0])
		var wg sync.WaitGroup
		for i := range 16 {
			text := []pombo.Private{"Confirmar", "Não vou"}[i%2]
			wg.Go(func() {
				_, err := f.db.Replies.Take(f.Context(), []pombo.Inbound{{ID: fmt.Sprintf("race.%v.%d", last, i), Kind: pombo.ReplyButton, Text: text, RepliesTo: []pombo.MessageID{n.MessageID}}})
				if err != nil {
					f.Error(err)
				}
			})
		}
		wg.Wait()
		page, err := f.db.Replies.List(f.Context(), pombo.ReplyQuery{Notification: n.MessageID})
		f.must(err)
		stand := slices.DeleteFunc(slices.Clone(page.Replies), func(r pombo.Reply) bool { return !r.Counts })
		if len(page.Replies) != 16 || len(stand) != 1 {
			f.Fatalf("%d replies, of which %d stand; want 16 and 1", len(page.Replies), len(stand))
		}
		due := f.unsettled()
		if len(due) != 1 || due[0].Reply != stand[0].Number || due[0].Code != stand[0].Code {
			f.Errorf("due = %+v, want the answer that stands", due)
		}
		f.endSettling(pombo.SettleDone)
	}
}

// replySettles: with the code of its state, over it, alone, and never over a foreign one.
func replySettles(f *fixture) {
	f.answering(nil)
	// All at once: the row gets the answer's code and nothing else.
	n := f.leaves(f.newRows(1)[0])
	f.press(n.MessageID, "Confirmar")
	got := f.settleAll("1", confirm)
	want := pombo.Settlement{Seq: n.Seq, RowKey: n.Key.RowKey, Expected: "1", Code: confirm, MessageID: n.MessageID, Answer: "Confirmar"}
	f.same("settlement", want, got, cmpopts.IgnoreFields(pombo.Settlement{}, "SentAt", "Answered", "Reply", "Unsure"))
	f.nothingDue()
	// What a receipt says later does not change it.
	for _, s := range []pombo.State{pombo.Delivered, pombo.Read} {
		f.receipt(n.MessageID, s)
		f.nothingDue()
	}
	if got := f.get(n.MessageID); got.Settled != confirm || got.State != pombo.Read {
		f.Errorf("it is %s with %q, want its state beside the answer", got.State, got.Settled)
	}

	// After the codes of its states.
	n = f.arrives(f.newRows(1)[0])
	f.settleAll("1", "4")
	f.press(n.MessageID, "Não vou")
	f.receipt(n.MessageID, pombo.Read)
	f.settleAll("4", refuse)
	f.nothingDue()

	// An answer without a code goes beside the code that is there, which may change later.
	n = f.arrives(f.newRows(1)[0])
	f.settleAll("1", "4")
	f.press(n.MessageID, "que horas?")
	if got := f.settleAll("4", "4"); got.Answer != "que horas?" {
		f.Errorf("answer = %q, want the text", got.Answer.Reveal())
	}
	f.nothingDue()
	f.receipt(n.MessageID, pombo.Read)
	if got := f.settleAll("4", "5"); got.Answer != "" || !got.Answered.IsZero() {
		f.Errorf("the answer is written again: %+v", got)
	}

	// The source is away: it is asked again.
	n = f.arrives(f.newRows(1)[0])
	f.press(n.MessageID, "Confirmar")
	f.endSettling(pombo.SettleLater)
	f.nothingDue()
	f.pass(time.Minute)
	f.settleAll("1", confirm)

	// The row was left alone, once and for all.
	for _, result := range []pombo.SettleResult{pombo.SettleDiverged, pombo.SettleGone, pombo.SettleRefused} {
		n = f.arrives(f.newRows(1)[0])
		f.endSettling(pombo.SettleDone)
		r := f.press(n.MessageID, "Confirmar")
		f.endSettling(result)
		f.pass(time.Hour)
		f.nothingDue()
		page, err := f.db.Replies.List(f.Context(), pombo.ReplyQuery{Notification: n.MessageID})
		f.must(err)
		if got := page.Replies[0]; got.Number != r.Number || !got.Counts || got.Due || !got.Written.IsZero() {
			f.Errorf("%s: %+v, want it to stand unwritten", result, got)
		}
		if late := f.press(n.MessageID, "Não vou"); late.Due {
			f.Errorf("%s: another answer is due", result)
		}
		f.nothingDue()
	}
	_, events, err := f.db.History.Notification(f.Context(), n.MessageID)
	f.must(err)
	if !slices.ContainsFunc(events, func(e pombo.Event) bool { return strings.Contains(e.Detail, "answered (button, matched by_id)") }) {
		f.Errorf("events = %v, want one about the answer", events)
	}
}

// replyKept: without columns and codes a reply is kept and matched, and that is all. What did
// not come from the table has no row.
func replyKept(f *fixture) {
	f.answering(func(o *ledger.ReplyOptions) { *o = ledger.ReplyOptions{} })
	n := f.arrives(f.newRows(1)[0])
	f.settleAll("1", "4")
	if r := f.press(n.MessageID, "Confirmar"); !r.Counts || r.Due || r.Code != "" {
		f.Errorf("%+v, want it to stand and nothing due", r)
	}
	f.nothingDue()
	f.receipt(n.MessageID, pombo.Read)
	f.settleAll("4", "5")

	f.answering(nil)
	row := f.newRows(1)[0]
	added, _, err := f.db.Intake.Add(f.Context(), "api", row)
	f.must(err)
	f.goes()
	if r := f.press(added.MessageID, "Confirmar"); !r.Counts || r.Due || r.Code != confirm {
		f.Errorf("%+v, want it to stand and nothing due", r)
	}
	f.nothingDue()

	_, err = ledger.Open(f.Context(), ledger.Options{URL: "sqlite:" + f.TempDir() + "/x.db", Pending: "1", Replies: ledger.ReplyOptions{Codes: map[string]string{"Sim": "1"}}})
	if err == nil {
		f.Error("an answer may give a row the code of pending rows")
	}
}

func replyOptOut(f *fixture) {
	f.answering(nil)
	n := f.arrives(f.newRows(1)[0])
	f.settleAll("1", "4")
	r := f.take(pombo.Inbound{ID: "out", Kind: pombo.ReplyText, Text: "SAIR", OptOut: true, RepliesTo: []pombo.MessageID{n.MessageID}})
	f.matched(r, pombo.MatchedByID, n.MessageID)
	// A thumb that is up is not an answer either.
	thumb := f.take(pombo.Inbound{ID: "thumb", Kind: pombo.ReplyReaction, Text: "👍", RepliesTo: []pombo.MessageID{n.MessageID}})
	if r.Counts || thumb.Counts {
		f.Error("what is not an answer stands as one")
	}
	f.nothingDue()
	f.press(n.MessageID, "Confirmar")
	f.settleAll("4", confirm)
}

func replyLists(f *fixture) {
	f.answering(nil)
	n := f.arrives(f.newRows(1)[0])
	begun := f.clock.Now()
	var want []int64
	for i := range 5 {
		f.pass(time.Minute)
		want = append(want, f.take(pombo.Inbound{ID: fmt.Sprint("l", i), Kind: pombo.ReplyText, Text: "oi", Form: "text", Identity: "9@x", BSUID: "BR.1", Payload: "p", At: begun}).Number)
	}
	to := f.press(n.MessageID, "Confirmar")
	list := func(q pombo.ReplyQuery) (numbers []int64) {
		f.Helper()
		for more := true; more; more = q.Cursor != "" {
			page, err := f.db.Replies.List(f.Context(), q)
			f.must(err)
			for _, r := range page.Replies {
				numbers = append(numbers, r.Number)
			}
			q.Cursor = page.Next
		}
		slices.Reverse(numbers)
		return numbers
	}
	f.same("all", append(slices.Clone(want), to.Number), list(pombo.ReplyQuery{Limit: 2}))
	f.same("unmatched", want, list(pombo.ReplyQuery{Unmatched: true, Limit: 2}))
	f.same("of one", []int64{to.Number}, list(pombo.ReplyQuery{Notification: n.MessageID}))
	f.same("of a time", want[1:3], list(pombo.ReplyQuery{Since: begun.Add(2 * time.Minute), Until: begun.Add(4 * time.Minute), Limit: 1}))
	_, err := f.db.Replies.List(f.Context(), pombo.ReplyQuery{Notification: pombo.Key{Source: source, RowKey: "?", Generation: 1}.MessageID()})
	f.mustBe(err, pombo.ErrNotFound)
	_, err = f.db.Replies.List(f.Context(), pombo.ReplyQuery{Cursor: "-"})
	f.mustBe(err, pombo.ErrCursor)
	page, err := f.db.Replies.List(f.Context(), pombo.ReplyQuery{Unmatched: true, Limit: 1})
	f.must(err)
	got := page.Replies[0]
	wanted := pombo.Reply{Number: want[4], Inbound: pombo.Inbound{ID: "l4", Identity: "9@x", BSUID: "BR.1", Kind: pombo.ReplyText, Text: "oi", Payload: "p", Form: "text", At: begun},
		Match: pombo.Unmatched, Received: begun.Add(5 * time.Minute)}
	f.same("one", wanted, got)
	got, err = f.db.Replies.Reply(f.Context(), want[4])
	f.must(err)
	f.same("one by its number", wanted, got)
	_, err = f.db.Replies.Reply(f.Context(), to.Number+1)
	f.mustBe(err, pombo.ErrNotFound)
	for to, want := range map[time.Duration][]pombo.AnswerCount{5 * time.Minute: nil, 6 * time.Minute: {{Template: usual, Code: confirm, N: 1}}} {
		counts, err := f.db.Replies.AnswerCounts(f.Context(), begun, begun.Add(to))
		f.must(err)
		f.same("answers", want, counts)
	}
}

// replyThenFailure: who has answered has the message, whatever a receipt says.
func replyThenFailure(f *fixture) {
	f.answering(nil)
	n := f.leaves(f.newRows(1)[0])
	f.press(n.MessageID, "Confirmar")
	f.settleAll("1", confirm)
	f.apply(pombo.Receipt{MessageID: n.MessageID, State: pombo.Failed, Reason: pombo.PairRate, Policy: pombo.ResendBackoff})
	f.nothingDue()
	f.pass(day)
	if list := f.claim(me, 10); len(list) != 0 {
		f.Errorf("%d are sent again, want none", len(list))
	}
}

// replyLostLedger: a row with the code of an answer was sent.
func replyLostLedger(f *fixture) {
	f.answering(nil)
	f.queue(1)
	n := f.send(pombo.Uncertain, pombo.NoAnswer)
	o, err := f.db.Doubts.EndDoubt(f.Context(), f.get(n.MessageID), confirm, false)
	f.must(err)
	if o.To != pombo.Delivered {
		f.Errorf("it is %s, want delivered", o.To)
	}
	f.receipt(n.MessageID, pombo.Read)
	f.nothingDue()
}
