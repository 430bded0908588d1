package service

import (
	"errors"
	"fmt"
	"slices"
)

// step is one thing that installing does.
type step struct {
	name string
	do   func() error
	undo func() error // nil = there is nothing to take back
	// optional = a refusal is noted, and the steps go on.
	optional bool
}

// carryOut does the steps in their order. When one fails, those that were done are undone,
// the last one first, and the error says what failed, and what could not be undone.
func carryOut(steps []step, note func(string)) error {
	var done []step
	for _, s := range steps {
		err := s.do()
		switch {
		case err == nil:
			done = append(done, s)
		case s.optional:
			note(fmt.Sprintf("%s: %v; the service works without it", s.name, err))
		default:
			return errors.Join(fmt.Errorf("%s: %w", s.name, err), takeBack(done))
		}
	}
	return nil
}

func takeBack(done []step) error {
	var errs []error
	for _, s := range slices.Backward(done) {
		if s.undo == nil {
			continue
		}
		if err := s.undo(); err != nil {
			errs = append(errs, fmt.Errorf("undo %q: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}
