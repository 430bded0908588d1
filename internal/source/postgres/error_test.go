package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"pombo"
	"pombo/internal/source"
	"pombo/test/postgrestest"
	"pombo/test/sourcetest"
)

// What a new user gets wrong: each is one sentence with the fix, and Pombo can
// tell whether waiting helps.
func TestPostgresCheck(t *testing.T) {
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

func TestPostgresTableOfAnotherSchema(t *testing.T) {
	dsn, owner := company(t)
	schema := ask(t, owner, `SELECT current_schema()`)
	do(t, owner, `CREATE TABLE avisos_do_dia (id int)`)
	m := sourcetest.Defaults()
	m.Table = "AVISOS_DO_DIA"
	elsewhere, _, _ := strings.Cut(dsn, "&search_path")
	sourcetest.WantError(t, at(t, elsewhere, m).Check(t.Context()), true, "did you mean "+schema+".avisos_do_dia?")
}

func TestPostgresRights(t *testing.T) {
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
func TestPostgresUnreachable(t *testing.T) {
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
		{"nobody answers", "postgres://u:" + password + "@" + silent.Addr().String() + "/d?sslmode=disable", false, []string{"no connection to " + silent.Addr().String() + " within 300ms", "see whether the database runs"}},
		{"no such host", "postgres://u:" + password + "@nao-ha.invalid/d?sslmode=disable", false, []string{"nao-ha.invalid", "host"}},
		{"no TLS", strings.Replace(server.DSN("postgres"), "disable", "require", 1), true, []string{"TLS", "sslmode"}},
		{"no right to log in", server.DSNAs("pg_monitor", password, "postgres"), true, []string{"SQLSTATE 28"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			quick := sourcetest.With(Driver, func(d *dialect) source.Dialect {
				d.config.ConnectTimeout = 300 * time.Millisecond
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
func TestPostgresRefusals(t *testing.T) {
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
func TestPostgresServersWordsStayIn(t *testing.T) {
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

func TestPostgresMeaning(t *testing.T) {
	for code, want := range map[string]source.Class{
		"22026": source.Refused, "23P01": source.Refused, "P0001": source.Refused, "Z9001": source.Refused, "55P04": source.Permanent, "57P05": source.Transient, "40002": source.Transient,
		"F0000": source.Permanent, "": source.Permanent, "HV000": source.Permanent, "72000": source.Refused, "08006": source.Transient, "53400": source.Transient, "58030": source.Transient,
	} {
		if got := (&serverError{code: code}).meaning().class; got != want {
			t.Errorf("class of %q = %d, want %d", code, got, want)
		}
	}
}

// The owner keeps a row locked: the wait is bounded, and that row stays due. The
// owner locks the whole table: that is told as an error.
func TestPostgresRowLockedByItsOwner(t *testing.T) {
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

// A statement that takes too long is ended on both sides, and it says so.
func TestPostgresStatementTimeLimit(t *testing.T) {
	dsn, owner := company(t, postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1)`,
		`CREATE VIEW v AS SELECT n.id, nr_telefone, nm_contato, ds_mensagem, cd_status FROM notificacao AS n, pg_sleep(60) WHERE n.id > 0`)
	m := sourcetest.Defaults()
	m.Table = "v"
	table := within(t, dsn, m, 200*time.Millisecond)
	_, err := table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "no answer within 200ms", "index")

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err = table.Page(ctx, "", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the caller's deadline", err)
	}
	// The server's own limit, which ends what a killed program has left behind.
	short := sourcetest.With(Driver, func(d *dialect) source.Dialect {
		d.limits = limits{statement: 100 * time.Millisecond, lock: time.Second}
		return d
	})
	table = openWith(t, source.Options{URL: dsn, Mapping: m, Timeout: 20 * time.Second}, short)
	_, err = table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "57014", "statement_timeout")
	// A shorter one of the DBA's stays.
	_, err = at(t, dsn+"&statement_timeout=100", m).Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "57014")
	// The cancelling is on its way when the caller has its error already.
	for until := time.Now().Add(10 * time.Second); ask(t, owner, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pombo' AND wait_event = 'PgSleep'`) != "0"; {
		if time.Now().After(until) {
			t.Fatal("a statement still runs that its caller has given up")
		}
	}
}

// What the server undid because of others is done again.
func TestPostgresUndone(t *testing.T) {
	const raise = `CREATE SEQUENCE tries; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF nextval(''tries'') < %d THEN RAISE %s; END IF; RETURN NEW; END'; CREATE TRIGGER f BEFORE UPDATE ON notificacao FOR EACH ROW EXECUTE FUNCTION f()`
	for _, c := range []struct {
		condition string
		times     int
		err       bool
	}{{"serialization_failure", attempts, false}, {"deadlock_detected", attempts, false}, {"deadlock_detected", 1000, true}} {
		dsn, _ := company(t, postgresTable("int", "int"), fmt.Sprintf(raise, c.times, c.condition), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1)`)
		_, err := at(t, dsn, sourcetest.Defaults()).Settle(t.Context(), move("1", "2", "1"))
		if c.err {
			sourcetest.WantError(t, err, false, "write statuses")
		} else if err != nil {
			t.Errorf("%s %d times: %v", c.condition, c.times-1, err)
		}
	}
}

// Two that write the same rows in other orders, at every level of isolation.
func TestPostgresIsolation(t *testing.T) {
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

// The server is killed, stays away and comes back; then it is restarted in the
// usual way while nobody looks. Nothing is lost, and nobody has to do anything.
func TestPostgresServerGoesAway(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{})
	connect(t, server.DSN("postgres"), postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) SELECT n, 1 FROM generate_series(1, 4) AS s (n)`)
	// In the middle of a settle: the trigger's row makes it look by halves.
	if err := server.Exec(t.Context(), "postgres", `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''não''; END'`,
		`CREATE TRIGGER f BEFORE UPDATE ON notificacao FOR EACH ROW WHEN (OLD.id = 4) EXECUTE FUNCTION f()`); err != nil {
		t.Fatal(err)
	}
	var updates, idle atomic.Int64
	opts := source.Options{
		URL: server.DSN("postgres"), Mapping: sourcetest.Defaults(), Timeout: 5 * time.Second,
		Now: func() time.Time { return time.Now().Add(time.Duration(idle.Load())) },
	}
	table := openWith(t, opts, sourcetest.Trace(Driver, func(text string) {
		if strings.HasPrefix(text, "UPDATE") && updates.Add(1) == 3 { // all four, the first half, the second
			server.Kill()
		}
	}))
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch := move("1", "2", "1", "2", "3", "4")
	if got, want := results(t, table, batch), "settled settled due due"; got != want {
		t.Errorf("results = %s, want %s", got, want)
	}
	table = openWith(t, opts, Driver)
	_, err := table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "refused", "see whether the database runs")
	_, err = table.Settle(t.Context(), batch)
	sourcetest.WantError(t, err, false, "refused")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if got, want := results(t, table, batch), "settled settled settled refused"; got != want {
		t.Errorf("results afterwards = %s, want %s", got, want)
	}
	// A connection that lies idle finds the restart out before it is used.
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	idle.Store(int64(time.Minute))
	if got := sourcetest.Keys(t, table); len(got) != 1 {
		t.Errorf("keys after a restart = %v, want the one that was refused", got)
	}
}

// The DBA ends our session in the middle of a statement.
func TestPostgresSessionEnded(t *testing.T) {
	dsn, owner := company(t, postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1)`)
	table := at(t, dsn, sourcetest.Defaults())
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	lock, err := owner.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(t.Context(), `LOCK TABLE notificacao`); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := table.Settle(t.Context(), move("1", "2", "1"))
		ended <- err
	}()
	for n := "0"; n == "0"; {
		n = ask(t, owner, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pombo' AND wait_event_type = 'Lock'`)
	}
	sourcetest.WantError(t, <-ended, false, "57P01", "is being stopped")
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := results(t, table, move("1", "2", "1")); got != "settled" {
		t.Errorf("result = %s, want settled", got)
	}
}

// A real pooler, with one session for all of us, cleaned after every
// transaction.
func TestPostgresBehindPgBouncer(t *testing.T) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if _, err = os.Stat("/usr/sbin/pgbouncer"); err != nil {
			t.Skip("skipped: PgBouncer is not installed (Debian: apt-get install pgbouncer)")
		}
		program = "/usr/sbin/pgbouncer"
	}
	server := shared.Server(t)
	host, port, _ := strings.Cut(server.Address(), ":")
	owner := connect(t, server.Database(t), postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) SELECT n, 1 FROM generate_series(1, 300) AS s (n)`)
	address := postgrestest.Pooler(t, program, fmt.Sprintf("* = host=%s port=%s user=%s password='%s' pool_size=2", host, port, postgrestest.User, postgrestest.Password))
	table := at(t, "postgres://pombo:x@"+address+"/"+ask(t, owner, `SELECT current_database()`)+"?sslmode=disable", sourcetest.Defaults())
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for w := range 8 {
		go func() {
			var err error
			for n := w*30 + 1; n <= w*30+30 && err == nil; n++ {
				var got []pombo.Settled
				if got, err = table.Settle(t.Context(), move("1", "2", fmt.Sprint(n))); err == nil && got[0].Result != pombo.SettleDone {
					err = fmt.Errorf("row %d is %s: %s", n, got[0].Result, got[0].Detail)
				}
				if err == nil {
					_, err = table.Page(t.Context(), "", 10)
				}
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := ask(t, owner, `SELECT count(*) FROM notificacao WHERE cd_status = 2`); n != "240" {
		t.Errorf("%s rows are settled, want 240", n)
	}
	// The owner's own session is one of them; the pooler has one or two.
	if n := ask(t, owner, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()`); n != "2" && n != "3" {
		t.Errorf("%s sessions, want 2 or 3", n)
	}
}

func TestPostgresLeavesNoGoroutine(t *testing.T) {
	shared.Server(t)
	ignore := goleak.IgnoreCurrent()
	dsn, owner := company(t, postgresTable("int", "int"))
	table := within(t, dsn, sourcetest.Defaults(), 200*time.Millisecond)
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx, err := owner.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE notificacao`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := table.Page(ctx, "", 1); err == nil {
		t.Error("a locked table is read")
	}
	for _, end := range []func() error{tx.Rollback, owner.Close, table.Close} {
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	goleak.VerifyNone(t, ignore)
}
