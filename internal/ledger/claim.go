package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"pombo"
)

// maxExpired is how many rows one claim puts aside because their time is over.
const maxExpired = 2000

// Claim takes up to limit due notifications for the owner, by priority, then by
// the time from which they may go, and renews the owner's lease if that was not
// done within the last tenth of it. They are his until he finishes them or the
// lease is over. Identity is filled in where Blip was asked within the last seven
// days. Rows whose Expires is over become Expired instead; if there are a great
// many, Claim may return few or none while more are due: NextDue tells.
func (db *DB) Claim(ctx context.Context, owner string, limit int) ([]pombo.Notification, error) {
	db.saveIdentities(manyIdentities)
	claimed := make([]pombo.Notification, 0, max(limit, 0))
	renewed := false
	err := db.do(ctx, func(tx *txn) error {
		claimed, renewed = claimed[:0], false
		now := db.now()
		var late []pombo.Notification
		for len(claimed) < limit && len(late) < maxExpired {
			want, got := limit-len(claimed), 0
			rows, err := tx.query(sqlClaim, now, owner, want, now-identityAge.Milliseconds())
			if err != nil {
				return err
			}
			err = db.collect(rows, func(rows *sql.Rows) error {
				got++
				n, err := db.scanClaimed(rows, owner)
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
		if err := db.expire(tx, late, now); err != nil {
			return err
		}
		if len(claimed) == 0 || db.fresh(owner) {
			return nil
		}
		renewed = true
		return db.renew(tx, owner)
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	if renewed {
		db.renewed(owner)
	}
	db.identities.fill(claimed, db.now()-identityAge.Milliseconds())
	// The database returns them as it likes.
	slices.SortFunc(claimed, func(a, b pombo.Notification) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.Seq, b.Seq))
	})
	return claimed, nil
}

// expire ends what has been claimed after its time.
func (db *DB) expire(tx *txn, late []pombo.Notification, now int64) error {
	if len(late) == 0 {
		return nil
	}
	rows := make([][]any, len(late))
	for i, n := range late {
		rows[i] = db.expireArgs(n.Seq, n.Attempt, now)
	}
	return tx.dialect.each(tx, sqlExpire, rows, make([]bool, len(rows)))
}

func (db *DB) expireArgs(seq int64, attempt int, now int64) []any {
	return []any{codeOf(db.o.Codes, pombo.Expired), now, event(now, pombo.Expired, attempt, pombo.ExpiredRow, ""), seq}
}

// Expire ends what waits in the queue although its time is over, and returns how
// many there were. Claim passes them over by itself, but some are not claimed for
// hours: those that wait for a later time, and all of them during a pause. It
// reads an index that holds nothing but queued rows with an end.
func (db *DB) Expire(ctx context.Context) (expired int, err error) {
	for {
		now := db.now()
		var late [][]any
		err := db.due(ctx, sqlLate, []any{now, maxExpired}, func(rows *sql.Rows) error {
			var seq int64
			var attempt int
			err := rows.Scan(&seq, &attempt)
			late = append(late, db.expireArgs(seq, attempt, now))
			return err
		})
		if err != nil {
			return expired, fmt.Errorf("look for what is too late: %w", err)
		}
		if len(late) == 0 {
			return expired, nil
		}
		hit, err := db.each(ctx, sqlLapse, late)
		for _, changed := range hit {
			if changed {
				expired++
			}
		}
		if err != nil {
			return expired, fmt.Errorf("end what is too late: %w", err)
		}
		if len(late) < maxExpired {
			return expired, nil
		}
	}
}

func (db *DB) scanClaimed(rows *sql.Rows, owner string) (pombo.Notification, error) {
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
	n.NotBefore, n.Expires, n.Unsure = moment(notBefore), moment(expires), db.unsure(settled)
	n.Created, n.Phone, n.MessageID = time.UnixMilli(created).UTC(), number(digit), n.Key.MessageID()
	if err := unpack(text, &n); err != nil {
		// It must not keep the others back. Without values it fails by itself.
		db.o.Logger.Error("damaged notification", "id", n.MessageID, "error", err)
	}
	return n, nil
}

// Uncertain returns uncertain notifications that are due for a check, the
// longest due first. Updated is by the clock of this machine, so that it can be
// told how long each has waited.
func (db *DB) Uncertain(ctx context.Context, limit int) ([]pombo.Notification, error) {
	list, err := db.list(ctx, sqlUncertain, limit)
	if err != nil {
		return nil, fmt.Errorf("list the uncertain: %w", err)
	}
	for i := range list {
		list[i].Updated = db.ours(list[i].Updated)
	}
	return list, nil
}

// TakeUncertain is Uncertain for who checks them: each is due again after d only,
// so that processes that share the ledger do not check the same ones, and that one
// whose process dies over it is checked by another.
func (db *DB) TakeUncertain(ctx context.Context, limit int, d time.Duration) ([]pombo.Notification, error) {
	var list []pombo.Notification
	err := db.do(ctx, func(tx *txn) error {
		list = list[:0]
		now := db.now()
		rows, err := tx.query(sqlTakeUncertain, now, limit, now+d.Milliseconds())
		if err != nil {
			return err
		}
		return db.collect(rows, func(rows *sql.Rows) error {
			n, err := scan(rows)
			n.Updated = db.ours(n.Updated)
			list = append(list, n)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("take the uncertain: %w", err)
	}
	return list, nil
}

// list reads up to limit notifications that are due by now.
func (db *DB) list(ctx context.Context, name statement, limit int) ([]pombo.Notification, error) {
	var list []pombo.Notification
	err := db.due(ctx, name, []any{db.now(), limit}, func(rows *sql.Rows) error {
		n, err := scan(rows)
		list = append(list, n)
		return err
	})
	return list, err
}

// contentWith returns, for each code, the states of a row that needs no other
// one: those that the code is for and those that have none.
func contentWith(codes map[pombo.State]string) map[string]string {
	content := map[string]string{}
	for _, code := range codes {
		if _, done := content[code]; done {
			continue
		}
		var b strings.Builder
		b.WriteByte(',')
		for _, s := range pombo.States() {
			if c := codeOf(codes, s); c == code || c == "" {
				b.WriteString(string(s) + ",")
			}
		}
		content[code] = b.String()
	}
	return content
}
