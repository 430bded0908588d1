package blip

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pombo"
)

// wire is a server that speaks TCP, for what no HTTP server would do. Each
// connection goes to serve; requests are what serve has counted.
type wire struct {
	url                   string
	connections, requests atomic.Int32
}

func newWire(t *testing.T, serve func(w *wire, c net.Conn, r *bufio.Reader)) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{url: "http://" + l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.connections.Add(1)
			all.Go(func() {
				defer c.Close()
				serve(w, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return w
}

// request reads one whole request; false when there is none any more.
func (w *wire) request(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return false
	}
	w.requests.Add(1)
	return true
}

// reset makes the Close of c a TCP reset.
func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

func write(c net.Conn, s string) { _, _ = io.WriteString(c, s) }

const taken = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

// TestClient_ConnectionCutAnywhere cuts the connection at every point where it can be cut, under a
// message and under a command.
func TestClient_ConnectionCutAnywhere(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	plain := newWire(t, func(_ *wire, c net.Conn, r *bufio.Reader) {
		_, _ = r.ReadByte()
		write(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
	})
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quiet()
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)

	tests := []struct {
		name   string
		url    string // of a server that is there already, or
		serve  func(w *wire, c net.Conn, r *bufio.Reader)
		reason pombo.Reason // of the message
		reach  pombo.Delivery
		detail string
	}{
		{name: "nothing listens", url: "http://" + closed.Addr().String(),
			reason: pombo.BlipUnreachable, reach: notSent, detail: "no connection"},
		{name: "no TLS there", url: "https" + strings.TrimPrefix(plain.url, "http"),
			reason: pombo.BlipUnreachable, reach: notSent, detail: "no connection"},
		{name: "untrusted certificate", url: untrusted.URL,
			reason: pombo.BlipUnreachable, reach: notSent, detail: "the server's certificate is not trusted"},
		{name: "cut after the headers", serve: func(_ *wire, c net.Conn, r *bufio.Reader) {
			_, _ = http.ReadRequest(r)
		}, reason: pombo.NoAnswer, reach: maybeSent, detail: "the connection broke before the answer was complete"},
		{name: "cut after the body", serve: func(w *wire, c net.Conn, r *bufio.Reader) {
			w.request(r)
		}, reason: pombo.NoAnswer, reach: maybeSent, detail: "the connection broke before the answer was complete"},
		{name: "reset after the body", serve: func(w *wire, c net.Conn, r *bufio.Reader) {
			w.request(r)
			reset(c)
		}, reason: pombo.NoAnswer, reach: maybeSent, detail: "the connection broke before the answer was complete"},
		{name: "cut within the status line", serve: func(w *wire, c net.Conn, r *bufio.Reader) {
			w.request(r)
			write(c, "HTTP/1.1 20")
		}, reason: pombo.NoAnswer, reach: maybeSent, detail: "the connection broke before the answer was complete"},
		{name: "no HTTP", serve: func(w *wire, c net.Conn, r *bufio.Reader) {
			w.request(r)
			write(c, "220 mail.example.com ESMTP for "+testPhone+"\r\n\r\n")
		}, reason: pombo.NoAnswer, reach: maybeSent, detail: "the connection broke before the answer was complete"},
		{name: "silence", serve: func(w *wire, c net.Conn, r *bufio.Reader) {
			w.request(r)
			_, _ = r.ReadByte() // until the client gives up
		}, reason: pombo.NoAnswer, reach: maybeSent, detail: "no answer in time"},
		{name: "silence within the body", serve: func(w *wire, c net.Conn, r *bufio.Reader) {
			w.request(r)
			write(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
			_, _ = r.ReadByte()
		}, reason: pombo.Unexplained, reach: maybeSent, detail: "HTTP status 200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := tt.url
			if tt.serve != nil {
				url = newWire(t, tt.serve).url
			}
			limit := 5 * time.Second
			if strings.HasPrefix(tt.name, "silence") {
				limit = 50 * time.Millisecond
			}
			c := newClient(t, url, func(o *Options) { o.Timeout = limit })

			f := fault(t, c.Send(t.Context(), message()))
			if f.Reason != tt.reason || f.Delivery != tt.reach || !f.Retry {
				t.Errorf("message: %s, delivery %v, retry %v; want %s, delivery %v, retry true", f.Reason, f.Delivery, f.Retry, tt.reason, tt.reach)
			}
			if f.Detail != tt.detail {
				t.Errorf("message: detail = %q, want %q", f.Detail, tt.detail)
			}
			_, err := c.Identity(t.Context(), number(t, testPhone))
			g := fault(t, err)
			if g.Delivery != notSent || !g.Retry || g.Reason == pombo.NoAnswer || g.Reason == pombo.GatewayTimeout {
				t.Errorf("command: %s, delivery %v, retry %v; want a retry, not sent and no doubt", g.Reason, g.Delivery, g.Retry)
			}
			for _, f := range []*pombo.Error{f, g} {
				safe(t, f)
			}
		})
	}
}

// safe fails the test when an error shows what it must not.
func safe(t *testing.T, f *pombo.Error) {
	t.Helper()
	text := f.Error()
	if f.Err != nil {
		text += " / " + f.Err.Error()
	}
	for _, secret := range []string{testKey, testPhone[1:], testIdentity, "553100000001", "Maria", "#1234"} {
		if strings.Contains(text, secret) {
			t.Errorf("the error shows %q: %s", secret, text)
		}
	}
}

// TestSend_CutBeforeReading: whether the system takes the bytes before it learns of
// the reset is chance. Either result is right if reason and delivery agree.
func TestSend_CutBeforeReading(t *testing.T) {
	w := newWire(t, func(_ *wire, c net.Conn, _ *bufio.Reader) { reset(c) })
	c := newClient(t, w.url)
	for range 50 {
		f := fault(t, c.Send(t.Context(), message()))
		got := [2]any{f.Reason, f.Delivery}
		if got != [2]any{pombo.BlipUnreachable, notSent} && got != [2]any{pombo.NoAnswer, maybeSent} {
			t.Fatalf("error = %s, delivery %v", f.Reason, f.Delivery)
		}
	}
}

// TestSend_PostsOnce: a server that closes a connection which was used before is
// the case in which net/http likes to send a request again.
func TestSend_PostsOnce(t *testing.T) {
	w := newWire(t, func(w *wire, c net.Conn, r *bufio.Reader) {
		if w.request(r) {
			write(c, taken)
			w.request(r) // the second ends without an answer
		}
	})
	c := newClient(t, w.url)
	if err := c.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	f := fault(t, c.Send(t.Context(), message()))
	if f.Reason != pombo.NoAnswer || f.Delivery != maybeSent {
		t.Errorf("error = %s, delivery %v; want %s, maybe sent", f.Reason, f.Delivery, pombo.NoAnswer)
	}
	if n := w.connections.Load(); n != 1 {
		t.Errorf("connections = %d, want 1: the message was sent again", n)
	}
	if n := w.requests.Load(); n != 2 {
		t.Errorf("requests = %d, want 2", n)
	}
}

// faulty is a connection that takes so many bytes and then none. It is closed
// when the test is over: closed at once, it may wake the transport's reader in
// time for the reader's error to hide that of the write.
type faulty struct {
	net.Conn
	left *atomic.Int64
	err  error
}

func (f faulty) Write(b []byte) (int, error) {
	if left := f.left.Load(); int64(len(b)) > left {
		n, _ := f.Conn.Write(b[:left])
		f.left.Store(0)
		return n, f.err
	}
	f.left.Add(-int64(len(b)))
	return f.Conn.Write(b)
}

func (f faulty) Close() error { return nil }

// TestSend_WrittenInPart: a message without its end was not accepted, however much of
// it was sent; and net/http does not send it again either.
func TestSend_WrittenInPart(t *testing.T) {
	long := message()
	long.Params = body(pombo.Private(strings.Repeat("long ", 4000))) // more than the buffer of 4 KiB
	refused := &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	tests := []struct {
		name    string
		message pombo.Message
		bytes   int64 // that the connection takes of the message
		used    bool  // the connection has carried a message before
		err     error // of the write
	}{
		{"nothing, new connection", message(), 0, false, refused},
		{"nothing, used connection", message(), 0, true, refused},
		{"some, new connection", message(), 100, false, refused},
		{"some, used connection", message(), 100, true, refused},
		{"nothing of a long one", long, 0, true, refused},
		{"half of a long one", long, 9000, false, refused},
		{"half of a long one, used connection", long, 9000, true, refused},
		// The hook tells, whatever the error is.
		{"half of a long one, another error", long, 9000, false, errors.New("out of paper")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(t, func(w *wire, c net.Conn, r *bufio.Reader) {
				for w.request(r) {
					write(c, taken)
				}
			})
			c := newClient(t, w.url)
			var dials atomic.Int32
			var left atomic.Int64
			left.Store(1 << 20)
			c.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				dials.Add(1)
				conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				if err == nil {
					t.Cleanup(func() { _ = conn.Close() })
				}
				return faulty{conn, &left, tt.err}, err
			}
			want := int32(0)
			if tt.used {
				want = 1
				if err := c.Send(t.Context(), message()); err != nil {
					t.Fatal(err)
				}
			}
			left.Store(tt.bytes)
			f := fault(t, c.Send(t.Context(), tt.message))
			if f.Reason != pombo.BlipUnreachable || f.Delivery != notSent || !f.Retry {
				t.Errorf("error = %s, delivery %v, retry %v; want %s, not sent, retry", f.Reason, f.Delivery, f.Retry, pombo.BlipUnreachable)
			}
			if n := dials.Load(); n != 1 {
				t.Errorf("connections = %d, want 1: the message was sent again", n)
			}
			if n := w.requests.Load(); n != want {
				t.Errorf("whole requests = %d, want %d", n, want)
			}
		})
	}
}

