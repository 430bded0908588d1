package ledger

import (
	"cmp"
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

// History is what the ledger has: each notification as it is and was, lists and counts of them.
type History struct{ *store }

// Notification returns one notification with its whole history, the oldest event
// first; pombo.ErrNotFound when there is none. Identity is not filled in.
func (h *History) Notification(ctx context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error) {
	at, err := h.standing(ctx, id)
	if err != nil {
		return pombo.Notification{}, nil, fmt.Errorf("read a notification: %w", err)
	}
	if at == nil {
		return pombo.Notification{}, nil, fmt.Errorf("read a notification: %w", pombo.ErrNotFound)
	}
	var n pombo.Notification
	var events []pombo.Event
	err = h.all(ctx, sqlNotification, []any{at.seq}, func(rows *sql.Rows) (err error) {
		var history []byte
		if n, history, err = scanHistory(rows); err == nil {
			events, err = decodeHistory(history)
		}
		return err
	})
	return n, events, wrap(err, "read a notification")
}

// Limits of a list.
const (
	usualLimit = 50
	mostLimit  = 1000
	// walked is how many notifications a list without an index to go by (of those
	// delivered, say) looks at before it returns what it has found, and a cursor.
	walked = 20_000
	// matchedAtOnce is how many are read at once where each is looked into.
	matchedAtOnce = 2000
	// From this many on, the result of an index takes too long to sort, and the newest
	// notifications are searched instead.
	mostKeys    = 10_000
	mostWaiting = 100_000
)

// pageOf returns the limit of a page and the number before which it begins.
func pageOf(limit int, cursor string) (most int, before int64, err error) {
	if limit < 0 || limit > mostLimit {
		return 0, 0, fmt.Errorf("a limit of %d is not between 1 and %d", limit, mostLimit)
	}
	before = endOfTime
	if cursor != "" {
		if before, err = strconv.ParseInt(cursor, 36, 64); err != nil || before <= 0 {
			return 0, 0, pombo.ErrCursor
		}
	}
	return cmp.Or(limit, usualLimit), before, nil
}

// List returns the notifications that the filter selects, the newest first, and the
// cursor of the next page, "" when there is none. Rows taken in meanwhile do not shift
// the pages.
//
// It answers soon however many there are: it goes by an index, or through one part
// of the ledger at a time. So a page can have fewer than the limit, or none, and
// a cursor all the same. What cannot be read is left out, counted and logged.
func (h *History) List(ctx context.Context, f pombo.Filter) (page pombo.Page, err error) {
	limit, before, err := pageOf(f.Limit, f.Cursor)
	if err != nil {
		return page, err
	}
	s, err := h.selection(ctx, f, before)
	if err != nil {
		return page, err
	}
	// One more than asked for shows whether there is a next page.
	match, atOnce := h.matcher(&f), limit+1
	if match != nil {
		atOnce = matchedAtOnce
		s.walkAtMost(matchedAtOnce)
	}
	if err := h.fill(ctx, s, limit, atOnce, match, &page); err != nil {
		return pombo.Page{}, fmt.Errorf("list notifications: %w", err)
	}
	return page, nil
}

// matcher returns the function that checks the fields of a filter that no index covers;
// nil when the filter has no such field.
func (h *History) matcher(f *pombo.Filter) func(*pombo.Notification) bool {
	if f.Reason == "" && f.Template == "" {
		return nil
	}
	return func(n *pombo.Notification) bool {
		return (f.Reason == "" || n.Reason == f.Reason) && (f.Template == "" || h.resolve(n.Template) == f.Template)
	}
}

// fill fills a page, that many rows at once. Without a match it asks once; with one it goes
// on until it has looked at 20,000.
func (h *History) fill(ctx context.Context, s *selection, limit, atOnce int, match func(*pombo.Notification) bool, page *pombo.Page) error {
	for looked := 0; ; {
		read, last, full := 0, int64(0), false
		err := h.due(ctx, s.by, s.args(atOnce), func(rows *sql.Rows) error {
			if full = len(page.Notifications)+page.Unreadable == limit; full {
				return errEnough
			}
			n, err := scan(rows)
			read, last = read+1, n.Seq
			switch {
			case errors.Is(err, errMessage), errors.Is(err, errHistory):
				page.Unreadable++
				h.opts.Logger.WarnContext(ctx, "a notification cannot be read and is left out of a list", "id", n.MessageID, "error", err)
				return nil
			case err == nil && (match == nil || match(&n)):
				page.Notifications = append(page.Notifications, n)
			}
			return err
		})
		if err != nil {
			return err
		}
		more := read == atOnce
		if !full && s.walks() {
			most := s.more[1].(int)
			var passed, lowest sql.NullInt64
			if err := h.due(ctx, sqlPart, []any{s.before, s.from, most}, func(rows *sql.Rows) error { return rows.Scan(&passed, &lowest) }); err != nil {
				return err
			}
			read, last, more = int(passed.Int64), lowest.Int64, passed.Int64 == int64(most)
		}
		looked += read
		switch {
		case !full && !more:
			return nil
		case full || match == nil || looked >= walked:
			page.Next = strconv.FormatInt(last, 36)
			page.LookedTo, err = h.takenInAt(ctx, last)
			return err
		}
		s.before = last
	}
}

// takenInAt returns when a notification was taken in; zero when it is gone.
func (h *History) takenInAt(ctx context.Context, seq int64) (time.Time, error) {
	var created sql.NullInt64
	err := h.get(ctx, sqlCreatedOf, []any{seq}, &created)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return moment(created), err
}

// selection is a filter on its way to SQL: the statement that finds its notifications where
// the fewest others are, and what that is given.
type selection struct {
	by           statement
	before, from int64 // bounds of seq, the first exclusive
	run          any   // nil = any
	more         []any // its further parameters
}

// args are the parameters of the statement.
func (s *selection) args(limit int) []any {
	args := []any{s.before, s.from, limit}
	if s.by != sqlListNewest {
		args = append(args, s.run)
	}
	return append(args, s.more...)
}

// walks reports whether the list goes through the ledger, where it may find
// nothing for a long time.
func (s *selection) walks() bool { return s.by == sqlListPart || s.by == sqlListPartByText }

// walkAtMost bounds how far the list goes through the ledger at once.
func (s *selection) walkAtMost(n int) {
	if s.walks() {
		s.more[1] = n
	}
}

func (h *History) selection(ctx context.Context, f pombo.Filter, before int64) (*selection, error) {
	s := &selection{by: sqlListNewest, before: before, from: 1}
	if !f.Reason.Valid() {
		return nil, fmt.Errorf("%q is not a reason", f.Reason)
	}
	if f.State != "" && !f.State.Valid() {
		return nil, fmt.Errorf("%q is not a state", f.State)
	}
	var to any
	if f.Phone != "" {
		number, err := phone.FromE164(f.Phone)
		if err != nil {
			return nil, errors.New("the phone of a filter has to be in E.164, for instance +5531988880000")
		}
		to = digits(number)
	}
	if !f.Since.IsZero() {
		var err error
		if s.from, err = h.since(ctx, f.Since.Add(time.Millisecond-1).UnixMilli()); err != nil { // rounded up
			return nil, err
		}
	}
	if !f.Until.IsZero() {
		until, err := h.since(ctx, f.Until.Add(time.Millisecond-1).UnixMilli())
		if err != nil {
			return nil, err
		}
		s.before = min(s.before, until)
	}
	if f.Run != 0 {
		_, first, last, err := h.run(ctx, f.Run)
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
		s.run = f.Run
	}
	state := text(string(f.State))
	switch {
	case f.HandedOver && (f.Text != "" || to != nil):
		return nil, errors.New("what was handed over is not listed by a phone or a text")
	case f.Text != "":
		return s, h.byText(ctx, s, f.Text, state, to)
	case to != nil:
		s.by, s.more = sqlListByPhone, []any{state, to, nil, nil, nil, nil}
	case f.HandedOver:
		s.by, s.more = sqlListHandedOver, []any{state}
	case f.State != "":
		return s, h.byState(ctx, s, f.State)
	case f.Run != 0:
		s.by, s.more = sqlListPart, []any{nil, walked}
	}
	return s, nil
}

// byText finds the rows of a key, or else those whose key or id starts so. state and to are
// nil where any will do.
func (h *History) byText(ctx context.Context, s *selection, start string, state, to any) error {
	known, err := h.count(ctx, sqlCountKey, start, 1)
	if err != nil {
		return err
	}
	if known > 0 {
		s.by, s.more = sqlListByKey, []any{state, to, start}
		return nil
	}
	end := start + "\U0010ffff"
	keys, err := h.count(ctx, sqlCountPrefix, start, end, mostKeys+1)
	if err != nil {
		return err
	}
	var lo, hi any
	from, until, isID := idRange(start)
	if isID {
		lo, hi = from, until
	}
	switch many := keys > mostKeys; {
	case many && to != nil:
		s.by, s.more = sqlListByPhone, []any{state, to, start, end, lo, hi}
	case many:
		s.by, s.more = sqlListPartByText, []any{state, walked, start, end, lo, hi}
	case isID:
		s.by, s.more = sqlListByID, []any{state, to, start, end, lo, hi}
	default:
		s.by, s.more = sqlListByPrefix, []any{state, to, start, end}
	}
	return nil
}

// byState finds those in a state by its queue class, or by their owner. The states that most
// end in have neither.
func (h *History) byState(ctx context.Context, s *selection, state pombo.State) error {
	s.by, s.more = sqlListPart, []any{string(state), walked}
	switch class := classOf(state); {
	case state == pombo.Claimed || state == pombo.Sending:
		s.by, s.more = sqlListInFlight, []any{string(state)}
	case state == pombo.Queued || state == pombo.Uncertain:
		lowest, highest := classGuarded, maxPriority
		if state == pombo.Uncertain {
			lowest, highest = classUncertain, classUncertain
		}
		n, err := h.count(ctx, sqlCountWaiting, lowest, highest, mostWaiting+1)
		if err != nil {
			return err
		}
		if n <= mostWaiting {
			s.by, s.more = sqlListWaiting, []any{lowest, highest}
		}
	case class != nil:
		s.by, s.more = sqlListEnded, []any{class}
	}
	return nil
}

// count counts what an index yields, at most as many as the last argument says.
func (h *History) count(ctx context.Context, name statement, args ...any) (n int, err error) {
	err = h.due(ctx, name, args, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, wrap(err, "list notifications")
}

// idRange returns the range of the ids that start with the text; ok is false when
// none can. It takes an id whole or cut anywhere after eight digits: shorter texts are
// more often keys of rows.
func idRange(text string) (lo, hi int64, ok bool) {
	if id, err := pombo.ParseMessageID(text); err == nil {
		return idNumber(id), idNumber(id), true
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
func (db *store) since(ctx context.Context, at int64) (int64, error) {
	var last sql.NullInt64
	if err := db.get(ctx, sqlNewest, nil, &last); err != nil {
		return 0, fmt.Errorf("look for a time: %w", err)
	}
	lo, hi := int64(1), last.Int64+1
	for lo < hi {
		mid := lo + (hi-lo)/2
		var seq, created int64
		err := db.get(ctx, sqlCreatedFrom, []any{mid}, &seq, &created)
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
func (h *History) Backlog(ctx context.Context) (pombo.Backlog, error) {
	b := pombo.Backlog{States: map[pombo.State]int{}, Later: map[pombo.WaitReason]int{}}
	now := h.now()
	var queued, claimed, sending, uncertain int
	var oldest, created, ready, resends, unchecked, wentBack sql.NullInt64
	err := h.get(ctx, sqlBacklog, []any{now}, &queued, &oldest, &b.Ready, &ready, &claimed, &sending, &uncertain, &b.Parked, &b.Due, &b.Diverged,
		&b.Resends, &resends, &unchecked, &wentBack)
	if err == nil && oldest.Valid {
		err = h.get(ctx, sqlCreatedOf, []any{oldest.Int64}, &created)
	}
	if err == nil && queued > b.Ready {
		err = h.summaries(ctx, sqlSampleLater, []any{now}, func(st summary) { b.Later[st.reason.WaitReason()]++ })
	}
	if err == nil && uncertain > 0 {
		err = h.summaries(ctx, sqlSampleUncertain, nil, func(st summary) { b.UncertainSince = earlier(b.UncertainSince, st.updated) })
	}
	if err == nil && b.Due > 0 {
		err = h.summaries(ctx, sqlSampleOwed, nil, func(st summary) { b.DueSince = earlier(b.DueSince, st.updated) })
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

// summaries reads the histories that a statement selects.
func (db *store) summaries(ctx context.Context, name statement, args []any, each func(summary)) error {
	return db.all(ctx, name, args, func(rows *sql.Rows) error {
		var history sql.RawBytes
		if err := rows.Scan(&history); err != nil {
			return err
		}
		st, err := summarize(history)
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
