package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"pombo"
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

// holdResendsStatement holds what came from the table in the last minute and is in
// nobody's hands; what a receipt or a person had sent again is no concern of it.
var holdResendsStatement = `
	UPDATE notification SET lane = -3, not_before = not_before + CAST(` + strconv.FormatInt(guardFar, 10) + ` AS BIGINT),
		history = history || '[' || CAST(?1 AS BIGINT) || ',"queued",0,"` + string(pombo.ResendGuard) + `"]'
	WHERE lane BETWEEN -1 AND 9 AND generation > 1 AND attempt = 0 AND resends = 0 AND created > ?2
		AND history LIKE '%,"` + string(pombo.SetBackToPending) + `"%'`

// guard counts rows that were just set back, in the transaction that takes them in,
// and returns how many wait for a person because of them.
func (db *DB) guard(tx *txn, rows int, now int64) (held int, err error) {
	if db.o.ResendsBeforePause <= 0 || rows == 0 {
		return 0, nil
	}
	// Whoever comes second waits here until the first has counted.
	var since, allowed sql.NullInt64
	if err := tx.queryRow(`UPDATE guard SET one = 1 RETURNING since, allowed`).Scan(&since, &allowed); err != nil {
		return 0, err
	}
	if allowed.Int64 > now {
		return 0, tx.exec(`UPDATE guard SET allowed = ?1`, now+guardMinute)
	}
	if err := tx.exec(`DELETE FROM set_back WHERE at <= ?1`, now-guardMinute); err != nil {
		return 0, err
	}
	var before int
	var some bool
	err = tx.queryRow(`SELECT (SELECT coalesce(sum(rows), 0) FROM set_back), EXISTS (SELECT 1 FROM notification WHERE lane = -3)`).Scan(&before, &some)
	if err != nil {
		return 0, err
	}
	if err := tx.exec(`INSERT INTO set_back (at, rows) VALUES (?1, ?2)`, now, rows); err != nil {
		return 0, err
	}
	if holds := since.Valid && (some || before > 0); !holds {
		if before+rows <= db.o.ResendsBeforePause {
			return 0, nil
		}
		if err := tx.exec(`UPDATE guard SET since = ?1`, now); err != nil {
			return 0, err
		}
	}
	return tx.change(holdResendsStatement, now, now-guardMinute)
}

// ReleaseResends lets go what the guard holds because a person says that it was set
// back on purpose, and what follows until a minute has passed without any.
func (db *DB) ReleaseResends(ctx context.Context) (released int, err error) {
	err = db.do(ctx, func(tx *txn) (err error) {
		now := db.now()
		released, err = tx.change(`UPDATE notification SET lane = priority, not_before = not_before - CAST(`+strconv.FormatInt(guardFar, 10)+` AS BIGINT),
				history = history || '[' || CAST(?1 AS BIGINT) || ',"queued",0,"`+string(pombo.RetriedByOperator)+`"]' WHERE lane = -3`, now)
		if err != nil {
			return err
		}
		if err := tx.exec(`DELETE FROM set_back`); err != nil {
			return err
		}
		return tx.exec(`UPDATE guard SET since = NULL, allowed = ?1`, now+guardMinute)
	})
	if err != nil {
		return 0, fmt.Errorf("release what was set back: %w", err)
	}
	return released, nil
}

const heldAfter = ` FROM notification AS held JOIN notification AS before ON before.row_key = held.row_key AND before.source = held.source
		AND before.generation = held.generation - 1 WHERE held.lane = -3 AND before.settled IS NOT NULL`

// SettleResends ends what the guard holds because a person says that nobody wants it
// sent again: the result of the message before is written to the row once more. What
// has no such result is cancelled. The guard goes on holding what follows, until a
// minute has passed without any.
func (db *DB) SettleResends(ctx context.Context) (ended int, err error) {
	err = db.do(ctx, func(tx *txn) (err error) {
		now := db.now()
		// The row has the code of pending rows again, so that is the one to be replaced.
		// While something is owed to it, it is not taken in once more.
		err = tx.exec(`UPDATE notification SET settled = ?1, settle = NULL, settle_at = ?2,
				history = history || '[' || CAST(?2 AS BIGINT) || ',"' || state || '",' || attempt || ',"","its row was pending again, with many others; its status is written once more",true]'
			WHERE seq IN (SELECT before.seq`+heldAfter+`)`, db.o.Pending, now)
		if err != nil {
			return err
		}
		// They have not been sent, and their rows' next resend on purpose has their number.
		if ended, err = tx.change(`DELETE FROM notification WHERE seq IN (SELECT held.seq` + heldAfter + ` AND before.settle_at IS NOT NULL)`); err != nil {
			return err
		}
		cancelled, err := tx.change(`UPDATE notification SET state = 'cancelled', lane = 12, not_before = NULL, settle = 'none',
				history = history || '[' || CAST(?1 AS BIGINT) || ',"cancelled",0,"`+string(pombo.CancelledByHand)+`"]' WHERE lane = -3`, now)
		ended += cancelled
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end what was set back: %w", err)
	}
	return ended, nil
}
