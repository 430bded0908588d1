package config

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"text/template"
)

//go:embed configuration.md.tmpl
var reference string

// writeReference writes the reference of all variables in Markdown:
// docs/configuration.md.
func writeReference(w io.Writer) error {
	t := template.New("configuration.md").Delims("[[", "]]").Funcs(template.FuncMap{
		"default": func(v variable) string {
			switch {
			case v.required:
				return "required"
			case v.standard == "":
				return "–"
			}
			return "`" + v.standard + "`"
		},
		"name":    func(v variable) string { return v.name },
		"doc":     func(v variable) string { return v.doc },
		"secret":  func(v variable) bool { return v.secret },
		"title":   func(g group) string { return g.title },
		"about":   func(g group) string { return g.about },
		"members": func(g group) []variable { return g.variables },
		"secrets": func() string { return strings.Join(Secrets(), ", ") },
	})
	t, err := t.Parse(reference)
	if err == nil {
		err = t.Execute(w, struct{ Groups, Places any }{groups, places})
	}
	if err != nil {
		return fmt.Errorf("write the reference of the configuration: %w", err)
	}
	return nil
}

// writeExampleFile writes a .env to start from, .env.example: first what everybody
// sets, then all the rest as comments with their defaults.
func writeExampleFile(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Settings of Pombo. Copy this file to .env and fill in the first part.
# The environment counts more than this file. Everything is explained in
# docs/configuration.md; "pombo config" shows what is in force.
#
# A value with a $, a \, a quote or a blank before a # goes into single quotes.
# Keep .env to yourself: it contains keys. Never put it into a repository.

# ---- What everybody sets ----
`)
	for _, g := range groups {
		for _, v := range g.variables {
			if v.starter {
				writeExample(&b, v, "")
			}
		}
	}
	b.WriteString("\n# ---- The rest, with its defaults; take the # away to change one ----\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "\n# -- %s --\n", g.title)
		for _, v := range g.variables {
			if !v.starter {
				writeExample(&b, v, "#")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeExample writes one variable: its documentation without the Markdown,
// then NAME=value behind the sign.
func writeExample(b *strings.Builder, v variable, sign string) {
	doc := strings.NewReplacer("`", "", "**", "").Replace(v.doc)
	if v.example != "" {
		doc += " Example: " + v.name + "=" + v.example
	}
	b.WriteString("\n")
	for _, line := range wrap(doc, 78) {
		b.WriteString("# " + line + "\n")
	}
	fmt.Fprintf(b, "%s%s=%s\n", sign, v.name, v.standard)
}

// wrap breaks a text at blanks into lines of at most width characters.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
