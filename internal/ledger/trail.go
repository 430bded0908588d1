package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"pombo/internal/audit"
)

// Trail has the audit trail. It is only added to: what leaves is older than
// AUDIT_RETENTION.
type Trail struct{ *store }

// WriteAudit appends a line.
func (t *Trail) WriteAudit(ctx context.Context, e audit.Entry) error {
	if err := t.do(ctx, func(tx *txn) error { return t.writeAudit(tx, e) }); err != nil {
		return fmt.Errorf("write to the audit trail: %w", err)
	}
	return nil
}

// writeAudit appends a line in the transaction of what it is about.
func (db *store) writeAudit(tx *txn, e audit.Entry) error {
	at := db.opts.Now().UnixMilli()
	if !e.At.IsZero() {
		at = e.At.UnixMilli()
	}
	var person any
	if e.Person != nil {
		person = e.Person
	}
	return tx.exec(sqlWriteAudit, at, e.Who, e.Role, string(e.Via), e.Address, string(e.Act), e.Target, e.Detail, person, string(e.Result))
}

// Audit returns the lines that the filter chooses, the newest first; at most 1000.
func (t *Trail) Audit(ctx context.Context, f audit.Filter) (list []audit.Entry, err error) {
	since, till := int64(0), int64(math.MaxInt64)
	if !f.Since.IsZero() {
		since = f.Since.UnixMilli()
	}
	if !f.Till.IsZero() {
		till = f.Till.UnixMilli()
	}
	limit := f.Limit
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	name := sqlAudit
	args := []any{cmp.Or(f.Before, math.MaxInt64), f.Who, string(f.Act), since, till, limit}
	if f.Person != nil {
		name, args = sqlAuditAbout, append(args, f.Person)
	}
	err = t.all(ctx, name, args, func(rows *sql.Rows) error {
		var (
			e  audit.Entry
			at int64
		)
		err := rows.Scan(&e.Seq, &at, &e.Who, &e.Role, &e.Via, &e.Address, &e.Act, &e.Target, &e.Detail, &e.Person, &e.Result)
		e.At = time.UnixMilli(at).UTC()
		list = append(list, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", err)
	}
	return list, nil
}

// RetireAudit deletes lines older than age, and returns how many there were.
func (t *Trail) RetireAudit(ctx context.Context, age time.Duration) (removed int, err error) {
	const some = 1000 // so that what workers wait for comes in between
	before := t.opts.Now().Add(-age).UnixMilli()
	for {
		n := 0
		err := t.do(ctx, func(tx *txn) (err error) {
			n, err = tx.change(sqlRemoveAudit, before, some)
			return err
		})
		removed += n
		if err != nil {
			return removed, fmt.Errorf("take old lines from the audit trail: %w", err)
		}
		if n < some {
			return removed, nil
		}
	}
}
