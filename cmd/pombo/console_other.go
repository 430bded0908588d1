//go:build !windows

package main

// selectNothing does nothing: only a click into a Windows console blocks it.
func selectNothing() (restore func()) { return func() {} }

// doubleClicked reports whether Explorer has started the program.
func doubleClicked() bool { return false }

// unasked does nothing: only Windows has its services.
func unasked() error { return nil }
