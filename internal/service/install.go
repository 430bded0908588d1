package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// machine is what installing needs of Windows.
type machine interface {
	// Find returns the service as it is; errNoService when there is none.
	Find(name string) (definition, error)
	Create(name string, d definition) error
	// Change keeps the password when d has none.
	Change(name string, d definition) error
	Delete(name string) error
	Set(name string, s setting) error
	// AddSource makes the source of events known, and reports whether it was not before.
	AddSource() (added bool, err error)
	RemoveSource() error
	// Firewall runs netsh advfirewall firewall.
	Firewall(args ...string) error
}

// definition is what a service of Windows has from its first moment on.
type definition struct {
	Command  string
	Account  string
	Password string
	Start    StartMode // delayed counts as auto
}

// setting is one of those that Windows takes by a call of its own.
type setting struct {
	name  string
	level uint32 // the number of Windows (SERVICE_CONFIG_…)

	text     string          // description; names of privileges, each ended by a zero
	flag     uint32          // on or off; a kind of SID
	restarts []time.Duration // after the first crash, the second, and each further one
	span     time.Duration
}

// The numbers of Windows.
const (
	levelDescription    = 1
	levelFailureActions = 2
	levelDelayed        = 3
	levelFailureFlag    = 4
	levelSID            = 5
	levelPrivileges     = 6
	levelPreshutdown    = 7
)

// shutdownTime is how long Windows waits for the service when the machine shuts down.
// Unless it is asked for, that is ten seconds.
const shutdownTime = 45 * time.Second

// settingsOf lists what Windows may refuse without harm.
func settingsOf(mode StartMode) []setting {
	flag := uint32(0)
	if mode == StartDelayed {
		flag = 1
	}
	return []setting{
		{name: "restart after a crash", level: levelFailureActions, restarts: []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute}, span: 24 * time.Hour},
		// A reported end is not a crash: a wrong setting stays as it is.
		{name: "no restart after a wrong setting", level: levelFailureFlag, flag: 0},
		{name: "description", level: levelDescription, text: description},
		{name: "delayed start", level: levelDelayed, flag: flag},
		{name: "a SID of its own", level: levelSID, flag: 1},
		{name: "no privilege but one", level: levelPrivileges, text: "SeChangeNotifyPrivilege\x00"}, // to pass through folders
		{name: "time when the machine shuts down", level: levelPreshutdown, span: shutdownTime},
	}
}

// installer installs on Windows.
type installer struct {
	machine machine
	protect func(path, sddl string) error
	rights  func(path string) (string, error)
}

// install makes the service, or changes the one that is there.
func (in installer) install(o Options) error {
	before, err := in.machine.Find(o.Name)
	exists := err == nil
	if err != nil && !errors.Is(err, errNoService) {
		return err
	}
	if o.Account == "" {
		o.Account = ownAccount(o.Name)
	}
	wanted := definition{Command: commandLine(o), Account: o.Account, Password: o.Password, Start: o.Start}
	steps := []step{
		makeFolder(o.Folder),
		{
			name: "make the service",
			do:   func() error { return in.machine.Create(o.Name, wanted) },
			undo: func() error { return in.machine.Delete(o.Name) },
		},
	}
	if exists {
		steps[1] = step{
			name: "change the service",
			do:   func() error { return in.machine.Change(o.Name, wanted) },
			undo: func() error { return in.machine.Change(o.Name, before) },
		}
	}
	for _, s := range settingsOf(o.Start) {
		steps = append(steps, step{name: s.name, optional: true, do: func() error { return in.machine.Set(o.Name, s) }})
	}
	steps = append(steps, in.source(), writeSettings(filepath.Join(o.Folder, ".env")),
		in.rightsOf(o.Folder, folderRights(o.Name, o.Account)),
		in.rightsOf(filepath.Join(o.Folder, ".env"), settingsRights(o.Name, o.Account)))
	if o.Firewall && len(o.Ports) > 0 {
		steps = append(steps, in.rule(o))
	}
	return carryOut(steps, o.Note)
}

