package blipsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// question is a message of the template with buttons.
func question(id, to string) string {
	return fmt.Sprintf(`{"id":%q,"to":%q,"type":"application/json","content":{"type":"template","template":{"name":"confirmacao",
		"language":{"code":"pt_BR","policy":"deterministic"},"components":[{"type":"body","parameters":[
		{"type":"text","text":"Maria"},{"type":"text","text":"Amanhã às 10h."}]},
		{"type":"button","sub_type":"quick_reply","index":"0","parameters":[{"type":"payload","payload":"CONF-4711"}]}]}}}`, id, to)
}

func TestServer_GoldenAnswers(t *testing.T) {
	for _, c := range []struct {
		golden string
		answer Answer
		old    bool
	}{
		{"reply-template.json", Answer{Act: PressButton}, false},
		{"reply-press-payload.json", Answer{Act: PressButton}, true},
		{"reply-text.json", Answer{Act: WriteText, Text: "Confirmo sim, obrigada"}, false},
		{"reply-reaction.json", Answer{Act: React}, false},
		{"reply-reaction-withdrawn.json", Answer{Act: Withdraw}, false},
		{"reply-media.json", Answer{Act: SendPicture}, false},
	} {
		t.Run(c.golden, func(t *testing.T) {
			s, clock := newServer(t, Options{Scripts: map[string]Behaviour{"": {Answer: c.answer}}, OldPresses: c.old})
			status(t, s, "/messages", question(messageID(1), maria))
			if got := s.Said(); len(got) != 0 {
				t.Fatalf("said before the message was received: %v", got)
			}
			clock.pass(time.Hour)
			said := s.Said()
			if len(said) != 1 {
				t.Fatalf("said %d times, want once", len(said))
			}
			body := string(s.appendSaid(nil, &said[0], "mybot@msging.net"))
			var got, want map[string]any
			for body, v := range map[string]any{body: &got, golden(t, c.golden): &want} {
				if err := json.Unmarshal([]byte(body), v); err != nil {
					t.Fatal(err)
				}
			}
			if got["type"] != want["type"] || !slices.Equal(keys(got), keys(want)) {
				t.Errorf("message = %s, want the members and the type of %s", body, c.golden)
			}
			if g, w := keys(got["content"]), keys(want["content"]); !slices.Equal(g, w) {
				t.Errorf("content has %q, want %q", g, w)
			}
		})
	}
}

