package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSend_WaitsForTheEndOfTheRun(t *testing.T) {
	w := newFixture(t)
	w.ledger.run.Error = "not everything was taken in: the source is away"
	answer := make(chan *httptest.ResponseRecorder, 1)
	go func() { answer <- w.ask("POST", "/send_notification", `{"ignored": true}`) }()
	<-w.runs.waits
	close(w.runs.end)
	rec := <-answer
	checkStatus(t, rec, http.StatusOK)
	want := RunResult{RunID: 7, State: "finished", Found: 5, Accepted: 2, Failed: 1, Retrying: 1, DurationMS: 1500, Error: "not everything was taken in: the source is away"}
	if got := decode[RunResult](t, rec); got != want {
		t.Errorf("result = %+v, want %+v", got, want)
	}
	if got := rec.Header().Get("Location"); got != "" {
		t.Errorf("Location = %q, want none: the answer is here", got)
	}
}

func TestPrefer(t *testing.T) {
	tests := []struct {
		prefer  string
		waits   time.Duration
		applied string
	}{
		{"respond-async", 0, "respond-async"},
		{"wait=10", 10 * time.Second, "wait=10"},
		{"Wait = \"10\"; x=y, foo=bar", 10 * time.Second, "wait=10"},
		{"respond-async, wait=3", 3 * time.Second, "wait=3"},
		{"wait=2, wait=50", 2 * time.Second, "wait=2"},
		{"wait=-1, wait=4", 4 * time.Second, "wait=4"},
		{"wait=0", 0, "wait=0"},
		{"wait=4000000000", maxPrefer, "wait=86400"},
	}
	for _, tt := range tests {
		t.Run(tt.prefer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFixture(t)
				begun := time.Now()
				rec := w.ask("POST", "/send_notification", "", "Prefer", tt.prefer)
				checkStatus(t, rec, http.StatusAccepted)
				if got := time.Since(begun); got != tt.waits {
					t.Errorf("waited %s, want %s", got, tt.waits)
				}
				if got := rec.Header().Get("Location"); got != "/runs/7" {
					t.Errorf("Location = %q, want /runs/7", got)
				}
				if got := rec.Header().Get("Preference-Applied"); got != tt.applied {
					t.Errorf("Preference-Applied = %q, want %q", got, tt.applied)
				}
				want := RunResult{RunID: 7, State: "running", Found: 5, Accepted: 2, Failed: 1, Retrying: 1, DurationMS: 60000}
				if got := decode[RunResult](t, rec); got != want {
					t.Errorf("result = %+v, want %+v", got, want)
				}
			})
		})
	}
}

func TestPrefer_IgnoresWhatSaysNothing(t *testing.T) {
	for _, prefer := range []string{"", "return=minimal", "wait=soon", "wait", "wait=99999999999999999999"} {
		if p := parsePrefer([]string{prefer}); p.bounded || p.applied != "" {
			t.Errorf("Prefer %q = %+v, want to wait to the end", prefer, p)
		}
	}
}

func TestSend_CannotStartTheRun(t *testing.T) {
	w := newFixture(t)
	w.runs.err = errors.New("database is locked")
	rec := w.ask("POST", "/send_notification", "")
	checkStatus(t, rec, http.StatusServiceUnavailable)
	if !strings.Contains(w.log.String(), "start run: database is locked") {
		t.Errorf("log = %s, want the cause", w.log)
	}
	if strings.Contains(rec.Body.String(), "locked") {
		t.Errorf("problem = %s, want a sentence and not the cause", rec.Body)
	}
}

func TestSend_WaitEndsWithTheServer(t *testing.T) {
	w := newFixture(t)
	answer := make(chan *httptest.ResponseRecorder, 1)
	go func() { answer <- w.ask("POST", "/send_notification", "") }()
	<-w.runs.waits
	if err := w.server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := <-answer
	checkStatus(t, rec, http.StatusServiceUnavailable)
	if got := rec.Header().Get("Location"); got != "/runs/7" {
		t.Errorf("Location = %q, want /runs/7", got)
	}
	checkStatus(t, w.ask("GET", "/readyz", ""), http.StatusServiceUnavailable)
	checkStatus(t, w.ask("GET", "/healthz", ""), http.StatusOK)
}

// listen serves the world on a real connection, with the limits of HTTPServer
// changed as the test says, and returns the address.
func (w *fixture) listen(t *testing.T, change func(*http.Server)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := HTTPServer(w.server)
	change(server)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return listener.Addr().String()
}

