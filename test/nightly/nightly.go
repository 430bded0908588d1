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
// nightly.Only. By day the race detector watches what is left by nightly.WithoutRace.
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

// RaceByDay reports whether the race detector is on and it is not night: what repeats for a
// crowd what other tests show for a few is smaller then, and runs in full size without it.
func RaceByDay() bool { return Race && !On() }

// WithoutRace skips a test by day when the race detector is on: one that starts programs of
// its own, lets days go by or takes a single goroutine through what others take many, which
// takes up to ten times as long under the detector and gives it nothing new. By day such a
// test runs without the detector, at night with it: see scripts/test.
func WithoutRace(tb testing.TB) {
	tb.Helper()
	if RaceByDay() {
		tb.Skip("skipped: by day it runs without the race detector; POMBO_NIGHTLY=1 runs it here")
	}
}
