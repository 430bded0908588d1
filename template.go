package pombo

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Template is a message template as Blip lists it.
type Template struct {
	Name     string
	Language string
	Status   string // "APPROVED" sends; any other does not
	Category string
	// PreviousCategory is the category before Meta changed it; "" when it never did.
	PreviousCategory string
	Header           string   // "", "TEXT", "IMAGE", "VIDEO", "DOCUMENT" or "LOCATION"
	HeaderText       string   // when Header is TEXT
	Body             string   // with {{1}}, {{2}}, …
	Footer           string   //
	Buttons          []Button //
	Updated          time.Time
	// Validity is how long WhatsApp tries to deliver a message; 0 = Blip does not
	// say, and WhatsApp's usual one holds (30 days).
	Validity time.Duration
}

// Button is one button of a template.
type Button struct {
	Kind string // "QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE", "OTP", …
	Text string
	URL  string // may end in a variable
}

// maxTemplateName is WhatsApp's own limit.
const maxTemplateName = 512

// ValidTemplateName reports whether WhatsApp allows such a name: lower-case letters
// without accents, digits and _. What does not look so comes from a wrong column
// and may be anything, a person's name too; it must not be shown.
func ValidTemplateName(s string) bool {
	return s != "" && len(s) <= maxTemplateName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// Misfit is one thing that keeps messages from going with a template. All of it
// is safe to log and to show.
type TemplateIssue struct {
	Reason  Reason
	Message string // what is wrong, lower case and without a full stop
	Hint    string // what to do about it, in the same form
}

// todo stands in a detail before what to do.
const todo = "; to do: "

// Detail is the misfit in one text, for a history.
func (m TemplateIssue) Detail() string {
	if m.Hint == "" {
		return m.Message
	}
	return m.Message + todo + m.Hint
}

// Advice parts a detail into what is wrong and what to do about it; what the
// reason says in general when the detail does not say it.
func Advice(r Reason, detail string) (what, toDo string) {
	if what, precise, ok := strings.Cut(detail, todo); ok {
		return what, precise
	}
	return detail, r.Hint()
}

// FixableByValues reports whether the misfit is about the values that are given, so that
// other values would do; else the template sends nothing at present.
func (m TemplateIssue) FixableByValues() bool {
	return m.Reason == ParameterCount || m.Reason == TemplateMismatch
}

// FindTemplate returns the template of a name in a language, of those that Blip
// lists. Without one the misfit says what there is in its place; else it is the
// zero Misfit.
func FindTemplate(list []Template, name, language string) (Template, TemplateIssue) {
	var languages []string
	for _, t := range list {
		switch {
		case t.Name != name:
		case t.Language == language:
			return t, TemplateIssue{}
		default:
			languages = append(languages, t.Language)
		}
	}
	if len(languages) > 0 {
		return Template{}, otherLanguage(name, language, languages)
	}
	return Template{}, TemplateIssue{TemplateMissing, "Blip has no template " + name, TemplateMissing.Hint()}
}

func otherLanguage(name, language string, there []string) TemplateIssue {
	return TemplateIssue{
		TemplateMissing,
		fmt.Sprintf("template %s is not there in %s, only in %s", name, language, strings.Join(there, ", ")),
		"set TEMPLATE_LANGUAGE=" + there[0] + ", or have it approved in " + language,
	}
}

// Recategorized reports whether Meta has put the template into another category,
// which changes its price, its limits and who may get it.
func (t Template) Recategorized() bool {
	return t.PreviousCategory != "" && t.PreviousCategory != t.Category
}

// Approved reports whether WhatsApp takes messages of this template.
func (t Template) Approved() bool { return t.Status == "APPROVED" }

// Check holds the template against the configured language and the places that
// values are given for (one entry for each value, in any order), and returns all
// that would keep such a message from going; nil when it fits. WhatsApp would say
// so only after Blip had taken the message, and the row would be spent.
func (t Template) Check(language string, places []Slot) []TemplateIssue {
	var misfits []TemplateIssue
	if t.Language != language {
		misfits = append(misfits, otherLanguage(t.Name, language, []string{t.Language}))
	}
	if m := t.standing(); m.Reason != NoReason {
		misfits = append(misfits, m)
	}
	given := map[Slot]int{}
	for _, p := range places {
		given[p]++
	}
	misfits = append(misfits, t.bodyMisfits(given)...)
	misfits = append(misfits, t.headerMisfits(given)...)
	return append(misfits, t.buttonMisfits(given)...)
}

// statuses are WhatsApp's other than APPROVED.
var statuses = map[string]TemplateIssue{
	"PAUSED":           {TemplatePaused, "is paused by WhatsApp because people reported it", TemplatePaused.Hint()},
	"DISABLED":         {TemplateDisabled, "is disabled by WhatsApp for good", TemplateDisabled.Hint()},
	"REJECTED":         {TemplateNotApproved, "was rejected by WhatsApp", "see why in the Blip portal, change the template and submit it again"},
	"PENDING":          {TemplateNotApproved, "waits for WhatsApp's approval", "wait: its rows go by themselves once it is approved"},
	"IN_APPEAL":        {TemplateNotApproved, "was rejected by WhatsApp and an appeal is under way", "wait for its outcome, or send with another template"},
	"PENDING_DELETION": {TemplateNotApproved, "is about to be deleted", "send with another template"},
	"DELETED":          {TemplateMissing, "was deleted", "send with another template"},
	"LIMIT_EXCEEDED":   {TemplateNotApproved, "is over the number of templates that the account may have", "delete templates that nobody uses"},
}

func (t Template) standing() TemplateIssue {
	if t.Approved() {
		return TemplateIssue{}
	}
	m, ok := statuses[t.Status]
	if !ok {
		m = TemplateIssue{TemplateNotApproved, "has the status " + t.Status + ", which does not send", TemplateNotApproved.Hint()}
	}
	m.Message = "template " + t.Name + " " + m.Message
	return m
}

// compare is what to do about values that do not fit.
const compare = "compare DB_COL_PARAMS with the template (pombo templates)"

func (t Template) bodyMisfits(given map[Slot]int) []TemplateIssue {
	var misfits []TemplateIssue
	if want := CountVariables(t.Body); want != given[Body] {
		misfits = append(misfits, TemplateIssue{ParameterCount, fmt.Sprintf("the text of template %s takes %s, %d given", t.Name, values(want), given[Body]), compare})
	}
	for _, text := range []string{t.HeaderText, t.Body} {
		if name := namedVariable(text); name != "" {
			misfits = append(misfits, TemplateIssue{
				TemplateMismatch,
				fmt.Sprintf("template %s has the variable {{%s}}, and only numbered ones can be filled", t.Name, name),
				"have a template with {{1}}, {{2}}, … approved",
			})
		}
	}
	return misfits
}

// media are the places of headers that are no text, by kind of header.
var media = map[string]Slot{"IMAGE": HeaderImage, "VIDEO": HeaderVideo, "DOCUMENT": HeaderDocument}

func (t Template) headerMisfits(given map[Slot]int) []TemplateIssue {
	var misfits []TemplateIssue
	want := map[Slot]int{}
	switch place, ok := media[t.Header]; {
	case ok:
		want[place] = 1
	case t.Header == "LOCATION":
		misfits = append(misfits, TemplateIssue{TemplateMismatch, "the header of template " + t.Name + " is a place on a map, which cannot be filled", "send with a template that has another header"})
	default:
		want[HeaderText] = CountVariables(t.HeaderText)
	}
	for _, place := range []Slot{HeaderText, HeaderImage, HeaderVideo, HeaderDocument} {
		if want[place] != given[place] {
			misfits = append(misfits, t.placeMisfit("the header", place, want[place], given[place]))
		}
	}
	if n := given[HeaderFilename]; n > want[HeaderDocument] {
		misfits = append(misfits, t.placeMisfit("the header", HeaderFilename, want[HeaderDocument], n))
	}
	return misfits
}

func (t Template) placeMisfit(part string, place Slot, want, given int) TemplateIssue {
	return TemplateIssue{TemplateMismatch, fmt.Sprintf("%s of template %s takes %s at %s:, %d given", part, t.Name, values(want), place, given), compare}
}

func values(n int) string {
	if n == 1 {
		return "1 value"
	}
	return fmt.Sprintf("%d values", n)
}

// maxButtons is how many buttons WhatsApp allows, and as many as places name.
const maxButtons = 10

func (t Template) buttonMisfits(given map[Slot]int) []TemplateIssue {
	var misfits []TemplateIssue
	for i := range maxButtons {
		var b Button
		if i < len(t.Buttons) {
			b = t.Buttons[i]
		}
		url, code := 0, 0
		switch b.Kind {
		case "OTP":
			url = 1 // the code of a login goes there, whatever the button does with it
		case "COPY_CODE":
			code = 1
		case "MPM":
			misfits = append(misfits, TemplateIssue{TemplateMismatch, fmt.Sprintf("button %d of template %s shows products, which cannot be filled", i, t.Name), "send with a template that has other buttons"})
		default:
			url = CountVariables(b.URL)
		}
		button := fmt.Sprintf("button %d", i)
		end := Slot(fmt.Sprintf("button%d", i))
		for _, p := range []struct {
			place       Slot
			least, most int
		}{{end, url, url}, {end + "-code", code, code}, {end + "-payload", 0, quick(b)}} {
			if n := given[p.place]; n < p.least || n > p.most {
				misfits = append(misfits, t.placeMisfit(button, p.place, p.most, n))
			}
		}
	}
	return misfits
}

// quick is how many payloads a button may be given: without one it sends its text.
func quick(b Button) int {
	if b.Kind == "QUICK_REPLY" {
		return 1
	}
	return 0
}

// maxValue is the longest value that any WhatsApp text can take, in characters.
const maxValue = 4096

// CheckValue applies WhatsApp's rules for one value of a template. The detail
// follows on a word for the value ("value 1 is empty") and does not repeat it;
// NoReason when the value can be sent.
func CheckValue(v Private) (Reason, string) {
	s := string(v)
	switch {
	case strings.TrimSpace(s) == "":
		return ParameterEmpty, "is empty"
	case len(s) > maxValue && utf8.RuneCountInString(s) > maxValue:
		return ParameterTooLong, fmt.Sprintf("has more than %d characters", maxValue)
	case strings.ContainsAny(s, "\r\n"):
		return ParameterFormat, "has a line break"
	case strings.Contains(s, "\t"):
		return ParameterFormat, "has a tab"
	case strings.Contains(s, "\x00"):
		return ParameterFormat, "has a NUL character, which ends the text for many a program"
	case strings.Contains(s, "     "):
		return ParameterFormat, "has more than four blanks in a row"
	}
	return NoReason, ""
}

// Places returns where the values go, in their order.
func Slots(params []Param) []Slot {
	places := make([]Slot, len(params))
	for i, p := range params {
		places[i] = p.Slot
	}
	return places
}

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

// namedVariable returns the first variable that is no number; "" when there is none.
func namedVariable(text string) string {
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if strings.Trim(m[1], "0123456789") != "" {
			return m[1]
		}
	}
	return ""
}

// Fill puts values into the variables of a text, the first into {{1}}. A
// variable without a value stays as it is. What it returns is as private as the
// values are.
func Fill(text string, values []Private) Private {
	return Private(variable.ReplaceAllStringFunc(text, func(v string) string {
		var n int
		if _, err := fmt.Sscanf(strings.Trim(v, "{} \t\n"), "%d", &n); err != nil || n < 1 || n > len(values) {
			return v
		}
		return string(values[n-1])
	}))
}

// At returns the values of a place, in their order.
func At(params []Param, place Slot) []Private {
	var values []Private
	for _, p := range params {
		if p.Slot == place {
			values = append(values, p.Value)
		}
	}
	return values
}
