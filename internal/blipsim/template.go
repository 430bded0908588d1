package blipsim

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Template is a message template of the account.
type Template struct {
	Name     string
	Language string // "" = pt_BR
	Status   string // "" = APPROVED
	Category string // "" = UTILITY
	// PreviousCategory is the category before Meta changed it; "" = it did not.
	PreviousCategory string
	Header           string // "", TEXT, IMAGE, VIDEO or DOCUMENT
	HeaderText       string // of a TEXT header
	Body             string
	Footer           string
	Buttons          []Button
}

// Button is a button of a template.
type Button struct {
	Type string // QUICK_REPLY, URL, …
	Text string
	URL  string // may end in a variable
}

// DefaultTemplates returns the templates of a fresh account: five that can be sent, one
// that is paused, one that is disabled and one that waits for approval.
func DefaultTemplates() []Template {
	return []Template{
		{Name: "notificacao", Body: "Olá, {{1}}! {{2}}", Footer: "Pombo"},
		{Name: "aviso", Body: "Temos um aviso para você."},
		{
			Name: "confirmacao", Body: "Olá, {{1}}! {{2}} Você vem?", Footer: "Pombo",
			Buttons: []Button{{Type: "QUICK_REPLY", Text: "Confirmar"}, {Type: "QUICK_REPLY", Text: "Cancelar"}},
		},
		{Name: "order_shipped", Body: "Olá {{1}}, seu pedido {{2}} saiu para entrega.", Footer: "Loja Exemplo"},
		{
			Name: "order_shipped_image", Category: "MARKETING", PreviousCategory: "UTILITY", Header: "IMAGE",
			Body: "Olá {{1}}, seu pedido {{2}} saiu para entrega.", Footer: "Loja Exemplo",
			Buttons: []Button{{Type: "QUICK_REPLY", Text: "Rastrear"}, {Type: "URL", Text: "Abrir", URL: "https://example.com/{{1}}"}},
		},
		{Name: "order_late", Status: "PAUSED", Body: "Olá {{1}}, seu pedido {{2}} vai atrasar."},
		{Name: "order_lost", Status: "DISABLED", Body: "Olá {{1}}, seu pedido {{2}} se perdeu."},
		{Name: "welcome", Status: "PENDING", Category: "MARKETING", Body: "Bem-vindo, {{1}}!"},
	}
}

// templateKey identifies a template: there is one for each language.
type templateKey struct{ name, language string }

// form is a template with the number of variables in its header, its body and the URL of
// each button.
type form struct {
	Template
	header, body int
	urls         []int
}

func indexTemplates(list []Template) map[templateKey]*form {
	all := make(map[templateKey]*form, len(list))
	for _, t := range list {
		t = t.filled()
		f := &form{Template: t, header: variables(t.HeaderText), body: variables(t.Body)}
		for _, b := range t.Buttons {
			f.urls = append(f.urls, variables(b.URL))
		}
		all[templateKey{t.Name, t.Language}] = f
	}
	return all
}

func (t Template) filled() Template {
	for _, f := range []struct {
		field *string
		value string
	}{{&t.Language, "pt_BR"}, {&t.Status, "APPROVED"}, {&t.Category, "UTILITY"}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	return t
}

// WhatsApp's codes for a message that does not fit its template.
const (
	codeMissingValue   = 131008 // a parameter has no value
	codeBadValue       = 131009 // the content is not a template that WhatsApp knows
	codeWindowClosed   = 131047 // free text needs the person to have written in the last 24 hours
	codeCountMismatch  = 132000
	codeNoTemplate     = 132001 // no such template in the language, or not approved
	codeTooLong        = 132005
	codeFormatMismatch = 132012
	codePaused         = 132015
	codeDisabled       = 132016
)

// maxValue is the length in characters beyond which WhatsApp refuses a value.
const maxValue = 1024

var variable = regexp.MustCompile(`\{\{\s*([a-z0-9_]+)\s*\}\}`)

// variables counts the distinct variables of a text.
func variables(text string) int {
	seen := map[string]bool{}
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		seen[m[1]] = true
	}
	return len(seen)
}

// check returns WhatsApp's code for a message that does not fit, 0 when it fits.
func (s *Server) check(e *envelope) int {
	if e.Type != "application/json" {
		return codeWindowClosed // whether the person has written lately is not kept
	}
	m := e.template()
	if m == nil {
		return codeBadValue
	}
	t := s.templates[templateKey{m.Name, m.Language.Code}]
	switch {
	case t == nil:
		return codeNoTemplate
	case t.Status == "PAUSED":
		return codePaused
	case t.Status == "DISABLED":
		return codeDisabled
	case t.Status != "APPROVED":
		return codeNoTemplate
	}
	if code := t.fit(m); code != 0 {
		return code
	}
	return s.fetchAll(m)
}

