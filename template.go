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
	Status   string // only "APPROVED" sends
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
	// say, and WhatsApp's default of 30 days applies.
	Validity time.Duration
}

// Button is one button of a template.
type Button struct {
	Kind string // "QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE", "OTP", …
	Text string
	URL  string // may end in a variable
}

// QuickReply reports whether the button answers: who presses it sends its text, or its payload.
func (b Button) QuickReply() bool { return b.Kind == "QUICK_REPLY" }

// maxTemplateName is WhatsApp's own limit.
const maxTemplateName = 512

// ValidTemplateName reports whether WhatsApp allows the name: lower-case letters
// without accents, digits and _. Any other text comes from a wrong column and may
// be a person's name, so callers must not show it.
func ValidTemplateName(s string) bool {
	return s != "" && len(s) <= maxTemplateName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// TemplateIssue is one thing that prevents sending with a template. It is safe to
// log and to show.
type TemplateIssue struct {
	Reason  Reason
	Message string // what is wrong, lower case and without a full stop
	Hint    string // what to do about it, in the same form
}

// hintMark separates the message of a detail from its hint.
const hintMark = "; to do: "

// Detail returns message and hint as one text, for the history. Advice splits it
// again.
func (m TemplateIssue) Detail() string {
	if m.Hint == "" {
		return m.Message
	}
	return m.Message + hintMark + m.Hint
}

// Advice splits a detail into what is wrong and what to do about it. A detail
// without a hint gets the reason's.
func Advice(r Reason, detail string) (message, hint string) {
	if message, hint, ok := strings.Cut(detail, hintMark); ok {
		return message, hint
	}
	return detail, r.Hint()
}

// FixableByValues reports whether other values would fit. Otherwise the template
// sends nothing for now.
func (m TemplateIssue) FixableByValues() bool {
	return m.Reason == ParameterCount || m.Reason == TemplateMismatch
}

// FindTemplate returns the template with the name and the language from Blip's list.
// If there is none, the issue says what the list has instead; otherwise the issue
// is zero.
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
		fmt.Sprintf("template %s does not exist in %s, only in %s", name, language, strings.Join(there, ", ")),
		"set TEMPLATE_LANGUAGE=" + there[0] + " (or DB_COL_LANGUAGE in the row), or have it approved in " + language,
	}
}

// Recategorized reports whether Meta has moved the template to another category,
// which changes its price, its limits and who may receive it.
func (t Template) Recategorized() bool {
	return t.PreviousCategory != "" && t.PreviousCategory != t.Category
}

// Approved reports whether WhatsApp accepts messages with this template.
func (t Template) Approved() bool { return t.Status == "APPROVED" }

// Check compares the template with the configured language and the slots that have
// values (one entry for each value, in any order) and returns every issue; nil
// when it fits. WhatsApp would refuse the message only after Blip had accepted it,
// and the row would be used up.
func (t Template) Check(language string, slots []Slot) []TemplateIssue {
	var issues []TemplateIssue
	if t.Language != language {
		issues = append(issues, otherLanguage(t.Name, language, []string{t.Language}))
	}
	if m := t.statusIssue(); m.Reason != NoReason {
		issues = append(issues, m)
	}
	given := map[Slot]int{}
	for _, p := range slots {
		if header, _, ok := p.Upload(); ok {
			p = header
		}
		given[p]++
	}
	issues = append(issues, t.bodyIssues(given)...)
	issues = append(issues, t.headerIssues(given)...)
	return append(issues, t.buttonIssues(given)...)
}

// statuses has WhatsApp's statuses other than APPROVED.
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

func (t Template) statusIssue() TemplateIssue {
	if t.Approved() {
		return TemplateIssue{}
	}
	m, ok := statuses[t.Status]
	if !ok {
		m = TemplateIssue{TemplateNotApproved, "has the status " + t.Status + ", with which WhatsApp does not send", TemplateNotApproved.Hint()}
	}
	m.Message = "template " + t.Name + " " + m.Message
	return m
}

// compareHint is the hint for values that do not fit.
const compareHint = "compare DB_COL_PARAMS with the template (pombo templates)"

func (t Template) bodyIssues(given map[Slot]int) []TemplateIssue {
	var issues []TemplateIssue
	if want := CountVariables(t.Body); want != given[Body] {
		issues = append(issues, TemplateIssue{ParameterCount, fmt.Sprintf("the text of template %s takes %s, %d given", t.Name, values(want), given[Body]), compareHint})
	}
	for _, text := range []string{t.HeaderText, t.Body} {
		if name := namedVariable(text); name != "" {
			issues = append(issues, TemplateIssue{
				TemplateMismatch,
				fmt.Sprintf("template %s has the variable {{%s}}, and only numbered ones can be filled", t.Name, name),
				"have a template with {{1}}, {{2}}, … approved",
			})
		}
	}
	return issues
}

// media has the slot of each header that is not text.
var media = map[string]Slot{"IMAGE": HeaderImage, "VIDEO": HeaderVideo, "DOCUMENT": HeaderDocument}

