package app_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"pombo"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

var answeringRows = nightly.Or(300, 150)

// answering is a Blip whose people press buttons, write and react.
func answering() blipsim.Options {
	return blipsim.Options{
		Seed: 5, AcceptedAfter: -1, DispatchedAfter: -1, ReceivedAfter: -1, ConsumedAfter: 50 * time.Millisecond, AnswerAfter: 200 * time.Millisecond, AnswerRate: 0.8,
		Scripts: map[string]blipsim.Behaviour{
			"11": {Answer: blipsim.Answer{Act: blipsim.QuoteText, Text: "Não posso nesse dia"}},
			"12": {Answer: blipsim.Answer{Act: blipsim.WriteText, Text: "confirmár!"}},
			"13": {Answer: blipsim.Answer{Act: blipsim.React}},
			"14": {Answer: blipsim.Answer{Act: blipsim.WriteText, Text: "Sair"}},
		},
	}
}

func newAnswering(t *testing.T, o blipsim.Options, env ...string) *fixture {
	t.Helper()
	w := newFixture(t, answeringRows, o, append(env, "STATUS_DELIVERED=4", "STATUS_READ=5", "TEMPLATE_NAME=confirmacao",
		"DB_COL_REPLY=DS_RESPOSTA", "DB_COL_REPLY_AT=DT_RESPOSTA", "REPLY_CODES=Confirmar:7,Cancelar:8")...)
	w.exec(`ALTER TABLE NOTIFICACAO ADD DS_RESPOSTA TEXT`)
	w.exec(`ALTER TABLE NOTIFICACAO ADD DT_RESPOSTA TEXT`)
	return w
}

// answers returns what each row should say of its answer, by message, and how many have which code.
func (w *fixture) answers() (want map[string]string, kinds map[string]int) {
	w.t.Helper()
	want, kinds = map[string]string{}, map[string]int{}
	for row := 1; row <= answeringRows; row++ {
		want[string(id(row))] = fmt.Sprint(row, " none")
	}
	for _, said := range w.blip.Said() {
		var row int
		if _, err := fmt.Sscan(want[said.Message], &row); err != nil {
			w.t.Fatalf("an answer to %s, which is no row", said.Message)
		}
		code := map[string]string{"Confirmar": "7", "confirmár!": "7", "Cancelar": "8"}[said.Text]
		switch {
		case said.Act == blipsim.React, said.Text == "Sair":
			continue // no answer
		case code == "":
			code = "state"
		}
		want[said.Message] = fmt.Sprint(row, " ", said.Text, " ", code)
		kinds[code]++
	}
	return want, kinds
}

// answered checks that each answer stands in the row of its message, and in no other.
func (w *fixture) answered() {
	w.t.Helper()
	var wrong string
	defer func() {
		if wrong != "" {
			w.t.Error(wrong)
		}
	}()
	w.eventually(func() bool {
		want, kinds := w.answers() // some answer late
		if kinds["7"] < answeringRows/6 || kinds["8"] < answeringRows/6 || kinds["state"] < 2 {
			wrong = fmt.Sprintf("people answer too little to show anything: %v", kinds)
			return false
		}
		for row := 1; row <= answeringRows; row++ {
			var code int
			var text, at *string
			if err := w.rows.QueryRow(`SELECT CD_STATUS, DS_RESPOSTA, DT_RESPOSTA FROM NOTIFICACAO WHERE ID = ?`, row).Scan(&code, &text, &at); err != nil {
				w.t.Fatal(err)
			}
			got := fmt.Sprint(row, " none")
			if text != nil {
				word := "state"
				if code >= 7 {
					word = fmt.Sprint(code)
				}
				got = fmt.Sprint(row, " ", *text, " ", word)
			}
			if got != want[string(id(row))] || (text == nil) != (at == nil) {
				wrong = fmt.Sprintf("%q, want %q", got, want[string(id(row))])
				return false
			}
		}
		wrong = ""
		return true
	})
	if n := w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS NOT IN (4, 5, 7, 8)`); n != 0 {
		w.t.Errorf("%d rows have a code that nothing gave them", n)
	}
}

// TestReplies_ByPolling: behind a firewall each answer comes home, without a webhook.
func TestReplies_ByPolling(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	w := newAnswering(t, answering())
	w.receipts = []time.Duration{20 * time.Millisecond, 300 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
	w.sendAll(answeringRows)
	w.eventually(func() bool { return len(w.blip.Said()) > answeringRows*7/10 })
	w.answered()
	if n := w.blip.Counts().ThreadGets; n == 0 || n > int64(6*answeringRows) {
		t.Errorf("%d conversations were read for %d messages", n, answeringRows)
	}
}

// TestReplies_ByWebhook: what Blip posts is in the row once, though it comes twice, late and
// among the bot's own messages; while it is posted no conversation is read.
func TestReplies_ByWebhook(t *testing.T) {
	t.Parallel() // it waits most of the time
	const secret = "a-secret-of-sixteen-or-more"
	bag := &mailbag{}
	o := answering()
	o.MessageWebhook, o.DataFeed, o.WebhookClient = "http://blip.invalid/", true, &http.Client{Transport: bag}
	o.OldPresses, o.Faults = true, blipsim.Faults{DuplicateEvents: 0.3}
	w := newAnswering(t, o, "WEBHOOK_SECRET="+secret)
	w.receipts = []time.Duration{20 * time.Millisecond, 300 * time.Millisecond, time.Hour}
	a, client := w.start()
	post := func(body []byte) {
		t.Helper()
		resp, err := http.Post("http://"+a.Addr()+"/blip/messages/"+secret, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("status = %d, want 200", resp.StatusCode)
		}
	}
	post([]byte(`{"id":"wamid.0","from":"5511900000001@wa.gw.msging.net","type":"text/plain","content":"Oi"}`))
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool {
		return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS IN (4, 5)`) == answeringRows && bag.len() > answeringRows*3/2
	})
	posts := slices.Concat(bag.bodies, bag.bodies)
	for _, body := range posts {
		post(body)
	}
	w.answered()
	list, err := client.Replies(t.Context(), pombo.ReplyQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(list.Replies), len(w.blip.Said())+1; got != want {
		t.Errorf("%d replies are kept, want the %d that people sent", got, want)
	}
	if n := w.blip.Counts().ThreadGets; n != 0 {
		t.Errorf("%d conversations were read although answers are posted", n)
	}
}
