package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/phone"
)

// Notification returns one notification with its whole history, the oldest event
// first; pombo.ErrNotFound when there is none. Identity is not filled in.
func (db *DB) Notification(ctx context.Context, id pombo.ID) (pombo.Notification, []pombo.Event, error) {
	at, err := db.standing(ctx, id)
	if err != nil {
		return pombo.Notification{}, nil, fmt.Errorf("read a notification: %w", err)
	}
	if at == nil {
		return pombo.Notification{}, nil, fmt.Errorf("read a notification: %w", pombo.ErrNotFound)
	}
	var n pombo.Notification
	var events []pombo.Event
	err = db.all(ctx, `SELECT`+columns+`FROM notification WHERE seq = ?1`, []any{at.seq}, func(rows *sql.Rows) (err error) {
		var history []byte
		if n, history, err = scanHistory(rows); err == nil {
			events, err = tell(history)
		}
		return err
	})
	if err != nil {
		return n, nil, fmt.Errorf("read a notification: %w", err)
	}
	return n, events, nil
}

// Limits of a list.
const (
	usualLimit = 50
	mostLimit  = 1000
)

// List returns the notifications that the filter selects, the newest first, and
// the cursor of those that follow; "" when there are none. What is taken in
// meanwhile does not shift the pages.
func (db *DB) List(ctx context.Context, f pombo.Filter) (list []pombo.Notification, next string, err error) {
	limit := f.Limit
	switch {
	case limit == 0:
		limit = usualLimit
	case limit < 0 || limit > mostLimit:
		return nil, "", fmt.Errorf("a limit of %d is not between 1 and %d", limit, mostLimit)
	}
	where, args, err := db.where(ctx, f)
	if err != nil {
		return nil, "", err
	}
	// One more than asked for tells whether there is a next page.
	args = append(args, limit+1)
	ctx, done := db.dialect.patient(ctx)
	defer done()
	rows, err := db.read.QueryContext(ctx, db.dialect.text(`SELECT`+columns+`FROM notification WHERE `+where+
		` ORDER BY seq DESC LIMIT ?`+strconv.Itoa(len(args))), args...)
	if err != nil {
		return nil, "", fmt.Errorf("list notifications: %w", db.dialect.explain(err))
	}
	err = db.collect(rows, func(rows *sql.Rows) error {
		n, err := scan(rows)
		list = append(list, n)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list notifications: %w", err)
	}
	if len(list) > limit {
		list = list[:limit]
		next = strconv.FormatInt(list[limit-1].Seq, 36)
	}
	return list, next, nil
}

// where writes the filter as SQL.
func (db *DB) where(ctx context.Context, f pombo.Filter) (string, []any, error) {
	var terms []string
	var args []any
	add := func(term string, values ...any) {
		// Each "?" of the term is the next of its values.
		for _, v := range values {
			args = append(args, v)
			term = strings.Replace(term, "?·", "?"+strconv.Itoa(len(args)), 1)
		}
		terms = append(terms, term)
	}

	before := int64(endOfTime)
	if f.Cursor != "" {
		seq, err := strconv.ParseInt(f.Cursor, 36, 64)
		if err != nil || seq <= 0 {
			return "", nil, errors.New("the cursor is none of this list; start again without one")
		}
		before = seq
	}
	add("seq < ?·", before)
	if !f.Since.IsZero() {
		from, err := db.since(ctx, f.Since.Add(time.Millisecond-1).UnixMilli()) // rounded up
		if err != nil {
			return "", nil, err
		}
		add("seq >= ?·", from)
	}
	if f.State != "" {
		if !f.State.Valid() {
			return "", nil, fmt.Errorf("%q is no state", f.State)
		}
		add("state = ?·", string(f.State))
		switch lane := laneOf(f.State); {
		case lane == laneQueued:
			add("lane <= ?·", maxPriority)
		case f.State == pombo.Uncertain:
			add("lane = ?·", lane)
		case lane != nil:
			add("lane = ?· AND not_before IS NULL", lane)
		case f.State == pombo.Claimed || f.State == pombo.Sending:
			add("owner IS NOT NULL")
		}
	}
	if f.Run != 0 {
		_, first, last, err := db.run(ctx, f.Run)
		if errors.Is(err, pombo.ErrNotFound) {
			first, last = 1, 0
		} else if err != nil {
			return "", nil, err
		}
		add("run = ?· AND seq BETWEEN ?· AND ?·", f.Run, first, last)
	}
	if f.Phone != "" {
		n, err := phone.FromE164(f.Phone)
		if err != nil {
			return "", nil, errors.New("the phone of a filter has to be in E.164, for instance +5531988880000")
		}
		add("seq IN ("+blocks+"SELECT seq FROM "+inBlocks+"phone = ?·)", digits(n))
	}
	if f.Text != "" {
		term := "row_key >= ?· AND row_key < ?·"
		values := []any{f.Text, f.Text + "\U0010ffff"}
		if lo, hi, ok := words(f.Text); ok {
			term = "(" + term + " OR seq IN (" + blocks + "SELECT seq FROM " + inBlocks + "id BETWEEN ?· AND ?·))"
			values = append(values, lo, hi)
		}
		add(term, values...)
	}
	return strings.Join(terms, " AND "), args, nil
}

// words returns the range of the ids that start with the text; ok is false when
// none can. It takes an id whole or cut anywhere, after at least four digits.
func words(text string) (lo, hi int64, ok bool) {
	if id, err := pombo.ParseID(text); err == nil {
		return word(id), word(id), true
	}
	hex := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), "-", "")
	if len(hex) < 4 || len(hex) > 32 {
		return 0, 0, false
	}
	hex = hex[:min(len(hex), 16)]
	rest := 16 - len(hex)
	from, err := strconv.ParseUint(hex+strings.Repeat("0", rest), 16, 64)
	if err != nil {
		return 0, 0, false
	}
	to := from | (math.MaxUint64 >> (64 - 4*rest))
	if rest == 0 {
		to = from
	}
	// A prefix has one sign, so its range does not wrap.
	return int64(from), int64(to), true
}

