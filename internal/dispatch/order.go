package dispatch

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// More notifications are in hand than the rate sends in a moment, and one that is
// claimed later may be more urgent. So under a rate they wait at the gate, which lets
// the most urgent in, then the oldest; only few are between the gate and their leave
// to send. And of those to one person the first in that order is the first to go.

// gate lets few notifications at a time wait for leave to send. A nil gate lets all of
// them in.
type gate struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter // the first to be let in is the first
}

// waiter is one that waits, with what its turn depends on.
type waiter struct {
	priority int
	seq      int64
	ready    chan struct{} // closed when it is its turn
}

func newWaiter(n *pombo.Notification) *waiter {
	return &waiter{priority: n.Priority, seq: n.Seq, ready: make(chan struct{})}
}

// insert puts a waiter among others, by priority and then by age.
func insert(list []*waiter, w *waiter) []*waiter {
	at, _ := slices.BinarySearchFunc(list, w, func(a, b *waiter) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.seq, b.seq))
	})
	return slices.Insert(list, at, w)
}

// gateTime is how long those let in wait for leave at most, one behind the other.
// Less would leave turns unused while the next one is on its way, and more would let
// the urgent wait.
const gateTime = 300 * time.Millisecond

func newGate(perSecond float64) *gate {
	if perSecond <= 0 {
		return nil
	}
	return &gate{free: max(2, int(math.Ceil(perSecond*gateTime.Seconds())))}
}

// enter waits to be let in; the caller leaves when it has leave to send, or none.
func (g *gate) enter(ctx context.Context, n *pombo.Notification) error {
	if g == nil {
		return ctx.Err()
	}
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	w := newWaiter(n)
	g.waiting = insert(g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(g.waiting, w)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	g.mu.Unlock()
	if i < 0 { // it was let in at the same moment
		g.leave()
	}
	return ctx.Err()
}

func (g *gate) leave() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.free++
		return
	}
	close(g.waiting[0].ready)
	g.waiting = slices.Delete(g.waiting, 0, 1)
}

// lines has the notifications in hand by the person they go to.
type lines struct {
	mu       sync.Mutex
	byPerson map[phone.Number]*line
}

// line is what is in hand for one person and has not taken its place yet: see
// Engine.recipient.
type line struct {
	waiting []*waiter // the first to go is the first
	free    time.Time // when the next place was said to be free
}

func newLines() *lines { return &lines{byPerson: map[phone.Number]*line{}} }

// join is called for each notification that was claimed, before any of them goes.
func (l *lines) join(n *pombo.Notification) {
	if n.Phone.IsZero() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.byPerson[n.Phone]
	if of == nil {
		of = &line{}
		l.byPerson[n.Phone] = of
	}
	of.waiting = insert(of.waiting, newWaiter(n))
	of.call()
}

// call tells the first of the line that it is. One that was told so before another
// came in front of it goes on.
func (of *line) call() {
	select {
	case <-of.waiting[0].ready:
	default:
		close(of.waiting[0].ready)
	}
}

// wait returns when nothing for the same person comes before n.
func (l *lines) wait(ctx context.Context, n *pombo.Notification) error {
	l.mu.Lock()
	w := l.find(n)
	l.mu.Unlock()
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
func (l *lines) find(n *pombo.Notification) *waiter {
	if of := l.byPerson[n.Phone]; of != nil {
		for _, w := range of.waiting {
			if w.seq == n.Seq {
				return w
			}
		}
	}
	return nil
}

// leave makes way for the next one; it may be called again.
func (l *lines) leave(n *pombo.Notification) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.find(n)
	if w == nil {
		return
	}
	of := l.byPerson[n.Phone]
	of.waiting = slices.DeleteFunc(of.waiting, func(other *waiter) bool { return other == w })
	if len(of.waiting) == 0 {
		delete(l.byPerson, n.Phone)
		return
	}
	of.call()
}

// freeAt returns the same time for all that wait for the same place of a person, so
// that they keep their order: how long it takes to find it out differs.
func (l *lines) freeAt(n phone.Number, at time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.byPerson[n]
	if of == nil {
		return at
	}
	if d := at.Sub(of.free); d.Abs() > time.Second {
		of.free = at
	}
	return of.free
}
