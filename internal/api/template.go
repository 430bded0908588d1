package api

import (
	"fmt"
	"net/http"
	"time"

	"pombo"
)

// Template is a template as Blip lists it.
type Template struct {
	Name             string           `json:"name"`
	Language         string           `json:"language"`
	Status           string           `json:"status"`
	Approved         bool             `json:"approved"` // WhatsApp takes messages of it
	Category         string           `json:"category,omitempty"`
	PreviousCategory string           `json:"previous_category,omitempty"` // not empty when Meta moved it, which changes its price
	Header           string           `json:"header,omitempty"`            // TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION
	HeaderText       string           `json:"header_text,omitempty"`
	Body             string           `json:"body"`
	Footer           string           `json:"footer,omitempty"`
	Buttons          []TemplateButton `json:"buttons,omitempty"`
	Updated          time.Time        `json:"updated,omitzero"`
	// Issues is what prevents sending the rows of the source with it; they are
	// parked then. Empty when they go.
	Issues []TemplateIssue `json:"issues,omitempty"`
	Hold   *Hold           `json:"hold,omitempty"` // absent = no operator holds it
}

// TemplateIssue is one thing that prevents sending with a template.
type TemplateIssue struct {
	Reason pombo.Reason `json:"reason"`
	Detail string       `json:"detail"`
	Hint   string       `json:"hint"`
}

// TemplateButton is one button of a template.
type TemplateButton struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
	URL  string `json:"url,omitempty"`
}

func templateOf(t pombo.Template) Template {
	shown := Template{
		Name: t.Name, Language: t.Language, Status: t.Status, Approved: t.Approved(), Category: t.Category, PreviousCategory: t.PreviousCategory,
		Header: t.Header, HeaderText: t.HeaderText, Body: t.Body, Footer: t.Footer, Updated: utc(t.Updated),
	}
	for _, b := range t.Buttons {
		shown.Buttons = append(shown.Buttons, TemplateButton(b))
	}
	return shown
}

func (s *Server) getTemplates(w http.ResponseWriter, r *http.Request) error {
	all, err := s.o.Templates(r.Context())
	if err != nil {
		return fmt.Errorf("list templates: %w", err)
	}
	held, err := s.holds(r)
	if err != nil {
		return err
	}
	list := make([]Template, len(all))
	for i, t := range all {
		list[i] = templateOf(t)
		if h, ok := held[t.Name]; ok {
			list[i].Hold = &h
		}
		if s.o.CheckTemplate == nil {
			continue
		}
		for _, m := range s.o.CheckTemplate(t) {
			list[i].Issues = append(list[i].Issues, TemplateIssue{m.Reason, m.Message, m.Hint})
		}
	}
	return writeJSON(w, http.StatusOK, map[string][]Template{"templates": list})
}
