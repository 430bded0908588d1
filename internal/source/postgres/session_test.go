package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"pombo/internal/source"
	"pombo/test/postgrestest"
	"pombo/test/sourcetest"
)

// The server's own log is held against what the table says it runs.
func TestPostgres_RunsWhatTheTableLists(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{Settings: []string{"log_statement=all", "log_line_prefix=%a|", "log_connections=on"}})
	owner := connect(t, server.DSN("postgres"), postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1), (2, 1)`)
	table := at(t, server.DSN("postgres"), sourcetest.Defaults())
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys := sourcetest.Keys(t, table)
	if _, err := table.Row(t.Context(), keys[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Page(t.Context(), keys[0], 10); err != nil {
		t.Fatal(err)
	}
	results(t, table, move("1", "2", "1", "2", "3"))
	for _, a := range table.Diagnostics() {
		if _, err := table.Inspect(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	do(t, owner, `ALTER TABLE notificacao RENAME TO outra`)
	sourcetest.WantError(t, table.Check(t.Context()), true, "no such table")
	listed := map[string]bool{}
	for _, s := range table.SQL() {
		listed[s.Text] = true
	}
	seen, foreign := map[string]bool{}, 0
	for line := range strings.Lines(server.Log()) {
		ours, isOurs := strings.CutPrefix(strings.TrimSpace(line), "pombo|LOG:  ")
		if !isOurs || strings.HasPrefix(ours, "connection ") {
			continue
		}
		if _, ours, isOurs = strings.Cut(ours, "execute <unnamed>: "); !isOurs || !listed[ours] {
			t.Errorf("SQL does not list %q", line)
			foreign++
		}
		seen[ours] = true
	}
	if want := len(listed) - 2; len(seen) != want || foreign > 0 { // neither a ping nor a standby
		t.Errorf("the log has %d of the statements, want %d:\n%s", len(seen), want, server.Log())
	}
}

// A pooler may give the session to anybody after each statement.
func TestPostgres_LeavesNothingInTheSession(t *testing.T) {
	dsn, _ := company(t, postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1)`)
	var conns []*session
	one := sourcetest.With(Driver, func(d *dialect) source.Dialect { return oneSession{d, &conns} })
	table := openWith(t, source.Options{URL: dsn, Mapping: sourcetest.Defaults(), Timeout: 20 * time.Second}, one)
	session := func() string {
		t.Helper()
		if len(conns) != 1 {
			t.Fatalf("%d sessions, want 1", len(conns))
		}
		pg := conns[0].pg
		r, err := pg.Exec(t.Context(), `SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) || ' ' || (SELECT count(*) FROM pg_prepared_statements) FROM pg_settings WHERE source = 'session' OR name ~ '_timeout$'`).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return string(r[0].Rows[0][0]) + string(pg.TxStatus())
	}
	if _, err := table.Statuses(t.Context(), []string{"1"}); err != nil { // connects
		t.Fatal(err)
	}
	before := session()
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	results(t, table, move("1", "2", sourcetest.Keys(t, table)...))
	if _, err := table.Settle(t.Context(), move("2", "no status", "1")); err != nil {
		t.Fatal(err)
	}
	if after := session(); after != before {
		t.Errorf("the session is %s\nand was      %s", after, before)
	}
}

// oneSession keeps one session in the pool, and remembers those that it has made.
type oneSession struct {
	*dialect
	conns *[]*session
}

func (d oneSession) Pool(db *sql.DB) { db.SetMaxOpenConns(1) }

func (d oneSession) Connector() (driver.Connector, error) {
	c, err := d.dialect.Connector()
	return remembering{c, d.conns}, err
}

type remembering struct {
	driver.Connector
	conns *[]*session
}

func (c remembering) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err == nil {
		*c.conns = append(*c.conns, conn.(*session))
	}
	return conn, err
}
