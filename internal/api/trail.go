package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/phone"
)

// Headers with which the command line identifies itself and its user. Any user of the
// API may write them: they are unverified, which the way "cli" shows to the trail's
// readers.
const (
	viaHeader     = "Pombo-Via"
	accountHeader = "Pombo-Account"
)

// record writes the line about a change into the audit trail. An invalid request is not
// a change, and has no line. The change is already made: a failure to write its line is
// logged and does not undo it.
func (s *Server) record(w http.ResponseWriter, r *http.Request, rt route, err error) {
	if rt.act == "" || s.o.Trail == nil {
		return
	}
	line := audit.Entry{}
	if a, ok := w.(*answer); ok {
		line = a.line
	}
	line.At, line.Via, line.Who, line.Address, line.Result = s.o.Now(), audit.ViaAPI, "api", peer(r), audit.Done
	if line.Act == "" {
		line.Act = rt.act
	}
	if r.Header.Get(viaHeader) == string(audit.ViaCLI) {
		line.Via, line.Who = audit.ViaCLI, account(r.Header.Get(accountHeader))
	}
	if err != nil {
		switch refusalOf(err).status {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
			return
		}
		line.Result = audit.Failed
	}
	if line.Target == "" {
		line.Target = cmp.Or(r.PathValue("id"), r.PathValue("name"))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	if e := s.o.Trail.WriteAudit(ctx, line); e != nil && !errors.Is(e, context.Canceled) {
		s.log.LogAttrs(ctx, slog.LevelError, "audit line not written", slog.String("act", string(line.Act)), slog.Any("error", e), slog.Any("often", pombo.Often("audit")))
	}
}

// concern notes whom a change is about, for its line.
func (s *Server) concern(w http.ResponseWriter, n phone.Number) {
	if a, ok := w.(*answer); ok && !s.o.Key.IsZero() {
		a.line.Person = s.o.Key.Person(n)
	}
}

func lineOf(w http.ResponseWriter) *audit.Entry {
	if a, ok := w.(*answer); ok {
		return &a.line
	}
	return &audit.Entry{}
}

// account is a name as far as it can be one.
func account(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	if name == "" {
		return "unknown"
	}
	return name[:min(len(name), 64)]
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}
