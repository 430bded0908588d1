package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"pombo"
	"pombo/phone"
)

// optouts is the list of those who get no more messages, in memory: every
// message asks it twice.
type optouts struct {
	mu         sync.RWMutex
	version    int64 // of the list in the ledger when it was read; 0 = never, and empty
	phones     map[int64]bool
	identities map[string]bool
}

// OptedOut reports whether the person with this phone, or with this identity,
// gets no more messages; the zero Number and "" are nobody. It costs no
// statement: LoadOptOuts has read the list.
func (db *DB) OptedOut(n phone.Number, identity string) bool {
	to, _ := digits(n).(int64) // no phone is 0
	db.optouts.mu.RLock()
	defer db.optouts.mu.RUnlock()
	return db.optouts.phones[to] || db.optouts.identities[identity]
}

// LoadOptOuts reads the list again if it has changed since it was read last. Who
// sends calls it before the first message, and then every few seconds: another
// process may have changed the list. What this DB changes it knows at once.
func (db *DB) LoadOptOuts(ctx context.Context) error {
	var version int64
	err := db.get(ctx, `SELECT version FROM optout_version`, nil, &version)
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
	phones, identities := map[int64]bool{}, map[string]bool{}
	err = db.all(ctx, `SELECT phone, identity FROM optout`, nil, func(rows *sql.Rows) error {
		var to sql.NullInt64
		var identity sql.NullString
		if err := rows.Scan(&to, &identity); err != nil {
			return err
		}
		if to.Valid {
			phones[to.Int64] = true
		}
		if identity.Valid {
			identities[identity.String] = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the opt-outs: %w", err)
	}
	db.optouts.mu.Lock()
	defer db.optouts.mu.Unlock()
	if db.optouts.version <= version {
		db.optouts.version, db.optouts.phones, db.optouts.identities = version, phones, identities
	}
	return nil
}

// OptOut puts a person on the list. At is now when it is zero. Who is on it
// stays on it as first put there; of a person who was known by only one of phone
// and identity the other is added.
func (db *DB) OptOut(ctx context.Context, o pombo.OptOut) error {
	to, identity := digits(o.Phone), o.Identity.Reveal()
	if to == nil && identity == "" {
		return errors.New("opt out: neither a phone nor an identity is given")
	}
	at := db.now()
	if !o.At.IsZero() {
		at = o.At.UnixMilli()
	}
	const insert = `INSERT INTO optout (phone, identity, at, by) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING`
	return db.changeOptOuts(ctx, "opt out", func(tx *txn) (bool, error) {
		if to == nil || identity == "" {
			changed, err := tx.change(insert, to, text(identity), at, o.By)
			return changed > 0, err
		}
		changed, err := tx.change(`UPDATE optout SET phone = coalesce(phone, ?1), identity = coalesce(identity, ?2)
			WHERE phone = ?1 AND identity IS NULL AND NOT EXISTS (SELECT 1 FROM optout WHERE identity = ?2)
				OR identity = ?2 AND phone IS NULL AND NOT EXISTS (SELECT 1 FROM optout WHERE phone = ?1)`, to, identity)
		if err != nil || changed > 0 {
			return changed > 0, err
		}
		// Both, or else the one of them that is not there yet.
		for _, row := range [][]any{{to, identity}, {to, nil}, {nil, identity}} {
			n, err := tx.change(insert, row[0], row[1], at, o.By)
			if changed += n; err != nil {
				return false, err
			}
		}
		return changed > 0, nil
	})
}

// refusedBy puts the person on the list who has blocked the messages of a
// notification at WhatsApp. It comes before what tells of it: whoever has to do
// that again does this again.
func (db *DB) refusedBy(ctx context.Context, seq int64) error {
	var to sql.NullInt64
	if err := db.get(ctx, `SELECT phone FROM notification WHERE seq = ?1`, []any{seq}, &to); err != nil {
		return fmt.Errorf("look for who opted out: %w", err)
	}
	if n := number(to); !n.IsZero() {
		return db.OptOut(ctx, pombo.OptOut{Phone: n, By: "blip"})
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

// OptIn takes a phone off the list, with the identities that Blip has called it
// by, and reports whether it was on it.
func (db *DB) OptIn(ctx context.Context, n phone.Number) (removed bool, err error) {
	to, ok := digits(n).(int64)
	if !ok {
		return false, errors.New("opt in: no phone is given")
	}
	kept := db.identities.of(to)
	err = db.changeOptOuts(ctx, "opt in", func(tx *txn) (bool, error) {
		changed, err := tx.change(`DELETE FROM optout WHERE phone = ?1 OR identity IN (SELECT name FROM identity WHERE phone = ?1)`, to)
		if err != nil {
			return false, err
		}
		for _, identity := range kept {
			n, err := tx.change(`DELETE FROM optout WHERE identity = ?1`, identity)
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
		if err = tx.exec(`UPDATE optout_version SET version = version`); err != nil {
			return err
		}
		if changed, err = change(tx); err != nil || !changed {
			return err
		}
		return tx.exec(`UPDATE optout_version SET version = version + 1`)
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
	err = db.all(ctx, `SELECT seq, phone, identity, at, by FROM optout WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2`, []any{before, limit + 1},
		func(rows *sql.Rows) error {
			var (
				o        pombo.OptOut
				seq, at  int64
				to       sql.NullInt64
				identity sql.NullString
			)
			if err := rows.Scan(&seq, &to, &identity, &at, &o.By); err != nil {
				return err
			}
			if len(list) == limit {
				next = strconv.FormatInt(last, 36)
				return nil
			}
			last = seq
			o.Phone, o.Identity, o.At = number(to), pombo.Private(identity.String), time.UnixMilli(at).UTC()
			list = append(list, o)
			return nil
		})
	if err != nil {
		return nil, "", fmt.Errorf("list opt-outs: %w", err)
	}
	return list, next, nil
}
