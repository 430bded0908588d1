package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pombo/internal/source"
	"pombo/test/sourcetest"
)

func TestPostgres_Inspect(t *testing.T) {
	dsn, owner := company(t, postgresTable("bigint", "integer"), `INSERT INTO notificacao (id, cd_status) SELECT n, 2 FROM generate_series(1, 100000) AS s (n)`, `ANALYZE notificacao`)
	table := at(t, dsn, sourcetest.Defaults())
	sourcetest.WantInspection(t, table, source.DiagnosticIndex, "no index of NOTIFICACAO begins with CD_STATUS", `CREATE INDEX CONCURRENTLY "notificacao_pending"`)
	sourcetest.WantInspection(t, table, source.DiagnosticPlan, "Seq Scan on notificacao t", "an index keeps it")
	do(t, owner, `CREATE INDEX other ON notificacao (id) WHERE cd_status = 2`, `CREATE INDEX expression ON notificacao (abs(cd_status))`)
	sourcetest.WantInspection(t, table, source.DiagnosticIndex, "no index", "CREATE INDEX")
	do(t, owner, table.Advice()[0].Text, `ANALYZE notificacao`)
	sourcetest.WantInspection(t, table, source.DiagnosticIndex, "the index notificacao_pending has the pending rows alone", "")
	sourcetest.WantInspection(t, table, source.DiagnosticPlan, "Index Scan using notificacao_pending", "")
	do(t, owner, `DROP INDEX notificacao_pending`, `CREATE INDEX s ON notificacao (cd_status)`)
	sourcetest.WantInspection(t, table, source.DiagnosticIndex, "the index s begins with CD_STATUS", "")
	sourcetest.WantInspection(t, table, source.DiagnosticCharset, "UTF8", "")
	sourcetest.WantInspection(t, table, source.DiagnosticClock, "agrees", "")
	sourcetest.WantInspection(t, table, source.DiagnosticPassword, "does not expire", "")

	// The server's zone matters where the table's times have none.
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	m := sourcetest.Defaults()
	m.SendAfter, m.Zone = "dt_envio", zone
	do(t, owner, `ALTER TABLE notificacao ADD dt_envio timestamptz`)
	sourcetest.WantInspection(t, at(t, dsn, m), source.DiagnosticClock, "agrees", "")
	do(t, owner, `ALTER TABLE notificacao ALTER dt_envio TYPE timestamp`)
	sourcetest.WantInspection(t, at(t, dsn, m), source.DiagnosticClock, "in America/Sao_Paulo (DB_TIMEZONE)", "set DB_TIMEZONE")
	sourcetest.WantInspection(t, at(t, dsn+"&timezone=America/Sao_Paulo", m), source.DiagnosticClock, "agrees", "")
}

func TestPostgres_ExpiringPassword(t *testing.T) {
	server := shared.Server(t)
	database := server.Database(t)
	owner := connect(t, database, postgresTable("bigint", "integer"), `CREATE ROLE expiring LOGIN PASSWORD 'x'`, `GRANT SELECT, UPDATE ON notificacao TO expiring`)
	for days, todo := range map[int]string{3: "set a new one in time", 40: ""} {
		do(t, owner, fmt.Sprintf(`ALTER ROLE expiring VALID UNTIL '%s'`, time.Now().Add(time.Duration(days)*24*time.Hour+time.Hour).UTC().Format("2006-01-02 15:04:05Z")))
		table := at(t, server.DSNAs("expiring", "x", ask(t, owner, `SELECT current_database()`)), sourcetest.Defaults())
		sourcetest.WantInspection(t, table, source.DiagnosticPassword, fmt.Sprintf("the password expires in %d days", days), todo)
	}
}

func TestPostgres_JudgesCharsets(t *testing.T) {
	for encoding, todo := range map[string]bool{"UTF8": false, "LATIN1": false, "WIN1252": false, "SQL_ASCII": true, "KOI8R": true} {
		if r := judgeCharset(encoding); (r.Hint != "") != todo || !strings.Contains(r.Message, encoding) {
			t.Errorf("%s: %+v", encoding, r)
		}
	}
}
