package source

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pombo"
)

// What a new user gets wrong: each is one sentence with the fix, and Pombo can
// tell whether waiting helps.
func TestSQLiteCheck(t *testing.T) {
	for _, c := range []struct {
		name      string
		setup     []string
		mod       func(*Mapping)
		permanent bool
		want      []string
	}{
		{"no such table", []string{`CREATE TABLE NOTIFICACOES (ID)`}, nil, true, []string{"no such table", "did you mean NOTIFICACOES?", "DB_TABLE"}},
		{"no table at all", []string{`PRAGMA user_version = 1`}, nil, true, []string{"no such table"}},
		{
			"missing columns", []string{`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONES TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER)`}, nil, true,
			[]string{"no column NR_TELEFONE; did you mean NR_TELEFONES? (DB_COL_PHONE)", "no column NM_CONTATO; there are ID, NR_TELEFONES, DS_MENSAGEM, CD_STATUS (DB_COL_PARAMS)"},
		},
		{"a code of another type", []string{simpleTable}, func(m *Mapping) { m.Codes = []string{"S"} }, true, []string{`holds numbers (INTEGER) and the code "S" is not a number`}},
		{
			"a view that cannot be updated", []string{simpleTable, `CREATE VIEW V AS SELECT * FROM NOTIFICACAO`}, func(m *Mapping) { m.Table = "V" }, true,
			[]string{"write to V", "INSTEAD OF UPDATE"},
		},
		{
			"a computed column", []string{`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, S INTEGER, CD_STATUS INTEGER AS (S))`}, nil, true,
			[]string{"CD_STATUS is computed"},
		},
		{
			"an error column that may not be empty", []string{simpleTable, `ALTER TABLE NOTIFICACAO ADD COLUMN DS_ERRO TEXT NOT NULL DEFAULT ''`},
			func(m *Mapping) { m.Error = "DS_ERRO" }, true, []string{"DS_ERRO is NOT NULL", "DB_COL_ERROR"},
		},
		{
			"binary keys of another length", []string{`CREATE TABLE NOTIFICACAO (ID BLOB, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS)`, `INSERT INTO NOTIFICACAO (ID) VALUES (x'0102')`}, nil, true,
			[]string{"ID holds 2 bytes of binary data"},
		},
		{
			"a broken trigger", []string{simpleTable, `CREATE TRIGGER X AFTER UPDATE ON NOTIFICACAO BEGIN INSERT INTO AUDITORIA VALUES (1); END`}, nil, true,
			[]string{"AUDITORIA"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, _ := file(t, c.setup...)
			m := simple()
			if c.mod != nil {
				c.mod(&m)
			}
			err := open(t, path, m).Check(t.Context())
			wantError(t, err, c.permanent, c.want...)
		})
	}
}

func wantError(t *testing.T, err error, permanent bool, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	var e *TableError
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	if e.Permanent != permanent {
		t.Errorf("permanent = %t, want %t: %v", e.Permanent, permanent, err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error = %q, want it to say %q", err, w)
		}
	}
}

func TestSQLiteMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "não há.db")
	table := open(t, path, simple()) // a program must be able to start
	wantError(t, table.Check(t.Context()), true, path, "DB_URL")
	if _, err := table.Page(t.Context(), "", 1); err == nil {
		t.Error("Page: no error")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file was made: %v", err)
	}
	// It comes back, and so do we.
	owner, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if _, err := owner.ExecContext(t.Context(), simpleTable); err != nil {
		t.Fatal(err)
	}
	if err := table.Check(t.Context()); err != nil {
		t.Errorf("Check after the file came: %v", err)
	}
}

