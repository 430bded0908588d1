package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"pombo"
)

// renew also finds out what the database's clock says, where that one counts.
func (db *DB) renew(tx *txn, owner string) error {
	lease := db.o.Lease.Milliseconds()
	var until int64
	if err := tx.queryRow(sqlRenew, owner, db.clock(), lease).Scan(&until); err != nil {
		return err
	}
	db.setClock(until - lease)
	db.engaged.Store(true)
	return nil
}

// renewed notes a renewal that has been committed.
func (db *DB) renewed(owner string) { db.mine.Store(owner, db.now()) }

// fresh reports whether the owner's lease was renewed a moment ago, so that a
// busy claim need not do it again.
func (db *DB) fresh(owner string) bool {
	at, ok := db.mine.Load(owner)
	if !ok {
		return false
	}
	age := db.now() - at.(int64)
	return age >= 0 && age < db.o.Lease.Milliseconds()/10
}

// Renew keeps what the owner has in hands for the length of a lease from now.
func (db *DB) Renew(ctx context.Context, owner string) error {
	db.saveIdentities(1)
	err := db.do(ctx, func(tx *txn) error {
		if err := db.renew(tx, owner); err != nil || !db.Shared() {
			return err
		}
		return db.prune(tx)
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	db.renewed(owner)
	return nil
}

// ClaimedBy lists what the owner has claimed or is sending, as the ledger knows it.
func (db *DB) ClaimedBy(ctx context.Context, owner string) ([]pombo.Notification, error) {
	var list []pombo.Notification
	err := db.due(ctx, sqlClaimedBy, []any{owner}, func(rows *sql.Rows) error {
		n, err := scan(rows)
		list = append(list, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list what is in hand: %w", err)
	}
	return list, nil
}

// Reclaim takes from owners without a live lease what they have in hands: what
// was only claimed goes back to the queue, what was being sent is uncertain. It
// starts from the notifications and not from the leases, so one whose owner has
// left no lease at all is found too. An owner that was merely slow finds out
// when he finishes: pombo.ErrLost. A run whose process has gone while it took in
// takes in no more. For the time of a lease after the database was away nothing
// is taken from anybody: nobody could renew.
func (db *DB) Reclaim(ctx context.Context) (requeued, uncertain int, err error) {
	err = db.do(ctx, func(tx *txn) (err error) {
		requeued, uncertain = 0, 0
		if !db.dialect.steady(db.o.Lease) {
			return nil
		}
		now, clock := db.now(), db.clock()
		requeued, err = tx.change(sqlReclaimClaimed, now, clock)
		if err != nil {
			return err
		}
		uncertain, err = tx.change(sqlReclaimSending, now, clock)
		if err != nil {
			return err
		}
		if err := tx.exec(sqlEndLeases, clock); err != nil || !db.Shared() {
			return err
		}
		return db.orphans(tx)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("reclaim: %w", err)
	}
	return requeued, uncertain, nil
}
