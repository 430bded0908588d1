// Package service makes Pombo a service of the machine it runs on: on Windows one of the
// service manager, on Linux a unit of systemd. It installs it, takes it away, starts and
// stops it and tells how it is; Run is what Windows' service manager calls.
//
// On Windows the service runs as NT SERVICE\pombo, an account without a password that can
// do nothing but what the ACLs of its own folder say, and with one privilege. The manager
// starts it again after a crash and not after a wrong setting, which the process reports
// before it ends (ending). When the machine shuts down it is notified before everything
// else (preshutdown), so that it can wait for the answers to what was sent.
//
// Installing is a list of steps (step): when one fails, those before it are undone. What
// Windows may refuse without harm (a delayed start, the SID) is a step of its own that
// leaves a note. The steps know a machine, which is an interface with Windows behind it,
// so that they are tested everywhere.
package service

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What the service is called unless somebody names it.
const (
	DefaultName = "pombo"
	EventSource = "Pombo" // in the event log of Windows
	displayName = "Pombo"
	description = "Sends the notifications of a database table on WhatsApp through Blip."
)

// StopTime is how long a stop may take under a service manager. Windows Installer waits 30
// seconds for a service, and fails then.
const StopTime = 25 * time.Second

// StartMode says when the service starts by itself.
type StartMode string

// The modes.
const (
	StartDelayed StartMode = "delayed" // with the machine, some minutes later; systemd knows no such thing
	StartAuto    StartMode = "auto"    // with the machine
	StartManual  StartMode = "manual"  // not by itself
)

// Options describes a service as it is to be.
type Options struct {
	Name     string // as the manager knows it
	Program  string // whole path
	Folder   string // whole path: data and logs; on Windows the settings, too
	EnvFile  string // whole path of the settings
	Account  string // "" = one of its own
	Password string // of the account; "" = it has none, or the one that is known stays
	Start    StartMode
	// Firewall opens Ports for others, by a rule of Windows' own.
	Firewall bool
	Ports    []int
	// Root is a folder in which the unit is written instead of on this machine, with
	// nothing else done; Linux only.
	Root string
	// Note is called with what could not be set up, and what to do by hand. The service
	// works without it.
	Note func(string)
}

// The states of a service.
const (
	NotInstalled = "not_installed"
	Stopped      = "stopped"
	Starting     = "starting"
	Running      = "running"
	Stopping     = "stopping"
	Failed       = "failed" // systemd only: it has ended and is not started again
)

// Status is how a service is.
type Status struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	PID      int       `json:"pid,omitempty"`       // of the process, while there is one
	ExitCode int       `json:"exit_code"`           // with which it ended last; 0 = in order, or never
	Exit     string    `json:"exit,omitempty"`      // what that means, unless it is 0
	Start    StartMode `json:"start,omitempty"`     // "" = this user may not see it
	Account  string    `json:"account,omitempty"`   // the same
	Folder   string    `json:"folder,omitempty"`    // the same
	Program  string    `json:"program,omitempty"`   // the same
	Checks   []string  `json:"not_ready,omitempty"` // the checks of GET /readyz that fail
	Ready    *bool     `json:"ready,omitempty"`     // what GET /readyz says; absent = nobody answers
}

// Failure says what could not be done with a service, and what to do.
type Failure struct {
	message string
	hint    string
	cause   error // nil = the message says it all
}

func (f *Failure) Error() string {
	if f.cause == nil || errors.Is(f.cause, errNoService) || errors.Is(f.cause, errors.ErrUnsupported) {
		return f.message // it says the same
	}
	return fmt.Sprintf("%s: %v", f.message, f.cause)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.cause }

// Hint says what to do.
func (f *Failure) Hint() string { return f.hint }

// errNoService says that there is no service of this name.
var errNoService = errors.New("there is no such service")

func notInstalled(name string) error {
	return &Failure{message: fmt.Sprintf("there is no service %q", name), hint: "pombo service install makes it", cause: errNoService}
}

// checkName reports whether both managers take the name, and no shell or path reads
// anything into it.
func checkName(name string) error {
	ok := name != "" && len(name) <= 64 && name[0] != '-' && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
	if !ok {
		return &Failure{message: fmt.Sprintf("%q is not a name for a service", name), hint: "use letters, digits, - and _, such as pombo2"}
	}
	return nil
}

// The exit codes of the program that the managers must tell apart. They are those of
// cmd/pombo.
const (
	codeDone   = 0
	codeFailed = 1
	codeUsage  = 2
	codeConfig = 78
)

// meaning says what an exit code means; "" for 0.
func meaning(code int) string {
	switch code {
	case codeDone:
		return ""
	case codeFailed:
		return "it failed"
	case codeUsage:
		return "wrong use of the command line, or a crash"
	case codeConfig:
		return "wrong configuration"
	default:
		return "it ended unexpectedly"
	}
}

// ending is how the end of the process is reported to Windows' service manager.
type ending struct {
	// report = false leaves without a word. The manager takes that for a crash and starts
	// the service again.
	report bool
	code   uint32 // of the service; 0 = in order
}

// endingOf decides it. What was asked to stop, or would fail in the same way again, is
// reported, so that it stays stopped. 1 may be cured by time: a port that is still taken,
// a database that is not up yet.
func endingOf(code int, asked bool) ending {
	if code == codeFailed && !asked {
		return ending{}
	}
	return ending{report: true, code: uint32(max(code, 0))} // codes of a process are small
}

// Exit codes of Windows that stand for something else.
const (
	errServiceSpecific = 1066 // the service's own code counts
	errProcessAborted  = 1067 // the process ended without a word
	errNeverStarted    = 1077
)

// exitOf reads the two exit codes that Windows keeps of a service.
func exitOf(system, own uint32) (code int, what string) {
	switch system {
	case 0, errNeverStarted:
		return 0, ""
	case errServiceSpecific:
		return int(own), meaning(int(own))
	case errProcessAborted:
		return codeFailed, "the process ended without a word: it failed, crashed or was killed"
	default:
		return int(system), fmt.Sprintf("Windows' error %d", system)
	}
}
