package main

import (
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// asUTF8 reads text in UTF-8, and in UTF-16 where a byte order mark says so: that is
// what PowerShell 5.1 writes with > and Notepad calls Unicode. The mark is not part of
// the text.
func asUTF8(r io.Reader) io.Reader {
	return transform.NewReader(r, unicode.BOMOverride(transform.Nop))
}
