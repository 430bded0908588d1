package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo"
)

// post is what a Webhook was given.
type post struct{ kind, body string }

// fakeWebhook is a Webhook with one secret.
type fakeWebhook struct {
	err  error
	busy int

	mu      sync.Mutex
	took    []post
	replies []pombo.Inbound

	entered, release chan struct{} // nil = Take does not wait
}

const webhookSecret = "a-secret-of-sixteen-or-more"

func (m *fakeWebhook) Admits(_, secret string) bool { return secret == webhookSecret }

func (m *fakeWebhook) Take(_ context.Context, kind string, body []byte) error {
	m.mu.Lock()
	m.took = append(m.took, post{kind, string(body)})
	m.mu.Unlock()
	if m.release != nil {
		m.entered <- struct{}{}
		<-m.release
	}
	return m.err
}

func (m *fakeWebhook) TakeReply(_ context.Context, in pombo.Inbound) error {
	m.replies = append(m.replies, in)
	return m.err
}

func (m *fakeWebhook) Busy(string) { m.busy++ }

func TestWebhook(t *testing.T) {
	const body = `{"event":"received","id":"1"}`
	tests := []struct {
		name, target, body string
		token              string // of the server
		host               string
		err                error
		want               int
		contains           string
		took               bool
	}{
		{name: "notifications", target: "/blip/notifications/" + webhookSecret, body: body, token: token, want: 200, took: true},
		{name: "messages", target: "/blip/messages/" + webhookSecret, body: body, token: token, want: 200, took: true},
		{name: "from outside, through a tunnel, without API_TOKEN", target: "/blip/notifications/" + webhookSecret, body: body, host: "pombo.example.com", want: 200, took: true},
		{name: "another secret", target: "/blip/notifications/a-secret-of-sixteen-or-less", body: body, token: token, want: 404, contains: "no such address"},
		{name: "no secret", target: "/blip/notifications/", body: body, token: token, want: 401},
		{name: "not JSON", target: "/blip/notifications/" + webhookSecret, body: "Maria", token: token, err: fmt.Errorf("take: %w", pombo.ErrNotJSON), want: 400, contains: "not JSON", took: true},
		{name: "too many envelopes", target: "/blip/notifications/" + webhookSecret, body: "{}", token: token, err: fmt.Errorf("take: %w", pombo.ErrTooMany), want: 413, contains: "more than 5000 envelopes", took: true},
		{name: "the ledger is away", target: "/blip/messages/" + webhookSecret, body: body, token: token, err: errors.New("the disk is full"), want: 503, took: true},
		{name: "an error that means something else elsewhere", target: "/blip/messages/" + webhookSecret, body: body, token: token, err: pombo.ErrNotFound, want: 503, took: true},
		{name: "1 MiB", target: "/blip/notifications/" + webhookSecret, body: `"` + strings.Repeat("x", 1<<20-2) + `"`, token: token, want: 200, took: true},
		{name: "more than 1 MiB", target: "/blip/notifications/" + webhookSecret, body: strings.Repeat("x", 1<<20+1), token: token, want: 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &fakeWebhook{err: tt.err}
			w := newFixture(t, func(o *Options) { o.Webhook, o.Token = m, tt.token })
			r := httptest.NewRequest(http.MethodPost, "http://localhost"+tt.target, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/json")
			if tt.host != "" {
				r.Host = tt.host
			}
			rec := w.send(r)
			checkStatus(t, rec, tt.want)
			if !strings.Contains(rec.Body.String(), tt.contains) {
				t.Errorf("answer lacks %q: %s", tt.contains, rec.Body)
			}
			if took := len(m.took) == 1 && m.took[0].body == tt.body && strings.Contains(tt.target, "/"+m.took[0].kind+"/"); took != tt.took {
				t.Errorf("took %d bodies, want it = %t", len(m.took), tt.took)
			}
			if strings.Contains(w.log.String()+rec.Body.String(), webhookSecret) {
				t.Error("the secret is in the log or in the answer")
			}
		})
	}
}

// A handful of large bodies at a time: the others are told to come again, and cost no
// memory meanwhile. The small ones that Blip posts are taken beside them.
func TestWebhook_FewLargeBodiesAtATime(t *testing.T) {
	const rounds = 200
	m := &fakeWebhook{entered: make(chan struct{}, rounds), release: make(chan struct{})}
	w := newFixture(t, func(o *Options) { o.Webhook = m })
	large := strings.Repeat(" ", 1<<20)
	send := func(body io.Reader) *httptest.ResponseRecorder {
		return w.send(httptest.NewRequest(http.MethodPost, "http://localhost/blip/notifications/"+webhookSecret, body))
	}
	var inHand sync.WaitGroup
	for range largeBodies {
		inHand.Go(func() { checkStatus(t, send(strings.NewReader(large)), http.StatusOK) })
	}
	for range largeBodies {
		<-m.entered
	}
	w.server.webhooks.wait = time.Millisecond // not before: on a busy machine one of these takes as long to begin
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		rec := send(strings.NewReader(large))
		checkStatus(t, rec, http.StatusTooManyRequests)
		if rec.Header().Get("Retry-After") == "" {
			t.Fatal("no Retry-After")
		}
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) / rounds; used > 512<<10 {
		t.Errorf("%d bytes of memory for each body of 1 MiB that was refused, want less than half of it", used)
	}
	if m.busy != rounds {
		t.Errorf("%d bodies were counted as refused, want %d", m.busy, rounds)
	}
	inHand.Go(func() { checkStatus(t, send(strings.NewReader("{}")), http.StatusOK) })
	<-m.entered
	close(m.release)
	inHand.Wait()
	checkStatus(t, send(strings.NewReader(large)), http.StatusOK)
}

func TestWebhook_NotSetUp(t *testing.T) {
	w := newFixture(t)
	for _, kind := range []string{"notifications", "messages"} {
		rec := w.ask("POST", "/blip/"+kind+"/"+webhookSecret, "{}")
		checkStatus(t, rec, http.StatusNotFound)
	}
}
