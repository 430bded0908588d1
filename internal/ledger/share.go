package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// What the processes that share a ledger have in common: one of them at a time does what is
// enough done once, together they keep the rates of one, and a dead one is found out.

// Shared reports whether several processes may claim from the ledger at once.
// Where they cannot, AcquireLeadership is always granted, and Quota and Recipient let
// everything pass: the process keeps the pace by itself.
func (db *DB) Shared() bool { return db.dialect.shared() }

// takeDutyStatement writes nothing while another one has the duty, so that who
// waits for it costs the server a look.
const takeDutyStatement = `INSERT INTO duty (name, owner, until)
	SELECT ?1, ?2, /*clock*/?3 + ?4
	WHERE NOT EXISTS (SELECT 1 FROM duty WHERE name = ?1 AND owner <> ?2 AND until > /*clock*/?3)
	ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
	WHERE duty.owner = excluded.owner OR duty.until <= excluded.until - ?4
	RETURNING 1`

// AcquireLeadership gives the owner a duty for the time d from now, and reports whether he
// has it: no if another one has it at present. Who has it asks again well before
// d is over. A duty is something that one process at a time does for all of them,
// which saves the source and Blip the others' questions; nothing may depend on it.
func (db *DB) AcquireLeadership(ctx context.Context, duty, owner string, d time.Duration) (bool, error) {
	if !db.Shared() {
		return true, nil
	}
	var one int
	err := db.get(ctx, takeDutyStatement, []any{duty, owner, db.clock(), d.Milliseconds()}, &one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("take over %s: %w", duty, err)
	}
	return true, nil
}

// ReleaseLeadership gives a duty up, if the owner has it, so that another one can take
// it at once.
func (db *DB) ReleaseLeadership(ctx context.Context, duty, owner string) error {
	if !db.Shared() {
		return nil
	}
	err := db.do(ctx, func(tx *txn) error {
		return tx.exec(`DELETE FROM duty WHERE name = ?1 AND owner = ?2`, duty, owner)
	})
	if err != nil {
		return fmt.Errorf("release %s: %w", duty, err)
	}
	return nil
}

// quotaAhead is how far ahead of now calls are handed out. Further would leave the
// calls of a process that ends unused; nearer would take more statements.
const quotaAhead = 200 * time.Millisecond

// quotaStatement hands out calls of the kind ?1 that lie ?2 ms apart, ?3 at most
// and none for later than ?4 ms from now. It returns how many there are, and in
// how many ms the time of the first comes.
var quotaStatement = func() string {
	const (
		gap, want, ahead = `CAST(?2 AS double precision)`, `CAST(?3 AS integer)`, `CAST(?4 AS double precision)`
		// The row that was to be inserted tells what the time was.
		now   = `(excluded.next - excluded.granted * ` + gap + `)`
		start = `greatest(quota.next, ` + now + `)`
		count = `greatest(0, least(` + want + `, CAST(floor((` + now + ` + ` + ahead + ` - ` + start + `) / ` + gap + `) AS integer) + 1))`
	)
	return `INSERT INTO quota (name, next, granted)
		SELECT ?1, now + granted * ` + gap + `, granted
		FROM (SELECT CAST(/*clock*/?5 AS double precision) AS now, least(` + want + `, CAST(floor(` + ahead + ` / ` + gap + `) AS integer) + 1) AS granted) AS first
		ON CONFLICT (name) DO UPDATE SET next = ` + start + ` + ` + count + ` * ` + gap + `, granted = ` + count + `
		RETURNING granted, next - granted * ` + gap + ` - /*clock*/?5`
}()

