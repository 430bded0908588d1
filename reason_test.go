package pombo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// Every reason that the code declares can be told to a person, and no sentence
// is left over.
func TestEveryReasonHasItsSentence(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		word, err := strconv.Unquote(literal.Value)
		if err != nil || word == "" {
			return true
		}
		declared++
		r := Reason(word)
		for _, s := range []string{r.Message(), r.Hint()} {
			if s == "" || strings.HasSuffix(s, ".") {
				t.Errorf("%s: sentence %q, want one without a full stop", r, s)
			}
		}
		if !r.Valid() {
			t.Errorf("%s is not valid", r)
		}
		return true
	})
	if declared == 0 || declared != len(sentences) {
		t.Errorf("%d reasons declared, %d have sentences", declared, len(sentences))
	}
	if !NoReason.Valid() || Reason("because").Valid() {
		t.Error("a word that is no reason is valid")
	}
}
