package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pombo"
	"pombo/internal/ledger"
	"pombo/internal/phone"
)

// confirm and cancel are the codes of the two buttons.
const confirm, refuse = "7", "8"

// answering opens the ledger again, with the codes of the two buttons.
func (f *fixture) answering(change func(*ledger.ReplyOptions)) {
	f.Helper()
	f.close()
	f.replies = ledger.ReplyOptions{Codes: map[string]string{"Confirmar": confirm, "Não vou": refuse}, Columns: true, Within: time.Hour}
	if change != nil {
		change(&f.replies)
	}
	f.open()
	f.must(f.db.Templates.SaveTemplates(f.Context(), []pombo.Template{
		{Name: usual, Language: "pt_BR", Buttons: []pombo.Button{{Kind: "QUICK_REPLY", Text: "Confirmar"}, {Kind: "QUICK_REPLY", Text: "Não vou"}}},
		{Name: "result", Language: "pt_BR", Buttons: []pombo.Button{{Kind: "URL", Text: "Ver"}}},
	}))
}

func identityOf(n phone.Number) string { return n.E164()[1:] + "@wa.gw.msging.net" }

// arrives takes a row as far as its recipient's handset.
func (f *fixture) arrives(row pombo.Row) pombo.Notification {
	f.Helper()
	n := f.leaves(row)
	f.receipt(n.MessageID, pombo.Delivered)
	return f.get(n.MessageID)
}

// leaves takes a row as far as Blip.
func (f *fixture) leaves(row pombo.Row) pombo.Notification {
	f.Helper()
	f.enqueue(0, row)
	return f.goes()
}

// goes sends the only due one.
func (f *fixture) goes() pombo.Notification {
	f.Helper()
	n := f.claimOne(me)
	attempt, err := f.db.Queue.Begin(f.Context(), n, identityOf(n.Phone))
	f.must(err)
	f.finish(pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: me, Attempt: attempt}, pombo.Accepted, pombo.NoReason)
	return n
}

// take takes one reply, which has to be new.
func (f *fixture) take(in pombo.Inbound) pombo.Reply {
	f.Helper()
	taken, err := f.db.Replies.Take(f.Context(), []pombo.Inbound{in})
	f.must(err)
	if len(taken) != 1 {
		f.Fatalf("taken %d, want 1", len(taken))
	}
	return taken[0]
}

// press is the press of a button on a message.
func (f *fixture) press(id pombo.MessageID, label pombo.Private) pombo.Reply {
	f.Helper()
	f.rows++
	return f.take(pombo.Inbound{ID: fmt.Sprintf("wamid.%d", f.rows), Kind: pombo.ReplyButton, Text: label, RepliesTo: []pombo.MessageID{id}, At: f.clock.Now()})
}

// writes is a text of a person that names no message.
func (f *fixture) writes(to phone.Number, text pombo.Private) pombo.Reply {
	f.Helper()
	f.rows++
	return f.take(pombo.Inbound{ID: fmt.Sprintf("wamid.%d", f.rows), Kind: pombo.ReplyText, Text: text, Identity: pombo.Private(identityOf(to)), At: f.clock.Now()})
}

func (f *fixture) matched(r pombo.Reply, want pombo.ReplyMatch, id pombo.MessageID) {
	f.Helper()
	if r.Match != want || r.MessageID != id {
		f.Errorf("reply %d is %s to %q, want %s to %q", r.Number, r.Match, r.MessageID, want, id)
	}
}

