package blipsim

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo/test/nightly"
)

func TestServer_ChecksTheKey(t *testing.T) {
	for _, c := range []struct {
		key, header string
		want        int
	}{
		{"", "Key abc", 202},
		{"", "key abc", 202},
		{"", "", 401},
		{"", "Key ", 401},
		{"", "Bearer abc", 401},
		{"abc", "Key abc", 202},
		{"Key abc", "Key abc", 202},
		{"abc", "Key abd", 401},
		{"abc", "abc", 401},
	} {
		s, _ := newServer(t, Options{Key: c.key})
		r := request("/messages", message(messageID(1), maria))
		r.Header.Set("Authorization", c.header)
		w, _ := do(t, s, r)
		if w.Code != c.want {
			t.Errorf("key %q, header %q: status = %d, want %d", c.key, c.header, w.Code, c.want)
		}
		if w.Body.Len() != 0 {
			t.Errorf("key %q, header %q: body %q, want none", c.key, c.header, w.Body)
		}
	}
}

func TestFaults_DisableTheKey(t *testing.T) {
	s, _ := newServer(t, Options{Faults: Faults{UnauthorizedAfter: 2}})
	var got []int
	for i := range 4 {
		got = append(got, status(t, s, "/messages", message(messageID(i), maria)))
	}
	if diff := cmp.Diff([]int{202, 202, 401, 401}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestServer_TakesAMessage(t *testing.T) {
	s, _ := newServer(t, Options{})
	w, _ := send(t, s, "/messages", message(messageID(1), maria))
	if w.Code != http.StatusAccepted || w.Body.Len() != 0 {
		t.Errorf("status %d, body %q, want 202 and none", w.Code, w.Body)
	}
	want := []Message{{
		ID: messageID(1), To: maria, Type: "application/json", Template: "order_shipped", Language: "pt_BR",
		Params: []Param{{"body", "Maria"}, {"body", "#1234"}}, At: start, Delivery: 1, Key: "bXlib3Q6c2VjcmV0",
	}}
	if diff := cmp.Diff(want, s.Taken()); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

func TestDeliveries_SameIDTwice(t *testing.T) {
	for _, id := range []string{messageID(1), "not-a-uuid", strings.ToUpper(messageID(0xabc))} {
		s, clock := newServer(t, Options{ReadRate: -1})
		for range 2 {
			status(t, s, "/messages", message(id, maria))
			clock.pass(time.Second)
		}
		status(t, s, "/messages", message("another", maria))
		clock.pass(time.Hour)
		if diff := cmp.Diff(map[string]int{id: 2, "another": 1}, s.Deliveries()); diff != "" {
			t.Errorf("%s: deliveries (-want +got):\n%s", id, diff)
		}
		if c := s.Counts(); c.Messages != 3 || c.IDs != 2 || c.Doubled != 1 {
			t.Errorf("%s: counts = %+v, want 3 messages, 2 ids, 1 doubled", id, c)
		}
		unique := map[string]int{}
		for _, r := range s.Receipts(id) {
			unique[r.UniqueID]++
		}
		if len(unique) != 2 {
			t.Errorf("%s: %d unique ids, want 2: %v", id, len(unique), unique)
		}
		if got, want := events(s, id), "accepted, dispatched, received, accepted, dispatched, received"; got != want {
			t.Errorf("%s: events = %s, want %s", id, got, want)
		}
	}
}

func TestDeliveries_StopAt255(t *testing.T) {
	s, _ := newServer(t, Options{KeepMessages: -1})
	for range 300 {
		status(t, s, "/messages", message(messageID(1), maria))
	}
	if got := s.Deliveries()[messageID(1)]; got != 255 {
		t.Errorf("deliveries = %d, want 255", got)
	}
}

func TestReceipts_NoneWithoutID(t *testing.T) {
	s, clock := newServer(t, Options{})
	body := strings.Replace(message("x", maria), `"id":"x",`, "", 1)
	if got := status(t, s, "/messages", body); got != http.StatusAccepted {
		t.Errorf("status = %d, want 202", got)
	}
	clock.pass(time.Hour)
	if got := s.Receipts(""); len(got) != 0 {
		t.Errorf("receipts = %v, want none", got)
	}
	if c := s.Counts(); c.Messages != 1 || c.WithoutID != 1 || len(s.Deliveries()) != 0 || len(s.Taken()) != 1 {
		t.Errorf("counts = %+v, deliveries = %v, taken = %v", c, s.Deliveries(), s.Taken())
	}
}

func TestServer_RefusesBadEnvelopes(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"/messages", ``, "The envelope is not valid JSON"},
		{"/messages", `{`, "The envelope is not valid JSON"},
		{"/messages", `[]`, "The envelope is not valid JSON"},
		{"/messages", `{"id":5,"to":"a@b","type":"text/plain","content":"x"}`, "The envelope is not valid JSON"},
		{"/messages", `{"id":"1","type":"text/plain","content":"x"}`, "The envelope has no 'to'"},
		{"/messages", `{"id":"1","to":"a@b","content":"x"}`, "The envelope has no 'type'"},
		{"/messages", `{"id":"1","to":"a@b","type":"text/plain"}`, "The envelope has no 'content'"},
		{"/commands", `nope`, "The envelope is not valid JSON"},
		{"/notifications", `nope`, "The envelope is not valid JSON"},
		{"/notifications", `{"to":"a@b"}`, "The envelope has no 'event'"},
		{"/notifications", `{"event":"consumed"}`, "The envelope has no 'to'"},
	} {
		for _, empty := range []bool{false, true} {
			s, _ := newServer(t, Options{Faults: Faults{EmptyBody400: empty}})
			w, _ := send(t, s, c.path, c.body)
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s %s: status = %d, want 400", c.path, c.body, w.Code)
			}
			if empty {
				if w.Body.Len() != 0 {
					t.Errorf("%s %s: body = %s, want none", c.path, c.body, w.Body)
				}
				continue
			}
			var reason struct {
				Code        int
				Description string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &reason); err != nil {
				t.Fatal(err)
			}
			if reason.Code != 21 || reason.Description != c.want {
				t.Errorf("%s %s: reason = %+v, want 21 %s", c.path, c.body, reason, c.want)
			}
			if c := s.Counts(); c.Refused != 1 || c.Messages != 0 {
				t.Errorf("counts = %+v, want one refused and none taken", c)
			}
		}
	}
}

