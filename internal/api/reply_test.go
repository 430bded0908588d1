package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

const privateText = "pode ligar para a Zulmira"

func (m *fakeLedger) Replies(_ context.Context, q pombo.ReplyQuery) (pombo.ReplyPage, error) {
	m.asked = q
	return pombo.ReplyPage{Replies: []pombo.Reply{
		{
			Number: 2, Match: pombo.MatchedByID, MessageID: testID, Key: m.n.Key, Counts: true, Code: "5", Written: today, Received: today,
			Inbound: pombo.Inbound{Kind: pombo.ReplyButton, Text: "Confirmar", Phone: "5531988880042", At: today},
		},
		{Number: 1, Match: pombo.Unmatched, Received: today, Inbound: pombo.Inbound{Kind: pombo.ReplyText, Text: privateText, Payload: privateText, Identity: "x@y"}},
	}, Next: "c2"}, m.err
}

func TestReplies(t *testing.T) {
	w := newFixture(t)
	rec := w.ask("GET", "/api/v1/replies?unmatched=true&notification="+string(testID)+"&since=2026-11-23T10:00:00Z&until=2026-11-24T10:00:00Z&limit=7&cursor=c1", "")
	checkStatus(t, rec, http.StatusOK)
	want := pombo.ReplyQuery{
		Unmatched: true, Notification: testID, Limit: 7, Cursor: "c1",
		Since: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, w.ledger.asked); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	body := rec.Body.String()
	if strings.Contains(body, "Zulmira") || strings.Contains(body, "88880042") || strings.Contains(body, "x@y") {
		t.Errorf("the answer shows what was written, or by whom: %s", body)
	}
	for _, part := range []string{`"answer":"Confirmar"`, `"code":"5"`, `"match":"unmatched"`, `"next_cursor":"c2"`} {
		if !strings.Contains(body, part) {
			t.Errorf("the answer lacks %s: %s", part, body)
		}
	}
	for _, wrong := range []string{"unmatched=yes", "notification=x", "since=today", "q=x"} {
		checkStatus(t, w.ask("GET", "/api/v1/replies?"+wrong, ""), http.StatusUnprocessableEntity)
	}
}

// TestStory_HasReplies: what the recipient answered is a part of the story, in its order.
func TestStory_HasReplies(t *testing.T) {
	w := newFixture(t)
	rec := w.ask("GET", "/api/v1/notifications/"+string(testID), "")
	checkStatus(t, rec, http.StatusOK)
	body := rec.Body.String()
	if first, second := strings.Index(body, `"number":1`), strings.Index(body, `"number":2`); first < 0 || second < first {
		t.Errorf("replies are not oldest first: %s", body)
	}
	if w.ledger.asked.Notification != testID {
		t.Errorf("asked for the replies of %s, want %s", w.ledger.asked.Notification, testID)
	}
}

func TestPostReply(t *testing.T) {
	const flow = "/blip/replies/" + webhookSecret
	full := pombo.Inbound{
		ID: "wamid.1", Identity: "x@wa.gw.msging.net", Phone: "5531988880042", Kind: pombo.ReplyButton, Text: "Confirmar", Payload: "CONF",
		RepliesTo: []pombo.MessageID{testID}, Form: "flow",
	}
	tests := []struct {
		name, target, body string
		err                error
		status             int
		want               *pombo.Inbound
	}{
		{"all", flow, `{"identity":"x@wa.gw.msging.net/i","phone":"(31) 98888-0042","text":"Confirmar","payload":"CONF","inReplyTo":"fwd:fwd:` + string(testID) + `","messageId":"wamid.1","more":{}}`, nil, 200, &full},
		{"the least", flow, `{"identity":"x@y","text":"oi"}`, nil, 200, &pombo.Inbound{Identity: "x@y", Kind: pombo.ReplyText, Text: "oi", Form: "flow"}},
		{"variables without a value", flow, `{"identity":"","phone":"31 98888-0042","text":" oi\u0000","payload":"","inReplyTo":"","messageId":null}`, nil, 200,
			&pombo.Inbound{Phone: "5531988880042", Kind: pombo.ReplyText, Text: "oi", Form: "flow"}},
		{"a phone that is none, beside an identity", flow, `{"identity":"x@y","phone":"12","text":"oi"}`, nil, 200, &pombo.Inbound{Identity: "x@y", Kind: pombo.ReplyText, Text: "oi", Form: "flow"}},
		{"nobody", flow, `{"text":"oi"}`, nil, 422, nil},
		{"nothing", flow, `{"identity":"x@y"}`, nil, 422, nil},
		{"no text", flow, `{"identity":"x@y","text":7}`, nil, 422, nil},
		{"a quotation mark that breaks it", flow, `{"identity":"x@y","text":"o "sim""}`, nil, 400, nil},
		{"another secret", "/blip/replies/another-secret-altogether", `{"identity":"x@y","text":"oi"}`, nil, 404, nil},
		{"the ledger is away", flow, `{"identity":"x@y","text":"oi"}`, errors.New("the disk is full"), 503, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &fakeWebhook{err: tt.err}
			w := newFixture(t, func(o *Options) { o.Webhook = m })
			rec := w.ask("POST", tt.target, tt.body)
			checkStatus(t, rec, tt.status)
			var want []pombo.Inbound
			if tt.want != nil {
				want = append(want, *tt.want)
			}
			if tt.err == nil {
				if diff := cmp.Diff(want, m.replies); diff != "" {
					t.Errorf("taken (-want +got):\n%s", diff)
				}
			}
		})
	}
	checkStatus(t, newFixture(t).ask("POST", flow, `{"identity":"x@y","text":"oi"}`), http.StatusNotFound)
}
