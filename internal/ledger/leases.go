package ledger

import (
	"context"
	"fmt"
	"time"

	"pombo"
)

// Leases says which of the processes that share a ledger are alive, and which one does the
// jobs that only one needs to do.
type Leases struct{ *store }

// renew also finds out what the database's clock says, where that one counts.
func (db *store) renew(tx *txn, owner string) error {
	lease := db.opts.Lease.Milliseconds()
	var until int64
	asked := db.opts.Now()
	if err := tx.queryRow(sqlRenew, owner, db.clock(), lease).Scan(&until); err != nil {
		return err
	}
	if !db.time.ofMachine {
		db.time.look(asked, until-lease)
	}
	db.dirty.Store(true)
	return nil
}

// renewed notes a renewal that has been committed.
func (db *store) renewed(owner string) { db.leases.Store(owner, db.now()) }

// fresh reports whether the owner's lease was renewed a moment ago, so that a
// busy claim need not do it again.
func (db *store) fresh(owner string) bool {
	at, ok := db.leases.Load(owner)
	if !ok {
		return false
	}
	age := db.now() - at.(int64)
	return age >= 0 && age < db.opts.Lease.Milliseconds()/10
}

// Renew extends the owner's lease: it ends the length of a lease from now.
func (l *Leases) Renew(ctx context.Context, owner string) error {
	l.saveIdentities(1)
	err := l.do(ctx, func(tx *txn) error {
		if err := l.renew(tx, owner); err != nil || !l.shared() {
			return err
		}
		return l.prune(tx)
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	l.renewed(owner)
	return nil
}

// Reclaim takes notifications from owners without a valid lease: what was only claimed goes back
// to the queue, what was being sent becomes uncertain. It starts from the notifications and
// not from the leases, so it also finds those whose owner has left no lease at all. An owner
// that was merely slow finds out when it finishes: pombo.ErrLost. A run whose process died
// while it took in takes in no more. After the database was away, nothing is reclaimed for the
// length of a lease, because no owner could renew.
func (l *Leases) Reclaim(ctx context.Context) (requeued, uncertain int, err error) {
	err = l.do(ctx, func(tx *txn) (err error) {
		requeued, uncertain = 0, 0
		if !l.dialect.stableFor(l.opts.Lease) {
			return nil
		}
		now, clock := l.now(), l.clock()
		requeued, err = tx.change(sqlReclaimClaimed, now, clock)
		if err != nil {
			return err
		}
		uncertain, err = tx.change(sqlReclaimSending, l.time.latest(), clock)
		if err != nil {
			return err
		}
		if err := tx.exec(sqlEndLeases, clock); err != nil || !l.shared() {
			return err
		}
		return l.orphans(tx)
	})
	return requeued, uncertain, wrap(err, "reclaim")
}

// Owners returns how many processes have a valid lease: they work on the ledger, or did
// so moments ago.
func (l *Leases) Owners(ctx context.Context) (n int, err error) {
	err = l.get(ctx, sqlOwners, []any{l.clock()}, &n)
	return n, wrap(err, "look for other processes")
}

// AcquireLeadership makes the owner the leader of a job for the time d from now, and reports whether
// it leads: not if another one does at present. The leader asks again well before d is over.
// One process at a time does the job for all, which saves the source and Blip the others' calls;
// correctness must not depend on it.
func (l *Leases) AcquireLeadership(ctx context.Context, job, owner string, d time.Duration) (bool, error) {
	if !l.shared() {
		return true, nil
	}
	leads, err := l.exists(ctx, sqlAcquireLeadership, job, owner, l.clock(), d.Milliseconds())
	return leads, wrap(err, "lead "+job)
}

// Led reports whether some process on a ledger that others share does a job at present.
func (l *Leases) Led(ctx context.Context, job string) (bool, error) {
	if !l.shared() {
		return false, nil
	}
	led, err := l.exists(ctx, sqlLed, job, l.clock())
	return led, wrap(err, "see who does "+job)
}

// ReleaseLeadership gives a job up, if the owner leads it, so that another one can lead at
// once.
func (l *Leases) ReleaseLeadership(ctx context.Context, job, owner string) error {
	if !l.shared() {
		return nil
	}
	_, err := l.change(ctx, sqlReleaseLeadership, job, owner)
	return wrap(err, "release "+job)
}

// prune deletes what is long over.
func (db *store) prune(tx *txn) error {
	const hour = 60 * 60 * 1000
	if err := tx.exec(sqlPruneRecipients, db.clock()); err != nil {
		return err
	}
	return tx.exec(sqlPruneWriters, db.clock(), 24*hour)
}

// orphans ends the intake of runs whose writer has written nothing for the time
// of a lease.
func (db *store) orphans(tx *txn) error {
	return tx.exec(sqlEndOrphanRuns, pombo.Interrupted.Message(), db.clock(), db.opts.Lease.Milliseconds())
}

// releaseOnClose hands over the last write of a store that is being closed: its leases and
// leaderships are over, so that others need not wait for their end.
func (db *store) releaseOnClose() {
	if !db.dirty.Load() {
		return
	}
	w := newWrite()
	w.run = func(tx *txn) error {
		if err := tx.exec(sqlEndOwnRuns, pombo.Interrupted.Message(), db.name); err != nil {
			return err
		}
		var err error
		db.leases.Range(func(owner, _ any) bool {
			if err = tx.exec(sqlEndLease, owner); err == nil {
				err = tx.exec(sqlEndLeadership, owner)
			}
			return err == nil
		})
		return err
	}
	// If it fails, they end by themselves.
	_ = db.hand(context.Background(), db.bulk, w)
}
