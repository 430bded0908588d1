package pombo

import (
	"regexp"
	"time"
)

// Message is a notification rendered for Blip.
type Message struct {
	ID       ID
	To       string // the identity
	Template string // the template's name
	Params   []Param
}

// Template is a message template as Blip lists it.
type Template struct {
	Name     string
	Language string
	Status   string // "APPROVED" sends; any other does not
	Category string
	// PreviousCategory is not empty when Meta put the template into another
	// category, which changes its price.
	PreviousCategory string
	Header           string   // "", "TEXT", "IMAGE", "VIDEO", "DOCUMENT" or "LOCATION"
	HeaderText       string   // when Header is TEXT
	Body             string   // with {{1}}, {{2}}, …
	Footer           string   //
	Buttons          []Button //
	Updated          time.Time
}

// Button is one button of a template.
type Button struct {
	Kind string // "QUICK_REPLY", "URL", "PHONE_NUMBER", …
	Text string
	URL  string // may end in a variable
}

// Approved reports whether WhatsApp takes messages of this template.
func (t Template) Approved() bool { return t.Status == "APPROVED" }

var variable = regexp.MustCompile(`\{\{\s*([^{}\s]+)\s*\}\}`)

// CountVariables counts the distinct variables, {{1}} or {{name}}, in a text of a
// template.
func CountVariables(text string) int {
	distinct := map[string]bool{}
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		distinct[m[1]] = true
	}
	return len(distinct)
}
