package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const replyJSON = `{"number":7,"match":"by_id","kind":"button","answer":"Confirmar","id":"2ed6657d-e927-568b-95e1-2665a8aea6a2","source":"notificacao","row":"4711","generation":1,` +
	`"counts":true,"code":"5","written":"2026-11-23T10:00:02Z","phone":"+55 31 *****-**42","at":"2026-11-23T10:00:00Z","received":"2026-11-23T10:00:01Z"}`

func TestReplies(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RequestURI()
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(asked, "/notifications/") {
			fmt.Fprintf(w, `{"id":"2ed6657d-e927-568b-95e1-2665a8aea6a2","row":"4711","source":"notificacao","state":"read","events":[],"replies":[%s]}`, replyJSON)
			return
		}
		fmt.Fprintf(w, `{"replies":[%s,{"number":6,"match":"unmatched","kind":"text","counts":false,"received":"2026-11-23T09:00:00Z"}],"next_cursor":"c2"}`, replyJSON)
	}))
	defer server.Close()
	ask := func(want int, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, []string{"API_URL=" + server.URL, "LANGUAGE=en"}, nil, &stdout, &stderr); code != want {
			t.Errorf("pombo %q ends with %d, want %d:\n%s%s", args, code, want, &stdout, &stderr)
		}
		return stdout.String() + stderr.String()
	}
	out := ask(exitDone, "replies", "--unmatched", "--limit=2")
	for _, part := range []string{"4711", "Confirmar", "by_id", "unmatched", "(written text)", "(known to Blip)", "--cursor c2"} {
		if !strings.Contains(out, part) {
			t.Errorf("the list lacks %q:\n%s", part, out)
		}
	}
	if want := "/api/v1/replies?limit=2&unmatched=true"; asked != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
	if out := ask(exitDone, "replies", "--json"); !strings.Contains(out, `"next_cursor": "c2"`) {
		t.Errorf("JSON lacks the cursor:\n%s", out)
	}
	out = ask(exitDone, "show", "2ed6657d-e927-568b-95e1-2665a8aea6a2")
	if !strings.Contains(out, "Confirmar") || !strings.Contains(out, "by_id") {
		t.Errorf("the story lacks the reply:\n%s", out)
	}
	ask(exitUsage, "replies", "--limit=0")
	ask(exitUsage, "replies", "--notification=4711")
}
