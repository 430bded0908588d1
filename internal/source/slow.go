package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// slowPages keeps a page that took too long from being asked for again at every poll.
// Without an index each page may walk the whole table, be cancelled, and walk it again,
// for ever, while it takes nothing in and costs the company's database its disks.
type slowPages struct {
	now func() time.Time

	mu    sync.Mutex
	wait  time.Duration // that comes after the next one
	until time.Time     // before then nothing is asked
	last  *TableError        // by the last one
}

// longestWait is the most that pages are left alone.
const longestWait = time.Hour

// free returns why no page is to be asked for now; nil = it may be.
func (s *slowPages) allowed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil || !s.now().Before(s.until) {
		return nil
	}
	return &TableError{Op: s.last.Op, Err: fmt.Errorf("%w, and is not asked again before %s", s.last.Err, s.until.Format("15:04:05")), Permanent: s.last.Permanent, Hint: s.last.Hint}
}

// went notes how a page went, and returns its error with what is to be done.
func (s *slowPages) record(ctx context.Context, t *Table, l Layout, err error) error {
	e, ok := errors.AsType[*TableError](err)
	switch {
	case err == nil:
		s.mu.Lock()
		s.wait, s.last = 0, nil
		s.mu.Unlock()
		return nil
	case !ok || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	slow := *e
	// Asking for the indexes is quick, and tells a slow table from a silent database.
	looked, cancel := context.WithTimeout(ctx, t.timeout/2)
	defer cancel()
	if r, failed := t.d.Inspect(looked, t, l, DiagnosticIndex); failed == nil {
		if slow.Hint = "see whether somebody holds a lock on the table, and whether its statistics are fresh (pombo sql has how to gather them): " + r.Message; r.Hint != "" {
			slow.Hint = r.Message + "; " + r.Hint
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = min(max(2*s.wait, t.timeout), longestWait)
	s.until, s.last = s.now().Add(s.wait), &slow
	return &slow
}
