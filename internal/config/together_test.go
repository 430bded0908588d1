package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSameFile(t *testing.T) {
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	if err := os.WriteFile(path("company.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("pombo.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("company.db", path("link.db")); err != nil {
		t.Skipf("there are no symbolic links here: %v", err)
	}
	if err := os.Link(path("company.db"), path("hard.db")); err != nil {
		t.Skipf("there are no hard links here: %v", err)
	}
	for other, want := range map[string]bool{
		"sqlite:" + path("company.db"): true, "sqlite:" + path("link.db"): true, "sqlite:" + path("hard.db"): true,
		"sqlite:" + path("pombo.db"): false, "sqlite:" + path("none.db"): false, "postgres://host/company": false, "": false,
	} {
		if got := sameFile("sqlite:"+path("company.db"), other); got != want {
			t.Errorf("the same as %s: %v, want %v", other, got, want)
		}
	}
}
