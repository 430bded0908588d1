package api

import (
	"context"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"pombo"
)

// HoldLedger has the templates that an operator holds.
type HoldLedger interface {
	Hold(ctx context.Context, h pombo.TemplateHold) error
	// Release reports whether there was a hold.
	Release(ctx context.Context, template string) (released bool, err error)
	HeldTemplates(ctx context.Context) ([]pombo.TemplateHold, error)
	// TemplateReach counts what a hold until a time affects; zero = without end.
	TemplateReach(ctx context.Context, template string, until time.Time) (pombo.TemplateReach, error)
}

// Hold says whether an operator holds a template.
type Hold struct {
	Held   bool      `json:"held"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"` // absent = until released
	By     string    `json:"by,omitempty"`
	Detail string    `json:"detail,omitempty"` // what the operator wrote
}

// HoldReach is a hold with what it affects.
type HoldReach struct {
	Hold
	Waiting  int     `json:"waiting"`           // queued now
	PerHour  float64 `json:"per_hour"`          // taken in lately
	Expiring int     `json:"expiring"`          // of those that wait, before the hold ends
	Partial  bool    `json:"partial,omitempty"` // more wait than were counted
}

func holdOf(h pombo.TemplateHold) Hold {
	return Hold{Held: true, Since: utc(h.At), Until: utc(h.Until), By: h.Who, Detail: h.Note}
}

// holds returns the templates that are held, by name.
func (s *Server) holds(r *http.Request) (map[string]Hold, error) {
	list, err := s.o.Holds.HeldTemplates(r.Context())
	if err != nil {
		return nil, fmt.Errorf("read held templates: %w", err)
	}
	held := make(map[string]Hold, len(list))
	for _, h := range list {
		held[h.Template] = holdOf(h)
	}
	return held, nil
}

// pathTemplate reads the template in the path. It does not repeat what it finds there.
func pathTemplate(r *http.Request) (string, error) {
	name := r.PathValue("name")
	if !pombo.ValidTemplateName(name) {
		return "", refuse(http.StatusNotFound, "this is not the name of a template: it has lower-case letters, digits and _", "GET /api/v1/templates lists them")
	}
	return name, nil
}

func (s *Server) getHold(w http.ResponseWriter, r *http.Request) error {
	name, err := pathTemplate(r)
	if err != nil {
		return err
	}
	q := readQuery(r, "until")
	until := q.time("until")
	if err := q.err(); err != nil {
		return err
	}
	return s.tellHold(w, r, name, until)
}

// tellHold writes a hold and its reach; for a template that is not held, the reach that a
// hold until then would have.
func (s *Server) tellHold(w http.ResponseWriter, r *http.Request, name string, until time.Time) error {
	held, err := s.holds(r)
	if err != nil {
		return err
	}
	hold := held[name]
	if hold.Held {
		until = hold.Until
	}
	reach, err := s.o.Holds.TemplateReach(r.Context(), name, until)
	if err != nil {
		return fmt.Errorf("reach of a hold: %w", err)
	}
	return writeJSON(w, http.StatusOK, HoldReach{Hold: hold, Waiting: reach.Waiting, PerHour: reach.PerHour(), Expiring: reach.Expiring, Partial: reach.Partial})
}

// putHold holds a template. The body may be empty.
func (s *Server) putHold(w http.ResponseWriter, r *http.Request) error {
	name, err := pathTemplate(r)
	if err != nil {
		return err
	}
	h := pombo.TemplateHold{Template: name}
	if r.ContentLength != 0 {
		body, err := readObject(r)
		if err != nil {
			return err
		}
		body.readTime("until", &h.Until)
		if !h.Until.IsZero() && !h.Until.After(s.o.Now()) {
			body.refuse("until", "is over already")
		}
		for field, text := range map[string]*string{"detail": &h.Note, "by": &h.Who} {
			body.read(field, text, "must be text")
			if utf8.RuneCountInString(*text) > 200 {
				body.refuse(field, "must be at most 200 characters")
			}
		}
		body.end("until", "detail", "by")
		if err := body.err(); err != nil {
			return err
		}
	}
	if err := s.o.Holds.Hold(r.Context(), h); err != nil {
		return fmt.Errorf("hold a template: %w", err)
	}
	return s.tellHold(w, r, name, time.Time{})
}

func (s *Server) deleteHold(w http.ResponseWriter, r *http.Request) error {
	name, err := pathTemplate(r)
	if err != nil {
		return err
	}
	released, err := s.o.Holds.Release(r.Context(), name)
	if err != nil {
		return fmt.Errorf("release a template: %w", err)
	}
	if !released {
		return refuse(http.StatusNotFound, "no operator holds this template", "GET /api/v1/templates shows which are held")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
