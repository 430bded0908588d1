package pombo

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocs_NameFilesThatExist: a page that names a file of the code stays true when the
// file moves.
func TestDocs_NameFilesThatExist(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("[`(]((?:internal|cmd|test|scripts|deploy)/[A-Za-z0-9_./-]+)[`)]")
	found := 0
	for _, page := range append(pages, "README.md", "README.pt-BR.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllSubmatch(text, -1) {
			found++
			if path := string(m[1]); path != "internal/source/NAME/" && path != "internal/source/NAME/conformance_test.go" {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s names %s: %v", page, path, err)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no page names a file")
	}
}

// TestDocs_PairsSayTheSame: a page in Portuguese has the headings, tables, blocks and names of
// the one in English, so that neither falls behind. Each links to the other.
func TestDocs_PairsSayTheSame(t *testing.T) {
	pages, err := filepath.Glob("docs/*.pt-BR.md")
	if err != nil {
		t.Fatal(err)
	}
	const portuguese = ".pt-BR.md"
	pages = append(pages, "README"+portuguese)
	if len(pages) < 5 {
		t.Errorf("pages in Portuguese: %v", pages)
	}
	for _, page := range pages {
		other := strings.TrimSuffix(page, portuguese) + ".md"
		if diff := cmp.Diff(outlineOf(t, other), outlineOf(t, page)); diff != "" {
			t.Errorf("%s and its Portuguese twin (-English +Portuguese):\n%s", other, diff)
		}
		for from, to := range map[string]string{page: other, other: page} {
			if text, err := os.ReadFile(from); err != nil || !strings.Contains(string(text[:min(len(text), 300)]), "]("+filepath.Base(to)+")") {
				t.Errorf("the top of %s does not lead to %s (%v)", from, to, err)
			}
		}
	}
}

// outline is what two pages have alike that say the same in two languages.
type outline struct {
	Body  []string // in order: the level of each heading, a row of a table, a block
	Names []string // settings, codes, metrics: they have no translation
}

var untranslated = regexp.MustCompile("\\b[A-Z]+(?:_[A-Z]+)+\\b|`[a-z]+(?:[_.][a-z]+)+`")

func outlineOf(t *testing.T, page string) (o outline) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	block := false
	for line := range strings.Lines(string(text)) {
		word, _, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "```"):
			if block = !block; block {
				o.Body = append(o.Body, strings.TrimSpace(line))
			}
		case block:
		case strings.Trim(word, "#") == "" && word != "":
			o.Body = append(o.Body, word)
		case strings.HasPrefix(line, "|"):
			o.Body = append(o.Body, "row")
		}
	}
	o.Names = untranslated.FindAllString(string(text), -1)
	slices.Sort(o.Names)
	o.Names = slices.Compact(o.Names)
	return o
}

// TestDocs_StepsOfTheRoad: the page that follows one row names each step of its delivery.
func TestDocs_StepsOfTheRoad(t *testing.T) {
	code, err := os.ReadFile("internal/delivery/road.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/how-a-notification-travels.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(code), "return []step{")
	list, _, _ = strings.Cut(list, "\n\t}")
	steps := regexp.MustCompile(`d\.(\w+),`).FindAllStringSubmatch(list, -1)
	if len(steps) < 20 {
		t.Fatalf("found %d steps in road.go", len(steps))
	}
	for _, step := range steps {
		if !strings.Contains(string(page), "`"+step[1]+"`") {
			t.Errorf("how-a-notification-travels.md does not name the step %s", step[1])
		}
	}
}
