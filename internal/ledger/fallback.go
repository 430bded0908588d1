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
// the row is owed only that code: no later code, and no automatic message.

// categoryWait is how long a row waits while its template's category is unknown.
const categoryWait = time.Minute

// HandOver decides about up to limit rows that may be due, and returns how many were handed over
// because their message failed, and how many because it was not delivered in time. A person who
// opted out is not reached another way either; one who opted out of marketing, if the template
// is of that category. isMarketing says so; while it is not known, the row waits.
func (sm *Settlements) HandOver(ctx context.Context, limit int, isMarketing func(template, language string) (is, known bool)) (failed, late int, err error) {
	now := sm.now()
	list, err := sm.candidates(ctx, now, limit)
	if err == nil && len(list) > 0 {
		err = sm.optOuts.LoadOptOuts(ctx) // another process may have changed the list
	}
	if err != nil {
		return 0, 0, wrap(err, "look for rows to hand over")
	}
	var over, not [][]any
	var states []pombo.State // of over
	for _, c := range list {
		reached, known := sm.policy.fallback.Code != "" && c.may, true
		switch scope := sm.optedOut(&c); {
		case !reached:
		case scope == pombo.OptOutAll:
			reached = false
		case scope == pombo.OptOutMarketing:
			var is bool
			is, known = isMarketing(c.Template, c.Language)
			reached = known && !is
		}
		if !reached {
			again := any(nil)
			if !known {
				again = now + categoryWait.Milliseconds()
			}
			not = append(not, []any{again, c.Seq, string(c.State), c.Attempt})
			continue
		}
		detail := "the message failed"
		if c.State != pombo.Failed {
			detail = "not delivered " + time.UnixMilli(now).Sub(c.Begun).Round(time.Minute).String() + " after it was sent"
		}
		over = append(over, []any{now, encodeNote(now, c.State, c.Attempt, pombo.HandedOver, detail), c.Seq, string(c.State), c.Attempt})
		states = append(states, c.State)
	}
	if len(not) > 0 {
		if _, err := sm.each(ctx, sqlNotHandedOver, not); err != nil {
			return 0, 0, fmt.Errorf("keep rows back: %w", err)
		}
	}
	if len(over) == 0 {
		return 0, 0, nil
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

// candidate is a notification whose row may be due to be handed over. may is false when it has
// none, another generation has it, its owner has changed it, or its person has answered or was
// forgotten.
type candidate struct {
	pombo.Notification
	may bool
}

func (sm *Settlements) candidates(ctx context.Context, now int64, limit int) (list []candidate, err error) {
	err = sm.due(ctx, sqlFallbackDue, []any{now, limit}, func(rows *sql.Rows) error {
		var (
			c                candidate
			settle, identity sql.NullString
			to               sql.NullInt64
			answered         bool
			text, history    sql.RawBytes
		)
		if err := rows.Scan(&c.Seq, &c.State, &c.Attempt, &settle, &to, &identity, &answered, &text, &history); err != nil {
			return err
		}
		if err := unpack(text, &c.Notification); err != nil {
			return err
		}
		st, err := summarize(history)
		if err != nil {
			return err
		}
		c.Phone, c.Identity, c.Begun = number(to), identity.String, st.begun
		ended := c.State == pombo.Accepted || c.State == pombo.Dispatched || c.State == pombo.Failed
		c.may = ended && !settle.Valid && !answered && len(text) > 0
		list = append(list, c)
		return nil
	})
	return list, err
}

// optedOut returns which messages the person no longer gets, by the phone and by all that Blip has
// called it. What it has called it just now may not be in the table yet.
func (sm *Settlements) optedOut(c *candidate) pombo.OptOutScope {
	scope := sm.optOuts.OptedOut(c.Phone, c.Identity)
	to, _ := digits(c.Phone).(int64) // 0 without a phone
	for _, name := range sm.identities.of(to) {
		scope = scope.Wider(sm.optOuts.OptedOut(c.Phone, name))
	}
	return scope
}
