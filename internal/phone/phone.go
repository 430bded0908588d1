// Package phone parses what people and databases write into a phone column into E.164
// numbers, by Brazilian rules, and keeps them from being printed.
//
// Parse accepts the text as the row has it: masks, with or without country code, trunk
// zero, carrier code, a mobile number from before the ninth digit, a NUMBER column's
// "5531988880000.0", two numbers in one field. It never guesses: where the numbering
// plan allows no reading of a text, it says which rule was broken, because a message
// about a person's health on a stranger's phone is worse than none.
//
// Brazilian numbers are read by the plan in brazil.go alone: nearly every number is
// one, the plan is 67 area codes and two lengths, and so it costs a fraction of a
// microsecond and no memory. Foreign numbers, which begin with "+" or "00", are left to
// a port of Google's libphonenumber, at some microseconds each; the tests also check
// our plan against it.
//
// Whether a number is on WhatsApp, and whether WhatsApp knows it with the ninth
// digit or without, only Blip can say. Kind, area code and length come from the
// plan and promise neither.
//
// A Number prints itself masked ("+55 31 *****-**01") through fmt, log/slog,
// encoding/json and templates; an Error has no digits of the text. E164 is the
// only way to the clear number, so a search for E164 finds every place where one
// leaves.
package phone

import (
	"fmt"
	"log/slog"
	"strconv"
)

// Number is a phone number in E.164. The zero Number means that there is none. Two
// Numbers are equal (==) exactly when their E.164 forms are, so it can be a map key. It
// is eight bytes and safe to copy.
type Number struct {
	// The digits as one integer (no country code begins with 0, so none is
	// lost), times scramble. fmt bypasses every method in three cases: an unexported
	// field of another struct, %p, and %w outside of Errorf. It then prints this field.
	// Scrambling is not encryption; it keeps a recognisable and searchable phone number
	// out of a log.
	scrambled uint64
}

// scramble is odd, so that multiplying by it modulo 2^64 loses nothing, keeps
// zero zero, and is undone by multiplying by its inverse.
const (
	scramble   = 0x9e3779b97f4a7c15
	unscramble = 0xf1de83e19937733d
)

// A number in E.164 has at most 15 digits. The shortest in use, such as those
// of Niue, have seven.
const (
	minDigits = 7
	maxDigits = 15
)

// number returns the Number of digits, country code first.
func number(digits []byte) Number {
	var v uint64
	for _, d := range digits {
		v = v*10 + uint64(d-'0')
	}
	return Number{v * scramble}
}

// FromE164 parses what E164 returned, for instance from a database. It checks only the
// form ("+", 7 to 15 digits, no leading zero) and costs next to nothing; for text from
// outside there is Parse. The error is an *Error with NotE164.
func FromE164(s string) (Number, error) {
	if len(s) < 1+minDigits || len(s) > 1+maxDigits || s[0] != '+' || s[1] == '0' {
		return Number{}, &Error{Problem: NotE164}
	}
	var v uint64
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return Number{}, &Error{Problem: NotE164}
		}
		v = v*10 + uint64(s[i]-'0')
	}
	return Number{v * scramble}, nil
}

// E164 returns the whole number unmasked: "+" and its digits; "" for the zero Number.
// The caller must not log it or put it into an error.
func (n Number) E164() string {
	if n.IsZero() {
		return ""
	}
	var buf [1 + 20]byte
	buf[0] = '+'
	return string(n.appendDigits(buf[:1]))
}

func (n Number) appendDigits(b []byte) []byte {
	return strconv.AppendUint(b, n.scrambled*unscramble, 10)
}

// IsZero reports whether n is the zero Number.
func (n Number) IsZero() bool { return n == Number{} }

// Equal reports whether n and m are the same number. It is == for go-cmp and others that
// do not compare unexported fields.
func (n Number) Equal(m Number) bool { return n == m }

// Kind says what a number is by the plan.
type Kind uint8

// The kinds. The zero Kind is that of the zero Number.
const (
	Mobile   Kind = iota + 1 // a Brazilian mobile number
	Landline                 // a Brazilian landline: some have WhatsApp Business
	Foreign                  // of another country: not known whether mobile
)

// String returns "mobile", "landline" or "foreign"; "" for the zero Kind.
func (k Kind) String() string {
	switch k {
	case Mobile:
		return "mobile"
	case Landline:
		return "landline"
	case Foreign:
		return "foreign"
	default:
		return ""
	}
}

// Kind returns the kind, derived from the digits: Brazilian mobile numbers have
// one more than landlines. It holds for numbers that Parse made.
func (n Number) Kind() Kind {
	switch v := n.scrambled * unscramble; {
	case v == 0:
		return 0
	case v/1e11 == 55:
		return Mobile
	case v/1e10 == 55:
		return Landline
	default:
		return Foreign
	}
}

// String returns the masked form: country code, Brazilian area code, how many
// digits there are and the last two of them. It is "" for the zero Number.
func (n Number) String() string {
	if n.IsZero() {
		return ""
	}
	var digits, masked [24]byte
	d := n.appendDigits(digits[:0])
	m := append(masked[:0], '+')
	hyphen := 0 // how many digits stand before it
	switch n.Kind() {
	case Mobile, Landline:
		m = append(m, d[:2]...)
		m = append(m, ' ')
		m = append(m, d[2:4]...)
		d = d[4:]
		hyphen = len(d) - 4
	default:
		cc := countryCodeLen(d)
		m = append(m, d[:cc]...)
		d = d[cc:]
	}
	m = append(m, ' ')
	for i := range d {
		if i > 0 && i == hyphen {
			m = append(m, '-')
		}
		if i < len(d)-2 {
			m = append(m, '*')
		} else {
			m = append(m, d[i])
		}
	}
	return string(m)
}

// countryCodeLen returns how many of the digits are the country code. Where the
// ITU (E.164 annex to Operational Bulletin) has no code of one or two digits,
// it has three.
func countryCodeLen(d []byte) int {
	switch d[0] {
	case '1', '7':
		return 1
	}
	switch string(d[:2]) {
	case "20", "27", "30", "31", "32", "33", "34", "36", "39",
		"40", "41", "43", "44", "45", "46", "47", "48", "49",
		"51", "52", "53", "54", "55", "56", "57", "58",
		"60", "61", "62", "63", "64", "65", "66",
		"81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98":
		return 2
	}
	return 3
}

// GoString returns the masked form, for %#v.
func (n Number) GoString() string { return "phone.Number(" + n.String() + ")" }

// Format writes the masked form whatever the verb, padded as the width says.
func (n Number) Format(f fmt.State, verb rune) {
	s := n.String()
	if verb == 'v' && f.Flag('#') {
		s = n.GoString()
	}
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, 's'), s)
}

// LogValue returns the masked form, for log/slog.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.String()) }

// MarshalText returns the masked form, for encoding/json and the like. It cannot be
// reversed.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }
