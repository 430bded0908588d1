package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pombo"
)

// A row goes to another channel of the company's by a status code (Options.Fallback). That it may
// have to is noted with the outcome or the receipt from which it follows (policy.fallbackAt); the
// decision is made here, on record before anything is written to the row, and once. From then on
// the row is owed that code, and nothing that follows: no other code, and no message by itself.

// categoryWait is how long a row waits whose template's category is not known.
const categoryWait = time.Minute

// HandOver decides about up to limit rows that may be due, and returns how many were handed over
// because their message failed, and how many because it was not delivered in time. Nobody who
// opted out is reached another way: who opted out of marketing, if the template is of that
// category. isMarketing says so; while it is not known, the row waits.
func (sm *Settlements) HandOver(ctx context.Context, limit int, isMarketing func(template, language string) (is, known bool)) (failed, late int, err error) {
	now := sm.now()
	var over, not [][]any
	var states []pombo.State // of over
	loaded := false
	err = sm.due(ctx, sqlFallbackDue, []any{now, limit}, func(rows *sql.Rows) error {
		var (
			n                pombo.Notification
			settle, identity sql.NullString
			to               sql.NullInt64
			text, history    sql.RawBytes
		)
		if err := rows.Scan(&n.Seq, &n.State, &n.Attempt, &settle, &to, &identity, &text, &history); err != nil {
			return err
		}
		n.Phone, n.Identity = number(to), identity.String
		if err := unpack(text, &n); err != nil {
			return err
		}
		st, err := summarize(history)
		if err != nil {
			return err
		}
		if !loaded { // another process may have changed the list
			if err := sm.optOuts.LoadOptOuts(ctx); err != nil {
				return err
			}
			loaded = true
		}
		again := any(nil)
		erased := len(text) == 0
		if !settle.Valid && !erased && sm.policy.fallback.Code != "" && (n.State == pombo.Accepted || n.State == pombo.Dispatched || n.State == pombo.Failed) {
			reached, known := true, true // by another channel
			switch sm.optOuts.OptedOut(n.Phone, n.Identity) {
			case pombo.OptOutAll:
				reached = false
			case pombo.OptOutMarketing:
				var is bool
				is, known = isMarketing(n.Template, n.Language)
				reached = !is
			}
			switch {
			case !known:
				again = now + categoryWait.Milliseconds()
			case reached:
				detail := "the message failed"
				if n.State != pombo.Failed {
					detail = "not delivered " + time.UnixMilli(now).Sub(st.begun).Round(time.Minute).String() + " after it was sent"
				}
				over = append(over, []any{now, encodeNote(now, n.State, n.Attempt, pombo.HandedOver, detail), n.Seq, string(n.State), n.Attempt})
				states = append(states, n.State)
				return nil
			}
		}
		not = append(not, []any{again, n.Seq, string(n.State), n.Attempt})
		return nil
	})
	if err == nil && len(not) > 0 {
		_, err = sm.each(ctx, sqlNotHandedOver, not)
	}
	if err != nil || len(over) == 0 {
		return 0, 0, wrap(err, "look for rows to hand over")
	}
	hit, err := sm.each(ctx, sqlHandOver, over)
	for i, done := range hit {
		switch {
		case done && states[i] == pombo.Failed:
			failed++
		case done:
			late++
		}
	}
	if err != nil {
		err = fmt.Errorf("hand rows over: %w", err)
	}
	return failed, late, err
}
