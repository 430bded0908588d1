package blip

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden stands where something was taken out of a text.
const hidden = "***"

// longestDetail is how many bytes of somebody else's words an error carries.
const longestDetail = 200

// mask makes a text that came from outside safe to log: it takes out the given
// secrets and every word of them (Blip may quote a name from the middle of a
// value, or half of a value), addresses (anything around an @), what stands in
// quotation marks unless it looks like a field's name, and numbers that could be a
// phone however they are punctuated. Codes of WhatsApp stay.
//
// The types pombo.Private and phone.Number keep our own data from printing; this
// is for the one thing that has no type, what the other side wrote.
func mask(s string, secrets ...string) string {
	if len(s) > 4<<10 {
		s = s[:4<<10]
	}
	s = strings.ReplaceAll(s, "%40", "@")
	for _, secret := range secrets {
		if len(secret) > 2 {
			s = strings.ReplaceAll(s, secret, hidden)
		}
	}
	s = maskWords(s, secrets)
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return -1
		case unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r):
			return ' '
		}
		return r
	}, s)
	s = maskAddresses(maskQuotes(maskNumbers(s)))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > longestDetail {
		s = strings.ToValidUTF8(s[:longestDetail], "") + "…"
	}
	return s
}

// maskWords hides the words of s that are also words of a secret, in whatever
// case; words of one or two letters only as part of the whole secret.
func maskWords(s string, secrets []string) string {
	known := map[string]bool{}
	for _, secret := range secrets {
		for word := range strings.FieldsFuncSeq(secret[:min(len(secret), 4<<10)], between) {
			if utf8.RuneCountInString(word) > 2 {
				known[strings.ToLower(word)] = true
			}
		}
	}
	var b strings.Builder
	for s != "" {
		end := strings.IndexFunc(s, between)
		if end == 0 {
			_, size := utf8.DecodeRuneInString(s)
			b.WriteString(s[:size])
			s = s[size:]
			continue
		}
		if end < 0 {
			end = len(s)
		}
		if known[strings.ToLower(s[:end])] {
			b.WriteString(hidden)
		} else {
			b.WriteString(s[:end])
		}
		s = s[end:]
	}
	return b.String()
}

// between reports whether r stands between words.
func between(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }

// maskAddresses hides every word that has an @ in it.
func maskAddresses(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	words := strings.Split(s, " ")
	for i, w := range words {
		if strings.Contains(w, "@") {
			words[i] = hidden
		}
	}
	return strings.Join(words, " ")
}

// maskQuotes hides what stands between quotation marks. A single quote opens only
// after a blank and the like, so that an apostrophe opens nothing.
func maskQuotes(s string) string {
	var b strings.Builder
	for {
		at, size, closing := openingQuote(s)
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:at+size])
		s = s[at+size:]
		end := strings.Index(s, closing)
		if end < 0 {
			end = len(s) // never closed: hide the rest
		}
		if isField(s[:end]) {
			b.WriteString(s[:end])
		} else {
			b.WriteString(hidden)
		}
		s = s[end:]
		if s != "" {
			b.WriteString(closing)
			s = s[len(closing):]
		}
	}
}

// openingQuote finds the first quotation mark that opens, -1 when there is none.
func openingQuote(s string) (at, size int, closing string) {
	prev := ' '
	for i, r := range s {
		switch r {
		case '"', '`':
			return i, 1, string(r)
		case '\'':
			if !unicode.IsLetter(prev) && !unicode.IsDigit(prev) {
				return i, 1, "'"
			}
		case '“', '„':
			return i, utf8.RuneLen(r), "”"
		case '‘':
			return i, utf8.RuneLen(r), "’"
		case '«':
			return i, utf8.RuneLen(r), "»"
		}
		prev = r
	}
	return -1, 0, ""
}

// isField reports whether s is the name of a field, or looks like one or like the
// name of a template, and not like something that a person wrote.
func isField(s string) bool {
	switch s {
	case "id", "to", "from", "type", "content", "metadata", "template", "namespace", "name", "language",
		"components", "header", "body", "button", "parameters", "text", "method", "uri", "resource":
		return true
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || 'z' < c) && !isDigit(c) && strings.IndexByte("_.[]", c) < 0 {
			return false
		}
	}
	return strings.ContainsAny(s, "_[")
}

// maskNumbers hides runs of six and more digits, also when blanks, brackets, dots
// and the like stand between them.
func maskNumbers(s string) string {
	var b strings.Builder
	for {
		start := strings.IndexFunc(s, unicode.IsDigit)
		if start < 0 {
			b.WriteString(s)
			return b.String()
		}
		digits, end := 0, start
		gap := 0
		for i, r := range s[start:] {
			if unicode.IsDigit(r) {
				digits++
				gap = 0
				end = start + i + utf8.RuneLen(r)
				continue
			}
			if gap++; gap > 3 || !strings.ContainsRune(" .,()-–+/_%", r) {
				break
			}
		}
		b.WriteString(s[:start])
		if run := s[start:end]; digits < 6 || isCode(run) || isIP(run) {
			b.WriteString(run)
		} else {
			b.WriteString(hidden)
		}
		s = s[end:]
	}
}

// isIP reports whether s is the address of a machine, which operators need.
func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isCode reports whether s is one of WhatsApp's codes and nothing else.
func isCode(s string) bool {
	n, err := strconv.Atoi(s)
	_, ok := decisions[cause{channel, n}]
	return err == nil && ok
}
