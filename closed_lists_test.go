package pombo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// declared returns the values of the constants that a file declares with a type of
// strings.
func declared[T ~string](t *testing.T, path, name string) []T {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []T
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, isLiteral := spec.Values[0].(*ast.BasicLit)
		if typ, isName := spec.Type.(*ast.Ident); !isLiteral || !isName || typ.Name != name {
			return true
		}
		word, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, T(word))
		return true
	})
	return list
}

// sameList fails the test when a declared constant is missing from its table, or
// the table has more.
func sameList[T ~string](t *testing.T, declared, table []T) {
	t.Helper()
	got, want := slices.Sorted(slices.Values(table)), slices.Sorted(slices.Values(declared))
	if len(declared) == 0 || !slices.Equal(got, want) {
		t.Errorf("the table has %q, want what is declared: %q", got, want)
	}
}

// sentence fails the test when a text is missing or ends in a full stop.
func sentence(t *testing.T, of, text string) {
	t.Helper()
	if text == "" || strings.HasSuffix(text, ".") {
		t.Errorf("%s: text %q, want one without a full stop", of, text)
	}
}

// TestReasons: a reason without a class, a wait reason, a message or a hint fails.
func TestReasons(t *testing.T) {
	sameList(t, declared[Reason](t, "reason.go", "Reason"), append(slices.Collect(maps.Keys(reasons)), NoReason))
	for r, entry := range reasons {
		sentence(t, string(r), r.Message())
		sentence(t, string(r), r.Hint())
		if entry.class < ClassRow || entry.class > ClassOperator || entry.class != r.Class() {
			t.Errorf("%s: class = %d, want one of the list", r, entry.class)
		}
		if !slices.Contains(WaitReasons(), entry.wait) || entry.wait != r.WaitReason() {
			t.Errorf("%s: wait reason = %q, want one of the list", r, entry.wait)
		}
		if !r.Valid() {
			t.Errorf("%s is not valid", r)
		}
	}
	if !NoReason.Valid() || Reason("because").Valid() {
		t.Error("an unknown word is valid")
	}
	if NoReason.Class() != 0 || Reason("because").Class() != 0 {
		t.Error("no reason, or an unknown word, has a class")
	}
}

// TestReasons_AreDocumented: docs/operations.md has the message and the hint of each.
func TestReasons_AreDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for r := range reasons {
		if line := "| `" + string(r) + "` | " + r.Message() + " | " + r.Hint() + " |\n"; !strings.Contains(string(page), line) {
			t.Errorf("docs/operations.md lacks %s", line)
		}
	}
	for _, k := range DiscrepancyKinds() {
		if line := "| `" + string(k) + "` | " + k.Message() + " | " + k.Hint() + " |\n"; !strings.Contains(string(page), line) {
			t.Errorf("docs/operations.md lacks %s", line)
		}
	}
}

func TestWaitReasons(t *testing.T) {
	sameList(t, declared[WaitReason](t, "wait_reason.go", "WaitReason"), WaitReasons())
	for _, w := range WaitReasons() {
		sentence(t, string(w), w.Message())
		sentence(t, string(w), w.Hint())
	}
}

func TestDiscrepancyKinds(t *testing.T) {
	sameList(t, declared[DiscrepancyKind](t, "reconciliation.go", "DiscrepancyKind"), DiscrepancyKinds())
	for _, k := range DiscrepancyKinds() {
		sentence(t, string(k), k.Message())
		sentence(t, string(k), k.Hint())
	}
}

func TestResendPolicies(t *testing.T) {
	sameList(t, declared[ResendPolicy](t, "resend_policy.go", "ResendPolicy"), slices.Collect(maps.Keys(resendPolicies)))
	for r := range resendPolicies {
		sentence(t, string(r), r.Message())
	}
}

func TestReplyWords(t *testing.T) {
	sameList(t, declared[ReplyKind](t, "inbound.go", "ReplyKind"), ReplyKinds())
	sameList(t, declared[ReplyMatch](t, "inbound.go", "ReplyMatch"), ReplyMatches())
}
