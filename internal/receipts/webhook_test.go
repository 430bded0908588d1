package receipts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/phone"
	"pombo/internal/receipts"
)

// fakeOptOuts keeps the people who opted out.
type fakeOptOuts struct {
	mu     sync.Mutex
	people []pombo.OptOut
	broken error
}

func (l *fakeOptOuts) OptOut(_ context.Context, o pombo.OptOut) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.people = append(l.people, o)
	}
	return l.broken
}

// webhookTest is a webhook with all that is behind it.
type webhookTest struct {
	hook      *receipts.Webhook
	replies   *fakeReplies
	answered  int
	ledger    *fakeLedger
	list      *fakeOptOuts
	templates []string
	pauses    []pombo.Pause
	moved     int
	registry  *prometheus.Registry
	log       bytes.Buffer
}

// envelope is the form in which this test posts: parsing is package blip's.
type envelope struct {
	Receipts []pombo.Receipt
	From     string
	Text     string
	Button   string
}

func newWebhookTest(t *testing.T, s *fakeLedger) *webhookTest {
	t.Helper()
	d := &webhookTest{ledger: s, list: &fakeOptOuts{}, replies: &fakeReplies{}, registry: prometheus.NewRegistry()}
	o := receipts.RecorderOptions{
		Ledger:  s,
		OptOuts: d.list,
		SuspendTemplate: func(name string, _ pombo.Reason, until time.Time) {
			d.templates = append(d.templates, name+" "+time.Until(until).String())
		},
		PauseBot:   func(_ context.Context, p pombo.Pause) error { d.pauses = append(d.pauses, p); return nil },
		Moved:      func() { d.moved++ },
		Logger:     slog.New(slog.NewTextHandler(&d.log, nil)),
		Registerer: d.registry,
	}
	recorder, err := receipts.NewRecorder(o)
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := receipts.NewInbox(receipts.InboxOptions{Recorder: recorder, Replies: d.replies, Words: receipts.Words(), Answered: func() { d.answered++ }})
	if err != nil {
		t.Fatal(err)
	}
	d.hook, err = receipts.NewWebhook(receipts.WebhookOptions{
		Secret: "a-secret", Recorder: recorder, Inbox: inbox,
		ParseReceipts: func(body []byte) ([]pombo.Receipt, error) {
			var e envelope
			if json.Unmarshal(body, &e) != nil {
				return nil, fmt.Errorf("read: %w", pombo.ErrNotJSON)
			}
			return e.Receipts, nil
		},
		ParseMessages: func(body []byte) ([]pombo.Inbound, error) {
			var e envelope
			_ = json.Unmarshal(body, &e)
			if e.From == "" {
				return nil, nil
			}
			return []pombo.Inbound{{Identity: pombo.Private(e.From), Text: pombo.Private(e.Text), Payload: pombo.Private(e.Button)}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *webhookTest) take(t *testing.T, e envelope) error {
	t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return d.hook.Take(t.Context(), receipts.Notifications, body)
}

// metric checks one line of the metrics, as Prometheus would see it.
func (d *webhookTest) metric(t *testing.T, want string) {
	t.Helper()
	families, err := d.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			line := f.GetName()
			if len(labels) > 0 {
				line += "{" + strings.Join(labels, ",") + "}"
			}
			lines = append(lines, fmt.Sprintf("%s %v", line, m.GetCounter().GetValue()))
		}
	}
	if !slices.Contains(lines, want) {
		t.Errorf("metrics lack %q:\n%s", want, strings.Join(lines, "\n"))
	}
}

func TestWebhook_AdmitsOnlyItsSecret(t *testing.T) {
	d := newWebhookTest(t, newFakeLedger())
	for secret, want := range map[string]bool{"a-secret": true, "a-secreT": false, "a-secret ": false, "": false, "a": false, "a-secret-and-more": false} {
		if got := d.hook.Admits(receipts.Messages, secret); got != want {
			t.Errorf("%q is admitted = %t, want %t", secret, got, want)
		}
	}
	d.metric(t, `pombo_webhook_requests_total{kind="messages",result="refused"} 5`)
	if _, err := receipts.NewWebhook(receipts.WebhookOptions{}); err == nil {
		t.Error("a webhook without a secret")
	}
}

func TestWebhook_RecordsReceipts(t *testing.T) {
	s := newFakeLedger(pombo.Accepted)
	d := newWebhookTest(t, s)
	ours := s.messages[0].MessageID
	unknown := pombo.Key{Source: "another", RowKey: "1", Generation: 1}.MessageID()

	if err := d.take(t, envelope{Receipts: []pombo.Receipt{{MessageID: unknown, State: pombo.Read}}}); err != nil {
		t.Errorf("an unknown id: %v", err)
	}
	if !d.hook.Last().IsZero() || d.moved != 0 {
		t.Error("a receipt of another bot counts as one of ours")
	}
	if err := d.take(t, envelope{Receipts: []pombo.Receipt{{MessageID: ours, State: pombo.Delivered}, {MessageID: ours, State: pombo.Read}}}); err != nil {
		t.Fatal(err)
	}
	if d.hook.Last().IsZero() || d.moved != 1 {
		t.Errorf("last receipt %v, moved %d times", d.hook.Last(), d.moved)
	}
	if err := d.take(t, envelope{}); err != nil {
		t.Errorf("nothing for us: %v", err)
	}
	if err := d.hook.Take(t.Context(), receipts.Messages, []byte("oi")); !errors.Is(err, pombo.ErrNotJSON) {
		t.Errorf("no JSON: %v", err)
	}
	s.broken = errors.New("the disk is full")
	if err := d.take(t, envelope{Receipts: []pombo.Receipt{{MessageID: ours, State: pombo.Read}}}); err == nil {
		t.Error("a receipt that could not be written counts as written")
	}
	for _, want := range []string{
		`pombo_receipts_applied_total{state="delivered"} 1`, `pombo_receipts_applied_total{state="read"} 1`,
		`pombo_receipts_applied_total{state="failed"} 0`, `pombo_receipts_unknown_total 1`,
		`pombo_webhook_requests_total{kind="notifications",result="ok"} 3`,
		`pombo_webhook_requests_total{kind="notifications",result="failed"} 1`,
		`pombo_webhook_requests_total{kind="messages",result="not_json"} 1`,
	} {
		d.metric(t, want)
	}
}

func TestWebhook_OptOutWords(t *testing.T) {
	const person = "5511900000001@wa.gw.msging.net"
	tests := []struct {
		text, button string
		want         bool
	}{
		{"SAIR", "", true},
		{"sair", "", true},
		{"  Sair.  ", "", true},
		{"Sair!!! 🙏", "", true},
		{"sáir", "", true},
		{"ｓａｉｒ", "", true}, // as some keyboards write it
		{"PARAR", "", true},
		{"Stop", "", true},
		{"OPT_1", "Parar", true},
		{"", "parar.", true},
		{"não quero sair", "", false},
		{"sair da fila", "", false},
		{"s a i r", "", false},
		{"stopped", "", false},
		{"", "", false},
		{"...", "", false},
		{strings.Repeat("sair", 100), "", false},
		{"sair" + strings.Repeat("!", 300), "", false},
	}
	for _, tt := range tests {
		d := newWebhookTest(t, newFakeLedger())
		if err := d.take(t, envelope{From: person, Text: tt.text, Button: tt.button}); err != nil {
			t.Fatal(err)
		}
		var want []pombo.OptOut
		if tt.want {
			want = []pombo.OptOut{{Identity: person, Scope: pombo.OptOutAll, By: "person"}}
		}
		if diff := cmp.Diff(want, d.list.people, cmpopts.EquateComparable(phone.Number{})); diff != "" {
			t.Errorf("%q %q: opted out (-want +got):\n%s", tt.text, tt.button, diff)
		}
		if log := d.log.String(); strings.Contains(log, "55119") {
			t.Errorf("the log shows who: %s", log)
		}
	}
}

func TestWebhook_KeepsOptOuts(t *testing.T) {
	d := newWebhookTest(t, newFakeLedger())
	d.list.broken = errors.New("the disk is full")
	if err := d.take(t, envelope{From: "x@y", Text: "SAIR"}); err == nil {
		t.Error("a word that could not be kept counts as kept")
	}
	d.list.broken = nil
	if err := d.take(t, envelope{From: "x@y", Text: "SAIR"}); err != nil {
		t.Fatal(err)
	}
	want := []pombo.OptOut{{Identity: "x@y", Scope: pombo.OptOutAll, By: "person"}}
	if diff := cmp.Diff(want, d.list.people, cmpopts.EquateComparable(phone.Number{})); diff != "" {
		t.Errorf("opted out (-want +got):\n%s", diff)
	}
	d.metric(t, `pombo_opt_outs_total{result="kept"} 1`)
	d.metric(t, `pombo_opt_outs_total{result="failed"} 1`)
}

// What a failure stops is stopped from when it happened, once.
func TestRecorder_StopsTemplateOrBotAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeLedger(pombo.Accepted, pombo.Accepted, pombo.Accepted, pombo.Accepted, pombo.Accepted, pombo.Accepted)
		s.messages[1].Template, s.messages[4].Template = "boleto", "laudo"
		d := newWebhookTest(t, s)
		failed := func(i int, policy pombo.ResendPolicy, ago time.Duration) pombo.Receipt {
			return pombo.Receipt{MessageID: s.messages[i].MessageID, State: pombo.Failed, Reason: pombo.SpamLimited, Policy: policy, At: time.Now().Add(-ago)}
		}
		for _, r := range []pombo.Receipt{
			failed(0, pombo.ResendBackoff, 0),
			failed(1, pombo.ResendTemplate, 20*time.Minute),
			failed(2, pombo.ResendBot, -time.Hour), // Blip's clock is ahead
			failed(3, pombo.ResendBot, 2*time.Hour),
			failed(4, pombo.ResendSuspend, 0),
			failed(5, pombo.ResendAccount, 2*time.Hour),
		} {
			if err := d.take(t, envelope{Receipts: []pombo.Receipt{r}}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"boleto 40m0s", "laudo 1h0m0s"}, d.templates); diff != "" {
			t.Errorf("stopped templates (-want +got):\n%s", diff)
		}
		want := []pombo.Pause{
			{Until: time.Now().Add(time.Hour), Reason: pombo.SpamLimited, By: "blip"},
			{Until: time.Now().Add(4 * time.Hour), Reason: pombo.SpamLimited, By: "blip"},
		}
		if !cmp.Equal(want, d.pauses) {
			t.Errorf("pauses = %+v, want %+v", d.pauses, want)
		}
	})
}

