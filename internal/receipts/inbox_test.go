package receipts_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/internal/receipts"
)

// fakeReplies is a ledger of replies that matches each message that names one.
type fakeReplies struct {
	mu     sync.Mutex
	taken  []pombo.Inbound
	known  map[string]bool
	broken error
}

func (f *fakeReplies) Take(_ context.Context, list []pombo.Inbound) (replies []pombo.Reply, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return nil, f.broken
	}
	for _, in := range list {
		if in.ID != "" && f.known[in.ID] {
			continue
		}
		if f.known == nil {
			f.known = map[string]bool{}
		}
		f.known[in.ID] = true
		f.taken = append(f.taken, in)
		r := pombo.Reply{Inbound: in, Match: pombo.Unmatched}
		if len(in.RepliesTo) > 0 {
			r.Match, r.MessageID = pombo.MatchedByID, in.RepliesTo[0]
		}
		replies = append(replies, r)
	}
	return replies, nil
}

const secretText = "pode ligar para a Zulmira"

var testID = pombo.Key{Source: "table", RowKey: "1", Generation: 1}.MessageID()

func newInbox(t *testing.T, d *webhookTest) *receipts.Inbox {
	t.Helper()
	recorder, err := receipts.NewRecorder(receipts.RecorderOptions{
		Ledger: d.ledger, OptOuts: d.list,
		SuspendTemplate: func(string, pombo.Reason, time.Time) {},
		PauseBot:        func(_ context.Context, p pombo.Pause) error { d.pauses = append(d.pauses, p); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := receipts.NewInbox(receipts.InboxOptions{Recorder: recorder, Replies: d.replies, Words: receipts.Words(), Answered: func() { d.answered++ }})
	if err != nil {
		t.Fatal(err)
	}
	return inbox
}

// TestWebhook_KeepsReplies: what a person sent is in the ledger before Blip is told that
// it has arrived.
func TestWebhook_KeepsReplies(t *testing.T) {
	d := newWebhookTest(t, newFakeLedger())
	in := pombo.Inbound{ID: "wamid.1", Identity: "x@y", Kind: pombo.ReplyText, Text: secretText, Form: "flow", RepliesTo: []pombo.MessageID{testID}}
	d.replies.broken = errors.New("the disk is full")
	if err := d.hook.TakeReply(t.Context(), in); err == nil {
		t.Error("an answer that could not be kept counts as kept")
	}
	if !d.hook.LastMessage().IsZero() {
		t.Error("an answer that was not kept counts as brought")
	}
	d.replies.broken = nil
	for range 2 {
		if err := d.hook.TakeReply(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.take(t, envelope{From: "x@y", Text: "oi"}); err != nil {
		t.Fatal(err)
	}
	if len(d.replies.taken) != 2 || d.answered != 1 || d.hook.LastMessage().IsZero() {
		t.Errorf("kept %d, answered %d, last %v, want 2, 1 and a time", len(d.replies.taken), d.answered, d.hook.LastMessage())
	}
	for _, want := range []string{
		`pombo_inbound_messages_total{result="by_id",way="flow"} 1`,
		`pombo_inbound_messages_total{result="known",way="flow"} 1`,
		`pombo_inbound_messages_total{result="failed",way="flow"} 1`,
		`pombo_inbound_messages_total{result="unmatched",way="webhook"} 1`,
		`pombo_webhook_requests_total{kind="replies",result="ok"} 2`,
		`pombo_webhook_requests_total{kind="replies",result="failed"} 1`,
	} {
		d.metric(t, want)
	}
	log := d.log.String()
	if !strings.Contains(log, "form=flow") || !strings.Contains(log, string(testID)) {
		t.Errorf("the log does not say in which form the answer came: %s", log)
	}
	if strings.Contains(log, "Zulmira") || strings.Contains(log, "x@y") {
		t.Errorf("the log shows what was written, or by whom: %s", log)
	}
}

// TestInbox_OptOutIsKept: a word that asks for no more messages is recorded as such and
// kept as a reply that is none, and a failure of one does not lose the other.
func TestInbox_OptOutIsKept(t *testing.T) {
	d := newWebhookTest(t, newFakeLedger())
	d.list.broken = errors.New("the disk is full")
	list := []pombo.Inbound{{Identity: "x@y", Text: "Sair."}, {Identity: "x@y", Text: "sair daqui"}}
	if err := newInbox(t, d).Take(t.Context(), receipts.ByWebhook, list); err == nil {
		t.Error("an opt-out that was not recorded counts as recorded")
	}
	if len(d.replies.taken) != 2 || !d.replies.taken[0].OptOut || d.replies.taken[1].OptOut {
		t.Errorf("kept = %#v, want the first as an opt-out", d.replies.taken)
	}
}

// TestInbox_OptOutByPhone: the bot's flow may know the number and not the identity.
func TestInbox_OptOutByPhone(t *testing.T) {
	d := newWebhookTest(t, newFakeLedger())
	list := []pombo.Inbound{{Phone: "5531988880001", Text: "SAIR"}, {Text: "SAIR"}}
	if err := newInbox(t, d).Take(t.Context(), receipts.ByFlow, list); err != nil {
		t.Fatal(err)
	}
	if len(d.list.people) != 1 || d.list.people[0].Phone.E164() != "+5531988880001" {
		t.Errorf("opted out = %v, want the phone", d.list.people)
	}
}
