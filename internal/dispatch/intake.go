package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// pageSize is how many rows one SELECT on the source brings.
const pageSize = 500

// intakeLedger is the ledger as intake sees it.
type intakeLedger interface {
	// Enqueue adds the rows that are new. Of the known ones it returns those
	// whose latest generation has ended.
	Enqueue(ctx context.Context, source string, run int64, rows []pombo.Row) (added int, finished []pombo.Latest, err error)
	// EnqueueAgain adds the generation after latest, if that one is still the
	// latest and settled.
	EnqueueAgain(ctx context.Context, source string, run int64, rows []pombo.Row, latest []pombo.Latest) (added int, err error)
	Add(ctx context.Context, source string, row pombo.Row) (n pombo.Notification, added bool, err error)
	Queued(ctx context.Context) (int, error)
}

// intakeLoop takes pending rows in when a run asks for it and, with
// POLL_INTERVAL, by itself. Two passes never overlap. Of the processes that share
// a ledger one looks by itself.
func (e *Engine) intakeLoop(ctx context.Context) {
	var tick <-chan time.Time // nil, that is never, without POLL_INTERVAL
	due := time.Now().Add(e.o.PollInterval)
	t := time.NewTimer(min(e.o.PollInterval, idle))
	defer t.Stop()
	if e.o.PollInterval > 0 {
		tick = t.C
	}
	looking := e.duty("poll")
	defer looking.release(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case run := <-e.intake:
			e.takeInFor(ctx, run)
		case <-tick:
			due = e.poll(ctx, looking, due)
			t.Reset(min(time.Until(due), idle)) // the duty wants to be kept meanwhile
		}
	}
}

// poll takes in if that is due and for this process to do, and returns when it is
// due next: one interval after it was due this time, not after it was done, or each
// poll would come later by what the one before took. After a pass that was mostly vain
// it rests longer.
func (e *Engine) poll(ctx context.Context, looking *duty, due time.Time) time.Time {
	interval, soon := e.o.PollInterval, time.Now().Add(min(e.o.PollInterval, idle))
	mine, err := looking.mine(ctx)
	if !mine && err == nil {
		return soon
	}
	if time.Now().Before(due) {
		return due
	}
	taking := e.duty("intake")
	if err == nil {
		mine, err = taking.mine(ctx)
	}
	if !mine && err == nil {
		return soon // a run takes in
	}
	if time.Since(due) > interval {
		due = time.Now() // polls that were missed are not made up for
	}
	if err == nil {
		_, err = e.takeIn(ctx, 0, taking)
	}
	if err != nil && ctx.Err() == nil {
		e.log.Error("not everything was taken in; it is tried again at the next poll", "error", err, "often", pombo.Often("intake"))
	}
	return due.Add(max(interval, e.progress.rest()))
}

// TakeIn takes in every row that is pending now, on behalf of no run, unless
// another process is at it. It returns how many were new.
func (e *Engine) TakeIn(ctx context.Context) (added int, err error) {
	taking := e.duty("intake")
	if mine, err := taking.mine(ctx); !mine || err != nil {
		return 0, err
	}
	return e.takeIn(ctx, 0, taking)
}

// takeIn takes in every row that is pending now, page by page, on behalf of a
// run or, with 0, of nobody. It holds no lock and no transaction on the source.
// The duty, which the caller has, is kept meanwhile and then given up.
func (e *Engine) takeIn(ctx context.Context, run int64, taking *duty) (added int, err error) {
	defer taking.release(ctx)
	begun, left := time.Now(), 0
	for after := ""; ; {
		if err := e.waitForRoom(ctx, taking); err != nil {
			return added, err
		}
		rows, err := e.o.Source.Page(ctx, after, pageSize)
		if ctx.Err() == nil {
			e.progress.went(takingIn, err)
		}
		if err != nil {
			e.metrics.intakeErrors.Inc()
			return added, fmt.Errorf("read pending rows: %w", err)
		}
		if len(rows) == 0 {
			problems := e.o.Source.Problems()
			unnamed := e.progress.passed(begun, problems, added, left)
			if err := e.o.Ledger.TakenIn(ctx, begun); err != nil {
				return added, err
			}
			return added, e.tellProblems(problems, unnamed)
		}
		after = rows[len(rows)-1].RowKey
		n, over, err := e.enqueue(ctx, run, rows)
		added, left = added+n, left+over
		if err != nil {
			return added, err
		}
		if n > 0 {
			e.metrics.taken.Add(float64(n))
			e.queued.set()
			e.doubts.set() // after a loss of the ledger that is where they go
		}
	}
}

