package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"pombo"
)

// Outbox has the events for the company's systems. The database itself writes the event of a
// change of state, by a trigger, whatever statement makes the change (docs/adr says why). The
// writes of the other subjects go through the functions at the end of this file. A ledger
// without Options.Events writes none.
type Outbox struct{ *store }

// DueEvents returns events that are due, the longest due first. From each stream it returns
// only the first that was not acknowledged, and none while that one is given up.
func (x *Outbox) DueEvents(ctx context.Context, limit int) ([]pombo.OutboxEvent, error) {
	list, err := x.events(ctx, x.due, sqlEventsDue, x.now(), limit)
	return list, wrap(err, "read the events that are due")
}

type reading func(ctx context.Context, name statement, args []any, scan func(*sql.Rows) error) error

func (x *Outbox) events(ctx context.Context, read reading, name statement, args ...any) (list []pombo.OutboxEvent, err error) {
	err = read(ctx, name, args, func(rows *sql.Rows) error {
		var (
			e                          pombo.OutboxEvent
			at                         int64
			extra                      string
			tried, due, acked, givenUp sql.NullInt64
		)
		if err := rows.Scan(&e.Number, &e.Type, &e.Stream, &at, &e.Key.Source, &e.Key.RowKey, &e.Key.Generation, &e.Template, &e.State, &e.Reason,
			&e.Attempt, &extra, &e.Tries, &tried, &due, &acked, &givenUp, &e.Answer); err != nil {
			return err
		}
		e.At = time.UnixMilli(at).UTC()
		if e.Key != (pombo.Key{}) {
			e.Template = x.resolve(e.Template)
		}
		if extra != "" {
			e.Extra = json.RawMessage(extra)
		}
		e.Tried, e.Due, e.Acknowledged, e.GivenUp = moment(tried), moment(due), moment(acked), moment(givenUp)
		list = append(list, e)
		return nil
	})
	return list, err
}

// Acknowledge records that the receiver has taken an event, and what it answered.
func (x *Outbox) Acknowledge(ctx context.Context, e pombo.OutboxEvent, answer string) error {
	_, err := x.one(ctx, sqlEventAcked, x.now(), answer, e.Number)
	return wrap(err, "record that an event was taken")
}

// Postpone records that the receiver has not taken an event, and when it is tried again; by
// then the rest of its stream is due too.
func (x *Outbox) Postpone(ctx context.Context, e pombo.OutboxEvent, answer string, again time.Time) error {
	_, err := x.change(ctx, sqlEventLater, x.toLedgerTime(again), x.now(), answer, e.Number, e.Stream)
	return wrap(err, "record that an event was not taken")
}

// GiveUp records that an event is not tried again, nor what follows it in its stream,
// until Replay.
func (x *Outbox) GiveUp(ctx context.Context, e pombo.OutboxEvent, answer string) error {
	_, err := x.change(ctx, sqlEventGivenUp, x.now(), answer, e.Number, e.Stream)
	return wrap(err, "give up an event")
}

// Backlog counts what waits.
func (x *Outbox) Backlog(ctx context.Context) (b pombo.OutboxBacklog, err error) {
	defer func() { err = wrap(err, "count the events that wait") }()
	if err := x.get(ctx, sqlEventsWaiting, []any{pombo.OutboxCountLimit}, &b.Waiting); err != nil {
		return b, err
	}
	if err := x.get(ctx, sqlEventsGivenUp, []any{pombo.OutboxCountLimit}, &b.GivenUp); err != nil {
		return b, err
	}
	var at int64
	switch err := x.get(ctx, sqlEventsOldest, nil, &at, &b.Answer); {
	case errors.Is(err, sql.ErrNoRows):
		return b, nil
	case err != nil:
		return b, err
	}
	b.Oldest = x.time.toLocalTime(time.UnixMilli(at).UTC())
	return b, nil
}

// List returns the events that the filter selects.
func (x *Outbox) List(ctx context.Context, f pombo.EventFilter) (page pombo.EventPage, err error) {
	limit, after, err := pageOf(f.Limit, f.Cursor)
	if err != nil {
		return page, err
	}
	if f.Cursor == "" {
		after = 0
	}
	since := int64(0)
	if !f.Since.IsZero() {
		since = x.time.toLedgerTime(f.Since)
	}
	page.Events, err = x.events(ctx, x.all, sqlEventsList, since, after, string(f.Type), oneIf(f.Open), limit+1)
	if err != nil {
		return page, fmt.Errorf("list events: %w", err)
	}
	if len(page.Events) > limit {
		page.Events = page.Events[:limit]
		page.Next = strconv.FormatInt(page.Events[limit-1].Number, 36)
	}
	return page, nil
}

