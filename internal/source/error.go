package source

import (
	"context"
	"errors"
	"fmt"
)

// Error is a failure to do something with the company's table. Ask for it with
// errors.As. It holds no value of any row.
type Error struct {
	Op  string // what was tried
	Err error  // what the database said; never nil
	// Permanent says that a person must mend something. Trying again does no
	// harm, but there is no hurry. Otherwise the database is away or busy and
	// will come back by itself.
	Permanent bool
	Hint      string // what to do; may be ""
}

// Error returns what was tried, what came of it and what to do, in one line.
func (e *Error) Error() string {
	s := e.Op + ": " + e.Err.Error()
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns what the database said.
func (e *Error) Unwrap() error { return e.Err }

// fail makes an Error of what the driver returned. ctx is the caller's, without
// our own time limit.
func (t *Table) fail(ctx context.Context, op string, err error) error {
	if already, ok := errors.AsType[*Error](err); ok {
		return already
	}
	if cause := ctx.Err(); cause != nil {
		return &Error{Op: op, Err: cause}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Op: op, Err: fmt.Errorf("no answer within %s: %w", t.timeout, err), Hint: "see whether the table lacks an index (pombo sql suggests one) or somebody holds a lock on it"}
	}
	v := t.d.explain(err)
	if v.class == person {
		// Whoever mends it may change the table.
		t.mu.Lock()
		t.known = nil
		t.mu.Unlock()
	}
	if v.class == refused {
		err = errors.New(v.detail) // the driver's text may quote a trigger
	}
	return &Error{Op: op, Err: err, Permanent: v.class == person || v.class == refused, Hint: v.hint}
}
