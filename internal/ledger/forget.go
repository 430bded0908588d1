package ledger

import (
	"context"
	"database/sql"
	"errors"

	"pombo"
	"pombo/internal/phone"
)

// Forget erases a person: phone, message and template of every notification to
// the phone, what the person has answered, and what Blip calls it. Notifications that wait are cancelled
// first; one that is being sent at this moment stays as it is and is counted in
// InFlight. Key, state and history remain, so that no row is sent again and the
// counts stay. On SQLite the data are overwritten in the files.
//
// Without really it only counts. After an error some may have been erased, and
// it may be called again.
func (r *Retention) Forget(ctx context.Context, n phone.Number, really bool) (f pombo.Forgotten, err error) {
	defer func() { err = wrap(err, "forget a person") }()
	to := digits(n)
	if to == nil {
		return f, errors.New("there is no phone number")
	}
	list, err := r.toPhone(ctx, to)
	if err != nil {
		return f, err
	}
	f.Found = len(list)
	for _, at := range list {
		switch at.state {
		case pombo.Queued, pombo.Uncertain:
			f.Open++
		case pombo.Claimed, pombo.Sending:
			f.InFlight++
		}
	}
	if !really {
		return f, nil
	}
	for _, at := range list {
		if at.state != pombo.Queued && at.state != pombo.Uncertain {
			continue
		}
		// ErrMove: it has just been claimed, or ended.
		if err := r.operator.Cancel(ctx, at.id); err != nil && !errors.Is(err, pombo.ErrMove) {
			return f, err
		}
	}
	if list, err = r.toPhone(ctx, to); err != nil {
		return f, err
	}
	f.InFlight = 0
	now := r.now()
	var erase [][]any
	for _, at := range list {
		if at.state.Open() {
			f.InFlight++
			continue
		}
		erase = append(erase, []any{encodeNote(now, at.state, at.attempt, pombo.ForgottenOnDemand, ""), at.seq, string(at.state), at.attempt})
	}
	if err := r.forgetReplies(ctx, to, erase); err != nil {
		return f, err
	}
	f.Erased, err = r.changed(ctx, sqlErase, erase)
	// What has moved on in between counts as in flight.
	f.InFlight += len(erase) - f.Erased
	if err != nil {
		return f, err
	}
	if err := r.forgetLookUp(ctx, to); err != nil {
		return f, err
	}
	return f, r.dialect.purge(ctx, r.read)
}

// forgetReplies erases what the person has written, and ends the questions for answers to the
// notifications that are erased. It comes before what tells who the person is is erased.
func (r *Retention) forgetReplies(ctx context.Context, to any, erase [][]any) error {
	names := append(r.identities.of(to.(int64)), "")
	return r.do(ctx, func(tx *txn) error {
		for _, name := range names {
			if err := tx.exec(sqlForgetReplies, to, text(name)); err != nil {
				return err
			}
		}
		for _, args := range erase {
			if err := tx.exec(sqlForgetReplyPoll, args[1]); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetLookUp erases what stands under the phone in the tables beside the
// notifications.
func (r *Retention) forgetLookUp(ctx context.Context, to any) error {
	r.identities.saving.Lock()
	defer r.identities.saving.Unlock()
	r.identities.drop(to.(int64))
	r.optOuts.mu.Lock()
	r.optOuts.remembered = nil
	r.optOuts.mu.Unlock()
	w := newWrite()
	w.run = func(tx *txn) error {
		if r.shared() {
			if err := tx.exec(sqlForgetRecipient, to); err != nil {
				return err
			}
		}
		for _, name := range []statement{sqlForgetBSUID, sqlForgetFailure} {
			if err := tx.exec(name, to); err != nil {
				return err
			}
		}
		return tx.exec(sqlForgetIdentity, to)
	}
	// Behind the look-ups that were handed over before.
	return r.submit(ctx, r.bulk, w)
}

// addressed is a notification to a phone.
type addressed struct {
	standing
	id pombo.MessageID
}

func (r *Retention) toPhone(ctx context.Context, to any) (list []addressed, err error) {
	err = r.all(ctx, sqlToPhone, []any{to}, func(rows *sql.Rows) error {
		var a addressed
		var key pombo.Key
		if err := rows.Scan(&a.seq, &a.state, &a.attempt, &key.Source, &key.RowKey, &key.Generation); err != nil {
			return err
		}
		a.id = key.MessageID()
		list = append(list, a)
		return nil
	})
	return list, err
}