// replayBatch is how many events are replayed or removed in one transaction.
const replayBatch = 500

// Replay makes due at once the events that were given up or wait for a later try and, unless
// since is zero, those since then that were acknowledged. It returns how many more events are
// sent because of it.
func (x *Outbox) Replay(ctx context.Context, since time.Time) (n int, err error) {
	defer func() { err = wrap(err, "replay events") }()
	for more := replayBatch; more == replayBatch; n += more {
		if more, err = x.change(ctx, sqlEventsRevive, x.now(), replayBatch); err != nil {
			return n, err
		}
	}
	if !since.IsZero() {
		from := x.time.toLedgerTime(since)
		for last, more := int64(0), replayBatch; more == replayBatch; n += more {
			if last, more, err = x.replaySome(ctx, from, last); err != nil {
				return n, err
			}
		}
	}
	_, err = x.change(ctx, sqlEventsHasten, x.now())
	return n, err
}

func (x *Outbox) replaySome(ctx context.Context, from, after int64) (last int64, n int, err error) {
	err = x.do(ctx, func(tx *txn) error {
		last, n = after, 0
		rows, err := tx.query(sqlEventsReplay, from, x.now(), after, replayBatch)
		if err != nil {
			return err
		}
		return x.collect(rows, func(rows *sql.Rows) error {
			var number int64
			err := rows.Scan(&number)
			last, n = max(last, number), n+1
			return err
		})
	})
	return last, n, err
}

// Retire removes acknowledged events older than age, and events that were given up and are
// older than givenUp; 0 = those stay. It returns how many events there were.
func (x *Outbox) Retire(ctx context.Context, age, givenUp time.Duration) (n int, err error) {
	now := x.now()
	before := int64(0)
	if givenUp > 0 {
		before = now - givenUp.Milliseconds()
	}
	for {
		removed, err := x.change(ctx, sqlRemoveEvents, now-age.Milliseconds(), before, replayBatch)
		n += removed
		if err != nil {
			return n, fmt.Errorf("remove old events: %w", err)
		}
		if removed < replayBatch {
			return n, nil
		}
	}
}

// alertRest is how long an alert has to be away before it counts as cleared, so that one that
// comes and goes is reported once.
const alertRest = 2 * time.Minute

