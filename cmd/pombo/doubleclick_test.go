package main

import (
	"strings"
	"testing"
	"testing/iotest"
)

func TestExplainDoubleClick(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{"LANG=pt_BR.UTF-8": "Tecle Enter", "LANG=C": "Press Enter"} {
		var out strings.Builder
		in := strings.NewReader("\r\nrest")
		explainDoubleClick([]string{"OTHER=1", locale}, iotest.OneByteReader(in), &out)
		if got := out.String(); !strings.Contains(got, want) || !strings.Contains(got, "pombo-start.bat") {
			t.Errorf("%s: %q, want %q", locale, got, want)
		}
		if in.Len() != len("rest") {
			t.Errorf("%s: %d bytes are left, want it to wait for Enter and no longer", locale, in.Len())
		}
	}
}
