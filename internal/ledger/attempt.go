package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"pombo"
)

// Begin records that the POST is next: the claimed notification becomes Sending, durably
// before Begin returns, and Begin returns the number of the attempt. After an error the POST
// must not be made; pombo.ErrLost means that n.Owner no longer has the notification. An
// identity other than n.Identity has just been looked up at Blip and is kept for seven days.
func (q *Queue) Begin(ctx context.Context, n pombo.Notification, identity string) (attempt int, err error) {
	now := q.now()
	attempt = n.Attempt + 1
	if identity != "" && identity != n.Identity {
		if phone, ok := digits(n.Phone).(int64); ok {
			q.identities.keep(phone, identity, now)
		}
	}
	begun, err := q.one(ctx, sqlBegin, encodeEvent(now, pombo.Sending, attempt, "", ""), n.Seq, n.Owner, n.Attempt)
	if err == nil && !begun {
		err = pombo.ErrLost
	}
	if err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	return attempt, nil
}

// Finish makes an outcome durable. It changes nothing and returns pombo.ErrMove when the
// state machine does not allow the move, and pombo.ErrLost when state, owner or attempt of
// the notification are no longer those of the outcome. The same outcome of a POST may be
// finished twice, because an error may hide that it was written. Nor is it an error when a
// receipt came first and says that Blip has the message.
//
// A claimed notification that is cancelled with pombo.Withdrawn settles nothing; its row may
// be taken in again when it is pending once more. If it was withdrawn because what it reminds of
// is answered, its row gets the code of what was not sent in time. Failed with pombo.OptedOutOfMarketing puts
// the phone on the list of opt-outs, in the same transaction.
func (q *Queue) Finish(ctx context.Context, o pombo.Outcome) error {
	// Only Begin leads to Sending, only a receipt from Claimed to Accepted, and only a ledger that
	// has lost something from Claimed to Uncertain.
	if !o.From.CanBecome(o.To) || o.To == pombo.Sending || o.From == pombo.Claimed && (o.To.Sent() || o.To == pombo.Uncertain) {
		return fmt.Errorf("finish: from %s to %s: %w", o.From, o.To, pombo.ErrMove)
	}
	now := q.now()
	var notBefore, owner any
	if o.To == pombo.Queued || o.To == pombo.Uncertain {
		notBefore = now
		if !o.NotBefore.IsZero() {
			notBefore = q.toLedgerTime(o.NotBefore)
		}
	}
	if o.From != pombo.Uncertain { // which has no owner
		owner = o.Owner
	}
	since := now
	if o.To == pombo.Uncertain {
		since = q.time.latest()
	}
	moved := encodeEvent(since, o.To, o.Attempt, o.Reason, o.Detail)
	class := classOf(o.To)
	if o.Parked && o.To == pombo.Queued {
		class = classParked
	}
	code := q.policy.codeOf(o.To)
	if o.Answered {
		code = q.policy.codeOf(pombo.Expired)
	}
	hit := make([]bool, 1)
	p := part{sqlFinish, [][]any{{
		string(o.To), notBefore, oneIf(o.Counted), code, now, q.policy.firstPoll(o.To, now),
		moved, o.Seq, string(o.From), owner, o.Attempt, class,
		q.policy.fallbackAt(o.To, o.Reason, false, o.Attempt, now),
	}}, hit}
	if o.From == pombo.Claimed && o.Reason == pombo.Withdrawn && !o.Answered {
		p = part{sqlWithdraw, [][]any{{moved, o.Seq, owner, o.Attempt}}, hit}
	}
	w := newWrite(p)
	optedOut := false
	if optsOut(o.To, o.Reason) {
		w.run = func(tx *txn) (err error) {
			optedOut, err = q.optOuts.optOutRecipient(tx, o.Seq)
			return err
		}
	}
	if err := q.submit(ctx, q.urgent, w); err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	if optedOut {
		q.optOuts.reloadOptOuts(ctx)
	}
	if hit[0] {
		return nil
	}
	return q.whyNot(ctx, o)
}

// whyNot returns why an outcome could not be applied; nil when it has been already.
func (q *Queue) whyNot(ctx context.Context, o pombo.Outcome) error {
	var state pombo.State
	var attempt int
	err := q.get(ctx, sqlStateOf, []any{o.Seq}, &state, &attempt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("finish: %w", pombo.ErrNotFound)
	case err != nil:
		return fmt.Errorf("finish: %w", err)
	case o.From == pombo.Sending && attempt == o.Attempt && (state == o.To || o.To == pombo.Accepted && state.Sent()):
		return nil
	}
	return fmt.Errorf("finish: it is %s now: %w", state, pombo.ErrLost)
}
