package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Stop is how far the stop of the process is.
type Stop struct {
	State      string `json:"state"`                 // "stopping" or "stopped"
	InOrder    bool   `json:"in_order"`              // stopped, and everything ended in time
	Detail     string `json:"detail,omitempty"`      // what did not
	DurationMS int64  `json:"duration_ms,omitempty"` // of the stop
}

// The states of a stop.
const (
	Stopping = "stopping"
	Stopped  = "stopped"
)

// postStop makes the process stop in order. A caller who waits keeps the connection, on
// which the result arrives last. The end of the process closes it, even if the process
// is killed meanwhile.
func (s *Server) postStop(w http.ResponseWriter, r *http.Request) error {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return badBody(err)
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "a stop was asked for", slog.String("from", peer(r)))
	if a, ok := w.(*answer); ok {
		a.then = s.o.Stop // once the line of the audit trail is written: the ledger closes in a stop
	}
	if prefer := parsePrefer(r.Header.Values("Prefer")); prefer.bounded && prefer.wait == 0 {
		if prefer.applied != "" {
			w.Header().Set("Preference-Applied", prefer.applied)
		}
		return writeJSON(w, http.StatusAccepted, Stop{State: Stopping})
	}
	if err := s.farewells.keep(w, s.o.Now()); err != nil {
		return writeJSON(w, http.StatusAccepted, Stop{State: Stopping}) // the result cannot be sent later
	}
	return nil
}

// farewells are the connections of callers that wait for the end of the process.
type farewells struct {
	mu    sync.Mutex
	conns []net.Conn
	since time.Time
	said  bool
}

// keep takes the connection over and begins the answer, whose length is unknown: it
// ends with the connection.
func (f *farewells) keep(w http.ResponseWriter, now time.Time) error {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take the connection over: %w", err)
	}
	if a, ok := w.(*answer); ok {
		a.status = http.StatusOK
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Connection", "close")
	_ = conn.SetDeadline(time.Now().Add(writeTime)) // a caller that does not read does not delay the stop
	begin(buffer.Writer, h)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since.IsZero() {
		f.since = now
	}
	f.conns = append(f.conns, conn)
	return nil
}

func begin(w *bufio.Writer, h http.Header) {
	_, _ = w.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(w)
	_, _ = w.WriteString("\r\n")
	_ = w.Flush() // a caller that has gone does not keep the process from stopping
}

// Stopped tells callers that wait for the end of the process that its stop is over. The
// log has the error; they learn only that there was one.
func (s *Server) Stopped(err error) {
	f := &s.farewells
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.said {
		return
	}
	f.said = true
	last := Stop{State: Stopped, InOrder: err == nil, DurationMS: max(1, s.o.Now().Sub(f.since).Milliseconds())}
	if err != nil {
		last.Detail = "not everything ended in time, or without an error; the log says what"
	}
	line, err := json.Marshal(last)
	if err != nil {
		return
	}
	for _, conn := range f.conns {
		_, _ = conn.Write(append(line, '\n'))
	}
}

// Release closes the connections of callers that wait for the end of the process. Call
// it just before that end.
func (s *Server) Release() {
	f := &s.farewells
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.conns {
		_ = conn.Close()
	}
	f.conns = nil
}
