//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"pombo"
)

// book reads the ledger from outside, past the proxy.
type book struct {
	db *sql.DB
}

func openBook(ledger, at string) (*book, error) {
	driver := "pgx"
	if ledger == "sqlite" {
		driver, at = "sqlite", "file:"+at+"?_pragma=busy_timeout(20000)"
	}
	db, err := sql.Open(driver, at)
	return &book{db}, err
}

func (b *book) close() error { return b.db.Close() }

// flying is a notification that a process has in flight.
type flying struct {
	id    string
	row   string
	state pombo.State
}

// inFlight returns what the process with this pid has claimed or is sending.
func (b *book) inFlight(ctx context.Context, pid int) (list []flying, err error) {
	rows, err := b.db.QueryContext(ctx, `SELECT source, row_key, generation, state FROM notification
		WHERE owner IS NOT NULL AND owner LIKE '%:`+strconv.Itoa(pid)+`:%'`)
	if err != nil {
		return nil, fmt.Errorf("read what was in flight: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k pombo.Key
		var h flying
		if err := rows.Scan(&k.Source, &k.RowKey, &k.Generation, &h.state); err != nil {
			return nil, err
		}
		h.id, h.row = string(k.MessageID()), k.RowKey
		list = append(list, h)
	}
	return list, rows.Err()
}

// endLeases has the leases of all processes run out but one.
func (b *book) endLeases(ctx context.Context, but int) error {
	_, err := b.db.ExecContext(ctx, `UPDATE owner SET until = 0 WHERE name NOT LIKE '%:`+strconv.Itoa(but)+`:%'`)
	return err
}

// timePasses has everything due that waits for its next try or question.
func (b *book) timePasses(ctx context.Context) error {
	_, err := b.db.ExecContext(ctx, `UPDATE notification SET not_before = $1
		WHERE owner IS NULL AND lane BETWEEN 0 AND 10 AND not_before > $1`, time.Now().UnixMilli())
	return err
}

// unsettled returns the keys of some rows whose result is still to be settled.
func (b *book) unsettled(ctx context.Context) (keys []string, err error) {
	rows, err := b.db.QueryContext(ctx, `SELECT row_key FROM notification WHERE settle_at IS NOT NULL ORDER BY settle_at LIMIT 200`)
	if err != nil {
		return nil, fmt.Errorf("read what is to be settled: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// has reports whether a row has been taken in.
func (b *book) has(ctx context.Context, row string) (found bool, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM notification WHERE row_key = $1)`, row).Scan(&found)
	return found, err
}

// state returns the state of the first generation of a row.
func (b *book) state(ctx context.Context, row string) (s pombo.State, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT state FROM notification WHERE row_key = $1 AND generation = 1`, row).Scan(&s)
	return s, err
}

// open counts what is not done: queued, in flight or uncertain; uncertain has those.
func (b *book) open(ctx context.Context) (open, uncertain int, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(CASE WHEN lane = 10 THEN 1 ELSE 0 END), 0) FROM notification
		WHERE owner IS NOT NULL OR lane <= 10`).Scan(&open, &uncertain)
	if err != nil {
		err = fmt.Errorf("count what is open: %w", err)
	}
	return open, uncertain, err
}

// owed counts what is on its way out: rows that are owed something, rows that may go to another
// channel, and events.
func (b *book) owed(ctx context.Context) (rows, events int, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM notification WHERE settle_at IS NOT NULL)
		+ (SELECT count(*) FROM notification WHERE fallback_at <= $1), (SELECT count(*) FROM outbox WHERE acked IS NULL)`,
		time.Now().UnixMilli()).Scan(&rows, &events)
	if err != nil {
		err = fmt.Errorf("count what is owed: %w", err)
	}
	return rows, events, err
}

// dayPasses has the time run out for a row in which its message has to arrive, and reports whether
// it has.
func (b *book) dayPasses(ctx context.Context, row int) (over bool, err error) {
	key := strconv.Itoa(row)
	r, err := b.db.ExecContext(ctx, `UPDATE notification SET fallback_at = $1 WHERE row_key = $2 AND generation = 1 AND fallback_at IS NOT NULL`, time.Now().UnixMilli(), key)
	if err != nil {
		return false, err
	}
	if n, err := r.RowsAffected(); n > 0 || err != nil {
		return err == nil, err
	}
	err = b.db.QueryRowContext(ctx, `SELECT settle IS NOT NULL FROM notification WHERE row_key = $1 AND generation = 1`, key).Scan(&over)
	return over, err
}

