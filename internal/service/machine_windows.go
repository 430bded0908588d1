package service

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/eventlog"
)

// scm is the service manager of this machine. It calls Windows itself where the library
// beside it (svc/mgr) sets or reads several things in one call, of which one may be refused.
type scm struct {
	ctx    context.Context
	handle windows.Handle
}

// openManager connects to the service manager. Only administrators may ask for rights to
// change something.
func openManager(ctx context.Context, change bool) (scm, error) {
	access := uint32(windows.SC_MANAGER_CONNECT)
	if change {
		access |= windows.SC_MANAGER_CREATE_SERVICE
	}
	h, err := windows.OpenSCManager(nil, nil, access)
	if err != nil {
		return scm{}, refused("connect to the service manager", err)
	}
	return scm{ctx, h}, nil
}

func (m scm) close() { _ = windows.CloseServiceHandle(m.handle) }

// refused is an error of Windows with what to do.
func refused(what string, err error) error {
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return &Failure{message: what, cause: err, hint: "run the same in a console that was started as administrator"}
	case errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST):
		return errNoService
	case errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE):
		return &Failure{message: what, cause: err, hint: "close the windows that show the services (services.msc, the Task Manager) and try again"}
	case errors.Is(err, windows.ERROR_SERVICE_LOGON_FAILED), errors.Is(err, windows.ERROR_INVALID_SERVICE_ACCOUNT):
		return &Failure{message: what, cause: err, hint: "check the account and its password, and give it the right to log on as a service (secpol.msc, or a group policy)"}
	default:
		return &Failure{message: what, cause: err}
	}
}

// open opens a service. The caller closes it.
func (m scm) open(name string, access uint32) (windows.Handle, error) {
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	h, err := windows.OpenService(m.handle, n, access)
	if err != nil {
		return 0, refused("open the service "+name, err)
	}
	return h, nil
}

// with opens a service for one call.
func (m scm) with(name string, access uint32, do func(windows.Handle) error) error {
	h, err := m.open(name, access)
	if err != nil {
		return err
	}
	defer windows.CloseServiceHandle(h) //nolint:errcheck // there is nothing left to lose
	return do(h)
}

// Find implements machine.
func (m scm) Find(name string) (d definition, err error) {
	err = m.with(name, windows.SERVICE_QUERY_CONFIG, func(h windows.Handle) error {
		d, err = definitionOf(h)
		return err
	})
	return d, err
}

func definitionOf(h windows.Handle) (definition, error) {
	size := uint32(1024)
	for {
		buffer := make([]byte, size)
		c := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0]))
		err := windows.QueryServiceConfig(h, c, size, &size)
		if errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) && size > uint32(len(buffer)) {
			continue
		}
		if err != nil {
			return definition{}, refused("read the settings of the service", err)
		}
		d := definition{Command: windows.UTF16PtrToString(c.BinaryPathName), Account: windows.UTF16PtrToString(c.ServiceStartName), Start: StartManual}
		if c.StartType == windows.SERVICE_AUTO_START {
			d.Start = StartAuto
			if isDelayed(h) {
				d.Start = StartDelayed
			}
		}
		return d, nil
	}
}

func isDelayed(h windows.Handle) bool {
	var flag, needed uint32
	err := windows.QueryServiceConfig2(h, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (*byte)(unsafe.Pointer(&flag)), uint32(unsafe.Sizeof(flag)), &needed)
	return err == nil && flag != 0
}

func startType(mode StartMode) uint32 {
	if mode == StartManual {
		return windows.SERVICE_DEMAND_START
	}
	return windows.SERVICE_AUTO_START
}

// words are the arguments of Windows for a definition.
type words struct{ name, display, command, account, password *uint16 }

func wordsOf(name string, d definition) (w words, err error) {
	display := displayName
	if name != DefaultName {
		display += " (" + name + ")"
	}
	for _, each := range []struct {
		into **uint16
		text string
	}{{&w.name, name}, {&w.display, display}, {&w.command, d.Command}, {&w.account, d.Account}, {&w.password, d.Password}} {
		if each.text == "" && each.into == &w.password {
			continue // nil = there is none, or it stays
		}
		if *each.into, err = windows.UTF16PtrFromString(each.text); err != nil {
			return words{}, err
		}
	}
	return w, nil
}

