package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pombo"
	"pombo/internal/ledger"
	"pombo/internal/phone"
)

// confirm and refuse are the codes of the two buttons.
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
