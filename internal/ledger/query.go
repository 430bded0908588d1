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
	"pombo/internal/phone"
)

// Notification returns one notification with its whole history, the oldest event
// first; pombo.ErrNotFound when there is none. Identity is not filled in.
func (db *DB) Notification(ctx context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error) {
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
	// walked is how many notifications a list looks at that has no index to go by
	// (of those delivered, say) before it gives what it has found, and a cursor.
	walked = 20_000
	// From so many on, what an index yields takes too long to sort, and is looked for
	// among the newest instead.
	mostKeys    = 10_000
	mostWaiting = 100_000
)

// List returns the notifications that the filter selects, the newest first, and
// the cursor of those that follow, "" when there are none. What is taken in
// meanwhile does not shift the pages.
//
// It answers soon however many there are: it goes by an index, or through one part
// of the ledger at a time. So a page can have fewer than the limit, or none, and
// a cursor all the same. What cannot be read is left out, counted and logged.
func (db *DB) List(ctx context.Context, f pombo.Filter) (page pombo.Page, err error) {
	limit := f.Limit
	switch {
	case limit == 0:
		limit = usualLimit
	case limit < 0 || limit > mostLimit:
		return page, fmt.Errorf("a limit of %d is not between 1 and %d", limit, mostLimit)
	}
	s, err := db.selection(ctx, f)
	if err != nil {
		return page, err
	}
	// One more than asked for tells whether there is a next page.
	statement, args := s.statement(limit + 1)
	var seqs []int64
	err = db.due(ctx, statement, args, func(rows *sql.Rows) error {
		n, err := scan(rows)
		switch seqs = append(seqs, n.Seq); {
		case len(seqs) > limit:
			return errEnough
		case errors.Is(err, errMessage), errors.Is(err, errHistory):
			page.Unreadable++
			db.o.Logger.WarnContext(ctx, "a notification cannot be read and is left out of a list", "id", n.MessageID, "error", err)
			return nil
		}
		page.Notifications = append(page.Notifications, n)
		return err
	})
	switch {
	case err != nil:
		return pombo.Page{}, fmt.Errorf("list notifications: %w", err)
	case len(seqs) > limit:
		page.Next = strconv.FormatInt(seqs[limit-1], 36)
	case s.walks():
		var looked, last sql.NullInt64
		if err := db.due(ctx, partStatement, []any{s.before, s.from, walked}, func(rows *sql.Rows) error { return rows.Scan(&looked, &last) }); err != nil {
			return pombo.Page{}, fmt.Errorf("list notifications: %w", err)
		}
		if looked.Int64 == walked {
			page.Next = strconv.FormatInt(last.Int64, 36)
		}
	}
	return page, nil
}

// partStatement tells how far a walk has come.
const partStatement = `SELECT count(*), min(seq) FROM (SELECT seq FROM notification WHERE seq < ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3) AS part`

// selection is a filter on its way to SQL.
type selection struct {
	before, from int64 // bounds of seq, the first exclusive

	// by is where the notifications are found, each a FROM with its conditions; none =
	// among all, the newest first. terms are the conditions that remain, and
	// columns what they look at.
	by      []string
	terms   []string
	columns string
	ordered bool // by is one, and an index has it in the order of seq

	args []any
}

// arg adds a parameter and returns its name.
func (s *selection) arg(v any) string {
	s.args = append(s.args, v)
	return "?" + strconv.Itoa(len(s.args))
}

func (s *selection) term(columns, condition string) {
	s.columns += ", " + columns
	s.terms = append(s.terms, condition)
}

// walks reports whether the list goes through the ledger, where it may find
// nothing for a long time.
func (s *selection) walks() bool { return len(s.by) == 0 && len(s.terms) > 0 }

// statement selects the numbers first and reads their rows afterwards: no planner
// can do it the other way round, and no more rows are read than are shown.
func (s *selection) statement(limit int) (string, []any) {
	bounds := "seq < " + s.arg(s.before) + " AND seq >= " + s.arg(s.from)
	all := strings.Join(append([]string{bounds}, s.terms...), " AND ")
	most := " LIMIT " + s.arg(limit)
	var with, seqs string
	switch {
	case s.ordered:
		seqs = "SELECT seq " + s.by[0] + " AND " + all + " ORDER BY not_before DESC, seq DESC" + most
	case len(s.by) > 0:
		head := "SELECT seq" + s.columns + " "
		with = "WITH hit AS MATERIALIZED (" + blocks + head + strings.Join(s.by, " UNION ALL "+head) + ") "
		seqs = "SELECT DISTINCT seq FROM hit WHERE " + all + " ORDER BY seq DESC" + most
	case s.walks():
		seqs = "SELECT seq FROM (SELECT seq" + s.columns + " FROM notification WHERE " + bounds + " ORDER BY seq DESC LIMIT " + s.arg(walked) +
			") AS part WHERE " + strings.Join(s.terms, " AND ") + " ORDER BY seq DESC" + most
	default:
		seqs = "SELECT seq FROM notification WHERE " + bounds + " ORDER BY seq DESC" + most
	}
	return with + "SELECT" + columns + "FROM notification WHERE seq IN (" + seqs + ") ORDER BY seq DESC", s.args
}

