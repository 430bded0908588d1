package blipsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the clock of the tests begins.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newServer makes a simulator that is closed at the end of the test.
func newServer(t testing.TB, o Options) (*Server, *clock) {
	t.Helper()
	c := &clock{now: start}
	if o.Now == nil {
		o.Now = c.Now
	}
	s := New(o)
	t.Cleanup(s.Close)
	return s, c
}

func golden(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "blip", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func request(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Key bXlib3Q6c2VjcmV0") // mybot:secret
	r.Header.Set("Content-Type", "application/json")
	return r
}

// send posts a body and returns the answer; cut says that the connection was
// closed without one.
func send(t testing.TB, s *Server, path, body string) (w *httptest.ResponseRecorder, cut bool) {
	t.Helper()
	return do(t, s, request(path, body))
}

func do(t testing.TB, s *Server, r *http.Request) (w *httptest.ResponseRecorder, cut bool) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			cut = true
		}
	}()
	if r.Host == "example.com" { // httptest's own, where the test names none
		r.Host = "127.0.0.1:5100"
	}
	w = httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w, false
}

// status posts a message and returns the status, 0 when the answer was cut.
func status(t testing.TB, s *Server, path, body string) int {
	t.Helper()
	w, cut := send(t, s, path, body)
	if cut {
		return 0
	}
	return w.Code
}

// message is a good message of the template order_shipped.
func message(id, to string) string {
	return fmt.Sprintf(`{"id":%q,"to":%q,"type":"application/json","content":{"type":"template","template":{"name":"order_shipped",
		"language":{"code":"pt_BR","policy":"deterministic"},"components":[{"type":"body","parameters":[
		{"type":"text","text":"Maria"},{"type":"text","text":"#1234"}]}]}}}`, id, to)
}

func messageID(n int) string { return fmt.Sprintf("0f8fad5b-d9cb-469f-a165-%012x", n) }

const maria = "553100000001@wa.gw.msging.net"

// answer is an answer to a command.
type answer struct {
	Method, Status, ID, From, To, Type string
	Reason                             *struct {
		Code        int
		Description string
	}
	Resource json.RawMessage
	Metadata map[string]string
}

func ask(t testing.TB, s *Server, body string) answer {
	t.Helper()
	w, cut := send(t, s, "/commands", body)
	if cut || w.Code != http.StatusOK {
		t.Fatalf("command: status %d, cut %v, want 200: %s", w.Code, cut, w.Body)
	}
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("answer %s: %v", w.Body, err)
	}
	return a
}

func get(method, uri string) string {
	return fmt.Sprintf(`{"id":"c1","to":"postmaster@msging.net","method":%q,"uri":%q}`, method, uri)
}

// events are the events of a message that have come, with the code of a failure.
func events(s *Server, id string) string {
	var out []string
	for _, r := range s.Receipts(id) {
		e := string(r.Event)
		if r.Event == Failed {
			e = fmt.Sprintf("failed %d", r.Code)
		}
		out = append(out, e)
	}
	return strings.Join(out, ", ")
}
