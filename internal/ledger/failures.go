package ledger

import (
	"context"
	"fmt"

	"pombo"
)

// The streak is the people to whom one message after another failed in the same way.
// It ends with the first message that gets through. A message that was taken in
// before the first failure proves nothing about what goes now: its receipt may come a
// day late.

// CountFailure adds the recipient of a notification to the streak, or begins a new
// one when the failure is another one than before, and returns how many different
// people it has. A notification without a phone counts nothing.
func (db *DB) CountFailure(ctx context.Context, f pombo.Failure) (people int, err error) {
	at, err := db.standing(ctx, f.MessageID)
	if err != nil {
		return 0, fmt.Errorf("count a failure: %w", err)
	}
	if at == nil {
		return 0, fmt.Errorf("count a failure: %w", pombo.ErrNotFound)
	}
	err = db.do(ctx, func(tx *txn) error {
		refused := 0
		if f.Refused {
			refused = 1
		}
		if err := tx.exec(sqlOtherFailures, string(f.Reason), f.Code, refused); err != nil {
			return err
		}
		if err := tx.exec(sqlCountFailure, string(f.Reason), f.Code, refused, at.seq); err != nil {
			return err
		}
		return tx.queryRow(sqlFailures).Scan(&people)
	})
	if err != nil {
		return 0, fmt.Errorf("count a failure: %w", err)
	}
	db.streak.Store(int64(people))
	return people, nil
}

// EndFailures ends the streak because a message got through: was delivered, or, with
// accepted, was taken by Blip, which ends a streak of refusals only. It costs nothing
// while no streak is known here.
func (db *DB) EndFailures(ctx context.Context, id pombo.MessageID, accepted bool) error {
	if db.streak.Load() == 0 {
		return nil
	}
	at, err := db.standing(ctx, id)
	if err != nil {
		return fmt.Errorf("end a streak of failures: %w", err)
	}
	if at == nil {
		return fmt.Errorf("end a streak of failures: %w", pombo.ErrNotFound)
	}
	refused := 0
	if accepted {
		refused = 1
	}
	var left int
	err = db.do(ctx, func(tx *txn) error {
		if err := tx.exec(sqlEndFailures, refused, at.seq); err != nil {
			return err
		}
		return tx.queryRow(sqlFailures).Scan(&left)
	})
	if err != nil {
		return fmt.Errorf("end a streak of failures: %w", err)
	}
	db.streak.Store(int64(left))
	return nil
}

// LoadFailures learns whether there is a streak: another process may have begun or
// ended it. It is called every few seconds.
func (db *DB) LoadFailures(ctx context.Context) error {
	var people int64
	if err := db.get(ctx, sqlFailures, nil, &people); err != nil {
		return fmt.Errorf("look for failures in a row: %w", err)
	}
	db.streak.Store(people)
	return nil
}
