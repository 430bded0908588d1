package source

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// wantRemark holds what is found against words of it. A remark with nothing to do
// is wanted by todo = "".
func wantRemark(t *testing.T, table *Table, a Diagnostic, what, todo string) {
	t.Helper()
	r, err := table.Inspect(t.Context(), a)
	if err != nil {
		t.Errorf("%s: %v", a, err)
		return
	}
	if !strings.Contains(r.Message, what) || !strings.Contains(r.Hint, todo) || (r.Hint == "") != (todo == "") {
		t.Errorf("%s: %+v, want %q and to do %q", a, r, what, todo)
	}
}

func TestSQLiteExamine(t *testing.T) {
	const scan = "so each page walks over rows that were finished"
	for _, c := range []struct{ index, what, todo string }{
		{"", scan, `CREATE INDEX "NOTIFICACAO_PENDING" ON "NOTIFICACAO"`},
		{"CREATE INDEX i ON NOTIFICACAO (NM_CONTATO, CD_STATUS)", scan, "CREATE INDEX"},
		{"CREATE INDEX i ON NOTIFICACAO (ID) WHERE CD_STATUS = 2", scan, "CREATE INDEX"},
		{"CREATE INDEX i ON NOTIFICACAO (CD_STATUS) WHERE NM_CONTATO = '1'", scan, "CREATE INDEX"},
		{"CREATE INDEX i ON NOTIFICACAO (abs(CD_STATUS))", scan, "CREATE INDEX"},
		{"CREATE INDEX i ON NOTIFICACAO (cd_status, ID)", "the index i begins with CD_STATUS", ""},
		{"CREATE INDEX i ON NOTIFICACAO (ID)\nwhere cd_status = 1", "the index i has the pending rows alone", ""},
	} {
		path, _ := file(t, simpleTable, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1)`, c.index)
		wantRemark(t, open(t, path, simple()), DiagnosticIndex, c.what, c.todo)
	}
	path, owner := file(t, `CREATE TABLE NOTIFICACAO (ID TEXT, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS INTEGER)`, `INSERT INTO NOTIFICACAO VALUES ('a', '1', 'a', 'b', 1)`)
	table := open(t, path, simple())
	wantRemark(t, table, DiagnosticPlan, "SCAN t; USE TEMP B-TREE FOR ORDER BY", "an index keeps it from reading the whole table")
	if _, err := owner.ExecContext(t.Context(), table.Advice()[0].Text); err != nil {
		t.Fatal(err)
	}
	table = open(t, path, simple()) // a connection that has prepared the statement before does not see it at once
	wantRemark(t, table, DiagnosticPlan, "NOTIFICACAO_PENDING", "")
	wantRemark(t, table, DiagnosticIndex, "NOTIFICACAO_PENDING has the pending rows alone", "")
}

func TestPostgresExamine(t *testing.T) {
	dsn, owner := company(t, postgresTable("bigint", "integer"), `INSERT INTO notificacao (id, cd_status) SELECT n, 2 FROM generate_series(1, 100000) AS s (n)`, `ANALYZE notificacao`)
	table := at(t, dsn, simple())
	wantRemark(t, table, DiagnosticIndex, "no index of NOTIFICACAO begins with CD_STATUS", `CREATE INDEX CONCURRENTLY "notificacao_pending"`)
	wantRemark(t, table, DiagnosticPlan, "Seq Scan on notificacao t", "an index keeps it")
	do(t, owner, `CREATE INDEX other ON notificacao (id) WHERE cd_status = 2`, `CREATE INDEX expression ON notificacao (abs(cd_status))`)
	wantRemark(t, table, DiagnosticIndex, "no index", "CREATE INDEX")
	do(t, owner, table.Advice()[0].Text, `ANALYZE notificacao`)
	wantRemark(t, table, DiagnosticIndex, "the index notificacao_pending has the pending rows alone", "")
	wantRemark(t, table, DiagnosticPlan, "Index Scan using notificacao_pending", "")
	do(t, owner, `DROP INDEX notificacao_pending`, `CREATE INDEX s ON notificacao (cd_status)`)
	wantRemark(t, table, DiagnosticIndex, "the index s begins with CD_STATUS", "")
	wantRemark(t, table, DiagnosticCharset, "UTF8", "")
	wantRemark(t, table, DiagnosticClock, "agrees", "")
	wantRemark(t, table, DiagnosticPassword, "does not expire", "")

	// The server's zone matters where the table's times have none.
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	m := simple()
	m.SendAfter, m.Zone = "dt_envio", zone
	do(t, owner, `ALTER TABLE notificacao ADD dt_envio timestamptz`)
	wantRemark(t, at(t, dsn, m), DiagnosticClock, "agrees", "")
	do(t, owner, `ALTER TABLE notificacao ALTER dt_envio TYPE timestamp`)
	wantRemark(t, at(t, dsn, m), DiagnosticClock, "in America/Sao_Paulo (DB_TIMEZONE)", "set DB_TIMEZONE")
	wantRemark(t, at(t, dsn+"&timezone=America/Sao_Paulo", m), DiagnosticClock, "agrees", "")
}

func TestPostgresExpiringPassword(t *testing.T) {
	server := Postgres.Server(t)
	database := server.Database(t)
	owner := connect(t, database, postgresTable("bigint", "integer"), `CREATE ROLE expiring LOGIN PASSWORD 'x'`, `GRANT SELECT, UPDATE ON notificacao TO expiring`)
	for days, todo := range map[int]string{3: "set a new one in time", 40: ""} {
		do(t, owner, fmt.Sprintf(`ALTER ROLE expiring VALID UNTIL '%s'`, time.Now().Add(time.Duration(days)*24*time.Hour+time.Hour).UTC().Format("2006-01-02 15:04:05Z")))
		table := at(t, server.DSNAs("expiring", "x", ask(t, owner, `SELECT current_database()`)), simple())
		wantRemark(t, table, DiagnosticPassword, fmt.Sprintf("the password expires in %d days", days), todo)
	}
}

func TestPostgresKeeps(t *testing.T) {
	for encoding, todo := range map[string]bool{"UTF8": false, "LATIN1": false, "WIN1252": false, "SQL_ASCII": true, "KOI8R": true} {
		if r := postgresKeeps(encoding); (r.Hint != "") != todo || !strings.Contains(r.Message, encoding) {
			t.Errorf("%s: %+v", encoding, r)
		}
	}
}

func TestOracleKeeps(t *testing.T) {
	for charset, todo := range map[string]bool{"AL32UTF8": false, "UTF8": false, "WE8MSWIN1252": false, "WE8ISO8859P15": false, "US7ASCII": true, "EE8MSWIN1250": true} {
		if r := oracleKeeps(charset); (r.Hint != "") != todo || !strings.Contains(r.Message, charset) {
			t.Errorf("%s: %+v", charset, r)
		}
	}
}

// The two clocks are compared by what happened between question and answer.
func TestTimed(t *testing.T) {
	zone := time.FixedZone("Brasília", -3*60*60)
	begun := time.Date(2026, 11, 23, 13, 0, 0, 500e6, time.UTC)
	ended := begun.Add(2 * time.Second)
	dates := Layout{Columns: []Column{{Name: "QUANDO", Declared: "DATE"}}}
	for _, c := range []struct {
		utc, local string
		layout     Layout
		what       string
		fine       bool
	}{
		{"2026-11-23 13:00:00", "2026-11-23 10:00:00", dates, "agrees", true}, // whole seconds look older than they are
		{"2026-11-23 13:01:00", "2026-11-23 10:01:00", dates, "agrees", true},
		{"2026-11-23 12:58:00", "2026-11-23 09:58:00", dates, "2m1s behind", false},
		{"2026-11-23 13:05:02", "2026-11-23 10:05:02", dates, "ahead of", false},
		{"2026-11-23 13:00:01", "2026-11-23 13:00:01", dates, "it is 13:00 in the database and 10:00 in Brasília", false},
		{"2026-11-23 13:00:01", "2026-11-23 13:00:01", Layout{Columns: []Column{{Name: "QUANDO", Declared: "TIMESTAMP(6) WITH TIME ZONE"}}}, "agrees", true},
		{"2026-11-23 13:00:01", "2026-11-23 13:00:01", Layout{Columns: []Column{{Name: "QUANDO", Declared: "TEXT"}}}, "agrees", true},
	} {
		m, err := ParseMapping(Mapping{Table: "T", RowKey: "ID", Phone: "F", Status: "S", Pending: "1", SendAfter: "QUANDO", Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		c.layout.Matches = (&oracleDialect{}).Matches
		r, err := JudgeClock(m, c.layout, c.utc, c.local, begun, ended)
		if err != nil || !strings.Contains(r.Message, c.what) || (r.Hint == "") != c.fine {
			t.Errorf("%s, %s: %+v, %v; want %q", c.utc, c.local, r, err, c.what)
		}
	}
	if _, err := JudgeClock(&ParsedMapping{}, dates, "", "", begun, ended); err == nil {
		t.Error("a clock that tells nothing agrees")
	}
}
