package dispatch

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"pombo"
)

// maxValue is the longest value that any WhatsApp text can take, in characters.
const maxValue = 4096

// checkValues holds the row's values against WhatsApp's rules and, as far as
// Blip has told, against the template. WhatsApp would refuse them later, out of
// sight. ok is false when the row cannot be sent now; o says what becomes of it.
func (e *Engine) checkValues(held pombo.Outcome, template string, params []pombo.Param) (o pombo.Outcome, ok bool) {
	body := 0
	for i, p := range params {
		if p.Place == pombo.Body {
			body++
		}
		if reason, detail := checkValue(p.Value.Reveal()); reason != pombo.NoReason {
			return fail(held, reason, fmt.Sprintf("value %d (%s) %s", i+1, p.Place, detail)), false
		}
	}
	t, found, known := e.catalog.look(template)
	switch {
	case !known:
		return held, true
	case !found:
		held.Detail = "template " + template
		return release(held, pombo.TemplateMissing, time.Now().Add(templateWait)), false
	case t.status != "APPROVED":
		held.Detail = "template " + template + " is " + t.status
		return release(held, unsendable(t.status), time.Now().Add(templateWait)), false
	case t.variables != body:
		return fail(held, pombo.ParameterCount, fmt.Sprintf("template %s has %d, the row gives %d", template, t.variables, body)), false
	}
	return held, true
}

func unsendable(status string) pombo.Reason {
	switch status {
	case "PAUSED":
		return pombo.TemplatePaused
	case "DISABLED":
		return pombo.TemplateDisabled
	default:
		return pombo.TemplateNotApproved
	}
}

// checkValue applies WhatsApp's rules for one value of a template.
func checkValue(v string) (pombo.Reason, string) {
	switch {
	case strings.TrimSpace(v) == "":
		return pombo.ParameterEmpty, "is empty"
	case len(v) > maxValue && utf8.RuneCountInString(v) > maxValue:
		return pombo.ParameterTooLong, fmt.Sprintf("has more than %d characters", maxValue)
	case strings.ContainsAny(v, "\r\n"):
		return pombo.ParameterFormat, "has a line break"
	case strings.Contains(v, "\t"):
		return pombo.ParameterFormat, "has a tab"
	case strings.Contains(v, "     "):
		return pombo.ParameterFormat, "has more than four blanks in a row"
	}
	return pombo.NoReason, ""
}
