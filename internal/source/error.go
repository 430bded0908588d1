package source

import (
	"context"
	"errors"
	"fmt"
)

// Error is a failure to do something with the company's table. Ask for it with
// errors.As. It holds no value of any row.
type TableError struct {
	Op  string // what was tried
	Err error  // what the database said; never nil
	// Permanent says that a person must mend something. Trying again does no
	// harm, but there is no hurry. Otherwise the database is away or busy and
	// will come back by itself.
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

// fail makes an Error of what the driver returned. ctx is the caller's, without
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
	v := t.d.Explain(err)
	if v.Class == Permanent {
		// Whoever mends it may change the table.
		t.mu.Lock()
		t.known = nil
		t.mu.Unlock()
	}
	if v.Class == Refused {
		err = errors.New(v.Detail) // the driver's text may quote a trigger
	}
	return &TableError{Op: op, Err: err, Permanent: v.Class == Permanent || v.Class == Refused, Hint: v.Hint}
}
