package blip

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func TestParseReceipts(t *testing.T) {
	tests := []struct {
		name string
		body string
		want pombo.Receipt
	}{
		{"accepted", string(golden(t, "receipt-accepted.json")), pombo.Receipt{State: pombo.Accepted, At: at(1767225600050)}},
		{"dispatched", string(golden(t, "receipt-dispatched.json")), pombo.Receipt{State: pombo.Dispatched, At: at(1767225600400)}},
		{"received", string(golden(t, "receipt-received.json")), pombo.Receipt{State: pombo.Delivered, At: at(1767225601200)}},
		{"consumed", string(golden(t, "receipt-consumed.json")), pombo.Receipt{State: pombo.Read, At: at(1767225660000)}},
		{"forwarded through a tunnel", string(golden(t, "receipt-forwarded.json")), pombo.Receipt{State: pombo.Delivered, At: at(1767225601200)}},
		{"failed with Meta's code", string(golden(t, "receipt-failed-meta.json")),
			pombo.Receipt{State: pombo.Failed, At: at(1767225601500), Reason: pombo.Undeliverable, Code: 131026, Detail: "Message undeliverable"}},
		{"failed with Meta's code in the text", string(golden(t, "receipt-failed-wrapped81.json")),
			pombo.Receipt{State: pombo.Failed, At: at(1767225601500), Reason: pombo.MarketingCap, Code: 131049, Policy: pombo.ResendDays,
				Detail: "Gateway error: 131049 This message was not delivered to maintain healthy ecosystem engagement."}},
		{"failed, gateway silent", string(golden(t, "receipt-failed-86.json")),
			pombo.Receipt{State: pombo.Failed, At: at(1767225660000), Reason: pombo.GatewayTimeout, Code: 86, Detail: "The gateway switch operation timed out"}},
		{"failed without a reason", `{"event":"failed","id":"` + string(testID) + `"}`,
			pombo.Receipt{State: pombo.Failed, Reason: pombo.Unexplained}},
		{"failed, code as text, reason before all", `{"reason":{"description":"to 5531900000001","code":"42"},"event":"failed","id":"` + strings.ToUpper(string(testID)) + `"}`,
			pombo.Receipt{State: pombo.Failed, Reason: pombo.Undeliverable, Code: 42, Detail: "to …"}},
		{"storage date when there is no other", `{"metadata":{"#envelope.storageDate":"2026-01-01T00:00:00-03:00"},"id":"` + string(testID) + `","event":"accepted"}`,
			pombo.Receipt{State: pombo.Accepted, At: time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)}},
		{"timestamp in seconds is not believed", `{"metadata":{"#envelope.timestamp":"1767225600","#envelope.storageDate":"2026-01-01T00:00:00.05Z"},"id":"` + string(testID) + `","event":"accepted"}`,
			pombo.Receipt{State: pombo.Accepted, At: at(1767225600050)}},
		{"timestamp as a number", `{"metadata":{"#envelope.timestamp":1767225600050},"id":"` + string(testID) + `","event":"accepted"}`,
			pombo.Receipt{State: pombo.Accepted, At: at(1767225600050)}},
		{"Blip's other id by its other name", `{"metadata":{"#uniqueId":"u"},"id":"` + string(testID) + `","event":"accepted"}`, pombo.Receipt{State: pombo.Accepted, UniqueID: "u"}},
		{"to a tunnel", `{"metadata":{"#message.to":"0f8fad5b@tunnel.msging.net/x"},"id":"` + string(testID) + `","event":"accepted"}`, pombo.Receipt{State: pombo.Accepted}},
		{"to a bot", `{"metadata":{"#message.to":"router@msging.net"},"id":"` + string(testID) + `","event":"accepted"}`, pombo.Receipt{State: pombo.Accepted}},
		{"to a person, with an instance", `{"metadata":{"#message.to":"5531900000001@wa.gw.msging.net/x"},"id":"` + string(testID) + `","event":"accepted"}`,
			pombo.Receipt{State: pombo.Accepted, Identity: "5531900000001@wa.gw.msging.net"}},
		{"no metadata", `{"id":"` + string(testID) + `","event":"accepted"}`, pombo.Receipt{State: pombo.Accepted}},
		{"odd metadata", `{"metadata":[1],"id":"` + string(testID) + `","event":"accepted","reason":"x"}`, pombo.Receipt{State: pombo.Accepted}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.MessageID = testID
			if strings.Contains(tt.body, "#message.uniqueId") {
				tt.want.UniqueID = reference
			}
			if strings.Contains(tt.body, `"#message.to": "553100000001@wa.gw.msging.net"`) {
				tt.want.Identity = "553100000001@wa.gw.msging.net"
			}
			got, err := ParseReceipts([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]pombo.Receipt{tt.want}, got); diff != "" {
				t.Errorf("receipt (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseReceipts_Batches(t *testing.T) {
	one := func(event string) string { return `{"event":"` + event + `","id":"` + string(testID) + `"}` }
	tests := []struct {
		name, body string
		want       []pombo.State
	}{
		{"a list", "[" + one("accepted") + "," + one("received") + "]", []pombo.State{pombo.Accepted, pombo.Delivered}},
		{"an empty list", "[]", nil},
		{"one after another", one("accepted") + one("dispatched"), []pombo.State{pombo.Accepted, pombo.Dispatched}},
		{"one a line", one("accepted") + "\n" + one("consumed") + "\n", []pombo.State{pombo.Accepted, pombo.Read}},
		{"odd ones among them", `[null,1,"x",[],{"event":[]},` + one("received") + `]`, []pombo.State{pombo.Delivered}},
		{"the last one cut", one("received") + `{"event":"con`, []pombo.State{pombo.Delivered}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseReceipts([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			var states []pombo.State
			for _, r := range got {
				states = append(states, r.State)
			}
			if diff := cmp.Diff(tt.want, states); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}

// A body of nonsense costs little, however much there is of it.
func TestEachEnvelope_NonsenseIsCheap(t *testing.T) {
	const largest = 1 << 20
	many := func(s string) []byte { return []byte(strings.Repeat(s, largest/len(s))) }
	inList := func(s string) []byte {
		return []byte("[" + strings.Repeat(s+",", (largest-len(s)-2)/(len(s)+1)) + s + "]")
	}
	receipt := `{"event":"received","id":"` + string(testID) + `"}`
	for name, body := range map[string][]byte{
		"objects": many("{}"), "numbers": many("1 "), "lists": many("[1]"), "a list of objects": inList("{}"), "a list of lists": inList("[]"),
		"receipts": many(receipt), "a list of receipts": inList(receipt),
	} {
		for kind, parse := range map[string]func([]byte) error{
			"receipts": func(b []byte) error { _, err := ParseReceipts(b); return err },
			"messages": func(b []byte) error { _, err := ParseMessages(b); return err },
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := parse(body)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, pombo.ErrTooMany) {
				t.Errorf("%s read as %s: error %v, want %v", name, kind, err, pombo.ErrTooMany)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 12*largest {
				t.Errorf("%s read as %s: %d bytes of memory for %d, want at most twelve times as many", name, kind, used, len(body))
			}
		}
	}
	full := "[" + strings.Repeat(receipt+",", pombo.MaxEnvelopes-1) + receipt + "]"
	if got, err := ParseReceipts([]byte(full)); err != nil || len(got) != pombo.MaxEnvelopes {
		t.Errorf("%d receipts: %d were read, error %v, want all", pombo.MaxEnvelopes, len(got), err)
	}
}

func TestParseReceipts_WhatIsNoReceipt(t *testing.T) {
	tests := []struct {
		name string
		body string
		want error
	}{
		{"deleted", `{"event":"deleted","id":"` + string(testID) + `"}`, nil},
		{"an event of tomorrow", `{"event":"5531900000001","id":"` + string(testID) + `"}`, nil},
		{"a message", `{"id":"` + string(testID) + `","type":"text/plain","content":"Maria"}`, nil},
		{"a campaign's", `{"event":"received","id":"activecampaign:` + string(testID) + `"}`, nil},
		{"WhatsApp's id", `{"event":"received","id":"wamid.5531900000001"}`, nil},
		{"no id", `{"event":"received"}`, nil},
		{"empty object", `{}`, nil},
		{"no object", `"Maria"`, nil},
		{"empty", ``, pombo.ErrNotJSON},
		{"blank", " \n", pombo.ErrNotJSON},
		{"cut", `{"event":"received","id":"5531900000001`, pombo.ErrNotJSON},
		{"text", `Maria 5531900000001`, pombo.ErrNotJSON},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseReceipts([]byte(tt.body))
			if len(got) != 0 || !errors.Is(err, tt.want) {
				t.Fatalf("receipts = %v, error = %v; want none and %v", got, err, tt.want)
			}
			if s := fmt.Sprint(err); strings.Contains(s, "5531900000001") || strings.Contains(s, "Maria") {
				t.Errorf("error quotes the body: %s", s)
			}
		})
	}
}

func TestReceipts(t *testing.T) {
	item := func(event, id string, ms int64) string {
		return fmt.Sprintf(`{"event":%q,"id":%q,"metadata":{"#envelope.timestamp":"%d"}}`, event, id, ms)
	}
	id := string(testID)
	list := func(items ...string) string {
		return `{"status":"success","resource":{"items":[` + strings.Join(items, ",") + `]}}`
	}
	tests := []struct {
		name   string
		answer string
		want   []pombo.State
		reason pombo.Reason // of the error
	}{
		{"golden, in no order", string(golden(t, "receipts-get.success.json")), []pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered}, ""},
		{"none", string(golden(t, "receipts-get.empty.json")), nil, ""},
		{"none, said as not found", string(golden(t, "receipts-get.notfound.json")), nil, ""},
		{"one moment: by rank", list(item("failed", id, 1767225600000), item("consumed", id, 1767225600000), item("accepted", id, 1767225600000), item("received", id, 1767225600000), item("dispatched", id, 1767225600000)),
			[]pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered, pombo.Read, pombo.Failed}, ""},
		{"by time before rank", list(item("accepted", id, 1767225600002), item("failed", id, 1767225600003), item("dispatched", id, 1767225600001)),
			[]pombo.State{pombo.Dispatched, pombo.Accepted, pombo.Failed}, ""},
		{"repeats stay", list(item("accepted", id, 1767225600001), item("accepted", "fwd:"+id, 1767225600000)), []pombo.State{pombo.Accepted, pombo.Accepted}, ""},
		{"another message's are skipped", list(item("accepted", "11111111-d9cb-469f-a165-70867728950e", 1767225600001)), nil, ""},
		{"odd items are skipped", list("null", "1", `"x"`, "[]", item("deleted", id, 1767225600001), item("accepted", id, 1767225600001)), []pombo.State{pombo.Accepted}, ""},
		{"bare list", `{"status":"success","resource":[` + item("accepted", id, 1767225600001) + `]}`, []pombo.State{pombo.Accepted}, ""},
		{"no list is not none", `{"status":"success","resource":{}}`, nil, pombo.Unexplained},
		{"no resource is not none", `{"status":"success"}`, nil, pombo.Unexplained},
		{"refused", `{"status":"failure","reason":{"code":61,"description":"x"}}`, nil, pombo.ChannelError},
		{"unsupported is not none", string(golden(t, "command-failure.json")), nil, pombo.CommandFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, http.StatusOK, []byte(tt.answer))
			got, err := newClient(t, s.URL).Receipts(t.Context(), testID)
			if tt.reason != "" {
				if f := fault(t, err); f.Reason != tt.reason {
					t.Errorf("error = %v, want %s", err, tt.reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var states []pombo.State
			for _, r := range got {
				states = append(states, r.State)
				if r.MessageID != testID {
					t.Errorf("id = %s, want %s", r.MessageID, testID)
				}
			}
			if diff := cmp.Diff(tt.want, states); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("HTTP 404 is not none", func(t *testing.T) {
		s := answering(t, http.StatusNotFound, []byte(`{"code":67,"description":"not found"}`))
		got, err := newClient(t, s.URL).Receipts(t.Context(), testID)
		if f := fault(t, err); f.Reason != pombo.BlipUnreachable {
			t.Errorf("receipts = %v, error = %v; want %s", got, err, pombo.BlipUnreachable)
		}
	})
	t.Run("HTTP 400 is not none", func(t *testing.T) {
		s := answering(t, http.StatusBadRequest, []byte(`{"code":67,"description":"not found"}`))
		if got, err := newClient(t, s.URL).Receipts(t.Context(), testID); err == nil {
			t.Errorf("receipts = %v without an error", got)
		}
	})
}

func FuzzParseReceipts(f *testing.F) {
	for _, name := range []string{"receipt-accepted.json", "receipt-failed-meta.json", "receipt-failed-wrapped81.json", "receipt-failed-86.json", "receipt-forwarded.json", "receipts-get.success.json"} {
		f.Add(golden(f, name))
	}
	f.Add([]byte(`{"event":"failed","id":"0f8fad5b-d9cb-469f-a165-70867728950e","reason":{"code":81,"description":"no 5531987654321"}}`))
	f.Add([]byte(`[{"event":"received","id":"fwd:0f8fad5b-d9cb-469f-a165-70867728950e"}]{"event":"consumed","id":"0f8fad5b-d9cb-469f-a165-70867728950e"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseReceipts(b)
		if err != nil && err.Error() != "read receipts: not JSON" { // this very text, so that no body can be in it
			t.Errorf("error = %v", err)
		}
		for _, r := range list {
			if got, err := pombo.ParseMessageID(string(r.MessageID)); err != nil || got != r.MessageID {
				t.Errorf("id = %q is none", r.MessageID)
			}
			if rank(r.State) < 0 || !r.Reason.Valid() || (r.State == pombo.Failed) != (r.Reason != pombo.NoReason) {
				t.Errorf("state %q, reason %q", r.State, r.Reason)
			}
			if r.Policy != pombo.ResendNever && r.State != pombo.Failed {
				t.Errorf("state %q, policy %q", r.State, r.Policy)
			}
			if strings.Contains(r.Detail, "5531987654321") {
				t.Errorf("detail shows a phone: %q", r.Detail)
			}
		}
	})
}

// FuzzAnswer sends any answer to every command, with any status.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"account-get.success.json", "account-get.failure.json", "templates-get.success.json", "templates-enriched.success.json",
		"receipts-get.success.json", "receipts-get.empty.json", "receipts-get.notfound.json", "set.success.json", "command-failure.json"} {
		f.Add(200, golden(f, name))
	}
	f.Add(400, golden(f, "bad-request.json"))
	f.Add(200, []byte(`{"status":"failure","reason":{"code":81,"description":"(#131026) 5531987654321@wa.gw.msging.net +55 31 98765-4321"}}`))
	f.Add(500, []byte(`{"reason":{"code":"5531987654321","description":5531987654321}}`))
	f.Fuzz(func(t *testing.T, status int, b []byte) {
		if status < 200 || status > 599 {
			status = 200
		}
		c := newClient(t, "http://127.0.0.1:1")
		c.transport.RegisterProtocol("canned", fakeTransport{status, b})
		c.commands.URL.Scheme, c.messages.URL.Scheme = "canned", "canned"
		ctx := context.Background()
		n := number(t, "+5531987654321")
		identity, err := c.Identity(ctx, n)
		check(t, err)
		if (identity == "") != (err != nil) {
			t.Errorf("identity = %q, error = %v", identity, err)
		}
		templates, err := c.Templates(ctx)
		check(t, err)
		for _, tpl := range templates {
			if tpl.Name == "" {
				t.Error("a template without a name")
			}
		}
		_, err = c.Receipts(ctx, testID)
		check(t, err)
		check(t, c.Check(ctx))
		check(t, c.Send(ctx, pombo.Message{MessageID: testID, To: "5531987654321@wa.gw.msging.net", Params: body("5531987654321")}))
	})
}

// check fails the test when an error breaks a rule for all errors.
func check(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	f := fault(t, err)
	text := fmt.Sprint(f, f.Err)
	if strings.Contains(text, "5531987654321") || strings.Contains(text, "98765-4321") {
		t.Errorf("the error shows the phone: %s", text)
	}
	if !f.Reason.Valid() || f.Reason == pombo.NoReason {
		t.Errorf("error = %+v", f)
	}
}
