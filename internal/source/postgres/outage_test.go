package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pombo"
	"pombo/internal/source"
	"pombo/test/postgrestest"
	"pombo/test/sourcetest"
)

// A statement that takes too long is ended on both sides, and it says so.
func TestPostgres_StatementTimeLimit(t *testing.T) {
	dsn, owner := company(t, postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1)`,
		`CREATE VIEW v AS SELECT n.id, nr_telefone, nm_contato, ds_mensagem, cd_status FROM notificacao AS n, pg_sleep(60) WHERE n.id > 0`)
	m := sourcetest.Defaults()
	m.Table = "v"
	table := within(t, dsn, m, 2*time.Second)
	_, err := table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "no answer within 2s", "index")

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err = table.Page(ctx, "", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the caller's deadline", err)
	}
	// The server's own limit, which ends what a killed program has left behind.
	short := sourcetest.With(Driver, func(d *dialect) source.Dialect {
		d.limits = limits{statement: time.Second, lock: time.Second}
		return d
	})
	table = openWith(t, source.Options{URL: dsn, Mapping: m, Timeout: 20 * time.Second}, short)
	_, err = table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "57014", "statement_timeout")
	// A shorter one of the DBA's stays.
	_, err = at(t, dsn+"&statement_timeout=100", m).Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "57014")
	// The cancelling is on its way when the caller has its error already.
	for until := time.Now().Add(10 * time.Second); ask(t, owner, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pombo' AND wait_event = 'PgSleep'`) != "0"; <-time.After(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("a statement still runs that its caller has given up")
		}
	}
}

// What the server undid because of others is done again.
func TestPostgres_RepeatsWhatTheServerUndid(t *testing.T) {
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

// The server is killed, stays away and comes back; then it is restarted in the
// usual way while nobody looks. Nothing is lost, and nobody has to do anything.
func TestPostgres_ServerGoesAway(t *testing.T) {
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
func TestPostgres_SessionEnded(t *testing.T) {
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
func TestPostgres_BehindPgBouncer(t *testing.T) {
	server := shared.Server(t)
	owner := connect(t, server.Database(t), postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) SELECT n, 1 FROM generate_series(1, 300) AS s (n)`)
	address := server.Pooler(t, 2)
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

func TestPostgres_LeavesNoGoroutine(t *testing.T) {
	shared.Server(t)
	ignore := goleak.IgnoreCurrent()
	dsn, owner := company(t, postgresTable("int", "int"))
	table := within(t, dsn, sourcetest.Defaults(), 2*time.Second)
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
