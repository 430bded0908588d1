package pombo

import (
	"strings"
	"testing"
)

// Every kind of finding can be told to a person, and no sentence is left over.
func TestEveryFindingHasItsSentence(t *testing.T) {
	for _, k := range DiscrepancyKinds() {
		for _, s := range []string{k.Message(), k.Hint()} {
			if s == "" || strings.HasSuffix(s, ".") {
				t.Errorf("%s: sentence %q, want one without a full stop", k, s)
			}
		}
	}
	if len(DiscrepancyKinds()) != len(findings) {
		t.Errorf("%d kinds, %d have sentences", len(DiscrepancyKinds()), len(findings))
	}
}
