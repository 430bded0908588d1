package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"pombo"
)

// Queue is what waits to be sent, and what a worker has claimed.
type Queue struct {
	*store
	optOuts *OptOutList
}

// maxExpired is how many rows one claim puts aside because their time is over.
const maxExpired = 2000

// Claim takes up to limit due notifications for the owner, by priority, then by
// the time from which they may go, and renews the owner's lease if that was not
// done within the last tenth of it. The owner has them until it finishes
// them or its lease is over. Identity is filled in where Blip was asked within the last seven
// days. Rows whose Expires is over become Expired instead; if there are a great
// many, Claim may return few or none while more are due: see NextDue.
func (q *Queue) Claim(ctx context.Context, owner string, limit int) ([]pombo.Notification, error) {
	q.saveIdentities(manyIdentities)
	claimed := make([]pombo.Notification, 0, max(limit, 0))
	renewed := false
	err := q.do(ctx, func(tx *txn) error {
		claimed, renewed = claimed[:0], false
		now := q.now()
		var late []pombo.Notification
		for len(claimed) < limit && len(late) < maxExpired {
			want, got := limit-len(claimed), 0
			rows, err := tx.query(sqlClaim, now, owner, want, now-identityAge.Milliseconds())
			if err != nil {
				return err
			}
			err = q.collect(rows, func(rows *sql.Rows) error {
				got++
				n, err := q.scanClaimed(rows, owner)
				if !n.Expires.IsZero() && n.Expires.UnixMilli() <= now {
					late = append(late, n)
				} else {
					claimed = append(claimed, n)
				}
				return err
			})
			if err != nil {
				return err
			}
			if got < want {
				break
			}
		}
		if err := q.expire(tx, late, now); err != nil {
			return err
		}
		if len(claimed) == 0 || q.fresh(owner) {
			return nil
		}
		renewed = true
		return q.renew(tx, owner)
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	if renewed {
		q.renewed(owner)
	}
	q.identities.fill(claimed, q.now()-identityAge.Milliseconds())
	// The database returns them as it likes.
	slices.SortFunc(claimed, func(a, b pombo.Notification) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.Seq, b.Seq))
	})
	return claimed, nil
}

// expire ends what was claimed after its expiry.
func (q *Queue) expire(tx *txn, late []pombo.Notification, now int64) error {
	if len(late) == 0 {
		return nil
	}
	rows := make([][]any, len(late))
	for i, n := range late {
		rows[i] = q.expireArgs(n.Seq, n.Attempt, now)
	}
	return tx.dialect.each(tx, sqlExpire, rows, make([]bool, len(rows)))
}

func (q *Queue) expireArgs(seq int64, attempt int, now int64) []any {
	return []any{q.policy.codeOf(pombo.Expired), now, encodeEvent(now, pombo.Expired, attempt, pombo.ExpiredRow, ""), seq}
}

// Expire ends what waits in the queue although its time is over, and returns how many there
// were. Claim ends what it meets, but some notifications are not claimed for hours: those that
// wait for a later time, and all during a pause. It reads an index that has only queued rows
// with an expiry.
func (q *Queue) Expire(ctx context.Context) (expired int, err error) {
	for {
		now := q.now()
		var late [][]any
		err := q.due(ctx, sqlLate, []any{now, maxExpired}, func(rows *sql.Rows) error {
			var seq int64
			var attempt int
			err := rows.Scan(&seq, &attempt)
			late = append(late, q.expireArgs(seq, attempt, now))
			return err
		})
		if err != nil {
			return expired, fmt.Errorf("look for what is too late: %w", err)
		}
		if len(late) == 0 {
			return expired, nil
		}
		n, err := q.changed(ctx, sqlLapse, late)
		expired += n
		if err != nil {
			return expired, fmt.Errorf("end what is too late: %w", err)
		}
		if len(late) < maxExpired {
			return expired, nil
		}
	}
}

func (q *Queue) scanClaimed(rows *sql.Rows, owner string) (pombo.Notification, error) {
	var (
		n                              pombo.Notification
		notBefore, expires, run, digit sql.NullInt64
		settled, identity              sql.NullString
		created                        int64
		text                           sql.RawBytes
	)
	if err := rows.Scan(&n.Seq, &n.Attempt, &n.Tries, &n.Priority, &notBefore, &expires, &settled, &run, &created,
		&n.Key.Generation, &digit, &n.Key.Source, &n.Key.RowKey, &text, &identity); err != nil {
		return n, err
	}
	n.State = pombo.Claimed
	n.Owner, n.Settled, n.Run, n.Identity = owner, settled.String, run.Int64, identity.String
	n.NotBefore, n.Expires, n.Unsure = moment(notBefore), moment(expires), q.policy.unsure(settled)
	n.Created, n.Phone, n.MessageID = time.UnixMilli(created).UTC(), number(digit), n.Key.MessageID()
	if err := unpack(text, &n); err != nil {
		// It must not delay the others. Without values it fails by itself.
		q.opts.Logger.Error("damaged notification", "id", n.MessageID, "error", err)
	}
	return n, nil
}

// ClaimedBy lists what the owner has claimed or is sending, as the ledger knows it.
func (q *Queue) ClaimedBy(ctx context.Context, owner string) ([]pombo.Notification, error) {
	list, err := q.list(ctx, sqlClaimedBy, owner)
	return list, wrap(err, "list what is claimed")
}

// NextDue returns when the next queued notification may be claimed, which may be
// in the past; the zero time when none waits. Parked ones do not count.
func (q *Queue) NextDue(ctx context.Context) (time.Time, error) {
	var at sql.NullInt64
	err := q.get(ctx, sqlNextDue, nil, &at)
	return q.time.toLocalTime(moment(at)), wrap(err, "look for the next one due")
}

// Newest returns the number of the notification taken in last; 0 = none was.
func (q *Queue) Newest(ctx context.Context) (int64, error) {
	var last sql.NullInt64
	if err := q.get(ctx, sqlNewest, nil, &last); err != nil {
		return 0, fmt.Errorf("look for the newest: %w", err)
	}
	return last.Int64, nil
}

// Parked notifications are in a queue class of their own, where neither a claim nor the bound of
// intake meets them: however many wait for one template, they do not delay those of others,
// and cost nothing while they wait.

// maxReleased is how many one transaction puts back: some milliseconds.
const maxReleased = 500

// ReleaseParked puts parked notifications back into the queue: those whose NotBefore has come
// or, with all, every one. It returns how many there were. State and history stay as they
// are.
func (q *Queue) ReleaseParked(ctx context.Context, all bool) (released int, err error) {
	now := q.now()
	until := now
	if all {
		until = endOfTime
	}
	for {
		n, err := q.change(ctx, sqlReleaseParked, now, until)
		if err != nil {
			return released, fmt.Errorf("release parked notifications: %w", err)
		}
		released += n
		if n < maxReleased {
			return released, nil
		}
	}
}
