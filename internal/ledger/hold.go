package ledger

import (
	"context"
	"fmt"
)

// Held rows are in a lane of their own, where neither a claim nor the bound of
// intake meets them: a great many of one template do not keep those of others
// waiting, and cost nothing while they wait.

// maxReleased is how many one transaction puts back: some milliseconds.
const maxReleased = 500

// ReleaseParked puts back into the queue what is held: those whose NotBefore has
// come or, with all, every one. It returns how many there were. Their state and
// their history stay as they are; the claim that follows tells.
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
			return released, fmt.Errorf("release held notifications: %w", err)
		}
		released += n
		if n < maxReleased {
			return released, nil
		}
	}
}
