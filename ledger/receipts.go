package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"pombo"
)

// blocks finds every block of ids and phones, the newest first (see the schema).
const blocks = `WITH RECURSIVE block (b) AS (
		SELECT (SELECT max(seq) FROM notification) >> 12
		UNION ALL SELECT b - 1 FROM block WHERE b > (SELECT min(seq) FROM notification) >> 12
	) `

// inBlocks joins them.
const inBlocks = `block CROSS JOIN notification WHERE (seq >> 12) = b AND `

const applyStatement = `
	UPDATE notification SET state = ?1, owner = NULL, lane = ?10, not_before = NULL,
		settle_at = CASE WHEN settle IS NULL AND ?2 <> '' AND coalesce(settled, '') <> ?2 THEN coalesce(settle_at, ?3) ELSE settle_at END,
		poll_at = CASE WHEN ?4 THEN NULL ELSE coalesce(poll_at, ?5) END, history = history || ?6
	WHERE seq = ?7 AND state = ?8 AND attempt = ?9`

// standing is where a notification stands, as far as a receipt has to know.
type standing struct {
	seq     int64
	state   pombo.State
	attempt int
	erased  bool // its message is gone: there is nothing to send
}

// Apply moves notifications as receipts say, forward only, and returns how many
// receipts moved one. Repeats, disorder and ids that the ledger does not know
// change nothing. A receipt for a message whose POST has not been answered yet,
// or never was, is the trace that ends the doubt. One that says that the person
// wants no more messages puts the phone on the list of opt-outs.
func (db *DB) Apply(ctx context.Context, receipts []pombo.Receipt) (applied int, err error) {
	todo := receipts
	// Whoever moves a notification between our look and our change makes us
	// look again; each time, it has moved on.
	for range len(pombo.States()) {
		n, lost, err := db.apply(ctx, todo)
		applied += n
		if err != nil {
			return applied, fmt.Errorf("apply receipts: %w", err)
		}
		if todo = lost; len(todo) == 0 {
			break
		}
	}
	return applied, nil
}

// apply looks where each notification stands, decides, and changes it if it
// still stands there. It returns the receipts for which it did not.
func (db *DB) apply(ctx context.Context, receipts []pombo.Receipt) (applied int, lost []pombo.Receipt, err error) {
	now := db.now()
	known := map[pombo.ID]*standing{}
	var rows [][]any
	var of []int // the receipt of each row
	for i := range receipts {
		r := &receipts[i]
		at, ok := known[r.ID]
		if !ok {
			if at, err = db.standing(ctx, r.ID); err != nil {
				return 0, nil, err
			}
			known[r.ID] = at
		}
		if at == nil || !r.State.Sent() && r.State != pombo.Failed {
			continue
		}
		if at.state == pombo.Sending && r.State != pombo.Accepted && pombo.Accepted.CanBecome(r.State) {
			// The receipt has overtaken the answer to the POST.
			rows, of = append(rows, db.receiptArgs(at, &pombo.Receipt{State: pombo.Accepted, Reason: pombo.TraceFound}, now)), append(of, -1)
			at.state = pombo.Accepted
		}
		// What is claimed may fail, but not by a receipt: that is about a POST
		// that was given up for lost.
		if at.state == pombo.Claimed || !at.state.CanBecome(r.State) {
			continue
		}
		if r.Reason == pombo.OptedOut {
			if err := db.refusedBy(ctx, at.seq); err != nil {
				return 0, nil, err
			}
		}
		trace := *r
		if at.state.Open() && trace.Reason == pombo.NoReason {
			trace.Reason = pombo.TraceFound
		}
		rows, of = append(rows, db.receiptArgs(at, &trace, now)), append(of, i)
		at.state = r.State
	}
	if len(rows) == 0 {
		return 0, nil, nil
	}
	hit, err := db.each(ctx, applyStatement, rows)
	if err != nil {
		return 0, nil, err
	}
	for i, ok := range hit {
		switch {
		case of[i] < 0:
		case ok:
			applied++
		default:
			lost = append(lost, receipts[of[i]])
		}
	}
	return applied, lost, nil
}

func (db *DB) receiptArgs(at *standing, r *pombo.Receipt, now int64) []any {
	when := now
	if !r.At.IsZero() {
		when = min(now, r.At.UnixMilli())
	}
	detail := r.Detail
	if detail == "" && r.Code != 0 {
		detail = "code " + strconv.Itoa(r.Code)
	}
	var first any
	if at.state.Open() {
		first = db.firstPoll(now)
	}
	over := r.State == pombo.Read || r.State == pombo.Failed
	return []any{
		string(r.State), codeOf(db.o.Codes, r.State), now, over, first,
		event(when, r.State, at.attempt, r.Reason, detail), at.seq, string(at.state), at.attempt, laneOf(r.State),
	}
}

const standingStatement = blocks + `SELECT seq, state, attempt, message = '', source, row_key, generation FROM ` + inBlocks + `id = ?1`

// standing returns where the notification stands; nil when there is none.
func (db *DB) standing(ctx context.Context, id pombo.ID) (*standing, error) {
	if _, err := pombo.ParseID(string(id)); err != nil {
		return nil, nil //nolint:nilerr,nilnil // what is no id is no id of ours
	}
	var found *standing
	err := db.all(ctx, standingStatement, []any{word(id)}, func(rows *sql.Rows) error {
		var s standing
		var key pombo.Key
		if err := rows.Scan(&s.seq, &s.state, &s.attempt, &s.erased, &key.Source, &key.Row, &key.Generation); err != nil {
			return err
		}
		if key.ID() == id { // the column has only the first half of it
			found = &s
			return errEnough
		}
		return nil
	})
	return found, err
}

const pollDueStatement = `SELECT` + columns + `FROM notification WHERE poll_at <= ?1 ORDER BY poll_at, seq LIMIT ?2`

// PollDue returns sent notifications for which Blip is to be asked for receipts,
// the longest due first.
func (db *DB) PollDue(ctx context.Context, limit int) ([]pombo.Notification, error) {
	list, err := db.list(ctx, pollDueStatement, db.now(), limit)
	if err != nil {
		return nil, fmt.Errorf("look for receipts to ask for: %w", err)
	}
	return list, nil
}

const polledStatement = `UPDATE notification SET poll_at = ?1 WHERE seq = ?2 AND poll_at IS NOT NULL`

// Polled says when Blip is asked next about a notification; the zero time ends
// the asking. One whose asking has ended meanwhile stays so.
func (db *DB) Polled(ctx context.Context, seq int64, next time.Time) error {
	w := newWrite(onePart(polledStatement, [][]any{{millis(next), seq}}))
	if err := db.submit(ctx, db.bulk, w); err != nil {
		return fmt.Errorf("record the next poll: %w", err)
	}
	return nil
}
