//go:build linux

package service

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

//go:embed pombo.service.tmpl
var unitText string

var unitTemplate = template.Must(template.New("unit").Option("missingkey=error").Parse(unitText))

// ownUser is the user of a unit unless somebody names one.
const ownUser = "pombo"

// unit returns the text of the unit. deploy/pombo.service is what it returns for a service
// that is installed without options.
func unit(o Options) (string, error) {
	for _, path := range []string{o.Program, o.EnvFile, o.Folder} {
		if strings.ContainsAny(path, " \t\n\"'\\%$;") {
			return "", &Failure{message: fmt.Sprintf("%q has a blank or another character that systemd reads in a way of its own", path), hint: "use a path of letters, digits, -, _, . and /"}
		}
	}
	state, below := strings.CutPrefix(o.Folder, "/var/lib/")
	if !below {
		state = ""
	}
	var text strings.Builder
	err := unitTemplate.Execute(&text, map[string]string{
		"Name": o.Name, "Account": o.Account, "Folder": o.Folder, "Program": o.Program, "Exec": o.Program,
		"EnvFile": o.EnvFile, "EnvFolder": filepath.Dir(o.EnvFile), "EnvBase": filepath.Base(o.EnvFile), "StateDirectory": state,
	})
	return text.String(), err
}

// systemd installs units.
type systemd struct {
	root string // before every path; "" = this machine
	// run runs a program and returns what it wrote.
	run func(name string, args ...string) (string, error)
	// user returns the ids of a user; an error when there is none.
	user  func(name string) (uid, gid int, err error)
	chown func(path string, uid, gid int) error
}

func (m systemd) at(path string) string { return filepath.Join(m.root, path) }

func (m systemd) file(name string) string { return m.at("/etc/systemd/system/" + name + ".service") }

