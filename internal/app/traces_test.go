package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
	"pombo/test/otlptest"
)

// TestTraces_OneNotification follows a notification through the spans that a collector gets:
// its attempt in its own trace, and the passes that it was in, linked to it.
func TestTraces_OneNotification(t *testing.T) {
	nightly.WithoutRace(t)
	r := otlptest.New(t)
	w := newFixture(t, 3, blipsim.Options{}, "OTEL_EXPORTER_OTLP_ENDPOINT="+r.URL, "STATUS_DELIVERED=4")
	w.exec(`UPDATE NOTIFICACAO SET NR_TELEFONE = '319800050' || (10 + ID)`) // numbers to which nothing particular happens
	a, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool { return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 4`) == 3 })
	w.stop(a)

	id := pombo.Key{Source: "notificacao", RowKey: "2", Generation: 1}.MessageID()
	trace := strings.ReplaceAll(string(id), "-", "")
	var own, linked []string // names of spans
	links := map[string]bool{}
	parents := map[string]string{}
	for _, s := range r.Spans() {
		parents[s.ID] = s.Name
	}
	for _, s := range r.Spans() {
		if s.Trace == trace {
			own = append(own, parents[s.Parent]+" > "+s.Name)
			if strings.HasPrefix(s.Name, "POST ") && (s.Attributes["http.response.status_code"] == "" || s.Attributes["server.address"] != "127.0.0.1") {
				t.Errorf("the call %s is %v", s.Name, s.Attributes)
			}
			if s.Name == "attempt" && (s.Attributes["pombo.state"] != "accepted" || s.Attributes["messaging.message.id"] != string(id) || s.Attributes["pombo.template"] != "notificacao") {
				t.Errorf("the attempt is %v", s.Attributes)
			}
		}
		for _, l := range s.Links {
			if l.Trace == trace {
				links[s.Name+" "+l.Attributes["pombo.state"]] = true
				if parents[l.ID] != "notification" {
					t.Errorf("the link of %s leads to %q, want the notification", s.Name, parents[l.ID])
				}
			}
		}
		if s.Failed || s.End.Before(s.Begin) || time.Since(s.Begin) > time.Minute {
			t.Errorf("the span %+v", s)
		}
		if db := s.Attributes["db.system.name"]; db != "" && (db != "sqlite" || s.Attributes["db.collection.name"] != "NOTIFICACAO") {
			t.Errorf("the statement %s is %v", s.Name, s.Attributes)
		}
		linked = append(linked, parents[s.Parent]+" > "+s.Name)
	}
	slices.Sort(own)
	want := []string{
		" > notification", "attempt > POST /commands", "attempt > POST /messages", "attempt > ledger begin", "attempt > ledger finish", "notification > attempt",
	}
	if !slices.Equal(own, want) {
		t.Errorf("the trace of the message has\n%q, want\n%q", own, want)
	}
	for _, l := range []string{"ledger enqueue ", "receipts delivered", "settle settled"} {
		if !links[l] {
			t.Errorf("no link from %s; there are %v", l, links)
		}
	}
	for _, pass := range []string{" > intake", "intake > SELECT NOTIFICACAO", "intake > ledger enqueue", " > settle", "settle > UPDATE NOTIFICACAO", "settle > ledger settled", " > poll", "poll > POST /commands", "poll > receipts"} {
		if !slices.Contains(linked, pass) {
			t.Errorf("no span %q among %q", pass, slices.Compact(slices.Sorted(slices.Values(linked))))
		}
	}
}

// Only a share of the messages is traced; what they are part of always is.
func TestTraces_Share(t *testing.T) {
	nightly.WithoutRace(t)
	r := otlptest.New(t)
	w := newFixture(t, 20, blipsim.Options{}, "OTEL_EXPORTER_OTLP_ENDPOINT="+r.URL, "OTEL_TRACES_SAMPLER_ARG=0")
	w.exec(`UPDATE NOTIFICACAO SET NR_TELEFONE = '319800050' || (10 + ID)`) // numbers to which nothing particular happens
	a, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.stop(a)
	names := map[string]int{}
	for _, s := range r.Spans() {
		names[s.Name] += 1 + len(s.Links)
	}
	if names["attempt"] != 0 || names["POST /messages"] != 0 || names["notification"] != 0 || names["intake"] != 1 || names["settle"] == 0 {
		t.Errorf("spans by name: %v", names)
	}
}
