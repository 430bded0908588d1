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

// OptOutList is the list of people who get no more messages. It is kept in memory too:
// every message asks it twice.
type OptOutList struct {
	*store

	mu         sync.RWMutex
	version    int64 // of the list in the ledger when it was read; 0 = never, and empty
	phones     map[int64]pombo.OptOutScope
	identities map[string]pombo.OptOutScope
	bsuids     map[string]pombo.OptOut

	remembered map[string]bool // the BSUIDs whose phone this process has written
}

// OptedOut returns which messages the person with this phone, or with this identity,
// no longer gets: the wider scope of both, "" when the person gets everything. The zero
// Number and "" match nobody. It costs no statement: LoadOptOuts has read the list.
func (l *OptOutList) OptedOut(n phone.Number, identity string) pombo.OptOutScope {
	to, _ := digits(n).(int64) // 0 without a phone
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.phones[to].Wider(l.identities[identity])
}

// LoadOptOuts reads the list again if it has changed since it was read last. The sender
// calls it before the first message, and then every few seconds: another process may
// have changed the list. Changes by this process apply at once.
func (l *OptOutList) LoadOptOuts(ctx context.Context) error {
	var version int64
	err := l.get(ctx, sqlOptoutVersion, nil, &version)
	if err != nil {
		return fmt.Errorf("look for opt-outs: %w", err)
	}
	l.mu.RLock()
	same := l.version == version
	l.mu.RUnlock()
	if same {
		return nil
	}
	// A change between the two reads is found by the next call: the version is
	// that of before.
	phones, identities, bsuids := map[int64]pombo.OptOutScope{}, map[string]pombo.OptOutScope{}, map[string]pombo.OptOut{}
	err = l.all(ctx, sqlOptouts, nil, func(rows *sql.Rows) error {
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.version <= version {
		l.version, l.phones, l.identities, l.bsuids = version, phones, identities, bsuids
	}
	return nil
}

// OptOut puts a person on the list, for all messages when no scope is given. At is
// now when it is zero. A person who is on the list already stays as first put there, unless
// the scope becomes wider; if only the phone or only the identity was known, the other is
// added. A phone that a receipt has linked to the BSUID counts as given.
func (l *OptOutList) OptOut(ctx context.Context, o pombo.OptOut) error {
	to, identity := digits(o.Phone), o.Identity.Reveal()
	if to == nil && identity == "" {
		return errors.New("opt out: neither a phone nor an identity is given")
	}
	scope := cmp.Or(o.Scope, pombo.OptOutAll)
	bsuid := text(o.BSUID.Reveal())
	at := l.now()
	if !o.At.IsZero() {
		at = o.At.UnixMilli()
	}
	if to == nil && bsuid != nil {
		var known int64
		switch err := l.get(ctx, sqlPhoneOfBSUID, []any{bsuid}, &known); {
		case err == nil:
			to = known
		case !errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("opt out: look for the phone: %w", err)
		}
	}
	row := optOutRow{phone: to, identity: text(identity), bsuid: bsuid, scope: scope, at: at, by: o.By}
	return l.changeOptOuts(ctx, "opt out", row.add)
}

// optOutRow is a row of the list; nil is NULL.
type optOutRow struct {
	phone, identity, bsuid any
	scope                  pombo.OptOutScope
	at                     int64
	by                     string
}

// add puts a person on the list, and reports whether that changed it.
func (r optOutRow) add(tx *txn) (changed bool, err error) {
	total := 0
	run := func(name statement, args ...any) error {
		n, err := tx.change(name, args...)
		total += n
		return err
	}
	insert := func(phone, identity any) error {
		return run(sqlOptOut, phone, identity, r.bsuid, string(r.scope), r.at, r.by)
	}
	if r.scope == pombo.OptOutAll {
		if err := run(sqlWidenOptout, r.at, r.by, r.phone, r.identity); err != nil {
			return false, err
		}
	}
	if r.bsuid != nil {
		if err := run(sqlAddBSUID, r.bsuid, r.phone, r.identity); err != nil {
			return false, err
		}
	}
	if r.phone == nil || r.identity == nil {
		err := insert(r.phone, r.identity)
		return total > 0, err
	}
	if n, err := tx.change(sqlCompleteOptout, r.phone, r.identity); err != nil || n > 0 {
		return true, err
	}
	// Both, or else the one that is not there yet.
	for _, of := range [][2]any{{r.phone, r.identity}, {r.phone, nil}, {nil, r.identity}} {
		if err := insert(of[0], of[1]); err != nil {
			return false, err
		}
	}
	return total > 0, nil
}

// optOutRecipient adds the recipient of a notification, who has switched marketing messages off
// at WhatsApp, in the transaction that records the outcome. The caller reloads the list when it
// has changed.
func (l *OptOutList) optOutRecipient(tx *txn, seq int64) (changed bool, err error) {
	var to sql.NullInt64
	switch err := tx.queryRow(sqlPhoneOf, seq).Scan(&to); {
	case errors.Is(err, sql.ErrNoRows) || err == nil && !to.Valid:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for who opted out: %w", err)
	}
	row := optOutRow{phone: to.Int64, scope: pombo.OptOutMarketing, at: l.now(), by: "blip"}
	return changeOptOutsIn(tx, row.add)
}

// reloadOptOuts reads the list that a transaction has changed. If that fails, the next look at the
// list, some seconds later, finds the change.
func (l *OptOutList) reloadOptOuts(ctx context.Context) {
	if err := l.LoadOptOuts(ctx); err != nil {
		l.opts.Logger.WarnContext(ctx, "the list of opt-outs could not be read again", "error", err)
	}
}

// text stores a text; "" is NULL.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// rememberBSUID records whose phone a BSUID is. A person who is on the list by the BSUID is on
// it by the phone from then on.
func (l *OptOutList) rememberBSUID(ctx context.Context, bsuid string, seq int64) error {
	l.mu.RLock()
	known := l.remembered[bsuid]
	l.mu.RUnlock()
	if known {
		return nil
	}
	w := newWrite()
	w.run = func(tx *txn) error {
		return tx.exec(sqlRememberBSUID, bsuid, l.now(), seq)
	}
	if err := l.submit(ctx, l.bulk, w); err != nil {
		return fmt.Errorf("keep a business user: %w", err)
	}
	l.mu.RLock()
	o, out := l.bsuids[bsuid]
	l.mu.RUnlock()
	if out {
		var to sql.NullInt64
		if err := l.get(ctx, sqlPhoneOf, []any{seq}, &to); err != nil {
			return fmt.Errorf("look for who opted out: %w", err)
		}
		if o.Phone = number(to); !o.Phone.IsZero() && l.OptedOut(o.Phone, "").Wider(o.Scope) != l.OptedOut(o.Phone, "") {
			o.BSUID = pombo.Private(bsuid)
			if err := l.OptOut(ctx, o); err != nil {
				return err
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.remembered == nil || len(l.remembered) >= mostRemembered {
		l.remembered = map[string]bool{}
	}
	l.remembered[bsuid] = true
	return nil
}

// mostRemembered is how many BSUIDs are remembered as written, to spare the writes.
const mostRemembered = 10_000

// OptIn takes a phone off the list, with the identities that Blip has called it
// by, and reports whether it was on it.
func (l *OptOutList) OptIn(ctx context.Context, n phone.Number) (removed bool, err error) {
	to, ok := digits(n).(int64)
	if !ok {
		return false, errors.New("opt in: no phone is given")
	}
	kept := l.store.identities.of(to)
	err = l.changeOptOuts(ctx, "opt in", func(tx *txn) (bool, error) {
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

// changeOptOutsIn makes a change of the list, which reports whether it changed anything.
func changeOptOutsIn(tx *txn, change func(*txn) (bool, error)) (changed bool, err error) {
	if err := tx.exec(sqlLockOptouts); err != nil {
		return false, err
	}
	if changed, err = change(tx); err != nil || !changed {
		return false, err
	}
	return true, tx.exec(sqlCountOptouts)
}

// changeOptOuts makes a change of the list in a transaction of its own, and reloads it.
func (l *OptOutList) changeOptOuts(ctx context.Context, verb string, change func(*txn) (bool, error)) error {
	changed := false
	err := l.do(ctx, func(tx *txn) (err error) {
		changed, err = changeOptOutsIn(tx, change)
		return err
	})
	if err == nil && changed {
		err = l.LoadOptOuts(ctx)
	}
	return wrap(err, verb)
}

// OptOuts lists the people who get no more messages, the latest first, and returns the
// cursor of the next page, "" when there is none. after is the cursor of the list
// before, "" for the first; limit is 1 to 1000, or 0 for 50.
func (l *OptOutList) OptOuts(ctx context.Context, after string, limit int) (list []pombo.OptOut, next string, err error) {
	limit, before, err := pageOf(limit, after)
	if err != nil {
		return nil, "", err
	}
	var last int64
	err = l.all(ctx, sqlOptoutPage, []any{before, limit + 1},
		func(rows *sql.Rows) error {
			seq, o, err := scanOptOut(rows)
			if err != nil {
				return err
			}
			if len(list) == limit {
				next = strconv.FormatInt(last, 36)
				return nil
			}
			last = seq
			list = append(list, o)
			return nil
		})
	return list, next, wrap(err, "list opt-outs")
}

func scanOptOut(rows *sql.Rows) (seq int64, o pombo.OptOut, err error) {
	var (
		at              int64
		to              sql.NullInt64
		identity, bsuid sql.NullString
	)
	err = rows.Scan(&seq, &to, &identity, &bsuid, &o.Scope, &at, &o.By)
	o.Phone, o.Identity, o.BSUID, o.At = number(to), pombo.Private(identity.String), pombo.Private(bsuid.String), time.UnixMilli(at).UTC()
	return seq, o, err
}

// OptOutOf returns why the person with this phone gets no more messages: of several lines
// the first of the widest scope. It returns pombo.ErrNotFound when the person gets
// everything.
func (l *OptOutList) OptOutOf(ctx context.Context, n phone.Number) (out pombo.OptOut, err error) {
	to, ok := digits(n).(int64)
	if !ok {
		return out, errors.New("look for an opt-out: no phone is given")
	}
	// What Blip called the phone just now may not be in the table yet.
	for _, identity := range append(l.store.identities.of(to), "") {
		err := l.all(ctx, sqlOptoutOf, []any{to, text(identity)}, func(rows *sql.Rows) error {
			_, o, err := scanOptOut(rows)
			if out.Scope == "" || out.Scope != pombo.OptOutAll && o.Scope == pombo.OptOutAll {
				out = o
			}
			return err
		})
		if err != nil {
			return pombo.OptOut{}, fmt.Errorf("look for an opt-out: %w", err)
		}
	}
	if out.Scope == "" {
		return out, pombo.ErrNotFound
	}
	return out, nil
}
