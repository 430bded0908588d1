package blip

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

func TestParseMessages(t *testing.T) {
	const person = "5511900000001@wa.gw.msging.net"
	written := time.Date(2026, 1, 1, 0, 1, 40, 0, time.UTC)
	tests := []struct {
		name, body string
		want       []pombo.Inbound
	}{
		{"text", `{"id":"wamid.1","from":"` + person + `","to":"bot@msging.net","type":"text/plain","content":"Sair","metadata":{"#wa.timestamp":"1767225700"}}`,
			[]pombo.Inbound{{Identity: person, Text: "Sair", At: written}}},
		{"with an instance, and Blip's time", `{"from":"` + person + `/x","type":"text/plain","content":"oi","metadata":{"date_created":"1767225700000"}}`,
			[]pombo.Inbound{{Identity: person, Text: "oi", At: written}}},
		{"a button", `{"from":"` + person + `","type":"text/plain","content":"OPT_1","metadata":{"#blip.payload.content":"Parar"}}`,
			[]pombo.Inbound{{Identity: person, Text: "OPT_1", Payload: "Parar"}}},
		{"an answer to a quoted message", `{"from":"` + person + `","type":"application/vnd.lime.reply+json","content":{"replied":{"type":"text/plain","value":"STOP"},"inReplyTo":{"id":"activecampaign:1"}}}`,
			[]pombo.Inbound{{Identity: person, Text: "STOP"}}},
		{"a picture has no text", `{"from":"` + person + `","type":"application/vnd.lime.media-link+json","content":{"uri":"https://x","text":"SAIR"}}`,
			[]pombo.Inbound{{Identity: person}}},
		{"through a tunnel", `{"from":"0b0c0000-0000-4000-8000-000000000001@tunnel.msging.net","type":"text/plain","content":"SAIR","metadata":{"#tunnel.owner":"router@msging.net","#tunnel.originator":"` + person + `"}}`,
			[]pombo.Inbound{{Identity: person, Text: "SAIR"}}},
		{"through a tunnel that does not say whose", `{"from":"0b0c@tunnel.msging.net","type":"text/plain","content":"SAIR"}`,
			[]pombo.Inbound{{Identity: "0b0c@tunnel.msging.net", Text: "SAIR"}}},
		{"a list", `[{"from":"a@b","type":"text/plain","content":"1"},{"from":"a@b","type":"text/plain","content":"2"}]`,
			[]pombo.Inbound{{Identity: "a@b", Text: "1"}, {Identity: "a@b", Text: "2"}}},
		{"content of another kind", `{"from":"a@b","type":"text/plain","content":{"x":1},"metadata":7}`, []pombo.Inbound{{Identity: "a@b"}}},
		{"a receipt", string(golden(t, "receipt-received.json")), nil},
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

func FuzzParseMessages(f *testing.F) {
	f.Add([]byte(`{"from":"5511900000001@wa.gw.msging.net/i","type":"text/plain","content":"Sair","metadata":{"#wa.timestamp":"1767225700","#blip.payload.content":"Parar"}}`))
	f.Add([]byte(`{"from":"a@tunnel.msging.net","type":"application/vnd.lime.reply+json","content":{"replied":{"type":"text/plain","value":"STOP"}},"metadata":{"#tunnel.originator":"b@c"}}`))
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
		}
	})
}
