package events

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pombo"
)

// verifierFolder is where scripts/events-client puts the library.
func verifierFolder(t *testing.T) string {
	t.Helper()
	if folder := os.Getenv("EVENTS_CLIENT"); folder != "" {
		return folder
	}
	tools := os.Getenv("POMBO_TOOLS")
	if cache, err := os.UserCacheDir(); err == nil && tools == "" {
		tools = filepath.Join(cache, "pombo", "tools")
	}
	found, _ := filepath.Glob(filepath.Join(tools, "standardwebhooks@*"))
	if len(found) == 0 {
		t.Skip("the verifier of events for Node is not there: scripts/events-client installs it")
	}
	return found[len(found)-1]
}

// request is what a receiver sees of an event, and the secret that it has.
type request struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// sentWith returns what a client with these secrets sends for an event.
func sentWith(t *testing.T, at time.Time, secrets ...pombo.Private) request {
	t.Helper()
	var got request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got = request{Headers: map[string]string{}, Body: string(text)}
		for name := range r.Header {
			got.Headers[strings.ToLower(name)] = r.Header.Get(name) // as Node has them
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	c, err := NewClient(server.URL, secrets, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e := pombo.OutboxEvent{
		Number: 1, Type: pombo.EventFailed, Stream: "row:notificacao:ção", At: at, Template: "aviso", State: pombo.Failed, Reason: pombo.NotOnWhatsApp,
		Attempt: 1, Key: pombo.Key{Source: "notificacao", RowKey: "ção <1>", Generation: 1},
	}
	body, err := Body(e)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.post(t.Context(), e.ID(), body, at); !a.taken {
		t.Fatalf("answer = %+v", a)
	}
	return got
}

// A library that others wrote, in another language, verifies what is signed here, while
// secrets are changed too, and refuses what is not.
func TestClient_SignsForAForeignVerifier(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	folder := verifierFolder(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("the verifier of events needs Node, which is not there")
	}
	now := time.Now()
	before, during, after := sentWith(t, now, secret), sentWith(t, now, secret, newer), sentWith(t, now, newer)
	old := sentWith(t, now.Add(-time.Hour), secret)
	changed := before
	changed.Body = strings.Replace(before.Body, `"failed"`, `"read"`, 1)
	const taken, refused = "notification.failed", "refused"
	cases := []struct {
		name, secret string
		request      request
		want         string
	}{
		{"one secret", secret, before, taken},
		{"both, and the receiver has the old one", secret, during, taken},
		{"both, and the receiver has the new one", newer, during, taken},
		{"the new one alone", newer, after, taken},
		{"not yet the new one", newer, before, refused},
		{"no longer the old one", secret, after, refused},
		{"another body", secret, changed, refused},
		{"sent an hour ago", secret, old, refused},
	}
	list := make([]request, len(cases))
	for i, c := range cases {
		list[i] = c.request
		list[i].Secret = c.secret
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join("testdata", "client", "verify.js"), folder)
	var complaint strings.Builder
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("verify.js: %v\n%s", err, complaint.String())
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(cases) {
		t.Fatalf("verify.js printed %q: %v", out, err)
	}
	for i, c := range cases {
		if word, _, _ := strings.Cut(got[i], ":"); word != c.want {
			t.Errorf("%s: %s, want %s", c.name, got[i], c.want)
		}
	}
}
