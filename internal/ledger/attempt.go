package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"pombo"
)

// Begin says that the next thing to happen is the POST: the claimed notification
// becomes Sending, durably before Begin returns, and the number of the attempt
// is returned. After an error the POST must not be made; pombo.ErrLost says that
// n.Owner no longer has it. An identity other than n.Identity was just asked
// from Blip and is kept for seven days.
func (db *DB) Begin(ctx context.Context, n pombo.Notification, identity string) (attempt int, err error) {
	now := db.now()
	attempt = n.Attempt + 1
	if identity != "" && identity != n.Identity {
		if phone, ok := digits(n.Phone).(int64); ok {
			db.identities.keep(phone, identity, now)
		}
	}
	w := newWrite(onePart(sqlBegin, [][]any{{event(now, pombo.Sending, attempt, "", ""), n.Seq, n.Owner, n.Attempt}}))
	if err := db.submit(ctx, db.urgent, w); err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	if !w.parts[0].hit[0] {
		return 0, fmt.Errorf("begin: %w", pombo.ErrLost)
	}
	return attempt, nil
}

// Finish makes an outcome durable. It changes nothing and returns pombo.ErrMove
// when the state machine does not allow the move, and pombo.ErrLost when the
// notification is no longer in the state, hands and attempt of the outcome. The
// same outcome of a POST may be finished twice: an error may hide that it was
// written. It is no error either when a receipt came first and says that Blip
// has the message.
//
// For a claimed one that is cancelled with pombo.Withdrawn nothing is settled;
// its row may be taken in again when it is pending once more. Failed with
// pombo.OptedOutOfMarketing puts the phone on the list of opt-outs.
func (db *DB) Finish(ctx context.Context, o pombo.Outcome) error {
	// To Sending leads Begin, from Claimed to Accepted only a receipt, and to Uncertain
	// only a ledger that has lost something.
	if !o.From.CanBecome(o.To) || o.To == pombo.Sending || o.From == pombo.Claimed && (o.To.Sent() || o.To == pombo.Uncertain) {
		return fmt.Errorf("finish: from %s to %s: %w", o.From, o.To, pombo.ErrMove)
	}
	if o.To == pombo.Failed && o.Reason == pombo.OptedOutOfMarketing {
		if err := db.optOutRecipient(ctx, o.Seq); err != nil {
			return fmt.Errorf("finish: %w", err)
		}
	}
	now := db.now()
	var notBefore, pollAt, owner any
	if o.To == pombo.Queued || o.To == pombo.Uncertain {
		notBefore = now
		if !o.NotBefore.IsZero() {
			notBefore = db.theirs(o.NotBefore)
		}
	}
	if o.From != pombo.Uncertain { // which nobody has in hands
		owner = o.Owner
	}
	counted := 0
	if o.Counted {
		counted = 1
	}
	if o.To.Sent() {
		pollAt = db.firstPoll(now)
	}
	told := event(now, o.To, o.Attempt, o.Reason, o.Detail)
	class := classOf(o.To)
	if o.Parked && o.To == pombo.Queued {
		class = classParked
	}
	hit := make([]bool, 1)
	p := part{sqlFinish, [][]any{{
		string(o.To), notBefore, counted, codeOf(db.o.Codes, o.To), now, pollAt,
		told, o.Seq, string(o.From), owner, o.Attempt, class,
	}}, hit}
	if o.From == pombo.Claimed && o.Reason == pombo.Withdrawn {
		p = part{sqlWithdraw, [][]any{{told, o.Seq, owner, o.Attempt}}, hit}
	}
	w := newWrite(p)
	if err := db.submit(ctx, db.urgent, w); err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	if hit[0] {
		return nil
	}
	return db.whyNot(ctx, o)
}

// whyNot says why an outcome could not be applied; nil when it stands already.
func (db *DB) whyNot(ctx context.Context, o pombo.Outcome) error {
	var state pombo.State
	var attempt int
	err := db.get(ctx, sqlStateOf, []any{o.Seq}, &state, &attempt)
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

// firstPoll is when Blip is asked for receipts of a message just accepted.
func (db *DB) firstPoll(now int64) any {
	if db.o.FirstPoll < 0 {
		return nil
	}
	return now + db.o.FirstPoll.Milliseconds()
}

// Postpone says when an uncertain notification is looked at next, and why it
// waits; o.To is not read. Its state and the time of its change stay. The history
// tells each reason once, not each look. pombo.ErrLost when it is no longer
// uncertain at this attempt.
func (db *DB) Postpone(ctx context.Context, o pombo.Outcome) error {
	now := db.now()
	notBefore := any(now)
	if !o.NotBefore.IsZero() {
		notBefore = db.theirs(o.NotBefore)
	}
	hit := make([]bool, 1)
	w := newWrite(part{sqlPostpone, [][]any{{
		notBefore, told(pombo.Uncertain, o.Attempt, o.Reason, o.Detail), event(now, pombo.Uncertain, o.Attempt, o.Reason, o.Detail), o.Seq, o.Attempt,
	}}, hit})
	if err := db.submit(ctx, db.urgent, w); err != nil {
		return fmt.Errorf("postpone: %w", err)
	}
	if !hit[0] {
		return fmt.Errorf("postpone: %w", pombo.ErrLost)
	}
	return nil
}