func TestServer_RefusesLargeEnvelopes(t *testing.T) {
	s, _ := newServer(t, Options{})
	body := message("1", strings.Repeat("9", maxBody))
	if got := status(t, s, "/messages", body); got != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413", got)
	}
	if got := status(t, s, "/messages", message(messageID(1), maria)); got != http.StatusAccepted {
		t.Errorf("next message: status = %d, want 202", got)
	}
}

func TestServer_TakesReceiptsOfTheBot(t *testing.T) {
	s, _ := newServer(t, Options{})
	if got := status(t, s, "/notifications", `{"id":"1","to":"`+maria+`","event":"consumed"}`); got != http.StatusAccepted {
		t.Errorf("status = %d, want 202", got)
	}
}

func TestServer_RefusesOtherMethods(t *testing.T) {
	s, _ := newServer(t, Options{})
	for path, method := range map[string]string{
		"/messages": "GET", "/commands": "PUT", "/notifications": "DELETE", "/": "POST", "/sim/counts": "POST", "/sim/reset": "GET",
	} {
		w, _ := do(t, s, httptest.NewRequest(method, path, nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: status %d, Allow %q, want 405 and a method", method, path, w.Code, w.Header().Get("Allow"))
		}
	}
	if w, _ := do(t, s, httptest.NewRequest("GET", "/nope", nil)); w.Code != http.StatusNotFound {
		t.Errorf("/nope: status = %d, want 404", w.Code)
	}
}

func TestReceipts_ComeInTime(t *testing.T) {
	s, clock := newServer(t, Options{ReadRate: 1})
	id := messageID(1)
	status(t, s, "/messages", message(id, maria))
	for _, step := range []struct {
		at   time.Duration
		want string
	}{
		{0, ""},
		{19 * time.Millisecond, ""},
		{20 * time.Millisecond, "accepted"},
		{200 * time.Millisecond, "accepted, dispatched"},
		{time.Second, "accepted, dispatched, received"},
		{3 * time.Second, "accepted, dispatched, received, consumed"},
		{retention - time.Millisecond, "accepted, dispatched, received, consumed"},
		{retention + 500*time.Millisecond, "received, consumed"},
		{retention + 3*time.Second, ""},
	} {
		clock.pass(start.Add(step.at).Sub(clock.Now()))
		if got := events(s, id); got != step.want {
			t.Errorf("after %s: events = %q, want %q", step.at, got, step.want)
		}
	}
}

func TestReceipts_OwnDelays(t *testing.T) {
	s, clock := newServer(t, Options{AcceptedAfter: -1, DispatchedAfter: time.Hour, ReceivedAfter: 48 * time.Hour, ReadRate: -1})
	status(t, s, "/messages", message("x", maria))
	var got []string
	for _, d := range []time.Duration{0, time.Hour, 47 * time.Hour} {
		clock.pass(d)
		got = append(got, events(s, "x"))
	}
	if diff := cmp.Diff([]string{"accepted", "accepted, dispatched", "accepted, dispatched, received"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestReceipts_ReadRate(t *testing.T) {
	n := nightly.Or(4000, 1000)
	read := func(seed uint64, rate float64) (ids []int) {
		s, clock := newServer(t, Options{Seed: seed, ReadRate: rate})
		for i := range n {
			status(t, s, "/messages", message(messageID(i), fmt.Sprintf("5511%d@wa.gw.msging.net", 900000000+i)))
		}
		clock.pass(time.Hour)
		for i := range n {
			if strings.Contains(events(s, messageID(i)), "consumed") {
				ids = append(ids, i)
			}
		}
		return ids
	}
	usual := read(1, 0)
	if got := float64(len(usual)) / float64(n); math.Abs(got-0.4) > 0.03 {
		t.Errorf("share of read messages = %.3f, want about 0.4", got)
	}
	if diff := cmp.Diff(usual, read(1, 0.4)); diff != "" {
		t.Errorf("the same seed, other readers (-first +second):\n%s", diff)
	}
	if cmp.Equal(usual, read(2, 0.4)) {
		t.Error("another seed, the same readers")
	}
	if got := read(1, -1); len(got) != 0 {
		t.Errorf("rate -1: %d read, want none", len(got))
	}
}

func TestReceipts_UnknownRecipients(t *testing.T) {
	s, clock := newServer(t, Options{})
	for i, to := range []string{"nobody", "maria@wa.gw.msging.net", "55@crm.msging.net", "0@wa.gw.msging.net", "9999999999999999999@wa.gw.msging.net"} {
		if got := status(t, s, "/messages", message(messageID(i), to)); got != 202 {
			t.Errorf("%s: status = %d, want 202", to, got)
		}
		clock.pass(time.Minute)
		if got, want := events(s, messageID(i)), "accepted, failed 42"; got != want {
			t.Errorf("%s: events = %s, want %s", to, got, want)
		}
	}
}

func TestReceipts_FreeText(t *testing.T) {
	s, clock := newServer(t, Options{})
	status(t, s, "/messages", `{"id":"1","to":"`+maria+`","type":"text/plain","content":"Oi"}`)
	status(t, s, "/messages", `{"id":"2","to":"`+maria+`","type":"application/json","content":{"type":"template","template":"x"}}`)
	status(t, s, "/messages", `{"content":["x"],"id":"3","to":"`+maria+`","type":"application/json"}`)
	clock.pass(time.Minute)
	for id, want := range map[string]string{"1": "accepted, failed 131047", "2": "accepted, failed 132001", "3": "accepted, failed 131009"} {
		if got := events(s, id); got != want {
			t.Errorf("message %s: events = %s, want %s", id, got, want)
		}
	}
}

func TestTaken_KeepsTheNewest(t *testing.T) {
	s, clock := newServer(t, Options{KeepMessages: 3, ReadRate: -1})
	for i := range 7 {
		status(t, s, "/messages", message(messageID(i), maria))
	}
	var got []string
	for _, m := range s.Taken() {
		got = append(got, m.ID)
	}
	if diff := cmp.Diff([]string{messageID(4), messageID(5), messageID(6)}, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	clock.pass(time.Hour)
	if got, want := events(s, messageID(0)), "accepted, dispatched, received"; got != want {
		t.Errorf("events of one that is not kept = %s, want %s", got, want)
	}
	if s.Counts().Messages != 7 || len(s.Deliveries()) != 7 {
		t.Errorf("messages = %d, ids = %d, want 7 and 7", s.Counts().Messages, len(s.Deliveries()))
	}
}

func TestReset(t *testing.T) {
	s, clock := newServer(t, Options{Scripts: DefaultScripts()})
	status(t, s, "/messages", message("1", "5531000008@wa.gw.msging.net"))
	status(t, s, "/messages", message("1", "5531000008@wa.gw.msging.net"))
	ask(t, s, `{"id":"c1","method":"set","uri":"/contexts/x/y","type":"text/plain","resource":"z"}`)
	r := httptest.NewRequest("POST", "http://127.0.0.1/sim/reset", nil)
	r.Header.Set("Origin", "http://evil.example")
	if w, _ := do(t, s, r); w.Code != http.StatusForbidden || s.Counts().Messages != 2 {
		t.Errorf("reset from another site: status %d, %d messages, want 403 and 2", w.Code, s.Counts().Messages)
	}
	if w, _ := do(t, s, httptest.NewRequest("POST", "/sim/reset", nil)); w.Code != http.StatusNoContent {
		t.Errorf("reset: status = %d, want 204", w.Code)
	}
	clock.pass(time.Minute)
	if diff := cmp.Diff(Counts{}, s.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if len(s.Taken()) != 0 || len(s.Deliveries()) != 0 || len(s.Receipts("1")) != 0 {
		t.Error("something was remembered")
	}
	if a := ask(t, s, get("get", "/contexts/x/y")); a.Reason == nil || a.Reason.Code != 67 {
		t.Errorf("context after reset: %+v, want 67", a)
	}
	if got := status(t, s, "/messages", message("1", "5531000008@wa.gw.msging.net")); got != 0 {
		t.Errorf("scripted first POST after reset: status = %d, want a cut", got)
	}
}

func TestServer_Latency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Latency: 50 * time.Millisecond, Key: "bXlib3Q6c2VjcmV0", MessagesPerSecond: 1, CommandsPerSecond: 1000})
		defer s.Close()
		wrong := request("/messages", "")
		wrong.Header.Set("Authorization", "Key wrong")
		for _, r := range []*http.Request{
			request("/messages", message("1", maria)), request("/messages", "nope"), request("/commands", get("get", "/ping")), wrong,
		} {
			before := time.Now()
			do(t, s, r)
			if got := time.Since(before); got != 50*time.Millisecond {
				t.Errorf("%s took %s, want 50ms", r.URL.Path, got)
			}
		}
	})
}

// TestClose_EndsHangingRequests also shows that a hanging request ends with its
// client.
func TestClose_EndsHangingRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Faults: Faults{Hang: 1, TakenAnyway: 1}})
		ended := make(chan bool, 2)
		hang := func(ctx context.Context) {
			_, cut := do(t, s, request("/messages", message("1", maria)).WithContext(ctx))
			ended <- cut
		}
		ctx, cancel := context.WithCancel(t.Context())
		go hang(ctx)
		go hang(t.Context())
		time.Sleep(24 * time.Hour) // the bubble's clock, not ours
		synctest.Wait()
		if len(ended) != 0 {
			t.Fatal("a request ended on its own")
		}
		if c := s.Counts(); c.Hung != 2 || c.Messages != 2 {
			t.Errorf("counts = %+v, want 2 hung and 2 taken", c)
		}
		cancel()
		synctest.Wait()
		if len(ended) != 1 || !<-ended {
			t.Error("the request did not end with its client")
		}
		s.Close()
		s.Close()
		synctest.Wait()
		if len(ended) != 1 || !<-ended {
			t.Error("the request did not end with the server")
		}
	})
}

func TestServer_ConcurrentUse(t *testing.T) {
	s, _ := newServer(t, Options{KeepMessages: 100, Faults: Faults{CutAfterAccept: 0.1, Commands: true}, Scripts: DefaultScripts()})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				status(t, s, "/messages", message(messageID(i), fmt.Sprintf("55319%04d%04d@wa.gw.msging.net", g, i%18+20)))
				status(t, s, "/commands", get("get", "/notifications?id="+messageID(i)))
				if i%50 == 0 {
					do(t, s, httptest.NewRequest("GET", "/", nil))
					s.Deliveries()
				}
			}
		})
	}
	wg.Wait()
	if got := s.Counts().Messages; got != 800 {
		t.Errorf("messages = %d, want 800", got)
	}
	if got := s.Deliveries()[messageID(7)]; got != 4 {
		t.Errorf("deliveries = %d, want 4", got)
	}
}
