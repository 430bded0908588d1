package blip

import "strings"

// reason is why Blip refuses: its code and its text.
type reason struct {
	code int
	text string // as Blip wrote it; shown only as far as known allows
}

// explain returns the list that the reason belongs to, and its code there. Blip does
// not document how it passes on WhatsApp's codes: as the number itself, or inside the
// text of a LIME reason. Both are read. A number that is in both lists is LIME's,
// unless the text says otherwise.
func (r reason) explain() cause {
	switch {
	case r.code == 0:
		// A missing number looks the same, so Meta's 0 is recognised by its text.
		if c := codeIn(r.text); c != 0 {
			return cause{channel, c}
		}
		if t := strings.ToLower(r.text); strings.Contains(t, "access token") || strings.Contains(t, "authentication") {
			return cause{channel, 0}
		}
		return cause{lime, 0}
	case r.code <= 101 && !onlyChannel(r.code):
		if c := codeIn(r.text); c != 0 {
			return cause{channel, c}
		}
		if r.code == 81 && strings.Contains(strings.ToLower(r.text), "business account") {
			return cause{reasonText, r.code}
		}
		return cause{lime, r.code}
	default:
		return cause{channel, r.code}
	}
}

// onlyChannel reports whether WhatsApp has the code and LIME does not.
func onlyChannel(code int) bool {
	_, ours := decisions[cause{lime, code}]
	return isChannel(code) && !ours
}

// isChannel reports whether WhatsApp has the code.
func isChannel(code int) bool {
	_, ok := decisions[cause{channel, code}]
	return ok || 200 <= code && code <= 299
}

// codeIn returns the code of WhatsApp in a text, 0 when there is none. A long code is
// recognised wherever it stands alone; a short one only with a mark that it is a code,
// since it could be a year or a count.
func codeIn(s string) int {
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			i++
			continue
		}
		start, n := i, 0
		for ; i < len(s) && isDigit(s[i]); i++ {
			if i-start < 7 {
				n = n*10 + int(s[i]-'0')
			}
		}
		if start > 0 && isLetter(s[start-1]) || i < len(s) && isLetter(s[i]) {
			continue
		}
		before := strings.ToLower(strings.TrimRight(s[max(0, start-12):start], " :=("))
		hash := strings.HasSuffix(before, "#")
		named := hash || strings.HasSuffix(before, "code") || strings.HasSuffix(before, "error")
		switch size := i - start; {
		case size == 6 && n/10000 == 13: // Meta's own block, new codes too
			return n
		case (size == 5 || size == 7) && isChannel(n),
			size <= 4 && n > 101 && named && isChannel(n),
			size <= 4 && n > 0 && hash && isChannel(n):
			return n
		}
	}
	return 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }
