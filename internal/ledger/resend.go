package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"pombo"
)

// A message that Blip had taken and WhatsApp refused is sent again as a new
// generation of its row, with an id of its own: under the old id, what Blip keeps
// of the first message would be taken for news of the second. The failed one stays
// what it is, keeps its history and owes the source nothing any more; the new one
// settles in its place (docs/adr/0018).

// settledBefore is the code that was written to the row for the generation that
// this one continues: empty when no writing was recorded, NULL when it continues none.
const settledBefore = `(SELECT coalesce(before.settled, '') FROM notification AS before WHERE before.row_key = notification.row_key
	AND before.source = notification.source AND before.generation = notification.generation - 1 AND before.settle = 'resent')`

// settledLast is the code that was last written to the row, for this generation or
// for the one that it continues. It is what the row has while nobody else has changed
// it. NULL when nothing was written. Empty when that is not known: a process may have
// died between the writing and its record, and then the generation failed.
const settledLast = `CASE WHEN settled IS NULL AND generation > 1 THEN ` + settledBefore + ` ELSE settled END`

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

const (
	// By itself (not ?8) nothing is sent again whose row was changed or taken away
	// by its owner, nor what would come too late.
	//
	// After the ledger has lost something, the lost part may have sent it again
	// already, under the same id. So for as long as Blip remembers, what is sent again
	// by itself is in doubt, and Blip is asked.
	resendStatement = `
	INSERT INTO notification (state, attempt, tries, priority, not_before, lane, expires_at, settle, created, generation, resends, id, phone, source, row_key, message, history)
	SELECT CASE WHEN ` + lostLately + ` THEN 'uncertain' ELSE 'queued' END, CASE WHEN ` + lostLately + ` THEN 1 ELSE 0 END, 0, priority, ?1,
		CASE WHEN ` + lostLately + ` THEN 10 ELSE priority END, CASE WHEN expires_at > ?1 THEN expires_at END, CASE WHEN settle = 'none' THEN settle END, ?2, generation + 1, ?3, ?4, phone, source, row_key, message,
		?5 || CASE WHEN ` + lostLately + ` THEN '[' || CAST(?2 AS BIGINT) || ',"uncertain",1,"` + string(pombo.Interrupted) + `"]' ELSE '' END
	FROM notification WHERE seq = ?6 AND state = 'failed' AND attempt = ?7 AND message <> '' AND (?8 OR (settle IS NULL OR settle = 'none') AND (expires_at IS NULL OR expires_at > ?1))
	ON CONFLICT (row_key, source, generation) DO NOTHING`
	replacedStatement = `
	UPDATE notification SET settle = CASE WHEN settle = 'none' THEN settle ELSE 'resent' END, settle_at = NULL,
		settled = nullif(` + settledLast + `, ''), history = history || ?1
	WHERE seq = ?2 AND state = 'failed' AND attempt = ?3`
)

// lostLately holds while Blip remembers what a lost part of the ledger may have sent
// (72 hours), for what is not sent by hand.
const lostLately = `(NOT ?8 AND EXISTS (SELECT 1 FROM lineage WHERE noticed > CAST(?2 AS BIGINT) - 259200000))`

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
	err = tx.dialect.each(tx, resendStatement, [][]any{{
		how.at, now, how.count, word(next.MessageID()), event(now, pombo.Queued, 0, how.reason, "the message before was "+string(at.key.MessageID())),
		at.seq, at.attempt, how.byHand,
	}}, hit)
	if err != nil || !hit[0] {
		return false, err
	}
	replaced := note(now, pombo.Failed, at.attempt, pombo.NoReason, "sent again as "+string(next.MessageID()))
	return true, tx.dialect.each(tx, replacedStatement, [][]any{{replaced, at.seq, at.attempt}}, hit)
}

// takeBack ends the resend of a message that has reached a handset after all, if
// it has not left yet. The message settles by itself again.
func (db *DB) takeBack(tx *txn, at *standing, now int64) error {
	n, err := tx.change(`DELETE FROM notification WHERE row_key = ?1 AND source = ?2 AND generation = ?3 AND state = 'queued' AND attempt = 0 AND resends > 0`,
		at.key.RowKey, at.key.Source, at.key.Generation+1)
	if err != nil || n == 0 {
		return err
	}
	return tx.exec(`UPDATE notification SET settle = CASE WHEN settle = 'none' THEN settle END, history = history || ?1 WHERE seq = ?2`,
		note(now, pombo.Failed, at.attempt, pombo.NoReason, "it arrived after all: the message after it was taken back before it left"), at.seq)
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
	err = db.all(ctx, `SELECT history FROM notification WHERE seq = ?1`, []any{at.seq}, func(rows *sql.Rows) (err error) {
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
