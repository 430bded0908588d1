package ledger

import (
	"context"
	"fmt"

	"pombo"
)

// Renew keeps what the owner has in hands for the length of a lease from now.
func (db *DB) Renew(ctx context.Context, owner string) error {
	db.saveIdentities(1)
	err := db.do(ctx, func(tx *txn) error {
		return tx.exec(renewStatement, owner, db.now()+db.o.Lease.Milliseconds())
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	return nil
}

// Reclaim takes from owners without a live lease what they have in hands: what
// was only claimed goes back to the queue, what was being sent is uncertain. It
// starts from the notifications and not from the leases, so one whose owner has
// left no lease at all is found too. An owner that was merely slow finds out
// when he finishes: pombo.ErrLost.
func (db *DB) Reclaim(ctx context.Context) (requeued, uncertain int, err error) {
	err = db.do(ctx, func(tx *txn) (err error) {
		const dead = ` owner IS NOT NULL AND owner NOT IN (SELECT name FROM owner AS o WHERE o.until > ?1) `
		now := db.now()
		requeued, err = tx.change(`
			UPDATE notification SET state = 'queued', owner = NULL, lane = priority, not_before = ?1, history = history || '[' || ?1 || ',"queued",' || attempt || ',"`+string(pombo.LeaseOver)+`"]'
			WHERE state = 'claimed' AND`+dead, now)
		if err != nil {
			return err
		}
		uncertain, err = tx.change(`
			UPDATE notification SET state = 'uncertain', owner = NULL, lane = 10, not_before = ?1, history = history || '[' || ?1 || ',"uncertain",' || attempt || ',"`+string(pombo.Interrupted)+`"]'
			WHERE state = 'sending' AND`+dead, now)
		if err != nil {
			return err
		}
		return tx.exec(`DELETE FROM owner WHERE until <= ?1`, now)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("reclaim: %w", err)
	}
	return requeued, uncertain, nil
}
