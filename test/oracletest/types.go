package oracletest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The types as they are numbered on the wire.
const (
	typeVarchar     = 1
	typeNumber      = 2
	typeInteger     = 3
	typeLong        = 8
	typeDate        = 12
	typeRaw         = 23
	typeLongRaw     = 24
	typeLongVarchar = 94
	typeChar        = 96
	typeClob        = 112
	typeBlob        = 113
	typeTimestamp   = 180
	typeTimestampTZ = 181
)

// dataType is the type of a column or of an expression.
type dataType struct {
	code      byte
	size      int  // of text and RAW: the most it may have, in bytes or characters
	chars     bool // size counts characters
	national  bool // NVARCHAR2 and NCLOB
	precision int  // of NUMBER; 0 = any
	scale     int  // of NUMBER with a precision, and of TIMESTAMP
}

// maxVarchar is the most that a text expression may have, in bytes.
const maxVarchar = 4000

var (
	anyNumber = dataType{code: typeNumber}
	anyText   = dataType{code: typeVarchar, size: maxVarchar}
	anyDate   = dataType{code: typeDate}
)

var typeNames = map[byte]string{
	typeVarchar: "VARCHAR2", typeNumber: "NUMBER", typeDate: "DATE", typeRaw: "RAW", typeChar: "CHAR", typeClob: "CLOB", typeBlob: "BLOB", typeLong: "LONG",
	typeTimestamp: "TIMESTAMP(%d)", typeTimestampTZ: "TIMESTAMP(%d) WITH TIME ZONE",
}

// String is the type as ALL_TAB_COLUMNS names it.
func (t dataType) String() string {
	name := typeNames[t.code]
	switch {
	case t.national:
		return "N" + name
	case t.isTime() && t.code != typeDate:
		return fmt.Sprintf(name, t.scale)
	}
	return name
}

func (t dataType) isText() bool { return t.code == typeVarchar || t.code == typeChar }
func (t dataType) isLOB() bool  { return t.code == typeClob || t.code == typeBlob }
func (t dataType) isTime() bool {
	return t.code == typeDate || t.code == typeTimestamp || t.code == typeTimestampTZ
}

// kind is the kind of a value.
type kind byte

const (
	null kind = iota
	number
	text
	moment
	raw
)

// value is a value. Numbers are kept as on the wire: their bytes sort as the numbers do,
// however long they are.
type value struct {
	kind  kind
	s     string // number, text, raw
	at    time.Time
	fixed bool // a CHAR: trailing blanks do not count when two such are compared
}

func textValue(s string) value {
	if s == "" {
		return value{} // Oracle has no empty text
	}
	return value{kind: text, s: s}
}

func intValue(n int) value { v, _ := parseNumber(strconv.Itoa(n)); return v }

// parseNumber parses a decimal number. A NUMBER has up to 20 digits to the base of
// 100 and an exponent; negative ones are complemented, and 102 ends them.
func parseNumber(s string) (value, error) {
	invalid := Errorf(1722, "invalid number")
	digits, exponent := strings.TrimSpace(s), 0
	if i := strings.IndexAny(digits, "eE"); i > 0 {
		n, err := strconv.Atoi(digits[i+1:])
		if err != nil || n < -200 || n > 200 {
			return value{}, invalid
		}
		digits, exponent = digits[:i], n
	}
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(strings.TrimPrefix(digits, "-"), "+")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return value{}, invalid
	}
	point := len(whole) + exponent // where the point is, in digits
	for strings.HasPrefix(digits, "0") {
		digits, point = digits[1:], point-1
	}
	if digits == "" {
		return value{kind: number, s: "\x80"}, nil
	}
	if point&1 != 0 {
		digits, point = "0"+digits, point+1
	}
	// What does not go into 20 digits is cut off, and no zeros end what is left.
	digits = strings.TrimRight(digits[:min(len(digits), 40)], "0")
	if len(digits)&1 != 0 {
		digits += "0"
	}
	head := point/2 + 192
	if head < 128 || head > 254 {
		return value{}, Errorf(1426, "numeric overflow")
	}
	b := []byte{byte(head)}
	for i := 0; i < len(digits); i += 2 {
		b = append(b, (digits[i]-'0')*10+digits[i+1]-'0'+1)
	}
	if negative {
		for i := range b {
			if i == 0 {
				b[i] = ^b[i]
			} else {
				b[i] = 102 - b[i]
			}
		}
		if len(b) <= 20 {
			b = append(b, 102)
		}
	}
	return value{kind: number, s: string(b)}, nil
}

// numberText writes a number as TO_CHAR does: without a zero before the point.
func numberText(s string) string {
	if s == "\x80" || s == "" {
		return "0"
	}
	b, sign := []byte(s), ""
	if b[0] < 128 {
		sign = "-"
		b[0] = ^b[0]
		if b[len(b)-1] == 102 {
			b = b[:len(b)-1]
		}
		for i := 1; i < len(b); i++ {
			b[i] = 102 - b[i]
		}
	}
	var digits strings.Builder
	for _, c := range b[1:] {
		fmt.Fprintf(&digits, "%02d", c-1)
	}
	d, point := digits.String(), (int(b[0])-192)*2
	switch {
	case point <= 0:
		d = "." + strings.Repeat("0", -point) + d
	case point >= len(d):
		d += strings.Repeat("0", point-len(d))
	default:
		d = d[:point] + "." + d[point:]
	}
	if strings.Contains(d, ".") {
		d = strings.TrimRight(d, "0")
	}
	return sign + strings.TrimSuffix(strings.TrimLeft(d, "0"), ".")
}

