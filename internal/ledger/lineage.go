package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"pombo"
)

// A ledger can lose what it has already confirmed: its file is deleted or replaced by
// a copy, a standby that lagged behind is promoted, a backup is restored. It looks
// sound then, and sends again what it no longer knows to have been sent. So it
// notices by itself:
//
//   - a file, by the mark beside it (mark.go);
//   - PostgreSQL, by the server's timeline and by the number of a writer's own last
//     transaction (postgres_lineage.go).
//
// What follows is the same, in one transaction, before anything else is written
// (wentBack): all that waits or is claimed becomes uncertain, and until the table
// has been read once from end to end so does each row that is taken in, because it
// may be one of those that were lost. The checks of the uncertain do the rest.

// Doubts are the notifications that may or may not have been sent.
type Doubts struct{ *store }

// WentBack returns when it was last noticed that the ledger has lost something,
// and when what it lost was last written; zero = never.
func (u *Doubts) WentBack(ctx context.Context) (noticed, alive time.Time, err error) {
	var at, last sql.NullInt64
	if err := u.get(ctx, sqlWentBack, nil, &at, &last); err != nil {
		return noticed, alive, fmt.Errorf("look whether the ledger went back: %w", err)
	}
	return u.time.toLatestTime(moment(at)), u.time.toLocalTime(moment(last)), nil
}

// EndDoubt ends the doubt about a notification by what its row says: a code that only
// Pombo writes, which the lost part of the ledger then wrote, or a code of the owner's;
// gone says that the row no longer exists. It returns the notification's state, or
// pombo.ErrLost.
func (u *Doubts) EndDoubt(ctx context.Context, n pombo.Notification, code string, gone bool) (pombo.Outcome, error) {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Attempt: n.Attempt, To: pombo.Cancelled, Reason: pombo.Withdrawn}
	var settle, settled, pollAt any = settleWithdrawn, nil, nil
	switch wrote, is := u.policy.stateOf(code); {
	case gone:
		o.Detail = "the row is no longer there"
	case is:
		o.To, o.Reason = wrote, pombo.LedgerWentBack
		o.Detail = "its row carries the code " + strconv.Quote(code)
		settle, settled = nil, code
		if wrote != pombo.Read {
			pollAt = u.policy.firstPoll(wrote, u.now())
		}
	default:
		o.Detail = "its status is " + strconv.Quote(code) + ", not the one of pending rows"
	}
	return o, u.endDoubt(ctx, o, settle, settled, pollAt)
}

// Overtaken ends the doubt about a notification whose row has a later one, inserted by
// Recover: nothing is owed for it any more.
func (u *Doubts) Overtaken(ctx context.Context, n pombo.Notification, trace pombo.Receipt) (pombo.Outcome, error) {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Attempt: n.Attempt, To: pombo.Cancelled, Reason: pombo.LedgerWentBack,
		Detail: "an earlier message of this row; Blip has no trace of it any more"}
	if trace.State != "" {
		o.To, o.Reason, o.Detail = trace.State, pombo.TraceFound, "an earlier message of this row"
	}
	return o, u.endDoubt(ctx, o, settleNone, nil, nil)
}

func (u *Doubts) endDoubt(ctx context.Context, o pombo.Outcome, settle, settled, pollAt any) error {
	ended, err := u.one(ctx, sqlEndDoubt,
		string(o.To), classOf(o.To), settle, settled, pollAt, encodeEvent(u.now(), o.To, o.Attempt, o.Reason, o.Detail), o.Seq, o.Attempt)
	if err == nil && !ended {
		err = pombo.ErrLost
	}
	return wrap(err, "end a doubt")
}

// logWentBack logs the loss, however it was noticed.
func (db *store) logWentBack(rows int64, why string) {
	db.opts.Logger.Error("the ledger has lost something; Blip is asked about what waits, and about each row that is taken in until the table was read once, before it is sent",
		"why", why, "rows", rows)
}

// Uncertain returns uncertain notifications that are due for a check, the
// longest due first. Updated is by the clock of this machine, so that the caller can compute how
// long each has waited.
func (u *Doubts) Uncertain(ctx context.Context, limit int) ([]pombo.Notification, error) {
	list, err := u.list(ctx, sqlUncertain, u.now(), limit)
	if err != nil {
		return nil, fmt.Errorf("list the uncertain: %w", err)
	}
	for i := range list {
		list[i].Updated = u.time.toLatestTime(list[i].Updated)
	}
	return list, nil
}

// TakeUncertain returns what Uncertain does, for the process that checks it: each is due again
// only after d, so that processes that share the ledger do not check the same ones, and another
// one checks those of a process that dies.
func (u *Doubts) TakeUncertain(ctx context.Context, limit int, d time.Duration) ([]pombo.Notification, error) {
	var list []pombo.Notification
	err := u.do(ctx, func(tx *txn) error {
		list = list[:0]
		now := u.now()
		rows, err := tx.query(sqlTakeUncertain, now, limit, now+d.Milliseconds())
		if err != nil {
			return err
		}
		return u.collect(rows, func(rows *sql.Rows) error {
			n, err := scan(rows)
			n.Updated = u.time.toLatestTime(n.Updated)
			list = append(list, n)
			return err
		})
	})
	return list, wrap(err, "take the uncertain")
}

// Postpone sets when an uncertain notification is checked next, and records why it waits; o.To
// is not read. Its state and the time of its change stay. The history records each reason
// once, not each check. pombo.ErrLost when it is no longer uncertain at this attempt.
func (u *Doubts) Postpone(ctx context.Context, o pombo.Outcome) error {
	now := u.now()
	notBefore := any(now)
	if !o.NotBefore.IsZero() {
		notBefore = u.toLedgerTime(o.NotBefore)
	}
	postponed, err := u.one(ctx, sqlPostpone,
		notBefore, encodeChange(pombo.Uncertain, o.Attempt, o.Reason, o.Detail), encodeEvent(now, pombo.Uncertain, o.Attempt, o.Reason, o.Detail), o.Seq, o.Attempt)
	if err == nil && !postponed {
		err = pombo.ErrLost
	}
	return wrap(err, "postpone")
}
