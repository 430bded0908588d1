package phone

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanner extracts the candidates from a text, one after the other.
//
// A number may contain anything that people and masks put there: spaces, hyphens, dots,
// brackets, invisible characters. It ends at
//
//   - a separator: / ; , | & a line break or a tab,
//   - a word: "e", "ou", "casa", "tel", a name. The words have no meaning except those
//     of an extension ("ramal 12"), whose digits are ignored, and the x's that stand
//     for a carrier code ("0xx31"),
//   - a "+", which begins the next one,
//   - a "(" after eight digits, which opens the next one's area code.
type scanner struct {
	rest string
}

// next returns the next candidate with at least one digit; ok is false when
// there is none.
func (s *scanner) next() (c candidate, ok bool) {
	for s.rest != "" {
		r, size := rune(s.rest[0]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s.rest)
		}
		switch class(r) {
		case digit:
			if !c.extension {
				c.add(value(r))
			}
		case plus:
			if c.count > 0 {
				return c, true
			}
			c.plus = true
		case bracket:
			if c.count >= 8 && !c.extension {
				return c, true
			}
		case slash:
			s.rest = s.rest[size:]
			// "31/98888-0000": only the area code precedes it.
			tight := s.rest != "" && isDigit(s.rest[0]) && c.count <= 3
			if c.count > 0 && !tight {
				return c, true
			}
			continue
		case separator:
			s.rest = s.rest[size:]
			if c.count > 0 {
				return c, true
			}
			c = candidate{}
			continue
		case letter:
			word := s.word()
			s.rest = s.rest[len(word):]
			switch {
			case len(word) >= 2 && strings.Trim(word, "xX") == "":
			case c.count >= 8 && isExtension(word):
				c.extension = true
			case c.count > 0:
				return c, true
			default:
				c = candidate{}
			}
			continue
		}
		s.rest = s.rest[size:]
	}
	return c, c.count > 0
}

// word returns the letters at the beginning of the rest.
func (s *scanner) word() string {
	for i, r := range s.rest {
		if class(r) != letter {
			return s.rest[:i]
		}
	}
	return s.rest
}

// isExtension reports whether the digits after word are an extension.
func isExtension(word string) bool {
	for _, w := range [...]string{"ramal", "ram", "r", "x", "ext", "extension", "extensão"} {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}

// A runeClass says what a character does to the number that contains it.
type runeClass uint8

const (
	mask runeClass = iota // nothing
	digit
	letter
	plus
	bracket
	slash
	separator
)

func class(r rune) runeClass {
	switch {
	case r >= '0' && r <= '9':
		return digit
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		return letter
	}
	switch r {
	case '+', '＋':
		return plus
	case '(', '（':
		return bracket
	case '/', '／', '\\':
		return slash
	case ';', ',', '|', '&', '\n', '\r', '\t', '；', '，', '｜', '\u2028', '\u2029':
		return separator
	}
	switch {
	case r < utf8.RuneSelf:
		return mask
	case unicode.IsDigit(r):
		return digit
	case unicode.IsLetter(r):
		return letter
	}
	return mask
}

// value returns the ASCII digit for a decimal digit of any script. In Unicode the ten
// digits of a script are consecutive, so the position within the range is the digit.
func value(r rune) byte {
	if r < utf8.RuneSelf {
		return byte(r)
	}
	for _, t := range unicode.Nd.R16 {
		if r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10)
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10)
		}
	}
	return '0' // not reached: class has found r in one of the ranges
}