// FuzzOptOut: a text is an opt-out only if it contains one of the words.
func FuzzOptOut(f *testing.F) {
	for _, s := range []string{"SAIR", " páRar!", "stop\u0301", "ＳＡＩＲ。", "\xff", "sair da fila"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := &fakeOptOuts{}
		recorder, err := receipts.NewRecorder(receipts.RecorderOptions{
			Ledger: newFakeLedger(), OptOuts: d,
			SuspendTemplate: func(string, pombo.Reason, time.Time) {},
			PauseBot:        func(context.Context, pombo.Pause) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		inbox, err := receipts.NewInbox(receipts.InboxOptions{Recorder: recorder, Replies: &fakeReplies{}, Words: receipts.Words()})
		if err != nil {
			t.Fatal(err)
		}
		hook, err := receipts.NewWebhook(receipts.WebhookOptions{
			Secret: "s", Recorder: recorder, Inbox: inbox,
			ParseReceipts: func([]byte) ([]pombo.Receipt, error) { return nil, nil },
			ParseMessages: func(b []byte) ([]pombo.Inbound, error) {
				return []pombo.Inbound{{Identity: "x@y", Text: pombo.Private(b)}}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := hook.Take(t.Context(), receipts.Messages, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if len(d.people) > 0 && len([]rune(text)) < len("SAIR") {
			t.Errorf("%q counts as an opt-out", text)
		}
	})
}