// dependencies are the services of Windows that must run before: the network and names.
func dependencies() *uint16 { return &utf16.Encode([]rune("Tcpip\x00Dnscache\x00\x00"))[0] }

// Create implements machine.
func (m scm) Create(name string, d definition) error {
	w, err := wordsOf(name, d)
	if err != nil {
		return err
	}
	h, err := windows.CreateService(m.handle, w.name, w.display, windows.SERVICE_ALL_ACCESS, windows.SERVICE_WIN32_OWN_PROCESS,
		startType(d.Start), windows.SERVICE_ERROR_NORMAL, w.command, nil, nil, dependencies(), w.account, w.password)
	if err != nil {
		return refused("make the service "+name, err)
	}
	return windows.CloseServiceHandle(h)
}

// Change implements machine.
func (m scm) Change(name string, d definition) error {
	w, err := wordsOf(name, d)
	if err != nil {
		return err
	}
	return m.with(name, windows.SERVICE_CHANGE_CONFIG, func(h windows.Handle) error {
		err := windows.ChangeServiceConfig(h, windows.SERVICE_WIN32_OWN_PROCESS, startType(d.Start), windows.SERVICE_ERROR_NORMAL,
			w.command, nil, nil, dependencies(), w.account, w.password, w.display)
		if err != nil {
			return refused("change the service "+name, err)
		}
		return nil
	})
}

// Delete implements machine.
func (m scm) Delete(name string) error {
	return m.with(name, windows.DELETE, func(h windows.Handle) error {
		if err := windows.DeleteService(h); err != nil {
			return refused("delete the service "+name, err)
		}
		return nil
	})
}

// Set implements machine.
func (m scm) Set(name string, s setting) error {
	info, err := infoOf(s)
	if err != nil {
		return err
	}
	// Setting a restart after a crash takes the right to start it, too.
	return m.with(name, windows.SERVICE_CHANGE_CONFIG|windows.SERVICE_START, func(h windows.Handle) error {
		return windows.ChangeServiceConfig2(h, s.level, (*byte)(info))
	})
}

// infoOf is the structure of Windows for a setting.
func infoOf(s setting) (unsafe.Pointer, error) {
	switch s.level {
	case levelDescription:
		text, err := windows.UTF16PtrFromString(s.text)
		return unsafe.Pointer(&windows.SERVICE_DESCRIPTION{Description: text}), err
	case levelFailureActions:
		actions := make([]windows.SC_ACTION, len(s.restarts))
		for i, after := range s.restarts {
			actions[i] = windows.SC_ACTION{Type: windows.SC_ACTION_RESTART, Delay: uint32(after.Milliseconds())}
		}
		return unsafe.Pointer(&windows.SERVICE_FAILURE_ACTIONS{ActionsCount: uint32(len(actions)), Actions: &actions[0], ResetPeriod: uint32(s.span.Seconds())}), nil
	case levelPrivileges:
		return unsafe.Pointer(&struct{ privileges *uint16 }{&utf16.Encode([]rune(s.text + "\x00"))[0]}), nil
	case levelPreshutdown:
		ms := uint32(s.span.Milliseconds())
		return unsafe.Pointer(&ms), nil
	case levelDelayed, levelFailureFlag, levelSID:
		return unsafe.Pointer(&s.flag), nil
	default:
		return nil, fmt.Errorf("there is no setting of level %d", s.level)
	}
}

const sources = `SYSTEM\CurrentControlSet\Services\EventLog\Application`

// AddSource implements machine.
func (scm) AddSource() (added bool, err error) {
	if key, err := registry.OpenKey(registry.LOCAL_MACHINE, sources+`\`+EventSource, registry.QUERY_VALUE); err == nil {
		return false, key.Close()
	}
	return true, eventlog.InstallAsEventCreate(EventSource, eventlog.Info|eventlog.Warning|eventlog.Error)
}

// RemoveSource implements machine.
func (scm) RemoveSource() error {
	err := eventlog.Remove(EventSource)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	return err
}

// Firewall implements machine.
func (m scm) Firewall(args ...string) error {
	ctx, cancel := context.WithTimeout(m.ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "netsh", append([]string{"advfirewall", "firewall"}, args...)...).CombinedOutput() //nolint:gosec // the arguments are ours
	if err != nil {
		return fmt.Errorf("netsh: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
