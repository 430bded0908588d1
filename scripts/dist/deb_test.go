package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pombo/test/nightly"
)

// What becomes of settings and data when the Debian package comes, is upgraded, goes and is
// purged. dpkg does it in a folder of its own, and its scripts with it.
func TestDebianPackage_Life(t *testing.T) {
	nightly.Only(t) // builds the packager first
	for _, name := range []string{"dpkg", "useradd", "deb-systemd-helper"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("skipped: %s is not here", name)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("skipped: dpkg gives files to root")
	}
	t.Chdir(filepath.Join("..", ".."))
	root, program := filepath.Join(t.TempDir(), "root"), filepath.Join(t.TempDir(), "pombo")
	write := func(path, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pkg := func(version string) string {
		t.Helper()
		write(program, "program "+version)
		r := &release{work: t.TempDir(), out: t.TempDir(), log: io.Discard, version: version, time: commitTime, programs: map[target]string{linuxAMD64: program}}
		if err := makePackage("deb")(context.Background(), r, linuxAMD64); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(r.out, r.name(linuxAMD64)+".deb")
	}
	dpkg := func(args ...string) {
		t.Helper()
		cmd := exec.Command("dpkg", append([]string{"--root=" + root, "--force-script-chrootless", "--force-depends"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("dpkg %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	has := func(when, path, want string) {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(root, path))
		if got := string(content); err != nil && want != "" || got != want {
			t.Errorf("%s %s is %q, %v, want %q", when, path, got, err, want)
		}
	}
	write(filepath.Join(root, "var/lib/dpkg/status"), "")
	write(filepath.Join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")
	write(filepath.Join(root, "etc/group"), "root:x:0:\n")

	dpkg("-i", pkg("1.0.0"))
	has("installed,", "usr/bin/pombo", "program 1.0.0")
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !strings.Contains(string(users), "\npombo:") {
		t.Errorf("there is no user pombo: %s, %v", users, err)
	}
	if info, err := os.Stat(filepath.Join(root, "etc/pombo")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("the folder of the settings: %v, %v", info, err)
	}
	if _, err := os.Lstat(filepath.Join(root, "etc/systemd/system/multi-user.target.wants/pombo.service")); err != nil {
		t.Errorf("the service does not start with the machine: %v", err)
	}
	settings, ledger := "etc/pombo/pombo.env", "var/lib/pombo/data/pombo.db"
	write(filepath.Join(root, settings), "KEYBLIP=x")
	write(filepath.Join(root, ledger), "what was sent")

	dpkg("-i", pkg("1.1.0"))
	has("upgraded,", "usr/bin/pombo", "program 1.1.0")
	has("upgraded,", settings, "KEYBLIP=x")
	dpkg("-r", "pombo")
	has("removed,", "usr/bin/pombo", "")
	has("removed,", settings, "KEYBLIP=x")
	has("removed,", ledger, "what was sent")
	dpkg("-P", "pombo")
	for _, path := range []string{settings, ledger} {
		has("purged,", path, "")
	}
}
