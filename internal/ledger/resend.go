package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pombo"
)

// A message that Blip had taken and WhatsApp refused is sent again as a new
// generation of its row, with an id of its own: under the old id, what Blip keeps
// of the first message would be taken for news of the second. The failed one stays
// what it is, keeps its history and owes the source nothing any more; the new one
// settles in its place (docs/adr/0018).

// blipRemembers is for how long Blip can tell what became of a message.
const blipRemembers = 72 * time.Hour

// unsure returns what a row may have instead of the pending code when settledLast
// is not known.
func (db *DB) unsure(settledLast sql.NullString) (codes []string) {
	if !settledLast.Valid || settledLast.String != "" {
		return nil
	}
	for _, s := range []pombo.State{pombo.Accepted, pombo.Failed} {
		if c := codeOf(db.o.Codes, s); c != "" {
			codes = append(codes, c)
		}
	}
	return codes
}

// resend is how a failed message is sent again.
type resend struct {
	at     int64 // not before
	count  int   // how often by itself until now, this one included
	reason pombo.Reason
	byHand bool
}

// resendAfter returns how a message is sent again that a receipt says to have
// failed; nil when it is not.
func (db *DB) resendAfter(at *standing, r *pombo.Receipt, now int64) *resend {
	wait, ok := r.Policy.Wait(at.resends)
	if !ok {
		return nil
	}
	failed := now
	if !r.At.IsZero() {
		failed = min(now, r.At.UnixMilli())
	}
	return &resend{at: max(now, failed+wait.Milliseconds()), count: at.resends + 1, reason: pombo.ResentByItself}
}

// verdict says in the history why a failure is the end.
func verdict(r pombo.ResendPolicy) string {
	if r != pombo.ResendNever {
		return "; it has been sent again as often as it may be"
	}
	return "; " + r.Message()
}

// resend queues the next generation of a failed notification and reports whether
// it did.
func (db *DB) resend(tx *txn, at *standing, how *resend, now int64) (queued bool, err error) {
	next := at.key
	next.Generation++
	hit := make([]bool, 1)
	err = tx.dialect.each(tx, sqlResend, [][]any{{
		how.at, now, how.count, word(next.MessageID()), event(now, pombo.Queued, 0, how.reason, "the message before was "+string(at.key.MessageID())),
		at.seq, at.attempt, how.byHand,
	}}, hit)
	if err != nil || !hit[0] {
		return false, err
	}
	replaced := note(now, pombo.Failed, at.attempt, pombo.NoReason, "sent again as "+string(next.MessageID()))
	return true, tx.dialect.each(tx, sqlReplaced, [][]any{{replaced, at.seq, at.attempt}}, hit)
}

// takeBack ends the resend of a message that has reached a handset after all, if
// it has not left yet. The message settles by itself again.
func (db *DB) takeBack(tx *txn, at *standing, now int64) error {
	n, err := tx.change(sqlUndoResend, at.key.RowKey, at.key.Source, at.key.Generation+1)
	if err != nil || n == 0 {
		return err
	}
	return tx.exec(sqlSettlesAgain, note(now, pombo.Failed, at.attempt, pombo.NoReason, "it arrived after all: the message after it was taken back before it left"), at.seq)
}

// resendByHand sends a failed notification again that Blip had taken, because a
// person says so. It reports whether the notification is such a one.
func (db *DB) resendByHand(ctx context.Context, id pombo.MessageID) (is bool, err error) {
	at, err := db.standing(ctx, id)
	if err != nil {
		return false, fmt.Errorf("retry: %w", err)
	}
	if at == nil || at.state != pombo.Failed {
		return false, nil
	}
	var st story
	err = db.all(ctx, sqlHistoryOf, []any{at.seq}, func(rows *sql.Rows) (err error) {
		var history sql.RawBytes
		if err = rows.Scan(&history); err == nil {
			st, err = read(history)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("retry: %w", err)
	}
	if !st.accepted {
		return false, nil
	}
	queued := false
	err = db.do(ctx, func(tx *txn) (err error) {
		now := db.now()
		queued, err = db.resend(tx, at, &resend{at: now, reason: pombo.RetriedByOperator, byHand: true}, now)
		return err
	})
	switch {
	case err != nil:
		return true, fmt.Errorf("retry: %w", err)
	case !queued:
		return true, fmt.Errorf("retry: it has been sent again already, as its story tells, or has arrived: %w", pombo.ErrMove)
	}
	return true, nil
}
