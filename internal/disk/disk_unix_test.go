//go:build linux || darwin || freebsd

package disk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWritable(t *testing.T) {
	folder := t.TempDir()
	shut, open := filepath.Join(folder, "shut"), filepath.Join(folder, "open")
	for path, mode := range map[string]os.FileMode{shut: 0o555, open: 0o777} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 { // who is refused nothing
		for _, path := range []string{filepath.Dir(folder), folder} {
			if err := os.Chmod(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		const nobody = 65534
		if err := syscall.Seteuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Seteuid(0); err != nil {
				t.Fatal(err)
			}
		}()
	}
	if err := Writable(shut); err == nil {
		t.Error("a file could be made in a closed folder")
	}
	if err := Writable(open); err != nil {
		t.Errorf("a file could not be made in an open folder: %v", err)
	}
}
