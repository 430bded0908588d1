package blip

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/test/nightly"
)

func TestTemplates(t *testing.T) {
	want := []pombo.Template{
		{Name: "order_late", Language: "pt_BR", Status: "PAUSED", Category: "UTILITY", Body: "Seu pedido atrasou.",
			Updated: time.Date(2026, 1, 3, 12, 0, 0, 0, time.UTC)},
		{Name: "order_shipped", Language: "pt_BR", Status: "APPROVED", Category: "UTILITY",
			Body: "Olá {{1}}, seu pedido {{2}} saiu para entrega.", Footer: "Loja Exemplo",
			Updated: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)},
		{Name: "order_shipped_image", Language: "pt_BR", Status: "APPROVED", Category: "MARKETING", PreviousCategory: "UTILITY",
			Header: "IMAGE", Body: "Olá {{1}}, seu pedido {{2}} saiu para entrega.", Footer: "Loja Exemplo",
			Buttons: []pombo.Button{{Kind: "QUICK_REPLY", Text: "Rastrear"}, {Kind: "URL", Text: "Abrir", URL: "https://example.com/{{1}}"}},
			Updated: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)},
	}
	for _, name := range []string{"templates-get.success.json", "templates-enriched.success.json"} {
		s := answering(t, http.StatusOK, golden(t, name))
		got, err := newClient(t, s.URL).Templates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTemplates_Containers(t *testing.T) {
	const one = `{"Name":"a","LANGUAGE":"pt_BR","status":"Approved","category":"utility","message_send_ttl_seconds":"7200","components":[{"Type":"header","format":"text","text":"H"},{"type":"body","text":"B"}],"last_updated_time":"2026-01-01T09:00:00-0300"}`
	want := []pombo.Template{{
		Name: "a", Language: "pt_BR", Status: "APPROVED", Category: "UTILITY", Header: "TEXT", HeaderText: "H", Body: "B",
		Updated: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), Validity: 2 * time.Hour,
	}}
	tests := []struct {
		name, resource string
		want           []pombo.Template
		bad            bool
	}{
		{"data", `{"data":[` + one + `],"paging":{"cursors":{}}}`, want, false},
		{"Data", `{"Data":[` + one + `]}`, want, false},
		{"items", `{"items":[` + one + `],"total":1}`, want, false},
		{"documents", `{"documents":[` + one + `]}`, want, false},
		{"templates", `{"templates":[` + one + `]}`, want, false},
		{"bare", `[` + one + `]`, want, false},
		{"none", `{"data":[]}`, nil, false},
		{"none, bare", `[]`, nil, false},
		{"odd items", `[null,1,"x",{},[` + one + `],` + one + `]`, want, false},
		{"odd components", `[{"name":"a","components":"none"}]`, []pombo.Template{{Name: "a"}}, false},
		{"no list", `{"total":0}`, nil, true},
		{"text", `"none"`, nil, true},
		{"null", `null`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, http.StatusOK, []byte(`{"status":"success","resource":`+tt.resource+`}`))
			got, err := newClient(t, s.URL).Templates(t.Context())
			if tt.bad {
				if f := fault(t, err); f.Reason != pombo.Unexplained {
					t.Errorf("error = %v, want %s", err, pombo.Unexplained)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("templates (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTemplates_NotFound: "not found" is about a number only where one was asked for.
func TestTemplates_NotFound(t *testing.T) {
	s := answering(t, http.StatusOK, golden(t, "account-get.failure.json"))
	_, err := newClient(t, s.URL).Templates(t.Context())
	if f := fault(t, err); f.Reason != pombo.CommandFailed || !errors.Is(err, pombo.ErrNotFound) {
		t.Errorf("error = %v, want %s and not found", err, pombo.CommandFailed)
	}
}

func TestTemplates_Many(t *testing.T) {
	// 3 MiB, more than any other answer may have: by day they are fewer and longer.
	count := nightly.Or(20_000, 2_000)
	text := strings.Repeat("Seu pedido saiu para entrega. ", nightly.Or(1, 45))
	var b bytes.Buffer
	b.WriteString(`{"status":"success","resource":{"data":[`)
	for i := range count {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":"order_shipped","language":"pt_BR","status":"APPROVED","components":[{"type":"BODY","text":"` + text + `"}]}`)
	}
	b.WriteString(`]}}`)
	s := answering(t, http.StatusOK, b.Bytes())
	got, err := newClient(t, s.URL).Templates(t.Context())
	if err != nil || len(got) != count {
		t.Errorf("templates = %d (%v), want %d", len(got), err, count)
	}
}

func FuzzTemplates(f *testing.F) {
	f.Add([]byte(`{"data":[{"name":"a","components":[{"type":"BUTTONS","buttons":[{"type":"URL"}]}]}]}`))
	f.Add([]byte(`[{"name":"a","language":{"code":"pt_BR"}}]`))
	f.Add(golden(f, "templates-get.success.json"))
	f.Fuzz(func(t *testing.T, b []byte) {
		templates, ok := parseTemplates(b)
		if !ok && templates != nil {
			t.Error("templates without a list")
		}
		for _, tpl := range templates {
			if tpl.Name == "" {
				t.Error("a template without a name")
			}
		}
	})
}

// fakeTransport is a RoundTripper that answers from memory, for the fuzzer.
type fakeTransport struct {
	status int
	body   []byte
}

func (c fakeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return &http.Response{
		StatusCode: c.status, Header: http.Header{}, Request: r,
		Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)),
	}, nil
}
