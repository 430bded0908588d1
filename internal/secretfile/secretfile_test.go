package secretfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestWrite_Open: what was written is read again, for its name only, and the file of
// Windows does not show it.
func TestWrite_Open(t *testing.T) {
	t.Parallel()
	settings := filepath.Join(t.TempDir(), ".env")
	path := Path(settings, "KEYBLIP")
	for _, secret := range []string{"first", `S3nh@ "ç" #1`, strings.Repeat("x", 5000)} {
		if err := Write(path, settings, "KEYBLIP", secret); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Open("KEYBLIP", string(content))
		if err != nil || strings.TrimRight(got, "\n") != secret {
			t.Errorf("Open = %q, %v, want %q", got, err, secret)
		}
		if runtime.GOOS != "windows" {
			continue
		}
		if strings.Contains(string(content), secret) {
			t.Error("the secret stands in the file in clear")
		}
		if got, err := Open("DB_PASSWORD", string(content)); !errors.Is(err, ErrForeign) {
			t.Errorf("for another name: %q, %v, want ErrForeign", got, err)
		}
		changed := strings.Replace(string(content), "A", "B", 5)
		if got, err := Open("KEYBLIP", changed); !errors.Is(err, ErrForeign) {
			t.Errorf("changed: %q, %v, want ErrForeign", got, err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("in the folder: %v, %v, want one file", left, err)
	}
}

func TestOpen_OtherFiles(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"", "secret\n", "pombo-dpapi\nx", "two\nlines"} {
		if got, err := Open("KEYBLIP", plain); got != plain || err != nil {
			t.Errorf("Open(%q) = %q, %v, want it as it is", plain, got, err)
		}
	}
	if _, err := Open("KEYBLIP", mark+"\n***\n"); !errors.Is(err, ErrForeign) {
		t.Errorf("not base64: %v, want ErrForeign", err)
	}
	want := ErrSystem
	if runtime.GOOS == "windows" {
		want = ErrForeign
	}
	if _, err := Open("KEYBLIP", mark+"\nQUJD\n"); !errors.Is(err, want) {
		t.Errorf("of another machine: %v, want %v", err, want)
	}
}

// TestWrite_Modes: who may read the settings may read the secret, as far as they are
// the owner or, for the service, the group.
func TestWrite_Modes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are lists of rights, not modes")
	}
	root := os.Geteuid() == 0
	for mode, want := range map[os.FileMode]os.FileMode{0: 0o600, 0o600: 0o600, 0o640: 0o640, 0o644: 0o640, 0o604: 0o600} {
		settings := filepath.Join(t.TempDir(), ".env")
		if mode != 0 {
			if err := os.WriteFile(settings, nil, mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(settings, mode); err != nil {
				t.Fatal(err)
			}
		}
		if !root {
			want = 0o600
		}
		path := Path(settings, "DB_PASSWORD")
		if err := Write(path, settings, "DB_PASSWORD", "x"); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("settings %04o: the secret has %v, %v, want %04o", mode, info.Mode().Perm(), err, want)
		}
		folder, err := os.Stat(filepath.Dir(path))
		if err != nil || folder.Mode().Perm()&0o007 != 0 {
			t.Errorf("settings %04o: the folder has %v, %v, want nothing for others", mode, folder.Mode().Perm(), err)
		}
	}
}
