package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"

	"pombo"
)

// printJSON writes one JSON document, which is all that --json prints.
func (s *shell) printJSON(v any) error {
	e := json.NewEncoder(s.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// show prints a result: as JSON, or the way that text does it.
func (s *shell) show(asJSON bool, v any, text func()) error {
	if asJSON {
		return s.printJSON(v)
	}
	text()
	return nil
}

// sayFailed says what could not be done to one of several, and what to do.
func (s *shell) sayFailed(which, message, hint string) {
	s.sayf("pombo: %s: %s", which, message)
	if hint != "" {
		s.sayf("hint: %s", hint)
	}
}

// grid is a table of texts without lines, for people as well as grep and awk.
type grid struct{ w table.Writer }

func newGrid(header ...string) grid {
	w := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	g := grid{w}
	g.w.AppendHeader(cells(header))
	return g
}

func (g grid) add(texts ...string) { g.w.AppendRow(cells(texts)) }

func (g grid) String() string { return g.w.Render() + "\n" }

func cells(texts []string) table.Row {
	row := make(table.Row, len(texts))
	for i, t := range texts {
		row[i] = unbroken(t)
	}
	return row
}

// unbroken is plain with a blank for each line break: a row's key or a detail from
// outside makes no line of its own. Other blanks, which may be part of a key, stay.
func unbroken(s string) string { return strings.ReplaceAll(plain(s), "\n", " ") }

// plain takes what could steer a terminal out of a text that came from outside.
// Line breaks stay.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r != '\n' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// clock shows a time in the zone of this machine; "-" for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// standing formats a state with its reason.
func standing(state pombo.State, reason pombo.Reason) string {
	if reason == pombo.NoReason {
		return string(state)
	}
	return string(state) + " (" + string(reason) + ")"
}

// parseIDs reads the ids of a command line.
func parseIDs(texts ...string) ([]pombo.MessageID, error) {
	ids := make([]pombo.MessageID, len(texts))
	for i, text := range texts {
		id, err := pombo.ParseMessageID(text)
		if err != nil {
			return nil, wrongUse(err, "pombo list shows the ids")
		}
		ids[i] = id
	}
	return ids, nil
}

// fact prints a name and its value, if it has one.
func (s *shell) fact(name, text string) {
	if text != "" {
		s.printf("%-13s %s\n", name, unbroken(text))
	}
}

// moment is a fact that is a time.
func (s *shell) moment(name string, t time.Time) {
	if !t.IsZero() {
		s.fact(name, clock(t))
	}
}
