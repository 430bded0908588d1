//go:build !windows

package service

import "errors"

// Run is for Windows' service manager alone.
func Run(string, Body) (int, error) {
	return 0, &Failure{message: "this is for Windows' service manager alone", hint: "pombo start runs Pombo here; pombo service install makes it a service", cause: errors.ErrUnsupported}
}

// OpenLog opens the event log of Windows; elsewhere there is none, and events are dropped.
func OpenLog() (log Log, closeLog func()) { return noLog{}, func() {} }
