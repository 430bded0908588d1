//go:build linux

package service

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/pombo.service anew")

func usual(notes *[]string) Options {
	return Options{
		Name: "pombo", Program: "/usr/local/bin/pombo", Folder: "/var/lib/pombo", EnvFile: "/etc/pombo/pombo.env", Start: StartDelayed,
		Note: func(text string) { *notes = append(*notes, text) },
	}
}

// deploy/pombo.service is the unit of an installation without options.
func TestUnit_IsTheOneOfDeploy(t *testing.T) {
	o := usual(nil)
	o.Account = ownUser
	text, err := unit(o)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("..", "..", "deploy", "pombo.service")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(shipped) != text {
		t.Error("deploy/pombo.service is not what pombo service install writes: go test ./internal/service -update")
	}
}

// fakeSystem notes what is run, and has the users that useradd makes.
type fakeSystem struct {
	ran   []string
	users map[string]bool
	fails string
}

func (f *fakeSystem) run(name string, args ...string) (string, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	if f.fails != "" && strings.HasPrefix(line, f.fails) {
		return "", errors.New("refused")
	}
	f.ran = append(f.ran, line)
	user := args[len(args)-1]
	switch name {
	case "useradd":
		f.users[user] = true
	case "userdel":
		delete(f.users, user)
	}
	return "", nil
}

func (f *fakeSystem) user(name string) (int, int, error) {
	if !f.users[name] {
		return 0, 0, errors.New("unknown user")
	}
	return os.Getuid(), os.Getgid(), nil
}

// machineOf is a systemd whose files lie in a folder of the test, with users and commands.
func machineOf(t *testing.T, f *fakeSystem) systemd {
	t.Helper()
	f.users = map[string]bool{}
	return systemd{run: f.run, user: f.user, chown: func(string, int, int) error { return nil }}
}

// inFolder puts all the paths of a service below a folder.
func inFolder(o Options, folder string) Options {
	o.Folder, o.EnvFile = filepath.Join(folder, "srv"), filepath.Join(folder, "etc", "pombo.env")
	return o
}

func TestSystemd_WritesBelowARoot(t *testing.T) {
	t.Parallel()
	var notes []string
	root := t.TempDir()
	o := usual(&notes)
	if err := (systemd{root: root}).install(o); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"etc/systemd/system/pombo.service": 0o644, "etc/pombo": 0o750, "etc/pombo/pombo.env": 0o640} {
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := info.Mode().Perm(); got != mode {
			t.Errorf("mode of %s = %o, want %o", path, got, mode)
		}
	}
	if len(notes) != 0 {
		t.Errorf("notes = %q", notes)
	}
}

// Where there is systemd, it says what it thinks of the unit.
func TestSystemd_TakesTheUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed (Debian's package systemd)")
	}
	for name, change := range map[string]func(*Options){
		"the usual": func(*Options) {},
		"all else": func(o *Options) {
			o.Name, o.Account, o.Folder, o.EnvFile = "pombo2", "root", "/srv/pombo", "/srv/pombo/.env"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := usual(nil)
			change(&o)
			root := t.TempDir()
			o.Program = "/bin/true" // it has to be there
			if err := (systemd{root: root}).install(o); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", "--recursive-errors=no", (systemd{root: root}).file(o.Name)).CombinedOutput()
			if err != nil || len(strings.TrimSpace(string(out))) > 0 {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
		})
	}
}

func TestSystemd_Install(t *testing.T) {
	t.Parallel()
	var notes []string
	f := &fakeSystem{}
	m := machineOf(t, f)
	root := t.TempDir()
	o := inFolder(usual(&notes), root)
	steps := append([]step{m.makeUser(withUser(o))}, m.enable(o)...)
	if err := carryOut(steps, o.Note); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"useradd --system --user-group --home-dir " + o.Folder + " --no-create-home --shell /usr/sbin/nologin pombo",
		"systemctl daemon-reload", "systemctl enable pombo",
	}
	if !slices.Equal(f.ran, want) {
		t.Errorf("ran %q, want %q", f.ran, want)
	}
	f.ran = nil
	o.Start = StartManual
	if err := carryOut(append([]step{m.makeUser(withUser(o))}, m.enable(o)...), o.Note); err != nil {
		t.Fatal(err)
	}
	if want := []string{"systemctl daemon-reload", "systemctl disable pombo"}; !slices.Equal(f.ran, want) {
		t.Errorf("ran %q, want %q", f.ran, want)
	}
}

