package source

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// TableError says why something with the company's table failed. It holds no value of
// any row.
type TableError struct {
	Op  string // what was tried
	Err error  // what the database said; never nil
	// Permanent says that a person has to correct something. Trying again does no
	// harm, but there is no hurry. Otherwise the database is away or busy and
	// recovers by itself.
	Permanent bool
	Hint      string // what to do; may be ""
}

// Error returns what was tried, what came of it and what to do, in one line.
func (e *TableError) Error() string {
	s := e.Op + ": " + e.Err.Error()
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns what the database said.
func (e *TableError) Unwrap() error { return e.Err }

// LockedError says that a change was given up because it took too long or, with a Wait
// of 0, that it was not tried. Nothing was changed.
type LockedError struct{ Wait time.Duration }

func (e *LockedError) Error() string {
	if e.Wait == 0 {
		return "somebody holds a lock on the row"
	}
	return fmt.Sprintf("the row was not to be had within %s: somebody seems to hold a lock on it", e.Wait)
}

// fail makes a *TableError of what the driver returned. ctx is the caller's, without
// our own time limit.
func (t *Table) fail(ctx context.Context, op string, err error) error {
	if already, ok := errors.AsType[*TableError](err); ok {
		return already
	}
	if cause := ctx.Err(); cause != nil {
		return &TableError{Op: op, Err: cause}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &TableError{Op: op, Err: fmt.Errorf("no answer within %s: %w", t.timeout, err), Hint: "see whether the table lacks an index (pombo sql suggests one) or somebody holds a lock on it"}
	}
	e := t.dialect.Explain(err)
	if e.Class == Permanent {
		t.forgetLayout() // correcting it may change the table
	}
	if e.Class == Refused {
		err = errors.New(e.Detail) // the driver's text may quote a trigger
	}
	return &TableError{Op: op, Err: err, Permanent: e.Class == Permanent || e.Class == Refused, Hint: e.Hint}
}
