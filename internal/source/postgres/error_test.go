package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pombo"
	"pombo/internal/source"
	"pombo/test/sourcetest"
)

// What a new user gets wrong: each is one sentence with the fix, and Pombo can
// tell whether waiting helps.
func TestPostgres_Check(t *testing.T) {
	table := postgresTable("int", "int")
	for _, c := range []struct {
		name  string
		setup []string
		mod   func(*source.Mapping)
		want  []string
	}{
		{"no such table", []string{`CREATE TABLE notificacoes (id int)`}, nil, []string{"no such table", "did you mean notificacoes?", "DB_TABLE"}},
		{"in another case", []string{`CREATE TABLE "NOTIFICACAO" (id int)`}, nil, []string{`did you mean "NOTIFICACAO"?`}},
		{"no such schema", nil, func(m *source.Mapping) { m.Table = "nao_ha.notificacao" }, []string{"no such table"}},
		{
			"missing columns", []string{`CREATE TABLE notificacao (id int, "NR_TELEFONE" text, ds_mensagem text, cd_status int)`}, nil,
			[]string{`no column NR_TELEFONE; did you mean "NR_TELEFONE"? (DB_COL_PHONE)`, `no column NM_CONTATO; there are id, "NR_TELEFONE", ds_mensagem, cd_status (DB_COL_PARAMS)`},
		},
		{"a code of another type", []string{table}, func(m *source.Mapping) { m.Codes = []string{"S"} }, []string{`holds numbers (integer) and the code "S" is not a number`}},
		{"a code that an enum lacks", []string{`CREATE TYPE estado AS ENUM ('P', 'E')`, postgresTable("int", "estado")}, nil, []string{"another type than the new value or code", "22P02"}},
		{"codes of a boolean", []string{postgresTable("int", "boolean")}, nil, []string{`the code "1" is neither true nor false`}},
		{"keys of times", []string{postgresTable("timestamp", "int")}, nil, []string{"id is of type timestamp without time zone; map a key of whole numbers, of text or of UUIDs (DB_COL_ID)"}},
		{"a view that cannot be updated", []string{table, `CREATE VIEW v AS SELECT DISTINCT * FROM notificacao`}, func(m *source.Mapping) { m.Table = "v" }, []string{"write to v", "cannot be changed", "INSTEAD OF UPDATE"}},
		{"a computed column of a view", []string{table, `CREATE VIEW v AS SELECT id, nr_telefone, nm_contato, ds_mensagem, cd_status + 0 AS cd_status FROM notificacao`}, func(m *source.Mapping) { m.Table = "v" }, []string{"write to v", "INSTEAD OF UPDATE"}},
		{"a materialized view", []string{table, `CREATE MATERIALIZED VIEW v AS SELECT * FROM notificacao`}, func(m *source.Mapping) { m.Table = "v" }, []string{"write to v", "cannot be changed", "map the table itself"}},
		{"a generated column", []string{postgresTable("int", "int GENERATED ALWAYS AS (1) STORED")}, nil, []string{"CD_STATUS is computed"}},
		{"an identity column", []string{postgresTable("int", "int GENERATED ALWAYS AS IDENTITY")}, nil, []string{"CD_STATUS is computed"}},
		{"an error column that may not be empty", []string{table, `ALTER TABLE notificacao ADD COLUMN ds_erro text NOT NULL DEFAULT ''`}, func(m *source.Mapping) { m.Error = "DS_ERRO" }, []string{"DS_ERRO is NOT NULL", "DB_COL_ERROR"}},
		{"a server that takes no writes", []string{table, `SET default_transaction_read_only = on`}, nil, []string{"write to NOTIFICACAO", "read-only standby", "target_session_attrs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var dsn string
			if last := len(c.setup) - 1; last >= 0 && strings.HasPrefix(c.setup[last], "SET ") {
				dsn, _ = company(t, c.setup[:last]...)
				dsn += "&default_transaction_read_only=on"
			} else {
				dsn, _ = company(t, c.setup...)
			}
			m := sourcetest.Defaults()
			if c.mod != nil {
				c.mod(&m)
			}
			sourcetest.WantError(t, at(t, dsn, m).Check(t.Context()), true, c.want...)
		})
	}
}

