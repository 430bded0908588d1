package throttle

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"pombo"
)

// Gate lets few notifications at a time wait for the rate's permit. More are claimed
// than the rate sends in a moment, and one that is claimed later may be more urgent.
// So under a rate they wait here: the most urgent is let in first, then the oldest.
// A nil Gate, that of a bot without a rate, lets all in.
type Gate struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter // in the order in which they are let in
}

// waiter is a notification that waits, with what its order depends on.
type waiter struct {
	priority int
	seq      int64
	ready    chan struct{} // closed when its wait is over
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

// gateTime is how long those let in wait for a permit at most, one behind the other.
// Less would leave permits unused while the next notification is on its way, and
// more would make the urgent wait.
const gateTime = 300 * time.Millisecond

func newGate(perSecond float64) *Gate {
	if perSecond <= 0 {
		return nil
	}
	return &Gate{free: max(2, int(math.Ceil(perSecond*gateTime.Seconds())))}
}

// Acquire waits to be let in. Without an error the caller must Release as soon as it
// has its permit, or gets none.
func (g *Gate) Acquire(ctx context.Context, n *pombo.Notification) error {
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
		g.Release()
	}
	return ctx.Err()
}

// Release lets the next one in.
func (g *Gate) Release() {
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
