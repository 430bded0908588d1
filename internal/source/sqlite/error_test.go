package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"pombo"
	"pombo/internal/source"
	"pombo/test/sourcetest"
)

// What a new user gets wrong: each is one sentence with the fix, and Pombo can
// tell whether waiting helps.
func TestSQLite_Check(t *testing.T) {
	for _, c := range []struct {
		name      string
		setup     []string
		mod       func(*source.Mapping)
		permanent bool
		want      []string
	}{
		{"no such table", []string{`CREATE TABLE NOTIFICACOES (ID)`}, nil, true, []string{"no such table", "did you mean NOTIFICACOES?", "DB_TABLE"}},
		{"no table at all", []string{`PRAGMA user_version = 1`}, nil, true, []string{"no such table"}},
		{
			"missing columns", []string{`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONES TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER)`}, nil, true,
			[]string{"no column NR_TELEFONE; did you mean NR_TELEFONES? (DB_COL_PHONE)", "no column NM_CONTATO; there are ID, NR_TELEFONES, DS_MENSAGEM, CD_STATUS (DB_COL_PARAMS)"},
		},
		{"a code of another type", []string{simpleTable}, func(m *source.Mapping) { m.Codes = []string{"S"} }, true, []string{`holds numbers (INTEGER) and the code "S" is not a number`}},
		{
			"a view that cannot be updated", []string{simpleTable, `CREATE VIEW V AS SELECT * FROM NOTIFICACAO`}, func(m *source.Mapping) { m.Table = "V" }, true,
			[]string{"write to V", "INSTEAD OF UPDATE"},
		},
		{
			"a computed column", []string{`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, S INTEGER, CD_STATUS INTEGER AS (S))`}, nil, true,
			[]string{"CD_STATUS is computed"},
		},
		{
			"an error column that may not be empty", []string{simpleTable, `ALTER TABLE NOTIFICACAO ADD COLUMN DS_ERRO TEXT NOT NULL DEFAULT ''`},
			func(m *source.Mapping) { m.Error = "DS_ERRO" }, true, []string{"DS_ERRO is NOT NULL", "DB_COL_ERROR"},
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
			m := sourcetest.Defaults()
			if c.mod != nil {
				c.mod(&m)
			}
			err := open(t, path, m).Check(t.Context())
			sourcetest.WantError(t, err, c.permanent, c.want...)
		})
	}
}

func TestSQLite_MissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "não há.db")
	table := open(t, path, sourcetest.Defaults()) // a program must be able to start
	sourcetest.WantError(t, table.Check(t.Context()), true, path, "DB_URL")
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
func TestSQLite_TableMadeAnew(t *testing.T) {
	path, owner := file(t, simpleTable, `INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (1, 1)`)
	table := open(t, path, sourcetest.Defaults())
	anew := func(keyType, key string, between func()) {
		t.Helper()
		if got := sourcetest.Keys(t, table); len(got) != 1 {
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
		sourcetest.WantError(t, err, true, "no such table")
	})
	if got := sourcetest.Keys(t, table); len(got) != 1 || got[0] != "PED-1" {
		t.Errorf("keys after an error = %v, want PED-1", got)
	}
	anew("INTEGER", "7", func() {})
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sourcetest.Keys(t, table); len(got) != 1 || got[0] != "7" {
		t.Errorf("keys after a check = %v, want 7", got)
	}
}

func TestSQLite_FileThatIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "planilha.xlsx")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	sourcetest.WantError(t, open(t, path, sourcetest.Defaults()).Check(t.Context()), true, "not an SQLite file", "DB_URL")
}

// with opens the table over a DSN of the test, to bring the database into a state
// that root cannot be kept from leaving otherwise.
func with(t *testing.T, path string, m source.Mapping, dsn func(*dialect) string) *source.Table {
	t.Helper()
	return openWith(t, path, m, sourcetest.With(Driver, func(d *dialect) source.Dialect { return redirected{d, dsn(d)} }))
}

// redirected connects by another DSN.
type redirected struct {
	*dialect
	dsn string
}

func (d redirected) Connector() (driver.Connector, error) { return sqlite.NewConnector(d.dsn) }

