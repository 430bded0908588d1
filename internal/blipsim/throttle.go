package blipsim

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// bucket is a token bucket with the requests of one second.
type bucket struct {
	tokens float64
	filled time.Time
}

// take takes a token if there is one.
func (b *bucket) take(rate int, now time.Time) bool {
	if b.filled.IsZero() {
		b.tokens = float64(rate)
	} else if d := now.Sub(b.filled); d > 0 {
		b.tokens = min(float64(rate), b.tokens+d.Seconds()*float64(rate))
	}
	b.filled = now
	if b.tokens < 1-1e-6 { // sums of fractions are not exact
		return false
	}
	b.tokens = max(0, b.tokens-1)
	return true
}

// admit returns 0, or how long the bot is still locked out. The lock-out applies to all
// paths of the bot, and requests during it do not prolong it.
func (b *bot) admit(p path, now time.Time, opts *Options) time.Duration {
	if opts.MessagesPerSecond <= 0 && opts.CommandsPerSecond <= 0 && opts.NotificationsPerSecond <= 0 {
		return 0
	}
	rate := [pathCount]int{opts.MessagesPerSecond, opts.CommandsPerSecond, opts.NotificationsPerSecond}[p]
	b.mu.Lock()
	defer b.mu.Unlock()
	if left := b.locked.Sub(now); left > 0 {
		return left
	}
	if rate <= 0 || b.buckets[p].take(rate, now) {
		return 0
	}
	b.locked = now.Add(opts.RatePenalty)
	return opts.RatePenalty
}

func (s *Server) throttle(w http.ResponseWriter, left time.Duration) {
	s.counters.throttled.Add(1)
	if s.opts.RetryAfter {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(left.Seconds()))))
	}
	w.WriteHeader(http.StatusTooManyRequests)
}

// WhatsApp lets a business send one person a message every six seconds, with bursts of up
// to 45 within six seconds.
const (
	pairBurst  = 45
	pairWindow = 6 // seconds
)

// pairShard counts the messages of each recipient in the seconds of the window.
// The window consists of whole seconds, so it is never longer than six, and a sender that
// keeps to the limit never fails. Two maps alternate, so that a million recipients do not
// stay in memory after their six seconds.
type pairShard struct {
	mu        sync.Mutex
	now, last map[uint64]pairCount
	since     uint32 // second in which now was begun
}

type pairCount struct {
	second uint32 // of the last message
	n      [pairWindow]uint8
}

func (p *pairShard) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now, p.last = map[uint64]pairCount{}, map[uint64]pairCount{}
}

// take counts one message to the recipient and reports whether it is within the
// limit.
func (p *pairShard) take(recipient uint64, at time.Time) bool {
	second := uint32(max(at.Unix(), 0))
	p.mu.Lock()
	defer p.mu.Unlock()
	if second-p.since >= pairWindow {
		p.now, p.last = p.last, p.now
		clear(p.now)
		if second-p.since >= 2*pairWindow {
			clear(p.last)
		}
		p.since = second
	}
	c, ok := p.now[recipient]
	if !ok {
		c = p.last[recipient]
	}
	switch passed := second - c.second; {
	case passed >= pairWindow:
		c = pairCount{}
	default:
		for i := c.second + 1; i != second+1; i++ {
			c.n[i%pairWindow] = 0
		}
	}
	c.second = second
	sum := 0
	for _, n := range c.n {
		sum += int(n)
	}
	if sum >= pairBurst {
		p.now[recipient] = c
		return false // a refused message does not count
	}
	c.n[second%pairWindow]++
	p.now[recipient] = c
	return true
}