// replyMatches: each way in turn, the surest first.
func replyMatches(f *fixture) {
	f.answering(nil)
	rows := f.newRows(4)
	rows[1].Params = append(rows[1].Params, pombo.Param{Slot: "button0-payload", Value: "CONF-2"})
	for i := range rows {
		rows[i].Phone = rows[0].Phone // all to one person
	}
	var sent []pombo.Notification
	for _, r := range rows {
		sent = append(sent, f.arrives(r))
		f.pass(10 * time.Second)
	}
	f.apply(pombo.Receipt{MessageID: sent[2].MessageID, State: pombo.Read, UniqueID: "b3f0-unique"})
	who := pombo.Private(identityOf(rows[0].Phone))
	stranger := pombo.Key{Source: source, RowKey: "?", Generation: 1}.MessageID()
	for i, test := range []struct {
		in   pombo.Inbound
		want pombo.ReplyMatch
		of   int
	}{
		{pombo.Inbound{RepliesTo: []pombo.MessageID{"activecampaign:7", stranger, sent[0].MessageID}, Text: "Confirmar", Payload: "CONF-2"}, pombo.MatchedByID, 0},
		{pombo.Inbound{RepliesTo: []pombo.MessageID{sent[0].MessageID}, Payload: pombo.ReplyPayload(sent[3].MessageID, 0)}, pombo.MatchedByID, 0},
		{pombo.Inbound{Payload: pombo.ReplyPayload(sent[3].MessageID, 1), UniqueID: "b3f0-unique"}, pombo.MatchedByPayload, 3},
		{pombo.Inbound{Text: pombo.ReplyPayload(sent[3].MessageID, 1)}, pombo.MatchedByPayload, 3},
		{pombo.Inbound{Identity: who, Text: "CONF-2", UniqueID: "b3f0-unique"}, pombo.MatchedByPayload, 1},
		{pombo.Inbound{Identity: who, Text: "Confirmar", Payload: "CONF-2"}, pombo.MatchedByPayload, 1},
		{pombo.Inbound{Identity: who, Text: "Confirmar", UniqueID: "b3f0-unique"}, pombo.MatchedByReference, 2},
		{pombo.Inbound{Identity: who, Text: "sim", UniqueID: "another", RepliesTo: []pombo.MessageID{stranger}}, pombo.Unmatched, -1}, // two are open
		{pombo.Inbound{Text: pombo.ReplyPayload(stranger, 1)}, pombo.Unmatched, -1},
		{pombo.Inbound{Identity: "551199@wa.gw.msging.net", Text: "CONF-2"}, pombo.Unmatched, -1}, // somebody else
		{pombo.Inbound{Text: "CONF-2"}, pombo.Unmatched, -1},                                      // nobody
	} {
		test.in.ID, test.in.Kind, test.in.At = fmt.Sprintf("wamid.m%d", i), pombo.ReplyButton, f.clock.Now()
		r := f.take(test.in)
		id := pombo.MessageID("")
		if test.of >= 0 {
			id = sent[test.of].MessageID
		}
		f.matched(r, test.want, id)
	}
	// The label of the button whose payload is ours.
	page, err := f.db.Replies.List(f.Context(), pombo.ReplyQuery{Notification: sent[3].MessageID})
	f.must(err)
	if len(page.Replies) != 2 || page.Replies[1].Text != "Não vou" || page.Replies[1].Code != refuse || page.Replies[0].Text != "Não vou" {
		f.Errorf("replies = %d, %q, want the label of the button", len(page.Replies), page.Replies[0].Text.Reveal())
	}
}

