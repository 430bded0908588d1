//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	_ "modernc.org/sqlite"
)

// The codes of the table.
const (
	statusPending = "1"
	statusSent    = "2"
	statusFailed  = "9"
)

// badPhone reports whether a row has a phone that nobody can call: it has to end as failed,
// without a message.
func badPhone(row int) bool { return row%100 == 0 }

// refusedPhone reports whether WhatsApp refuses the first message of a row after Blip has
// taken it: a second message has to follow.
func refusedPhone(row int) bool { return row%100 == 50 }

// source is the company's table, in an SQLite file with a rollback journal: a lock keeps
// readers out too.
type source struct {
	db *sql.DB
}

func makeSource(ctx context.Context, path string, rows int) (*source, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)")
	if err != nil {
		return nil, err
	}
	for _, text := range []string{
		`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER NOT NULL)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ` + strconv.Itoa(rows) + `)
		 INSERT INTO NOTIFICACAO SELECT i, iif(i % 100 = 0, '12', '319' || (80000000 + i % 20000000)), 'Maria', 'Sua consulta foi confirmada.', 1 FROM n`,
		`CREATE INDEX PENDENTES ON NOTIFICACAO (ID) WHERE CD_STATUS = 1`,
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			db.Close()
			return nil, fmt.Errorf("make the table: %w", err)
		}
	}
	return &source{db}, nil
}

func (s *source) close() error { return s.db.Close() }

// pending counts the rows that have no final code yet.
func (s *source) pending(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 1`).Scan(&n)
	return n, err
}

// statuses returns the code of every row, by key.
func (s *source) statuses(ctx context.Context) (map[string]string, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT CAST(ID AS TEXT), CAST(CD_STATUS AS TEXT) FROM NOTIFICACAO`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	codes := map[string]string{}
	for rows.Next() {
		var key, code string
		if err := rows.Scan(&key, &code); err != nil {
			return nil, err
		}
		codes[key] = code
	}
	return codes, rows.Err()
}

// status returns the code of one row.
func (s *source) status(ctx context.Context, key string) (code string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT CAST(CD_STATUS AS TEXT) FROM NOTIFICACAO WHERE ID = ?`, key).Scan(&code)
	return code, err
}

// lock keeps all others out for d.
func (s *source) lock(ctx context.Context, d time.Duration, meanwhile func()) error {
	return hold(ctx, s.db, "BEGIN EXCLUSIVE", d, meanwhile)
}

// hold keeps a lock of SQLite for d and calls meanwhile while it has it.
func hold(ctx context.Context, db *sql.DB, begin string, d time.Duration, meanwhile func()) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, begin); err != nil {
		return fmt.Errorf("%s: %w", begin, err)
	}
	until := time.Now().Add(d)
	meanwhile()
	time.Sleep(time.Until(until))
	_, err = c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return err
}

// committed returns when somebody else has changed an SQLite file, or after most.
func committed(ctx context.Context, db *sql.DB, most time.Duration) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var before, now int64
	const ask = "PRAGMA data_version" // another number after each commit of another connection
	if err := c.QueryRowContext(ctx, ask).Scan(&before); err != nil {
		return err
	}
	for deadline := time.Now().Add(most); time.Now().Before(deadline); {
		if err := c.QueryRowContext(ctx, ask).Scan(&now); err != nil {
			return err
		}
		if now != before {
			return nil
		}
		time.Sleep(100 * time.Microsecond)
	}
	return nil
}

// lastPending returns the key of the last row without a final code, "" if there is none.
func (s *source) lastPending(ctx context.Context) (string, error) {
	var key sql.NullString
	err := s.db.QueryRowContext(ctx, `SELECT CAST(max(ID) AS TEXT) FROM NOTIFICACAO WHERE CD_STATUS = 1`).Scan(&key)
	return key.String, err
}