// What was learned of a table is forgotten when the table is made anew.
func TestSQLiteTableMadeAnew(t *testing.T) {
	path, owner := file(t, simpleTable, `INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (1, 1)`)
	table := open(t, path, simple())
	anew := func(keyType, key string, between func()) {
		t.Helper()
		if got := keysOf(t, table); len(got) != 1 {
			t.Fatalf("keys = %v, want one", got)
		}
		for _, text := range []string{`DROP TABLE NOTIFICACAO`, "", strings.Replace(simpleTable, "INTEGER", keyType, 1), `INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (` + key + `, 1)`} {
			if text == "" {
				between()
				continue
			}
			if _, err := owner.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	anew("TEXT", "'PED-1'", func() {
		_, err := table.Page(t.Context(), "", 1)
		wantError(t, err, true, "no such table")
	})
	if got := keysOf(t, table); len(got) != 1 || got[0] != "PED-1" {
		t.Errorf("keys after an error = %v, want PED-1", got)
	}
	anew("INTEGER", "7", func() {})
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, table); len(got) != 1 || got[0] != "7" {
		t.Errorf("keys after a check = %v, want 7", got)
	}
}

func TestSQLiteNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "planilha.xlsx")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, open(t, path, simple()).Check(t.Context()), true, "no SQLite file", "DB_URL")
}

// with opens the table over a DSN of the test, to bring the database into a state
// that root cannot be kept from leaving otherwise.
func with(t *testing.T, path string, m Mapping, dsn func(*sqliteDialect) string) *Table {
	t.Helper()
	table := open(t, path, m)
	db, err := sql.Open("sqlite", dsn(table.dialect.(*sqliteDialect)))
	if err != nil {
		t.Fatal(err)
	}
	_ = table.db.Close()
	table.db = db
	return table
}

func TestSQLiteReadOnly(t *testing.T) {
	path, _ := file(t, simpleTable, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1)`)
	table := with(t, path, simple(), func(d *sqliteDialect) string { return d.dsn("ro") })
	wantError(t, table.Check(t.Context()), true, "write to NOTIFICACAO", "right to write "+path)
	if got := keysOf(t, table); len(got) != 1 {
		t.Errorf("keys = %v: reading must go on", got)
	}
	got, err := table.Settle(t.Context(), []pombo.Settlement{{RowKey: "1", Expected: "1", Code: "2"}})
	wantError(t, err, true, "right to write")
	if got[0].Result != pombo.SettleLater {
		t.Errorf("result = %s, want due", got[0].Result)
	}
}

func TestSQLiteDiskFull(t *testing.T) {
	path, _ := file(t, simpleTable, `ALTER TABLE NOTIFICACAO ADD COLUMN DS_ERRO TEXT`, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1, NULL)`)
	m := simple()
	m.Error = "DS_ERRO"
	table := with(t, path, m, func(d *sqliteDialect) string { return d.dsn("rw") + "&_pragma=max_page_count(2)" })
	got, err := table.Settle(t.Context(), []pombo.Settlement{{RowKey: "1", Expected: "1", Code: "2", Error: strings.Repeat("x", 100_000)}})
	wantError(t, err, true, "make room")
	if got[0].Result != pombo.SettleLater {
		t.Errorf("result = %s, want due", got[0].Result)
	}
}

