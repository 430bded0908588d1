package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pombo"
)

// What leaves the ledger, and how.
//
// A row of the source that is pending and that the ledger does not know is taken
// in and sent. So what the ledger forgets it must not meet again. Removal takes two
// steps. First phone and message are erased: what remains has the key, the state and
// the summary, and nothing of the person. A day later the rest is removed, but only
// where the row cannot be pending: where its code was written, so that only a change on
// purpose makes it pending again. All others stay as they are, for good: those whose
// row kept its code (no STATUS_FAILED), those that were parked, those of a row with
// more than one generation.
//
// The day between is for a page of pending rows that was read just before the
// code was written and is taken in only now.

// Retention is what leaves the ledger: what is old, and people who want to be forgotten.
type Retention struct {
	*store
	optOuts  *OptOutList
	operator *Operator
}

// MinRetention is the shortest retention allowed: longer than Blip remembers a message
// and than a retry waits.
const MinRetention = 7 * 24 * time.Hour

const (
	// retireBatch is how many notifications are looked at and changed at a time.
	retireBatch = 500
	// shellAge is how long a notification stays after its message was erased.
	shellAge = 24 * time.Hour
	// retireShare is how much longer a pass rests than it worked.
	retireShare = 9
)

// Retire takes out of the ledger what has been finished for longer than the age,
// and the runs and look-ups of that time, the oldest first. A notification that
// is open, or whose result is still owed to the source, stays whole whatever its
// age. It works in small steps and rests in between for nine times as long, so that
// sending is not delayed; it returns when it is done, or with the result so far and the
// error of ctx.
func (r *Retention) Retire(ctx context.Context, age time.Duration) (done pombo.Retired, err error) {
	if age < MinRetention {
		return done, fmt.Errorf("retire: %v is less than the %v for which notifications must be kept", age, MinRetention)
	}
	before := r.now() - age.Milliseconds()
	until, err := r.since(ctx, before)
	if err != nil {
		return done, fmt.Errorf("retire: %w", err)
	}
	for last := int64(0); ; {
		begun := time.Now()
		at, seen, err := r.retireSome(ctx, last, until, before, &done)
		if err != nil {
			return done, fmt.Errorf("retire: %w", err)
		}
		if seen < retireBatch {
			break
		}
		last = at
		if err := rest(ctx, begun); err != nil {
			return done, err
		}
	}
	// Not the newest run, whose number would be given again.
	if err := r.remove(ctx, sqlRemoveRuns, before, &done.Runs); err != nil {
		return done, fmt.Errorf("retire runs: %w", err)
	}
	if err := r.retireIdentities(ctx, &done); err != nil {
		return done, fmt.Errorf("retire look-ups: %w", err)
	}
	// The BSUIDs of people who have not been written to for as long.
	if err := r.remove(ctx, sqlRemoveBSUIDs, before, &done.Identities); err != nil {
		return done, fmt.Errorf("retire business users: %w", err)
	}
	if err := r.retireReplies(ctx, before, until, &done); err != nil {
		return done, fmt.Errorf("retire replies: %w", err)
	}
	return done, nil
}

// retireReplies removes what people sent that long ago, and what was kept to match replies with
// notifications of that age.
func (r *Retention) retireReplies(ctx context.Context, before, until int64, done *pombo.Retired) error {
	if err := r.remove(ctx, sqlRemoveReplies, before, &done.Replies); err != nil {
		return err
	}
	uncounted := 0
	if err := r.remove(ctx, sqlRemoveReferences, until, &uncounted); err != nil {
		return err
	}
	return r.remove(ctx, sqlRemoveReplyPolls, until, &uncounted)
}

func rest(ctx context.Context, begun time.Time) error {
	t := time.NewTimer(retireShare * time.Since(begun))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retireSome looks at the notifications after last and returns the number of the
// last one it has seen and how many there were.
func (r *Retention) retireSome(ctx context.Context, last, until, before int64, done *pombo.Retired) (at int64, seen int, err error) {
	now := r.now()
	var erase, remove [][]any
	err = r.all(ctx, sqlRetire, []any{last, until, retireBatch}, func(rows *sql.Rows) error {
		var (
			state           pombo.State
			attempt         int
			owed, erased    bool
			settle, settled sql.NullString
			history         sql.RawBytes
		)
		if err := rows.Scan(&at, &state, &attempt, &owed, &settle, &settled, &erased, &history); err != nil {
			return err
		}
		seen++
		if state.Open() || owed {
			return nil
		}
		st, err := summarize(history)
		if err != nil {
			return err
		}
		// What has moved on since it was erased was retried, and has its own time.
		retired := erased && st.retired.After(st.updated)
		switch {
		case st.updated.UnixMilli() > before:
		case !retired:
			erase = append(erase, []any{encodeNote(now, state, attempt, pombo.KeptLongEnough, ""), at, string(state), attempt})
		case now-st.retired.UnixMilli() < shellAge.Milliseconds():
		case settle.String == settleNone || (!settle.Valid || settle.String == settleFallback) && settled.String != "":
			remove = append(remove, []any{at, string(state), attempt})
		}
		return nil
	})
	if err != nil {
		return at, seen, err
	}
	n, err := r.changed(ctx, sqlErase, erase)
	done.Erased += n
	if err != nil {
		return at, seen, err
	}
	n, err = r.changed(ctx, sqlRemove, remove)
	done.Removed += n
	return at, seen, err
}

// remove runs a statement that deletes what ended before a time, some at a time, until nothing
// is left. It counts the rows in n.
func (r *Retention) remove(ctx context.Context, name statement, before int64, n *int) error {
	for {
		begun := time.Now()
		removed, err := r.change(ctx, name, before, retireBatch)
		*n += removed
		if err != nil || removed < retireBatch {
			return err
		}
		if err := rest(ctx, begun); err != nil {
			return err
		}
	}
}

// retireIdentities removes look-ups that are too old to be used.
func (r *Retention) retireIdentities(ctx context.Context, done *pombo.Retired) error {
	before := r.now() - identityAge.Milliseconds()
	for last := int64(0); ; {
		begun := time.Now()
		var next sql.NullInt64
		err := r.get(ctx, sqlSomeIdentities, []any{last, retireBatch}, &next)
		if err != nil || !next.Valid {
			return err
		}
		n, err := r.change(ctx, sqlRemoveIdentities, last, next.Int64, before)
		if err != nil {
			return err
		}
		done.Identities += n
		last = next.Int64
		if err := rest(ctx, begun); err != nil {
			return err
		}
	}
}
