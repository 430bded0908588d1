package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the sample table is made here, not by package source, which may not
)

// The status codes in the demo's settings: one for each outcome, so that the table shows them all.
const (
	codePending = iota + 1
	codeSent
	codeFailed
	codeDelivered
	codeConfirmed
	codeCancelled
	codeRead
)

// table is the sample table as its company sees it.
type table struct {
	db   *sql.DB
	rows int // of the sample; those of the past have higher keys
}

// createTable makes the file with the rows. The caller closes it.
func createTable(ctx context.Context, path string, rows []sample, waves []wave) (*table, error) {
	address := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(),
		RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"}
	db, err := sql.Open("sqlite", address.String())
	if err != nil {
		return nil, fmt.Errorf("make the sample table: %w", err)
	}
	if err := fillTable(ctx, db, rows, waves); err != nil {
		return nil, errors.Join(fmt.Errorf("make the sample table: %w", err), db.Close())
	}
	return &table{db, len(rows)}, nil
}

func fillTable(ctx context.Context, db *sql.DB, rows []sample, waves []wave) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	_, err = tx.ExecContext(ctx, `CREATE TABLE NOTIFICACAO (
		ID          INTEGER PRIMARY KEY,
		NR_TELEFONE TEXT,
		NM_CONTATO  TEXT,
		DS_MENSAGEM TEXT,
		CD_STATUS   INTEGER NOT NULL DEFAULT 1,
		NM_TEMPLATE TEXT,
		DS_ERRO     TEXT,
		DS_RESPOSTA TEXT,
		DT_RESPOSTA TEXT
	); CREATE INDEX NOTIFICACAO_PENDENTE ON NOTIFICACAO (CD_STATUS, ID)`)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO NOTIFICACAO (ID, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, NM_TEMPLATE, CD_STATUS)
		VALUES (?, ?, ?, nullif(?, ''), nullif(?, ''), ?)`)
	if err != nil {
		return err
	}
	defer insert.Close() //nolint:errcheck // it ends with the transaction
	add := func(id int, r sample, code int) error {
		_, err := insert.ExecContext(ctx, id, r.phone, r.name, r.text, r.template, code)
		return err
	}
	for i, r := range rows {
		if err := add(i+1, r, codePending); err != nil {
			return err
		}
	}
	for _, w := range waves {
		for _, r := range w.rows {
			if err := add(r.id, r.sample, r.code); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

func (t *table) close() error { return t.db.Close() }

// answer is a row whose person has answered.
type answer struct {
	id, code int
	text, at string
}

// answers returns rows of the sample that have an answer, the first ones, and how many
// have one.
func (t *table) answers(ctx context.Context, most int) (list []answer, n int, err error) {
	rows, err := t.db.QueryContext(ctx, `SELECT ID, CD_STATUS, DS_RESPOSTA, coalesce(DT_RESPOSTA, ''), count(*) OVER ()
		FROM NOTIFICACAO WHERE ID <= ? AND DS_RESPOSTA IS NOT NULL ORDER BY ID LIMIT ?`, t.rows, most)
	if err != nil {
		return nil, 0, fmt.Errorf("read the answers in the sample table: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a answer
		if err := rows.Scan(&a.id, &a.code, &a.text, &a.at, &n); err != nil {
			return nil, 0, fmt.Errorf("read the answers in the sample table: %w", err)
		}
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("read the answers in the sample table: %w", err)
	}
	return list, n, nil
}

// codes counts the rows of the sample by their status code.
func (t *table) codes(ctx context.Context) (map[int]int, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT CD_STATUS, count(*) FROM NOTIFICACAO WHERE ID <= ? GROUP BY CD_STATUS`, t.rows)
	if err != nil {
		return nil, fmt.Errorf("count the sample table: %w", err)
	}
	defer rows.Close()
	counts := map[int]int{}
	for rows.Next() {
		var code, n int
		if err := rows.Scan(&code, &n); err != nil {
			return nil, fmt.Errorf("count the sample table: %w", err)
		}
		counts[code] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count the sample table: %w", err)
	}
	return counts, nil
}
