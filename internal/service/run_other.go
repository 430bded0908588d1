//go:build !windows

package service

import "errors"

// Run is for Windows' service manager alone.
func Run(string, Body) (int, error) {
	return 0, &Failure{What: "this is for Windows' service manager alone", Todo: "pombo start runs Pombo here; pombo service install makes it a service", Err: errors.ErrUnsupported}
}

// OpenLog opens the event log of Windows; elsewhere there is none, and events are dropped.
func OpenLog() (log Log, closeLog func()) { return noLog{}, func() {} }
