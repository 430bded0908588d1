package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite"

	"pombo/test/oracletest"
	"pombo/test/postgrestest"
)

// rows are the company's table, filled.
type rows interface {
	url() string
	// settled returns how many of the rows that were pending have the code for sent, so
	// that no figure is printed for work that was not done.
	settled(ctx context.Context) (int, error)
	close() error
}

func newRows(ctx context.Context, dir string, s scenario) (rows, error) {
	if s.oracle {
		return newOracleTable(s.rows)
	}
	t := sqliteTable{path: filepath.Join(dir, "rows.db"), finished: s.finished}
	return t, t.fill(ctx, s.rows)
}

// sqliteTable has its pending rows after the finished ones.
type sqliteTable struct {
	path     string
	finished int
}

func (t sqliteTable) url() string { return "sqlite:" + t.path }

func (t sqliteTable) close() error { return nil }

// fill makes the sample table with n pending rows and the index that `pombo sql`
// proposes.
func (t sqliteTable) fill(ctx context.Context, n int) error {
	db, err := sql.Open("sqlite", "file:"+t.path+"?_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, text := range []string{
		`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER NOT NULL)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ` + strconv.Itoa(t.finished+n) + `)
		 INSERT INTO NOTIFICACAO SELECT i, '319' || (80000000 + i % 20000000), 'Maria', 'Sua consulta foi confirmada.', iif(i <= ` + strconv.Itoa(t.finished) + `, 2, 1) FROM n
		 WHERE i <= ` + strconv.Itoa(t.finished+n) + ` -- the first one is made unconditionally
		`,
		`CREATE INDEX NOTIFICACAO_PENDING ON NOTIFICACAO (ID) WHERE CD_STATUS = 1`,
		`PRAGMA wal_checkpoint(TRUNCATE)`,
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func (t sqliteTable) settled(ctx context.Context) (n int, err error) {
	db, err := sql.Open("sqlite", "file:"+t.path)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2 AND ID > ?1`, t.finished).Scan(&n)
	return n, err
}

// oracleTable speaks Oracle's protocol from within this process, and counts the calls that
// it answers.
type oracleTable struct {
	double *oracletest.Double
	rows   *oracletest.Table
	n      int
}

func newOracleTable(n int) (*oracleTable, error) {
	d, err := oracletest.Start(oracletest.Options{})
	if err != nil {
		return nil, err
	}
	t := &oracleTable{double: d, n: n}
	t.rows, err = d.NewTable("NOTIFICACAO", "ID NUMBER(19) PRIMARY KEY", "NR_TELEFONE VARCHAR2(30)", "NM_CONTATO VARCHAR2(1024)",
		"DS_MENSAGEM VARCHAR2(1024)", "CD_STATUS NUMBER(4) NOT NULL")
	for i := 1; err == nil && i <= n; i++ {
		err = t.rows.Insert(oracletest.Row{"ID": i, "NR_TELEFONE": phoneOf(i), "NM_CONTATO": "Maria", "DS_MENSAGEM": "Sua consulta foi confirmada.", "CD_STATUS": 1})
	}
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *oracleTable) url() string { return "oracle://pombo:s3nha@" + t.double.Addr() + "/ERP" }

func (t *oracleTable) close() error { t.double.Close(); return nil }

func (t *oracleTable) settled(context.Context) (int, error) {
	done := 0
	for i := 1; i <= t.n; i++ {
		if row, ok := t.rows.Row(i); ok && row["CD_STATUS"] == "2" {
			done++
		}
	}
	return done, nil
}

// asked returns how many statements the double has executed, an array of binds counting as
// one, and in how many round trips. Both include the logins.
func (t *oracleTable) asked() (statements, trips int) {
	calls := t.double.Calls()
	for _, c := range calls {
		if c.Executions > 0 {
			statements++
		}
	}
	return statements, len(calls)
}

// startPostgres starts a server that waits for its disk, one for all scenarios.
func (b *bench) startPostgres() error {
	if b.postgres != nil {
		return nil
	}
	var err error
	b.postgres, err = postgrestest.New(postgrestest.Options{Durable: true})
	return err
}

// ledgerURL makes the ledger of a run and returns its address. Each ledger in PostgreSQL has
// a database of its own.
func (b *bench) ledgerURL(ctx context.Context, dir string, s scenario) (string, error) {
	if !s.postgres {
		return "sqlite:" + filepath.Join(dir, "pombo.db"), nil
	}
	if err := b.startPostgres(); err != nil {
		return "", err
	}
	name := strings.ToLower(strings.ReplaceAll(filepath.Base(dir), "-", "_"))
	if err := b.postgres.Exec(ctx, "postgres", "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	url := b.postgres.DSN(name)
	migrate := b.command(ctx, []string{"LEDGER_URL=" + url}, "migrate", "--env-file", os.DevNull)
	if out, err := migrate.CombinedOutput(); err != nil {
		return "", fmt.Errorf("pombo migrate: %w: %s", err, out)
	}
	return url, nil
}
