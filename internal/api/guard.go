package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/loopback"
)

// Limits of a request.
const (
	maxBody    = 1 << 20
	handleTime = 30 * time.Second // for a handler that does not wait for a run
	writeTime  = 60 * time.Second // from a request, or from the end of its wait for a run, to the last byte of the answer
)

// HTTPServer returns a server for h with limits that protect it from a slow or hostile
// caller: on the headers, on the whole request, on an idle connection. There is no
// WriteTimeout, because it would count from the end of the headers and so cut POST
// /send_notification, which answers when its run ends; each route of Server sets its
// own deadline for writing instead.
func HTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// CheckAddr reports whether it is safe to listen on addr ("host:port"). Without
// a token only this machine may reach it: the host must be a loopback address
// or "localhost". The error says how to fix it.
func CheckAddr(addr, token string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("API_ADDR is %q: write host:port, for example 127.0.0.1:5000", addr)
	}
	if token != "" || loopback.Host(host) {
		return nil
	}
	return fmt.Errorf("API_ADDR is %q, which other machines can reach, and API_TOKEN is empty: set API_TOKEN to a long random text, or API_ADDR to 127.0.0.1:5000", addr)
}

// ServeHTTP lets a request through to its route, or says why not.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	a := &answer{ResponseWriter: w, instance: uuid.New().URN()}
	s.mustWriteSoon(a)
	h := a.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	_, pattern := s.mux.Handler(r)
	defer func() {
		if p := recover(); p != nil {
			s.panicked(a, r, pattern, p)
		}
		// The pattern, not the path, and never the query: either may hold a phone.
		s.log.LogAttrs(r.Context(), slog.LevelDebug, "request", slog.String("route", pattern), slog.Int("status", a.status),
			slog.Int64("duration_ms", time.Since(begun).Milliseconds()), slog.String("request", a.instance))
	}()
	if err := s.admit(a, r, pattern); err != nil {
		s.fail(a, r, pattern, err)
		return
	}
	s.mux.ServeHTTP(a, r)
}

// admit checks the caller, then the route: a caller without the token does not learn
// which routes exist.
func (s *Server) admit(a *answer, r *http.Request, pattern string) error {
	rt := s.routes[pattern]
	if !rt.outside && s.o.Token == "" && r.Host != "" && !loopback.Host(r.Host) { // every browser sends a Host
		return refuse(http.StatusMisdirectedRequest, "without a token only this machine may ask, by its address",
			"ask http://127.0.0.1 or http://localhost, or set API_TOKEN")
	}
	if !rt.outside && s.o.Token == "" && forwarded(r) {
		return refuse(http.StatusForbidden, "the request came through a proxy, and without a token only this machine may ask",
			"set API_TOKEN, or have the proxy pass on nothing but /blip/")
	}
	if err := s.origin.Check(r); err != nil {
		return refuse(http.StatusForbidden, "the request comes from a web page of another site", "ask from a program, or from a page of this server")
	}
	if !rt.open && !rt.outside && !s.authorized(r) {
		challenge, detail := `Bearer realm="pombo"`, "the request has no token"
		if r.Header.Get("Authorization") != "" {
			challenge, detail = challenge+`, error="invalid_token"`, "the token is not the right one"
			s.wrong.wait(r.Context())
		}
		a.Header().Set("WWW-Authenticate", challenge)
		return refuse(http.StatusUnauthorized, detail, `send the header "Authorization: Bearer" with the value of API_TOKEN`)
	}
	if pattern == "" {
		return s.noRoute(a, r)
	}
	return nil
}

// wrongTokens slows guessing down: all callers together get ten answers a second that a
// token is wrong.
type wrongTokens struct {
	mu   sync.Mutex
	next time.Time // when the next one is answered
}

const (
	guessEvery = 100 * time.Millisecond
	guessWait  = 5 * time.Second // the longest wait
)

