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

// settleAgain is how long a settlement that the source could not take waits.
const settleAgain = 15 * time.Second

// Unsettled returns up to limit results that are due to be written back to the
// source, the oldest first. Asked again before Settled, it returns them again.
//
// settle_at only says that something may be owed; what it is, is decided here,
// from where the notification stands now. So a result that was overtaken before
// it could be written is not written at all.
func (sm *Settlements) Unsettled(ctx context.Context, limit int) ([]pombo.Settlement, error) {
	var due []pombo.Settlement
	var of []owedOf // of due
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
			reply   owedReply
		)
		if err := rows.Scan(&s.Seq, &state, &settled, &key.Source, &key.RowKey, &key.Generation, &history, &settle, &before,
			&reply.pointer, &reply.code, &reply.due, &reply.written, &reply.at, &reply.kind, &reply.body); err != nil {
			return err
		}
		st, err := summarize(history)
		if err != nil {
			return err
		}
		a := reply.answer()
		standsAs := state
		if state == pombo.Cancelled && st.reason == pombo.Withdrawn {
			standsAs = pombo.Expired // it reminds of what was answered, and came too late
		}
		handedOver := settle.String == settleFallback
		if handedOver {
			s.Code = sm.policy.owedElsewhere(settled.String)
		} else {
			s.Code = sm.policy.owedWith(a, standsAs, st.accepted, settled.String)
		}
		if s.Code == "" {
			nothing = append(nothing, []any{s.Seq, string(state), reply.argument()})
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
		s.Reply = reply.pointer.Int64
		if a.due {
			if s.Answer, s.Answered, err = reply.content(); err != nil {
				return err
			}
		}
		due, of = append(due, s), append(of, owedOf{key.Source, state, st.accepted})
		return nil
	})
	for i := 0; err == nil && i < len(due); i++ {
		err = sm.unsure(ctx, &due[i], of[i])
	}
	if err == nil && len(nothing) > 0 {
		_, err = sm.each(ctx, sqlNothingOwed, nothing)
	}
	return due, wrap(err, "look for results to settle")
}

// owedOf is what decides which codes a row may have.
type owedOf struct {
	source   string
	state    pombo.State
	accepted bool // Blip had the message
}

// unsure adds the codes that a row may have instead of the expected one, because the process
// died between a writing and its record.
func (sm *Settlements) unsure(ctx context.Context, s *pombo.Settlement, of owedOf) error {
	var superseded []string
	if !s.Answered.IsZero() {
		err := sm.all(ctx, sqlReplyUnsure, []any{s.RowKey, of.source}, func(rows *sql.Rows) error {
			var code string
			err := rows.Scan(&code)
			superseded = append(superseded, code)
			return err
		})
		if err != nil {
			return err
		}
	}
	if of.accepted || !s.Answered.IsZero() {
		s.Unsure = append(s.Unsure, sm.policy.unsureSince(of.state, s.Expected, s.Code, superseded)...)
	}
	return nil
}

// left begins the sentence in the history about a row that was not changed.
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
	var done, later, never, doneAnswered, neverAnswered [][]any
	var written, unwritten []int64
	for i := range results {
		r := &results[i]
		answered := !r.Answered.IsZero()
		switch r.Result {
		case pombo.SettleDone:
			row := []any{r.Code, sm.policy.contentWith(r.Code), now, r.Seq, nullNumber(r.Reply)}
			if answered {
				doneAnswered, written = append(doneAnswered, row), append(written, r.Reply)
			} else {
				done = append(done, row)
			}
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
			row := []any{r.Result.String(), now, string(quoted), r.Seq, sm.policy.contentWith(r.Code), nullNumber(r.Reply)}
			if answered {
				neverAnswered, unwritten = append(neverAnswered, row), append(unwritten, r.Reply)
			} else {
				never = append(never, row)
			}
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
	return wrap(sm.recordAnswers(ctx, doneAnswered, neverAnswered, written, unwritten, now), "record what was settled")
}
