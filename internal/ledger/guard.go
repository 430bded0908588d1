package ledger

import (
	"context"
	"database/sql"
)

// A row that is finished and pending again was set back on purpose, and is sent
// again. When the table's database goes back to an earlier time, whole batches of
// finished rows are pending again that must not be sent. So once more than
// Options.ResendsBeforePause rows were set back within a minute, those that have not left
// and those that follow wait in a queue class of their own, until an operator decides:
// ReleaseResends or SettleResends.

// guard counts rows that were just set back, in the transaction that takes them in,
// and returns how many wait for an operator because of them.
func (in *Intake) guard(tx *txn, rows int, now int64) (stopped int, err error) {
	if in.policy.resendsBeforePause <= 0 || rows == 0 {
		return 0, nil
	}
	// A second process waits here until the first has counted.
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
	b := setBack{rows: rows}
	err = tx.queryRow(sqlSetBack).Scan(&b.before, &b.some)
	if err != nil {
		return 0, err
	}
	if err := tx.exec(sqlCountSetBack, now, rows); err != nil {
		return 0, err
	}
	b.stopping = since.Valid
	if !in.policy.guardStops(b) {
		return 0, nil
	}
	if !b.goesOn() {
		if err := tx.exec(sqlGuardSince, now); err != nil {
			return 0, err
		}
	}
	return tx.change(sqlStopResends, now, now-guardMinute)
}

// ReleaseResends returns to the queue what the guard has stopped, because an operator says that
// it was set back on purpose, and lets more through until a minute passes without any.
func (o *Operator) ReleaseResends(ctx context.Context) (released int, err error) {
	err = o.do(ctx, func(tx *txn) (err error) {
		now := o.now()
		released, err = tx.change(sqlReleaseResends, now)
		if err != nil {
			return err
		}
		if err := tx.exec(sqlClearSetBack); err != nil {
			return err
		}
		return tx.exec(sqlGuardAllow, now+guardMinute)
	})
	return released, wrap(err, "release what was set back")
}

// SettleResends ends what the guard has stopped, because an operator wants none of it sent again:
// the result of the previous message is written to the row once more, and what has no such result
// is cancelled. The guard keeps stopping more until a minute passes without any.
func (o *Operator) SettleResends(ctx context.Context) (ended int, err error) {
	err = o.do(ctx, func(tx *txn) (err error) {
		now := o.now()
		// The row has the code of pending rows again, so that is the one to be replaced.
		// While something is owed to it, it is not taken in once more.
		err = tx.exec(sqlSettleResends, o.policy.pending, now)
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
	return ended, wrap(err, "end what was set back")
}
