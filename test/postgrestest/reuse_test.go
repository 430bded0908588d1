package postgrestest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestReuse: the next test finds a database as it was filled, though another one has used it,
// and a session that knows nothing of before.
func TestReuse(t *testing.T) {
	s := Start(t, Options{})
	fill := func(ctx context.Context, _ string) error {
		return s.Exec(ctx, "filled", `CREATE TABLE t (n int GENERATED ALWAYS AS IDENTITY, s text)`, `INSERT INTO t (s) VALUES ('one')`,
			`CREATE TABLE large (s text)`, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$`,
			`CREATE TRIGGER refuse BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION refuse()`)
	}
	backends := map[string]bool{}
	for _, end := range []string{
		`INSERT INTO t (s) VALUES ('two'), ('three'); UPDATE t SET s = 'x'`,
		`INSERT INTO large SELECT repeat('x', 1000) FROM generate_series(1, 1000)`,
		`SET application_name = 'left over'; PREPARE left_over AS SELECT 1; SELECT pg_advisory_lock(1); CREATE TEMP TABLE t (n int)`,
		`BEGIN; LOCK TABLE t`, // and this session is not used again
		`SELECT 1`,
	} {
		t.Run(end, func(t *testing.T) {
			dsn := s.Reuse(t, "filled", fill)
			want(t, dsn, `SELECT string_agg(n || s, ',') || (SELECT count(*) FROM large) FROM t`, "1one0")
			want(t, dsn, `INSERT INTO t (s) VALUES ('next') RETURNING n`, "2")
			want(t, dsn, `SELECT count(*) FROM pg_prepared_statements`, "0")
			want(t, dsn, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'`, "0")
			want(t, dsn, `SHOW application_name`, "")
			conn, err := pgconn.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			pid := conn.ExecParams(t.Context(), `SELECT pg_backend_pid()`, nil, nil, nil, nil).Read()
			if pid.Err != nil {
				t.Fatal(pid.Err)
			}
			backends[string(pid.Rows[0][0])] = true
			if _, err := conn.Exec(t.Context(), end).ReadAll(); err != nil {
				t.Error(err)
			}
		})
	}
	if s.reuse.pooler != nil && len(backends) > 3 {
		t.Errorf("%d processes of the server, want that they are used again", len(backends))
	}
}

// TestReuse_Cancel: who cancels a statement reaches the session that it was lent.
func TestReuse_Cancel(t *testing.T) {
	s := Start(t, Options{})
	dsn := s.Reuse(t, "filled", func(context.Context, string) error { return nil })
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	ended := make(chan error)
	go func() {
		_, err := conn.Exec(context.Background(), `SELECT pg_sleep(60)`).ReadAll()
		ended <- err
	}()
	if err := s.until(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`, "1"); err != nil {
		t.Fatal(err)
	}
	if err := conn.CancelRequest(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the statement was not cancelled")
	}
}

// TestReuse_Cut: who goes on after its test does not reach the next one.
func TestReuse_Cut(t *testing.T) {
	s := Start(t, Options{})
	fill := func(context.Context, string) error { return s.Exec(t.Context(), "filled", `CREATE TABLE t (n int)`) }
	dsn := s.Reuse(t, "filled", fill)
	if s.reuse.pooler == nil {
		t.Skip("skipped: " + errNoPooler.Error())
	}
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := s.reuse.pooler.cut(t.Context(), "nobody", 0); err != nil {
		t.Errorf("a database that nobody has: %v", err)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO t VALUES (1)`).ReadAll(); err != nil {
		t.Error(err)
	}
	if err := s.reuse.pooler.cut(t.Context(), "test_1", 0); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO t VALUES (2)`).ReadAll(); err == nil {
		t.Error("a session that was cut goes on")
	}
	want(t, dsn, `SELECT count(*) FROM t`, "1")
}
