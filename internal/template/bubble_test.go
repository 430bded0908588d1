package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// written shows spans in a form that can be read: b, i, s, m and v before the text.
func written(list []Span) string {
	var out strings.Builder
	for _, s := range list {
		style := ""
		for i, is := range []bool{s.Bold, s.Italic, s.Mono, s.Strike, s.Value} {
			if is {
				style += "bimsv"[i : i+1]
			}
		}
		out.WriteString("[" + style + "|" + s.Text + "]")
	}
	return out.String()
}

func TestDraw_Format(t *testing.T) {
	for text, want := range map[string]string{
		"Olá, *Maria*!":             "[|Olá, ][b|Maria][|!]",
		"*a _b ~c~_*":               "[b|a ][bi|b ][bis|c]",
		"```x *y*``` z":             "[m|x *y*][| z]",
		"```a\nb```":                "[m|a\nb]",
		"2*3*4, file_name_1, a~b~c": "[|2*3*4, file_name_1, a~b~c]",
		"* a*":                      "[|* a*]",
		"*a *":                      "[|*a *]",
		"*a\nb*":                    "[|*a\nb*]",
		"**":                        "[|**]",
		"*a* *b*":                   "[b|a][| ][b|b]",
		"(*a*)":                     "[|(][b|a][|)]",
		"*_~`":                      "[|*_~`]",
		"``````":                    "[|``````]",
		"":                          "",
		"_a_\n*b*":                  "[i|a][|\n][b|b]",
	} {
		if got := written(Draw(pombo.Template{Body: text}, nil).Body); got != want {
			t.Errorf("%q = %s, want %s", text, got, want)
		}
	}
}

func TestDraw(t *testing.T) {
	template := pombo.Template{
		Header: "TEXT", HeaderText: "Hospital *{{1}}*", Body: "Olá, *{{1}}*! É {{2}}, _{{1}}_. {{3}}{{x}}", Footer: "*SAIR*",
		Buttons: []pombo.Button{{Kind: "QUICK_REPLY", Text: "Confirmar"}},
	}
	hidden := Bubble{
		Header: []Span{{Text: "Hospital *"}, {Text: Masked, Value: true}, {Text: "*"}},
		Body: []Span{
			{Text: "Olá, "}, {Text: Masked, Bold: true, Value: true}, {Text: "! É "}, {Text: Masked, Value: true}, {Text: ", "},
			{Text: Masked, Italic: true, Value: true}, {Text: ". "}, {Text: Masked + Masked, Value: true},
		},
		Footer: []Span{{Text: "*SAIR*"}}, Buttons: template.Buttons,
	}
	if diff := cmp.Diff(hidden, Draw(template, nil)); diff != "" {
		t.Errorf("masked (-want +got):\n%s", diff)
	}
}

func TestDraw_Shown(t *testing.T) {
	values := map[pombo.Slot][]string{pombo.Body: {"Ana", "~hoje~"}, pombo.HeaderFilename: {"exame.pdf"}}
	got := Draw(pombo.Template{Header: "DOCUMENT", Body: "*{{1}}*, {{2}} {{3}}"}, func(slot pombo.Slot, n int) (string, bool) {
		if n > len(values[slot]) {
			return "", false
		}
		return values[slot][n-1], true
	})
	want := Bubble{
		Media: "DOCUMENT", Filename: []Span{{Text: "exame.pdf", Value: true}},
		Body: []Span{{Text: "Ana", Bold: true, Value: true}, {Text: ", "}, {Text: "hoje", Strike: true, Value: true}, {Text: " "}, {Text: Masked, Value: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever the text, nothing of it but signs is lost or made up, no value is shown that
// is not to be, and it ends soon.
func FuzzDraw(f *testing.F) {
	for _, s := range []string{"*{{1}}* _{{2}}_", "```{{1}}", "*a *b* c*", "{{9999999999999999999}}", strings.Repeat("*a", 900), strings.Repeat("_~*", 300), "\xff*\xff*"} {
		f.Add(s, "segredo")
	}
	signs := strings.NewReplacer("*", "", "_", "", "~", "", "`", "")
	f.Fuzz(func(t *testing.T, text, value string) {
		text = strings.ToValidUTF8(text, "?")
		var got strings.Builder
		for _, s := range Draw(pombo.Template{Body: text}, func(pombo.Slot, int) (string, bool) { return "", true }).Body {
			if s.Text == "" {
				t.Fatal("an empty span")
			}
			got.WriteString(s.Text)
		}
		if want := signs.Replace(variable.ReplaceAllString(text, "")); signs.Replace(got.String()) != want {
			t.Fatalf("%q became %q", text, got.String())
		}
		masked := written(Draw(pombo.Template{Body: variable.ReplaceAllString(text, "{{1}}")}, func(pombo.Slot, int) (string, bool) { return value, false }).Body)
		if n := strings.Count(variable.ReplaceAllString(text, "\x00"), "\x00") - strings.Count(text, "\x00"); strings.Count(masked, Masked) < n {
			t.Fatalf("%d variables in %q, masked: %s", n, text, masked)
		}
	})
}