func keys(v any) []string {
	m, _ := v.(map[string]any)
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func TestSaid(t *testing.T) {
	s, clock := newServer(t, Options{Scripts: DefaultScripts()})
	for i, end := range []string{"0018", "0019", "0020", "0021", "0022", "0023", "0024", "0001", "9999"} {
		status(t, s, "/messages", question(messageID(i), "55310000"+end+"@wa.gw.msging.net"))
	}
	status(t, s, "/messages", message(messageID(20), "553100000018@wa.gw.msging.net")) // has no button
	clock.pass(time.Hour)
	var got []string
	for _, said := range s.Said() {
		got = append(got, strings.TrimSpace(string(said.Act)+" "+said.Text+" "+said.Payload))
	}
	want := []string{"press Confirmar CONF-4711", "press Cancelar", "write Pode confirmar, por favor", "quote Não posso nesse dia", "react 👍", "withdraw", "picture"}
	if !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestServer_AnswerRate(t *testing.T) {
	s, clock := newServer(t, Options{AnswerRate: 0.5})
	for i := range 400 {
		status(t, s, "/messages", question(messageID(i), fmt.Sprintf("5531%08d@wa.gw.msging.net", i)))
		status(t, s, "/messages", message(messageID(1000+i), fmt.Sprintf("5531%08d@wa.gw.msging.net", 500+i)))
	}
	clock.pass(time.Hour)
	presses := map[string]int{}
	for _, said := range s.Said() {
		presses[said.Text]++
	}
	if n := presses["Confirmar"] + presses["Cancelar"]; n < 160 || n > 240 || presses["Confirmar"] < 60 || presses["Cancelar"] < 60 || len(presses) != 2 {
		t.Errorf("presses = %v, want about 100 of each button", presses)
	}
}

func TestThread(t *testing.T) {
	s, clock := newServer(t, Options{Scripts: map[string]Behaviour{"": {Answer: Answer{Act: PressButton}}}, ReadRate: -1})
	status(t, s, "/messages", question(messageID(1), maria))
	status(t, s, "/messages", question(messageID(2), "553100000009@wa.gw.msging.net"))
	type thread struct {
		Total int
		Items []struct{ ID, Direction, Type, Status string }
	}
	read := func(query string) thread {
		t.Helper()
		a := ask(t, s, get("get", "/threads/"+maria+query))
		var th thread
		if err := json.Unmarshal(a.Resource, &th); err != nil || a.Status != "success" {
			t.Fatalf("answer = %+v, %v", a, err)
		}
		return th
	}
	clock.pass(1500 * time.Millisecond)
	if got := read("?$take=100&direction=desc"); len(got.Items) != 1 || got.Items[0].Status != "received" {
		t.Errorf("before the answer: %+v, want the message alone", got)
	}
	clock.pass(time.Minute)
	got := read("?$take=100&direction=desc")
	if len(got.Items) != 2 || got.Items[0].Direction != "received" || got.Items[1].ID != messageID(1) {
		t.Errorf("the newest first: %+v", got)
	}
	if got := read("?$take=1&direction=asc"); got.Total != 2 || len(got.Items) != 1 || got.Items[0].Direction != "sent" {
		t.Errorf("the oldest: %+v", got)
	}
	for _, wrong := range []string{"/threads/" + maria + "?$take=101", "/threads/" + maria + "?$take=x", "/threads/x@tunnel.msging.net"} {
		if a := ask(t, s, get("get", wrong)); a.Status != "failure" || a.Reason.Code != 64 {
			t.Errorf("%s: %+v, want code 64", wrong, a)
		}
	}
	sameShape(t, sent(t, s, get("get", "/threads/"+maria)), sent(t, s, get("get", "/threads/"+maria)))
	if n := s.Counts().ThreadGets; n != 8 {
		t.Errorf("%d conversations were asked for, want 8", n)
	}
}

func sent(t *testing.T, s *Server, body string) string {
	t.Helper()
	w, _ := send(t, s, "/commands", body)
	return w.Body.String()
}

// TestWebhook_Messages: answers go to an address of their own, and with the data feed the
// bot's messages do as well.
func TestWebhook_Messages(t *testing.T) {
	came := make(chan [2]string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct{ From, Type, Event string }
		_ = json.NewDecoder(r.Body).Decode(&m)
		_, domain, _ := strings.Cut(m.From, "@")
		domain, _, _ = strings.Cut(domain, "/")
		came <- [2]string{r.URL.Path, m.Event + m.Type + " from " + domain}
	}))
	defer receiver.Close()
	s := New(Options{
		Scripts: map[string]Behaviour{"": {Answer: Answer{Act: PressButton}}}, ReadRate: -1, AnswerAfter: -1,
		AcceptedAfter: -1, DispatchedAfter: -1, ReceivedAfter: -1,
		Webhook: receiver.URL + "/n", MessageWebhook: receiver.URL + "/m", DataFeed: true,
	})
	defer s.Close()
	status(t, s, "/messages", question(messageID(1), maria))
	posted := map[string][]string{}
	for range 5 {
		select {
		case p := <-came:
			posted[p[0]] = append(posted[p[0]], p[1])
		case <-time.After(10 * time.Second):
			t.Fatalf("posted: %q, want five", posted)
		}
	}
	slices.Sort(posted["/m"])
	if want := []string{"application/json from msging.net", "application/vnd.lime.reply+json from wa.gw.msging.net"}; !slices.Equal(posted["/m"], want) {
		t.Errorf("messages posted: %q, want %q", posted["/m"], want)
	}
	if len(posted["/n"]) != 3 {
		t.Errorf("receipts posted: %q, want three", posted["/n"])
	}
}
