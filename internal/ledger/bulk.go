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

// Bulks are operations on many notifications at once. The set of each is written down when
// it starts, with the state and the attempt that every notification has then. A
// notification moves in the transaction that records it in the set, and only from that
// state: however often a process dies and another one goes on, none moves twice.
type Bulks struct{ *store }

// Candidates returns notifications in a state that a filter selects: those after a number, up
// to another one, and not changed after a time. next is where to go on, 0 at the end. A page
// can be empty and have a next one.
func (b *Bulks) Candidates(ctx context.Context, state pombo.State, f pombo.BulkFilter, after, upTo int64, drawn time.Time) (list []pombo.Notification, next int64, err error) {
	by, args := sqlBulkEnded, []any{classOf(state), after, upTo, matchedAtOnce}
	switch state {
	case pombo.Queued:
		by, args = sqlBulkWaiting, []any{classGuarded, after, upTo, matchedAtOnce, maxPriority}
	case pombo.Uncertain:
		by, args = sqlBulkWaiting, []any{classUncertain, after, upTo, matchedAtOnce, classUncertain}
	case pombo.Failed, pombo.Cancelled, pombo.Suppressed:
	default:
		return nil, 0, fmt.Errorf("plan: nothing is done to many that are %s", state)
	}
	read := 0
	err = b.due(ctx, by, args, func(rows *sql.Rows) error {
		n, err := scan(rows)
		read, next = read+1, n.Seq
		switch {
		case errors.Is(err, errMessage), errors.Is(err, errHistory):
			b.opts.Logger.WarnContext(ctx, "a notification cannot be read and is left out of a bulk", "id", n.MessageID, "error", err)
			return nil
		case err != nil:
			return err
		case n.Updated.After(drawn), n.Updated.Before(f.Since),
			f.Reason != "" && n.Reason != f.Reason, f.Template != "" && b.resolve(n.Template) != f.Template:
			return nil
		}
		list = append(list, n)
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("plan: %w", err)
	}
	if read < matchedAtOnce {
		next = 0
	}
	return list, next, nil
}

// Now returns what freezes a plan: the newest notification and the time.
func (b *Bulks) Now(ctx context.Context) (upTo int64, drawn time.Time, err error) {
	var last sql.NullInt64
	err = b.get(ctx, sqlNewest, nil, &last)
	return last.Int64, time.UnixMilli(b.now()).UTC(), wrap(err, "plan")
}

// Later returns the state of the newest message of a row; "" when it has none of a later
// generation.
func (b *Bulks) Later(ctx context.Context, key pombo.Key) (state pombo.State, err error) {
	err = b.get(ctx, sqlBulkLater, []any{key.RowKey, key.Source, key.Generation}, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return state, wrap(err, "look for a later message")
}

// Draw writes a plan down and returns its number. Nothing is done before Open.
func (b *Bulks) Draw(ctx context.Context, plan pombo.BulkPlan, who, note string) (id int64, err error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return 0, fmt.Errorf("start a bulk: %w", err)
	}
	err = b.do(ctx, func(tx *txn) error {
		before := b.now() - time.Hour.Milliseconds()
		if err := tx.exec(sqlBulkDropItems, before); err != nil {
			return err
		}
		if err := tx.exec(sqlBulkDrop, before); err != nil {
			return err
		}
		return tx.queryRow(sqlBulkDraw, string(text), who, note, b.now()).Scan(&id)
	})
	return id, wrap(err, "start a bulk")
}

// Add adds notifications to a bulk that was drawn, some of which may have a result already.
func (b *Bulks) Add(ctx context.Context, id int64, items []pombo.BulkItem) error {
	for len(items) > 0 {
		some := items[:min(len(items), maxGroup)]
		items = items[len(some):]
		list := make([][4]any, len(some))
		for i, it := range some {
			list[i] = [4]any{it.Seq, it.State, it.Attempt, it.Result}
		}
		text, err := json.Marshal(list)
		if err == nil {
			_, err = b.change(ctx, sqlBulkAdd, id, string(text))
		}
		if err != nil {
			return fmt.Errorf("start a bulk: %w", err)
		}
	}
	return nil
}

// Open has a bulk worked off. changed is how many of its plan had changed meanwhile.
func (b *Bulks) Open(ctx context.Context, id int64, changed int) error {
	_, err := b.change(ctx, sqlBulkOpen, id, changed)
	return wrap(err, "start a bulk")
}

// Next returns the bulk to be worked on; pombo.ErrNotFound when there is none.
func (b *Bulks) Next(ctx context.Context) (pombo.Bulk, error) {
	list, err := b.readBulks(ctx, sqlBulkNext)
	if err == nil && len(list) == 0 {
		err = pombo.ErrNotFound
	}
	if err != nil {
		return pombo.Bulk{}, fmt.Errorf("next bulk: %w", err)
	}
	return list[0], nil
}

// Bulk returns one with what became of its messages; pombo.ErrNotFound when there is none.
func (b *Bulks) Bulk(ctx context.Context, id int64) (pombo.Bulk, error) {
	list, err := b.readBulks(ctx, sqlBulkOne, id)
	if err == nil && len(list) == 0 {
		err = pombo.ErrNotFound
	}
	if err == nil {
		err = b.counts(ctx, &list[0])
	}
	if err != nil {
		return pombo.Bulk{}, fmt.Errorf("bulk %d: %w", id, err)
	}
	list[0].Outcome = map[pombo.State]int{}
	err = b.all(ctx, sqlBulkOutcome, []any{id}, func(rows *sql.Rows) error {
		var s pombo.State
		var n int
		err := rows.Scan(&s, &n)
		list[0].Outcome[s] = n
		return err
	})
	return list[0], wrap(err, "outcome of a bulk")
}

// Bulks returns the newest, the newest first.
func (b *Bulks) Bulks(ctx context.Context, limit int) ([]pombo.Bulk, error) {
	list, err := b.readBulks(ctx, sqlBulkList, limit)
	for i := range list {
		if err == nil {
			err = b.counts(ctx, &list[i])
		}
	}
	return list, wrap(err, "list bulks")
}

func (b *Bulks) readBulks(ctx context.Context, by statement, args ...any) (list []pombo.Bulk, err error) {
	err = b.all(ctx, by, args, func(rows *sql.Rows) error {
		var one pombo.Bulk
		var plan []byte
		var created int64
		var finished sql.NullInt64
		if err := rows.Scan(&one.ID, &one.State, &plan, &one.Who, &one.Note, &one.Changed, &created, &finished); err != nil {
			return err
		}
		one.Created, one.Finished = time.UnixMilli(created).UTC(), moment(finished)
		list = append(list, one)
		return json.Unmarshal(plan, &list[len(list)-1].Plan)
	})
	return list, err
}

func (b *Bulks) counts(ctx context.Context, one *pombo.Bulk) error {
	return b.all(ctx, sqlBulkCounts, []any{one.ID}, func(rows *sql.Rows) error {
		var r pombo.BulkResult
		var n int
		err := rows.Scan(&r, &n)
		switch r {
		case "":
			one.Left = n
		case pombo.BulkItemDone:
			one.Done = n
		default:
			one.Skipped += n
		}
		return err
	})
}

// Left returns the notifications of a bulk that are next, in the order of taking in.
func (b *Bulks) Left(ctx context.Context, id int64, limit int) ([]pombo.BulkItem, error) {
	return b.items(ctx, sqlBulkLeft, id, limit)
}

// Items returns the notifications of a bulk after a number.
func (b *Bulks) Items(ctx context.Context, id, after int64, limit int) ([]pombo.BulkItem, error) {
	return b.items(ctx, sqlBulkItems, id, after, limit)
}

func (b *Bulks) items(ctx context.Context, by statement, args ...any) (list []pombo.BulkItem, err error) {
	err = b.all(ctx, by, args, func(rows *sql.Rows) error {
		var it pombo.BulkItem
		err := rows.Scan(&it.Seq, &it.State, &it.Attempt, &it.Result, &it.Sent)
		list = append(list, it)
		return err
	})
	return list, wrap(err, "items of a bulk")
}

// Taken returns the notification with a number; pombo.ErrNotFound when it is gone.
func (b *Bulks) Taken(ctx context.Context, seq int64) (n pombo.Notification, err error) {
	list, err := b.list(ctx, sqlNotification, seq)
	if err == nil && len(list) == 0 {
		err = pombo.ErrNotFound
	}
	if err != nil {
		return n, fmt.Errorf("notification %d: %w", seq, err)
	}
	return list[0], nil
}

// Skip records why a bulk leaves a notification alone.
func (b *Bulks) Skip(ctx context.Context, id, seq int64, why pombo.BulkResult) error {
	_, err := b.change(ctx, sqlBulkItemEnd, id, seq, string(why), 0)
	return wrap(err, "skip")
}

// Apply carries out the bulk on one notification, and records that in the bulk, in one
// transaction. It returns pombo.ErrMove, and has done nothing, when the notification no longer
// is as it was when the bulk started, when it may not be done, or when the bulk was stopped or
// has it already.
func (b *Bulks) Apply(ctx context.Context, id int64, act pombo.BulkAct, it pombo.BulkItem, message pombo.MessageID) error {
	at, err := b.known(ctx, message)
	if err != nil {
		return wrap(err, string(act))
	}
	if at.seq != it.Seq || at.state != it.State || at.attempt != it.Attempt {
		return fmt.Errorf("%s: it is %s: %w", act, at.state, pombo.ErrMove)
	}
	accepted := false
	if act == pombo.BulkRetry && at.state == pombo.Failed {
		if accepted, err = b.wasAccepted(ctx, at.seq); err != nil {
			return wrap(err, string(act))
		}
	}
	err = b.do(ctx, func(tx *txn) error {
		sent, err := b.apply(tx, act, at, accepted)
		if err != nil {
			return err
		}
		n, err := tx.change(sqlBulkItemEnd, id, it.Seq, string(pombo.BulkItemDone), sent)
		if err == nil && n == 0 {
			err = pombo.ErrMove // and the move is rolled back
		}
		return err
	})
	return wrap(err, string(act))
}

// apply moves the notification and returns the one that is sent again.
func (b *Bulks) apply(tx *txn, act pombo.BulkAct, at *standing, accepted bool) (sent int64, err error) {
	now := b.now()
	var by statement
	var args []any
	switch {
	case accepted:
		queued, err := b.resend(tx, at, resendByHand(now), now)
		if err == nil && !queued {
			err = pombo.ErrMove
		}
		if err != nil {
			return 0, err
		}
		err = tx.queryRow(sqlBulkGeneration, at.key.RowKey, at.key.Source, at.key.Generation+1).Scan(&sent)
		return sent, err
	case act == pombo.BulkRetry:
		by, args = retry(at, now)
		sent = at.seq
	default:
		by, args = b.cancel(at, now)
	}
	if by == "" {
		return 0, pombo.ErrMove
	}
	hit := make([]bool, 1)
	if err := tx.dialect.each(tx, by, [][]any{args}, hit); err != nil {
		return 0, err
	}
	if !hit[0] {
		return 0, pombo.ErrMove
	}
	return sent, nil
}

// Stop ends a bulk before its end and reports whether it was open. What it has done stays done.
func (b *Bulks) Stop(ctx context.Context, id int64) (stopped bool, err error) {
	n, err := b.change(ctx, sqlBulkStop, id, b.now())
	return n > 0, wrap(err, "stop a bulk")
}

// Finish ends a bulk that has nothing left to do.
func (b *Bulks) Finish(ctx context.Context, id int64) error {
	_, err := b.change(ctx, sqlBulkFinish, id, b.now())
	return wrap(err, "finish a bulk")
}
