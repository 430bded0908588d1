package pombo

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
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
