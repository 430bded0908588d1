package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// slowPages delays the next page after one that took too long. Without an index each
// poll could walk the whole table, be cancelled and walk it again, for ever, taking
// nothing in while it keeps the company's disks busy.
type slowPages struct {
	now func() time.Time

	mu    sync.Mutex
	delay time.Duration // after the last slow page
	until time.Time     // no page before then
	last  *TableError   // of the last slow page
}

// maxPageDelay is the longest delay.
const maxPageDelay = time.Hour

// allowed returns why no page may be read now; nil = it may.
func (s *slowPages) allowed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil || !s.now().Before(s.until) {
		return nil
	}
	return &TableError{Op: s.last.Op, Err: fmt.Errorf("%w, and is not asked again before %s", s.last.Err, s.until.Format("15:04:05")), Permanent: s.last.Permanent, Hint: s.last.Hint}
}

// record notes how a page ended, and returns its error with a hint.
func (s *slowPages) record(ctx context.Context, t *Table, l Layout, err error) error {
	e, ok := errors.AsType[*TableError](err)
	switch {
	case err == nil:
		s.mu.Lock()
		s.delay, s.last = 0, nil
		s.mu.Unlock()
		return nil
	case !ok || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	slow := *e
	// Asking for the indexes is quick, and tells a slow table from a silent database.
	limited, cancel := context.WithTimeout(ctx, t.timeout/2)
	defer cancel()
	if found, failed := t.dialect.Inspect(limited, t.query, l, DiagnosticIndex); failed == nil {
		if slow.Hint = "see whether somebody holds a lock on the table, and whether its statistics are fresh (pombo sql has how to gather them): " + found.Message; found.Hint != "" {
			slow.Hint = found.Message + "; " + found.Hint
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = min(max(2*s.delay, t.timeout), maxPageDelay)
	s.until, s.last = s.now().Add(s.delay), &slow
	return &slow
}
