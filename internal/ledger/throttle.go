package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// Throttle slows or stops sending: the pause, the rates that all processes keep together,
// and the streak of failures that leads to a pause.
type Throttle struct {
	*store
	streak atomic.Int64 // people in the streak of failures, as last seen
}

// Pause stops all sending, until p.Until or until Resume, across restarts. A
// pause that Blip asks for never shortens the one there is.
func (t *Throttle) Pause(ctx context.Context, p pombo.Pause) error {
	_, err := t.change(ctx, sqlPause, t.toLedgerTime(p.Until), string(p.Reason), p.Detail, p.By, t.now())
	return wrap(err, "pause")
}

// Resume ends the pause, if there is one, and with it the count of failures in a row.
func (t *Throttle) Resume(ctx context.Context) error {
	err := t.do(ctx, func(tx *txn) error {
		if err := tx.exec(sqlClearFailures); err != nil {
			return err
		}
		return tx.exec(sqlResume)
	})
	return wrap(err, "resume")
}

// Paused returns the pause and whether there is one. A pause whose time is over does not
// count.
func (t *Throttle) Paused(ctx context.Context) (pombo.Pause, bool, error) {
	var p pombo.Pause
	var until sql.NullInt64
	err := t.get(ctx, sqlPaused, []any{t.now()},
		&until, &p.Reason, &p.Detail, &p.By)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return pombo.Pause{}, false, nil
	case err != nil:
		return pombo.Pause{}, false, fmt.Errorf("look for a pause: %w", err)
	}
	p.Until = t.time.toLocalTime(moment(until))
	return p, true, nil
}

// quotaAhead is how far ahead of now calls are handed out. Further would leave the
// calls of a process that ends unused; nearer would take more statements.
const quotaAhead = 200 * time.Millisecond

// Quota hands out calls of a kind ("messages", "commands") at a rate that all
// processes keep together, now and over a restart. It grants at most want, and no
// more than come within a fifth of a second: call i of those, from 0, may be made
// from in + i/perSecond on. With none granted, asking again makes sense after in.
// A call that is not made is lost, so want is what is waiting to be sent.
func (t *Throttle) Quota(ctx context.Context, name string, perSecond float64, want int) (granted int, in time.Duration, err error) {
	if !t.shared() || perSecond <= 0 || want <= 0 {
		return want, 0, nil
	}
	var ms float64
	ahead := float64(quotaAhead.Milliseconds())
	err = t.get(ctx, sqlAcquireQuota, []any{name, 1000 / perSecond, want, ahead, t.clock()}, &granted, &ms)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for a share of the %s: %w", name, err)
	}
	if granted == 0 {
		ms = max(ms-ahead, 1)
	}
	return granted, time.Duration(max(ms, 0) * float64(time.Millisecond)), nil
}

// Recipient returns how long a message to a phone must wait so that two are at
// least gap apart, whichever process sends them; 0 takes the place.
func (t *Throttle) Recipient(ctx context.Context, n phone.Number, gap time.Duration) (wait time.Duration, err error) {
	to := digits(n)
	if !t.shared() || to == nil {
		return 0, nil
	}
	if first, err := t.one(ctx, sqlAcquireRecipient, to, gap.Milliseconds(), t.clock()); first || err != nil {
		return 0, wrap(err, "keep the distance to the last message")
	}
	var left int64
	err = t.get(ctx, sqlRecipientWait, []any{to, t.clock()}, &left)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("keep the distance to the last message: %w", err)
	}
	return time.Duration(max(left, 1)) * time.Millisecond, nil
}

// The streak is the people to whom one message after another failed in the same way.
// It ends with the first message that gets through. A message that was taken in
// before the first failure proves nothing about what goes now: its receipt may come a
// day late.

// CountFailure adds the recipient of a notification to the streak, or begins a new one
// when the failure differs from the one before, and returns how many different people
// it has. A notification without a phone counts nothing.
func (t *Throttle) CountFailure(ctx context.Context, f pombo.Failure) (people int, err error) {
	at, err := t.known(ctx, f.MessageID)
	if err != nil {
		return 0, fmt.Errorf("count a failure: %w", err)
	}
	err = t.do(ctx, func(tx *txn) error {
		refused := oneIf(f.Refused)
		if err := tx.exec(sqlOtherFailures, string(f.Reason), f.Code, refused); err != nil {
			return err
		}
		if err := tx.exec(sqlCountFailure, string(f.Reason), f.Code, refused, at.seq); err != nil {
			return err
		}
		return tx.queryRow(sqlFailures).Scan(&people)
	})
	if err != nil {
		return 0, fmt.Errorf("count a failure: %w", err)
	}
	t.streak.Store(int64(people))
	return people, nil
}

// EndFailures ends the streak because a message got through: was delivered, or, with
// accepted, was taken by Blip, which ends a streak of refusals only. It costs nothing
// while no streak is known here.
func (t *Throttle) EndFailures(ctx context.Context, id pombo.MessageID, accepted bool) error {
	if t.streak.Load() == 0 {
		return nil
	}
	at, err := t.known(ctx, id)
	if err != nil {
		return fmt.Errorf("end a streak of failures: %w", err)
	}
	var left int
	err = t.do(ctx, func(tx *txn) error {
		if err := tx.exec(sqlEndFailures, oneIf(accepted), at.seq); err != nil {
			return err
		}
		return tx.queryRow(sqlFailures).Scan(&left)
	})
	if err != nil {
		return fmt.Errorf("end a streak of failures: %w", err)
	}
	t.streak.Store(int64(left))
	return nil
}

// LoadFailures learns whether there is a streak: another process may have begun or
// ended it. It is called every few seconds.
func (t *Throttle) LoadFailures(ctx context.Context) error {
	var people int64
	if err := t.get(ctx, sqlFailures, nil, &people); err != nil {
		return fmt.Errorf("look for failures in a row: %w", err)
	}
	t.streak.Store(people)
	return nil
}
