package blip

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

const (
	person    = "5531900000001@wa.gw.msging.net"
	reference = "7b1c0000-0000-4000-8000-000000000001"
)

// written is when the recorded messages were.
var written = time.Date(2026, 1, 1, 0, 3, 20, 0, time.UTC)

func TestParseMessages_Recorded(t *testing.T) {
	ours := []pombo.MessageID{testID}
	tests := map[string]pombo.Inbound{
		"reply-button.json":        {ID: "wamid.IN1", Kind: pombo.ReplyButton, Text: "Confirmar", RepliesTo: ours, UniqueID: reference, Form: "reply"},
		"reply-list.json":          {ID: "wamid.IN2", Kind: pombo.ReplyList, Text: "Sexta, 10h", Payload: "slot-2", RepliesTo: ours, UniqueID: reference, Form: "reply"},
		"reply-press-old.json":     {ID: "wamid.IN3", Kind: pombo.ReplyButton, Text: "SIM", Form: "payload"},
		"reply-press-payload.json": {ID: "wamid.IN4", Kind: pombo.ReplyButton, Text: "CONF-4711", Payload: "Confirmar", Form: "payload"},
		"reply-template.json": {ID: "wamid.IN5", Kind: pombo.ReplyButton, Text: "Confirmar", Payload: "CONF-4711", RepliesTo: ours, UniqueID: reference,
			BSUID: "BR.1502576394655843", Form: "template_reply"},
		"reply-text.json":               {ID: "wamid.IN6", Kind: pombo.ReplyText, Text: "Confirmo sim, obrigada", Form: "text"},
		"reply-quote.json":              {ID: "wamid.IN7", Kind: pombo.ReplyText, Text: "não posso", Form: "quote"},
		"reply-campaign.json":           {ID: "wamid.IN8", Kind: pombo.ReplyText, Text: "Confirmar", Form: "template_reply"},
		"reply-reaction.json":           {ID: "wamid.IN9", Kind: pombo.ReplyReaction, Text: "👍", RepliesTo: ours, Form: "reaction"},
		"reply-reaction-withdrawn.json": {ID: "wamid.IN10", Kind: pombo.ReplyReaction, RepliesTo: ours, Form: "reaction_withdrawn"},
		"reply-media.json":              {ID: "wamid.IN11", Kind: pombo.ReplyMedia, RepliesTo: ours, Form: "quote"},
		"reply-location.json":           {ID: "wamid.IN12", Kind: pombo.ReplyLocation, RepliesTo: ours, Form: "quote"},
		"reply-contact.json":            {ID: "wamid.IN13", Kind: pombo.ReplyContact, RepliesTo: ours, Form: "quote"},
		"feed-outgoing.json":            {},
		"feed-agent.json":               {},
		"feed-ticket.json":              {},
		"receipt-received.json":         {},
	}
	recorded, err := filepath.Glob("../../testdata/blip/reply-*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range recorded {
		if _, known := tests[filepath.Base(path)]; !known {
			t.Errorf("%s is read by no test", path)
		}
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseMessages(golden(t, name))
			if err != nil {
				t.Fatal(err)
			}
			var all []pombo.Inbound
			if want.Form != "" {
				want.Identity, want.At = person, written
				all = append(all, want)
			}
			if diff := cmp.Diff(all, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseMessages_Odd(t *testing.T) {
	text := func(identity, text pombo.Private) []pombo.Inbound {
		return []pombo.Inbound{{Identity: identity, Kind: pombo.ReplyText, Text: text, Form: "text"}}
	}
	dated := text(person, "oi")
	dated[0].At = time.Date(2026, 1, 1, 0, 1, 40, 0, time.UTC)
	twice := text("a@b", "1")
	twice = append(twice, text("a@b", "2")...)
	forwarded := text(person, "oi")
	forwarded[0].ID = "wamid.1"
	tests := []struct {
		name, body string
		want       []pombo.Inbound
	}{
		{"with an instance, and Blip's time", `{"from":"` + person + `/x","type":"text/plain","content":"oi","metadata":{"date_created":"1767225700000"}}`, dated},
		{"a forwarded id", `{"id":"fwd:fwd:wamid.1","from":"` + person + `","type":"text/plain","content":"oi"}`, forwarded},
		{"an id that nobody could store", `{"id":"` + strings.Repeat("x", 256) + `","from":"` + person + `","type":"text/plain","content":"oi"}`, text(person, "oi")},
		{"a NUL and blanks", `{"from":"` + person + `","type":"text/plain","content":"  o\u0000i "}`, text(person, "oi")},
		{"a long text", `{"from":"` + person + `","type":"text/plain","content":"` + strings.Repeat("é", 5000) + `"}`, text(person, pombo.Private(strings.Repeat("é", 4096)))},
		{"a picture alone", `{"from":"` + person + `","type":"application/vnd.lime.media-link+json","content":{"uri":"https://x","text":"SAIR"}}`,
			[]pombo.Inbound{{Identity: person, Kind: pombo.ReplyMedia, Form: "media"}}},
		{"an option without metadata", `{"from":"` + person + `","type":"application/vnd.lime.reply+json","content":{"replied":{"type":"text/plain","value":"Sim"},"inReplyTo":{"type":"application/vnd.lime.select+json","value":{"options":[{"text":"Sim"}]}}}}`,
			[]pombo.Inbound{{Identity: person, Kind: pombo.ReplyButton, Text: "Sim", Form: "reply"}}},
		{"through a tunnel", `{"from":"0b0c0000-0000-4000-8000-000000000001@tunnel.msging.net","type":"text/plain","content":"SAIR","metadata":{"#tunnel.owner":"router@msging.net","#tunnel.originator":"` + person + `"}}`, text(person, "SAIR")},
		{"through a tunnel that does not say whose", `{"from":"0b0c@tunnel.msging.net","type":"text/plain","content":"SAIR"}`, text("0b0c@tunnel.msging.net", "SAIR")},
		{"through a tunnel from a bot", `{"from":"0b0c@tunnel.msging.net","type":"text/plain","content":"oi","metadata":{"#tunnel.originator":"bot@msging.net"}}`, nil},
		{"from Blip itself", `{"from":"postmaster@wa.gw.msging.net/#gw1","type":"text/plain","content":"oi"}`, nil},
		{"an agent in the person's name", `{"from":"` + person + `","type":"text/plain","content":"oi","metadata":{"#messageEmitter":"Human"}}`, nil},
		{"a list", `[{"from":"a@b","type":"text/plain","content":"1"},{"from":"a@b","type":"text/plain","content":"2"}]`, twice},
		{"null for all metadata", `{"from":"a@b","type":"text/plain","content":"1","metadata":{"#wa.timestamp":null,"#blip.payload.content":null,"#wa.bsuid":null,"#messageEmitter":null}}`, text("a@b", "1")},
		{"content of another kind", `{"from":"a@b","type":"text/plain","content":{"x":1},"metadata":7}`, nil},
		{"a reply to nothing", `{"from":"a@b","type":"application/vnd.lime.reply+json","content":null}`, nil},
		{"somebody writes", `{"from":"a@b","type":"application/vnd.lime.chatstate+json","content":{"state":"composing"}}`, nil},
		{"a contact of the data feed", `{"lastMessageDate":"2026-01-01","identity":"a@b"}`, nil},
		{"nothing", `[]`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseMessages([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestThread(t *testing.T) {
	s := answering(t, http.StatusOK, golden(t, "thread-get.success.json"))
	got, err := newClient(t, s.URL).Thread(t.Context(), testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	want := []pombo.Inbound{{
		ID: "wamid.IN1", Identity: testIdentity, Kind: pombo.ReplyButton, Text: "Confirmar",
		RepliesTo: []pombo.MessageID{testID}, UniqueID: reference, Form: "reply", At: written,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	var asked, recorded map[string]any
	if err := json.Unmarshal(s.requests[0].body, &asked); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(golden(t, "thread-get.request.json"), &recorded); err != nil {
		t.Fatal(err)
	}
	asked["id"] = recorded["id"]
	if diff := cmp.Diff(recorded, asked); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
}

// TestThread_OldestFirst: the answer that came first must be the first one that is recorded.
func TestThread_OldestFirst(t *testing.T) {
	s := answering(t, http.StatusOK, []byte(`{"status":"success","resource":{"items":[
		{"id":"2","direction":"received","type":"text/plain","content":"não","date":"2026-01-01T00:00:02Z"},
		{"id":"x","direction":"received","type":"text/plain","content":"agente","metadata":{"#messageEmitter":"Human"}},
		{"id":"1","direction":"received","type":"text/plain","content":"sim","date":"2026-01-01T00:00:01Z"}]}}`))
	got, err := newClient(t, s.URL).Thread(t.Context(), testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].ID != "1" || got[1].ID != "2" || !got[0].At.Before(got[1].At) {
		t.Errorf("messages = %v, want 1 and 2", got)
	}
}

func TestThread_None(t *testing.T) {
	for _, answer := range []string{
		`{"status":"failure","reason":{"code":67,"description":"The requested resource was not found"}}`,
		`{"status":"success","resource":{"total":0,"items":[]}}`,
	} {
		s := answering(t, http.StatusOK, []byte(answer))
		if got, err := newClient(t, s.URL).Thread(t.Context(), testIdentity); err != nil || len(got) > 0 {
			t.Errorf("%s: %v, %v, want none", answer, got, err)
		}
	}
	s := answering(t, http.StatusOK, []byte(`{"status":"success","resource":{}}`))
	if _, err := newClient(t, s.URL).Thread(t.Context(), testIdentity); err == nil {
		t.Error("an answer without a list is taken for an empty conversation")
	}
}

func FuzzParseMessages(f *testing.F) {
	recorded, err := filepath.Glob("../../testdata/blip/*.json")
	if err != nil || len(recorded) == 0 {
		f.Fatalf("no recordings: %v", err)
	}
	for _, path := range recorded {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"from":"a@tunnel.msging.net","type":"application/vnd.lime.reply+json","content":{"replied":{"type":"text/plain","value":"STOP"}},"metadata":{"#tunnel.originator":"b@c"}}`))
	f.Add([]byte(`{"from":"a@b","type":"application/vnd.lime.reaction+json","content":{"emoji":{"values":[-1,1114112,128077]}}}`))
	f.Add([]byte(`[{},null,[],1]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseMessages(b)
		if err != nil && err.Error() != "read messages: not JSON" {
			t.Errorf("error = %v", err)
		}
		for _, m := range list {
			if strings.Contains(m.Identity.Reveal(), "/") || !m.At.IsZero() && !plausible(m.At) {
				t.Errorf("identity %q, at %v", m.Identity.Reveal(), m.At)
			}
			if m.Phone != "" {
				t.Errorf("a phone was made of %q", m.Identity.Reveal())
			}
			if m.Form == "" || m.Kind == "" || len(m.ID) > longestID || len(m.UniqueID) > longestID {
				t.Errorf("message = %#v", m)
			}
			for _, s := range []string{m.ID, m.UniqueID, m.Identity.Reveal(), m.BSUID.Reveal(), m.Text.Reveal(), m.Payload.Reveal()} {
				if strings.Contains(s, "\x00") || !utf8.ValidString(s) || utf8.RuneCountInString(s) > longestAnswer {
					t.Errorf("%q cannot be stored", s)
				}
			}
		}
	})
}
