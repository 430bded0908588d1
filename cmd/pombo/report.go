package main

import (
	"errors"
	"fmt"
	"io"

	"pombo"
	"pombo/internal/config"
)

// The exit codes. Other people's scripts ask for them, and so does
// deploy/pombo.service.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong use of the command line; the Go runtime's for a crash, too
	// exitConfig is EX_CONFIG of sysexits.h: starting again would not fix it. It
	// is not 2, because a crash must be started again.
	exitConfig = 78
)

// errInterrupted: a signal came before the command was done.
var errInterrupted = errors.New("interrupted")

// hinted is an error with what to do.
type hinted struct {
	err  error
	hint string
}

func (e hinted) Error() string { return e.err.Error() }
func (e hinted) Unwrap() error { return e.err }
func (e hinted) Hint() string  { return e.hint }

// usageError is a command line that cannot be carried out as it stands.
type usageError struct{ hinted }

func wrongUse(err error, hint string) error { return usageError{hinted{err, hint}} }

// errShown is for a command whose output has already said what failed.
var errShown = errors.New("failed")

// report writes what failed and what to do, and returns the exit code.
func report(w io.Writer, err error) int {
	if !errors.Is(err, errShown) {
		_, _ = fmt.Fprintf(w, "pombo: %v\n", err)
		if hint := hintOf(err); hint != "" {
			_, _ = fmt.Fprintf(w, "hint: %s\n", hint)
		}
	}
	return codeOf(err)
}

// codeOf returns the exit code of an error, or of none.
func codeOf(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return exitConfig
	}
	return exitFailed
}

// hintOf finds what to do. A configuration's problems carry theirs in the text.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	if failure, ok := errors.AsType[*pombo.Error](err); ok {
		return failure.Reason.Hint()
	}
	return ""
}
