package blipsim

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func getPage(t *testing.T, s *Server, path string) *httptest.ResponseRecorder {
	t.Helper()
	w, _ := do(t, s, httptest.NewRequest("GET", path, nil))
	if w.Code != 200 {
		t.Fatalf("GET %s: status = %d, want 200: %s", path, w.Code, w.Body)
	}
	return w
}

func TestPage(t *testing.T) {
	s, clock := newServer(t, Options{ReadRate: 1, Faults: Faults{CutAfterAccept: 1e-9, TunnelFrom: true, SlowFor: time.Second}, Scripts: DefaultScripts()})
	status(t, s, "/messages", message(messageID(1), "553100000077@wa.gw.msging.net"))
	status(t, s, "/messages", message(messageID(1), "553100000001@wa.gw.msging.net"))
	clock.pass(time.Minute)
	status(t, s, "/messages", message("", "553100000077@wa.gw.msging.net"))
	status(t, s, "/messages", message(messageID(2), "553100000077@wa.gw.msging.net"))
	body := getPage(t, s, "/").Body.String()
	for _, want := range []string{
		"Olá Maria, seu pedido #1234 saiu para entrega.", "<td>consumed</td>", "<td>failed 131026: Message undeliverable</td>",
		"delivery 2", "<td>taken, without an id</td>", "<td>taken</td>",
		"<dt>cut after accept</dt><dd>1e-09</dd>", "<dt>tunnel from</dt><dd>yes</dd>", "<dt>slow for</dt><dd>1s</dd>",
		"<dt>messages</dt><dd>4</dd>", "<dt>without id</dt><dd>1</dd>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	if strings.Contains(body, "bXlib3Q6c2VjcmV0") {
		t.Error("the page shows a key")
	}
	if strings.Index(body, messageID(2)) > strings.Index(body, messageID(1)) {
		t.Error("the newest message is not the first")
	}
}

// A page of another site whose name has been turned to this machine (DNS rebinding)
// reads nothing: a browser sends the name.
func TestPage_OnlyForThisMachine(t *testing.T) {
	s, _ := newServer(t, Options{})
	status(t, s, "/messages", message(messageID(1), maria))
	for _, path := range []string{"/", "/sim/messages", "/sim/counts", "/sim/style.css", "/nope"} {
		for host, want := range map[string]int{
			"127.0.0.1": 200, "127.0.0.1:5100": 200, "localhost:5100": 200, "LOCALHOST": 200, "[::1]:5100": 200, "[::1]": 200, "": 200,
			"evil.example": 421, "evil.example:5100": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421,
			"192.168.0.7:5100": 421, "0.0.0.0:5100": 421, "[fe80::1]:5100": 421, "127.0.0.1@evil.example": 421,
		} {
			if path == "/nope" && want == 200 {
				want = 404
			}
			r := httptest.NewRequest("GET", path, nil)
			r.Host = host
			if w, _ := do(t, s, r); w.Code != want {
				t.Errorf("GET %s of %q: status %d, want %d", path, host, w.Code, want)
			} else if want == 421 && strings.Contains(w.Body.String(), messageID(1)) {
				t.Errorf("GET %s of %q shows what was taken", path, host)
			}
		}
	}
	// Blip's own paths want a key, and containers reach them by other names.
	r := request("/messages", message(messageID(2), maria))
	r.Host = "blip.example"
	if w, _ := do(t, s, r); w.Code != 202 {
		t.Errorf("POST /messages: status %d, want 202", w.Code)
	}
}

func TestPage_Empty(t *testing.T) {
	s, _ := newServer(t, Options{})
	body := getPage(t, s, "/").Body.String()
	for _, want := range []string{"None yet.", "this Blip is well"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPage_ShowsTheNewest(t *testing.T) {
	s, _ := newServer(t, Options{})
	for i := range pageMessages + 1 {
		status(t, s, "/messages", message(messageID(i), maria))
	}
	if got := strings.Count(getPage(t, s, "/").Body.String(), "<tr>") - 1; got != pageMessages {
		t.Errorf("%d messages on the page, want %d", got, pageMessages)
	}
}

// TestPage_RunsNothing sends mark-up in every field that the page shows.
func TestPage_RunsNothing(t *testing.T) {
	const evil = `<script>alert(1)</script><img src=x onerror=alert(1)>"'`
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	q := string(quoted)
	s, _ := newServer(t, Options{
		Templates: []Template{{Name: evil, Language: evil, Body: evil + "{{1}}"}},
		Faults:    Faults{StopAfter: evil},
	})
	for _, m := range []string{
		`{"id":` + q + `,"to":` + q + `,"type":"application/json","content":{"type":"template","template":{"namespace":` + q + `,"name":` + q + `,
			"language":{"code":` + q + `},"components":[{"type":"body","parameters":[{"type":"text","text":` + q + `}]},
			{"type":` + q + `,"parameters":[{"type":"text","text":` + q + `}]}]}}}`,
		`{"id":"2","to":` + q + `,"type":` + q + `,"content":` + q + `}`,
	} {
		if got := status(t, s, "/messages", m); got != 202 {
			t.Fatalf("status = %d, want 202", got)
		}
	}
	w := getPage(t, s, "/")
	body := w.Body.String()
	for _, tag := range []string{"<script", "<img"} {
		if strings.Contains(body, tag) {
			t.Errorf("the page has %s:\n%s", tag, body)
		}
	}
	if got := strings.Count(body, "&lt;script&gt;"); got < 9 {
		t.Errorf("the page shows the mark-up as text %d times, want at least 9", got)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	for _, path := range []string{"/sim/messages", "/sim/counts"} {
		w := getPage(t, s, path)
		if got := w.Header().Get("Content-Type"); got != "application/json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: Content-Type %q without nosniff", path, got)
		}
		if strings.Contains(w.Body.String(), "<script") {
			t.Errorf("%s has a bare tag", path)
		}
	}
}

func TestServer_MessagesAsJSON(t *testing.T) {
	s, _ := newServer(t, Options{})
	for i := range 3 {
		status(t, s, "/messages", message(messageID(i), maria))
	}
	for query, want := range map[string]int{"": 3, "?last=2": 2, "?last=9": 3, "?last=0": 0} {
		w := getPage(t, s, "/sim/messages"+query)
		var list []struct {
			ID, To, Template string
			Params           []Param
			At               time.Time
			Key              *string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if len(list) != want || list == nil {
			t.Errorf("%q: %d messages, want %d", query, len(list), want)
		}
		if want > 0 {
			last := list[len(list)-1]
			if last.ID != messageID(2) || last.To != maria || last.Template != "order_shipped" || len(last.Params) != 2 || !last.At.Equal(start) || last.Key != nil {
				t.Errorf("%q: last = %+v", query, last)
			}
		}
	}
	if w, _ := do(t, s, httptest.NewRequest("GET", "/sim/messages?last=x", nil)); w.Code != 400 {
		t.Errorf("last=x: status = %d, want 400", w.Code)
	}
	var counts map[string]int
	if err := json.Unmarshal(getPage(t, s, "/sim/counts").Body.Bytes(), &counts); err != nil {
		t.Fatal(err)
	}
	if counts["messages"] != 3 || counts["message_posts"] != 3 {
		t.Errorf("counts = %v", counts)
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{"CutAfterAccept": "cut after accept", "IdentitiesAsGUID": "identities as guid", "Error502": "error 502", "EmptyBody400": "empty body 400", "WithoutID": "without id"} {
		if got := words(name); got != want {
			t.Errorf("words(%q) = %q, want %q", name, got, want)
		}
	}
}
