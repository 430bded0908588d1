package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// A row that has waited may have been taken back meanwhile: the exam was moved,
// the bill was paid. So before it is sent its status is read once more, many
// rows in one statement.
//
// What was put off on purpose, or was tried before, is not sent without that
// answer: while the source is away it waits, since a message that its owner took
// back is worse than a late one. What has only stood in the queue for long, or was
// there when the program started, is asked about too, but it does not depend on the answer: sending what was taken
// in goes on while the source is away.
const (
	// putOff is from which time on a row counts as put off.
	putOff = 30 * time.Second
	// stoodLong is from which age on a row is asked about that was not put off.
	stoodLong = time.Minute
	// askGather is how long the first question waits for others. One statement
	// for each message would be more than the source is promised.
	askGather = time.Second
	// askTime is what the source has to answer in; hands are held meanwhile.
	askTime = 5 * time.Second
	// askPause is how long a source is left alone that did not answer.
	askPause = 15 * time.Second
)

// wanted asks the source for the statuses of rows, of many in one statement: the
// first who asks waits for others and then asks for all of them.
type wanted struct {
	statuses func(ctx context.Context, rows []string) (map[string]string, error)
	log      *slog.Logger
	most     int           // questions that are enough: nobody else would come
	turn     chan struct{} // one statement at a time

	mu    sync.Mutex
	batch *questions // that others may still join; nil = none

	// While the source is away it is not asked for each row again. They belong to
	// whoever has the turn.
	away, askAgain time.Time
}

// questions are asked together.
type questions struct {
	rows []string
	full chan struct{} // closed when they are enough
	done chan struct{} // closed when they are answered

	codes map[string]string // the answer
	known bool
	later time.Duration
}

func newWanted(source Source, hands int, log *slog.Logger) *wanted {
	w := &wanted{log: log, most: max(1, hands*3/4), turn: make(chan struct{}, 1)}
	w.statuses = source.Statuses
	return w
}

// status is the answer; known is false when the source could not say.
type status struct {
	code  string
	gone  bool
	known bool
	later time.Duration // when it makes sense to ask again, when it is not known
}

// stillWanted looks whether the row of n is as it was when it was taken in, if n
// has waited. ok is false when it is not to be sent now: o says what becomes of it.
func (e *Engine) stillWanted(ctx context.Context, held pombo.Outcome, n *pombo.Notification) (o pombo.Outcome, ok bool) {
	must := n.Attempt > 0 || n.NotBefore.Sub(n.Created) >= putOff
	switch {
	case n.Key.Source != e.o.SourceName:
		return held, true // it has no row that could be read
	case !must && n.Seq > e.before && time.Since(n.Created) < stoodLong:
		return held, true
	}
	s, err := e.wanted.ask(ctx, n.Key.RowKey)
	if err != nil {
		return release(held, pombo.Interrupted, time.Time{}), false
	}
	expected := cmp.Or(n.Settled, e.o.Pending) // retried, it has the code of its failure
	switch {
	case !s.known && must:
		return release(held, pombo.SourceAway, time.Now().Add(s.later)), false
	case !s.known || !s.gone && (s.code == expected || slices.Contains(n.Unsure, s.code)):
		return held, true
	case s.gone:
		held.Detail = "the row is no longer there"
	default:
		held.Detail = fmt.Sprintf("its status is %q, not %q", s.code, expected)
	}
	held.To, held.Reason = pombo.Cancelled, pombo.Withdrawn
	return held, false
}

// ask returns the status of a row. The error is that of ctx.
func (w *wanted) ask(ctx context.Context, row string) (status, error) {
	w.mu.Lock()
	q := w.batch
	first := q == nil
	if first {
		q = &questions{full: make(chan struct{}), done: make(chan struct{})}
		w.batch = q
	}
	q.rows = append(q.rows, row)
	if len(q.rows) == w.most {
		close(q.full)
	}
	w.mu.Unlock()
	if first {
		w.lead(ctx, q)
	}
	select {
	case <-q.done:
		code, there := q.codes[row]
		return status{code: code, gone: !there, known: q.known, later: q.later}, nil
	case <-ctx.Done():
		return status{}, ctx.Err()
	}
}

// lead waits for others to join and asks for all. When ctx ends, which it does for
// all of them, nobody is answered.
func (w *wanted) lead(ctx context.Context, q *questions) {
	_ = wait.Until(ctx, q.full, askGather)
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
	}
	w.mu.Lock()
	w.batch = nil
	w.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	if !now.Before(w.askAgain) {
		within, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		var err error
		q.codes, err = w.statuses(within, slices.Compact(slices.Sorted(slices.Values(q.rows))))
		switch {
		case err == nil:
			q.known, w.away, w.askAgain = true, time.Time{}, time.Time{}
		case ctx.Err() == nil:
			if w.away.IsZero() {
				w.away = now
			}
			w.askAgain = time.Now().Add(askPause)
			w.log.Error("rows that have waited cannot be read again; those that were put off wait on", "rows", len(q.rows), "error", err, "often", pombo.Often("wanted"))
		}
	}
	// Those that depend on it come back the later, the longer it has been away.
	q.later = wait.Jitter(min(max(now.Sub(w.away), 30*time.Second), 10*time.Minute))
	close(q.done)
}