// TestExchange_StartsAfresh: the record of one call must not leak into the next call
// that uses its exchange.
func TestExchange_StartsAfresh(t *testing.T) {
	w := newWire(t, func(w *wire, c net.Conn, r *bufio.Reader) {
		w.request(r)
		write(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	c := newClient(t, w.url)
	dial := c.transport.DialContext
	for range 20 {
		c.transport.DialContext = dial
		if err := c.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
		c.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "http.msging.net", IsNotFound: true}
		}
		f := fault(t, c.Send(t.Context(), message()))
		if f.Reason != pombo.BlipUnreachable || f.Delivery != notSent || f.Pause != connectWait || f.Detail != "the name of the server cannot be found" {
			t.Fatalf("error = %v, delivery %v, pause %s; want %s, not sent, %s", f, f.Delivery, f.Pause, pombo.BlipUnreachable, connectWait)
		}
	}
}

// TestSend_ReadErrorIsNoProof: a connection that breaks while reading may have
// delivered all, whatever the error looks like.
func TestSend_ReadErrorIsNoProof(t *testing.T) {
	w := newWire(t, func(w *wire, _ net.Conn, r *bufio.Reader) { w.request(r) })
	c := newClient(t, w.url)
	c.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return brokenReads{conn}, err
	}
	if f := fault(t, c.Send(t.Context(), message())); f.Delivery != maybeSent {
		t.Errorf("delivery = %v, want maybe sent", f.Delivery)
	}
}

