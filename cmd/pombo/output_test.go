package main

import (
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/api"
)

// TestOutput_KeepsValuesOnOneLine: what came from outside makes no line of its own.
func TestOutput_KeepsValuesOnOneLine(t *testing.T) {
	const key = "47\n11  a\r\n\tb"
	g := newGrid("id", "row")
	g.add("1", key)
	if lines := strings.Split(strings.TrimSuffix(g.String(), "\n"), "\n"); len(lines) != 2 || !strings.HasSuffix(lines[1], "47 11  a  b") {
		t.Errorf("grid = %q, want the header and one line", lines)
	}
	var out strings.Builder
	s := &shell{stdout: &out}
	n := api.Notification{ID: "x", Row: key, Source: "s", State: pombo.Failed, Detail: "a\nstate  read", Created: time.Unix(0, 0)}
	s.summarize(n)
	for line := range strings.Lines(out.String()) {
		if name, _, ok := strings.Cut(line, " "); !ok || name == "11" || strings.HasPrefix(line, "state  read") {
			t.Errorf("a line of its own: %q", line)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 6 {
		t.Errorf("%d lines, want 6:\n%s", n, out.String())
	}
}
