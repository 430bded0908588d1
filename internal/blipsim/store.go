package blipsim

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// shardCount is how many locks the memory of ids has; a power of two.
const shardCount = 64

// mark is all that is kept of a message for good: 16 bytes, no pointer, so that
// the garbage collector does not look into the maps of marks. To is the
// recipient's number. Bits holds, from the top, 42 bits of milliseconds since
// 1970 (the year 2109), 14 of the outcome and 8 of the number of deliveries.
type mark struct {
	to   uint64
	bits uint64
}

const maxOutcomes = 1 << 14

func newMark(to uint64, at time.Time, outcome uint16) mark {
	ms := uint64(max(at.UnixMilli(), 0)) & (1<<42 - 1)
	return mark{to: to, bits: ms<<22 | uint64(outcome)<<8 | 1}
}

func (m mark) at() time.Time   { return time.UnixMilli(int64(m.bits >> 22)).UTC() }
func (m mark) outcome() uint16 { return uint16(m.bits >> 8 & (maxOutcomes - 1)) }
func (m mark) deliveries() int { return int(m.bits & 0xff) }

// again counts one more delivery.
func (m mark) again() mark {
	m.bits++
	return m
}

// maxDeliveries of one id are told apart; later ones are not counted.
const maxDeliveries = 0xff

// shard is the memory of a part of the ids.
type shard struct {
	mu      sync.Mutex
	byUUID  map[uuid.UUID]mark
	byText  map[string]mark   // ids that are no UUIDs
	repeats map[string][]mark // the second and later deliveries of an id
}

func (sh *shard) clear() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.byUUID, sh.byText, sh.repeats = map[uuid.UUID]mark{}, map[string]mark{}, map[string][]mark{}
}

func (sh *shard) keep(id string, u uuid.UUID, isUUID bool, m mark) {
	if isUUID {
		sh.byUUID[u] = m
	} else {
		sh.byText[id] = m
	}
}

func (s *Server) shardOf(id string, u uuid.UUID, isUUID bool) *shard {
	if isUUID {
		return &s.shards[(u[15]^u[7])%shardCount]
	}
	return &s.shards[hash(id)%shardCount]
}

// remember adds a delivery and returns its number, from 0.
func (s *Server) remember(id string, m mark) int {
	u, isUUID := parseUUID(id)
	sh := s.shardOf(id, u, isUUID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var first mark
	var known bool
	if isUUID {
		first, known = sh.byUUID[u]
	} else {
		first, known = sh.byText[id]
	}
	if !known {
		sh.keep(id, u, isUUID, m)
		s.counters.ids.Add(1)
		return 0
	}
	n := first.deliveries()
	if n == 1 {
		s.counters.doubled.Add(1)
	}
	if n < maxDeliveries {
		sh.repeats[id] = append(sh.repeats[id], m)
		sh.keep(id, u, isUUID, first.again())
	}
	return n
}

// deliveriesOf returns the marks of an id, the first delivery first.
func (s *Server) deliveriesOf(id string) []mark {
	u, isUUID := parseUUID(id)
	sh := s.shardOf(id, u, isUUID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	first, known := sh.byUUID[u]
	if !isUUID {
		first, known = sh.byText[id]
	}
	if !known {
		return nil
	}
	return append([]mark{first}, sh.repeats[id]...)
}

// Deliveries returns how often the message of each id was delivered. An id with
// more than one reached its person twice. 255 means 255 or more. Messages without
// an id are not in it.
func (s *Server) Deliveries() map[string]int {
	all := make(map[string]int, s.counters.messages.Load())
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for u, m := range sh.byUUID {
			all[u.String()] = m.deliveries()
		}
		for id, m := range sh.byText {
			all[id] = m.deliveries()
		}
		sh.mu.Unlock()
	}
	return all
}

// taken is one message as it is kept while it is among the newest.
type taken struct {
	msg      *envelope
	bot      *bot
	mark     mark
	delivery int
}

// recent keeps the newest messages in a ring.
type recent struct {
	limit int

	mu   sync.Mutex
	ring []taken
	next int // where the oldest is, once the ring is full
}

func (r *recent) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring, r.next = nil, 0
}

func (r *recent) add(t taken) {
	if r.limit == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < r.limit {
		r.ring = append(r.ring, t)
		return
	}
	r.ring[r.next] = t
	r.next = (r.next + 1) % r.limit
}

// newest returns the newest n, oldest first; negative = all that are kept.
func (r *recent) newest(n int) []taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := len(r.ring)
	if n < 0 || n > size {
		n = size
	}
	out := make([]taken, 0, n)
	for i := size - n; i < size; i++ {
		out = append(out, r.ring[(r.next+i)%size])
	}
	return out
}