// CompareAlerts writes an event for each alert that is active and was not, and for each that
// has not been active for two minutes.
func (x *Outbox) CompareAlerts(ctx context.Context, active []pombo.ActiveAlert) error {
	err := x.do(ctx, func(tx *txn) error {
		now := x.now()
		for _, a := range active {
			raised, err := tx.change(sqlAlertRaise, a.Name, now)
			if err == nil && raised > 0 {
				err = x.writeEvent(tx, pombo.EventAlertRaised, "alert:"+a.Name, now, "", alertExtra{a.Name, a.Message, a.Hint, a.Count})
			} else if err == nil {
				err = tx.exec(sqlAlertSeen, now, a.Name)
			}
			if err != nil {
				return err
			}
		}
		rows, err := tx.query(sqlAlertsGone, now-alertRest.Milliseconds())
		if err != nil {
			return err
		}
		var gone []string
		if err := x.collect(rows, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			gone = append(gone, name)
			return err
		}); err != nil {
			return err
		}
		for _, name := range gone {
			cleared, err := tx.change(sqlAlertClear, name, now-alertRest.Milliseconds())
			if err == nil && cleared > 0 {
				err = x.writeEvent(tx, pombo.EventAlertCleared, "alert:"+name, now, "", alertExtra{Name: name})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "compare alerts")
}

// alertExtra is what an event says of an alert.
type alertExtra struct {
	Name    string `json:"alert"`
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Count   int    `json:"count,omitempty"`
}

// writeEvent writes an event that is not about a notification, in the transaction that it
// reports; extra becomes a JSON object and must contain no personal data.
func (db *store) writeEvent(tx *txn, t pombo.EventType, stream string, at int64, template string, extra any) error {
	if !db.opts.Events {
		return nil
	}
	text, err := json.Marshal(extra)
	if err != nil {
		return err
	}
	return tx.exec(sqlEventWrite, string(t), stream, at, "", "", 0, template, "", 0, string(text))
}

// replyExtra is what an event says of a reply: nothing of what the person wrote.
type replyExtra struct {
	Number int64           `json:"reply"`
	Kind   pombo.ReplyKind `json:"kind"`
	Code   string          `json:"code,omitempty"` // by REPLY_CODES
	Counts bool            `json:"counts"`         // it is the answer that stands
	OptOut bool            `json:"opt_out,omitempty"`
}

// writeReplyEvent writes the event of a reply in the transaction that stores it. An
// unmatched reply has none.
func (db *store) writeReplyEvent(tx *txn, r pombo.Reply, at int64) error {
	if !db.opts.Events || r.Key == (pombo.Key{}) {
		return nil
	}
	var state, message string
	var attempt int
	err := tx.queryRow(sqlEventSubject, r.Key.RowKey, r.Key.Source, r.Key.Generation).Scan(&state, &attempt, &message)
	if err != nil {
		return err
	}
	text, err := json.Marshal(replyExtra{r.Number, r.Kind, r.Code, r.Counts, r.OptOut})
	if err != nil {
		return err
	}
	return tx.exec(sqlEventWrite, string(pombo.EventReply), "row:"+r.Key.Source+":"+r.Key.RowKey, at, r.Key.Source, r.Key.RowKey, r.Key.Generation,
		templateOf([]byte(message)), state, attempt, string(text))
}

// templateChange is the state of a template, and what is new in it.
type templateChange struct {
	template pombo.Template
	hash     string
	first    bool // nothing was known of any template before: that is not a change
	extra    templateExtra
}

type templateExtra struct {
	Language string   `json:"language"`
	Changes  []string `json:"changes"` // added, status, category, content
	Status   string   `json:"status"`
	Category string   `json:"category"`
	// Before the change; absent where it is the same.
	WasStatus   string `json:"previous_status,omitempty"`
	WasCategory string `json:"previous_category,omitempty"`
}

// templateLooks are the templates as the last event about them left them.
type templateLooks map[[2]string][3]string

// templateLooks reads them; nil for a ledger that writes no events.
func (db *store) templateLooks(ctx context.Context) (templateLooks, error) {
	if !db.opts.Events {
		return nil, nil //nolint:nilnil // there is nothing to compare with
	}
	looks := templateLooks{}
	err := db.all(ctx, sqlOutboxTemplates, nil, func(rows *sql.Rows) error {
		var name [2]string
		var look [3]string
		err := rows.Scan(&name[0], &name[1], &look[0], &look[1], &look[2])
		looks[name] = look
		return err
	})
	return looks, err
}

func (l templateLooks) change(t pombo.Template, hash string) (c templateChange, ok bool) {
	if l == nil {
		return c, false
	}
	c = templateChange{template: t, hash: hash, first: len(l) == 0, extra: templateExtra{Language: t.Language, Status: t.Status, Category: t.Category}}
	look, known := l[[2]string{t.Name, t.Language}]
	if !known {
		c.extra.Changes = []string{"added"}
		return c, true
	}
	if look[0] != t.Status {
		c.extra.Changes, c.extra.WasStatus = append(c.extra.Changes, "status"), look[0]
	}
	if look[1] != t.Category {
		c.extra.Changes, c.extra.WasCategory = append(c.extra.Changes, "category"), look[1]
	}
	if look[2] != hash && look[1] == t.Category { // the category is part of what is hashed
		c.extra.Changes = append(c.extra.Changes, "content")
	}
	return c, len(c.extra.Changes) > 0
}

// writeTemplateChange writes the event of a change, unless another process has.
func (db *store) writeTemplateChange(tx *txn, c templateChange, at int64) error {
	t := c.template
	changed, err := tx.change(sqlOutboxTemplate, t.Name, t.Language, t.Status, t.Category, c.hash)
	if err != nil || changed == 0 || c.first {
		return err
	}
	return db.writeEvent(tx, pombo.EventTemplate, "template:"+t.Name, at, t.Name, c.extra)
}
