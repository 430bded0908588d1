package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"pombo/internal/access"
	"pombo/internal/wait"
)

// DefaultFolder is where settings, data and logs of a service lie.
func DefaultFolder(name string) string {
	base := os.Getenv("ProgramData")
	if base == "" {
		base = `C:\ProgramData`
	}
	if name == DefaultName {
		return filepath.Join(base, displayName)
	}
	return filepath.Join(base, displayName+"-"+name)
}

// DefaultEnvFile is the file of its settings.
func DefaultEnvFile(_, folder string) string { return filepath.Join(folder, ".env") }

// NeedsPassword reports whether an account can only be used with its password.
func NeedsPassword(account string) bool { return needsPassword(account) }

// Install makes the service, or changes the one that is there.
func Install(ctx context.Context, o Options) error {
	if err := checkName(o.Name); err != nil {
		return err
	}
	if o.Root != "" {
		return &Failure{message: "--root is for systemd only", hint: "leave it out"}
	}
	m, err := openManager(ctx, true)
	if err != nil {
		return err
	}
	defer m.close()
	noteProgram(o)
	return installer{machine: m, protect: access.Protect, rights: access.SDDL}.install(o)
}

// noteProgram says when the program lies where the account of the service cannot read it,
// or where it could change it.
func noteProgram(o Options) {
	lower := strings.ToLower(o.Program)
	switch {
	case strings.HasPrefix(lower, strings.ToLower(filepath.Clean(o.Folder))+`\`):
		o.Note("the program lies in the folder that the service may write in; move it to C:\\Program Files\\Pombo and install again")
	case strings.Contains(lower, `:\users\`):
		o.Note("the program lies in the folder of a user, where the service's account may not read; move it to C:\\Program Files\\Pombo and install again")
	}
}

// Uninstall stops the service and takes it away; with alsoData its folder, too.
func Uninstall(ctx context.Context, name string, alsoData bool, note func(string)) error {
	if err := checkName(name); err != nil {
		return err
	}
	m, err := openManager(ctx, true)
	if err != nil {
		return err
	}
	defer m.close()
	d, err := m.Find(name)
	if err != nil {
		return orNotInstalled(name, err)
	}
	if err := Stop(ctx, name); err != nil {
		note(fmt.Sprintf("stop it: %v; it is removed all the same", err))
	}
	if err := (installer{machine: m}).uninstall(name); err != nil {
		return err
	}
	if _, folder := partsOf(d.Command); alsoData && folder != "" {
		return purge(folder)
	}
	return nil
}

func orNotInstalled(name string, err error) error {
	if errors.Is(err, errNoService) {
		return notInstalled(name)
	}
	return err
}

// How long starting and stopping are waited for.
const (
	look      = 200 * time.Millisecond
	patience  = 60 * time.Second // without a sign of life
	stopLimit = StopTime + 20*time.Second
)

// Start starts the service, and returns when it answers requests.
func Start(ctx context.Context, name string) error {
	return control(ctx, name, windows.SERVICE_START|windows.SERVICE_QUERY_STATUS, func(h windows.Handle) error {
		if err := windows.StartService(h, 0, nil); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return refused("start the service "+name, err)
		}
		for seen, since := uint32(0), time.Now(); ; {
			s, err := stateOf(h)
			if err != nil {
				return err
			}
			if s.CheckPoint != seen {
				seen, since = s.CheckPoint, time.Now()
			}
			switch {
			case s.CurrentState == windows.SERVICE_RUNNING && alive(s.ProcessId):
				return nil
			case s.CurrentState == windows.SERVICE_STOPPED, !alive(s.ProcessId):
				// After a crash the manager goes on saying for a moment that it is starting.
				code, what := exitOf(s.Win32ExitCode, s.ServiceSpecificExitCode)
				if s.CurrentState != windows.SERVICE_STOPPED {
					code, what = exitOf(errProcessAborted, 0)
				}
				return &Failure{message: fmt.Sprintf("it ended with %d (%s)", code, what), hint: `the event log (source Pombo) and logs\notificacao.log in its folder have the cause`}
			case time.Since(since) > patience:
				return &Failure{message: "it has given no sign of life for " + patience.String(), hint: `see the event log (source Pombo) and logs\notificacao.log in its folder`}
			}
			if err := wait.For(ctx, look); err != nil {
				return err
			}
		}
	})
}

// Stop stops the service in order, and returns when its process has ended: only then its
// program can be replaced.
func Stop(ctx context.Context, name string) error {
	return control(ctx, name, windows.SERVICE_STOP|windows.SERVICE_QUERY_STATUS, func(h windows.Handle) error {
		before, err := stateOf(h)
		if err != nil {
			return err
		}
		process, _ := windows.OpenProcess(windows.SYNCHRONIZE, false, before.ProcessId) // 0 = it cannot be watched
		defer func() { _ = windows.CloseHandle(process) }()
		var last windows.SERVICE_STATUS
		err = windows.ControlService(h, windows.SERVICE_CONTROL_STOP, &last)
		switch {
		case errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE):
			return nil
		case errors.Is(err, windows.ERROR_SERVICE_CANNOT_ACCEPT_CTRL) && before.CurrentState == windows.SERVICE_STOP_PENDING:
		case errors.Is(err, windows.ERROR_SERVICE_CANNOT_ACCEPT_CTRL):
			return &Failure{message: "it is starting, and cannot be stopped before it has started", hint: "try again in a moment; pombo service status says how it is", cause: err}
		case err != nil:
			return refused("stop the service "+name, err)
		}
		for until := time.Now().Add(stopLimit); ; {
			s, err := stateOf(h)
			if err != nil {
				return err
			}
			if s.CurrentState == windows.SERVICE_STOPPED && hasEnded(process) {
				return nil
			}
			if time.Now().After(until) {
				return &Failure{message: "it has not stopped within " + stopLimit.String(), hint: "see its log"}
			}
			if err := wait.For(ctx, look); err != nil {
				return err
			}
		}
	})
}

// control opens a service for one job.
func control(ctx context.Context, name string, rights uint32, do func(windows.Handle) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	m, err := openManager(ctx, false)
	if err != nil {
		return err
	}
	defer m.close()
	return orNotInstalled(name, m.with(name, rights, do))
}

func stateOf(h windows.Handle) (s windows.SERVICE_STATUS_PROCESS, err error) {
	var needed uint32
	err = windows.QueryServiceStatusEx(h, windows.SC_STATUS_PROCESS_INFO, (*byte)(unsafe.Pointer(&s)), uint32(unsafe.Sizeof(s)), &needed)
	return s, err
}

// alive reports whether there is a process. One that may not be looked at counts as alive.
func alive(pid uint32) bool {
	if pid == 0 {
		return true // it is being made
	}
	process, err := windows.OpenProcess(windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return !errors.Is(err, windows.ERROR_INVALID_PARAMETER) // that is: there is none
	}
	defer windows.CloseHandle(process) //nolint:errcheck // it was only looked at
	return !hasEnded(process)
}

// hasEnded reports whether a process has ended; one that could not be opened counts as ended.
func hasEnded(process windows.Handle) bool {
	if process == 0 {
		return true
	}
	state, err := windows.WaitForSingleObject(process, 0)
	return err != nil || state == windows.WAIT_OBJECT_0
}

// Query tells how the service is. It takes no administrator; what this user may not see is
// left out.
func Query(ctx context.Context, name string) (Status, error) {
	status := Status{Name: name, State: NotInstalled}
	err := control(ctx, name, windows.SERVICE_QUERY_STATUS, func(h windows.Handle) error {
		s, err := stateOf(h)
		if err != nil {
			return err
		}
		status.State, status.PID = stateName(s), int(s.ProcessId)
		if status.State == Stopped {
			status.PID = 0
			status.ExitCode, status.Exit = exitOf(s.Win32ExitCode, s.ServiceSpecificExitCode)
		}
		return nil
	})
	if failure, ok := errors.AsType[*Failure](err); ok && errors.Is(failure.cause, errNoService) {
		return status, nil
	}
	if err != nil {
		return status, err
	}
	_ = control(ctx, name, windows.SERVICE_QUERY_CONFIG, func(h windows.Handle) error {
		d, err := definitionOf(h)
		if err == nil {
			status.Start, status.Account = d.Start, d.Account
			status.Program, status.Folder = partsOf(d.Command)
		}
		return err
	})
	return status, nil
}

func stateName(s windows.SERVICE_STATUS_PROCESS) string {
	switch s.CurrentState {
	case windows.SERVICE_RUNNING:
		return Running
	case windows.SERVICE_START_PENDING:
		return Starting
	case windows.SERVICE_STOP_PENDING:
		return Stopping
	default:
		return Stopped
	}
}
