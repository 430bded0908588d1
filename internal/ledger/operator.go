package ledger

import (
	"context"
	"fmt"

	"pombo"
)

// Operator is what a person decides about notifications.
type Operator struct{ *store }

// Retry has a notification sent again because an operator says so: one that ended
// without reaching anybody, or an uncertain one, restarts its tries; one that waits in
// the queue may go at once. Its result will be written to the source again. One that
// Blip had accepted before it failed is sent again as a new generation, whose id is in
// its history. Anything else returns pombo.ErrMove, as does a message that was erased
// and that Correct has not restored; an unknown id returns pombo.ErrNotFound.
func (o *Operator) Retry(ctx context.Context, id pombo.MessageID) error {
	if is, err := o.resendByHand(ctx, id); is || err != nil {
		return err
	}
	return o.move(ctx, "retry", id, retry)
}

// retry queues again what Blip has not accepted.
func retry(at *standing, now int64) (statement, []any) {
	moved := encodeEvent(now, pombo.Queued, at.attempt, pombo.RetriedByOperator, "")
	args := []any{now, moved, at.seq, string(at.state), at.attempt}
	switch {
	case at.state == pombo.Queued:
		return sqlHasten, args
	case !at.erased && at.state != pombo.Claimed && at.state != pombo.Sending && at.state.CanBecome(pombo.Queued):
		return sqlRetry, args
	}
	return "", nil
}

// Correct replaces what is sent and to whom by what the row says now: Recipient, Phone, Params
// and Template. An operator who has corrected the row wants that sent. It returns
// pombo.ErrMove for what a worker has claimed or Blip has, and pombo.ErrNotFound for an
// unknown id.
func (o *Operator) Correct(ctx context.Context, id pombo.MessageID, row pombo.Row) error {
	text, err := message(&row)
	if err != nil {
		return fmt.Errorf("correct: %w", err)
	}
	return o.move(ctx, "correct", id, func(at *standing, _ int64) (statement, []any) {
		inFlight := at.state == pombo.Claimed || at.state == pombo.Sending
		if inFlight || at.state != pombo.Queued && !at.state.CanBecome(pombo.Queued) {
			return "", nil
		}
		return sqlCorrect, []any{text, digits(row.Phone), at.seq, string(at.state), at.attempt}
	})
}

// Cancel ends a notification that waits in the queue or is uncertain. For any other it
// returns pombo.ErrMove, or pombo.ErrNotFound.
func (o *Operator) Cancel(ctx context.Context, id pombo.MessageID) error {
	return o.move(ctx, "cancel", id, o.cancel)
}

// cancel ends what has not left.
func (db *store) cancel(at *standing, now int64) (statement, []any) {
	if at.state != pombo.Queued && at.state != pombo.Uncertain {
		return "", nil
	}
	return sqlCancel, []any{
		db.policy.codeOf(pombo.Cancelled), now, encodeEvent(now, pombo.Cancelled, at.attempt, pombo.CancelledByHand, ""),
		at.seq, string(at.state), at.attempt,
	}
}

// move reads a notification's state, lets decide say what to change ("" = not allowed),
// and changes it if the state is still the same; else it reads again.
func (o *Operator) move(ctx context.Context, verb string, id pombo.MessageID, decide func(*standing, int64) (statement, []any)) error {
	for {
		at, err := o.known(ctx, id)
		if err != nil {
			return wrap(err, verb)
		}
		name, args := decide(at, o.now())
		if name == "" {
			return fmt.Errorf("%s: it is %s: %w", verb, at.state, pombo.ErrMove)
		}
		if moved, err := o.one(ctx, name, args...); moved || err != nil {
			return wrap(err, verb)
		}
	}
}
