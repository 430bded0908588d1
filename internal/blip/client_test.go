package blip

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"pombo"
	"pombo/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey      = "bXlib3Q6c2VjcmV0LWtleQ=="
	testPhone    = "+5531900000001"
	testIdentity = "553100000001@wa.gw.msging.net"
	testID       = pombo.MessageID("0f8fad5b-d9cb-469f-a165-70867728950e")
)

// newClient returns a client of the server at url, with the settings of the
// golden envelopes.
func newClient(t testing.TB, url string, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{
		Key:       "Key " + testKey,
		URL:       url,
		Template:  "order_shipped",
		Namespace: "00000000_0000_0000_0000_000000000000",
		Timeout:   5 * time.Second,
	}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// golden returns a recorded envelope.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "blip", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func number(t testing.TB, s string) phone.Number {
	t.Helper()
	n, err := phone.FromE164(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// body makes parameters of the body text.
func body(values ...pombo.Private) []pombo.Param {
	var ps []pombo.Param
	for _, v := range values {
		ps = append(ps, pombo.Param{Slot: pombo.Body, Value: v})
	}
	return ps
}

func message() pombo.Message {
	return pombo.Message{MessageID: testID, To: testIdentity, Params: body("Maria", "#1234")}
}

// fault returns err as a *pombo.Error.
func fault(t testing.TB, err error) *pombo.Error {
	t.Helper()
	var f *pombo.Error
	if !errors.As(err, &f) {
		t.Fatalf("error = %v (%T), want a *pombo.Error", err, err)
	}
	return f
}

// standIn answers every request with one status and body, and keeps what it got.
type fakeServer struct {
	*httptest.Server
	mu       sync.Mutex
	requests []recorded
}

type recorded struct {
	path   string
	header http.Header
	body   []byte
}

func stand(t testing.TB, answer func(w http.ResponseWriter, path string)) *fakeServer {
	t.Helper()
	s := &fakeServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("stand-in: read body: %v", err)
		}
		s.mu.Lock()
		s.requests = append(s.requests, recorded{r.Method + " " + r.URL.Path, r.Header, b})
		s.mu.Unlock()
		answer(w, r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s
}

// answering is a standIn that always answers the same.
func answering(t testing.TB, status int, body []byte) *fakeServer {
	t.Helper()
	return stand(t, func(w http.ResponseWriter, _ string) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}

func (s *fakeServer) got() []recorded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]recorded(nil), s.requests...)
}

// sameJSON compares two JSON texts by meaning, but for the ids of commands.
func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("request is not JSON: %v\n%s", err, got)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatalf("golden envelope is not JSON: %v", err)
	}
	if m, ok := g.(map[string]any); ok && m["method"] != nil {
		if id, _ := m["id"].(string); id == "" {
			t.Error("command has no id")
		}
		m["id"] = w.(map[string]any)["id"]
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("request differs from the golden envelope (-want +got):\n%s", diff)
	}
}

