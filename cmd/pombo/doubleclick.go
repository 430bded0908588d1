package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"pombo/internal/words"
)

// explainDoubleClick says what to use instead of a double-click, and keeps the window
// open until Enter.
func explainDoubleClick(environ []string, stdin io.Reader, stderr io.Writer) {
	w := words.In(words.FromLocale(func(name string) string {
		for _, entry := range environ {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value
			}
		}
		return ""
	}))
	_, _ = fmt.Fprintf(stderr, "\n%s\n\n%s ", w.Text("console.double_click"), w.Text("console.enter")) // there is nowhere else to report it
	_, _ = bufio.NewReader(stdin).ReadString('\n')                                                     // its end will do too
}