func TestSQLiteLockedByItsOwner(t *testing.T) {
	path, owner := file(t, simpleTable, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1)`)
	table, err := Open(t.Context(), Options{Drivers: AllDrivers, URL: "sqlite:" + path, Mapping: simple(), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx, err := owner.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	batch := []pombo.Settlement{{RowKey: "1", Expected: "1", Code: "2"}}
	_, err = table.Settle(t.Context(), batch)
	wantError(t, err, false, "write statuses to NOTIFICACAO", "another program holds the file")
	_, err = table.Page(t.Context(), "", 1)
	wantError(t, err, false, "read pending rows of NOTIFICACAO", "another program holds the file")
	if _, err := tx.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	_ = tx.Close()
	got, err := table.Settle(t.Context(), batch)
	if err != nil || got[0].Result != pombo.SettleDone {
		t.Errorf("after the lock: %v, %v; want settled", got, err)
	}
}

// A statement that takes too long is ended, and it says so.
func TestSQLiteStatementTimeLimit(t *testing.T) {
	path, _ := file(t, `CREATE VIEW NOTIFICACAO AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e12)
		SELECT max(i) AS ID, '' AS NR_TELEFONE, '' AS NM_CONTATO, '' AS DS_MENSAGEM, 1 AS CD_STATUS FROM n`)
	table, err := Open(t.Context(), Options{Drivers: AllDrivers, URL: "sqlite:" + path, Mapping: simple(), Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	_, err = table.Page(t.Context(), "", 1)
	wantError(t, err, false, "no answer within 100ms", "index")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err = table.Page(ctx, "", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the caller's deadline", err)
	}
}

// What refuses a row is named by its kind; the rows beside it are settled.
func TestSQLiteRefusals(t *testing.T) {
	for _, c := range []struct{ name, table, want string }{
		{"a check", `CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS INTEGER CHECK (ID <> 2 OR CD_STATUS < 2))`, "a CHECK"},
		{"a unique index", `CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS INTEGER); CREATE UNIQUE INDEX U ON NOTIFICACAO (CD_STATUS) WHERE ID = 2 AND CD_STATUS = 2 OR ID = 9`, "a unique index"},
		{"a strict type", `CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER) STRICT`, "another type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, _ := file(t, c.table, `INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (1, 1), (2, 1), (3, 1), (9, 2)`)
			batch := []pombo.Settlement{{RowKey: "1", Expected: "1", Code: "2"}, {RowKey: "2", Expected: "1", Code: "2"}, {RowKey: "3", Expected: "1", Code: "2"}}
			if strings.Contains(c.table, "STRICT") {
				batch[1].Code = "S"
			}
			got, err := open(t, path, simple()).Settle(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Result != pombo.SettleDone || got[2].Result != pombo.SettleDone {
				t.Errorf("the other rows are %s and %s, want settled", got[0].Result, got[2].Result)
			}
			if got[1].Result != pombo.SettleRefused || !strings.Contains(got[1].Detail, c.want) {
				t.Errorf("row 2 is %s (%s), want refused by %s", got[1].Result, got[1].Detail, c.want)
			}
		})
	}
}

// A trigger's own words may name a person; no error repeats them.
func TestSQLiteTriggersWordsStayIn(t *testing.T) {
	path, owner := file(t, simpleTable, `INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (1, 1)`,
		`CREATE TRIGGER R BEFORE UPDATE ON NOTIFICACAO BEGIN SELECT RAISE(ABORT, 'Maria da Silva deve'); END`)
	_, cause := owner.ExecContext(t.Context(), `UPDATE NOTIFICACAO SET CD_STATUS = 2`)
	if cause == nil {
		t.Fatal("the trigger did nothing")
	}
	err := open(t, path, simple()).fail(t.Context(), "try", cause)
	wantError(t, err, true, "try: a trigger of the table refuses the change")
	if strings.Contains(err.Error(), "Maria") || errors.Is(err, cause) {
		t.Errorf("the error gives the trigger's words away: %v", err)
	}
}

// The database goes away in the middle of a settle: what is known is told, the
// rest is due, and the same batch ends well later.
func TestSQLiteAwayInTheMiddleOfASettle(t *testing.T) {
	path, owner := file(t, `PRAGMA journal_mode = WAL`, simpleTable, `INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (1, 1), (2, 1), (3, 1), (4, 1)`,
		`CREATE TRIGGER R BEFORE UPDATE ON NOTIFICACAO WHEN OLD.ID = 4 BEGIN SELECT RAISE(ABORT, 'não'); END`)
	table, err := Open(t.Context(), Options{Drivers: AllDrivers, URL: "sqlite:" + path, Mapping: simple(), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	lock, err := owner.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	updates := 0
	Trace(t, table, func(text string) {
		// All four, then the first half; the second half finds the file locked.
		if strings.HasPrefix(text, "UPDATE") {
			if updates++; updates == 3 {
				if _, err := lock.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	var batch []pombo.Settlement
	for _, key := range []string{"1", "2", "3", "4"} {
		batch = append(batch, pombo.Settlement{RowKey: key, Expected: "1", Code: "2"})
	}
	results := func() string {
		t.Helper()
		got, err := table.Settle(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, s := range got {
			words = append(words, s.Result.String())
			if s.Result == pombo.SettleLater && s.Detail == "" {
				t.Errorf("row %s is due and does not say why", s.RowKey)
			}
		}
		return strings.Join(words, " ")
	}
	if got, want := results(), "settled settled due due"; got != want {
		t.Errorf("results = %s, want %s", got, want)
	}
	if _, err := lock.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if got, want := results(), "settled settled settled refused"; got != want {
		t.Errorf("results after the lock = %s, want %s", got, want)
	}
}
