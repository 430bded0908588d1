package desk

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const (
	recallTime = 10 * time.Minute
	recallMost = 1000 // visitors
)

// recall remembers recent visitors, for when the ledger does not answer and sessions
// cannot be read: the first page then still says so. It shows nothing else to them, and
// every change needs the ledger.
type recall struct {
	mu       sync.Mutex
	visitors map[[sha256.Size]byte]recalled // by the hash of the token in the cookie
}

type recalled struct {
	visitor *Visitor
	at      time.Time
}

// note remembers whom a token has shown to be here, or that it is nobody's.
func (c *recall) note(token string, v *Visitor, now time.Time) {
	if token == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := sha256.Sum256([]byte(token))
	if v == nil {
		delete(c.visitors, key)
		return
	}
	if c.visitors == nil {
		c.visitors = map[[sha256.Size]byte]recalled{}
	}
	if len(c.visitors) >= recallMost {
		for old, was := range c.visitors {
			if now.Sub(was.at) >= recallTime {
				delete(c.visitors, old)
			}
		}
	}
	if len(c.visitors) < recallMost {
		c.visitors[key] = recalled{v, now}
	}
}

func (c *recall) visitor(token string, now time.Time) *Visitor {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, ok := c.visitors[sha256.Sum256([]byte(token))]
	if !ok || now.Sub(was.at) >= recallTime {
		return nil
	}
	return was.visitor
}

// recallVisitor shows the first page to recent visitors while sessions cannot be read.
func (s *Server) recallVisitor(a *answer, r *http.Request, pattern string) bool {
	q := requestOf(r)
	if r.Method != http.MethodGet || pattern != "GET /desk/{$}" && !wantsHeadline(r) {
		return false
	}
	q.visitor = s.recall.visitor(q.sent, s.o.Now())
	q.recalled = q.visitor != nil
	if q.recalled {
		a.before = nil // there is no session to be saved
	}
	return q.recalled
}
