package doctor

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pombo/internal/config"
)

// documents is what doctor says of a folder.
func documents(t *testing.T, dir string) []Finding {
	t.Helper()
	return diagnoseDocuments(t.Context(), config.Config{Dispatch: config.Dispatch{DocumentsDir: dir}}, running{})
}

func TestDiagnoseDocuments(t *testing.T) {
	t.Parallel()
	if found := documents(t, ""); len(found) != 0 {
		t.Errorf("without DOCUMENTS_DIR: %+v, want nothing", found)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "laudo.pdf")
	full, empty, open := filepath.Join(dir, "full"), filepath.Join(dir, "empty"), filepath.Join(dir, "open")
	for _, d := range []string{full, empty, open} {
		if err := os.Mkdir(d, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{file, filepath.Join(full, "laudo.pdf"), filepath.Join(open, "laudo.pdf")} {
		if err := os.WriteFile(f, []byte("%PDF-1.7"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	everybody := Warn
	if runtime.GOOS == "windows" { // rights are lists there
		everybody = OK
	}
	for _, tt := range []struct {
		name, dir     string
		want          Result
		message, hint string // a word of each
	}{
		{"a folder with files", full, OK, "can be read", ""},
		{"no folder", filepath.Join(dir, "none"), Fail, "none", "mount the share"},
		{"a file", file, Fail, "is not a folder", "DOCUMENTS_DIR"},
		{"an empty folder", empty, Warn, "is empty", "mount the share"},
		{"everybody may write", open, everybody, "", ""},
	} {
		found := documents(t, tt.dir)
		if len(found) != 1 || found[0].Result != tt.want || found[0].Part != "documents" || !strings.Contains(found[0].Message, tt.message) || !strings.Contains(found[0].Hint, tt.hint) {
			t.Errorf("%s: %+v, want %s with %q and the hint %q", tt.name, found, tt.want, tt.message, tt.hint)
		}
	}
}
