package oracle

import (
	"context"
	"errors"
	"sync"
)

// maxSessions is how many sessions Pombo has at the server, whatever happens.
const maxSessions = 2

// unanswered holds the calls that were given up before the server answered.
//
// A server that waits for a row lock may not read its connection: it notices neither a
// cancel nor the end of the connection before the wait is over, and until then the
// session keeps what it has locked. Cutting the connection and logging in again would
// leave one more such session behind each time. So the line of such a call stays open
// until the answer comes, counted as one of the few sessions, and the answer is dropped:
// a change is rolled back. TCP's keep-alive notices a server that is gone.
type unanswered struct {
	resize func(sessions int) // of the pool

	slot chan struct{} // of the change under way

	waiting sync.WaitGroup // until the answers come
	sizing  sync.Mutex

	mu     sync.Mutex
	lines  map[*line]bool
	stuck  chan struct{} // closed while a change is unanswered
	closed bool
}

func newUnanswered() *unanswered {
	return &unanswered{slot: make(chan struct{}, 1), lines: map[*line]bool{}, stuck: make(chan struct{})}
}

// errUnanswered says that the server gets no further statement for now.
var errUnanswered = &lostError{err: errors.New("the database has not answered an earlier statement yet, and nothing more is asked of it until it does; somebody seems to hold a lock")}

// acquire waits for the slot, so that there are never two changes that the server has not
// answered. Its holder calls release, or adopt takes the slot over.
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

// full reports whether the limit of sessions is reached.
func (u *unanswered) full() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.lines) >= maxSessions
}

// adopt takes over a call until it is done. change says that it holds the slot.
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

// resizePool tells the pool how many sessions it may still have. At least one: the pool
// must be able to ask for a session, even if it is refused.
func (u *unanswered) resizePool() {
	u.sizing.Lock()
	defer u.sizing.Unlock()
	u.mu.Lock()
	n := len(u.lines)
	u.mu.Unlock()
	u.resize(max(maxSessions-n, 1))
}

// close stops waiting for answers.
func (u *unanswered) close() {
	u.mu.Lock()
	u.closed = true
	for l := range u.lines {
		_ = l.Close()
	}
	u.mu.Unlock()
	u.waiting.Wait()
}
