package blipsim

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// maxBody bounds an envelope. Blip publishes no limit.
const maxBody = 1 << 20

// scratch is the memory of one request; the next one reuses it.
type scratch struct {
	body []byte
	out  []byte // the answer
	part []byte // an object inside the answer
	meta []byte // its metadata
}

var errTooLarge = errors.New("envelope larger than 1 MiB")

// read reads the whole body.
func (sc *scratch) read(r io.Reader) error {
	if cap(sc.body) > 1<<16 {
		sc.body = nil // one huge body must not stay in the pool for ever
	}
	b := sc.body[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, make([]byte, max(1024, len(b)))...)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		sc.body = b
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case len(b) > maxBody:
			return errTooLarge
		}
	}
}

func (sc *scratch) decode(v any) error { return json.Unmarshal(sc.body, v) }

// field is one member of a JSON object that is being written.
type field struct {
	name string
	text string
	raw  []byte // JSON; nil = text is written as a string
	num  int64
	kind fieldKind
}

type fieldKind uint8

const (
	textField fieldKind = iota
	rawField
	numberField
)

func text(name, value string) field         { return field{name: name, text: value} }
func raw(name string, json []byte) field    { return field{name: name, raw: json, kind: rawField} }
func number(name string, value int64) field { return field{name: name, num: value, kind: numberField} }

// appendObject appends the fields in an order that the roll decides: Blip's order of keys
// is not stable, and a client that relies on it should fail here.
func appendObject(dst []byte, roll uint64, fields ...field) []byte {
	for i := len(fields) - 1; i > 0; i-- {
		roll = mix(roll)
		j := int(roll % uint64(i+1))
		fields[i], fields[j] = fields[j], fields[i]
	}
	dst = append(dst, '{')
	for i := range fields {
		f := &fields[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, f.name)
		dst = append(dst, ':')
		switch f.kind {
		case rawField:
			dst = append(dst, f.raw...)
		case numberField:
			dst = strconv.AppendInt(dst, f.num, 10)
		default:
			dst = appendQuoted(dst, f.text)
		}
	}
	return append(dst, '}')
}

// appendQuoted appends a JSON string. Nearly all are plain ASCII; the others are left to
// encoding/json.
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always encodes
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
