package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"pombo"
)

// Retry has a notification sent again because a person says so: one that ended
// without reaching anybody, or an uncertain one, starts its tries anew; one that
// waits in the queue may go at once. Its result will be written to the source
// again. One that Blip had taken before it failed is sent again as a new
// generation, with another id, which its history tells. Else, and where its message
// was erased and Correct has not brought it back, pombo.ErrMove; or
// pombo.ErrNotFound.
func (db *DB) Retry(ctx context.Context, id pombo.MessageID) error {
	if is, err := db.resendByHand(ctx, id); is || err != nil {
		return err
	}
	return db.move(ctx, "retry", id, func(at *standing, now int64) *part {
		told := event(now, pombo.Queued, at.attempt, pombo.RetriedByOperator, "")
		args := []any{now, told, at.seq, string(at.state), at.attempt}
		switch {
		case at.state == pombo.Queued:
			return &part{statement: sqlHasten, rows: [][]any{args}}
		case !at.erased && at.state != pombo.Claimed && at.state != pombo.Sending && at.state.CanBecome(pombo.Queued):
			return &part{statement: sqlRetry, rows: [][]any{args}}
		}
		return nil
	})
}

// Correct replaces what is to be sent and to whom by what the row says now:
// Recipient, Phone, Params and Template. A person who has mended the row wants
// that sent. What a worker has in hands, and what Blip has, stays as it is:
// pombo.ErrMove; else pombo.ErrNotFound.
func (db *DB) Correct(ctx context.Context, id pombo.MessageID, row pombo.Row) error {
	text, err := message(&row)
	if err != nil {
		return fmt.Errorf("correct: %w", err)
	}
	return db.move(ctx, "correct", id, func(at *standing, _ int64) *part {
		inHands := at.state == pombo.Claimed || at.state == pombo.Sending
		if inHands || at.state != pombo.Queued && !at.state.CanBecome(pombo.Queued) {
			return nil
		}
		return &part{statement: sqlCorrect, rows: [][]any{{text, digits(row.Phone), at.seq, string(at.state), at.attempt}}}
	})
}

// Cancel ends a notification that waits in the queue or is uncertain. Else
// pombo.ErrMove, or pombo.ErrNotFound.
func (db *DB) Cancel(ctx context.Context, id pombo.MessageID) error {
	return db.move(ctx, "cancel", id, func(at *standing, now int64) *part {
		if at.state != pombo.Queued && at.state != pombo.Uncertain {
			return nil
		}
		return &part{statement: sqlCancel, rows: [][]any{{
			codeOf(db.o.Codes, pombo.Cancelled), now, event(now, pombo.Cancelled, at.attempt, pombo.CancelledByHand, ""),
			at.seq, string(at.state), at.attempt,
		}}}
	})
}

// move looks where a notification stands, lets decide say what to change, nil
// for "not allowed", and changes it if it still stands there; else it looks again.
func (db *DB) move(ctx context.Context, verb string, id pombo.MessageID, decide func(*standing, int64) *part) error {
	for {
		at, err := db.standing(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
		if at == nil {
			return fmt.Errorf("%s: %w", verb, pombo.ErrNotFound)
		}
		p := decide(at, db.now())
		if p == nil {
			return fmt.Errorf("%s: it is %s: %w", verb, at.state, pombo.ErrMove)
		}
		p.hit = make([]bool, 1)
		w := newWrite(*p)
		if err := db.submit(ctx, db.urgent, w); err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
		if p.hit[0] {
			return nil
		}
	}
}

// Pause stops all sending, until p.Until or until Resume, across restarts. A
// pause that Blip asks for never shortens the one there is.
func (db *DB) Pause(ctx context.Context, p pombo.Pause) error {
	err := db.do(ctx, func(tx *txn) error {
		return tx.exec(sqlPause, db.theirs(p.Until), string(p.Reason), p.Detail, p.By, db.now())
	})
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return nil
}

// Resume ends the pause, if there is one, and with it the count of failures in a row.
func (db *DB) Resume(ctx context.Context) error {
	err := db.do(ctx, func(tx *txn) error {
		if err := tx.exec(sqlClearFailures); err != nil {
			return err
		}
		return tx.exec(sqlResume)
	})
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return nil
}

// Paused returns the pause and whether there is one. One whose time is over is none.
func (db *DB) Paused(ctx context.Context) (pombo.Pause, bool, error) {
	var p pombo.Pause
	var until sql.NullInt64
	err := db.get(ctx, sqlPaused, []any{db.now()},
		&until, &p.Reason, &p.Detail, &p.By)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return pombo.Pause{}, false, nil
	case err != nil:
		return pombo.Pause{}, false, fmt.Errorf("look for a pause: %w", err)
	}
	p.Until = db.ours(moment(until))
	return p, true, nil
}
