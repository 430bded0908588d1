package desk

import (
	"context"
	"sync"
	"time"

	"pombo"
)

const (
	queueEvery  = time.Minute
	queuePoints = 24 * 60
)

// queue remembers for a day how many messages waited, a point a minute. It is for display
// only and starts empty with the process.
type queue struct {
	mu     sync.Mutex
	points []queuePoint // the oldest first
}

type queuePoint struct {
	at time.Time
	n  int
}

func (q *queue) add(at time.Time, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.points = append(q.points, queuePoint{at, n})
	if over := len(q.points) - queuePoints; over > 0 {
		q.points = append(q.points[:0], q.points[over:]...)
	}
}

// since returns the points from a time on, of each step the last one.
func (q *queue) since(from time.Time, step time.Duration) (out []queuePoint) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.points {
		switch n := len(out); {
		case p.at.Before(from):
		case n > 0 && out[n-1].at.Truncate(step).Equal(p.at.Truncate(step)):
			out[n-1] = p
		default:
			out = append(out, p)
		}
	}
	return out
}

// Run does what the desk does by itself until ctx ends.
func (s *Server) Run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() { s.watchQueue(ctx) })
	work.Go(func() { s.compare(ctx) })
	work.Wait()
}

func (s *Server) watchQueue(ctx context.Context) {
	every := time.NewTicker(queueEvery)
	defer every.Stop()
	for {
		if f, err := s.facts.health.get(ctx); err == nil {
			s.queue.add(s.o.Now(), f.Backlog.States[pombo.Queued])
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}