func TestPostgres_TableOfAnotherSchema(t *testing.T) {
	dsn, owner := company(t)
	schema := ask(t, owner, `SELECT current_schema()`)
	do(t, owner, `CREATE TABLE avisos_do_dia (id int)`)
	m := sourcetest.Defaults()
	m.Table = "AVISOS_DO_DIA"
	elsewhere, _, _ := strings.Cut(dsn, "&search_path")
	sourcetest.WantError(t, at(t, elsewhere, m).Check(t.Context()), true, "did you mean "+schema+".avisos_do_dia?")
}

func TestPostgres_Rights(t *testing.T) {
	server := shared.Server(t)
	owner := connect(t, server.Database(t), postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1)`, `CREATE ROLE leitor LOGIN PASSWORD 'x'`)
	t.Cleanup(func() {
		for _, text := range []string{`DROP OWNED BY leitor`, `DROP ROLE leitor`} {
			if _, err := owner.Exec(text); err != nil {
				t.Error(err)
			}
		}
	})
	table := at(t, server.DSNAs("leitor", "x", ask(t, owner, `SELECT current_database()`)), sourcetest.Defaults())
	const grant = `as the table's owner run GRANT SELECT ("id", "nr_telefone", "nm_contato", "ds_mensagem", "cd_status"), UPDATE ("cd_status") ON "notificacao" TO "leitor"`
	sourcetest.WantError(t, table.Check(t.Context()), true, "read pending rows of NOTIFICACAO", "write to NOTIFICACAO", grant)
	do(t, owner, `GRANT SELECT ON notificacao TO leitor`)
	err := table.Check(t.Context())
	sourcetest.WantError(t, err, true, "write to NOTIFICACAO", grant)
	if strings.Contains(err.Error(), "read pending") {
		t.Errorf("the account may read: %v", err)
	}
	if got := sourcetest.Keys(t, table); len(got) != 1 {
		t.Errorf("keys = %v: reading must go on", got)
	}
	got, err := table.Settle(t.Context(), move("1", "2", "1"))
	sourcetest.WantError(t, err, true, "write statuses to NOTIFICACAO", grant)
	if got[0].Result != pombo.SettleLater {
		t.Errorf("result = %s, want due", got[0].Result)
	}
	do(t, owner, strings.TrimPrefix(grant, "as the table's owner run "))
	if got := results(t, table, move("1", "2", "1")); got != "settled" {
		t.Errorf("result = %s, want settled", got)
	}
}

// The way there: each fault says what to look at.
func TestPostgres_Unreachable(t *testing.T) {
	server := shared.Server(t)
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	const password = "s3nha-errada"
	for _, c := range []struct {
		name, dsn string
		permanent bool
		want      []string
	}{
		{"a wrong password", server.DSNAs("postgres", password, "postgres"), true, []string{"refuses the password (SQLSTATE 28P01)", "DB_URL"}},
		{"no such user", server.DSNAs("ninguem", password, "postgres"), true, []string{"28P01"}},
		{"no such database", server.DSN("nao_ha"), true, []string{"no such database (SQLSTATE 3D000)", "DB_URL"}},
		{"nobody listens", "postgres://u:" + password + "@127.0.0.1:1/d?sslmode=disable", false, []string{"connect as u to d", "127.0.0.1:1", "refused", "tried again by itself"}},
		{"nobody answers", "postgres://u:" + password + "@" + silent.Addr().String() + "/d?sslmode=disable", false, []string{"no connection to " + silent.Addr().String() + " within 2s", "see whether the database runs"}},
		{"no such host", "postgres://u:" + password + "@nao-ha.invalid/d?sslmode=disable", false, []string{"nao-ha.invalid", "host"}},
		{"no TLS", strings.Replace(server.DSN("postgres"), "disable", "require", 1), true, []string{"TLS", "sslmode"}},
		{"no right to log in", server.DSNAs("pg_monitor", password, "postgres"), true, []string{"SQLSTATE 28"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			quick := sourcetest.With(Driver, func(d *dialect) source.Dialect {
				d.config.ConnectTimeout = 2 * time.Second
				return d
			})
			table := openWith(t, source.Options{URL: c.dsn, Mapping: sourcetest.Defaults(), Timeout: time.Minute}, quick)
			err := table.Check(t.Context())
			sourcetest.WantError(t, err, c.permanent, c.want...)
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has the password or several lines: %q", err)
			}
		})
	}
}

