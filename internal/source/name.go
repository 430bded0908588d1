package source

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name is an identifier of the database.
type Name struct {
	Text  string // without quotes
	Exact bool   // it was quoted: upper and lower case count
}

// Fold returns what two names that may mean the same column have in common.
func (n Name) Fold() string { return strings.ToUpper(n.Text) }

// maxName is the longest identifier that any of the databases allows, in bytes (Oracle
// from 12.2 on).
const maxName = 128

// parseName parses one identifier. It is the wall between the settings and the SQL
// text: what passes needs nothing but double quotes around it.
func parseName(s string) (Name, error) {
	n, rest, err := cutName(strings.TrimSpace(s))
	if err == nil && rest != "" {
		err = fmt.Errorf("%q is not one name", s)
	}
	return n, err
}

// parseTable parses table or schema.table.
func parseTable(s string) ([]Name, error) {
	n, rest, err := cutName(strings.TrimSpace(s))
	if err != nil {
		return nil, err
	}
	if rest == "" {
		return []Name{n}, nil
	}
	after, dotted := strings.CutPrefix(rest, ".")
	if !dotted {
		return nil, fmt.Errorf("%q is not one name", s)
	}
	table, err := parseName(after)
	return []Name{n, table}, err
}

// cutName parses the name that s begins with and returns the rest.
func cutName(s string) (n Name, rest string, err error) {
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		inside, after, closed := strings.Cut(quoted, `"`)
		if !closed || strings.HasPrefix(after, `"`) {
			return Name{}, "", fmt.Errorf("%q has a double quote too few or inside the name", s)
		}
		n, rest = Name{Text: inside, Exact: true}, after
	} else {
		end := strings.IndexFunc(s, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_$#", r)
		})
		if end < 0 {
			end = len(s)
		}
		n, rest = Name{Text: s[:end]}, s[end:]
	}
	first, _ := utf8.DecodeRuneInString(n.Text)
	switch {
	case s == "":
		return Name{}, "", errors.New("no name is given")
	case n.Text == "":
		return Name{}, "", fmt.Errorf("%q is not a name: use letters, digits, _, $ and #, or double quotes around it", s)
	case len(n.Text) > maxName:
		return Name{}, "", fmt.Errorf("the name has more than %d bytes", maxName)
	case strings.ContainsFunc(n.Text, unicode.IsControl) || !utf8.ValidString(n.Text):
		return Name{}, "", fmt.Errorf("%q has control characters in the name", s)
	case !n.Exact && !unicode.IsLetter(first) && first != '_':
		return Name{}, "", fmt.Errorf("%q must begin with a letter, or stand in double quotes", s)
	}
	return n, rest, nil
}

// Quote returns a name in double quotes. cutName lets no double quote into one.
func Quote(name string) string { return `"` + name + `"` }
