package desk

import (
	"strings"
	"sync"
	"time"
)

// delays slow guessing down: after each wrong password the next attempt for the same
// name, and the next one from the same address, has to wait twice as long, from a second
// to five minutes. It is kept in memory: a restart forgets it, and so does an hour.
type delays struct {
	now func() time.Time

	mu    sync.Mutex
	tries map[string]tries
}

type tries struct {
	failed int
	until  time.Time // no attempt before
}

const (
	firstDelay  = time.Second
	mostDelay   = 5 * time.Minute
	forgetTries = time.Hour
	mostTries   = 10_000 // names and addresses remembered
)

func newDelays(now func() time.Time) *delays { return &delays{now: now, tries: map[string]tries{}} }

// begin counts an attempt as failed before it is made, so that simultaneous attempts all
// count, and returns how long it must wait; 0 = it may be made.
func (d *delays) begin(name, address string) (wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	keys := tryKeys(name, address)
	for _, key := range keys {
		wait = max(wait, d.tries[key].until.Sub(now))
	}
	if wait > 0 {
		return wait
	}
	d.forget(now)
	for _, key := range keys {
		t := d.tries[key]
		if now.Sub(t.until) > forgetTries {
			t = tries{}
		}
		t.until = now.Add(min(firstDelay<<min(t.failed, 20), mostDelay))
		t.failed++
		d.tries[key] = t
	}
	return 0
}

// succeed forgets the attempts for a name and from an address.
func (d *delays) succeed(name, address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range tryKeys(name, address) {
		delete(d.tries, key)
	}
}

// forget makes room. A client that fills it with names has to wait by its address for
// each.
func (d *delays) forget(now time.Time) {
	if len(d.tries) < mostTries {
		return
	}
	for key, t := range d.tries {
		if now.Sub(t.until) > forgetTries {
			delete(d.tries, key)
		}
	}
	for key := range d.tries {
		if len(d.tries) < mostTries {
			return
		}
		delete(d.tries, key)
	}
}

func tryKeys(name, address string) []string {
	return []string{"name " + strings.ToLower(name), "address " + address}
}
