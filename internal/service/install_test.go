package service

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pombo/internal/access"
)

// fakeMachine is a Windows in memory. What fails names the calls that it refuses.
type fakeMachine struct {
	services map[string]definition
	set      []string
	source   bool
	rules    []string
	rights   map[string]string
	fails    string
}

func newFakeMachine() *fakeMachine {
	return &fakeMachine{services: map[string]definition{}, rights: map[string]string{}}
}

func (m *fakeMachine) refuse(call string) error {
	if m.fails != "" && strings.Contains(call, m.fails) {
		return errors.New("refused")
	}
	return nil
}

func (m *fakeMachine) Find(name string) (definition, error) {
	d, ok := m.services[name]
	if !ok {
		return d, errNoService
	}
	return d, nil
}

func (m *fakeMachine) Create(name string, d definition) error {
	if err := m.refuse("create"); err != nil {
		return err
	}
	m.services[name] = d
	return nil
}

func (m *fakeMachine) Change(name string, d definition) error {
	if err := m.refuse("change"); err != nil {
		return err
	}
	m.services[name] = d
	return nil
}

func (m *fakeMachine) Delete(name string) error {
	if _, err := m.Find(name); err != nil {
		return err
	}
	delete(m.services, name)
	return nil
}

func (m *fakeMachine) Set(_ string, s setting) error {
	if err := m.refuse("set " + s.name); err != nil {
		return err
	}
	m.set = append(m.set, s.name)
	return nil
}

func (m *fakeMachine) AddSource() (bool, error) {
	if err := m.refuse("source"); err != nil {
		return false, err
	}
	added := !m.source
	m.source = true
	return added, nil
}

func (m *fakeMachine) RemoveSource() error { m.source = false; return nil }

func (m *fakeMachine) Firewall(args ...string) error {
	if err := m.refuse("firewall"); err != nil {
		return err
	}
	if args[0] == "delete" {
		m.rules = nil
		return nil
	}
	m.rules = append(m.rules, strings.Join(args, " "))
	return nil
}

func (m *fakeMachine) protect(path, sddl string) error {
	if err := m.refuse("protect " + filepath.Base(path)); err != nil {
		return err
	}
	m.rights[filepath.Base(path)] = sddl
	return nil
}

func (m *fakeMachine) sddl(path string) (string, error) {
	if was, ok := m.rights[filepath.Base(path)]; ok {
		return was, nil
	}
	return "inherited", nil
}

func (m *fakeMachine) installer() installer {
	return installer{machine: m, protect: m.protect, rights: m.sddl}
}

// state is all that a failed installation must leave as it was.
func (m *fakeMachine) state() string {
	rights := maps.Clone(m.rights)
	maps.DeleteFunc(rights, func(_, sddl string) bool { return sddl == "inherited" })
	return fmt.Sprint(m.services, m.source, m.rules, rights)
}

func options(t *testing.T, notes *[]string) Options {
	t.Helper()
	return Options{
		Name: "pombo", Program: `C:\Program Files\Pombo\pombo.exe`, Folder: filepath.Join(t.TempDir(), "data", "Pombo"), Start: StartDelayed,
		Firewall: true, Ports: []int{5000, 5001}, Note: func(text string) { *notes = append(*notes, text) },
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	var notes []string
	o, m := options(t, &notes), newFakeMachine()
	for range 2 { // again it changes nothing
		m.set = nil
		if err := m.installer().install(o); err != nil {
			t.Fatal(err)
		}
		want := definition{Command: commandLine(o), Account: `NT SERVICE\pombo`, Start: StartDelayed}
		if got := m.services["pombo"]; got != want {
			t.Errorf("service = %+v, want %+v", got, want)
		}
		if len(m.set) != 7 || !m.source || len(notes) != 0 {
			t.Errorf("set %q, source %v, notes %q", m.set, m.source, notes)
		}
		if len(m.rules) != 1 || !strings.Contains(m.rules[0], "localport=5000,5001") || !strings.Contains(m.rules[0], "profile=domain") {
			t.Errorf("rules = %q", m.rules)
		}
		sid := access.ServiceSID("pombo")
		if got := m.rights["Pombo"]; !strings.Contains(got, sid) {
			t.Errorf("rights of the folder = %s", got)
		}
		if got := m.rights[".env"]; !strings.Contains(got, "(A;;FR;;;"+sid+")") {
			t.Errorf("rights of .env = %s", got)
		}
	}
	text, err := os.ReadFile(filepath.Join(o.Folder, ".env"))
	if err != nil || string(text) != firstSettings {
		t.Errorf(".env = %q, %v", text, err)
	}
}

// Settings that are there stay as they are.
func TestInstall_KeepsSettings(t *testing.T) {
	t.Parallel()
	var notes []string
	o, m := options(t, &notes), newFakeMachine()
	if err := os.MkdirAll(o.Folder, 0o750); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(o.Folder, ".env")
	if err := os.WriteFile(file, []byte("KEYBLIP=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.installer().install(o); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(file); string(text) != "KEYBLIP=x\n" {
		t.Errorf(".env = %q", text)
	}
}

// Whatever step fails, everything is as it was before; what may be refused leaves a note.
func TestInstall_UndoesWhatItHasDone(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"create", "protect Pombo", "protect .env"} {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			var notes []string
			o, m := options(t, &notes), newFakeMachine()
			m.fails = fails
			before := m.state()
			err := m.installer().install(o)
			if err == nil || !strings.Contains(err.Error(), "refused") {
				t.Fatalf("error = %v", err)
			}
			if got := m.state(); got != before {
				t.Errorf("left %s, want %s", got, before)
			}
			if _, err := os.Stat(filepath.Dir(o.Folder)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder is still there: %v", err)
			}
		})
	}
	for _, fails := range []string{"change", "protect .env"} {
		t.Run("of a change: "+fails, func(t *testing.T) {
			t.Parallel()
			var notes []string
			o, m := options(t, &notes), newFakeMachine()
			m.services["pombo"] = definition{Command: "old", Account: "LocalSystem", Start: StartManual}
			m.source = true
			m.fails = fails
			before := m.state()
			if err := m.installer().install(o); err == nil {
				t.Fatal("it did not fail")
			}
			if got := m.state(); got != before {
				t.Errorf("left %s, want %s", got, before)
			}
		})
	}
}

