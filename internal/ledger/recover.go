package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pombo"
)

// Empty reports whether nothing was ever taken in. A new ledger is; so is one
// that stands in the place of a lost one.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	var some bool
	err := db.get(ctx, sqlUsed, nil, &some)
	if err != nil {
		return false, fmt.Errorf("look into the ledger: %w", err)
	}
	return !some, nil
}

// Owners returns how many processes have a lease that is not over: that work on
// the ledger, or did so moments ago.
func (db *DB) Owners(ctx context.Context) (n int, err error) {
	err = db.get(ctx, sqlOwners, []any{db.clock()}, &n)
	if err != nil {
		return 0, fmt.Errorf("look for other processes: %w", err)
	}
	return n, nil
}

// Knows reports whether there is a notification of a row.
func (db *DB) Knows(ctx context.Context, source, row string) (bool, error) {
	var one int
	err := db.get(ctx, sqlKnows, []any{row, source}, &one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for a row: %w", err)
	}
	return true, nil
}

// Recover puts back what a lost ledger knew of a row, from what Blip told of the
// message of each of its generations. The last one was sent and stands where the
// receipts say; its result is due to be written to the source. Earlier ones are
// over whatever became of them: nothing is owed for them. Generations that are
// known stay as they are.
func (db *DB) Recover(ctx context.Context, source string, row pombo.Row, generations [][]pombo.Receipt) error {
	now := db.now()
	text, err := message(&row)
	if err != nil {
		return fmt.Errorf("recover a row: %w", err)
	}
	var list [][]any
	for i, receipts := range generations {
		last := i == len(generations)-1
		if last && len(receipts) == 0 {
			return errors.New("recover a row: Blip has told nothing of it")
		}
		state, history := retold(receipts, now)
		attempt := min(len(receipts), 1)
		var settleAt, settle, pollAt any
		if last {
			settleAt = now
		} else {
			settle = settleNone
		}
		if state.Sent() && state != pombo.Read {
			pollAt = db.firstPoll(now)
		}
		id := pombo.Key{Source: source, RowKey: row.RowKey, Generation: i + 1}.MessageID()
		list = append(list, []any{
			string(state), attempt, min(max(row.Priority, 0), maxPriority), classOf(state), settleAt, settle, pollAt, now, i + 1,
			word(id), digits(row.Phone), source, row.RowKey, text, history,
		})
	}
	err = db.do(ctx, func(tx *txn) error {
		for _, args := range list {
			if err := tx.exec(sqlRecover, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recover a row: %w", err)
	}
	return nil
}

// retold makes a history of receipts, and says where it ends. A message of which
// Blip has told nothing is cancelled: whether it was sent is no longer known, and
// it is not to be sent.
func retold(receipts []pombo.Receipt, now int64) (pombo.State, string) {
	var b strings.Builder
	if len(receipts) == 0 {
		b.WriteString(event(now, pombo.Queued, 0, pombo.Recovered, ""))
		b.WriteString(event(now, pombo.Cancelled, 0, pombo.Recovered, "an earlier message of this row; Blip has no trace of it any more"))
		return pombo.Cancelled, b.String()
	}
	at := func(r pombo.Receipt) int64 {
		if r.At.IsZero() {
			return now
		}
		return min(now, r.At.UnixMilli())
	}
	order := []pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered, pombo.Read, pombo.Failed}
	sorted := slices.SortedStableFunc(slices.Values(receipts), func(a, b pombo.Receipt) int {
		return cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State))
	})
	begun := now
	for _, r := range sorted {
		begun = min(begun, at(r))
	}
	b.WriteString(event(begun, pombo.Queued, 0, pombo.Recovered, ""))
	b.WriteString(event(begun, pombo.Sending, 1, pombo.NoReason, ""))
	state := pombo.Accepted
	b.WriteString(event(begun, state, 1, pombo.TraceFound, ""))
	for _, r := range sorted {
		if state.CanBecome(r.State) {
			state = r.State
			b.WriteString(event(at(r), state, 1, r.Reason, r.Detail))
		}
	}
	return state, b.String()
}