func withUser(o Options) Options {
	o.Account = ownUser
	return o
}

func TestSystemd_UndoesWhatItHasDone(t *testing.T) {
	t.Parallel()
	var notes []string
	f := &fakeSystem{fails: "systemctl enable"}
	m := machineOf(t, f)
	folder := t.TempDir()
	o := withUser(inFolder(usual(&notes), folder))
	unitFile := filepath.Join(folder, "units", "pombo.service")
	steps := []step{m.makeUser(o), makeFolder(filepath.Dir(o.EnvFile)), writeSettings(o.EnvFile), m.give(o.EnvFile, o, 0o640, false), writeFile(unitFile, "new")}
	err := carryOut(append(steps, m.enable(o)...), o.Note)
	if err == nil || !strings.Contains(err.Error(), "enable the unit: refused") {
		t.Fatalf("error = %v", err)
	}
	if f.users["pombo"] {
		t.Error("the user is still there")
	}
	for _, path := range []string{unitFile, o.EnvFile, filepath.Dir(o.EnvFile)} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", path)
		}
	}
	write(t, unitFile)
	if err := carryOut(append([]step{writeFile(unitFile, "new")}, m.enable(o)...), o.Note); err == nil {
		t.Fatal("it did not fail")
	}
	if text, _ := os.ReadFile(unitFile); string(text) != "x" {
		t.Errorf("the unit = %q, want the old one", text)
	}
}

// The unit of a package stays as it is.
func TestSystemd_LeavesThePackagesUnit(t *testing.T) {
	t.Parallel()
	var notes []string
	root := t.TempDir()
	write(t, filepath.Join(root, "usr/lib/systemd/system/pombo.service"))
	m := systemd{root: root}
	if err := m.install(usual(&notes)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(m.file("pombo")); err == nil || len(notes) != 1 {
		t.Errorf("a second unit was written, or not a word of it: %q", notes)
	}
	if err := m.uninstall("pombo"); err == nil || !strings.Contains(err.Error(), "package") {
		t.Errorf("error = %v", err)
	}
}

func TestUnit_RefusesPathsThatSystemdReadsDifferently(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/srv/a b", "/srv/%h", "/srv/$x", "/srv/\n[Service]"} {
		o := usual(nil)
		o.Folder = path
		if _, err := unit(o); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want Status
	}{
		{"LoadState=not-found\nActiveState=inactive\n", Status{Name: "pombo", State: NotInstalled}},
		{
			"LoadState=loaded\nActiveState=active\nMainPID=42\nExecMainStatus=1\nUnitFileState=enabled\nUser=pombo\nWorkingDirectory=/var/lib/pombo\nExecStart={ path=/usr/bin/pombo ; argv[]=/usr/bin/pombo start ; }\n",
			Status{Name: "pombo", State: Running, PID: 42, Start: StartAuto, Account: "pombo", Folder: "/var/lib/pombo", Program: "/usr/bin/pombo"},
		},
		{
			"LoadState=loaded\nActiveState=failed\nMainPID=0\nExecMainStatus=78\nUnitFileState=disabled\n",
			Status{Name: "pombo", State: Failed, ExitCode: 78, Exit: "wrong configuration", Start: StartManual},
		},
		{"LoadState=loaded\nActiveState=activating\nExecMainStatus=1\n", Status{Name: "pombo", State: Starting, ExitCode: 1, Exit: "it failed", Start: StartManual}},
	} {
		got := statusOf("pombo", test.text)
		if got.Checks != nil || got.Ready != nil {
			t.Errorf("status = %+v", got)
		}
		got.Checks = nil
		if !equalStatus(got, test.want) {
			t.Errorf("status = %+v, want %+v", got, test.want)
		}
	}
}

func equalStatus(a, b Status) bool {
	return a.Name == b.Name && a.State == b.State && a.PID == b.PID && a.ExitCode == b.ExitCode && a.Exit == b.Exit && a.Start == b.Start &&
		a.Account == b.Account && a.Folder == b.Folder && a.Program == b.Program
}
