package main

import (
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"

	"pombo/internal/config"
	"pombo/internal/service"
)

// selectNothing turns QuickEdit off: with it a click begins a selection, and every
// write waits until that ends. restore turns it on again.
func selectNothing() (restore func()) {
	in, err := windows.GetStdHandle(windows.STD_INPUT_HANDLE)
	if err != nil {
		return func() {}
	}
	var before uint32
	if windows.GetConsoleMode(in, &before) != nil {
		return func() {} // it is not a console
	}
	// Without the second bit the first is not looked at.
	mode := before&^windows.ENABLE_QUICK_EDIT_MODE | windows.ENABLE_EXTENDED_FLAGS
	if windows.SetConsoleMode(in, mode) != nil {
		return func() {}
	}
	return func() { _ = windows.SetConsoleMode(in, before|windows.ENABLE_EXTENDED_FLAGS) }
}

var consoleProcesses = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetConsoleProcessList")

// doubleClicked reports whether Explorer has started the program: then it has a console
// for itself, which closes when it ends.
func doubleClicked() bool {
	var ids [2]uint32
	n, _, _ := consoleProcesses.Call(uintptr(unsafe.Pointer(&ids[0])), uintptr(len(ids))) //nolint:errcheck // 0 says that there is no console
	return n == 1
}

// unasked refuses to run when Windows' service manager has started this process but no
// argument says that it is a service: the manager would wait in vain for an answer, and
// kill the process in the middle of its work.
func unasked() error {
	is, err := svc.IsWindowsService()
	if err != nil || !is {
		return nil
	}
	e := &config.Error{Problems: []config.Problem{{
		Message: "Windows' service manager has started Pombo, which does not answer it and would be ended in the middle of its work",
		Hint:    "take that service away (sc delete NAME) and make it with pombo service install",
	}}}
	// Nobody reads the error stream of a service.
	log, closeLog := service.OpenLog()
	defer closeLog()
	service.Tell(log, service.EventUnasked, e.Error())
	return e
}