// What refuses a row is named by its kind; the rows beside it are settled.
func TestPostgres_RefusedRows(t *testing.T) {
	trigger := func(raise string) string {
		return `; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ` + raise + `; RETURN NEW; END'; CREATE TRIGGER f BEFORE UPDATE ON notificacao FOR EACH ROW WHEN (OLD.id = 2) EXECUTE FUNCTION f()`
	}
	plain := postgresTable("int", "int")
	for _, c := range []struct{ name, table, want string }{
		{"a check", postgresTable("int", "int") + `; ALTER TABLE notificacao ADD CONSTRAINT ck_status CHECK (id <> 2 OR cd_status < 2)`, "a CHECK of the table refuses the new values (SQLSTATE 23514): ck_status"},
		{"a unique index", plain + `; CREATE UNIQUE INDEX u ON notificacao (cd_status) WHERE id IN (2, 9)`, "a unique index"},
		{"a foreign key", plain + `; CREATE TABLE codigo (n int, id int, PRIMARY KEY (n, id)); INSERT INTO codigo VALUES (1,1),(1,2),(1,3),(2,1),(2,3),(2,9); ALTER TABLE notificacao ADD FOREIGN KEY (cd_status, id) REFERENCES codigo`, "a foreign key"},
		{"a trigger", plain + trigger(`RAISE EXCEPTION ''Maria da Silva deve''`), "a trigger"},
		{"a trigger with a code of its own", plain + trigger(`RAISE EXCEPTION ''Maria da Silva deve'' USING ERRCODE = ''Z9001'', CONSTRAINT = ''Maria''`), "a trigger"},
		{"a trigger that fails", plain + trigger(`PERFORM ''Maria''::int`), "another type"},
		{"a trigger that divides by zero", plain + trigger(`PERFORM 1 / (OLD.id - 2)`), "22012"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dsn, _ := company(t, c.table, `INSERT INTO notificacao (id, nm_contato, cd_status) VALUES (1, 'Maria', 1), (2, 'Maria', 1), (3, 'Maria', 1), (9, 'Maria', 2)`)
			got, err := at(t, dsn, sourcetest.Defaults()).Settle(t.Context(), move("1", "2", "1", "2", "3"))
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Result != pombo.SettleDone || got[2].Result != pombo.SettleDone {
				t.Errorf("the other rows are %s and %s, want settled", got[0].Result, got[2].Result)
			}
			if got[1].Result != pombo.SettleRefused || !strings.Contains(got[1].Detail, c.want) || strings.Contains(got[1].Detail, "Maria") {
				t.Errorf("row 2 is %s (%s), want refused by %s", got[1].Result, got[1].Detail, c.want)
			}
		})
	}
}

