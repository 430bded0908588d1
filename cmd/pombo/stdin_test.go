package main

import (
	"context"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"pombo"
)

// utf16Text is what Windows' programs write: little endian, a mark in front, CR LF.
func utf16Text(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		b.WriteByte(byte(unit))
		b.WriteByte(byte(unit >> 8))
	}
	return b.String()
}

func TestReadLines_Encodings(t *testing.T) {
	t.Parallel()
	big := []byte(utf16Text("José\r\n😀\r\n"))
	for i := 0; i+1 < len(big); i += 2 {
		big[i], big[i+1] = big[i+1], big[i]
	}
	for name, input := range map[string]string{
		"UTF-8":                  "José\n😀\n",
		"UTF-8 of Notepad":       "\ufeffJosé\r\n😀\r\n",
		"UTF-16":                 utf16Text("José\r\n😀\r\n"),
		"UTF-16, the other way":  string(big),
		"no line end at the end": "José\n😀",
	} {
		s := &shell{stdin: iotest.OneByteReader(strings.NewReader(input))}
		lines, err := s.readLines(context.Background())
		if err != nil || len(lines) != 2 || lines[0] != pombo.Private("José") || lines[1] != pombo.Private("😀") {
			t.Errorf("%s: %d lines, %v, want José and an emoji", name, len(lines), err)
		}
	}
}
