//go:build unix

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The codes of the table.
const (
	statusPending   = "1"
	statusSent      = "2"
	statusYes       = "5" // the person has answered so
	statusNo        = "6"
	statusElsewhere = "8" // another channel takes the row
	statusFailed    = "9"
)

// What every row says.
const (
	contact = "Maria da Penha"
	message = "Sua consulta é amanhã às dez."
)

// source is the company's table, in an SQLite file with a rollback journal: a lock keeps
// readers out too.
type source struct {
	db   *sql.DB
	rows int // that it has
}

func makeSource(ctx context.Context, path string) (*source, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)")
	if err != nil {
		return nil, err
	}
	for _, text := range []string{
		`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER NOT NULL,
			DS_RESPOSTA TEXT, DT_RESPOSTA TEXT)`,
		// What was ever written.
		`CREATE TABLE MUDANCA (N INTEGER PRIMARY KEY, ID INTEGER NOT NULL, CD_STATUS TEXT NOT NULL, DS_RESPOSTA TEXT NOT NULL)`,
		`CREATE TRIGGER ESCRITA AFTER UPDATE ON NOTIFICACAO BEGIN
			INSERT INTO MUDANCA (ID, CD_STATUS, DS_RESPOSTA) VALUES (NEW.ID, CAST(NEW.CD_STATUS AS TEXT), coalesce(NEW.DS_RESPOSTA, '')); END`,
		`CREATE INDEX PENDENTES ON NOTIFICACAO (ID) WHERE CD_STATUS = 1`,
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			db.Close()
			return nil, fmt.Errorf("make the table: %w", err)
		}
	}
	return &source{db: db}, nil
}

// grow adds pending rows until there are so many.
func (s *source) grow(ctx context.Context, rows int) error {
	if rows <= s.rows {
		return nil
	}
	_, err := s.db.ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO NOTIFICACAO SELECT i, iif(i % 100 = 0, '12', '319' || (80000000 + i % 20000000)), ?, ?, 1, NULL, NULL FROM n`,
		s.rows+1, rows, contact, message)
	if err != nil {
		return fmt.Errorf("add rows to the table: %w", err)
	}
	s.rows = rows
	return nil
}

func (s *source) close() error { return s.db.Close() }

// pending counts the rows that have no final code yet.
func (s *source) pending(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 1`).Scan(&n)
	return n, err
}

// row is how the table stands about a row.
type row struct {
	status, answer, answeredAt string
	writes                     int      // statements that have written to it
	codes, answers             []string // that it has had, each change of them
}

// all returns every row, by key.
func (s *source) all(ctx context.Context) (map[string]*row, error) {
	list := map[string]*row{}
	rows, err := s.db.QueryContext(ctx, `SELECT CAST(ID AS TEXT), CAST(CD_STATUS AS TEXT), coalesce(DS_RESPOSTA, ''), coalesce(DT_RESPOSTA, '') FROM NOTIFICACAO`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		r := row{codes: []string{statusPending}, answers: []string{""}}
		if err := rows.Scan(&key, &r.status, &r.answer, &r.answeredAt); err != nil {
			return nil, err
		}
		list[key] = &r
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	changes, err := s.db.QueryContext(ctx, `SELECT CAST(ID AS TEXT), CD_STATUS, DS_RESPOSTA FROM MUDANCA ORDER BY N`)
	if err != nil {
		return nil, err
	}
	defer changes.Close()
	for changes.Next() {
		var key, code, answer string
		if err := changes.Scan(&key, &code, &answer); err != nil {
			return nil, err
		}
		r := list[key]
		r.writes++
		if r.codes[len(r.codes)-1] != code {
			r.codes = append(r.codes, code)
		}
		if r.answers[len(r.answers)-1] != answer {
			r.answers = append(r.answers, answer)
		}
	}
	return list, changes.Err()
}

// unread counts the rows without the answer that only the conversation has.
func (s *source) unread(ctx context.Context, rows int) (n int, err error) {
	for row := range rows {
		if personaOf(row, rows) != unheard {
			continue
		}
		answer, err := s.answer(ctx, strconv.Itoa(row))
		if err != nil {
			return n, err
		}
		if answer == "" {
			n++
		}
	}
	return n, nil
}

// answer returns what a row says that its person has answered.
func (s *source) answer(ctx context.Context, key string) (text string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT coalesce(DS_RESPOSTA, '') FROM NOTIFICACAO WHERE ID = ?`, key).Scan(&text)
	return text, err
}

// answers counts the rows that have one.
func (s *source) answers(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(DS_RESPOSTA) FROM NOTIFICACAO`).Scan(&n)
	return n, err
}

// status returns the code of one row.
func (s *source) status(ctx context.Context, key string) (code string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT CAST(CD_STATUS AS TEXT) FROM NOTIFICACAO WHERE ID = ?`, key).Scan(&code)
	return code, err
}

// lock keeps all others out for d. A frozen process may keep everybody out already; then nothing
// is done.
func (s *source) lock(ctx context.Context, d time.Duration, meanwhile func()) error {
	err := hold(ctx, s.db, "BEGIN EXCLUSIVE", d, meanwhile)
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_BUSY {
		return nil
	}
	return err
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