func TestSQLite_ReadOnly(t *testing.T) {
	path, _ := file(t, simpleTable, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1)`)
	table := with(t, path, sourcetest.Defaults(), func(d *dialect) string { return d.dsn("ro") })
	sourcetest.WantError(t, table.Check(t.Context()), true, "write to NOTIFICACAO", "right to write "+path)
	if got := sourcetest.Keys(t, table); len(got) != 1 {
		t.Errorf("keys = %v: reading must go on", got)
	}
	got, err := table.Settle(t.Context(), []pombo.Settlement{{RowKey: "1", Expected: "1", Code: "2"}})
	sourcetest.WantError(t, err, true, "right to write")
	if got[0].Result != pombo.SettleLater {
		t.Errorf("result = %s, want due", got[0].Result)
	}
}

func TestSQLite_DiskFull(t *testing.T) {
	path, _ := file(t, simpleTable, `ALTER TABLE NOTIFICACAO ADD COLUMN DS_ERRO TEXT`, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1, NULL)`)
	m := sourcetest.Defaults()
	m.Error = "DS_ERRO"
	table := with(t, path, m, func(d *dialect) string { return d.dsn("rw") + "&_pragma=max_page_count(2)" })
	got, err := table.Settle(t.Context(), []pombo.Settlement{{RowKey: "1", Expected: "1", Code: "2", Error: strings.Repeat("x", 100_000)}})
	sourcetest.WantError(t, err, true, "make room")
	if got[0].Result != pombo.SettleLater {
		t.Errorf("result = %s, want due", got[0].Result)
	}
}

func TestSQLite_LockedByItsOwner(t *testing.T) {
	path, owner := file(t, simpleTable, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1)`)
	table, err := source.Open(t.Context(), source.Options{Drivers: drivers, URL: "sqlite:" + path, Mapping: sourcetest.Defaults(), Timeout: 2 * time.Second})
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
	sourcetest.WantError(t, err, false, "write statuses to NOTIFICACAO", "another program holds the file")
	_, err = table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "read pending rows of NOTIFICACAO", "another program holds the file")
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
func TestSQLite_StatementTimeLimit(t *testing.T) {
	path, _ := file(t, `CREATE VIEW NOTIFICACAO AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e12)
		SELECT max(i) AS ID, '' AS NR_TELEFONE, '' AS NM_CONTATO, '' AS DS_MENSAGEM, 1 AS CD_STATUS FROM n`)
	table, err := source.Open(t.Context(), source.Options{Drivers: drivers, URL: "sqlite:" + path, Mapping: sourcetest.Defaults(), Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	_, err = table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "no answer within 100ms", "index")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err = table.Page(ctx, "", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the caller's deadline", err)
	}
}

// What refuses a row is named by its kind; the rows beside it are settled.
func TestSQLite_RefusedRows(t *testing.T) {
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
			got, err := open(t, path, sourcetest.Defaults()).Settle(t.Context(), batch)
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
func TestSQLite_ErrorsHideTheTriggersWords(t *testing.T) {
	path, owner := file(t, simpleTable, `INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (1, 1)`,
		`CREATE TRIGGER R BEFORE UPDATE ON NOTIFICACAO BEGIN SELECT RAISE(ABORT, 'Maria da Silva deve'); END`)
	_, cause := owner.ExecContext(t.Context(), `UPDATE NOTIFICACAO SET CD_STATUS = 2`)
	if cause == nil {
		t.Fatal("the trigger did nothing")
	}
	failing := func(d *dialect) source.Dialect { return brokenDialect{d, cause} }
	err := openWith(t, path, sourcetest.Defaults(), sourcetest.With(Driver, failing)).Check(t.Context())
	sourcetest.WantError(t, err, true, ": a trigger of the table refuses the change")
	if strings.Contains(err.Error(), "Maria") || errors.Is(err, cause) {
		t.Errorf("the error gives the trigger's words away: %v", err)
	}
}

// brokenDialect cannot connect, for a reason of the test.
type brokenDialect struct {
	*dialect
	cause error
}

func (d brokenDialect) Connector() (driver.Connector, error) {
	return brokenConnector{cause: d.cause}, nil
}

type brokenConnector struct {
	driver.Connector
	cause error
}

func (c brokenConnector) Connect(context.Context) (driver.Conn, error) { return nil, c.cause }

// The database goes away in the middle of a settle: the answers that are known are
// returned, the rest is due, and the same batch succeeds later.
func TestSQLite_GoesAwayDuringSettle(t *testing.T) {
	path, owner := file(t, `PRAGMA journal_mode = WAL`, simpleTable, `INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (1, 1), (2, 1), (3, 1), (4, 1)`,
		`CREATE TRIGGER R BEFORE UPDATE ON NOTIFICACAO WHEN OLD.ID = 4 BEGIN SELECT RAISE(ABORT, 'não'); END`)
	lock, err := owner.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	updates := 0
	traced := sourcetest.Trace(Driver, func(text string) {
		// All four, then the first half; the second half finds the file locked.
		if strings.HasPrefix(text, "UPDATE") {
			if updates++; updates == 3 {
				if _, err := lock.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	table, err := source.Open(t.Context(), source.Options{Drivers: []source.Driver{traced}, URL: "sqlite:" + path, Mapping: sourcetest.Defaults(), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
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
