//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

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

// open counts what is not done: queued, in flight or uncertain.
func (b *book) open(ctx context.Context) (open, uncertain int, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(CASE WHEN lane = 10 THEN 1 ELSE 0 END), 0) FROM notification
		WHERE owner IS NOT NULL OR lane <= 10`).Scan(&open, &uncertain)
	if err != nil {
		err = fmt.Errorf("count what is open: %w", err)
	}
	return open, uncertain, err
}
