package ledger

import (
	"context"
	"fmt"

	"pombo"
)

// A message that Blip had taken and WhatsApp refused is sent again as a new
// generation of its row, with an id of its own: under the old id, Blip's records of the
// first message would be taken for news of the second. The failed one stays what it is,
// keeps its history and owes the source nothing any more; the new one settles in its
// place (docs/adr/0018).

// resend queues the next generation of a failed notification and reports whether
// it did.
func (db *store) resend(tx *txn, at *standing, how *resend, now int64) (queued bool, err error) {
	next := at.key
	next.Generation++
	queued, err = tx.one(sqlResend,
		how.at, now, how.count, idNumber(next.MessageID()), encodeEvent(now, pombo.Queued, 0, how.reason, "the message before was "+string(at.key.MessageID())),
		at.seq, at.attempt, how.byHand)
	if err != nil || !queued {
		return false, err
	}
	replaced := encodeNote(now, pombo.Failed, at.attempt, pombo.NoReason, "sent again as "+string(next.MessageID()))
	_, err = tx.one(sqlReplaced, replaced, at.seq, at.attempt)
	return true, err
}

// undoResend ends the resend of a message that has reached a handset after all, if
// it has not left yet. The message settles by itself again.
func (rc *Receipts) undoResend(tx *txn, at *standing, now int64) error {
	n, err := tx.change(sqlUndoResend, at.key.RowKey, at.key.Source, at.key.Generation+1)
	if err != nil || n == 0 {
		return err
	}
	return tx.exec(sqlSettlesAgain, encodeNote(now, pombo.Failed, at.attempt, pombo.NoReason, "it arrived after all: the message after it was taken back before it left"), at.seq)
}

// resendByHand sends a failed notification again that Blip had taken, because a
// person says so. It reports whether the notification is such a one.
func (o *Operator) resendByHand(ctx context.Context, id pombo.MessageID) (is bool, err error) {
	at, err := o.standing(ctx, id)
	if err != nil {
		return false, fmt.Errorf("retry: %w", err)
	}
	if at == nil || at.state != pombo.Failed {
		return false, nil
	}
	accepted, err := o.wasAccepted(ctx, at.seq)
	if err != nil {
		return false, fmt.Errorf("retry: %w", err)
	}
	if !accepted {
		return false, nil
	}
	queued := false
	err = o.do(ctx, func(tx *txn) (err error) {
		now := o.now()
		queued, err = o.resend(tx, at, resendByHand(now), now)
		return err
	})
	switch {
	case err != nil:
		return true, fmt.Errorf("retry: %w", err)
	case !queued:
		return true, fmt.Errorf("retry: it has been sent again already, as its history shows, or it has arrived: %w", pombo.ErrMove)
	}
	return true, nil
}

// wasAccepted reports whether Blip had taken a message.
func (db *store) wasAccepted(ctx context.Context, seq int64) (bool, error) {
	var st summary
	err := db.summaries(ctx, sqlHistoryOf, []any{seq}, func(s summary) { st = s })
	return st.accepted, err
}
