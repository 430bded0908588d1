package oracletest

import (
	"cmp"
	"fmt"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// Charset is a database character set, by Oracle's own number.
type Charset int

// The character sets that Brazilian databases have.
const (
	AL32UTF8      Charset = 873
	WE8MSWIN1252  Charset = 178
	WE8ISO8859P1  Charset = 31
	WE8ISO8859P15 Charset = 46 // as 31, with the euro sign and seven letters in place of signs
)

// utf16be is AL16UTF16, the character set of NVARCHAR2 and NCLOB.
const utf16be Charset = 2000

// charsets are the names in NLS_DATABASE_PARAMETERS, and the tables of those that have one
// byte a character.
var charsets = map[Charset]struct {
	name   string
	single *charmap.Charmap
}{
	AL32UTF8:      {name: "AL32UTF8"},
	WE8MSWIN1252:  {"WE8MSWIN1252", charmap.Windows1252},
	WE8ISO8859P1:  {"WE8ISO8859P1", charmap.ISO8859_1},
	WE8ISO8859P15: {"WE8ISO8859P15", charmap.ISO8859_15},
	utf16be:       {name: "AL16UTF16"},
}

// String is the name in NLS_DATABASE_PARAMETERS.
func (c Charset) String() string { return cmp.Or(charsets[c].name, fmt.Sprintf("charset %d", int(c))) }

// known reports whether a database or a client may have the character set.
func (c Charset) known() bool { return c == AL32UTF8 || charsets[c].single != nil }

// encode writes text in the character set. A character that it lacks becomes ¿, as on a
// server, and the client does not learn of it.
func (c Charset) encode(s string) []byte {
	if c == utf16be {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u>>8), byte(u))
		}
		return b
	}
	m := charsets[c].single
	if m == nil {
		return []byte(s)
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		v, ok := m.EncodeRune(r)
		if !ok {
			v = 0xbf
		}
		b = append(b, v)
	}
	return b
}

// decode reads text of the character set.
func (c Charset) decode(b []byte) string {
	if c == utf16be {
		u := make([]uint16, len(b)/2)
		for i := range u {
			u[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(u))
	}
	m := charsets[c].single
	if m == nil {
		return string(b)
	}
	r := make([]rune, len(b))
	for i, v := range b {
		r[i] = m.DecodeByte(v)
	}
	return string(r)
}
