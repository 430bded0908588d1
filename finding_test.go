package pombo

import (
	"strings"
	"testing"
)

// Every kind of finding can be told to a person, and no sentence is left over.
func TestEveryFindingHasItsSentence(t *testing.T) {
	for _, k := range FindingKinds() {
		for _, s := range []string{k.Sentence(), k.Todo()} {
			if s == "" || strings.HasSuffix(s, ".") {
				t.Errorf("%s: sentence %q, want one without a full stop", k, s)
			}
		}
	}
	if len(FindingKinds()) != len(findings) {
		t.Errorf("%d kinds, %d have sentences", len(FindingKinds()), len(findings))
	}
}