// source makes the source of events known. Without it the events are there, under a text
// that says that their description is missing.
func (in installer) source() step {
	added := false
	return step{
		name: "make the source of events known",
		do: func() (err error) {
			added, err = in.machine.AddSource()
			return err
		},
		undo: func() error {
			if !added {
				return nil
			}
			return in.machine.RemoveSource()
		},
		optional: true,
	}
}

// rightsOf gives a file or folder its list of rights, which undo takes back.
func (in installer) rightsOf(path, sddl string) step {
	before := ""
	return step{
		name: "protect " + path,
		do: func() (err error) {
			if before, err = in.rights(path); err != nil {
				return err
			}
			return in.protect(path, sddl)
		},
		undo: func() error { return in.protect(path, before) },
	}
}

// rule lets other machines reach the ports of the program, in the network of the company.
func (in installer) rule(o Options) step {
	ports := strings.Trim(strings.ReplaceAll(fmt.Sprint(o.Ports), " ", ","), "[]")
	remove := func() error { return in.machine.Firewall("delete", "rule", "name="+ruleName(o.Name)) }
	return step{
		name:     "open the firewall",
		optional: true,
		do: func() error {
			_ = remove() // that of another installation; there may be none
			return in.machine.Firewall("add", "rule", "name="+ruleName(o.Name), "dir=in", "action=allow", "program="+o.Program,
				"protocol=TCP", "localport="+ports, "profile=domain")
		},
		undo: remove,
	}
}

func ruleName(name string) string { return "Pombo (" + name + ")" }

// makeFolder makes the folder of data. One that was there stays when the rest fails.
func makeFolder(path string) step {
	made := ""
	return step{
		name: "make the folder " + path,
		do: func() error {
			made = firstMissing(path)
			return os.MkdirAll(path, 0o750)
		},
		undo: func() error {
			for at := path; made != ""; at = filepath.Dir(at) {
				if err := os.Remove(at); err != nil || at == made {
					return err
				}
			}
			return nil
		},
	}
}

// firstMissing is the uppermost folder of a path that is not there; "" = all are.
func firstMissing(path string) string {
	missing := ""
	for at := path; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return missing
		}
		missing = at
	}
}

// firstSettings is what stands in a new file of settings, so that it is there to be
// protected before somebody writes the key into it.
const firstSettings = `# The settings of Pombo. docs/configuration.md has them all; pombo config shows which are
# in force, and pombo doctor tries them. A line that begins with # does not count.

#KEYBLIP=
#TEMPLATE_NAME=
#NAMESPACE=
#DB_URL=
`

// writeSettings makes the file of settings, unless it is there.
func writeSettings(path string) step {
	made := false
	return step{
		name: "make " + path,
		do: func() error {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return nil
			}
			if err != nil {
				return err
			}
			made = true
			_, err = f.WriteString(firstSettings)
			return errors.Join(err, f.Close())
		},
		undo: func() error {
			if !made {
				return nil
			}
			return os.Remove(path)
		},
	}
}

// uninstall takes the service away, and what belongs to it but its folder.
func (in installer) uninstall(name string) error {
	if err := in.machine.Delete(name); err != nil {
		return err
	}
	_ = in.machine.Firewall("delete", "rule", "name="+ruleName(name)) // there may be none
	if name != DefaultName {
		return nil // the source is everybody's
	}
	return in.machine.RemoveSource()
}

// purge removes what Pombo has written in its folder, and the folder if nothing else is in
// it: it may be one that somebody else uses, too.
func purge(folder string) error {
	var errs []error
	for _, name := range []string{".env", "data", "logs", "secrets"} {
		errs = append(errs, os.RemoveAll(filepath.Join(folder, name)))
	}
	if left, err := os.ReadDir(folder); err == nil && len(left) == 0 {
		errs = append(errs, os.Remove(folder))
	}
	return errors.Join(errs...)
}
