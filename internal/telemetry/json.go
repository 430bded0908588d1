package telemetry

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonTime is RFC 3339 with milliseconds and the zone.
const jsonTime = "2006-01-02T15:04:05.000Z07:00"

// appendJSON appends a flat object: timestamp, level, message and the fields. Numbers and
// booleans keep their type; a duration is text such as "1.5s", so a duration to compute
// with is logged as a number with its unit in the name. A field with the name of one of
// the three gets an underscore at its end.
func appendJSON(line []byte, at time.Time, level slog.Level, message string, fields []field) []byte {
	line = append(line, '{')
	if !at.IsZero() {
		line = append(line, `"timestamp":"`...)
		line = at.Local().AppendFormat(line, jsonTime)
		line = append(line, `",`...)
	}
	line = append(line, `"level":"`...)
	line = append(line, levelName(level)...)
	line = append(line, `","message":`...)
	line = appendString(line, message)
	for _, f := range fields {
		key := f.key
		switch key {
		case "timestamp", "level", "message":
			key += "_"
		}
		line = append(line, ',')
		line = appendString(line, key)
		line = append(line, ':')
		line = appendValue(line, f.value)
	}
	return append(line, '}', '\n')
}

func appendValue(line []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindBool:
		return strconv.AppendBool(line, v.Bool())
	case slog.KindInt64:
		return strconv.AppendInt(line, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(line, v.Uint64(), 10)
	case slog.KindFloat64:
		if f := v.Float64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.AppendFloat(line, f, 'g', -1, 64)
		}
	}
	return appendString(line, textOf(v))
}

// appendString appends a JSON string. Plain ASCII, which is nearly all, is copied.
func appendString(line []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendQuoted(line, s)
		}
	}
	line = append(line, '"')
	line = append(line, s...)
	return append(line, '"')
}

// appendQuoted leaves the quoting to encoding/json, which replaces invalid UTF-8, and also
// escapes what JSON allows but a terminal would interpret, or a reader take for a line
// break, such as U+0085.
func appendQuoted(line []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(line, `""`...) // cannot happen: a string always marshals
	}
	for _, r := range string(quoted) {
		switch {
		case strconv.IsPrint(r):
			line = utf8.AppendRune(line, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			line = fmt.Appendf(line, `\u%04x\u%04x`, high, low)
		default:
			line = fmt.Appendf(line, `\u%04x`, r)
		}
	}
	return line
}