// packaged returns the unit that a package has brought; "" = none has.
func (m systemd) packaged(name string) string {
	for _, folder := range []string{"/usr/lib/systemd/system", "/lib/systemd/system"} {
		file := m.at(folder + "/" + name + ".service")
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// install writes or rewrites the unit, and makes systemd start it with the machine.
func (m systemd) install(o Options) error {
	if o.Account == "" {
		o.Account = ownUser
	}
	if file := m.packaged(o.Name); file != "" {
		o.Note(fmt.Sprintf("a package has brought the unit %s: it is used as it is, with its own user and folders; systemctl edit %s changes it", file, o.Name))
		return carryOut(m.enable(o), o.Note)
	}
	text, err := unit(o)
	if err != nil {
		return err
	}
	steps := []step{}
	if m.root == "" {
		steps = append(steps, m.makeUser(o))
	}
	steps = append(steps, makeFolder(m.at(filepath.Dir(o.EnvFile))), m.give(filepath.Dir(o.EnvFile), o, 0o750, false),
		writeSettings(m.at(o.EnvFile)), m.give(o.EnvFile, o, 0o640, false))
	if !strings.HasPrefix(o.Folder, "/var/lib/") { // else systemd makes it
		steps = append(steps, makeFolder(m.at(o.Folder)), m.give(o.Folder, o, 0o750, true))
	}
	steps = append(steps, writeFile(m.file(o.Name), text))
	return carryOut(append(steps, m.enable(o)...), o.Note)
}

// makeUser makes the user of the service, unless there is one.
func (m systemd) makeUser(o Options) step {
	made := false
	return step{
		name: "make the user " + o.Account,
		do: func() error {
			if _, _, err := m.user(o.Account); err == nil {
				return nil
			}
			_, err := m.run("useradd", "--system", "--user-group", "--home-dir", o.Folder, "--no-create-home", "--shell", "/usr/sbin/nologin", o.Account)
			made = err == nil
			return err
		},
		undo: func() error {
			if !made {
				return nil
			}
			_, err := m.run("userdel", o.Account)
			return err
		},
	}
}

// give sets mode and owner of a file or folder: root's, with the group of the service, or
// the service's own.
func (m systemd) give(path string, o Options, mode os.FileMode, own bool) step {
	return step{
		name: "protect " + path,
		do: func() error {
			if err := os.Chmod(m.at(path), mode); err != nil || m.root != "" {
				return err
			}
			uid, gid, err := m.user(o.Account)
			if err != nil {
				return err
			}
			if !own {
				uid = 0
			}
			return m.chown(m.at(path), uid, gid)
		},
	}
}

// enable has systemd know the unit, and start it with the machine.
func (m systemd) enable(o Options) []step {
	if m.root != "" {
		return nil
	}
	word, back := "enable", "disable"
	if o.Start == StartManual {
		word, back = back, ""
	}
	steps := []step{
		{name: "have systemd read its units", do: func() error { return m.systemctl("daemon-reload") }},
		{name: word + " the unit", do: func() error { return m.systemctl(word, o.Name) }},
	}
	if back != "" {
		steps[1].undo = func() error { return m.systemctl(back, o.Name) }
	}
	return steps
}

func (m systemd) systemctl(args ...string) error {
	_, err := m.run("systemctl", args...)
	return err
}

// writeFile replaces a file; undo restores its content.
func writeFile(path, text string) step {
	var before []byte
	existed := false
	return step{
		name: "write " + path,
		do: func() error {
			var err error
			if before, err = os.ReadFile(path); err == nil {
				existed = true
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // systemd's own folder, which everybody may read
				return err
			}
			return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // everybody may read a unit: there is no secret in it
		},
		undo: func() error {
			if existed {
				return os.WriteFile(path, before, 0o644) //nolint:gosec // as above
			}
			return os.Remove(path)
		},
	}
}

// uninstall stops the service and takes its unit away.
func (m systemd) uninstall(name string) error {
	if file := m.packaged(name); file != "" {
		return &Failure{message: "a package has brought the unit " + file, hint: "remove the package; systemctl disable --now " + name + " only stops it for good"}
	}
	if _, err := os.Stat(m.file(name)); errors.Is(err, fs.ErrNotExist) {
		return notInstalled(name)
	}
	if err := m.systemctl("disable", "--now", name); err != nil {
		return err
	}
	return errors.Join(os.Remove(m.file(name)), m.systemctl("daemon-reload"))
}

// shown are the properties that statusOf reads.
const shown = "LoadState,ActiveState,MainPID,ExecMainStatus,UnitFileState,User,WorkingDirectory,ExecStart"

// query asks how the service is.
func (m systemd) query(name string) (Status, error) {
	text, err := m.run("systemctl", "show", "--property="+shown, name)
	if err != nil {
		return Status{}, err
	}
	return statusOf(name, text), nil
}

// statusOf reads what systemctl show prints.
func statusOf(name, text string) Status {
	is := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		is[key] = value
	}
	s := Status{Name: name, State: NotInstalled}
	if is["LoadState"] != "loaded" {
		return s
	}
	s.State = Stopped
	switch is["ActiveState"] {
	case "active", "reloading":
		s.State = Running
	case "activating":
		s.State = Starting
	case "deactivating":
		s.State = Stopping
	case "failed":
		s.State = Failed
	}
	s.PID, _ = strconv.Atoi(is["MainPID"])
	s.ExitCode, _ = strconv.Atoi(is["ExecMainStatus"])
	if s.State == Running {
		s.ExitCode = 0 // of the process before
	}
	s.Exit = meaning(s.ExitCode)
	s.Start = StartManual
	if is["UnitFileState"] == "enabled" {
		s.Start = StartAuto
	}
	s.Account, s.Folder = is["User"], is["WorkingDirectory"]
	if _, path, ok := strings.Cut(is["ExecStart"], "path="); ok { // { path=/usr/… ; argv[]=… }
		s.Program, _, _ = strings.Cut(path, " ")
	}
	return s
}
