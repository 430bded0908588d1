// Package fold removes from a text what people write in different ways, so that what
// means the same compares equal.
package fold

import (
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Text returns s without accents, in lower case, without spaces around it and without
// punctuation at its end. A text of nothing but signs, such as an emoji, keeps them.
func Text(s string) string {
	plain := transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	if t, _, err := transform.String(plain, s); err == nil {
		s = t
	}
	s = strings.TrimSpace(strings.ToLower(s))
	if t := strings.TrimRightFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); t != "" {
		return t
	}
	return s
}
