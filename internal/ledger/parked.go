package ledger

import (
	"context"
	"fmt"
)

// Parked notifications are in a queue class of their own, where neither a claim nor the bound of
// intake meets them: however many wait for one template, they do not delay those of others,
// and cost nothing while they wait.

// maxReleased is how many one transaction puts back: some milliseconds.
const maxReleased = 500

// ReleaseParked puts parked notifications back into the queue: those whose NotBefore has come
// or, with all, every one. It returns how many there were. State and history stay as they
// are.
func (db *DB) ReleaseParked(ctx context.Context, all bool) (released int, err error) {
	now := db.now()
	until := now
	if all {
		until = endOfTime
	}
	for {
		n := 0
		err := db.do(ctx, func(tx *txn) (err error) {
			n, err = tx.change(sqlReleaseParked, now, until)
			return err
		})
		if err != nil {
			return released, fmt.Errorf("release parked notifications: %w", err)
		}
		released += n
		if n < maxReleased {
			return released, nil
		}
	}
}
