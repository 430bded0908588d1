package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"pombo"
)

// A row that has waited may have been taken back meanwhile: the exam was moved,
// the bill was paid. So before it is sent its status is read once more, many
// rows in one statement.
//
// What was put off on purpose, or was tried before, is not sent without that
// answer: while the source is away it waits, since a message that its owner took
// back is worse than a late one. What has only stood in the queue for long is
// asked about too, but it does not depend on the answer: sending what was taken
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

// question asks for the status of a row.
type question struct {
	row    string
	answer chan status // buffered
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
	case e.o.Source == nil || n.Key.Source != e.o.SourceName:
		return held, true // it has no row that could be read
	case !must && time.Since(n.Created) < stoodLong:
		return held, true
	}
	q := question{n.Key.Row, make(chan status, 1)}
	var s status
	select {
	case e.questions <- q:
	case <-ctx.Done():
		return release(held, pombo.Interrupted, time.Time{}), false
	}
	select {
	case s = <-q.answer:
	case <-ctx.Done():
		return release(held, pombo.Interrupted, time.Time{}), false
	}
	expected := cmp.Or(n.Settled, e.o.Pending) // retried, it has the code of its failure
	switch {
	case !s.known && must:
		return release(held, pombo.SourceAway, time.Now().Add(s.later)), false
	case !s.known || !s.gone && s.code == expected:
		return held, true
	case s.gone:
		held.Detail = "the row is no longer there"
	default:
		held.Detail = fmt.Sprintf("its status is %q, not %q", s.code, expected)
	}
	held.To, held.Reason = pombo.Cancelled, pombo.RowTakenBack
	return held, false
}

// wantedLoop answers the questions. While the source is away it is not asked for
// each row again; those that depend on it come back the later, the longer it has
// been away.
func (e *Engine) wantedLoop(ctx context.Context) {
	// Most hands may be waiting for an answer; then nobody else will ask.
	most := max(1, cap(e.hands)*3/4)
	var away, askAgain time.Time
	for {
		batch, err := gatherQuestions(ctx, e.questions, most)
		if err != nil {
			return
		}
		now := time.Now()
		var codes map[string]string
		known := !now.Before(askAgain)
		if known {
			codes, err = e.statuses(ctx, batch)
			if known = err == nil; known {
				away, askAgain = time.Time{}, time.Time{}
			} else if ctx.Err() == nil {
				if away.IsZero() {
					away = now
				}
				askAgain = time.Now().Add(askPause)
				e.log.Error("rows that have waited cannot be read again; those that were put off wait on", "rows", len(batch), "error", err)
			}
		}
		later := jitter(min(max(now.Sub(away), 30*time.Second), 10*time.Minute))
		for _, q := range batch {
			code, there := codes[q.row]
			q.answer <- status{code: code, gone: !there, known: known, later: later}
		}
	}
}

// statuses asks the source, once for each row.
func (e *Engine) statuses(ctx context.Context, batch []question) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	rows := make([]string, len(batch))
	for i, q := range batch {
		rows[i] = q.row
	}
	return e.o.Source.Statuses(ctx, rows)
}

// gatherQuestions waits for a question and then for more of them, at most most.
func gatherQuestions(ctx context.Context, from <-chan question, most int) ([]question, error) {
	var batch []question
	var company <-chan time.Time // nil, that is never, before the first one
	for len(batch) < most {
		select {
		case q := <-from:
			if batch = append(batch, q); company == nil {
				company = time.After(askGather)
			}
		case <-company:
			return batch, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return batch, nil
}
