// Package nightly decides how large tests are. It is for tests only.
//
// There are three sizes:
//
//	go test -short ./...            no test starts a server or another program
//	go test ./...                   what every change has to pass, in minutes
//	POMBO_NIGHTLY=1 go test ./...   everything in full size, as every night
//
// A test that a change can wait for runs in full size at any time. One that takes
// longer is smaller by day, with nightly.Or, or runs at night only, with
// nightly.Only.
package nightly

import (
	"os"
	"testing"
)

// On reports whether tests run in full size.
func On() bool { return os.Getenv("POMBO_NIGHTLY") == "1" }

// Or returns full at night and small by day.
func Or[T any](full, small T) T {
	if On() {
		return full
	}
	return small
}

// Only skips a test by day, with a sentence.
func Only(tb testing.TB) {
	tb.Helper()
	if !On() {
		tb.Skip("skipped: it takes minutes; POMBO_NIGHTLY=1 runs it")
	}
}
