package telemetry

import (
	"log/slog"
	"sync"
	"time"

	"pombo"
)

// repeatEvery is how often records of one kind are summarized.
const repeatEvery = time.Minute

// repeats keeps a failure that occurs thousands of times from filling the log: of the
// records of one kind (pombo.Often) it writes the first at once, then the last of each
// minute with the number of records. A minute without one ends the spell.
type repeats struct {
	mu    sync.Mutex
	kinds map[pombo.Often]*spell
}

// spell is a series of records of one kind, up to a minute without one.
type spell struct {
	timer *time.Timer
	count int         // of records since the last one written
	last  slog.Record // of these
	by    *handler
}

// swallows reports whether the record is summarized later; if not, the caller writes it
// now.
func (s *repeats) swallows(h *handler, r slog.Record, kind pombo.Often) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, again := s.kinds[kind]; again {
		p.count, p.last, p.by = p.count+1, r.Clone(), h
		return true
	}
	if s.kinds == nil {
		s.kinds = map[pombo.Often]*spell{}
	}
	s.kinds[kind] = &spell{timer: time.AfterFunc(repeatEvery, func() { s.sum(kind) })}
	return false
}

// sum writes the summary of the last minute, or ends the spell.
func (s *repeats) sum(kind pombo.Often) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.kinds[kind]
	switch {
	case !ok: // closed meanwhile
	case p.count == 0:
		delete(s.kinds, kind)
	default:
		p.write()
		p.timer.Reset(repeatEvery)
	}
}

// write writes the summary.
func (p *spell) write() {
	p.last.AddAttrs(slog.Int("times", p.count))
	_ = p.by.write(p.last) // there is nowhere to report an error
	p.count = 0
}

// close writes the pending summaries.
func (s *repeats) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.kinds {
		p.timer.Stop()
		if p.count > 0 {
			p.write()
		}
	}
	s.kinds = nil
}