// replyByPerson: by the identity, the phone or the business-scoped user id; only what arrived,
// only with buttons, only within its time.
func replyByPerson(f *fixture) {
	f.answering(nil)
	one := func(change func(*pombo.Row)) (pombo.Row, pombo.Notification) {
		row := f.newRows(1)[0]
		if change != nil {
			change(&row)
		}
		return row, f.arrives(row)
	}
	row, n := one(nil)
	f.matched(f.writes(row.Phone, "sim"), pombo.MatchedByPerson, n.MessageID)
	f.matched(f.writes(row.Phone, "obrigada"), pombo.Unmatched, "") // it has its answer

	row, n = one(nil)
	f.matched(f.take(pombo.Inbound{ID: "p1", Kind: pombo.ReplyMedia, Phone: pombo.Private(row.Phone.E164()[1:])}), pombo.MatchedByPerson, n.MessageID)
	_, n = one(nil)
	f.apply(pombo.Receipt{MessageID: n.MessageID, State: pombo.Read, BSUID: "BR.77"})
	f.matched(f.take(pombo.Inbound{ID: "p2", Kind: pombo.ReplyText, BSUID: "BR.77", Identity: "0b0c@tunnel.msging.net", Text: "sim"}), pombo.MatchedByPerson, n.MessageID)
	// The number without its ninth digit is the same person's.
	row, n = one(nil)
	short := strings.Replace(row.Phone.E164()[1:], "55319", "5531", 1)
	f.matched(f.take(pombo.Inbound{ID: "p3", Kind: pombo.ReplyText, Phone: pombo.Private(short), Text: "sim"}), pombo.MatchedByPerson, n.MessageID)

	// What Blip called the person was lost with the process that had asked: a receipt says it again.
	row = f.newRows(1)[0]
	f.enqueue(0, row)
	n = f.send(pombo.Accepted, pombo.NoReason)
	f.apply(pombo.Receipt{MessageID: n.MessageID, State: pombo.Delivered, Identity: pombo.Private(identityOf(row.Phone))})
	f.matched(f.writes(row.Phone, "sim"), pombo.MatchedByPerson, n.MessageID)

	row, _ = one(func(r *pombo.Row) { r.Template = "result" })
	f.matched(f.writes(row.Phone, "sim"), pombo.Unmatched, "") // nothing to press
	row, _ = one(func(r *pombo.Row) { r.Template = "unheard_of" })
	f.matched(f.writes(row.Phone, "sim"), pombo.Unmatched, "")
	row, n = one(func(r *pombo.Row) {
		r.Template, r.Params = "unheard_of", []pombo.Param{{Slot: "button0-payload", Value: "SIM"}}
	})
	f.matched(f.writes(row.Phone, "sim"), pombo.MatchedByPerson, n.MessageID)

	row, n = one(nil)
	f.matched(f.take(pombo.Inbound{ID: "p4", Kind: pombo.ReplyReaction, Identity: pombo.Private(identityOf(row.Phone)), Text: "👍"}), pombo.Unmatched, "")
	f.pass(time.Hour + time.Second)
	f.matched(f.writes(row.Phone, "sim"), pombo.Unmatched, "") // too late
	f.matched(f.take(pombo.Inbound{ID: "p5", Kind: pombo.ReplyText, Identity: pombo.Private(identityOf(row.Phone)), Text: "sim", At: f.clock.Now().Add(-time.Minute)}),
		pombo.MatchedByPerson, n.MessageID) // it was written in time
	f.matched(f.press(n.MessageID, "Confirmar"), pombo.MatchedByID, n.MessageID) // which never comes too late

	// What has not arrived cannot be answered, and what might have keeps the other from being it.
	rows := f.newRows(2)
	rows[1].Phone = rows[0].Phone
	n = f.leaves(rows[0])
	f.matched(f.writes(rows[0].Phone, "sim"), pombo.Unmatched, "")
	f.receipt(n.MessageID, pombo.Delivered)
	f.pass(10 * time.Second)
	other := f.leaves(rows[1])
	f.matched(f.writes(rows[0].Phone, "sim"), pombo.Unmatched, "")
	f.apply(pombo.Receipt{MessageID: other.MessageID, State: pombo.Failed, Reason: pombo.NotOnWhatsApp})
	f.matched(f.writes(rows[0].Phone, "sim"), pombo.MatchedByPerson, n.MessageID)
}

// replyTwins: nobody guesses whose appointment it is.
func replyTwins(f *fixture) {
	f.answering(nil)
	rows := f.newRows(2)
	rows[1].Phone = rows[0].Phone
	first := f.arrives(rows[0])
	f.pass(10 * time.Second)
	second := f.arrives(rows[1])
	f.matched(f.writes(rows[0].Phone, "Confirmar"), pombo.Unmatched, "")
	f.endSettling(pombo.SettleDone)
	f.nothingDue()
	f.matched(f.press(second.MessageID, "Não vou"), pombo.MatchedByID, second.MessageID)
	due := f.settleAll("4", refuse)
	if due.RowKey != rows[1].RowKey {
		f.Errorf("row %s got the answer, want %s", due.RowKey, rows[1].RowKey)
	}
	// Now only one is left that it can be.
	f.matched(f.writes(rows[0].Phone, "confirmar!"), pombo.MatchedByPerson, first.MessageID)
	f.settleAll("4", confirm)
}

// replyTwice: Blip repeats, and so do two ways in.
func replyTwice(f *fixture) {
	f.answering(nil)
	n := f.arrives(f.newRows(1)[0])
	in := pombo.Inbound{ID: "wamid.1", Kind: pombo.ReplyButton, Text: "Confirmar", RepliesTo: []pombo.MessageID{n.MessageID}}
	taken, err := f.db.Replies.Take(f.Context(), []pombo.Inbound{in, in})
	f.must(err)
	if len(taken) != 1 || !taken[0].Counts || !taken[0].Due || taken[0].Code != confirm {
		f.Fatalf("taken = %+v, want one that counts", taken)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			taken, err := f.db.Replies.Take(f.Context(), []pombo.Inbound{in})
			if err != nil || len(taken) != 0 {
				f.Errorf("taken again: %v, %v", taken, err)
			}
		})
	}
	wg.Wait()
	f.pass(25 * time.Hour)
	taken, err = f.db.Replies.Take(f.Context(), []pombo.Inbound{in})
	f.must(err)
	if len(taken) != 0 {
		f.Errorf("a day later it is new: %+v", taken)
	}
	// Without an id it is known by all that it says.
	in = pombo.Inbound{Kind: pombo.ReplyText, Text: "oi", Identity: "1@x", At: f.clock.Now()}
	f.take(in)
	taken, err = f.db.Replies.Take(f.Context(), []pombo.Inbound{in})
	f.must(err)
	if len(taken) != 0 {
		f.Errorf("without an id it is new: %+v", taken)
	}
	in.Text = "olá"
	f.take(in)
}

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