// Nothing that the server says gets into an error, wherever one looks.
func TestPostgres_ErrorsHideTheServersWords(t *testing.T) {
	const secret = "Maria da Silva"
	for code := range codes {
		code += "000"[:5-len(code)]
		said := &pgconn.PgError{Severity: secret, Message: secret, Detail: secret, Hint: secret, Where: secret, Code: code, ConstraintName: secret, ColumnName: secret, InternalQuery: secret}
		for _, cause := range []error{said, fmt.Errorf("x: %w", said), errors.Join(errors.New("x"), said)} {
			fault := sanitize(cause)
			broken := sourcetest.With(Driver, func(d *dialect) source.Dialect { return brokenDialect{d, fault} })
			_, err := openWith(t, source.Options{URL: "postgres://u@127.0.0.1:1/d", Mapping: sourcetest.Defaults()}, broken).Page(t.Context(), "", 1)
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", errors.Unwrap(err)), (&dialect{mapping: &source.ParsedMapping{}, config: &pgconn.Config{}}).Explain(fault).Detail} {
				if strings.Contains(text, "Maria") {
					t.Errorf("%s: the error gives the server's words away: %s", code, text)
				}
			}
			if errors.As(err, new(*pgconn.PgError)) {
				t.Errorf("%s: the server's error can be reached", code)
			}
			if !strings.Contains(err.Error(), code) {
				t.Errorf("%s is not in the error: %v", code, err)
			}
		}
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

func TestPostgres_ClassesOfCodes(t *testing.T) {
	for code, want := range map[string]source.Class{
		"22026": source.Refused, "23P01": source.Refused, "P0001": source.Refused, "Z9001": source.Refused, "55P04": source.Permanent, "57P05": source.Transient, "40002": source.Transient,
		"F0000": source.Permanent, "": source.Permanent, "HV000": source.Permanent, "72000": source.Refused, "08006": source.Transient, "53400": source.Transient, "58030": source.Transient,
	} {
		if got := (&serverError{code: code}).meaning().class; got != want {
			t.Errorf("class of %q = %d, want %d", code, got, want)
		}
	}
}

// The owner keeps a row locked: the wait is bounded, and that row stays due. The owner
// locks the whole table: that is an error.
func TestPostgres_LockedByItsOwner(t *testing.T) {
	dsn, owner := company(t, postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1), (2, 1)`)
	table := within(t, dsn, sourcetest.Defaults(), time.Second)
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx, err := owner.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE notificacao SET nm_contato = 'x' WHERE id = 1`); err != nil {
		t.Fatal(err)
	}
	got, err := table.Settle(t.Context(), move("1", "2", "1", "2"))
	if err != nil || got[0].Result != pombo.SettleLater || got[1].Result != pombo.SettleDone || !strings.Contains(got[0].Detail, "somebody holds a lock") {
		t.Errorf("answers = %+v, %v; want the first due because of a lock, the second settled", got, err)
	}
	if got := sourcetest.Keys(t, table); len(got) != 1 {
		t.Errorf("keys = %v: reading waits for no row", got)
	}
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE notificacao IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	got, err = table.Settle(t.Context(), move("1", "2", "1", "2"))
	sourcetest.WantError(t, err, false, "write statuses to NOTIFICACAO", "holds a lock", "tried again by itself")
	if got[0].Result != pombo.SettleLater || got[1].Result != pombo.SettleLater {
		t.Errorf("results = %s, %s; want due", got[0].Result, got[1].Result)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := results(t, table, move("1", "2", "1", "2")); got != "settled settled" {
		t.Errorf("results = %s", got)
	}
	if n := ask(t, owner, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pombo' AND state <> 'idle'`); n != "0" {
		t.Errorf("%s sessions are not idle: something is left open", n)
	}
}

// Two that write the same rows in other orders, at every level of isolation.
func TestPostgres_IsolationLevels(t *testing.T) {
	for _, level := range []string{"read%20committed", "repeatable%20read", "serializable"} {
		dsn, owner := company(t, postgresTable("int PRIMARY KEY", "int"), `INSERT INTO notificacao (id, cd_status) SELECT n, 1 FROM generate_series(1, 200) AS s (n)`)
		table := at(t, dsn+"&default_transaction_isolation="+level, sourcetest.Defaults())
		keys := make([]string, 200)
		for i := range keys {
			keys[i] = fmt.Sprint(i + 1)
		}
		errs := make(chan error)
		for w := range 4 {
			go func() {
				_, err := table.Settle(t.Context(), move("1", "2", append(keys[w*50:], keys[:w*50]...)...))
				errs <- err
			}()
		}
		for range 4 {
			if err := <-errs; err != nil {
				t.Errorf("%s: %v", level, err)
			}
		}
		if n := ask(t, owner, `SELECT count(*) FROM notificacao WHERE cd_status = 2`); n != "200" {
			t.Errorf("%s: %s rows are settled, want 200", level, n)
		}
	}
}
