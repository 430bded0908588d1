package blip

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/test/nightly"
)

func TestClient_ReusesConnections(t *testing.T) {
	w := newWire(t, func(w *wire, c net.Conn, r *bufio.Reader) {
		for w.request(r) {
			switch w.requests.Load() % 5 {
			case 0:
				write(c, taken)
			case 1:
				write(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")
			case 2:
				write(c, "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
			case 3:
				write(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 11\r\n\r\n{\"code\":21}")
			case 4:
				write(c, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
			}
		}
	})
	c := newClient(t, w.url)
	for range 50 {
		_ = c.Send(t.Context(), message())
	}
	if n := w.connections.Load(); n != 1 {
		t.Errorf("connections = %d, want 1", n)
	}
}

func TestClient_AnswerTooLong(t *testing.T) {
	s := answering(t, http.StatusOK, []byte(`{"status":"success","resource":"`+strings.Repeat("x", 2<<20)+`"}`))
	_, err := newClient(t, s.URL).Identity(t.Context(), number(t, testPhone))
	if f := fault(t, err); !f.Retry || f.Detail != errTooLong.Error() {
		t.Errorf("error = %+v, want %q", f, errTooLong)
	}
}

// TestExchange_RunsTheHooksOfItsCaller: the hooks of the caller run besides ours and do not pile up
// in the exchanges that are used again.
func TestExchange_RunsTheHooksOfItsCaller(t *testing.T) {
	s := answering(t, http.StatusAccepted, nil)
	c := newClient(t, s.URL)
	var got int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { got++ },
	})
	for range 20 {
		if err := c.Send(ctx, message()); err != nil {
			t.Fatal(err)
		}
	}
	if got != 20 {
		t.Errorf("the caller's hook ran %d times in 20 calls", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	tests := []struct {
		header string
		status int
		want   time.Duration
	}{
		{"", 429, 2 * time.Minute},
		{"30", 429, 30 * time.Second},
		{"0", 429, 2 * time.Minute},
		{"-5", 429, 2 * time.Minute},
		{"soon", 429, 2 * time.Minute},
		{"99999999999999999999", 429, 2 * time.Minute},
		{"999999999", 429, time.Hour},
		{"Mon, 23 Nov 2026 10:00:45 GMT", 429, 45 * time.Second},
		{"Mon, 23 Nov 2026 09:00:00 GMT", 429, 2 * time.Minute},
		{"Wed, 23 Nov 2033 09:00:00 GMT", 429, time.Hour},
		{"7", 503, 7 * time.Second},
		{"", 503, 0},
		{"7", 400, 0},
		{"7", 401, accountWait},
	}
	for _, tt := range tests {
		s := stand(t, func(w http.ResponseWriter, _ string) {
			if tt.header != "" {
				w.Header().Set("Retry-After", tt.header)
			}
			w.WriteHeader(tt.status)
		})
		c := newClient(t, s.URL, func(o *Options) { o.Now = func() time.Time { return now } })
		if f := fault(t, c.Send(t.Context(), message())); f.Pause != tt.want {
			t.Errorf("status %d, Retry-After %q: pause = %v, want %v", tt.status, tt.header, f.Pause, tt.want)
		}
		_, err := c.Identity(t.Context(), number(t, testPhone))
		if f := fault(t, err); f.Pause != tt.want {
			t.Errorf("command, status %d, Retry-After %q: pause = %v, want %v", tt.status, tt.header, f.Pause, tt.want)
		}
	}
}

// TestExchange_InUseIsNotReused: an exchange that the transport may still write from, or
// still report to, is not used again.
func TestExchange_InUseIsNotReused(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1")
	x := c.exchange()
	x.gotConn.Store(true)
	x.wroteHeaders.Store(true)
	c.release(x)
	for range 10 {
		if c.exchange() == x {
			t.Fatal("the exchange is used again before it was written")
		}
	}
}

// TestSend_DoesNotMixBodies sends from many goroutines to a server that answers
// before it reads, so that net/http may still be writing a body when Send is
// back: an exchange used again too early would put two messages into one.
func TestSend_DoesNotMixBodies(t *testing.T) {
	w := newWire(t, func(w *wire, c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			write(c, taken)
			b, err := io.ReadAll(req.Body)
			if err != nil {
				return // net/http may give up a connection that answers early
			}
			w.requests.Add(1)
			text := string(b)
			mark := text[len(`{"id":"`):][:1] // the message consists of one letter
			if want := len(text) - len(strings.ReplaceAll(text, mark, "")); want < 40_000 {
				t.Errorf("a message of %q has only %d of its letters", mark, want)
			}
		}
	})
	c := newClient(t, w.url)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			mark := string(rune('A' + i))
			m := pombo.Message{MessageID: pombo.MessageID(mark), To: "x@y", Params: body(pombo.Private(strings.Repeat(mark, 40_000)))}
			for range nightly.Or(10, 3) {
				_ = c.Send(t.Context(), m)
			}
		})
	}
	all.Wait()
	if w.requests.Load() == 0 {
		t.Error("the server read no message at all")
	}
}
