package oracletest

import (
	"bytes"
	"strings"
)

// parameters ends the answer to an execution: two numbers of a snapshot, and
// nothing in the lists after them.
func parameters(w *writer) {
	w.byte(messageParameters)
	w.int(2, 0, 0)
	w.int(0, 0, 0)
}

// describe writes the columns of a result.
func (s *session) describe(w *writer, columns []column) {
	w.byte(messageDescribe, 0)
	w.int(100, len(columns))
	w.byte(0)
	for i, c := range columns {
		s.describeColumn(w, c, i+1)
	}
	w.int(0) // no date
	w.int(0, 0, 0, 0)
	w.int(0)
}

func (s *session) describeColumn(w *writer, c column, position int) {
	size, characters, form := c.typ.size, 0, byte(0)
	charset := s.d.o.Charset
	switch c.typ.code {
	case typeVarchar, typeChar, typeClob:
		form = 1
		if size == 0 {
			size = maxVarchar
		}
		if c.typ.code != typeClob {
			characters = size
		}
		if c.typ.national {
			form, charset, size = formNational, utf16be, 2*size
		} else if c.typ.chars {
			size *= 4
		}
	case typeNumber:
		size = 22
	case typeDate:
		size = 7
	case typeTimestamp:
		size = 11
	case typeTimestampTZ:
		size = 13
	}
	if form == 0 {
		charset = 0
	}
	w.byte(c.typ.code, 0)
	w.byte(byte(c.typ.precision))
	s.scale(w, c.typ)
	w.int(size)
	w.int(0, 0)
	w.int(0, 0) // no type of its own
	w.int(int(charset))
	w.byte(form)
	w.int(characters)
	if s.fields >= 8 {
		w.int(0)
	}
	nullable := byte(1)
	if c.required {
		nullable = 0
	}
	w.byte(nullable, byte(len(c.name)))
	w.text(c.name)
	w.text("")
	w.text("")
	w.int(position)
	w.int(0)
}

// scale writes a type's scale; -127 is a NUMBER of any scale. A type without a scale takes
// one byte with every client.
func (s *session) scale(w *writer, t dataType) {
	scale := t.scale
	if t.code == typeNumber && t.precision == 0 {
		scale = -127
	}
	switch {
	case t.code != typeNumber && !t.isTime() || t.code == typeDate:
		w.byte(0)
	case s.wideScale:
		w.int(scale)
	default:
		w.byte(byte(int8(scale)))
	}
}

// sendRows writes the next rows of a result.
func (s *session) sendRows(w *writer, c *cursor, n int) {
	rows := c.result.rows[c.sent:]
	rows = rows[:min(len(rows), max(n, 0))]
	columns := c.result.columns
	if len(rows) > 0 {
		w.byte(messageRowHead, 0)
		w.int(len(columns)&0xff, len(columns)>>8, len(rows), 0)
		w.int(0, 0)
	}
	partial := false
	for n, row := range rows {
		sent, encoded := make([]bool, len(columns)), make([][]byte, len(columns))
		at, missing := c.sent+n, false
		for i, v := range row {
			encoded[i] = columns[i].typ.encode(v, s.charset)
			sent[i] = at < 2 || columns[i].typ.isLOB() || !bytes.Equal(encoded[i], columns[i].typ.encode(c.result.rows[at-1][i], s.charset))
			missing = missing || !sent[i]
		}
		if missing || partial { // drivers heed what was said last until they hear another
			sendColumnsSent(w, sent)
		}
		partial = missing
		w.byte(messageRow)
		for i, v := range encoded {
			if !sent[i] {
				continue
			}
			w.value(v)
			if i < len(c.long) && c.long[i] {
				w.int(0, 0) // whether it is NULL or was cut
			}
		}
	}
	c.sent += len(rows)
}

// sendColumnsSent says which columns the next row has. From the third row of a result
// on a server leaves out those that are equal to the row before.
func sendColumnsSent(w *writer, sent []bool) {
	bits, n := make([]byte, (len(sent)+7)/8), 0
	for i, is := range sent {
		if is {
			bits[i/8] |= 1 << (i % 8)
			n++
		}
	}
	w.byte(messageSent)
	w.int(n)
	w.bytes(bits)
}

// sendSettings reports what ALTER SESSION has changed: the new values, by the numbers of
// the settings. Servers before 12.1 are not known to do so.
func (s *session) sendSettings(w *writer, settings []setting) {
	if s.fields < 7 {
		return
	}
	const synchronize = 5
	w.byte(messageServer, synchronize)
	w.int(2)
	w.byte(1)
	w.int(len(settings))
	w.byte(1)
	for _, p := range settings {
		w.pair(p.value, "", settingNumbers[p.name])
	}
	w.int(1)
}

// settingNumbers are those of the settings that clients keep.
var settingNumbers = map[string]int{
	"NLS_CURRENCY": 0, "NLS_ISO_CURRENCY": 1, "NLS_NUMERIC_CHARACTERS": 2, "NLS_DATE_FORMAT": 7, "NLS_DATE_LANGUAGE": 8, "NLS_TERRITORY": 9, "NLS_SORT": 11,
	"NLS_CALENDAR": 12, "NLS_LANGUAGE": 16, "NLS_COMP": 50, "NLS_TIMESTAMP_FORMAT": 58, "NLS_TIMESTAMP_TZ_FORMAT": 60, "TIME_ZONE": 163, "CURRENT_SCHEMA": 168,
}

// endRows ends an answer with rows. The end of the rows is an error, but not one that
// markers announce.
func (s *session) endRows(w *writer, c *cursor, fetched bool) {
	v := result{cursor: c.id, rows: c.sent}
	if fetched && c.sent == len(c.result.rows) {
		v.err = Errorf(1403, "no data found")
	}
	s.result(w, v)
}

// Which way a bind of a block goes.
const (
	bindIn  = 32
	bindOut = 16
)

// sendDirections says which binds of a block are input and which are output, and sends the
// latter.
func (s *session) sendDirections(w *writer, c *cursor) {
	if len(c.bind) == 0 {
		return
	}
	direction := byte(bindIn)
	if c.result.out != nil {
		direction = bindOut
	}
	w.byte(messageDirections, 0)
	w.int(len(c.bind)&0xff, len(c.bind)>>8, 1, 0, 0, 0)
	w.bytes([]byte(strings.Repeat(string(rune(direction)), len(c.bind))))
	if direction == bindIn {
		return
	}
	w.byte(messageRow)
	for _, v := range c.result.out {
		w.value(anyText.encode(v, s.charset))
		w.int(0)
	}
}
