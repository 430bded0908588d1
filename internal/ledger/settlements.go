package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"pombo"
)

// Settlements are the results on their way back to the source.
type Settlements struct {
	*store
	optOuts *OptOutList
}

// settleAgain is how long a settlement waits that the source could not take.
const settleAgain = 15 * time.Second

// Unsettled returns up to limit results that are due to be written back to the
// source, the oldest first. Asked again before Settled, it returns them again.
//
// settle_at only says that something may be owed; what it is, is decided here,
// from where the notification stands now. So a result that was overtaken before
// it could be written is not written at all.
func (sm *Settlements) Unsettled(ctx context.Context, limit int) ([]pombo.Settlement, error) {
	var due []pombo.Settlement
	var nothing [][]any
	err := sm.due(ctx, sqlUnsettled, []any{sm.now(), sm.opts.Source, limit}, func(rows *sql.Rows) error {
		var (
			s       pombo.Settlement
			key     pombo.Key
			state   pombo.State
			settled sql.NullString
			before  sql.NullString // by the generation that this one continues
			settle  sql.NullString
			history sql.RawBytes
		)
		if err := rows.Scan(&s.Seq, &state, &settled, &key.Source, &key.RowKey, &key.Generation, &history, &settle, &before); err != nil {
			return err
		}
		st, err := summarize(history)
		if err != nil {
			return err
		}
		handedOver := settle.String == settleFallback
		if s.Code = sm.policy.owed(state, st.accepted, handedOver, settled.String); s.Code == "" {
			nothing = append(nothing, []any{s.Seq, string(state)})
			return nil
		}
		s.RowKey, s.MessageID, s.Expected, s.Unsure = key.RowKey, key.MessageID(), cmp.Or(settled.String, before.String, sm.policy.pending), sm.policy.unsure(before)
		if st.accepted {
			s.SentAt = st.begun
		}
		switch {
		case !state.Sent():
			s.Reason = st.reason
		case handedOver:
			s.Reason = pombo.HandedOver
		}
		due = append(due, s)
		return nil
	})
	if err == nil && len(nothing) > 0 {
		_, err = sm.each(ctx, sqlNothingOwed, nothing)
	}
	return due, wrap(err, "look for results to settle")
}

// left begins the sentence in the history about a row that was left alone.
var left = map[pombo.SettleResult]string{
	pombo.SettleDiverged: "the row was left alone: its owner has changed its status",
	pombo.SettleGone:     "the row was not written to: it is no longer there",
	pombo.SettleRefused:  "the row could not be written to: the database refuses the change",
}

// Settled records what became of settlements. One that the source could not
// take is due again after a while; one that diverged, is gone or was refused is
// not tried again until an operator retries the notification, and its history says
// why.
func (sm *Settlements) Settled(ctx context.Context, results []pombo.Settled) error {
	now := sm.now()
	var done, later, never [][]any
	for i := range results {
		r := &results[i]
		switch r.Result {
		case pombo.SettleDone:
			done = append(done, []any{r.Code, sm.policy.contentWith(r.Code), now, r.Seq})
		case pombo.SettleLater:
			later = append(later, []any{now + settleAgain.Milliseconds(), r.Seq})
		default:
			sentence := left[r.Result]
			if r.Detail != "" {
				sentence += ": " + r.Detail
			}
			quoted, err := json.Marshal(sentence)
			if err != nil {
				return fmt.Errorf("record what was settled: %w", err)
			}
			never = append(never, []any{r.Result.String(), now, string(quoted), r.Seq})
		}
	}
	for _, b := range []struct {
		statement statement
		rows      [][]any
	}{{sqlSettled, done}, {sqlSettleLater, later}, {sqlSettleNever, never}} {
		if len(b.rows) == 0 {
			continue
		}
		if _, err := sm.each(ctx, b.statement, b.rows); err != nil {
			return fmt.Errorf("record what was settled: %w", err)
		}
	}
	return nil
}
