package oracle

import (
	"context"
	"errors"
	"sync"
)

// oracleSessions is how many sessions Pombo has at the server, whatever happens.
const maxSessions = 2

// unanswered are the calls that were given up before the server had answered.
//
// A server that waits for the lock of a row need not read its line: it hears neither
// a cancel nor the end of the line before the wait is over, and until then the session
// keeps what it has locked. To cut the line and log in again would leave one more such
// session behind each time. So the line of such a call stays open until the answer
// comes, in one of the few places that sessions have, and what the answer says is
// dropped: a change is rolled back. A server that is gone is noticed by the keep-alive
// of TCP.
type unanswered struct {
	resize func(sessions int) // of the pool

	slot chan struct{} // whoever put something in changes rows

	waiting sync.WaitGroup // for answers
	sizing  sync.Mutex

	mu     sync.Mutex
	lines  map[*line]bool
	stuck  chan struct{} // closed while a change is unanswered
	closed bool
}

func newUnanswered() *unanswered {
	return &unanswered{slot: make(chan struct{}, 1), lines: map[*line]bool{}, stuck: make(chan struct{})}
}

// errUnanswered is that nothing is asked of the server for the time being.
var errUnanswered = &lostError{err: errors.New("the database has not answered an earlier statement yet, and nothing more is asked of it until it does; somebody seems to hold a lock")}

// begin lets one change be under way at a time, so that there are never two that the
// server has not answered. Whoever gets a turn calls end, or leaves the call.
func (u *unanswered) acquire(ctx context.Context) error {
	u.mu.Lock()
	stuck := u.stuck
	u.mu.Unlock()
	select {
	case u.slot <- struct{}{}:
		return nil
	case <-stuck:
		return errUnanswered
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *unanswered) release() { <-u.slot }

// full reports whether no session may be added.
func (u *unanswered) full() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.lines) >= maxSessions
}

// leave takes over a call until it is done. change says that it has the turn.
func (u *unanswered) adopt(l *line, change bool, done <-chan struct{}) {
	u.mu.Lock()
	u.lines[l] = true
	if change {
		close(u.stuck)
	}
	if u.closed {
		_ = l.Close()
	}
	u.mu.Unlock()
	u.resizePool()
	u.waiting.Go(func() {
		<-done
		_ = l.Close()
		u.mu.Lock()
		delete(u.lines, l)
		if change {
			u.stuck = make(chan struct{})
			<-u.slot
		}
		u.mu.Unlock()
		u.resizePool()
	})
}

// changed tells the pool how many sessions are left to it. With one place it can
// still ask for a session, which is refused.
func (u *unanswered) resizePool() {
	u.sizing.Lock()
	defer u.sizing.Unlock()
	u.mu.Lock()
	n := len(u.lines)
	u.mu.Unlock()
	u.resize(max(maxSessions-n, 1))
}

// close waits for no answer any more.
func (u *unanswered) close() {
	u.mu.Lock()
	u.closed = true
	for l := range u.lines {
		_ = l.Close()
	}
	u.mu.Unlock()
	u.waiting.Wait()
}
