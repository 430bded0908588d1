package doctor

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFilesThatOthersMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("rights are lists there")
	}
	file := filepath.Join(t.TempDir(), ".env")
	if found := DiagnoseSettings(t.Context(), file); len(found) != 0 {
		t.Errorf("no file: %+v, want nothing", found)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	group := Warn
	if os.Geteuid() == 0 {
		group = OK // a file of root's may be for the group of the service
	}
	for mode, want := range map[os.FileMode]Result{0o600: OK, 0o400: OK, 0o640: group, 0o644: Warn, 0o666: Warn, 0o604: Warn} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		found := DiagnoseSettings(t.Context(), file)
		if len(found) != 1 || found[0].Result != want || want == Warn && !strings.HasPrefix(found[0].Hint, "chmod ") {
			t.Errorf("%04o: %+v, want %s and what to do", mode, found, want)
		}
	}
}