// fit compares the message's components with the template's variables.
func (t *form) fit(m *wireTemplate) int {
	var header, body []parameter
	var filled [maxButtons]bool
	for _, c := range m.Components {
		switch c.Type {
		case "header":
			header = append(header, c.Parameters...)
		case "body":
			body = append(body, c.Parameters...)
		case "button":
			if code := t.fitButton(c); code != 0 {
				return code
			}
			filled[c.Index] = true
		}
	}
	if code := t.fitHeader(header); code != 0 {
		return code
	}
	if code := fitTexts(body, t.body); code != 0 {
		return code
	}
	for i, n := range t.urls {
		if i < maxButtons && n > 0 && !filled[i] {
			return codeCountMismatch
		}
	}
	return 0
}

const maxButtons = 10

func (t *form) fitHeader(given []parameter) int {
	switch t.Header {
	case "":
		return fitTexts(given, 0)
	case "TEXT":
		return fitTexts(given, t.header)
	}
	if len(given) != 1 {
		return codeCountMismatch
	}
	kind, m := given[0].media()
	switch {
	case !strings.EqualFold(kind, t.Header) || m == nil:
		return codeFormatMismatch
	case m.Link == "":
		return codeMissingValue
	}
	return 0
}

func (t *form) fitButton(c component) int {
	if c.Index < 0 || int(c.Index) >= min(len(t.Buttons), maxButtons) || !strings.EqualFold(c.SubType, t.Buttons[c.Index].Type) {
		return codeFormatMismatch
	}
	if c.SubType == "url" {
		return fitTexts(c.Parameters, t.urls[c.Index])
	}
	return 0
}

// fitTexts compares the given texts with the wanted number.
func fitTexts(given []parameter, want int) int {
	if len(given) != want {
		return codeCountMismatch
	}
	for _, p := range given {
		switch {
		case p.Type != "text":
			return codeFormatMismatch
		case p.Text == "":
			return codeMissingValue
		case strings.ContainsAny(p.Text, "\n\r\t") || strings.Contains(p.Text, "     "):
			return codeFormatMismatch
		case len(p.Text) > maxValue && utf8.RuneCountInString(p.Text) > maxValue:
			return codeTooLong
		}
	}
	return 0
}

// render fills the message's values into the template's text, for the page.
func (t *Template) render(params []Param) string {
	var header, body []string
	for _, p := range params {
		switch p.Slot {
		case "header":
			header = append(header, p.Value)
		case "body":
			body = append(body, p.Value)
		}
	}
	lines := []string{substitute(t.HeaderText, header), substitute(t.Body, body), t.Footer}
	var out []string
	for _, l := range lines {
		if l != "" {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// substitute replaces the variables in the order in which they first appear.
func substitute(text string, values []string) string {
	order := map[string]int{}
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		name := variable.FindStringSubmatch(v)[1]
		n, seen := order[name]
		if !seen {
			n = len(order)
			order[name] = n
		}
		if n < len(values) {
			return values[n]
		}
		return v
	})
}

// appendTemplates appends the templates with the name ("" = all) as Meta lists them.
func (s *Server) appendTemplates(dst []byte, name string) (list []byte, n int) {
	type button struct {
		Type string `json:"type"`
		Text string `json:"text"`
		URL  string `json:"url,omitempty"`
	}
	type part struct {
		Type    string   `json:"type"`
		Format  string   `json:"format,omitempty"`
		Text    string   `json:"text,omitempty"`
		Buttons []button `json:"buttons,omitempty"`
	}
	dst = append(dst, '[')
	for i, t := range s.opts.Templates {
		if name != "" && t.Name != name {
			continue
		}
		t = t.filled()
		var parts []part
		if t.Header != "" {
			parts = append(parts, part{Type: "HEADER", Format: t.Header, Text: t.HeaderText})
		}
		parts = append(parts, part{Type: "BODY", Text: t.Body})
		if t.Footer != "" {
			parts = append(parts, part{Type: "FOOTER", Text: t.Footer})
		}
		if len(t.Buttons) > 0 {
			p := part{Type: "BUTTONS"}
			for _, b := range t.Buttons {
				p.Buttons = append(p.Buttons, button(b))
			}
			parts = append(parts, p)
		}
		components, err := json.Marshal(parts)
		if err != nil {
			panic(err) // cannot happen: texts always encode
		}
		if n++; n > 1 {
			dst = append(dst, ',')
		}
		dst = appendObject(dst, s.roll(),
			text("id", templateID(i)), text("name", t.Name), text("language", t.Language), text("status", t.Status),
			text("category", t.Category), text("previous_category", t.PreviousCategory), text("rejected_reason", "NONE"),
			text("last_updated_time", "2026-01-01T12:00:00Z"), raw("components", components))
	}
	return append(dst, ']'), n
}
