package delivery

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

// A row that has waited may have been withdrawn meanwhile: the exam was moved, the
// bill was paid. So before it is sent its status is read once more, many rows in one
// statement.
//
// A row that was put off on purpose, or tried before, is not sent without that answer:
// while the source is away it waits, since a message that its owner has withdrawn is
// worse than a late one. A row that has only been queued for long, or was there when
// the program started, is asked about too, but does not depend on the answer: sending
// goes on while the source is away.
const (
	// putOff is the delay from which a row counts as put off.
	putOff = 30 * time.Second
	// queuedLong is the age from which a row that was not put off is asked about too.
	queuedLong = time.Minute
	// recheckCollect is how long the first caller waits for others. One statement for
	// each message would be more than the source is promised.
	recheckCollect = time.Second
	// recheckTimeout is how long the source may take to answer; claimed notifications
	// wait meanwhile.
	recheckTimeout = 5 * time.Second
	// recheckPause is how long a source that did not answer is left alone.
	recheckPause = 15 * time.Second
)

// rowUnchanged ends the row when it is not as it was when it was taken in, if it has
// waited.
func (d *Deliverer) rowUnchanged(ctx context.Context, v *delivery) *pombo.Outcome {
	must := v.Attempt > 0 || v.NotBefore.Sub(v.Created) >= putOff
	switch {
	case v.Key.Source != d.opts.SourceName:
		return nil // it has no row that could be read
	case !must && v.Seq > d.newestAtStart && time.Since(v.Created) < queuedLong:
		return nil
	}
	s, err := d.recheck.status(ctx, v.Key.RowKey)
	if err != nil {
		return requeued(v.claim, pombo.Interrupted, time.Time{}, "")
	}
	expected := cmp.Or(v.Settled, d.opts.Pending) // retried, it has the code of its failure
	switch {
	case !s.known && must:
		return requeued(v.claim, pombo.SourceAway, time.Now().Add(s.retryIn), "")
	case !s.known || !s.gone && (s.code == expected || slices.Contains(v.Unsure, s.code)):
		return nil
	case s.gone:
		return withdrawn(v.claim, "the row is no longer there")
	}
	return withdrawn(v.claim, fmt.Sprintf("its status is %q, not %q", s.code, expected))
}

// recheck reads the statuses of rows, coalesced: the first caller waits for others
// and then asks for all at once.
type recheck struct {
	statuses func(ctx context.Context, rows []string) (map[string]string, error)
	log      *slog.Logger
	enough   int           // rows after which no other caller would come
	turn     chan struct{} // one statement at a time

	mu    sync.Mutex
	batch *recheckBatch // that others may still join; nil = none

	// While the source is away it is not asked for each row again. The caller that has
	// the turn owns these.
	away, askAgain time.Time
}

// recheckBatch is a set of rows that one statement asks for.
type recheckBatch struct {
	rows []string
	full chan struct{} // closed when there are enough
	done chan struct{} // closed when they are answered

	codes   map[string]string // the answer
	known   bool
	retryIn time.Duration
}

func newRecheck(statuses func(context.Context, []string) (map[string]string, error), claims int, log *slog.Logger) *recheck {
	return &recheck{statuses: statuses, log: log, enough: max(1, claims*3/4), turn: make(chan struct{}, 1)}
}

// rowStatus is the answer; known is false when the source could not say.
type rowStatus struct {
	code    string
	gone    bool
	known   bool
	retryIn time.Duration // when it makes sense to ask again, when it is not known
}

// status returns the status of a row. The error is that of ctx.
func (r *recheck) status(ctx context.Context, row string) (rowStatus, error) {
	r.mu.Lock()
	b := r.batch
	first := b == nil
	if first {
		b = &recheckBatch{full: make(chan struct{}), done: make(chan struct{})}
		r.batch = b
	}
	b.rows = append(b.rows, row)
	if len(b.rows) == r.enough {
		close(b.full)
	}
	r.mu.Unlock()
	if first {
		r.ask(ctx, b)
	}
	select {
	case <-b.done:
		code, there := b.codes[row]
		return rowStatus{code: code, gone: !there, known: b.known, retryIn: b.retryIn}, nil
	case <-ctx.Done():
		return rowStatus{}, ctx.Err()
	}
}

// ask waits for others to join and asks for all. When ctx ends, it ends for every
// caller, and none is answered.
func (r *recheck) ask(ctx context.Context, b *recheckBatch) {
	_ = wait.Until(ctx, b.full, recheckCollect)
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
	}
	r.mu.Lock()
	r.batch = nil
	r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	if !now.Before(r.askAgain) {
		within, cancel := context.WithTimeout(ctx, recheckTimeout)
		defer cancel()
		var err error
		b.codes, err = r.statuses(within, slices.Compact(slices.Sorted(slices.Values(b.rows))))
		switch {
		case err == nil:
			b.known, r.away, r.askAgain = true, time.Time{}, time.Time{}
		case ctx.Err() == nil:
			if r.away.IsZero() {
				r.away = now
			}
			r.askAgain = time.Now().Add(recheckPause)
			r.log.Error("rows that have waited cannot be read again; those that were put off wait on", "rows", len(b.rows), "error", err, "often", pombo.Often("recheck"))
		}
	}
	// The longer the source has been away, the later the rows that depend on it come
	// back.
	b.retryIn = wait.Jitter(min(max(now.Sub(r.away), 30*time.Second), 10*time.Minute))
	close(b.done)
}
