package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// optouts is the list of those who get no more messages, in memory: every
// message asks it twice.
type optouts struct {
	mu         sync.RWMutex
	version    int64 // of the list in the ledger when it was read; 0 = never, and empty
	phones     map[int64]pombo.OptOutScope
	identities map[string]pombo.OptOutScope
	bsuids     map[string]pombo.OptOut

	learned map[string]bool // the BSUIDs whose phone this process has written
}

// OptedOut returns which messages the person with this phone, or with this identity,
// no longer gets: the wider scope of both, "" when the person gets all of them. The
// zero Number and "" are nobody. It costs no statement: LoadOptOuts has read the list.
func (db *DB) OptedOut(n phone.Number, identity string) pombo.OptOutScope {
	to, _ := digits(n).(int64) // no phone is 0
	db.optouts.mu.RLock()
	defer db.optouts.mu.RUnlock()
	return db.optouts.phones[to].Wider(db.optouts.identities[identity])
}

// LoadOptOuts reads the list again if it has changed since it was read last. Who
// sends calls it before the first message, and then every few seconds: another
// process may have changed the list. What this DB changes it knows at once.
func (db *DB) LoadOptOuts(ctx context.Context) error {
	var version int64
	err := db.get(ctx, sqlOptoutVersion, nil, &version)
	if err != nil {
		return fmt.Errorf("look for opt-outs: %w", err)
	}
	db.optouts.mu.RLock()
	same := db.optouts.version == version
	db.optouts.mu.RUnlock()
	if same {
		return nil
	}
	// A change between the two reads is found by the next call: the version is
	// that of before.
	phones, identities, bsuids := map[int64]pombo.OptOutScope{}, map[string]pombo.OptOutScope{}, map[string]pombo.OptOut{}
	err = db.all(ctx, sqlOptouts, nil, func(rows *sql.Rows) error {
		var (
			o               pombo.OptOut
			to              sql.NullInt64
			identity, bsuid sql.NullString
			at              int64
		)
		if err := rows.Scan(&to, &identity, &bsuid, &o.Scope, &at, &o.By); err != nil {
			return err
		}
		if to.Valid {
			phones[to.Int64] = o.Scope.Wider(phones[to.Int64])
		}
		if identity.Valid {
			identities[identity.String] = o.Scope.Wider(identities[identity.String])
		}
		if bsuid.Valid {
			o.At = time.UnixMilli(at)
			if before, ok := bsuids[bsuid.String]; !ok || before.Scope != pombo.OptOutAll {
				bsuids[bsuid.String] = o
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the opt-outs: %w", err)
	}
	db.optouts.mu.Lock()
	defer db.optouts.mu.Unlock()
	if db.optouts.version <= version {
		db.optouts.version, db.optouts.phones, db.optouts.identities, db.optouts.bsuids = version, phones, identities, bsuids
	}
	return nil
}

// OptOut puts a person on the list, for all messages when no scope is given. At is
// now when it is zero. Somebody who is on the list stays as first put there, unless
// the scope becomes wider; of a person who was known by only one of phone and
// identity the other is added. A phone that a receipt has told of the BSUID counts
// as given.
func (db *DB) OptOut(ctx context.Context, o pombo.OptOut) error {
	to, identity := digits(o.Phone), o.Identity.Reveal()
	if to == nil && identity == "" {
		return errors.New("opt out: neither a phone nor an identity is given")
	}
	scope := cmp.Or(o.Scope, pombo.OptOutAll)
	bsuid := text(o.BSUID.Reveal())
	at := db.now()
	if !o.At.IsZero() {
		at = o.At.UnixMilli()
	}
	if to == nil && bsuid != nil {
		var known int64
		switch err := db.get(ctx, sqlPhoneOfBSUID, []any{bsuid}, &known); {
		case err == nil:
			to = known
		case !errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("opt out: look for the phone: %w", err)
		}
	}
	return db.changeOptOuts(ctx, "opt out", func(tx *txn) (bool, error) {
		total := int64(0)
		if scope == pombo.OptOutAll {
			n, err := tx.change(sqlWidenOptout, at, o.By, to, text(identity))
			if total += int64(n); err != nil {
				return false, err
			}
		}
		if bsuid != nil {
			n, err := tx.change(sqlAddBSUID, bsuid, to, text(identity))
			if total += int64(n); err != nil {
				return false, err
			}
		}
		if to == nil || identity == "" {
			n, err := tx.change(sqlOptOut, to, text(identity), bsuid, string(scope), at, o.By)
			return total+int64(n) > 0, err
		}
		n, err := tx.change(sqlCompleteOptout, to, identity)
		if err != nil || n > 0 {
			return true, err
		}
		// Both, or else the one of them that is not there yet.
		for _, row := range [][]any{{to, identity}, {to, nil}, {nil, identity}} {
			n, err := tx.change(sqlOptOut, row[0], row[1], bsuid, string(scope), at, o.By)
			if total += int64(n); err != nil {
				return false, err
			}
		}
		return total > 0, nil
	})
}

// optOutRecipient adds the recipient of a notification, who has switched marketing
// messages off at WhatsApp. It runs before the outcome is recorded, so that retrying
// the outcome repeats it; the insert is idempotent.
func (db *DB) optOutRecipient(ctx context.Context, seq int64) error {
	var to sql.NullInt64
	if err := db.get(ctx, sqlPhoneOf, []any{seq}, &to); err != nil {
		return fmt.Errorf("look for who opted out: %w", err)
	}
	if n := number(to); !n.IsZero() {
		return db.OptOut(ctx, pombo.OptOut{Phone: n, Scope: pombo.OptOutMarketing, By: "blip"})
	}
	return nil
}

// text stores a text; "" is NULL.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// learn keeps whose phone a BSUID is. A person who is on the list by the BSUID is on
// it by the phone from then on.
func (db *DB) learn(ctx context.Context, bsuid string, seq int64) error {
	db.optouts.mu.RLock()
	known := db.optouts.learned[bsuid]
	db.optouts.mu.RUnlock()
	if known {
		return nil
	}
	w := newWrite()
	w.run = func(tx *txn) error {
		return tx.exec(sqlRememberBSUID, bsuid, db.now(), seq)
	}
	if err := db.submit(ctx, db.bulk, w); err != nil {
		return fmt.Errorf("keep a business user: %w", err)
	}
	db.optouts.mu.RLock()
	o, out := db.optouts.bsuids[bsuid]
	db.optouts.mu.RUnlock()
	if out {
		var to sql.NullInt64
		if err := db.get(ctx, sqlPhoneOf, []any{seq}, &to); err != nil {
			return fmt.Errorf("look for who opted out: %w", err)
		}
		if o.Phone = number(to); !o.Phone.IsZero() && db.OptedOut(o.Phone, "").Wider(o.Scope) != db.OptedOut(o.Phone, "") {
			o.BSUID = pombo.Private(bsuid)
			if err := db.OptOut(ctx, o); err != nil {
				return err
			}
		}
	}
	db.optouts.mu.Lock()
	defer db.optouts.mu.Unlock()
	if db.optouts.learned == nil || len(db.optouts.learned) >= mostLearned {
		db.optouts.learned = map[string]bool{}
	}
	db.optouts.learned[bsuid] = true
	return nil
}

// mostLearned is how many BSUIDs are remembered as written, to spare the writes.
const mostLearned = 10_000

// OptIn takes a phone off the list, with the identities that Blip has called it
// by, and reports whether it was on it.
func (db *DB) OptIn(ctx context.Context, n phone.Number) (removed bool, err error) {
	to, ok := digits(n).(int64)
	if !ok {
		return false, errors.New("opt in: no phone is given")
	}
	kept := db.identities.of(to)
	err = db.changeOptOuts(ctx, "opt in", func(tx *txn) (bool, error) {
		changed, err := tx.change(sqlOptIn, to)
		if err != nil {
			return false, err
		}
		for _, identity := range kept {
			n, err := tx.change(sqlOptInIdentity, identity)
			if err != nil {
				return false, err
			}
			changed += n
		}
		removed = changed > 0
		return removed, nil
	})
	return removed, err
}

// changeOptOuts makes a change of the list, which says whether it changed
// anything, and takes it over into memory.
func (db *DB) changeOptOuts(ctx context.Context, verb string, change func(*txn) (bool, error)) error {
	changed := false
	err := db.do(ctx, func(tx *txn) (err error) {
		// One process at a time: two that add the other half of one person would
		// each find the list without it.
		if err = tx.exec(sqlLockOptouts); err != nil {
			return err
		}
		if changed, err = change(tx); err != nil || !changed {
			return err
		}
		return tx.exec(sqlCountOptouts)
	})
	if err == nil && changed {
		err = db.LoadOptOuts(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	return nil
}

// OptOuts lists those who get no more messages, the latest first, and the cursor
// of those that follow, "" when there are none. after is the cursor of the list
// before, "" for the first; limit is 1 to 1000, or 0 for 50.
func (db *DB) OptOuts(ctx context.Context, after string, limit int) (list []pombo.OptOut, next string, err error) {
	switch {
	case limit == 0:
		limit = usualLimit
	case limit < 0 || limit > mostLimit:
		return nil, "", fmt.Errorf("a limit of %d is not between 1 and %d", limit, mostLimit)
	}
	before := int64(endOfTime)
	if after != "" {
		before, err = strconv.ParseInt(after, 36, 64)
		if err != nil || before <= 0 {
			return nil, "", pombo.ErrCursor
		}
	}
	var last int64
	err = db.all(ctx, sqlOptoutPage, []any{before, limit + 1},
		func(rows *sql.Rows) error {
			var (
				o        pombo.OptOut
				seq, at  int64
				to       sql.NullInt64
				identity sql.NullString
				bsuid    sql.NullString
			)
			if err := rows.Scan(&seq, &to, &identity, &bsuid, &o.Scope, &at, &o.By); err != nil {
				return err
			}
			if len(list) == limit {
				next = strconv.FormatInt(last, 36)
				return nil
			}
			last = seq
			o.Phone, o.Identity, o.BSUID, o.At = number(to), pombo.Private(identity.String), pombo.Private(bsuid.String), time.UnixMilli(at).UTC()
			list = append(list, o)
			return nil
		})
	if err != nil {
		return nil, "", fmt.Errorf("list opt-outs: %w", err)
	}
	return list, next, nil
}