func (t Template) headerIssues(given map[Slot]int) []TemplateIssue {
	var issues []TemplateIssue
	want := map[Slot]int{}
	switch slot, ok := media[t.Header]; {
	case ok:
		want[slot] = 1
	case t.Header == "LOCATION":
		issues = append(issues, TemplateIssue{TemplateMismatch, "the header of template " + t.Name + " is a place on a map, which cannot be filled", "send with a template that has another header"})
	default:
		want[HeaderText] = CountVariables(t.HeaderText)
	}
	for _, slot := range []Slot{HeaderText, HeaderImage, HeaderVideo, HeaderDocument} {
		if want[slot] != given[slot] {
			issues = append(issues, t.slotIssue("the header", slot, want[slot], given[slot]))
		}
	}
	if n := given[HeaderFilename]; n > want[HeaderDocument] {
		issues = append(issues, t.slotIssue("the header", HeaderFilename, want[HeaderDocument], n))
	}
	return issues
}

func (t Template) slotIssue(part string, slot Slot, want, given int) TemplateIssue {
	return TemplateIssue{TemplateMismatch, fmt.Sprintf("%s of template %s takes %s at %s:, %d given", part, t.Name, values(want), slot, given), compareHint}
}

func values(n int) string {
	if n == 1 {
		return "1 value"
	}
	return fmt.Sprintf("%d values", n)
}

// maxButtons is how many buttons WhatsApp allows; there are slots for as many.
const maxButtons = 10

func (t Template) buttonIssues(given map[Slot]int) []TemplateIssue {
	var issues []TemplateIssue
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
			issues = append(issues, TemplateIssue{TemplateMismatch, fmt.Sprintf("button %d of template %s shows products, which cannot be filled", i, t.Name), "send with a template that has other buttons"})
		default:
			url = CountVariables(b.URL)
		}
		button := fmt.Sprintf("button %d", i)
		end := Slot(fmt.Sprintf("button%d", i))
		for _, p := range []struct {
			slot        Slot
			least, most int
		}{{end, url, url}, {end + "-code", code, code}, {end + "-payload", 0, quick(b)}} {
			if n := given[p.slot]; n < p.least || n > p.most {
				issues = append(issues, t.slotIssue(button, p.slot, p.most, n))
			}
		}
	}
	return issues
}

// quick is how many payloads a button takes. Without one it sends its own text.
func quick(b Button) int {
	if b.QuickReply() {
		return 1
	}
	return 0
}

// maxValue is the longest value that any WhatsApp text can take, in characters.
const maxValue = 4096

// CheckValue applies WhatsApp's rules to one value of a template. It returns
// NoReason when the value can be sent. The detail completes a sentence about the
// value ("value 1 …") and does not contain the value.
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
		return ParameterFormat, "has a NUL character, which ends the text in many programs"
	case strings.Contains(s, "     "):
		return ParameterFormat, "has more than four blanks in a row"
	}
	return NoReason, ""
}

// CheckParam is CheckValue for a value in its slot. A BLOB has none yet.
func CheckParam(p Param) (Reason, string) {
	if _, store, ok := p.Slot.Upload(); ok && store == StoreBlob {
		return NoReason, ""
	}
	return CheckValue(p.Value)
}

// ParseLanguage reads the language of a template. It takes what people write in a
// column (pt-BR, PT_br) and returns it as WhatsApp has it: pt_BR.
func ParseLanguage(s string) (language string, ok bool) {
	lang, region, hasRegion := strings.Cut(strings.ReplaceAll(strings.TrimSpace(s), "-", "_"), "_")
	lang, region = strings.ToLower(lang), strings.ToUpper(region)
	letters := func(s, all string) bool { return len(s) >= 2 && len(s) <= 3 && strings.Trim(s, all) == "" }
	switch {
	case !letters(lang, "abcdefghijklmnopqrstuvwxyz"):
		return "", false
	case !hasRegion:
		return lang, true
	}
	return lang + "_" + region, letters(region, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

// Slots returns the slot of each value, in their order.
func Slots(params []Param) []Slot {
	slots := make([]Slot, len(params))
	for i, p := range params {
		slots[i] = p.Slot
	}
	return slots
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

// namedVariable returns the first variable whose name is not a number, or "".
func namedVariable(text string) string {
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if strings.Trim(m[1], "0123456789") != "" {
			return m[1]
		}
	}
	return ""
}

// Fill puts values into the variables of a text, the first into {{1}}. A
// variable without a value stays as it is. The result is as private as the
// values.
func Fill(text string, values []Private) Private {
	return Private(variable.ReplaceAllStringFunc(text, func(v string) string {
		var n int
		if _, err := fmt.Sscanf(strings.Trim(v, "{} \t\n"), "%d", &n); err != nil || n < 1 || n > len(values) {
			return v
		}
		return string(values[n-1])
	}))
}

// At returns the values for a slot, in their order.
func At(params []Param, slot Slot) []Private {
	var values []Private
	for _, p := range params {
		if p.Slot == slot {
			values = append(values, p.Value)
		}
	}
	return values
}
