package config

import (
	"fmt"
	"strings"
	"unicode"

	"pombo"
)

// The names of tables and columns, and the list of DB_COL_PARAMS.

// table is a table, perhaps with its schema.
func table(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	if strings.Contains(s, "@") {
		return trouble(quote(s)+" goes over a database link", "have a synonym or a view made for it, and name that")
	}
	parts, p := identifier(s, 2)
	if p != nil {
		return p
	}
	c.Source.Table = s
	c.Source.Name = strings.ToLower(parts[len(parts)-1])
	return nil
}

// column is one column, without a table or a schema in front.
func column(field func(*Config) *string) setter {
	return func(c *Config, s string) *Problem {
		s = strings.TrimSpace(s)
		if _, p := identifier(s, 1); p != nil {
			return p
		}
		*field(c) = s
		return nil
	}
}

// identifier splits a name at its dots and returns the parts without their
// quotes. It checks only the shape: the database knows the rest.
func identifier(s string, most int) ([]string, *Problem) {
	wrong := trouble(quote(s)+" is not a name of a table or a column",
		`use letters, digits, _ $ and #, beginning with a letter; a name with anything else goes into double quotes, and those into single quotes: '"Nome do Contato"'`)
	var parts []string
	for rest := s; ; {
		var part string
		if after, quoted := strings.CutPrefix(rest, `"`); quoted {
			var closed bool
			part, rest, closed = strings.Cut(after, `"`)
			if !closed || strings.ContainsFunc(part, unicode.IsControl) {
				return nil, wrong
			}
		} else {
			end := strings.IndexFunc(rest, func(r rune) bool {
				return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_$#", r)
			})
			if end < 0 {
				end = len(rest)
			}
			part, rest = rest[:end], rest[end:]
			if part != "" && strings.ContainsFunc(part[:1], func(r rune) bool { return r >= '0' && r <= '9' || r == '$' || r == '#' }) {
				return nil, wrong
			}
		}
		if part == "" || len(part) > 128 {
			return nil, wrong
		}
		parts = append(parts, part)
		if rest == "" {
			break
		}
		if rest[0] != '.' {
			return nil, wrong
		}
		rest = rest[1:]
	}
	if len(parts) > most {
		return nil, trouble(fmt.Sprintf("%s has %d names joined by dots", quote(s), len(parts)), map[int]string{1: "write the column alone", 2: "write at most schema.table"}[most])
	}
	return parts, nil
}

// params is the list of columns for the template, each perhaps with a place in
// front. "-" is a template without values.
func params(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	if s == "-" {
		c.Source.Params = nil
		return nil
	}
	var columns []Column
	taken := map[string]string{} // place that has room for one → the entry that has it
	for _, entry := range splitOutsideQuotes(s) {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			return trouble("has an empty entry", "take away the comma that is too many")
		}
		place, name := pombo.Body, entry
		if before, after, found := strings.Cut(entry, ":"); found && !strings.Contains(before, `"`) {
			var err error
			if place, err = pombo.ParseSlot(before); err != nil {
				return trouble(fmt.Sprintf("has an entry with an unknown place: %v", err), "write place:COLUMN, or the column alone for the next {{n}} of the text")
			}
			name = strings.TrimSpace(after)
		}
		if _, p := identifier(name, 1); p != nil {
			return p
		}
		if room := onlyOne(place); room != "" {
			if other, ok := taken[room]; ok {
				return trouble(fmt.Sprintf("has both %s and %s, and there is only one %s", quote(other), quote(entry), room), "take one of the two away")
			}
			taken[room] = entry
		}
		columns = append(columns, Column{place, name})
	}
	c.Source.Params = columns
	return nil
}

// onlyOne names the part of the template that the place fills, if that part
// has room for one value only.
func onlyOne(p pombo.Slot) string {
	if index, _, ok := p.Button(); ok {
		return fmt.Sprintf("button %d", index)
	}
	switch p {
	case pombo.Body:
		return ""
	case pombo.HeaderFilename:
		return "name of the header's document"
	}
	return "header"
}

// splitOutsideQuotes splits at commas that do not stand between double quotes.
func splitOutsideQuotes(s string) []string {
	quoted := false
	var parts []string
	start := 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
