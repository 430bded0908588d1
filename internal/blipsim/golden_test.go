package blipsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// shape flattens a JSON value into lines of path and kind. Items of an array share
// a path, so arrays of different lengths can be compared.
func shape(t *testing.T, body string) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var lines []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				walk(path+"/"+name, member)
			}
		case []any:
			lines = append(lines, path+" array")
			for _, item := range v {
				walk(path+"[]", item)
			}
		default:
			lines = append(lines, fmt.Sprintf("%s %T", path, v))
		}
	}
	walk("", v)
	slices.Sort(lines)
	return slices.Compact(lines)
}

// sameShape wants every member of the golden in the answer, of the same kind, and
// no member beyond the golden's but in the metadata, where Blip adds what it likes.
func sameShape(t *testing.T, answer, want string) {
	t.Helper()
	a, g := shape(t, answer), shape(t, want)
	for _, line := range g {
		if !slices.Contains(a, line) && !strings.Contains(line, "/example") { // samples for Meta's reviewers
			t.Errorf("the golden has %q, the answer does not:\n%s", line, answer)
		}
	}
	for _, line := range a {
		if !slices.Contains(g, line) && !strings.Contains(line, "/metadata/") {
			t.Errorf("the answer has %q, the golden does not:\n%s", line, answer)
		}
	}
}

func TestServer_GoldenCommands(t *testing.T) {
	legacy := Options{Scripts: DefaultScripts(), Faults: Faults{LegacyAccounts: true}}
	for _, c := range []struct {
		request, answer string
		options         Options
		before          string // a message to send first
		patch           func(string) string
	}{
		{request: "account-get.request.json", answer: "account-get.success.json"},
		{request: "account-get.request.json", answer: "account-get.failure.json", options: legacy},
		{request: "templates-get.request.json", answer: "templates-get.success.json"},
		{request: "templates-get.request.json", answer: "templates-enriched.success.json", patch: func(s string) string {
			return strings.Replace(s, "/message-templates", "/message-templates-enriched", 1)
		}},
		{request: "receipts-get.request.json", answer: "receipts-get.success.json", before: "message-body.request.json", options: Options{ReadRate: 1}},
		{request: "receipts-get.request.json", answer: "receipts-get.empty.json"},
		{request: "receipts-get.request.json", answer: "receipts-get.notfound.json", options: Options{Faults: Faults{NotificationsNotFound: true}}},
		{request: "master-state-set.request.json", answer: "set.success.json"},
		{request: "state-set.request.json", answer: "set.success.json"},
		{request: "receipts-get.request.json", answer: "command-failure.json", patch: func(s string) string {
			return strings.Replace(s, "/notifications", "/nope", 1)
		}},
	} {
		t.Run(c.request+" "+c.answer, func(t *testing.T) {
			s, clock := newServer(t, c.options)
			if c.before != "" {
				if got := status(t, s, "/messages", golden(t, c.before)); got != http.StatusAccepted {
					t.Fatalf("message: status = %d, want 202", got)
				}
				clock.pass(time.Minute)
			}
			body := golden(t, c.request)
			if c.patch != nil {
				body = c.patch(body)
			}
			w, _ := send(t, s, "/commands", body)
			if w.Code != http.StatusOK {
				t.Errorf("status = %d, want 200", w.Code)
			}
			sameShape(t, w.Body.String(), golden(t, c.answer))

			var got, want struct {
				Status, ID, Type string
				Reason           struct{ Code int }
			}
			for body, v := range map[string]any{w.Body.String(): &got, golden(t, c.answer): &want} {
				if err := json.Unmarshal([]byte(body), v); err != nil {
					t.Fatal(err)
				}
			}
			var asked struct{ ID string }
			if err := json.Unmarshal([]byte(body), &asked); err != nil {
				t.Fatal(err)
			}
			want.ID = asked.ID // the goldens stand for answers to other ids too
			if got != want {
				t.Errorf("answer = %+v, want %+v", got, want)
			}
		})
	}
}

func TestServer_GoldenAccountIdentity(t *testing.T) {
	s, _ := newServer(t, Options{})
	var got, want struct {
		Resource struct{ AlternativeAccount, Identity, PhoneNumber, Source string }
	}
	w, _ := send(t, s, "/commands", golden(t, "account-get.request.json"))
	for body, v := range map[string]any{w.Body.String(): &got, golden(t, "account-get.success.json"): &want} {
		if err := json.Unmarshal([]byte(body), v); err != nil {
			t.Fatal(err)
		}
	}
	if got != want {
		t.Errorf("resource = %+v, want %+v", got, want)
	}
}

