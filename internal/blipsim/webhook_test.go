package blipsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hook is the bot's side of the webhook: it notes what came and when, and
// answers with the statuses in turn, 0 being no answer.
type hook struct {
	start    time.Time
	statuses []int

	mu  sync.Mutex
	got []string
	hdr http.Header
	url string
}

func (h *hook) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var n struct{ Event, ID string }
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, fmt.Sprintf("%s %s %s", time.Since(h.start), n.ID, n.Event))
	h.hdr, h.url = r.Header, r.URL.String()
	status := 202
	if len(h.statuses) > 0 {
		status, h.statuses = h.statuses[0], h.statuses[1:]
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: r}, nil
}

func (h *hook) list() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.got...)
}

// withHook runs the test in a bubble, with a simulator that posts to the hook.
func withHook(t *testing.T, o Options, h *hook, test func(t *testing.T, s *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h.start = time.Now()
		o.Webhook, o.WebhookClient = "http://bot.example/blip", &http.Client{Transport: h}
		s := New(o)
		defer s.Close()
		test(t, s)
	})
}

func TestWebhook(t *testing.T) {
	h := &hook{}
	withHook(t, Options{ReadRate: 1, WebhookHeader: "X-Secret: abc def"}, h, func(t *testing.T, s *Server) {
		status(t, s, "/messages", message("1", maria))
		time.Sleep(500 * time.Millisecond) // the bubble's clock
		status(t, s, "/messages", message("2", maria))
		status(t, s, "/messages", strings.Replace(message("x", maria), `"id":"x",`, "", 1))
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []string{
			"20ms 1 accepted", "200ms 1 dispatched", "520ms 2 accepted", "700ms 2 dispatched",
			"1s 1 received", "1.5s 2 received", "3s 1 consumed", "3.5s 2 consumed",
		}
		if diff := cmp.Diff(want, h.list()); diff != "" {
			t.Errorf("posts (-want +got):\n%s", diff)
		}
		if h.hdr.Get("Content-Type") != "application/json" || h.hdr.Get("X-Secret") != "abc def" || h.url != "http://bot.example/blip" {
			t.Errorf("headers %v to %s", h.hdr, h.url)
		}
		if got := s.Counts().Webhooks; got != 8 {
			t.Errorf("webhooks = %d, want 8", got)
		}
	})
}

func TestWebhook_RetriesOnlyIfAsked(t *testing.T) {
	for _, c := range []struct {
		retries      int
		statuses     []int
		want         []string
		sent, failed int64
	}{
		{0, []int{500}, []string{"20ms 1 accepted"}, 0, 1},
		{2, []int{500, 0, 200}, []string{"20ms 1 accepted", "1.02s 1 accepted", "2.02s 1 accepted"}, 1, 0},
		{1, []int{500, 0, 200}, []string{"20ms 1 accepted", "1.02s 1 accepted"}, 0, 1},
	} {
		h := &hook{statuses: c.statuses}
		withHook(t, Options{WebhookRetries: c.retries, Faults: Faults{StopAfter: Accepted}}, h, func(t *testing.T, s *Server) {
			status(t, s, "/messages", message("1", maria))
			time.Sleep(time.Hour)
			synctest.Wait()
			if diff := cmp.Diff(c.want, h.list()); diff != "" {
				t.Errorf("%d retries: posts (-want +got):\n%s", c.retries, diff)
			}
			if got := s.Counts(); got.Webhooks != c.sent || got.WebhooksFailed != c.failed {
				t.Errorf("%d retries: counts = %+v, want %d sent and %d failed", c.retries, got, c.sent, c.failed)
			}
		})
	}
}

func TestWebhook_Disturbed(t *testing.T) {
	h := &hook{}
	withHook(t, Options{ReadRate: 1, Faults: Faults{Reorder: true, DuplicateEvents: 1, ForwardedIDs: 1}}, h, func(t *testing.T, s *Server) {
		status(t, s, "/messages", message("1", maria))
		time.Sleep(time.Hour)
		synctest.Wait()
		got := h.list()
		if len(got) != 8 {
			t.Fatalf("%d posts, want 8: %v", len(got), got)
		}
		var order []string
		for _, g := range got {
			if !strings.Contains(g, "fwd:1") {
				t.Errorf("%s: want the prefix fwd:", g)
			}
			order = append(order, g[strings.LastIndex(g, " ")+1:])
		}
		if cmp.Equal(order, []string{"accepted", "accepted", "dispatched", "dispatched", "received", "received", "consumed", "consumed"}) {
			t.Error("the receipts came in order")
		}
	})
}

func TestWebhook_StopsAtResetAndClose(t *testing.T) {
	h := &hook{}
	withHook(t, Options{}, h, func(t *testing.T, s *Server) {
		status(t, s, "/messages", message("1", maria))
		s.Reset()
		time.Sleep(time.Hour)
		synctest.Wait()
		status(t, s, "/messages", message("2", maria))
		s.Close()
		time.Sleep(time.Hour)
		if got := h.list(); len(got) != 0 {
			t.Errorf("posts = %v, want none", got)
		}
	})
}