func TestClient_SendsTheGoldenRequests(t *testing.T) {
	fullMessage := pombo.Message{
		MessageID: testID, To: testIdentity, Template: "order_shipped_image",
		// The order of the row's columns is not that of the components.
		Params: []pombo.Param{
			{Slot: "button1", Value: "track/1234"},
			{Slot: pombo.Body, Value: "Maria"},
			{Slot: pombo.HeaderImage, Value: "https://cdn.example.com/a.png"},
			{Slot: "button0-payload", Value: "TRACK_1234"},
			{Slot: pombo.Body, Value: "#1234"},
		},
	}
	place := func(o *Options) {
		o.MasterState = "subbot@msging.net"
		o.FlowID, o.StateID = "2b8cd000-0000-4000-8000-000000000001", "3f2ed000-0000-4000-8000-000000000002"
	}
	tests := []struct {
		name   string
		call   func(context.Context, *Client) error
		path   string
		answer string // "" = 202 without a body
		want   []string
	}{
		{"identity", func(ctx context.Context, c *Client) error {
			_, err := c.Identity(ctx, number(t, testPhone))
			return err
		}, "POST /commands", "account-get.success.json", []string{"account-get.request.json"}},
		{"send", func(ctx context.Context, c *Client) error { return c.Send(ctx, message()) },
			"POST /messages", "", []string{"message-body.request.json"}},
		{"send with all components", func(ctx context.Context, c *Client) error { return c.Send(ctx, fullMessage) },
			"POST /messages", "", []string{"message-full.request.json"}},
		{"templates", func(ctx context.Context, c *Client) error {
			_, err := c.Templates(ctx)
			return err
		}, "POST /commands", "templates-get.success.json", []string{"templates-get.request.json"}},
		{"receipts", func(ctx context.Context, c *Client) error {
			_, err := c.Receipts(ctx, testID)
			return err
		}, "POST /commands", "receipts-get.success.json", []string{"receipts-get.request.json"}},
		{"redirect the reply", func(ctx context.Context, c *Client) error { return redirectReply(ctx, c) },
			"POST /commands", "set.success.json", []string{"master-state-set.request.json", "state-set.request.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stand(t, func(w http.ResponseWriter, path string) {
				if path == "/messages" {
					w.WriteHeader(http.StatusAccepted)
					return
				}
				_, _ = w.Write(golden(t, tt.answer))
			})
			if err := tt.call(t.Context(), newClient(t, s.URL, place)); err != nil {
				t.Fatal(err)
			}
			got := s.got()
			if len(got) != len(tt.want) {
				t.Fatalf("requests = %d, want %d", len(got), len(tt.want))
			}
			for i, r := range got {
				sameJSON(t, r.body, golden(t, tt.want[i]))
				if r.path != tt.path {
					t.Errorf("request = %q, want %q", r.path, tt.path)
				}
				if k := r.header.Get("Authorization"); k != "Key "+testKey {
					t.Errorf("Authorization = %q", k)
				}
				if ct := r.header.Get("Content-Type"); ct != "application/json" {
					t.Errorf("Content-Type = %q", ct)
				}
				for _, h := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
					if v := r.header.Get(h); v != "" {
						t.Errorf("%s = %q: net/http would send the message again", h, v)
					}
				}
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	tests := []struct {
		name   string
		answer string
		want   string
		fault  *pombo.Error
	}{
		{"alternativeAccount first", `{"status":"success","resource":{"identity":"1@a","alternativeAccount":"2@b"}}`, "2@b", nil},
		{"identity when there is no other", `{"status":"success","resource":{"identity":"1@a"}}`, "1@a", nil},
		{"names in another case", `{"Status":"Success","Resource":{"AlternativeAccount":"2@b"}}`, "2@b", nil},
		{"a GUID", `{"status":"success","resource":{"identity":"3b6f0000-0000-4000-8000-000000000001@wa.gw.msging.net"}}`, "3b6f0000-0000-4000-8000-000000000001@wa.gw.msging.net", nil},
		{"not found", string(golden(t, "account-get.failure.json")), "",
			&pombo.Error{Reason: pombo.NotOnWhatsApp, Delivery: notSent, Code: 67, Detail: "code 67: The resource was not found", Err: pombo.ErrNotFound}},
		{"unsupported", string(golden(t, "command-failure.json")), "",
			&pombo.Error{Reason: pombo.CommandFailed, Delivery: notSent, Code: 62, Detail: "code 62: The resource is not supported"}},
		{"another bot's key", `{"status":"failure","reason":{"code":81,"description":"Unable to determine the WhatsApp Business Account of the sender"}}`, "",
			&pombo.Error{Reason: pombo.Forbidden, Retry: true, Delivery: notSent, Pause: accountWait, Code: 81, Detail: "code 81: Unable to determine the WhatsApp Business Account of the sender"}},
		{"gateway silent", `{"status":"failure","reason":{"code":86,"description":"timed out for +55 31 90000-0001"}}`, "",
			&pombo.Error{Reason: pombo.BlipUnavailable, Retry: true, Delivery: notSent, Code: 86, Detail: "code 86: timed out for …"}},
		{"success without identity", `{"status":"success","resource":{}}`, "",
			&pombo.Error{Reason: pombo.Unexplained, Retry: true, Delivery: notSent, Detail: "Blip's answer has no identity"}},
		{"success without resource", `{"status":"success"}`, "",
			&pombo.Error{Reason: pombo.Unexplained, Retry: true, Delivery: notSent, Detail: "Blip's answer has no identity"}},
		{"a page", `<html>Welcome to our Wi-Fi</html>`, "",
			&pombo.Error{Reason: pombo.BlipUnreachable, Retry: true, Delivery: notSent, Pause: accountWait, Detail: "the answer is not a LIME envelope: something other than Blip answered"}},
		{"other JSON", `{"ok":true}`, "",
			&pombo.Error{Reason: pombo.BlipUnreachable, Retry: true, Delivery: notSent, Pause: accountWait, Detail: "the answer is not a LIME envelope: something other than Blip answered"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, http.StatusOK, []byte(tt.answer))
			got, err := newClient(t, s.URL).Identity(t.Context(), number(t, testPhone))
			if got != tt.want {
				t.Errorf("identity = %q, want %q", got, tt.want)
			}
			if tt.fault == nil {
				if err != nil {
					t.Errorf("error = %v, want none", err)
				}
				return
			}
			if diff := cmp.Diff(*tt.fault, *fault(t, err), cmpopts.EquateErrors()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentity_NoNumber(t *testing.T) {
	s := answering(t, http.StatusOK, golden(t, "account-get.success.json"))
	_, err := newClient(t, s.URL).Identity(t.Context(), phone.Number{})
	if f := fault(t, err); f.Reason != pombo.InvalidPhone || f.Retry {
		t.Errorf("error = %+v, want %s and no retry", f, pombo.InvalidPhone)
	}
	if n := len(s.got()); n != 0 {
		t.Errorf("requests = %d, want none: without a number Blip says success", n)
	}
}

// redirectReply makes the commands of a redirect until one fails.
func redirectReply(ctx context.Context, c *Client) error {
	for step := range c.Redirects() {
		if err := c.RedirectReply(ctx, testIdentity, step); err != nil {
			return err
		}
	}
	return nil
}

func TestRedirectReply(t *testing.T) {
	tests := []struct {
		name                string
		master, flow, state string
		redirects           int
	}{
		{"nowhere", "", "", "", 0},
		{"sub-bot", "subbot@msging.net", "", "", 1},
		{"block", "", "f", "s", 1},
		{"block of a sub-bot", "subbot@msging.net", "f", "s", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, http.StatusOK, golden(t, "set.success.json"))
			c := newClient(t, s.URL, func(o *Options) { o.MasterState, o.FlowID, o.StateID = tt.master, tt.flow, tt.state })
			if got := c.Redirects(); got != tt.redirects {
				t.Errorf("Redirects = %d, want %d", got, tt.redirects)
			}
			if err := redirectReply(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if got := len(s.got()); got != tt.redirects {
				t.Errorf("commands = %d, want %d", got, tt.redirects)
			}
		})
	}
	t.Run("one command a step", func(t *testing.T) {
		s := answering(t, http.StatusOK, golden(t, "set.success.json"))
		c := newClient(t, s.URL, func(o *Options) { o.MasterState, o.FlowID, o.StateID = "m", "f", "s" })
		for step := range 2 {
			if err := c.RedirectReply(t.Context(), testIdentity, step); err != nil {
				t.Fatal(err)
			}
			if got := len(s.got()); got != step+1 {
				t.Errorf("commands after step %d = %d, want %d", step, got, step+1)
			}
		}
	})
	t.Run("what Blip says of a failure", func(t *testing.T) {
		s := answering(t, http.StatusOK, []byte(`{"status":"failure","reason":{"code":61,"description":"state of 553100000001@wa.gw.msging.net"}}`))
		c := newClient(t, s.URL, func(o *Options) { o.MasterState, o.FlowID, o.StateID = "m", "f", "s" })
		f := fault(t, redirectReply(t.Context(), c))
		if !f.Retry || f.Delivery != notSent || strings.Contains(f.Error(), "553100000001") {
			t.Errorf("error = %+v, want a retry, not sent, and no identity", f)
		}
		if got := len(s.got()); got != 1 {
			t.Errorf("commands = %d, want 1", got)
		}
	})
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		status int
		answer string
		want   pombo.Reason
	}{
		{"success", 200, `{"status":"success","resource":{"id":"1"}}`, pombo.NoReason},
		{"a bot that does not know the command", 200, string(golden(t, "command-failure.json")), pombo.NoReason},
		{"wrong key", 401, ``, pombo.Unauthorized},
		{"another bot's key", 200, `{"status":"failure","reason":{"code":81,"description":"no WhatsApp Business Account"}}`, pombo.Forbidden},
		{"not Blip", 404, `not here`, pombo.BlipUnreachable},
		{"a page", 200, `<html>`, pombo.BlipUnreachable},
		{"down", 503, ``, pombo.BlipUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, tt.status, []byte(tt.answer))
			err := newClient(t, s.URL).Check(t.Context())
			if tt.want == pombo.NoReason {
				if err != nil {
					t.Errorf("error = %v, want none", err)
				}
				return
			}
			if f := fault(t, err); f.Reason != tt.want || f.Delivery != notSent {
				t.Errorf("error = %+v, want %s, not sent", f, tt.want)
			}
		})
	}
}

func TestNew(t *testing.T) {
	good := Options{Key: testKey, URL: "https://http.msging.net"}
	tests := []struct {
		name   string
		change func(*Options)
		want   string // part of the error; "" = none
	}{
		{"least", func(*Options) {}, ""},
		{"key with its word", func(o *Options) { o.Key = "  key  " + testKey + " " }, ""},
		{"no key", func(o *Options) { o.Key = "" }, "key of the bot is missing"},
		{"the word alone", func(o *Options) { o.Key = "Key " }, "key of the bot is missing"},
		{"quotes", func(o *Options) { o.Key = `"` + testKey + `"` }, "a quote"},
		{"blank inside", func(o *Options) { o.Key = "secret secret" }, "a space"},
		{"line break", func(o *Options) { o.Key = testKey + "\r\nX: y" }, "a space"},
		{"no address", func(o *Options) { o.URL = "" }, "looks like https://"},
		{"host alone", func(o *Options) { o.URL = "http.msging.net" }, "looks like https://"},
		{"other scheme", func(o *Options) { o.URL = "ftp://http.msging.net" }, "looks like https://"},
		{"user in the address", func(o *Options) { o.URL = "https://me:secret@http.msging.net" }, "has a user"},
		{"flow without state", func(o *Options) { o.FlowID = "f" }, "both or neither"},
		{"state without flow", func(o *Options) { o.StateID = "s" }, "both or neither"},
		{"negative time", func(o *Options) { o.Timeout = -1 }, "must be positive"},
		{"negative connections", func(o *Options) { o.Connections = -1 }, "must be positive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.change(&o)
			c, err := New(o)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := c.messages.Header.Get("Authorization"); got != "Key "+testKey {
					t.Errorf("Authorization = %q, want %q", got, "Key "+testKey)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error = %v, want one with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), testKey) {
				t.Errorf("error shows a secret: %v", err)
			}
		})
	}
}

func TestNew_Addresses(t *testing.T) {
	for base, want := range map[string]string{
		"https://http.msging.net":      "https://http.msging.net/messages",
		"https://http.msging.net/":     "https://http.msging.net/messages",
		" http://127.0.0.1:8080/blip/": "http://127.0.0.1:8080/blip/messages",
	} {
		c := newClient(t, base)
		if got := c.messages.URL.String(); got != want {
			t.Errorf("address of messages at %q = %q, want %q", base, got, want)
		}
	}
}

func TestNew_CommandIDs(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1")
	seen := map[string]bool{}
	for range 100 {
		id := c.opts.NewID()
		if _, err := pombo.ParseMessageID(id); err != nil || id[14] != '4' || !strings.Contains("89ab", id[19:20]) || seen[id] {
			t.Fatalf("%q is not a new version 4 UUID", id)
		}
		seen[id] = true
	}
}
