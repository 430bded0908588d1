//go:build !windows

package main

// selectNothing keeps people from holding a console up by a click, which only
// those of Windows let them.
func selectNothing() (restore func()) { return func() {} }

// doubleClicked reports whether Explorer has started the program.
func doubleClicked() bool { return false }

// unasked refuses to run as a service of Windows, which this is none.
func unasked() error { return nil }
