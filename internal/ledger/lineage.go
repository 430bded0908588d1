package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"pombo"
)

// A ledger can lose what it has told everybody: its file is deleted or replaced by
// a copy, a standby that lagged behind is promoted, a backup is restored. It looks
// sound then, and sends again what it no longer knows to have been sent. So it
// notices by itself:
//
//   - a file, by the mark beside it (mark.go);
//   - PostgreSQL, by the server's timeline and by the number of a writer's own last
//     transaction (postgres_lineage.go).
//
// What follows is the same, in one transaction, before anything else is written
// (wentBack): all that waits or is in hands becomes uncertain, and until the table
// has been read once from end to end so does each row that is taken in, because it
// may be one of those that were lost. The checks of the uncertain do the rest.

// WentBack returns when it was last noticed that the ledger has lost something,
// and when what it lost was last written; zero = never.
func (db *DB) WentBack(ctx context.Context) (noticed, alive time.Time, err error) {
	var at, last sql.NullInt64
	if err := db.get(ctx, sqlWentBack, nil, &at, &last); err != nil {
		return noticed, alive, fmt.Errorf("look whether the ledger went back: %w", err)
	}
	return db.ours(moment(at)), db.ours(moment(last)), nil
}

// TakenIn says that every row that was pending at some time has been taken in: if
// the ledger lost something before that, none of it is left in the table.
func (db *DB) TakenIn(ctx context.Context, since time.Time) error {
	var open bool
	err := db.get(ctx, sqlInDoubt, []any{db.theirs(since)}, &open)
	if err == nil && open {
		err = db.do(ctx, func(tx *txn) error {
			return tx.exec(sqlTakenIn, db.theirs(since))
		})
	}
	if err != nil {
		return fmt.Errorf("record that all was taken in: %w", err)
	}
	return nil
}

// Newest returns the number of what was taken in last; 0 = nothing was.
func (db *DB) Newest(ctx context.Context) (int64, error) {
	var last sql.NullInt64
	if err := db.get(ctx, sqlNewest, nil, &last); err != nil {
		return 0, fmt.Errorf("look for the newest: %w", err)
	}
	return last.Int64, nil
}

// EndDoubt ends the doubt about a notification by what its row says: a code that
// only Pombo writes, which the lost part of the ledger wrote then, or another one
// of the owner's; gone says that there is no row. It returns how it stands, or
// pombo.ErrLost.
func (db *DB) EndDoubt(ctx context.Context, n pombo.Notification, code string, gone bool) (pombo.Outcome, error) {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Attempt: n.Attempt, To: pombo.Cancelled, Reason: pombo.Withdrawn}
	var settle, settled, pollAt any = settleWithdrawn, nil, nil
	switch wrote, is := db.wrote(code); {
	case gone:
		o.Detail = "the row is no longer there"
	case is:
		o.To, o.Reason = wrote, pombo.LedgerWentBack
		o.Detail = "its row carries the code " + strconv.Quote(code)
		settle, settled = nil, code
		if wrote.Sent() && wrote != pombo.Read {
			pollAt = db.firstPoll(db.now())
		}
	default:
		o.Detail = "its status is " + strconv.Quote(code) + ", not the one of pending rows"
	}
	return o, db.endDoubt(ctx, o, settle, settled, pollAt)
}

// Overtaken ends the doubt about a notification whose row has a later one, which
// Recover has put in: nothing is owed for it any more.
func (db *DB) Overtaken(ctx context.Context, n pombo.Notification, trace pombo.Receipt) (pombo.Outcome, error) {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Attempt: n.Attempt, To: pombo.Cancelled, Reason: pombo.LedgerWentBack,
		Detail: "an earlier message of this row; Blip has no trace of it any more"}
	if trace.State != "" {
		o.To, o.Reason, o.Detail = trace.State, pombo.TraceFound, "an earlier message of this row"
	}
	return o, db.endDoubt(ctx, o, settleNone, nil, nil)
}

func (db *DB) endDoubt(ctx context.Context, o pombo.Outcome, settle, settled, pollAt any) error {
	hit := make([]bool, 1)
	w := newWrite(part{sqlEndDoubt, [][]any{{
		string(o.To), classOf(o.To), settle, settled, pollAt, event(db.now(), o.To, o.Attempt, o.Reason, o.Detail), o.Seq, o.Attempt,
	}}, hit})
	if err := db.submit(ctx, db.urgent, w); err != nil {
		return fmt.Errorf("end a doubt: %w", err)
	}
	if !hit[0] {
		return fmt.Errorf("end a doubt: %w", pombo.ErrLost)
	}
	return nil
}

// wrote returns the state that a code in a row tells of, if it is one that Pombo
// writes.
func (db *DB) wrote(code string) (pombo.State, bool) {
	if code == "" || code == db.o.Pending {
		return "", false
	}
	for _, s := range []pombo.State{pombo.Accepted, pombo.Delivered, pombo.Read, pombo.Failed} {
		if db.o.Codes[s] == code {
			return s, true
		}
	}
	return "", false
}

// told of in the log, however it was noticed.
func (db *DB) tellWentBack(rows int64, why string) {
	db.o.Logger.Error("the ledger has lost something; Blip is asked about what waits, and about each row that is taken in until the table was read once, before it is sent",
		"why", why, "rows", rows)
}
