package wine

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pombo/test/nightly"
)

// left lists what starts servers, browsers or other programs of Linux, or is tried here in
// another way.
var left = regexp.MustCompile(`^pombo/(cmd|scripts|test|internal/desk)(/|$)|^pombo/internal/(source|ledger)/(oracle|postgres)`)

// skipped names what starts servers, and TestSameFile: Wine's symbolic links are files of
// their own.
const skipped = "Postgres|Oracle|^TestSameFile$"

// The packages' own tests, as programs of Windows.
func TestPackages(t *testing.T) {
	nightly.Only(t)
	m := windows(t)
	list := exec.CommandContext(t.Context(), "go", "list", "./...")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := slices.DeleteFunc(strings.Fields(string(out)), left.MatchString)
	run := filepath.Join(t.TempDir(), "exec")
	if err := os.WriteFile(run, []byte("#!/bin/sh\nexec wine \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"test", "-short", "-p=1", "-count=1", "-vet=off", "-timeout=20m", "-skip=" + skipped,
		"-exec=" + run, "-overlay=" + overlay(t),
	}
	tests := m.command(t.Context(), "go", append(args, packages...)...)
	tests.Dir = list.Dir
	// The program has the time zones in it; a test finds them in Go's own folder, and Windows has
	// none.
	tests.Env = append(tests.Env, "ZONEINFO="+filepath.Join(goRoot(t), "lib", "time", "zoneinfo.zip"), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0", "POMBO_WINE=", "POMBO_NIGHTLY=")
	said, err := tests.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Error(err)
	}
}

// goRoot returns Go's own folder.
func goRoot(t *testing.T) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(root))
}

// overlay changes one line of Go's standard library. Wine 8 does not know the way in which
// os.RemoveAll deletes, and says so by a code for which Go has no other way; without it
// every t.TempDir would fail.
func overlay(t *testing.T) string {
	t.Helper()
	source := filepath.Join(goRoot(t), "src", "internal", "syscall", "windows", "at_windows.go")
	content, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const known, added = "case STATUS_INVALID_INFO_CLASS,", "case NTStatus(0xC0000002), STATUS_INVALID_INFO_CLASS," // STATUS_NOT_IMPLEMENTED
	if strings.Count(string(content), known) != 1 {
		t.Fatalf("%s has changed: see whether Wine still needs this", source)
	}
	changed, list := filepath.Join(t.TempDir(), "at_windows.go"), filepath.Join(t.TempDir(), "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, []byte(strings.Replace(string(content), known, added, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}
