package pombo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCountVariables(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "Olá": 0, "Olá {{1}}, {{2}}. {{1}}!": 2, "{{ nome }} e {{nome}}": 1, "{{}} {1} {{a b}}": 0, "https://example.com/{{1}}": 1,
	} {
		if got := CountVariables(text); got != want {
			t.Errorf("CountVariables(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	sends := func(change func(*Template)) Template {
		t := Template{Name: "t", Language: "pt_BR", Status: "APPROVED", Body: "Olá {{1}}, {{2}}. {{1}}!"}
		change(&t)
		return t
	}
	two := []Slot{Body, Body}
	with := func(more ...Slot) []Slot { return append([]Slot{Body, Body}, more...) }
	button := func(b ...Button) func(*Template) { return func(t *Template) { t.Buttons = b } }
	header := func(kind, text string) func(*Template) {
		return func(t *Template) { t.Header, t.HeaderText = kind, text }
	}
	status := func(s string) func(*Template) { return func(t *Template) { t.Status = s } }
	for _, test := range []struct {
		name   string
		change func(*Template)
		places []Slot
		want   []Reason
		says   string // the first one
	}{
		{"fits", func(*Template) {}, two, nil, ""},
		{"no values at all", func(t *Template) { t.Body = "Olá" }, nil, nil, ""},
		{"too few", func(*Template) {}, []Slot{Body}, []Reason{ParameterCount}, "takes 2 values, 1 given"},
		{"too many", func(t *Template) { t.Body = "Olá {{1}}" }, two, []Reason{ParameterCount}, "takes 1 value, 2 given"},
		{"named variables", func(t *Template) { t.Body = "{{nome}} {{2}}" }, two, []Reason{TemplateMismatch}, "{{nome}}"},

		{"paused", status("PAUSED"), two, []Reason{TemplatePaused}, "is paused"},
		{"disabled", status("DISABLED"), two, []Reason{TemplateDisabled}, "is disabled"},
		{"rejected", status("REJECTED"), two, []Reason{TemplateNotApproved}, "was rejected"},
		{"pending", status("PENDING"), two, []Reason{TemplateNotApproved}, "waits for"},
		{"a status that nobody knows", status("ODD"), two, []Reason{TemplateNotApproved}, "status ODD"},
		{"no status", status(""), two, []Reason{TemplateNotApproved}, "status"},
		{"another language", func(t *Template) { t.Language = "en_US" }, two, []Reason{TemplateMissing}, "does not exist in pt_BR, only in en_US"},
		{"paused and too few", status("PAUSED"), nil, []Reason{TemplatePaused, ParameterCount}, "is paused"},

		{"text in the header", header("TEXT", "Pedido {{1}}"), with(HeaderText), nil, ""},
		{"a header that is not filled", header("TEXT", "Pedido {{1}}"), two, []Reason{TemplateMismatch}, "takes 1 value at header:, 0 given"},
		{"a header without a variable", header("TEXT", "Pedido"), with(HeaderText), []Reason{TemplateMismatch}, "takes 0 values at header:"},
		{"a header that is not there", func(*Template) {}, with(HeaderText), []Reason{TemplateMismatch}, "header:"},
		{"a picture", header("IMAGE", ""), with(HeaderImage), nil, ""},
		{"no picture", header("IMAGE", ""), two, []Reason{TemplateMismatch}, "header-image:, 0 given"},
		{"two pictures", header("IMAGE", ""), with(HeaderImage, HeaderImage), []Reason{TemplateMismatch}, "header-image:, 2 given"},
		{"a film for a picture", header("IMAGE", ""), with(HeaderVideo), []Reason{TemplateMismatch, TemplateMismatch}, "header-image:"},
		{"a film", header("VIDEO", ""), with(HeaderVideo), nil, ""},
		{"a document", header("DOCUMENT", ""), with(HeaderDocument), nil, ""},
		{"a place on a map", header("LOCATION", ""), two, []Reason{TemplateMismatch}, "place on a map"},

		{"an address", button(Button{Kind: "URL", URL: "https://a/{{1}}"}), with("button0"), nil, ""},
		{"an address without its end", button(Button{}, Button{Kind: "URL", URL: "https://a/{{1}}"}), two, []Reason{TemplateMismatch}, "button 1"},
		{"an address that has no end", button(Button{Kind: "URL", URL: "https://a"}), with("button0"), []Reason{TemplateMismatch}, "takes 0 values at button0:, 1 given"},
		{"no such button", func(*Template) {}, with("button9"), []Reason{TemplateMismatch}, "button 9"},
		{"a reply without a payload", button(Button{Kind: "QUICK_REPLY"}), two, nil, ""},
		{"a reply with a payload", button(Button{Kind: "QUICK_REPLY"}), with("button0-payload"), nil, ""},
		{"two payloads", button(Button{Kind: "QUICK_REPLY"}), with("button0-payload", "button0-payload"), []Reason{TemplateMismatch}, "takes 1 value at button0-payload:, 2 given"},
		{"a payload of no reply", button(Button{Kind: "URL", URL: "https://a"}), with("button0-payload"), []Reason{TemplateMismatch}, "button0-payload"},
		{"a code to copy", button(Button{Kind: "COPY_CODE"}), with("button0-code"), nil, ""},
		{"no code to copy", button(Button{Kind: "COPY_CODE"}), two, []Reason{TemplateMismatch}, "button0-code:, 0 given"},
		{"a code of no such button", button(Button{Kind: "QUICK_REPLY"}), with("button0-code"), []Reason{TemplateMismatch}, "button0-code:, 1 given"},
		{"the code of a login", button(Button{Kind: "OTP"}), with("button0"), nil, ""},
		{"no code of a login", button(Button{Kind: "OTP"}), two, []Reason{TemplateMismatch}, "button0:"},
		{"a telephone", button(Button{Kind: "PHONE_NUMBER"}), two, nil, ""},
		{"products", button(Button{Kind: "MPM"}), two, []Reason{TemplateMismatch}, "products"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []Reason
			issues := sends(test.change).Check("pt_BR", test.places)
			for _, m := range issues {
				got = append(got, m.Reason)
				if m.Message == "" || m.Hint == "" || !m.Reason.Valid() {
					t.Errorf("issue = %+v, want it whole", m)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			if test.says != "" && (len(issues) == 0 || !strings.Contains(issues[0].Message, test.says)) {
				t.Errorf("issues = %+v, want the first to say %q", issues, test.says)
			}
		})
	}
}

func TestFindTemplate(t *testing.T) {
	list := []Template{{Name: "a", Language: "en_US"}, {Name: "a", Language: "es"}, {Name: "b", Language: "pt_BR"}}
	for _, test := range []struct {
		name, language string
		says, todo     string
	}{
		{"b", "pt_BR", "", ""},
		{"a", "es", "", ""},
		{"a", "pt_BR", "only in en_US, es", "TEMPLATE_LANGUAGE=en_US"},
		{"c", "pt_BR", "no template c", "pombo templates"},
	} {
		found, m := FindTemplate(list, test.name, test.language)
		if test.says == "" {
			if m.Reason != NoReason || found.Name != test.name || found.Language != test.language {
				t.Errorf("%s in %s: %+v, %+v, want it found", test.name, test.language, found, m)
			}
			continue
		}
		if m.Reason != TemplateMissing || !strings.Contains(m.Message, test.says) || !strings.Contains(m.Hint, test.todo) {
			t.Errorf("%s in %s: %+v, want missing, %q and %q", test.name, test.language, m, test.says, test.todo)
		}
	}
}

func TestFill(t *testing.T) {
	for _, test := range []struct {
		text   string
		values []Private
		want   Private
	}{
		{"Olá {{1}}, {{2}} e {{ 1 }}", []Private{"Maria", "{{1}}"}, "Olá Maria, {{1}} e Maria"},
		{"{{1}} {{2}} {{nome}} {{0}}", []Private{"a"}, "a {{2}} {{nome}} {{0}}"},
		{"", []Private{"a"}, ""},
	} {
		if got := Fill(test.text, test.values); got != test.want {
			t.Errorf("Fill(%q) = %q, want %q", test.text, got.Reveal(), test.want.Reveal())
		}
	}
}

func TestCheckValue_DoesNotRepeatTheValue(t *testing.T) {
	for value, want := range map[string]Reason{
		"segredo": NoReason, " ": ParameterEmpty, "segredo\n": ParameterFormat, "segredo\t": ParameterFormat, "abc\x00segredo": ParameterFormat,
		"segredo     x": ParameterFormat, "segredo    x": NoReason,
		strings.Repeat("é", maxValue): NoReason, strings.Repeat("segredo", 700): ParameterTooLong,
	} {
		got, detail := CheckValue(Private(value))
		if got != want || (detail == "") != (want == NoReason) || strings.Contains(detail, "segredo") {
			t.Errorf("CheckValue(%.20q) = %s, %q, want %s", value, got, detail, want)
		}
	}
}