func TestInstall_NotesWhatIsRefused(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"set delayed start", "set no privilege but one", "set time when the machine shuts down", "source", "firewall"} {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			var notes []string
			o, m := options(t, &notes), newFakeMachine()
			m.fails = fails
			if err := m.installer().install(o); err != nil {
				t.Fatal(err)
			}
			if len(notes) != 1 || !strings.Contains(notes[0], "refused") {
				t.Errorf("notes = %q, want one", notes)
			}
			if _, ok := m.services["pombo"]; !ok {
				t.Error("there is no service")
			}
		})
	}
}

func TestSettingsOf(t *testing.T) {
	t.Parallel()
	byName := map[string]setting{}
	for _, s := range settingsOf(StartDelayed) {
		byName[s.name] = s
	}
	if got := byName["restart after a crash"].restarts; !slices.Equal(got, []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute}) {
		t.Errorf("restarts = %v", got)
	}
	if byName["no restart after a wrong setting"].flag != 0 || byName["delayed start"].flag != 1 || byName["a SID of its own"].flag != 1 {
		t.Errorf("flags: %+v", byName)
	}
	if got := byName["time when the machine shuts down"].span; got < StopTime+10*time.Second {
		t.Errorf("the machine waits %s for a stop of %s", got, StopTime)
	}
	for _, s := range settingsOf(StartAuto) {
		if s.level == levelDelayed && s.flag != 0 {
			t.Error("auto is delayed")
		}
	}
}

func TestUninstall(t *testing.T) {
	t.Parallel()
	var notes []string
	o, m := options(t, &notes), newFakeMachine()
	if err := m.installer().install(o); err != nil {
		t.Fatal(err)
	}
	if err := m.installer().uninstall("pombo"); err != nil {
		t.Fatal(err)
	}
	if len(m.services) != 0 || m.source || len(m.rules) != 0 {
		t.Errorf("left %s", m.state())
	}
	if err := m.installer().uninstall("pombo"); !errors.Is(err, errNoService) {
		t.Errorf("error = %v, want %v", err, errNoService)
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{true, false} {
		folder := filepath.Join(t.TempDir(), "Pombo")
		for _, name := range []string{"data/pombo.db", "logs/notificacao.log", "secrets/KEYBLIP.dpapi", ".env"} {
			write(t, filepath.Join(folder, name))
		}
		other := filepath.Join(folder, "contract.pdf")
		if !own {
			write(t, other)
		}
		if err := purge(folder); err != nil {
			t.Fatal(err)
		}
		_, folderErr := os.Stat(folder)
		if _, err := os.Stat(other); own != errors.Is(folderErr, os.ErrNotExist) || own == (err == nil) {
			t.Errorf("own = %v: folder %v, file of somebody else %v", own, folderErr, err)
		}
		if _, err := os.Stat(filepath.Join(folder, "data")); err == nil {
			t.Error("the data is still there")
		}
	}
}

func write(t *testing.T, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}
