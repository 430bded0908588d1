package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/loopback"
)

// policy is the Content-Security-Policy of every page: nothing but our own files, no
// inline script or style, and HTML that a script puts in goes through the one policy of
// desk.js.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types desk"

// ServeHTTP lets a request through to its route, or says why not.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	a := &answer{ResponseWriter: w}
	_ = http.NewResponseController(a).SetWriteDeadline(begun.Add(2 * pageTime)) // only a test's writer lacks deadlines
	h := a.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	_, pattern := s.mux.Handler(r)
	ctx, cancel := context.WithTimeout(r.Context(), pageTime)
	defer cancel()
	r = r.WithContext(context.WithValue(ctx, requestKey{}, &request{}))
	defer func() {
		if p := recover(); p != nil {
			s.panicked(a, r, pattern, p)
		}
		// The pattern, not the path, and never the query or the form.
		s.log.LogAttrs(r.Context(), slog.LevelDebug, "desk request", slog.String("route", pattern), slog.Int("status", a.status),
			slog.Int64("duration_ms", time.Since(begun).Milliseconds()))
	}()
	r, err := s.admit(a, r, pattern)
	if err != nil {
		s.fail(a, r, pattern, err)
		return
	}
	if wantsHeadline(r) && visitorOf(r) != nil {
		if err := s.getHeadline(a, r); err != nil {
			s.fail(a, r, pattern, err)
		}
		return
	}
	s.mux.ServeHTTP(a, r)
}

// admit checks the host and the origin of the request, identifies the visitor, and then
// checks the page and the right to it: a visitor who has not signed in does not learn
// which pages exist. The request that it returns knows the visitor, even after an error.
func (s *Server) admit(a *answer, r *http.Request, pattern string) (*http.Request, error) {
	if !s.knownHost(r.Host) {
		return r, refuse(http.StatusMisdirectedRequest, "error.host")
	}
	if err := s.origin.Check(r); err != nil {
		return r, refuse(http.StatusForbidden, "error.origin")
	}
	rt, found := s.routes[pattern]
	if found && strings.HasPrefix(rt.path, "/desk/static/") {
		return r, nil // the same for everybody; no session is read for it
	}
	r.Body = http.MaxBytesReader(a, r.Body, maxForm)
	if rt.right == signed && found {
		return r, s.checkSigned(r)
	}
	r, err := s.loadSession(a, r)
	if err != nil && !s.recallVisitor(a, r, pattern) {
		return r, err
	}
	v := visitorOf(r)
	if v != nil && !s.paces.allow(v) {
		a.Header().Set("Retry-After", "1")
		return r, refuse(http.StatusTooManyRequests, "error.pace")
	}
	if v != nil && wantsHeadline(r) {
		return r, nil
	}
	if rt.right != anyone || !found {
		if v == nil {
			return r, errSignIn
		}
		if !found {
			return r, s.noRoute(a, r)
		}
		if !may(v.User, rt.right) {
			s.note(r, audit.Entry{Act: audit.Request, Target: pattern, Result: audit.Refused})
			return r, refuse(http.StatusForbidden, "error.right")
		}
	}
	if r.Method == http.MethodPost && !rt.harmless {
		return r, s.useToken(r)
	}
	return r, nil
}

// knownHost reports whether the desk answers to the host of a request. An address that
// is written in digits cannot be made to point here by somebody else's name server;
// any other name can, and a page of theirs would then be ours to the browser.
func (s *Server) knownHost(host string) bool {
	if loopback.Host(host) {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && len(s.o.Hosts) == 0 {
		return true
	}
	return s.hosts[strings.ToLower(host)]
}

// fromProxy reports whether the request comes from a network of DESK_PROXY_FROM.
func (s *Server) fromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, network := range s.o.ProxyFrom {
		if network.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// address is where the request comes from: the last hop that is not ours.
func (s *Server) address(r *http.Request) string {
	if s.fromProxy(r) {
		// The last one is what the proxy itself saw; anybody can forge the ones before it.
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if last, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
			return last.Unmap().String()
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return peer.Addr().Unmap().String()
}

// secure reports whether the browser has spoken TLS.
func (s *Server) secure(r *http.Request) bool {
	return r.TLS != nil || s.fromProxy(r) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// local reports whether the request was made on this machine, by no proxy.
func (s *Server) local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"} {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	if loopback.Host(r.RemoteAddr) {
		return true
	}
	// From an address of this machine to the same one.
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	own, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return err == nil && ok && peer.Addr().Unmap() == own.AddrPort().Addr().Unmap()
}

// noRoute lets the mux decide between "not found" and "not this method".
func (s *Server) noRoute(a *answer, r *http.Request) error {
	probe := &discard{header: http.Header{}}
	s.mux.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		a.Header().Set("Allow", probe.header.Get("Allow"))
		return refuse(probe.status, "error.method")
	}
	return pombo.ErrNotFound
}

// serve gives a route one of the places for pages being made.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait := time.NewTimer(makeWait)
		defer wait.Stop()
		select {
		case s.making <- struct{}{}:
			defer func() { <-s.making }()
		case <-wait.C:
			s.fail(w, r, rt.pattern(), refuse(http.StatusServiceUnavailable, "error.busy"))
			return
		case <-r.Context().Done():
			return
		}
		if err := rt.handle(w, r); err != nil {
			s.fail(w, r, rt.pattern(), err)
		}
	})
}

// fail shows the error. One that is not the visitor's fault is logged with its cause,
// once, here.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, pattern string, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the visitor has gone
	}
	if errors.Is(err, errSignIn) && !isScript(r) {
		// Only what is read can be gone back to; the address of a change cannot.
		to := "/desk/login"
		if r.Method == http.MethodGet && r.URL.Path != "/desk/" && r.URL.Path != "/" {
			to += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
		_ = redirect(w, to)
		return
	}
	ref := refusalOf(err)
	if ref.status >= http.StatusInternalServerError && ref.cause != nil {
		s.log.LogAttrs(r.Context(), slog.LevelError, "desk request failed", slog.String("route", pattern), slog.Int("status", ref.status),
			slog.Any("error", ref.cause), slog.Any("often", pombo.Often("desk request failed "+pattern)))
	}
	if err := s.renderError(w, r, ref); err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelError, "desk error page failed", slog.String("route", pattern), slog.Any("error", err))
		http.Error(w, http.StatusText(ref.status), ref.status)
	}
}

// panicked answers 500 in place of a handler that panicked. What it panicked with is
// logged only when it is the runtime's own: any other text may hold what must not be
// logged.
func (s *Server) panicked(a *answer, r *http.Request, pattern string, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	cause := fmt.Sprintf("panic with a %T", p)
	if err, ok := p.(runtime.Error); ok {
		cause = err.Error()
	}
	s.log.LogAttrs(r.Context(), slog.LevelError, "desk request panicked", slog.String("route", pattern), slog.String("error", cause),
		slog.String("stack", string(debug.Stack())))
	if a.status != 0 {
		panic(http.ErrAbortHandler) // too late for a status: cut the connection instead
	}
	s.fail(a, r, pattern, refuse(http.StatusInternalServerError, "error.mistake"))
}

// answer remembers the status of an answer, and has the session saved, with its cookie,
// before the first byte.
type answer struct {
	http.ResponseWriter
	status int
	before func() // nil = nothing to save
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
		if a.before != nil {
			a.before()
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// discard keeps the status and the headers of an answer.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// redirect answers 303: the browser asks for the address with GET.
func redirect(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