func (w *wrongTokens) wait(ctx context.Context) {
	now := time.Now()
	w.mu.Lock()
	turn := min(max(0, w.next.Sub(now)), guessWait)
	w.next = now.Add(turn + guessEvery)
	w.mu.Unlock()
	timer := time.NewTimer(turn)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// forwarded reports whether a proxy has passed the request on: anybody may be behind
// one, and by default it names this machine as the host.
func forwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"} {
		if len(r.Header.Values(name)) > 0 {
			return true
		}
	}
	return false
}

// authorized compares hashes, so that neither the length of the token nor how
// much of it was right can be measured.
func (s *Server) authorized(r *http.Request) bool {
	if s.o.Token == "" {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(given[:], s.token[:]) == 1
}

// noRoute lets the mux decide between "not found" and "not this method", and turns its
// plain text into a problem.
func (s *Server) noRoute(a *answer, r *http.Request) error {
	probe := &discard{header: http.Header{}}
	s.mux.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		allow := probe.header.Get("Allow")
		a.Header().Set("Allow", allow)
		return refuse(probe.status, "this address does not take this method", "use "+allow)
	}
	return noSuchAddress()
}

func noSuchAddress() error {
	return refuse(http.StatusNotFound, "there is no such address", "GET / lists the addresses")
}

// serve puts the limits round a route's handler.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if !rt.waits {
			ctx, cancel := context.WithTimeout(r.Context(), handleTime)
			defer cancel()
			r = r.WithContext(ctx)
		}
		err := rt.handle(w, r)
		s.record(w, r, rt, err)
		if err != nil {
			s.fail(w, r, rt.pattern(), err)
		}
		if a, ok := w.(*answer); ok && a.then != nil {
			a.then()
		}
	})
}

// mustWriteSoon makes the connection fail when the answer is not written within
// writeTime from now: a caller that does not read must not block the handler.
func (s *Server) mustWriteSoon(w http.ResponseWriter) {
	// The clock is the kernel's, whatever Options.Now says. Only a test's writer lacks
	// deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.writeTime))
}

// fail writes the error as a problem. An error that is not the caller's fault is logged
// with its cause, once, here.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, pattern string, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the caller has gone
	}
	ref := refusalOf(err)
	instance := instanceOf(w)
	if ref.status >= http.StatusInternalServerError {
		s.log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("route", pattern), slog.Int("status", ref.status),
			slog.Any("error", err), slog.String("request", instance), slog.Any("often", pombo.Often("request failed "+pattern)))
	}
	_ = writeProblem(w, ref.problem(instance))
}

// panicked answers 500 in place of a handler that panicked. What it panicked
// with is logged only when it is the runtime's own: any other text may hold
// what must not be logged. The stack has no values in it.
func (s *Server) panicked(a *answer, r *http.Request, pattern string, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	cause := fmt.Sprintf("panic with a %T", p)
	if err, ok := p.(runtime.Error); ok {
		cause = err.Error()
	}
	s.log.LogAttrs(r.Context(), slog.LevelError, "request panicked", slog.String("route", pattern), slog.String("error", cause),
		slog.String("stack", string(debug.Stack())), slog.String("request", a.instance))
	if a.status != 0 {
		panic(http.ErrAbortHandler) // too late for a status: cut the connection instead
	}
	ref := &refusal{status: http.StatusInternalServerError, detail: "the server made a mistake", hint: "report it with what the server's log has under the instance of this problem"}
	_ = writeProblem(a, ref.problem(a.instance))
}

// answer remembers the status of an answer and the name of the request, a random
// UUID.
type answer struct {
	http.ResponseWriter
	instance string
	status   int
	line     audit.Entry // of the audit trail, as far as the handler knows it
	then     func()      // what follows once that line is written; nil = nothing
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func instanceOf(w http.ResponseWriter) string {
	if a, ok := w.(*answer); ok {
		return a.instance
	}
	return uuid.New().URN()
}

// discard keeps the status and the headers of an answer.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
