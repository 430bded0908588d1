package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pombo"
)

// Empty reports whether nothing was ever taken in. A new ledger is; so is one
// that stands in the place of a lost one.
func (rc *Reconciliation) Empty(ctx context.Context) (bool, error) {
	var some bool
	err := rc.get(ctx, sqlUsed, nil, &some)
	return !some, wrap(err, "look into the ledger")
}

// Knows reports whether there is a notification of a row.
func (rc *Reconciliation) Knows(ctx context.Context, source, row string) (bool, error) {
	known, err := rc.exists(ctx, sqlKnows, row, source)
	return known, wrap(err, "look for a row")
}

// Recover restores what a lost ledger knew of a row, from what Blip reports of the message of
// each of its generations. The last one was sent and stands where the
// receipts say; its result is due to be written to the source. Earlier ones are over whatever
// became of them: nothing is owed for them. Known generations stay as they are.
//
// With Options.Events each generation that is inserted has one event, with its state: the lost
// ledger reported what came before, or its outbox was lost with it, and this event corrects any
// receiver that missed something. An earlier generation without a trace at Blip is reported as
// cancelled, before the last one.
func (rc *Reconciliation) Recover(ctx context.Context, source string, row pombo.Row, generations [][]pombo.Receipt) error {
	now := rc.now()
	text, err := message(&row)
	if err != nil {
		return fmt.Errorf("recover a row: %w", err)
	}
	var list [][]any
	for i, receipts := range generations {
		last := i == len(generations)-1
		if last && len(receipts) == 0 {
			return errors.New("recover a row: Blip reports nothing of it")
		}
		state, history := historyOf(receipts, now)
		attempt := min(len(receipts), 1)
		var settleAt, settle, pollAt any
		if last {
			settleAt = now
		} else {
			settle = settleNone
		}
		if state != pombo.Read {
			pollAt = rc.policy.firstPoll(state, now)
		}
		id := pombo.Key{Source: source, RowKey: row.RowKey, Generation: i + 1}.MessageID()
		list = append(list, []any{
			string(state), attempt, min(max(row.Priority, 0), maxPriority), classOf(state), settleAt, settle, pollAt, now, i + 1,
			idNumber(id), digits(row.Phone), source, row.RowKey, text, history,
		})
	}
	err = rc.do(ctx, func(tx *txn) error {
		for _, args := range list {
			if err := tx.exec(sqlRecover, args...); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "recover a row")
}

// historyOf makes a history from receipts, and returns the state it ends in. A message that
// Blip does not know is cancelled: whether it was sent is unknown, and it must not be sent.
func historyOf(receipts []pombo.Receipt, now int64) (pombo.State, string) {
	var b strings.Builder
	if len(receipts) == 0 {
		b.WriteString(encodeEvent(now, pombo.Queued, 0, pombo.Recovered, ""))
		b.WriteString(encodeEvent(now, pombo.Cancelled, 0, pombo.Recovered, "an earlier message of this row; Blip has no trace of it any more"))
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
	b.WriteString(encodeEvent(begun, pombo.Queued, 0, pombo.Recovered, ""))
	b.WriteString(encodeEvent(begun, pombo.Sending, 1, pombo.NoReason, ""))
	state := pombo.Accepted
	b.WriteString(encodeEvent(begun, state, 1, pombo.TraceFound, ""))
	for _, r := range sorted {
		if state.CanBecome(r.State) {
			state = r.State
			b.WriteString(encodeEvent(at(r), state, 1, r.Reason, r.Detail))
		}
	}
	return state, b.String()
}
