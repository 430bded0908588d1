package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A row that is finished and pending again was set back on purpose, and is sent
// again. When the table's database goes back to an earlier time, whole batches of
// finished rows are pending again, and nobody wants those sent. So once more than
// Options.ResendsBeforePause rows were set back within a minute, all of them that
// have not left wait in a lane of their own, and so do those that follow, until a
// person says what they are: ReleaseResends or SettleResends.

const (
	guardMinute = int64(time.Minute / time.Millisecond)
	// guardFar is how much later than its own time a held row is due; taken off
	// again when it is released.
	guardFar = 100 * 365 * 24 * 60 * guardMinute
)

// guard counts rows that were just set back, in the transaction that takes them in,
// and returns how many wait for a person because of them.
func (db *DB) guard(tx *txn, rows int, now int64) (held int, err error) {
	if db.o.ResendsBeforePause <= 0 || rows == 0 {
		return 0, nil
	}
	// Whoever comes second waits here until the first has counted.
	var since, allowed sql.NullInt64
	if err := tx.queryRow(sqlGuard).Scan(&since, &allowed); err != nil {
		return 0, err
	}
	if allowed.Int64 > now {
		return 0, tx.exec(sqlGuardAllowed, now+guardMinute)
	}
	if err := tx.exec(sqlForgetSetBack, now-guardMinute); err != nil {
		return 0, err
	}
	var before int
	var some bool
	err = tx.queryRow(sqlSetBack).Scan(&before, &some)
	if err != nil {
		return 0, err
	}
	if err := tx.exec(sqlCountSetBack, now, rows); err != nil {
		return 0, err
	}
	if holds := since.Valid && (some || before > 0); !holds {
		if before+rows <= db.o.ResendsBeforePause {
			return 0, nil
		}
		if err := tx.exec(sqlGuardSince, now); err != nil {
			return 0, err
		}
	}
	return tx.change(sqlStopResends, now, now-guardMinute)
}

// ReleaseResends lets go what the guard holds because a person says that it was set
// back on purpose, and what follows until a minute has passed without any.
func (db *DB) ReleaseResends(ctx context.Context) (released int, err error) {
	err = db.do(ctx, func(tx *txn) (err error) {
		now := db.now()
		released, err = tx.change(sqlReleaseResends, now)
		if err != nil {
			return err
		}
		if err := tx.exec(sqlClearSetBack); err != nil {
			return err
		}
		return tx.exec(sqlGuardAllow, now+guardMinute)
	})
	if err != nil {
		return 0, fmt.Errorf("release what was set back: %w", err)
	}
	return released, nil
}

// SettleResends ends what the guard holds because a person says that nobody wants it
// sent again: the result of the message before is written to the row once more. What
// has no such result is cancelled. The guard goes on holding what follows, until a
// minute has passed without any.
func (db *DB) SettleResends(ctx context.Context) (ended int, err error) {
	err = db.do(ctx, func(tx *txn) (err error) {
		now := db.now()
		// The row has the code of pending rows again, so that is the one to be replaced.
		// While something is owed to it, it is not taken in once more.
		err = tx.exec(sqlSettleResends, db.o.Pending, now)
		if err != nil {
			return err
		}
		// They have not been sent, and their rows' next resend on purpose has their number.
		if ended, err = tx.change(sqlDropResends); err != nil {
			return err
		}
		cancelled, err := tx.change(sqlCancelResends, now)
		ended += cancelled
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end what was set back: %w", err)
	}
	return ended, nil
}