func TestServer_GoldenMessages(t *testing.T) {
	s, clock := newServer(t, Options{ReadRate: 1})
	for _, name := range []string{"message-body.request.json", "message-full.request.json"} {
		w, _ := send(t, s, "/messages", golden(t, name))
		if w.Code != http.StatusAccepted || w.Body.Len() != 0 {
			t.Errorf("%s: status %d, body %q, want 202 and none", name, w.Code, w.Body)
		}
	}
	clock.pass(time.Minute)
	const id = "0f8fad5b-d9cb-469f-a165-70867728950e"
	want := "accepted, accepted, dispatched, dispatched, received, received, consumed, consumed"
	if got := events(s, id); got != want {
		t.Errorf("events = %s, want %s", got, want)
	}
	full := s.Taken()[1]
	if got, want := fmt.Sprint(full.Params), "[{header-image https://cdn.example.com/a.png} {body Maria} {body #1234} {button0-payload TRACK_1234} {button1 track/1234}]"; got != want {
		t.Errorf("params = %s, want %s", got, want)
	}
}

func TestServer_GoldenReceipts(t *testing.T) {
	for _, c := range []struct {
		golden  string
		event   Event
		options Options
		to      string
	}{
		{golden: "receipt-accepted.json", event: Accepted},
		{golden: "receipt-dispatched.json", event: Dispatched},
		{golden: "receipt-received.json", event: Received},
		{golden: "receipt-consumed.json", event: Consumed},
		{golden: "receipt-failed-meta.json", event: Failed, options: Options{Scripts: DefaultScripts()}},
		{golden: "receipt-failed-wrapped81.json", event: Failed, options: Options{Scripts: DefaultScripts(), Faults: Faults{WrappedReasons: true}}, to: "553100000003@wa.gw.msging.net"},
		{golden: "receipt-failed-86.json", event: Failed, options: Options{Scripts: DefaultScripts()}, to: "553100000007@wa.gw.msging.net"},
		{golden: "receipt-forwarded.json", event: Received, options: Options{Faults: Faults{ForwardedIDs: 1, TunnelFrom: true}}},
	} {
		t.Run(c.golden, func(t *testing.T) {
			c.options.ReadRate = 1
			s, clock := newServer(t, c.options)
			to := maria
			if c.to != "" {
				to = c.to
			}
			id := messageID(1)
			status(t, s, "/messages", message(id, to))
			clock.pass(time.Hour)
			for _, r := range s.disturb(s.Receipts(id)) {
				if r.Event != c.event {
					continue
				}
				body := string(s.appendReceipt(nil, new(scratch), r, "mybot@msging.net"))
				sameShape(t, body, golden(t, c.golden))
				var got, want struct {
					Event  string
					From   string
					To     string
					Reason struct {
						Code        int
						Description string
					}
				}
				for body, v := range map[string]any{body: &got, golden(t, c.golden): &want} {
					if err := json.Unmarshal([]byte(body), v); err != nil {
						t.Fatal(err)
					}
				}
				// Which instance of a node answers is chance, and so is a tunnel's name.
				got.From, want.From = host(got.From), host(want.From)
				if got != want {
					t.Errorf("receipt = %+v, want %+v", got, want)
				}
				return
			}
			t.Fatalf("no receipt %s among %s", c.event, events(s, id))
		})
	}
}

func host(node string) string {
	_, domain, _ := strings.Cut(node, "@")
	domain, _, _ = strings.Cut(domain, "/")
	return domain
}

func TestServer_GoldenBadRequest(t *testing.T) {
	s, _ := newServer(t, Options{})
	w, _ := send(t, s, "/messages", strings.Replace(golden(t, "message-body.request.json"), `"to"`, `"too"`, 1))
	if w.Code != http.StatusBadRequest {
		t.Fatalf("status = %d, want 400", w.Code)
	}
	sameShape(t, w.Body.String(), golden(t, "bad-request.json"))
	var got, want map[string]any
	for body, v := range map[string]any{w.Body.String(): &got, golden(t, "bad-request.json"): &want} {
		if err := json.Unmarshal([]byte(body), v); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("body = %v, want %v", got, want)
	}
}
