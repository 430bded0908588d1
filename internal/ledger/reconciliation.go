package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pombo"
)

// Reconciliation is what a comparison with the source and Blip reads, and how a lost ledger is
// rebuilt from them.
type Reconciliation struct{ *store }

// Review returns, in the order of their numbers and after a given number, the
// notifications that were taken in since a time, and older ones that are open or whose
// result is owed to the source. Fewer than limit means that there are no more.
func (rc *Reconciliation) Review(ctx context.Context, since time.Time, after int64, limit int) (list []pombo.Review, err error) {
	add := func(rows *sql.Rows) error {
		r, err := rc.scanReview(rows)
		list = append(list, r)
		return err
	}
	from, err := rc.since(ctx, since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("review: %w", err)
	}
	if after < from {
		err = rc.all(ctx, sqlReviewOpen, []any{after, from, limit}, add)
	}
	if err == nil && len(list) < limit {
		err = rc.all(ctx, sqlReview, []any{after, from, limit - len(list)}, add)
	}
	return list, wrap(err, "review")
}

// Reviewed returns one notification as it is now; pombo.ErrNotFound when there is
// none.
func (rc *Reconciliation) Reviewed(ctx context.Context, seq int64) (r pombo.Review, err error) {
	err = rc.first(ctx, sqlReviewOne, []any{seq}, func(rows *sql.Rows) (err error) {
		r, err = rc.scanReview(rows)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = pombo.ErrNotFound
	}
	return r, wrap(err, "review")
}

func (rc *Reconciliation) scanReview(rows *sql.Rows) (r pombo.Review, err error) {
	var settled, settle sql.NullString
	var created int64
	var history sql.RawBytes
	if err := rows.Scan(&r.Seq, &r.State, &r.Attempt, &r.Key.Generation, &r.Key.Source, &r.Key.RowKey, &created, &settled, &settle, &r.Owed,
		&r.Latest, &history); err != nil {
		return r, err
	}
	st, err := summarize(history)
	if err != nil {
		return r, err
	}
	r.MessageID, r.Settled, r.Created = r.Key.MessageID(), settled.String, time.UnixMilli(created).UTC()
	r.Unsure = rc.policy.unsure(settled)
	r.Begun, r.Updated, r.Accepted = st.begun, st.updated, st.accepted
	for _, p := range []pombo.SettleResult{pombo.SettleDiverged, pombo.SettleGone, pombo.SettleRefused} {
		if settle.String == p.String() {
			r.SettleResult = p
		}
	}
	return r, nil
}

// SaveReconciliation replaces the previous result.
func (rc *Reconciliation) SaveReconciliation(ctx context.Context, r pombo.Reconciliation) error {
	text, err := json.Marshal(r)
	if err == nil {
		_, err = rc.change(ctx, sqlSaveReconciliation, string(text))
	}
	return wrap(err, "save the reconciliation")
}

// LastReconciliation returns the result that was saved last; pombo.ErrNotFound
// when there is none.
func (rc *Reconciliation) LastReconciliation(ctx context.Context) (r pombo.Reconciliation, err error) {
	var text string
	err = rc.get(ctx, sqlLastReconciliation, nil, &text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err = pombo.ErrNotFound
	case err == nil:
		err = json.Unmarshal([]byte(text), &r)
	}
	return r, wrap(err, "read the last reconciliation")
}