// tellProblems makes the rows visible that could not be taken in. They stay
// pending until somebody mends them, so each is named once, in this pass or a
// later one, and every pass says how many there are.
func (e *Engine) tellProblems(problems, unnamed []pombo.RowProblem) error {
	if len(problems) == 0 {
		return nil
	}
	for _, p := range unnamed {
		e.log.Warn("row not taken in; it stays pending", "row", p.RowKey, "column", p.Column, "problem", p.Message)
	}
	count := pombo.CountRowProblems(len(problems))
	e.log.Warn("rows not taken in; they stay pending", "rows", count, "first", problems[0].String(), "often", pombo.Often("left out"))
	return fmt.Errorf("%s pending in the table cannot be taken in as they are, the first: %s", count, problems[0])
}

// waitForRoom waits while the ledger holds enough queued rows: a million
// pending rows must not become a million rows here. It keeps the duty. To count
// the queue costs the ledger as much as some messages, so it is done seldom: the
// queue is far from empty then.
func (e *Engine) waitForRoom(ctx context.Context, taking *duty) error {
	for {
		if _, err := taking.mine(ctx); err != nil { // it goes on if another one has it now
			return err
		}
		n, err := e.o.Ledger.Queued(ctx)
		if err != nil {
			return err
		}
		if n < e.o.HighWater {
			return nil
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// enqueue returns how many of the rows were new, and how many stay pending although
// they are finished here.
func (e *Engine) enqueue(ctx context.Context, run int64, rows []pombo.Row) (added, left int, err error) {
	for i := range rows {
		prepare(&rows[i])
	}
	added, finished, err := e.o.Ledger.Enqueue(ctx, e.o.SourceName, run, rows)
	known := len(finished)
	finished = slices.DeleteFunc(finished, func(l pombo.Latest) bool { return l.Untouched })
	left = known - len(finished)
	if err != nil || len(finished) == 0 {
		return added, left, err
	}
	again, err := e.resendOnPurpose(ctx, run, rows, finished)
	return added + again, left, err
}

// resendOnPurpose takes in again what somebody set back to pending after it was
// finished and settled. The page may have been read just before the settle, so
// the status is read again now that the settled mark has been seen: only a row
// that is pending after that was set so on purpose.
func (e *Engine) resendOnPurpose(ctx context.Context, run int64, rows []pombo.Row, finished []pombo.Latest) (added int, err error) {
	keys := make([]string, len(finished))
	for i, f := range finished {
		keys[i] = f.RowKey
	}
	status, err := e.o.Source.Statuses(ctx, keys)
	if err != nil {
		return 0, fmt.Errorf("read again the status of rows that were finished before: %w", err)
	}
	byKey := make(map[string]pombo.Row, len(rows))
	for _, r := range rows {
		byKey[r.RowKey] = r
	}
	var back []pombo.Row
	var latest []pombo.Latest
	for _, f := range finished {
		if row, ok := byKey[f.RowKey]; ok && status[f.RowKey] == e.o.Pending {
			back = append(back, row)
			latest = append(latest, f)
		}
	}
	if len(back) == 0 {
		return 0, nil
	}
	return e.o.Ledger.EnqueueAgain(ctx, e.o.SourceName, run, back, latest)
}

// prepare understands the row's phone once, so that a person can be searched
// for and the identity cache be asked. What is no phone stays a row: the road
// ends it with its reason.
func prepare(r *pombo.Row) {
	if n, err := phone.Parse(r.Recipient.Reveal()); err == nil {
		r.Phone = n
	}
}

// overHTTP is the source of messages that came over HTTP.
const overHTTP = "api"

// Add takes in one message that came over HTTP. row.Key makes it unique: the
// same key again returns what is there, with added false.
func (e *Engine) Add(ctx context.Context, row pombo.Row) (n pombo.Notification, added bool, err error) {
	prepare(&row)
	n, added, err = e.o.Ledger.Add(ctx, overHTTP, row)
	if added {
		e.metrics.taken.Inc()
		e.queued.set()
	}
	return n, added, err
}
