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

// AcquireLeadership gives the owner a duty for the time d from now, and reports whether he
// has it: no if another one has it at present. Who has it asks again well before
// d is over. A duty is something that one process at a time does for all of them,
// which saves the source and Blip the others' questions; nothing may depend on it.
func (db *DB) AcquireLeadership(ctx context.Context, duty, owner string, d time.Duration) (bool, error) {
	if !db.Shared() {
		return true, nil
	}
	var one int
	err := db.get(ctx, sqlAcquireLeadership, []any{duty, owner, db.clock(), d.Milliseconds()}, &one)
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
		return tx.exec(sqlReleaseLeadership, duty, owner)
	})
	if err != nil {
		return fmt.Errorf("release %s: %w", duty, err)
	}
	return nil
}

// quotaAhead is how far ahead of now calls are handed out. Further would leave the
// calls of a process that ends unused; nearer would take more statements.
const quotaAhead = 200 * time.Millisecond

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
	err = db.get(ctx, sqlAcquireQuota, []any{name, 1000 / perSecond, want, ahead, db.clock()}, &granted, &ms)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for a share of the %s: %w", name, err)
	}
	if granted == 0 {
		ms = max(ms-ahead, 1)
	}
	return granted, time.Duration(max(ms, 0) * float64(time.Millisecond)), nil
}

// Recipient returns how long a message to a phone must wait so that two are at
// least gap apart, whichever process sends them; 0 takes the place.
func (db *DB) Recipient(ctx context.Context, n phone.Number, gap time.Duration) (wait time.Duration, err error) {
	to := digits(n)
	if !db.Shared() || to == nil {
		return 0, nil
	}
	w := newWrite(onePart(sqlAcquireRecipient, [][]any{{to, gap.Milliseconds(), db.clock()}}))
	if err := db.submit(ctx, db.urgent, w); err != nil {
		return 0, fmt.Errorf("keep the distance to the last message: %w", err)
	}
	if w.parts[0].hit[0] {
		return 0, nil
	}
	var left int64
	err = db.get(ctx, sqlRecipientWait, []any{to, db.clock()}, &left)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("keep the distance to the last message: %w", err)
	}
	return time.Duration(max(left, 1)) * time.Millisecond, nil
}

// prune takes away what is long over.
func (db *DB) prune(tx *txn) error {
	const hour = 60 * 60 * 1000
	if err := tx.exec(sqlPruneRecipients, db.clock()); err != nil {
		return err
	}
	return tx.exec(sqlPruneWriters, db.clock(), 24*hour)
}

// orphans ends the intake of runs whose writer has written nothing for the time
// of a lease.
func (db *DB) orphans(tx *txn) error {
	return tx.exec(sqlEndOrphanRuns, pombo.Interrupted.Message(), db.clock(), db.o.Lease.Milliseconds())
}

// farewell hands over the last write of a DB that is being closed: its leases
// and duties are over, so that others need not wait for that.
func (db *DB) farewell() {
	if !db.engaged.Load() {
		return
	}
	w := newWrite()
	w.run = func(tx *txn) error {
		if err := tx.exec(sqlEndOwnRuns, pombo.Interrupted.Message(), db.name); err != nil {
			return err
		}
		var err error
		db.mine.Range(func(owner, _ any) bool {
			if err = tx.exec(sqlEndLease, owner); err == nil {
				err = tx.exec(sqlEndLeadership, owner)
			}
			return err == nil
		})
		return err
	}
	// Should it fail, time will tell the others.
	_ = db.hand(context.Background(), db.bulk, w)
}
