package source

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pombo"
)

// Settle writes results back: each row gets its code if it still has the status
// expected of it. It returns one answer for each settlement, in the same order. The
// error is non-nil only when no result is known; every answer is then SettleLater. When
// some are known, the detail of the others carries the error. The same batch may be
// passed again: a row that already has its code is done.
//
// A row that somebody else has locked is SettleLater, with a detail, and stops no
// other, except in SQLite, which locks whole files. That alone is not an error, but a batch
// of several rows of which none is free is one.
func (t *Table) Settle(ctx context.Context, batch []pombo.Settlement) ([]pombo.Settled, error) {
	op := "write statuses to " + t.mapping.Table
	s := settling{table: t, op: op, batch: slices.Clone(batch), answers: make([]pombo.Settled, len(batch)), end: time.Now().Add(t.timeout / 2), locked: map[int]bool{}}
	for i, b := range batch {
		s.answers[i].Settlement = b
	}
	if len(batch) == 0 {
		return s.answers, nil
	}
	var err error
	if s.layout, err = t.layout(ctx); err != nil {
		return s.answers, err
	}
	due := make([]int, 0, len(batch))
	for i, b := range batch {
		if _, ok := t.dialect.KeyArg(s.layout, b.RowKey); ok {
			due = append(due, i)
		} else {
			s.answer(i, pombo.SettleGone, "the key column cannot hold this key")
		}
	}
	// Two rounds: a row that is still as expected after the first one lost a race or
	// appears twice in the batch. After the second, something in the database silently
	// undoes the change.
	for round := 0; round < 2 && len(due) > 0 && err == nil; round++ {
		if due, err = s.write(ctx, due, t.lockWait()); err == nil {
			due, err = s.verify(ctx, due)
		}
	}
	known := func(a pombo.Settled) bool { return a.Result != pombo.SettleLater }
	if err == nil && s.lockErr != nil && len(batch) > 1 && !slices.ContainsFunc(s.answers, known) {
		return s.answers, s.lockErr
	}
	if err == nil {
		due, err = s.writeAlone(ctx, due)
	}
	if err == nil {
		for _, i := range due {
			s.answer(i, pombo.SettleRefused, "the database reports no error and leaves the row unchanged: see its triggers and policies")
		}
		return s.answers, nil
	}
	if !slices.ContainsFunc(s.answers, known) {
		return s.answers, err
	}
	for i, a := range s.answers {
		if !known(a) {
			s.answer(i, pombo.SettleLater, err.Error())
		}
	}
	return s.answers, nil
}

// settling is one call of Settle. Rows are indexes of the batch.
type settling struct {
	table   *Table
	op      string
	layout  Layout
	batch   []pombo.Settlement
	answers []pombo.Settled
	end     time.Time    // when the search for locked rows stops
	locked  map[int]bool // rows that somebody else had locked, or that are gone
	lockErr error        // of the last locked row
}

// lockWait is how long a batch waits for a row that somebody else has locked.
func (t *Table) lockWait() time.Duration { return min(t.timeout/6, 5*time.Second) }

// lockProbe is how long a part of the batch waits while the locked row is searched for:
// about ten times, if one row of 500 is locked.
func (t *Table) lockProbe() time.Duration { return max(t.lockWait()/10, 100*time.Millisecond) }

func (s *settling) answer(i int, result pombo.SettleResult, detail string) {
	s.answers[i].Result, s.answers[i].Detail = result, detail
}

// write updates the rows in one statement and returns those that may not have changed.
// When the change of a row is refused, or somebody has a row locked, the whole statement
// is undone. It then searches for that row by halves, so that one row in 500 costs about
// 20 statements and not 500; twice that where a probe for locks precedes each.
func (s *settling) write(ctx context.Context, due []int, wait time.Duration) (open []int, err error) {
	batch := make([]pombo.Settlement, len(due))
	for k, i := range due {
		batch[k] = s.batch[i]
	}
	u := s.table.dialect.Settle(s.layout, batch, wait)
	n, err := s.table.exec(ctx, u)
	if err == nil {
		var free []int
		for k, i := range due {
			if s.locked[i] = u.Locks != nil && slices.Contains(u.Locks.Held, k); s.locked[i] {
				open = append(open, i)
			} else {
				free = append(free, i)
			}
		}
		if n < int64(len(free)) {
			return due, nil
		}
		for _, i := range free {
			s.answer(i, pombo.SettleDone, "")
		}
		return open, nil
	}
	e := s.table.dialect.Explain(err)
	switch {
	case e.Class == Locked && (len(due) == 1 || time.Now().After(s.end)):
		s.lockErr = s.table.fail(ctx, s.op, err)
		for _, i := range due {
			s.answer(i, pombo.SettleLater, s.lockErr.Error())
		}
		return nil, nil
	case e.Class == Locked:
		wait = s.table.lockProbe()
	case e.Class != Refused:
		return due, s.table.fail(ctx, s.op, err)
	case len(due) == 1:
		s.answer(due[0], pombo.SettleRefused, e.Detail)
		return nil, nil
	}
	half := len(due) / 2
	left, err := s.write(ctx, due[:half], wait)
	if err != nil {
		return due, err
	}
	right, err := s.write(ctx, due[half:], wait)
	return append(slices.Clip(left), right...), err
}

// writeAlone writes the answers among the rows one by one, and returns the rows that are still
// not known to be written. The code of a row that keeps its code does not show whether it was
// written: in a batch that fell short it could be any.
func (s *settling) writeAlone(ctx context.Context, due []int) (open []int, err error) {
	for _, i := range due {
		if s.batch[i].Answered.IsZero() {
			open = append(open, i)
			continue
		}
		left, err := s.write(ctx, []int{i}, s.table.lockWait())
		if err != nil {
			return due, err
		}
		open = append(open, left...)
	}
	return open, nil
}

// verify looks the rows up and returns those that are still as they were expected, and
// so should have been changed.
func (s *settling) verify(ctx context.Context, due []int) (unchanged []int, err error) {
	if len(due) == 0 {
		return nil, nil
	}
	keys := make([]string, len(due))
	for k, i := range due {
		keys[k] = s.answers[i].RowKey
	}
	found, err := s.table.Statuses(ctx, keys)
	if err != nil {
		return due, err
	}
	for _, i := range due {
		a := &s.batch[i]
		code, there := found[a.RowKey]
		switch {
		case !there:
			s.answer(i, pombo.SettleGone, "the row is no longer there")
		case SameCode(code, a.Code) && a.Answered.IsZero():
			s.answer(i, pombo.SettleDone, "")
		case SameCode(code, a.Code) && !s.locked[i]:
			// It has the code already; whether it has the answer is unknown.
			a.Expected = code
			unchanged = append(unchanged, i)
		case slices.ContainsFunc(a.Unsure, func(c string) bool { return SameCode(code, c) }):
			a.Expected, a.Unsure = code, nil
			unchanged = append(unchanged, i)
		case s.locked[i] && (SameCode(code, a.Expected) || SameCode(code, a.Code)):
			s.lockErr = s.table.fail(ctx, s.op, &LockedError{})
			s.answer(i, pombo.SettleLater, s.lockErr.Error())
		case SameCode(code, a.Expected):
			unchanged = append(unchanged, i)
		default:
			s.answer(i, pombo.SettleDiverged, fmt.Sprintf("the status is %.20q, not %q", code, a.Expected))
		}
	}
	return unchanged, nil
}
