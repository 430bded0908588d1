package telemetry

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// textTime is the time format of Python's logging: local, milliseconds after a comma.
const textTime = "2006-01-02 15:04:05,000"

// levelName returns the level's name in Python's logging. A level between two names has
// the lower one.
func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARNING"
	case l >= slog.LevelInfo:
		return "INFO"
	default:
		return "DEBUG"
	}
}

// appendText appends "2026-11-23 10:00:00,123 - INFO - message key=value …". A record
// without a time has "-" instead, so that the columns stay.
func appendText(line []byte, at time.Time, level slog.Level, message string, fields []field) []byte {
	if at.IsZero() {
		line = append(line, '-')
	} else {
		line = at.Local().AppendFormat(line, textTime)
	}
	line = append(line, " - "...)
	line = append(line, levelName(level)...)
	line = append(line, " - "...)
	line = appendEscaped(line, message)
	for _, f := range fields {
		line = append(line, ' ')
		line = appendWord(line, f.key)
		line = append(line, '=')
		line = appendWord(line, textOf(f.value))
	}
	return append(line, '\n')
}

func textOf(v slog.Value) string {
	if v.Kind() == slog.KindTime {
		return v.Time().Format(time.RFC3339Nano)
	}
	return v.String()
}

// appendWord appends s as it is if it is one word, else quoted.
func appendWord(line []byte, s string) []byte {
	if s == "" || strings.ContainsAny(s, " \"=") || !printable(s) {
		return strconv.AppendQuote(line, s)
	}
	return append(line, s...)
}

// appendEscaped appends s with an escape for each unprintable character: line breaks, but
// also what a terminal would interpret.
func appendEscaped(line []byte, s string) []byte {
	if printable(s) {
		return append(line, s...)
	}
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		if printable(s[:n]) {
			line = append(line, s[:n]...)
		} else {
			q := strconv.Quote(s[:n]) // of the bytes: an invalid one becomes \x..
			line = append(line, q[1:len(q)-1]...)
		}
		s = s[n:]
	}
	return line
}

// printable reports whether s is valid UTF-8 of printable characters, and so has no
// line break by any reader's definition.
func printable(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}
