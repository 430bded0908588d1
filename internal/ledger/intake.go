package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"pombo"
)

// Intake turns rows of the source into notifications.
type Intake struct {
	*store
	history *History
}

// maxPriority is the highest; a row that says more has it, one that says less
// than 0 has 0.
const maxPriority = 9

// Enqueue takes in rows of the source, for the run (0 = none), and returns how
// many were new. A known row stays as it is. finished names the known rows whose latest
// generation has ended: seen pending after its code was written to the row, they may
// have been set back on purpose. A row that was Left as it is shows nothing of the
// kind.
//
// The same row may come from several goroutines and pages at once; it is added
// once. A page is taken in by parts: after an error some of it may have been
// added, and the next pass finds the rest.
func (in *Intake) Enqueue(ctx context.Context, source string, run int64, rows []pombo.Row) (added int, finished []pombo.Latest, err error) {
	now := in.now()
	list := make([][]any, 0, len(rows))
	for i := range rows {
		args, err := in.enqueueArgs(source, run, &rows[i], nil, 1, now)
		if err != nil {
			return 0, nil, fmt.Errorf("enqueue: %w", err)
		}
		list = append(list, args)
	}
	hit, err := in.each(ctx, sqlEnqueue, list)
	for i := range rows {
		if hit[i] {
			added++
			continue
		}
		if err != nil {
			continue
		}
		latest, ended, e := in.latest(ctx, source, rows[i].RowKey)
		if err = e; ended {
			finished = append(finished, latest)
		}
	}
	return added, finished, wrap(err, "enqueue")
}

func (in *Intake) enqueueArgs(source string, run int64, r *pombo.Row, settle any, generation int, now int64) ([]any, error) {
	text, err := message(r)
	if err != nil {
		return nil, err
	}
	notBefore := now
	if !r.SendAfter.IsZero() {
		notBefore = max(now, r.SendAfter.UnixMilli())
	}
	var inRun any
	if run != 0 {
		inRun = run
	}
	reason := pombo.NoReason
	if generation > 1 {
		reason = pombo.SetBackToPending
	}
	id := pombo.Key{Source: source, RowKey: r.RowKey, Generation: generation}.MessageID()
	return []any{
		min(max(r.Priority, 0), maxPriority), notBefore, millis(r.Expires), settle, inRun, now, idNumber(id), digits(r.Phone),
		source, r.RowKey, text, encodeEvent(now, pombo.Queued, 0, reason, ""),
	}, nil
}

// latest returns the newest generation of a row, and whether it has ended.
func (in *Intake) latest(ctx context.Context, source, row string) (latest pombo.Latest, ended bool, err error) {
	latest.RowKey = row
	var settled bool
	err = in.get(ctx, sqlLatest, []any{row, source}, &latest.Generation, &ended, &settled)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("row %s is neither new nor known", row)
	}
	latest.Untouched = !settled
	return latest, ended, err
}

// EnqueueAgain takes in a further generation of the rows that latest names,
// where that generation is still the latest and settled. It returns how many
// there were. The caller has read the rows after Enqueue named them. When there are
// too many within a minute they wait for an operator: see guard.go.
func (in *Intake) EnqueueAgain(ctx context.Context, source string, run int64, rows []pombo.Row, latest []pombo.Latest) (added int, err error) {
	generation := make(map[string]int, len(latest))
	for _, l := range latest {
		generation[l.RowKey] = l.Generation
	}
	now := in.now()
	list := make([][]any, 0, len(rows))
	for i := range rows {
		g, ok := generation[rows[i].RowKey]
		if !ok {
			continue
		}
		args, err := in.enqueueArgs(source, run, &rows[i], nil, g+1, now)
		if err != nil {
			return 0, fmt.Errorf("enqueue again: %w", err)
		}
		list = append(list, append(args, g))
	}
	stopped := 0
	err = in.do(ctx, func(tx *txn) (err error) {
		added = 0
		hit := make([]bool, len(list))
		if err := tx.dialect.each(tx, sqlEnqueueAgain, list, hit); err != nil {
			return err
		}
		for _, isNew := range hit {
			if isNew {
				added++
			}
		}
		stopped, err = in.guard(tx, added, now)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("enqueue again: %w", err)
	}
	if stopped > 0 {
		in.opts.Logger.Error("many rows were set back to pending within a minute; they wait until an operator says what they are (pombo resume --resends, pombo cancel --resends)", "rows", stopped)
	}
	return added, nil
}

// Add takes in one message that did not come from the table; row.Key is what
// makes it the same one when it comes again, and source must not be the name of
// a table. A message that is known already is returned as it stands, with added
// false. Nothing is ever settled for it.
func (in *Intake) Add(ctx context.Context, source string, row pombo.Row) (n pombo.Notification, added bool, err error) {
	args, err := in.enqueueArgs(source, 0, &row, settleNone, 1, in.now())
	if err != nil {
		return n, false, fmt.Errorf("add: %w", err)
	}
	if added, err = in.one(ctx, sqlEnqueue, args...); err != nil {
		return n, false, fmt.Errorf("add: %w", err)
	}
	n, _, err = in.history.Notification(ctx, pombo.Key{Source: source, RowKey: row.RowKey, Generation: 1}.MessageID())
	return n, added, err
}

// Queued returns how many notifications wait in the queue for nothing but their
// turn; those that may go later only are not counted. It reads an index that
// holds nothing else: some 20 ns for each.
func (in *Intake) Queued(ctx context.Context) (n int, err error) {
	err = in.get(ctx, sqlQueued, []any{in.now()}, &n)
	return n, wrap(err, "count the queue")
}

// TakenIn records that every row that was pending at some time has been taken in: if
// the ledger lost something before that, none of it is left in the table.
func (in *Intake) TakenIn(ctx context.Context, since time.Time) error {
	var open bool
	err := in.get(ctx, sqlInDoubt, []any{in.toLedgerTime(since)}, &open)
	if err == nil && open {
		_, err = in.change(ctx, sqlTakenIn, in.toLedgerTime(since))
	}
	return wrap(err, "record that all was taken in")
}
