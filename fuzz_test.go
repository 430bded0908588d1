package pombo

import (
	"strings"
	"testing"
)

// A template's text is other people's. Its variables are counted whatever else
// stands in it: text before and after them, and once more the same, change nothing.
func FuzzCountVariables(f *testing.F) {
	f.Add("Olá, {{1}}! {{2}}", "{{1}}")
	f.Add("{{ nome }}{{nome}}", "}}{{")
	f.Add("{{{1}}} {{}} {{ }} {{a b}} {1}", "{")
	f.Add("\xff{{\u00a0}}", "{{\x00}}")
	f.Fuzz(func(t *testing.T, text, more string) {
		const apart = " . . " // two words: no variable reaches over them
		n := CountVariables(text)
		if most := strings.Count(text, "{{"); n < 0 || n > most {
			t.Fatalf("%q has %d variables, want at most %d", text, n, most)
		}
		if got := CountVariables(text + apart + text); got != n {
			t.Errorf("%q twice has %d variables, want %d", text, got, n)
		}
		if got, most := CountVariables(text+apart+more), n+CountVariables(more); got > most || got < n {
			t.Errorf("%q and %q have %d variables, want %d to %d", text, more, got, n, most)
		}
	})
}