type brokenReads struct{ net.Conn }

func (b brokenReads) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if err != nil {
		err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

func TestClient_CallerGivesUp(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := answering(t, http.StatusAccepted, nil)
		c := newClient(t, s.URL)
		f := fault(t, c.Send(ctx, message()))
		if f.Reason != pombo.Interrupted || f.Delivery != notSent || !errors.Is(f, context.Canceled) {
			t.Errorf("error = %s, delivery %v, cause %v; want %s, not sent, %v", f.Reason, f.Delivery, f.Err, pombo.Interrupted, context.Canceled)
		}
		if n := len(s.got()); n != 0 {
			t.Errorf("requests = %d, want none", n)
		}
	})
	for _, call := range []string{"message", "command"} {
		t.Run("after a "+call+" left", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := newWire(t, func(w *wire, _ net.Conn, r *bufio.Reader) {
				w.request(r)
				cancel()
				_, _ = r.ReadByte()
			})
			c := newClient(t, w.url)
			if call == "message" {
				if f := fault(t, c.Send(ctx, message())); f.Reason != pombo.NoAnswer || f.Delivery != maybeSent {
					t.Errorf("error = %s, delivery %v; want %s, maybe sent", f.Reason, f.Delivery, pombo.NoAnswer)
				}
				return
			}
			_, err := c.Receipts(ctx, testID)
			if f := fault(t, err); f.Reason != pombo.Interrupted || f.Delivery != notSent {
				t.Errorf("error = %s, delivery %v; want %s, not sent", f.Reason, f.Delivery, pombo.Interrupted)
			}
		})
	}
}

// TestSend_AcceptedWithoutBody: the status is the answer.
func TestSend_AcceptedWithoutBody(t *testing.T) {
	w := newWire(t, func(w *wire, c net.Conn, r *bufio.Reader) {
		w.request(r)
		write(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\n{")
	})
	if err := newClient(t, w.url).Send(t.Context(), message()); err != nil {
		t.Errorf("error = %v, want none: Blip has the message", err)
	}
}

// TestSend_RefusedWithoutBody: so it is for a refusal.
func TestSend_RefusedWithoutBody(t *testing.T) {
	w := newWire(t, func(w *wire, c net.Conn, r *bufio.Reader) {
		w.request(r)
		write(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 99\r\n\r\n{")
	})
	if f := fault(t, newClient(t, w.url).Send(t.Context(), message())); f.Reason != pombo.Unauthorized || f.Delivery != notSent {
		t.Errorf("error = %s, delivery %v; want %s, not sent", f.Reason, f.Delivery, pombo.Unauthorized)
	}
}

func TestSend_FollowsNoRedirect(t *testing.T) {
	other := answering(t, http.StatusAccepted, nil)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := stand(t, func(w http.ResponseWriter, path string) {
			w.Header().Set("Location", other.URL+path)
			w.WriteHeader(status)
		})
		f := fault(t, newClient(t, s.URL).Send(t.Context(), message()))
		if f.Reason != pombo.BlipUnreachable || f.Code != status {
			t.Errorf("status %d: %s, code %d", status, f.Reason, f.Code)
		}
	}
	if n := len(other.got()); n != 0 {
		t.Errorf("requests at the other address = %d, want none", n)
	}
}