// replyUnsure: a process dies between the change of the row and its record.
func replyUnsure(f *fixture) {
	f.answering(func(o *ledger.ReplyOptions) { o.Last = true })
	unsure := func(want ...string) {
		f.Helper()
		due := f.unsettled()
		if len(due) != 1 || !slices.Equal(due[0].Unsure, want) {
			f.Fatalf("due = %+v, want one that may have %q", due, want)
		}
	}
	n := f.arrives(f.newRows(1)[0])
	f.unsettled() // "4" is being written
	f.receipt(n.MessageID, pombo.Read)
	f.press(n.MessageID, "Confirmar")
	unsure("2", "4", "5")
	f.press(n.MessageID, "Não vou")
	unsure("2", "4", "5", confirm)
	f.settleAll("1", refuse)
	// What is on record is known: nothing else of ours is possible, and what else is there, a
	// person has written.
	f.press(n.MessageID, "Confirmar")
	if due := f.unsettled(); due[0].Expected != refuse || len(due[0].Unsure) > 1 {
		f.Errorf("due = %+v, want the code that was written", due)
	}
	f.settleAll(refuse, confirm)

	f.answering(nil)
	n = f.arrives(f.newRows(1)[0])
	f.settleAll("1", "4")
	f.press(n.MessageID, "Confirmar")
	f.press(n.MessageID, "Não vou") // does not stand, so it was never on its way
	unsure()
	f.settleAll("4", confirm)
}

// replyToResent: the person has answered the message that WhatsApp had refused at first.
func replyToResent(f *fixture) {
	f.answering(nil)
	n := f.leaves(f.newRows(1)[0])
	f.apply(pombo.Receipt{MessageID: n.MessageID, State: pombo.Failed, Reason: pombo.PairRate, Policy: pombo.ResendBackoff})
	next := pombo.Key{Source: source, RowKey: n.Key.RowKey, Generation: 2}.MessageID()
	f.pass(time.Hour)
	f.goes()
	f.endSettling(pombo.SettleDone)
	r := f.press(n.MessageID, "Confirmar")
	f.matched(r, pombo.MatchedByID, n.MessageID)
	got := f.settleAll("2", confirm)
	if got.MessageID != next {
		f.Errorf("%s settles, want the message that went last", got.MessageID)
	}
	if late := f.press(next, "Não vou"); late.Counts {
		f.Error("two answers stand for one row")
	}
	f.nothingDue()
}

// replyToOlder: the row is about another message since.
func replyToOlder(f *fixture) {
	f.answering(nil)
	row := f.newRows(1)[0]
	n := f.arrives(row)
	f.endSettling(pombo.SettleDone)
	f.takenAgain(1, []pombo.Row{row}, []pombo.Latest{{RowKey: row.RowKey, Generation: 1}})
	r := f.press(n.MessageID, "Confirmar")
	if !r.Counts || r.Due {
		f.Errorf("%+v, want an answer that does not concern the row", r)
	}
	f.nothingDue()
	again := f.goes()
	f.settleAll("1", "2")
	f.receipt(n.MessageID, pombo.Read)
	f.endSettling(pombo.SettleDone)
	if r := f.press(again.MessageID, "Não vou"); !r.Due {
		f.Errorf("%+v, want the answer to the newer message due", r)
	}
	f.endSettling(pombo.SettleDone)
	if got := f.get(again.MessageID).Settled; got != refuse {
		f.Errorf("settled = %q, want %q", got, refuse)
	}
	// Set back with the code of an answer, it is set back on purpose.
	f.same("set back", []pombo.Latest{{RowKey: row.RowKey, Generation: 2}}, f.known([]pombo.Row{row}))
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
	// A thumb that is up is no answer either.
	thumb := f.take(pombo.Inbound{ID: "thumb", Kind: pombo.ReplyReaction, Text: "👍", RepliesTo: []pombo.MessageID{n.MessageID}})
	if r.Counts || thumb.Counts {
		f.Error("what is no answer stands as one")
	}
	f.nothingDue()
	f.press(n.MessageID, "Confirmar")
	f.settleAll("4", confirm)
}

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