// selection decides where the notifications of a filter are found: where the
// fewest others are.
func (db *DB) selection(ctx context.Context, f pombo.Filter) (*selection, error) {
	s := &selection{before: endOfTime, from: 1}
	if f.Cursor != "" {
		seq, err := strconv.ParseInt(f.Cursor, 36, 64)
		if err != nil || seq <= 0 {
			return nil, pombo.ErrCursor
		}
		s.before = seq
	}
	if f.State != "" && !f.State.Valid() {
		return nil, fmt.Errorf("%q is no state", f.State)
	}
	var number phone.Number
	var err error
	if f.Phone != "" {
		if number, err = phone.FromE164(f.Phone); err != nil {
			return nil, errors.New("the phone of a filter has to be in E.164, for instance +5531988880000")
		}
	}
	if !f.Since.IsZero() {
		if s.from, err = db.since(ctx, f.Since.Add(time.Millisecond-1).UnixMilli()); err != nil { // rounded up
			return nil, err
		}
	}
	if f.Text != "" {
		if err := db.byText(ctx, s, f.Text); err != nil {
			return nil, err
		}
	}
	if f.Phone != "" {
		is := "phone = " + s.arg(digits(number))
		if len(s.by) == 0 {
			s.by = []string{"FROM " + inBlocks + is}
		} else {
			s.term("phone", is)
		}
	}
	if f.State != "" {
		if err := db.byState(ctx, s, f.State); err != nil {
			return nil, err
		}
	}
	if f.Run != 0 {
		_, first, last, err := db.run(ctx, f.Run)
		switch {
		case errors.Is(err, pombo.ErrNotFound):
			s.before = 0
		case err != nil:
			return nil, err
		}
		s.from = max(s.from, first)
		if last < endOfTime {
			s.before = min(s.before, last+1)
		}
		s.term("run", "run = "+s.arg(f.Run))
	}
	return s, nil
}

// byText finds the rows of a key, or else those whose key or id starts so.
func (db *DB) byText(ctx context.Context, s *selection, text string) error {
	known, err := db.count(ctx, `FROM notification WHERE row_key = ?1`, 1, text)
	if err != nil {
		return err
	}
	if known > 0 {
		s.by = []string{"FROM notification WHERE row_key = " + s.arg(text)}
		return nil
	}
	end := text + "\U0010ffff"
	keys, err := db.count(ctx, `FROM notification WHERE row_key >= ?1 AND row_key < ?2`, mostKeys+1, text, end)
	if err != nil {
		return err
	}
	key := "row_key >= " + s.arg(text) + " AND row_key < " + s.arg(end)
	lo, hi, isID := words(text)
	switch {
	case isID && keys > mostKeys:
		s.term("row_key, id", "("+key+" OR id BETWEEN "+s.arg(lo)+" AND "+s.arg(hi)+")")
	case keys > mostKeys:
		s.term("row_key", key)
	case isID:
		s.by = []string{"FROM " + inBlocks + "id BETWEEN " + s.arg(lo) + " AND " + s.arg(hi), "FROM notification WHERE " + key}
	default:
		s.by = []string{"FROM notification WHERE " + key}
	}
	return nil
}

// byState finds those in a state by its lane, or what has an owner. Where the list
// has another way to go, and for the states that most end in, the state is one
// more condition.
func (db *DB) byState(ctx context.Context, s *selection, state pombo.State) error {
	if len(s.by) == 0 && len(s.terms) == 0 {
		switch lane := laneOf(state); {
		case state == pombo.Claimed || state == pombo.Sending:
			s.by = []string{"FROM notification WHERE owner IS NOT NULL AND state = " + s.arg(string(state))}
			return nil
		case state == pombo.Queued || state == pombo.Uncertain:
			lanes := [2]int{laneGuarded, maxPriority}
			if state == pombo.Uncertain {
				lanes = [2]int{laneUncertain, laneUncertain}
			}
			n, err := db.count(ctx, `FROM notification WHERE lane BETWEEN ?1 AND ?2`, mostWaiting+1, lanes[0], lanes[1])
			if err != nil {
				return err
			}
			if n <= mostWaiting {
				s.by = []string{"FROM notification WHERE lane BETWEEN " + s.arg(lanes[0]) + " AND " + s.arg(lanes[1])}
				return nil
			}
		case lane != nil:
			s.by, s.ordered = []string{"FROM notification WHERE lane = " + s.arg(lane) + " AND not_before IS NULL"}, true
			return nil
		}
	}
	s.term("state", "state = "+s.arg(string(state)))
	return nil
}

// count counts what an index yields, at most so many.
func (db *DB) count(ctx context.Context, from string, most int, args ...any) (n int, err error) {
	err = db.due(ctx, `SELECT count(*) FROM (SELECT 1 `+from+` LIMIT ?`+strconv.Itoa(len(args)+1)+`) AS part`, append(args, most),
		func(rows *sql.Rows) error { return rows.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("list notifications: %w", err)
	}
	return n, nil
}

// words returns the range of the ids that start with the text; ok is false when
// none can. It takes an id whole or cut anywhere after eight digits: fewer are the keys
// of rows more often than not.
func words(text string) (lo, hi int64, ok bool) {
	if id, err := pombo.ParseMessageID(text); err == nil {
		return word(id), word(id), true
	}
	hex := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), "-", "")
	if len(hex) < 8 || len(hex) > 32 {
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
	b := pombo.Backlog{States: map[pombo.State]int{}, Later: map[pombo.WaitReason]int{}}
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
		[]any{now}, &queued, &oldest, &b.Ready, &ready, &claimed, &sending, &uncertain, &b.Parked, &b.Due, &b.Diverged,
		&b.Resends, &resends, &unchecked, &wentBack)
	if err == nil && oldest.Valid {
		err = db.get(ctx, `SELECT created FROM notification WHERE seq = ?1`, []any{oldest.Int64}, &created)
	}
	if err == nil && queued > b.Ready {
		err = db.stories(ctx, laterStatement, []any{now}, func(st story) { b.Later[st.reason.WaitReason()]++ })
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