// Quota hands out calls of a kind ("messages", "commands") at a rate that all
// processes keep together, now and over a restart. It grants at most want, and no
// more than come within a fifth of a second: call i of those, from 0, may be made
// from in + i/perSecond on. With none granted, asking again makes sense after in.
// A call that is not made is lost, so want is what is waiting to be sent.
func (db *DB) Quota(ctx context.Context, name string, perSecond float64, want int) (granted int, in time.Duration, err error) {
	if !db.Shared() || perSecond <= 0 || want <= 0 {
		return want, 0, nil
	}
	var ms float64
	ahead := float64(quotaAhead.Milliseconds())
	err = db.get(ctx, quotaStatement, []any{name, 1000 / perSecond, want, ahead, db.clock()}, &granted, &ms)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for a share of the %s: %w", name, err)
	}
	if granted == 0 {
		ms = max(ms-ahead, 1)
	}
	return granted, time.Duration(max(ms, 0) * float64(time.Millisecond)), nil
}

// recipientStatement takes the place of the next message to the phone ?1, for ?2
// ms. It changes nothing while the place is taken.
const recipientStatement = `
	INSERT INTO recipient (phone, last, free) VALUES (?1, /*clock*/?3, /*clock*/?3 + ?2)
	ON CONFLICT (phone) DO UPDATE SET last = excluded.last, free = excluded.free WHERE recipient.free <= excluded.last`

// Recipient returns how long a message to a phone must wait so that two are at
// least gap apart, whichever process sends them; 0 takes the place.
func (db *DB) Recipient(ctx context.Context, n phone.Number, gap time.Duration) (wait time.Duration, err error) {
	to := digits(n)
	if !db.Shared() || to == nil {
		return 0, nil
	}
	w := newWrite(onePart(recipientStatement, [][]any{{to, gap.Milliseconds(), db.clock()}}))
	if err := db.submit(ctx, db.urgent, w); err != nil {
		return 0, fmt.Errorf("keep the distance to the last message: %w", err)
	}
	if w.parts[0].hit[0] {
		return 0, nil
	}
	var left int64
	err = db.get(ctx, `SELECT free - /*clock*/?2 FROM recipient WHERE phone = ?1`, []any{to, db.clock()}, &left)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("keep the distance to the last message: %w", err)
	}
	return time.Duration(max(left, 1)) * time.Millisecond, nil
}

// prune takes away what is long over.
func (db *DB) prune(tx *txn) error {
	const hour = 60 * 60 * 1000
	if err := tx.exec(`DELETE FROM recipient WHERE free < /*clock*/?1 - 60000`, db.clock()); err != nil {
		return err
	}
	return tx.exec(`DELETE FROM writer WHERE seen < /*clock*/?1 - CAST(?2 AS bigint)`, db.clock(), 24*hour)
}

// orphans ends the intake of runs whose writer has written nothing for the time
// of a lease.
func (db *DB) orphans(tx *txn) error {
	return tx.exec(`UPDATE run SET taking = 0, error = ?1, last_seq = coalesce((SELECT max(seq) FROM notification), 0)
		WHERE finished IS NULL AND taking = 1
		AND NOT EXISTS (SELECT 1 FROM writer WHERE name = taker AND seen > /*clock*/?2 - CAST(?3 AS bigint))`,
		pombo.Interrupted.Message(), db.clock(), db.o.Lease.Milliseconds())
}

// farewell hands over the last write of a DB that is being closed: its leases
// and duties are over, so that others need not wait for that.
func (db *DB) farewell() {
	if !db.engaged.Load() {
		return
	}
	w := newWrite()
	w.run = func(tx *txn) error {
		if err := tx.exec(`UPDATE run SET taking = 0, error = ?1, last_seq = coalesce((SELECT max(seq) FROM notification), 0)
			WHERE finished IS NULL AND taking = 1 AND taker = ?2`, pombo.Interrupted.Message(), db.name); err != nil {
			return err
		}
		var err error
		db.mine.Range(func(owner, _ any) bool {
			if err = tx.exec(`DELETE FROM owner WHERE name = ?1`, owner); err == nil {
				err = tx.exec(`DELETE FROM duty WHERE owner = ?1`, owner)
			}
			return err == nil
		})
		return err
	}
	// Should it fail, time will tell the others.
	_ = db.hand(context.Background(), db.bulk, w)
}
