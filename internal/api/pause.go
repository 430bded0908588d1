package api

import (
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"pombo"
)

// Pause says whether all sending is paused.
type Pause struct {
	Paused  bool         `json:"paused"`
	Until   time.Time    `json:"until,omitzero"`    // absent = until resumed
	By      string       `json:"by,omitempty"`      // "blip", "operator" or "pombo"
	Reason  pombo.Reason `json:"reason,omitempty"`  // Blip's
	Message string       `json:"message,omitempty"` // what the reason means
	Detail  string       `json:"detail,omitempty"`  // what the operator wrote, or Blip
}

func (s *Server) pause(r *http.Request) (Pause, error) {
	p, paused, err := s.o.Ledger.Paused(r.Context())
	if err != nil {
		return Pause{}, fmt.Errorf("read pause: %w", err)
	}
	if !paused {
		return Pause{}, nil
	}
	return Pause{Paused: true, Until: utc(p.Until), By: p.By, Reason: p.Reason, Message: p.Reason.Message(), Detail: p.Detail}, nil
}

func (s *Server) getPause(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pause(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, p)
}

// putPause pauses all sending. The body may be empty.
func (s *Server) putPause(w http.ResponseWriter, r *http.Request) error {
	p := pombo.Pause{By: "operator"}
	if r.ContentLength != 0 {
		body, err := readObject(r)
		if err != nil {
			return err
		}
		body.readTime("until", &p.Until)
		if !p.Until.IsZero() && !p.Until.After(s.o.Now()) {
			body.refuse("until", "is over already")
		}
		body.read("detail", &p.Detail, "must be text")
		if utf8.RuneCountInString(p.Detail) > 200 {
			body.refuse("detail", "must be at most 200 characters")
		}
		body.end("until", "detail")
		if err := body.err(); err != nil {
			return err
		}
	}
	if err := s.o.Ledger.Pause(r.Context(), p); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return s.getPause(w, r)
}

func (s *Server) deletePause(w http.ResponseWriter, r *http.Request) error {
	if err := s.o.Ledger.Resume(r.Context()); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
