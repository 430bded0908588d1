package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"pombo"
	"pombo/internal/audit"
)

// Desk has the accounts and the sessions of the operator's desk. The sessions go by this
// machine's clock: they are minutes long, and a few seconds do not matter.
type Desk struct{ *store }

// User returns an account; pombo.ErrNotFound when none has the name.
func (d *Desk) User(ctx context.Context, name string) (u pombo.User, err error) {
	found := false
	err = d.all(ctx, sqlDeskUser, []any{name}, func(rows *sql.Rows) error {
		found = true
		u, err = scanUser(rows)
		return err
	})
	if err == nil && !found {
		err = pombo.ErrNotFound
	}
	if err != nil {
		return pombo.User{}, fmt.Errorf("read an account: %w", err)
	}
	return u, nil
}

// Users returns all accounts, by name.
func (d *Desk) Users(ctx context.Context) (list []pombo.User, err error) {
	err = d.all(ctx, sqlDeskUsers, nil, func(rows *sql.Rows) error {
		u, err := scanUser(rows)
		list = append(list, u)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	return list, nil
}

func scanUser(rows *sql.Rows) (u pombo.User, err error) {
	var (
		hash    string
		created int64
		seen    sql.NullInt64
	)
	err = rows.Scan(&u.Name, &hash, &u.Role, &u.Grants, &u.Language, &u.KeysOff, &created, &seen, &u.Disabled)
	u.Hash, u.Created, u.Seen = pombo.Private(hash), time.UnixMilli(created).UTC(), moment(seen)
	return u, err
}

// AddUser adds an account with the line of the trail about it; pombo.ErrMove when the
// name is taken.
func (d *Desk) AddUser(ctx context.Context, u pombo.User, line audit.Entry) error {
	added := 0
	err := d.do(ctx, func(tx *txn) (err error) {
		added, err = tx.change(sqlAddDeskUser, u.Name, u.Hash.Reveal(), string(u.Role), int64(u.Grants), u.Language, bit(u.KeysOff),
			u.Created.UnixMilli(), millis(u.Seen), bit(u.Disabled))
		if err != nil || added == 0 {
			return err
		}
		return d.writeAudit(tx, line)
	})
	if err == nil && added == 0 {
		err = pombo.ErrMove
	}
	if err != nil {
		return fmt.Errorf("add an account: %w", err)
	}
	return nil
}

// ChangeUser changes an account with the line of the trail about it; pombo.ErrLost when
// its password or rights have changed meanwhile.
func (d *Desk) ChangeUser(ctx context.Context, before, after pombo.User, line audit.Entry) error {
	changed := 0
	err := d.do(ctx, func(tx *txn) (err error) {
		changed, err = tx.change(sqlChangeDeskUser, before.Name, after.Hash.Reveal(), string(after.Role), int64(after.Grants), after.Language, bit(after.KeysOff), bit(after.Disabled),
			before.Hash.Reveal(), string(before.Role), int64(before.Grants), bit(before.Disabled), before.Created.UnixMilli())
		if err != nil || changed == 0 {
			return err
		}
		return d.writeAudit(tx, line)
	})
	if err == nil && changed == 0 {
		err = pombo.ErrLost
	}
	if err != nil {
		return fmt.Errorf("change an account: %w", err)
	}
	return nil
}

// UserSeen notes a sign-in.
func (d *Desk) UserSeen(ctx context.Context, name string, at time.Time) error {
	err := d.do(ctx, func(tx *txn) error { return tx.exec(sqlSeeDeskUser, name, at.UnixMilli()) })
	if err != nil {
		return fmt.Errorf("note a sign-in: %w", err)
	}
	return nil
}

// Session returns a session; pombo.ErrNotFound when there is none or it is over.
func (d *Desk) Session(ctx context.Context, token string) (s pombo.DeskSession, err error) {
	var expires int64
	err = d.get(ctx, sqlDeskSession, []any{token, d.opts.Now().UnixMilli()}, &s.Token, &s.Name, &s.Data, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		err = pombo.ErrNotFound
	}
	if err != nil {
		return pombo.DeskSession{}, fmt.Errorf("read a session: %w", err)
	}
	s.Expires = time.UnixMilli(expires).UTC()
	return s, nil
}

// Sessions returns the sessions that are not over.
func (d *Desk) Sessions(ctx context.Context) (list []pombo.DeskSession, err error) {
	err = d.all(ctx, sqlDeskSessions, []any{d.opts.Now().UnixMilli()}, func(rows *sql.Rows) error {
		var (
			s       pombo.DeskSession
			expires int64
		)
		err := rows.Scan(&s.Token, &s.Name, &s.Data, &expires)
		s.Expires = time.UnixMilli(expires).UTC()
		list = append(list, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	return list, nil
}

// SaveSession adds or replaces a session.
func (d *Desk) SaveSession(ctx context.Context, s pombo.DeskSession) error {
	err := d.do(ctx, func(tx *txn) error {
		return tx.exec(sqlSaveDeskSession, s.Token, s.Name, s.Data, s.Expires.UnixMilli())
	})
	if err != nil {
		return fmt.Errorf("save a session: %w", err)
	}
	return nil
}

// DeleteSession ends a session, if it is there.
func (d *Desk) DeleteSession(ctx context.Context, token string) error {
	err := d.do(ctx, func(tx *txn) error { return tx.exec(sqlDeleteDeskSession, token) })
	if err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

// Once reports whether the word has not been used before, and uses it. It is remembered
// until it expires.
func (d *Desk) Once(ctx context.Context, word string, expires time.Time) (first bool, err error) {
	err = d.do(ctx, func(tx *txn) error {
		n, err := tx.change(sqlUseOnce, word, expires.UnixMilli())
		first = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("use a word once: %w", err)
	}
	return first, nil
}

// Sweep deletes what is over: sessions, and words that are good once.
func (d *Desk) Sweep(ctx context.Context) error {
	now := d.opts.Now().UnixMilli()
	err := d.do(ctx, func(tx *txn) error {
		if err := tx.exec(sqlRemoveDeskSessions, now); err != nil {
			return err
		}
		return tx.exec(sqlRemoveUsed, now)
	})
	if err != nil {
		return fmt.Errorf("take old sessions away: %w", err)
	}
	return nil
}

// bit stores a yes or a no.
func bit(is bool) int64 {
	if is {
		return 1
	}
	return 0
}
