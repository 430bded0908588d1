package sqlite

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/source"
	"pombo/test/sourcetest"
)

var drivers = []source.Driver{Driver}

// file makes a database file by running the statements, and returns its path and
// a connection for its owner.
func file(t testing.TB, statements ...string) (path string, owner *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "empresa.db")
	owner, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close() })
	for _, s := range statements {
		if _, err := owner.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return path, owner
}

func open(t testing.TB, path string, m source.Mapping) *source.Table {
	t.Helper()
	return openWith(t, path, m, Driver)
}

func openWith(t testing.TB, path string, m source.Mapping, d source.Driver) *source.Table {
	t.Helper()
	table, err := source.Open(t.Context(), source.Options{Drivers: []source.Driver{d}, URL: "sqlite:" + path, Mapping: m, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = table.Close() })
	return table
}

const simpleTable = `CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER)`

// Keys and statuses of every type that an SQLite column can be declared with,
// and of views, which have none.
func TestSQLite_Types(t *testing.T) {
	const rest = `, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, `
	insert := func(id, status string) string {
		return fmt.Sprintf(`INSERT INTO NOTIFICACAO (ID, NR_TELEFONE, CD_STATUS) VALUES (%s, '1', %s)`, id, status)
	}
	for _, c := range []struct {
		name   string
		setup  []string
		mod    func(*source.Mapping)
		want   []string // keys
		typeOf string   // of the status after settling to 2
	}{
		{
			name: "no types at all, numbers", typeOf: "integer", want: []string{"9", "10"},
			setup: []string{`CREATE TABLE NOTIFICACAO (ID` + rest + `CD_STATUS)`, insert("10", "1"), insert("9", "1")},
		},
		{
			name: "no types at all, texts", typeOf: "text", want: []string{"10", "9"},
			setup: []string{`CREATE TABLE NOTIFICACAO (ID` + rest + `CD_STATUS)`, insert("'10'", "'1'"), insert("'9'", "'1'")},
		},
		{
			name: "NUMBER as Oracle writes it", typeOf: "integer", want: []string{"9", "10"},
			setup: []string{`CREATE TABLE NOTIFICACAO (ID NUMBER(10)` + rest + `CD_STATUS NUMBER(1))`, insert("10", "1"), insert("9", "1")},
		},
		{
			name: "REAL", typeOf: "real", want: []string{"9", "10"},
			setup: []string{`CREATE TABLE NOTIFICACAO (ID REAL` + rest + `CD_STATUS REAL)`, insert("10", "1"), insert("9", "1")},
		},
		{
			name: "UUID column with texts", typeOf: "text", want: []string{"0a000000-0000-4000-8000-000000000001"},
			setup: []string{`CREATE TABLE NOTIFICACAO (ID UUID` + rest + `CD_STATUS CHAR(1))`, insert("'0a000000-0000-4000-8000-000000000001'", "1")},
		},
		{
			name: "a strict table", typeOf: "integer", want: []string{"5"},
			setup: []string{`CREATE TABLE NOTIFICACAO (ID INT, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INT) STRICT`, insert("5", "1")},
		},
		{
			name: "letters as codes in a column of numbers", typeOf: "integer", want: []string{"5"},
			setup: []string{`CREATE TABLE NOTIFICACAO (ID INTEGER` + rest + `CD_STATUS INTEGER)`, insert("5", "'P'")},
			mod:   func(m *source.Mapping) { m.Pending = "P" },
		},
		{
			name: "a view with a trigger", typeOf: "integer", want: []string{"7"},
			setup: []string{
				`CREATE TABLE BASE (ID INTEGER, FONE TEXT, ST INTEGER)`, `INSERT INTO BASE VALUES (7, '1', 1)`,
				`CREATE VIEW NOTIFICACAO AS SELECT ID + 0 AS ID, FONE AS NR_TELEFONE, 'Ana' AS NM_CONTATO, 'Olá' AS DS_MENSAGEM, ST + 0 AS CD_STATUS FROM BASE`,
				`CREATE TRIGGER V INSTEAD OF UPDATE ON NOTIFICACAO BEGIN UPDATE BASE SET ST = NEW.CD_STATUS WHERE ID = NEW.ID; END`,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, owner := file(t, c.setup...)
			m := sourcetest.Defaults()
			if c.mod != nil {
				c.mod(&m)
			}
			table := open(t, path, m)
			if err := table.Check(t.Context()); err != nil {
				t.Fatalf("Check: %v", err)
			}
			got := sourcetest.Keys(t, table)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			var batch []pombo.Settlement
			for _, k := range c.want {
				batch = append(batch, pombo.Settlement{RowKey: k, Expected: m.Pending, Code: "2"})
			}
			settled, err := table.Settle(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range settled {
				if s.Result != pombo.SettleDone {
					t.Errorf("row %s is %s: %s", s.RowKey, s.Result, s.Detail)
				}
			}
			var typeOf string
			if err := owner.QueryRowContext(t.Context(), `SELECT DISTINCT typeof(CD_STATUS) FROM NOTIFICACAO WHERE CD_STATUS = 2 OR CD_STATUS = '2'`).Scan(&typeOf); err != nil {
				t.Fatal(err)
			}
			if typeOf != c.typeOf {
				t.Errorf("the status is stored as %s, want %s", typeOf, c.typeOf)
			}
		})
	}
}

func TestSQLite_PhonesOfEveryType(t *testing.T) {
	path, _ := file(t, `CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS)`,
		`INSERT INTO NOTIFICACAO VALUES (1, 5531988880000, x'416E61', 1.5, 1), (2, 5531988880000.0, NULL, '', 1)`)
	rows, err := open(t, path, sourcetest.Defaults()).Page(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.Recipient.Reveal(), r.Params[0].Value.Reveal(), r.Params[1].Value.Reveal())
	}
	want := []string{"5531988880000", "Ana", "1.5", "5531988880000.0", "", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestSQLite_UnusableKeys(t *testing.T) {
	path, _ := file(t, `CREATE TABLE NOTIFICACAO (ID, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS)`,
		`INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES (1, 1), (NULL, 1), (2.5, 1), (3, 1), (3, 1), (4, 1), (x'00', 1), ('a', 1), (9e18, 1)`)
	table := open(t, path, sourcetest.Defaults())
	if diff := cmp.Diff([]string{"1", "4"}, sourcetest.Keys(t, table)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if got := len(table.Problems()); got != 5-1 { // 2.5 and 9e18 are one sentence; 3 is reported once
		t.Errorf("%d problems: %v", got, table.Problems())
	}
}

// A NUL, which a ledger in PostgreSQL cannot keep, stops that row alone.
func TestSQLite_KeysWithNUL(t *testing.T) {
	path, _ := file(t, `CREATE TABLE NOTIFICACAO (ID TEXT, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS)`,
		`INSERT INTO NOTIFICACAO (ID, CD_STATUS) VALUES ('a', 1), ('b' || char(0) || 'c', 1), ('d', 1)`)
	table := open(t, path, sourcetest.Defaults())
	if diff := cmp.Diff([]string{"a", "d"}, sourcetest.Keys(t, table)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if p := table.Problems(); len(p) != 1 || p[0].Column != "ID" || !strings.Contains(p[0].Message, "NUL") {
		t.Errorf("problems = %v, want one of ID that says NUL", p)
	}
}

// What is before a NUL is not sent as if it were all: the value keeps the NUL, for
// which the road refuses it.
func TestSQLite_TextWithNUL(t *testing.T) {
	path, _ := file(t, simpleTable, `INSERT INTO NOTIFICACAO VALUES
		(1, '1' || char(0) || '2', 'abc' || char(0) || 'tail', char(0), 1), (2, '1', 'b', NULL, 1)`)
	rows, err := open(t, path, sourcetest.Defaults()).Page(t.Context(), "", 10)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v, want 2", len(rows), err)
	}
	got := []string{rows[0].Recipient.Reveal()}
	for _, p := range append(rows[0].Params, rows[1].Params...) {
		got = append(got, p.Value.Reveal())
	}
	if diff := cmp.Diff([]string{"1\x00", "abc\x00", "\x00", "b", ""}, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestSQLite_TextThatIsNotUTF8(t *testing.T) {
	path, _ := file(t, simpleTable, `INSERT INTO NOTIFICACAO VALUES (1, '1', CAST(x'4A6FE36F' AS TEXT), 'a', 1), (2, '1', 'João', 'a', 1)`)
	table := open(t, path, sourcetest.Defaults())
	if diff := cmp.Diff([]string{"2"}, sourcetest.Keys(t, table)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if p := table.Problems(); len(p) != 1 || p[0].Column != "NM_CONTATO" {
		t.Errorf("problems = %v, want one of NM_CONTATO", p)
	}
}

// The owner's journal mode is the owner's.
func TestSQLite_LeavesTheJournalMode(t *testing.T) {
	for _, mode := range []string{"delete", "wal"} {
		path, owner := file(t, `PRAGMA journal_mode = `+mode, simpleTable, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1)`)
		table := open(t, path, sourcetest.Defaults())
		if _, err := table.Settle(t.Context(), []pombo.Settlement{{RowKey: "1", Expected: "1", Code: "2"}}); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := owner.QueryRowContext(t.Context(), `PRAGMA journal_mode`).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != mode {
			t.Errorf("journal mode = %s, want %s", got, mode)
		}
	}
}

// The statements must stay on the key and on the index that Advice names, also
// when the company has an index that looks better than it is.
func TestSQLite_Plans(t *testing.T) {
	for _, c := range []struct {
		name, keyType string
		key           any
		k             source.Kind
		want          map[string]string // part of the plan
	}{
		{"whole numbers", "INTEGER", int64(1), source.KindWhole, map[string]string{"page": ">?)", "statuses": "(rowid=?)", "settle": "rowid=?)"}},
		{"text", "TEXT", "k000001", source.KindText, map[string]string{"page": "(ID>?)", "statuses": "(ID=?)", "settle": "(ID=?)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, owner := file(t, strings.Replace(simpleTable, "INTEGER", c.keyType, 1),
				`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
				 INSERT INTO NOTIFICACAO SELECT iif('`+c.keyType+`' = 'TEXT', printf('k%06d', i), i), '1', 'a', 'b', iif(i % 50, 2, 1) FROM n`)
			table := open(t, path, sourcetest.Defaults())
			parsed, err := source.ParseMapping(sourcetest.Defaults())
			if err != nil {
				t.Fatal(err)
			}
			d, err := newDialect(path, time.Second, parsed)
			if err != nil {
				t.Fatal(err)
			}
			l := source.Layout{Kinds: source.Kinds{RowKey: c.k, Status: source.KindWhole}}
			queries := map[string]source.Query{
				"page":     d.Page(l, nil, 500),
				"statuses": d.Statuses(l, []any{c.key})[0],
				"settle":   d.Settle(l, []pombo.Settlement{{RowKey: fmt.Sprint(c.key), Expected: "1", Code: "2"}}, 0).Query,
			}
			check := func(when string) {
				t.Helper()
				for name, q := range queries {
					got := plan(t, owner, q)
					if !strings.Contains(got, c.want[name]) || strings.Contains(got, "TEMP B-TREE") || strings.Contains(got, "SCAN t") {
						t.Errorf("%s, %s: plan is\n%s\nwant %s, no sort and no scan", name, when, got, c.want[name])
					}
				}
			}
			check("without an index")
			for _, text := range []string{table.Advice()[0].Text, "ANALYZE"} {
				if _, err := owner.ExecContext(t.Context(), text); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				if got := plan(t, owner, queries["page"]); !strings.Contains(got, "NOTIFICACAO_PENDING") {
					t.Errorf("after %s the page does not use the index:\n%s", text, got)
				}
				check("after " + text)
			}
			if _, err := owner.ExecContext(t.Context(), "CREATE INDEX S ON NOTIFICACAO (CD_STATUS); ANALYZE"); err != nil {
				t.Fatal(err)
			}
			check("with an index on the status")
		})
	}
}

func plan(t *testing.T, db *sql.DB, q source.Query) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q.Text, q.Args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, detail)
	}
	return strings.Join(lines, "\n")
}

func TestSQLite_Paths(t *testing.T) {
	from, _ := file(t, simpleTable)
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"com espaço.db", "100%.db", "o quê?.db", "a#b.db", "ção&x=1.db"} {
		if runtime.GOOS == "windows" && strings.Contains(name, "?") {
			continue // no name may have one there
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := open(t, path, sourcetest.Defaults()).Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := open(t, "//"+path, sourcetest.Defaults()).Check(t.Context()); err != nil {
			t.Errorf("//%s: %v", name, err)
		}
	}
}

func TestSQLite_QuotedNames(t *testing.T) {
	path, _ := file(t, `CREATE TABLE "Fila de Avisos" ("Nº" INTEGER PRIMARY KEY, "select" TEXT, "a;b" TEXT, [situação] TEXT)`,
		`INSERT INTO "Fila de Avisos" VALUES (1, '11', 'Olá', 'N')`)
	table := open(t, path, source.Mapping{
		Table: `main."Fila de Avisos"`, RowKey: `"Nº"`, Phone: "select", Status: "situação", Pending: "N",
		Params: []source.Param{{Slot: pombo.Body, Name: `"a;b"`}},
	})
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sourcetest.Keys(t, table); len(got) != 1 {
		t.Errorf("keys = %v", got)
	}
	got, err := table.Settle(t.Context(), []pombo.Settlement{{RowKey: "1", Expected: "N", Code: "S"}})
	if err != nil || got[0].Result != pombo.SettleDone {
		t.Errorf("settle = %v, %v", got, err)
	}
}

// The advice must be SQL that works, and the sample table one that Check likes.
func TestSQLite_Advice(t *testing.T) {
	m := sourcetest.Defaults()
	m.Priority, m.SentAt, m.Error, m.MessageID = "NR_PRIORIDADE", "DT", "DS_ERRO", "CD_MSG"
	path, owner := file(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	table := open(t, path, m)
	advice := table.Advice()
	for _, i := range []int{1, 0} { // the table, then its index
		if _, err := owner.ExecContext(t.Context(), advice[i].Text); err != nil {
			t.Fatalf("%s: %v", advice[i].Text, err)
		}
	}
	if err := table.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
