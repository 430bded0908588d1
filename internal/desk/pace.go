package desk

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// paces keeps one visitor, or a script in their name, from taking the pages of all others:
// each has a limit of pages a second, averaged over half a minute. A browser with 20 pages
// open that refresh themselves asks for four. It is kept in memory, so replicas count
// apart.
type paces struct {
	now func() time.Time

	mu       sync.Mutex
	visitors map[string]*rate.Limiter
}

const (
	pagesPerSecond = 20
	pagesAtOnce    = 30 * pagesPerSecond // of half a minute
	mostPaces      = 1_000               // visitors remembered
)

func newPaces(now func() time.Time) *paces {
	return &paces{now: now, visitors: map[string]*rate.Limiter{}}
}

// allow reports whether the visitor may have one more page now.
func (p *paces) allow(v *Visitor) bool {
	key := v.session
	if key == "" {
		key = "name " + v.Name
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	l := p.visitors[key]
	if l == nil {
		p.forget(now)
		l = rate.NewLimiter(pagesPerSecond, pagesAtOnce)
		p.visitors[key] = l
	}
	return l.AllowN(now, 1)
}

// forget makes room: of visitors who have not asked for a while there is nothing to remember.
func (p *paces) forget(now time.Time) {
	if len(p.visitors) < mostPaces {
		return
	}
	for key, l := range p.visitors {
		if l.TokensAt(now) >= pagesAtOnce {
			delete(p.visitors, key)
		}
	}
}