// fits converts a value to a column, with a server's errors for what does not fit. name is
// the column's full name, for the message.
func (t dataType) fits(v value, name string, cs Charset) (value, error) {
	v, err := t.coerce(v)
	if err != nil || v.kind == null {
		return v, err
	}
	if t.national {
		cs = utf16be
	}
	switch t.code {
	case typeNumber:
		if t.precision == 0 {
			return v, nil
		}
		whole, fraction, _ := strings.Cut(strings.TrimPrefix(numberText(v.s), "-"), ".")
		if len(fraction) > t.scale {
			return v, Errorf(900, "the double does not round: %s has a scale of %d", name, t.scale)
		}
		if len(whole) > t.precision-t.scale {
			return v, Errorf(1438, "value larger than specified precision allowed for this column")
		}
	case typeVarchar, typeChar, typeClob:
		encoded := cs.encode(v.s)
		v.s = cs.decode(encoded)
		if t.code == typeClob {
			return v, nil
		}
		size := len(encoded)
		if t.national {
			size /= 2
		} else if t.chars {
			size = utf8.RuneCountInString(v.s)
		}
		if size > t.size {
			return v, Errorf(12899, "value too large for column %s (actual: %d, maximum: %d)", name, size, t.size)
		}
		if v.fixed = t.code == typeChar; v.fixed {
			v.s += strings.Repeat(" ", t.size-size)
		}
	case typeRaw:
		if len(v.s) > t.size {
			return v, Errorf(12899, "value too large for column %s (actual: %d, maximum: %d)", name, len(v.s), t.size)
		}
	case typeDate:
		v.at = v.at.Truncate(time.Second)
	}
	return v, nil
}

// coerce converts a value to the kind of a type, as Oracle does by itself.
func (t dataType) coerce(v value) (value, error) {
	switch {
	case v.kind == null:
		return value{}, nil
	case t.code == typeNumber:
		if v.kind == text {
			return parseNumber(v.s)
		}
		if v.kind != number {
			return v, Errorf(932, "inconsistent datatypes: expected NUMBER")
		}
	case t.isTime():
		if v.kind == text {
			return v, Errorf(1861, "literal does not match format string (the double wants TO_DATE with a format)")
		}
		if v.kind != moment {
			return v, Errorf(932, "inconsistent datatypes: expected %s", t)
		}
	case t.code == typeRaw || t.code == typeBlob:
		if v.kind == text {
			b, err := hex.DecodeString(v.s)
			if err != nil {
				return v, Errorf(1465, "invalid hex number")
			}
			return value{kind: raw, s: string(b)}, nil
		}
		if v.kind != raw {
			return v, Errorf(932, "inconsistent datatypes: expected BINARY")
		}
	default:
		switch v.kind {
		case number:
			return value{kind: text, s: numberText(v.s)}, nil
		case raw:
			return value{kind: text, s: upperHex([]byte(v.s))}, nil
		case moment:
			return v, Errorf(900, "the double wants TO_CHAR with a format for a date")
		}
	}
	return v, nil
}

// encode writes a value as on the wire, in a column of the type.
func (t dataType) encode(v value, cs Charset) []byte {
	switch {
	case v.kind == null:
		return nil
	case v.kind == text && t.national:
		return utf16be.encode(v.s)
	case v.kind == text:
		return cs.encode(v.s)
	case v.kind != moment:
		return []byte(v.s)
	}
	at := v.at
	var zone []byte
	if t.code == typeTimestampTZ { // in UTC, with the zone beside it
		_, offset := at.Zone()
		at, zone = at.UTC(), []byte{byte(offset/3600 + 20), byte(offset%3600/60 + 60)}
	}
	b := []byte{byte(at.Year()/100 + 100), byte(at.Year()%100 + 100), byte(at.Month()), byte(at.Day()), byte(at.Hour() + 1), byte(at.Minute() + 1), byte(at.Second() + 1)}
	if t.code != typeDate {
		b = binary.BigEndian.AppendUint32(b, uint32(at.Nanosecond()))
	}
	return append(b, zone...)
}

// decodeBind decodes a value that a client has bound.
func decodeBind(b bind, v []byte, cs Charset) (value, error) {
	if v == nil {
		return value{}, nil
	}
	switch b.code {
	case typeNumber, typeInteger:
		if !validNumber(v) {
			return value{}, Errorf(1722, "invalid number")
		}
		return value{kind: number, s: string(v)}, nil
	case typeDate, typeTimestamp, typeTimestampTZ:
		return decodeTime(v)
	case typeRaw:
		return value{kind: raw, s: string(v)}, nil
	case typeVarchar, typeChar, typeLong, typeLongVarchar:
		if b.form == formNational {
			cs = utf16be
		}
		t := textValue(cs.decode(v))
		t.fixed = b.code == typeChar
		return t, nil
	default:
		return value{}, Errorf(900, "the double takes no binds of type %d", b.code)
	}
}

func validNumber(b []byte) bool {
	if len(b) > 21 {
		return false
	}
	for _, c := range b[1:] {
		if c < 1 || c > 102 {
			return false
		}
	}
	return true
}

func decodeTime(b []byte) (value, error) {
	if len(b) < 7 {
		return value{}, Errorf(1801, "date format is too long for internal buffer")
	}
	nanoseconds := 0
	if len(b) >= 11 {
		nanoseconds = int(binary.BigEndian.Uint32(b[7:]))
	}
	at := time.Date((int(b[0])-100)*100+int(b[1])-100, time.Month(b[2]), int(b[3]), int(b[4])-1, int(b[5])-1, int(b[6])-1, nanoseconds, time.UTC)
	if len(b) >= 13 { // compared as the wall clock of its own zone
		at = at.Add(time.Duration(int(b[11])-20)*time.Hour + time.Duration(int(b[12])-60)*time.Minute)
	}
	return value{kind: moment, at: at}, nil
}