// waitsFor returns a row of those who are late whose time is not over.
func (b *book) waitsFor(ctx context.Context) (row int, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT CAST(row_key AS bigint) FROM notification
		WHERE fallback_at > $1 AND settle IS NULL AND row_key LIKE '%08' ORDER BY fallback_at DESC LIMIT 1`, time.Now().UnixMilli()).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return row, err
}

// handedOver returns the rows that are owed the code of another channel.
func (b *book) handedOver(ctx context.Context) (keys []string, err error) {
	err = b.each(ctx, func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		keys = append(keys, key)
		return err
	}, `SELECT row_key FROM notification WHERE settle = 'fallback' AND settle_at IS NOT NULL`)
	return keys, err
}

// each calls f for each row of a query.
func (b *book) each(ctx context.Context, f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := b.db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// kept is a reply as the ledger has it.
type kept struct {
	number       int64
	row          string // "" = it is not known what it is about
	text         string
	code         string
	counts, owed bool // it stands; the row has not got it
	written      bool
}

// replies calls f for each of the last so many replies, in the order in which they came.
func (b *book) replies(ctx context.Context, last int, f func(kept) error) error {
	return b.each(ctx, func(scan func(...any) error) error {
		var k kept
		var packed string
		var due int
		if err := scan(&k.number, &k.row, &packed, &k.code, &k.counts, &due, &k.written); err != nil {
			return err
		}
		var list []string // Blip's id, the text, what the button sends
		if err := json.Unmarshal([]byte(packed), &list); err != nil || len(list) < 2 {
			return fmt.Errorf("reply %d cannot be read: %w", k.number, err)
		}
		k.text, k.owed = list[1], due == 1
		return f(k)
	}, `SELECT number, row_key, body, code, counts = 1, due, written IS NOT NULL FROM reply
		WHERE number > (SELECT coalesce(max(number), 0) FROM reply) - $1 ORDER BY number`, last)
}

// unsent returns the ids of events that are not marked as taken, at most so many.
func (b *book) unsent(ctx context.Context, limit int) (ids []string, err error) {
	err = b.each(ctx, func(scan func(...any) error) error {
		var e pombo.OutboxEvent
		var at int64
		if err := scan(&e.Number, &e.Type, &e.Stream, &at); err != nil {
			return err
		}
		e.At = time.UnixMilli(at)
		ids = append(ids, e.ID())
		return nil
	}, `SELECT number, type, stream, at FROM outbox WHERE acked IS NULL ORDER BY number LIMIT $1`, limit)
	return ids, err
}

// change is one entry of the history of a notification.
type change struct {
	state      pombo.State
	note       bool // it moves nothing
	answered   bool // another reply stands from here on
	handedOver bool // another channel has the row from here on
}

// histories calls f with the history of each notification.
func (b *book) histories(ctx context.Context, f func(row string, generation int, history []change) error) error {
	return b.each(ctx, func(scan func(...any) error) error {
		var row, text string
		var generation int
		if err := scan(&row, &generation, &text); err != nil {
			return err
		}
		var list []change
		for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
			var entry []any // time, state, attempt, and maybe reason, detail, true
			if err := d.Decode(&entry); err != nil || len(entry) < 3 {
				return fmt.Errorf("the history of row %s cannot be read: %w", row, err)
			}
			state, _ := entry[1].(string)
			c := change{state: pombo.State(state)}
			c.note, _ = entry[len(entry)-1].(bool)
			c.handedOver = len(entry) > 3 && entry[3] == string(pombo.HandedOver)
			if len(entry) > 4 && c.note {
				detail, _ := entry[4].(string)
				c.answered = strings.HasPrefix(detail, "the person has answered (")
			}
			list = append(list, c)
		}
		return f(row, generation, list)
	}, `SELECT row_key, generation, history FROM notification`)
}
