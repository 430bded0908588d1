package throttle

import (
	"context"
	"slices"
	"sync"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// recipientInterval is the least time between two messages to one person: WhatsApp
// takes about one in six seconds and answers 131056 to more.
const recipientInterval = 6 * time.Second

// Recipients orders the claimed notifications of each person by priority and then by
// age, and reserves the interval between two messages to one person.
type Recipients struct {
	interval reserver

	mu    sync.Mutex
	lines map[phone.Number]*line
}

// reserver reserves a person's interval, or returns how long it is still taken.
type reserver interface {
	reserve(ctx context.Context, n phone.Number) (wait time.Duration, err error)
	shared() bool
}

// line is what is claimed for one person and has not reserved its interval yet.
type line struct {
	waiting []*waiter // in the order in which they go
	free    time.Time // when the next interval was last said to begin
}

func newRecipients(interval reserver) *Recipients {
	return &Recipients{interval: interval, lines: map[phone.Number]*line{}}
}

// Join puts a claimed notification in its person's line. Call it for all
// notifications of a claim before any of them goes on.
func (r *Recipients) Join(n *pombo.Notification) {
	if n.Phone.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.lines[n.Phone]
	if of == nil {
		of = &line{}
		r.lines[n.Phone] = of
	}
	of.waiting = insert(of.waiting, newWaiter(n))
	of.call()
}

// call notifies the first in line. One that was notified before another came in front
// of it goes on.
func (of *line) call() {
	select {
	case <-of.waiting[0].ready:
	default:
		close(of.waiting[0].ready)
	}
}

// Wait returns when nothing for the same person comes before n.
func (r *Recipients) Wait(ctx context.Context, n *pombo.Notification) error {
	r.mu.Lock()
	w := r.find(n)
	r.mu.Unlock()
	if w == nil {
		return ctx.Err()
	}
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// find returns the waiter of n; nil when it is not in line, or no longer.
func (r *Recipients) find(n *pombo.Notification) *waiter {
	if of := r.lines[n.Phone]; of != nil {
		for _, w := range of.waiting {
			if w.seq == n.Seq {
				return w
			}
		}
	}
	return nil
}

// Leave makes way for the person's next notification. It may be called again.
func (r *Recipients) Leave(n *pombo.Notification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.find(n)
	if w == nil {
		return
	}
	of := r.lines[n.Phone]
	of.waiting = slices.DeleteFunc(of.waiting, func(other *waiter) bool { return other == w })
	if len(of.waiting) == 0 {
		delete(r.lines, n.Phone)
		return
	}
	of.call()
}

// Reserve reserves the interval of a person and returns the zero time, or returns
// when the interval that is under way ends.
func (r *Recipients) Reserve(ctx context.Context, n phone.Number) (free time.Time, err error) {
	wait, err := r.interval.reserve(ctx, n)
	if err != nil || wait <= 0 {
		return time.Time{}, err
	}
	free = time.Now().Add(wait)
	if r.interval.shared() {
		free = r.sameFor(n, free)
	}
	return free, nil
}

// sameFor returns one time for all that wait for the same interval of a person, so
// that they keep their order: how long the ledger takes to answer differs.
func (r *Recipients) sameFor(n phone.Number, free time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.lines[n]
	if of == nil {
		return free
	}
	if d := free.Sub(of.free); d.Abs() > time.Second {
		of.free = free
	}
	return of.free
}

// sharedInterval is kept by the ledger, for all its processes.
type sharedInterval struct{ ledger Ledger }

func (s sharedInterval) shared() bool { return true }

func (s sharedInterval) reserve(ctx context.Context, n phone.Number) (time.Duration, error) {
	return s.ledger.Recipient(ctx, n, recipientInterval)
}

// localInterval is kept by a process that has the bot to itself. It remembers the
// recipients of the last interval in two halves: the older one is dropped whole, so
// that nothing has to be searched for what is over.
type localInterval struct {
	mu          sync.Mutex
	now, before map[phone.Number]time.Time
	turned      time.Time
}

func newLocalInterval() *localInterval {
	return &localInterval{now: map[phone.Number]time.Time{}, before: map[phone.Number]time.Time{}}
}

func (l *localInterval) shared() bool { return false }

func (l *localInterval) reserve(_ context.Context, n phone.Number) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := time.Now()
	if t.Sub(l.turned) >= recipientInterval {
		if t.Sub(l.turned) >= 2*recipientInterval {
			clear(l.now)
		}
		l.before, l.now = l.now, l.before
		clear(l.now)
		l.turned = t
	}
	last, ok := l.now[n]
	if !ok {
		last, ok = l.before[n]
	}
	if free := last.Add(recipientInterval); ok && free.After(t) {
		return free.Sub(t), nil
	}
	l.now[n] = t
	return 0, nil
}