// ReadTimeout must not end the wait for a run. It rests on net/http lifting it
// when the body has been read.
func TestSend_WaitOutlivesReadTimeout(t *testing.T) {
	w := newFixture(t)
	addr := w.listen(t, func(s *http.Server) { s.ReadTimeout = 50 * time.Millisecond })
	c := NewClient("http://"+addr, token, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
	result := make(chan error, 1)
	go func() {
		r, err := c.Send(context.Background(), 0)
		if err == nil && r.State != Finished {
			err = fmt.Errorf("state = %q", r.State)
		}
		result <- err
	}()
	<-w.runs.waits
	select {
	case err := <-result:
		t.Fatalf("the call ended before its run: %v", err)
	case <-time.After(300 * time.Millisecond): // see pass
	}
	close(w.runs.end)
	if err := <-result; err != nil {
		t.Errorf("send: %v", err)
	}
}

func TestSend_WaitEndsWithTheCaller(t *testing.T) {
	w := newFixture(t)
	addr := w.listen(t, func(*http.Server) {})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(conn, "POST /send_notification HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{}", token)
	<-w.runs.waits
	_ = conn.Close()
	// The handler ends, which its line in the access log shows, and the run does not.
	for !strings.Contains(w.log.String(), `"route":"POST /send_notification"`) {
		if t.Context().Err() != nil {
			t.Fatal("the wait did not end with its caller")
		}
		pass(time.Millisecond)
	}
	if run, err := w.ledger.Run(t.Context(), 7); err != nil || !run.Finished.IsZero() {
		t.Errorf("run = %+v, %v, want it under way", run, err)
	}
	if strings.Contains(w.log.String(), "ERROR") {
		t.Errorf("log = %s, want no error for a caller that went away", w.log)
	}
}

// A caller that sends a byte at a time is cut, whether it drags out the headers
// or the body.
func TestHTTPServer_CutsASlowCaller(t *testing.T) {
	w := newFixture(t)
	addr := w.listen(t, func(s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout = 100*time.Millisecond, 100*time.Millisecond
	})
	head := "POST /api/v1/notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
	for name, start := range map[string]string{"headers": head[:20], "body": head + "{"} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(conn, start); err != nil {
				t.Fatal(err)
			}
			gone := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, conn)
				gone <- err
			}()
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case err := <-gone:
					var late net.Error
					if errors.As(err, &late) && late.Timeout() {
						t.Error("the connection was still open after ten seconds")
					}
					return
				case <-tick.C:
					_, _ = io.WriteString(conn, "x")
				}
			}
		})
	}
	if len(w.added) > 0 {
		t.Error("something was taken in")
	}
}

// The time to write an answer counts from the end of the wait.
func TestSend_WriteTimeBeginsAfterTheWait(t *testing.T) {
	w := newFixture(t)
	w.server.writeTime = 50 * time.Millisecond
	addr := w.listen(t, func(*http.Server) {})
	c := NewClient("http://"+addr, token, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
	result := make(chan error, 1)
	go func() {
		_, err := c.Send(context.Background(), 0)
		result <- err
	}()
	<-w.runs.waits
	pass(2 * w.server.writeTime)
	close(w.runs.end)
	if err := <-result; err != nil {
		t.Errorf("send: %v", err)
	}
}

func TestServer_CutsACallerThatDoesNotRead(t *testing.T) {
	written := make(chan error, 1)
	w := newFixture(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, 64<<20)) // more than the kernel takes off our hands
			written <- err
		})
	})
	w.server.writeTime = 50 * time.Millisecond
	conn, err := net.Dial("tcp", w.listen(t, func(*http.Server) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token)
	select {
	case err := <-written:
		if err == nil {
			t.Error("the answer was written to nobody")
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler still writes after ten seconds")
	}
}

// pass lets real time pass: deadlines of connections are the kernel's, and no
// fake clock reaches them.
func pass(d time.Duration) { <-time.After(d) }

func TestHTTPServer_HasLimits(t *testing.T) {
	s := HTTPServer(http.NotFoundHandler())
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Errorf("server = %+v, want every limit set", s)
	}
	if s.WriteTimeout != 0 {
		t.Errorf("WriteTimeout = %s, which would cut a waiting call", s.WriteTimeout)
	}
}

func TestCheckAddr(t *testing.T) {
	tests := []struct {
		addr string
		safe bool
	}{
		{"127.0.0.1:5000", true}, {"127.9.9.9:1", true}, {"localhost:5000", true}, {"LocalHost:0", true}, {"[::1]:5000", true}, {"[::ffff:127.0.0.1]:5000", true},
		{":5000", false}, {"0.0.0.0:5000", false}, {"[::]:5000", false}, {"10.0.0.1:5000", false}, {"server.example:5000", false},
		{"localhost.evil.example:5000", false}, {"127.0.0.1.evil.example:80", false}, {"[::ffff:0.0.0.0]:5000", false}, {"0:5000", false},
	}
	for _, tt := range tests {
		err := CheckAddr(tt.addr, "")
		if (err == nil) != tt.safe {
			t.Errorf("CheckAddr(%q) = %v, want safe = %v", tt.addr, err, tt.safe)
		}
		if err != nil && !strings.Contains(err.Error(), "set API_TOKEN") {
			t.Errorf("error %q does not say what to do", err)
		}
		if err := CheckAddr(tt.addr, "long random text"); err != nil {
			t.Errorf("CheckAddr(%q) with a token = %v", tt.addr, err)
		}
	}
	for _, addr := range []string{"", "5000", "127.0.0.1", "::1:5000"} {
		if err := CheckAddr(addr, "long random text"); err == nil || !strings.Contains(err.Error(), "host:port") {
			t.Errorf("CheckAddr(%q) = %v, want to be told the form", addr, err)
		}
	}
}