// since returns the first number taken in at or after a time. Numbers and times
// grow together, so twenty looks find it among a million without an index.
func (db *DB) since(ctx context.Context, at int64) (int64, error) {
	var last sql.NullInt64
	if err := db.get(ctx, `SELECT max(seq) FROM notification`, nil, &last); err != nil {
		return 0, fmt.Errorf("look for a time: %w", err)
	}
	lo, hi := int64(1), last.Int64+1
	for lo < hi {
		mid := lo + (hi-lo)/2
		var seq, created int64
		err := db.get(ctx, `SELECT seq, created FROM notification WHERE seq >= ?1 ORDER BY seq LIMIT 1`, []any{mid}, &seq, &created)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			hi = mid
		case err != nil:
			return 0, fmt.Errorf("look for a time: %w", err)
		case created >= at:
			hi = mid
		default:
			lo = seq + 1
		}
	}
	return lo, nil
}

// Backlog counts what is open. It reads only the small indexes of the loops, and
// the histories of a few hundred of what stands in them.
func (db *DB) Backlog(ctx context.Context) (pombo.Backlog, error) {
	b := pombo.Backlog{States: map[pombo.State]int{}, Later: map[pombo.Why]int{}}
	now := db.now()
	var queued, claimed, sending, uncertain int
	var oldest, created, ready, resends, unchecked, wentBack sql.NullInt64
	err := db.get(ctx, `SELECT
			(SELECT count(*) FROM notification WHERE lane BETWEEN -3 AND 9),
			(SELECT min(seq) FROM notification WHERE lane BETWEEN -3 AND 9),
			(SELECT count(*) FROM notification WHERE `+inQueue+` AND not_before <= ?1),
			(SELECT min(not_before) FROM notification WHERE `+inQueue+` AND not_before <= ?1),
			(SELECT count(*) FROM notification WHERE owner IS NOT NULL AND state = 'claimed'),
			(SELECT count(*) FROM notification WHERE owner IS NOT NULL AND state = 'sending'),
			(SELECT count(*) FROM notification WHERE lane = 10),
			(SELECT count(*) FROM notification WHERE lane = -1),
			(SELECT count(*) FROM notification WHERE settle_at IS NOT NULL),
			(SELECT count(*) FROM notification WHERE settle = 'diverged'),
			(SELECT count(*) FROM notification WHERE lane = -3), (SELECT since FROM guard WHERE one = 1),
			(SELECT min(not_before) FROM notification WHERE lane = 10 AND not_before <= ?1),
			(SELECT noticed FROM lineage WHERE one = 1)`,
		[]any{now}, &queued, &oldest, &b.Ready, &ready, &claimed, &sending, &uncertain, &b.Held, &b.Due, &b.Diverged,
		&b.Resends, &resends, &unchecked, &wentBack)
	if err == nil && oldest.Valid {
		err = db.get(ctx, `SELECT created FROM notification WHERE seq = ?1`, []any{oldest.Int64}, &created)
	}
	if err == nil && queued > b.Ready {
		err = db.stories(ctx, laterStatement, []any{now}, func(st story) { b.Later[st.reason.Why()]++ })
	}
	if err == nil && uncertain > 0 {
		err = db.stories(ctx, doubtStatement, nil, func(st story) { b.UncertainSince = earlier(b.UncertainSince, st.updated) })
	}
	if err == nil && b.Due > 0 {
		err = db.stories(ctx, owedStatement, nil, func(st story) { b.DueSince = earlier(b.DueSince, st.updated) })
	}
	if err != nil {
		return b, fmt.Errorf("count what is open: %w", err)
	}
	maps.Copy(b.States, map[pombo.State]int{pombo.Queued: queued, pombo.Claimed: claimed, pombo.Sending: sending, pombo.Uncertain: uncertain})
	b.Oldest, b.ReadySince = moment(created), moment(ready)
	b.UncheckedSince, b.WentBack = moment(unchecked), moment(wentBack)
	if b.Resends > 0 {
		b.ResendsSince = moment(resends)
	}
	return b, nil
}

// Samples of what is open: those that were taken in first. The lists come from
// the small indexes alone.
const (
	laterStatement = `SELECT history FROM notification WHERE seq IN (
		SELECT seq FROM notification WHERE lane <= 9 AND not_before > ?1 ORDER BY seq LIMIT 300)`
	doubtStatement = `SELECT history FROM notification WHERE seq IN (
		SELECT seq FROM notification WHERE lane = 10 ORDER BY seq LIMIT 100)`
	owedStatement = `SELECT history FROM notification WHERE seq IN (
		SELECT seq FROM notification WHERE settle_at IS NOT NULL ORDER BY seq LIMIT 100)`
)

// stories reads the histories that a statement selects.
func (db *DB) stories(ctx context.Context, statement string, args []any, each func(story)) error {
	return db.all(ctx, statement, args, func(rows *sql.Rows) error {
		var history sql.RawBytes
		if err := rows.Scan(&history); err != nil {
			return err
		}
		st, err := read(history)
		if err == nil {
			each(st)
		}
		return err
	})
}

// earlier returns the earlier of two times; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
