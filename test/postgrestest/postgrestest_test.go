package postgrestest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask returns the one value of a query.
func ask(t *testing.T, dsn, query string) (string, error) {
	t.Helper()
	return askOne(t.Context(), dsn, query)
}

func want(t *testing.T, dsn, query, want string) {
	t.Helper()
	if got, err := ask(t, dsn, query); err != nil || got != want {
		t.Errorf("%s = %q, %v; want %q", query, got, err, want)
	}
}

func TestServer(t *testing.T) {
	s := Start(t, Options{Settings: []string{"log_statement=all"}})
	first, second := s.Database(t), s.Database(t, "ENCODING 'LATIN1'")
	for _, text := range []string{"CREATE TABLE t (n integer)", "INSERT INTO t VALUES (7)"} {
		if err := s.Exec(t.Context(), "test_1", text); err != nil {
			t.Fatal(err)
		}
	}
	want(t, first, "SELECT n FROM t", "7")
	want(t, second, "SHOW server_encoding", "LATIN1")
	want(t, second, "SELECT count(*) FROM pg_class WHERE relname = 't'", "0")
	want(t, first, "SHOW fsync", "off")
	want(t, first, "SHOW listen_addresses", "127.0.0.1")
	if !strings.Contains(s.Log(), "INSERT INTO t VALUES (7)") {
		t.Error("the log has no statement: the settings have no effect")
	}
	_, err := ask(t, s.DSNAs(User, "wrong", "test_1"), "SELECT 1")
	if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "28P01" {
		t.Errorf("a wrong password: %v, want SQLSTATE 28P01", err)
	}

	address := s.Address()
	s.Kill()
	if _, err := ask(t, first, "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	want(t, first, "SELECT n FROM t", "7")
	if !strings.Contains(s.Log(), "not properly shut down") {
		t.Error("the killed server did not recover: it was not killed")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	want(t, first, "SELECT n FROM t", "7")
	if s.Address() != address {
		t.Errorf("address = %s, want still %s", s.Address(), address)
	}
}

// Two packages' tests run at the same time.
func TestServer_BesideAnother(t *testing.T) {
	var shared Shared
	a, b := Start(t, Options{Durable: true}), shared.Server(t)
	if shared.Server(t) != b {
		t.Error("a shared server is started twice")
	}
	if a.Address() == b.Address() || a.folder == b.folder {
		t.Errorf("two servers share %s in %s", a.Address(), a.folder)
	}
	want(t, a.Database(t), "SHOW fsync", "on")
	want(t, shared.Database(t), "SHOW fsync", "off")
	want(t, shared.Schema(t), "SELECT current_schema()", "test_2")
	if err := shared.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left behind: %v", err)
	}
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.Address()); err == nil {
		c.Close()
		t.Error("the server still listens")
	}
}

// A port that somebody takes in the last moment is not the end.
func TestServer_PortTaken(t *testing.T) {
	s := Start(t, Options{})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	s.port = taken
	if err := s.start(true); err != nil {
		t.Fatal(err)
	}
	if s.port == taken {
		t.Errorf("the server took port %d, which was taken", taken)
	}
}

func TestMissing(t *testing.T) {
	for _, c := range []struct {
		ci   string
		skip bool
	}{{"", true}, {"false", true}, {"true", false}} {
		t.Setenv("CI", c.ci)
		tb := &verdict{TB: t, ended: make(chan struct{})}
		go func() { defer close(tb.ended); missing(tb, ErrNotInstalled) }()
		<-tb.ended
		if tb.skipped != c.skip || !strings.Contains(tb.sentence, "apt-get install postgresql") {
			t.Errorf("with CI=%q: skipped = %t, %q; want %t and what to do", c.ci, tb.skipped, tb.sentence, c.skip)
		}
	}
}

// verdict is a test that only records how it ended.
type verdict struct {
	testing.TB

	ended    chan struct{}
	skipped  bool
	sentence string
}

func (v *verdict) Helper() {}

func (v *verdict) Skip(args ...any) {
	v.skipped, v.sentence = true, fmt.Sprint(args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.sentence = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// TestStandby: a standby has what was committed on the server that waits for it,
// takes writes once it is promoted, and a frozen server resumes where it stopped.
func TestStandby(t *testing.T) {
	primary := Start(t, Options{})
	standby := primary.Standby(t, true)
	if err := primary.Exec(t.Context(), "postgres", `CREATE TABLE t (n int)`, `SET synchronous_commit = remote_apply; INSERT INTO t VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	want(t, standby.DSN("postgres"), `SELECT count(*) FROM t`, "1")
	primary.Freeze(t)
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := standby.Exec(t.Context(), "postgres", `INSERT INTO t VALUES (2)`); err != nil {
		t.Fatal(err)
	}
	primary.Wake()
	want(t, primary.DSN("postgres"), `SELECT count(*) FROM t`, "1")
	want(t, standby.DSN("postgres"), `SELECT count(*) FROM t`, "2")
}

// TestDetach: a standby that was cut off lacks what is committed from then on.
func TestDetach(t *testing.T) {
	primary := Start(t, Options{})
	standby := primary.Standby(t, false)
	if err := primary.Exec(t.Context(), "postgres", `CREATE TABLE t (n int)`, `INSERT INTO t VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	if err := standby.until(t.Context(), `SELECT count(*) FROM pg_class WHERE relname = 't'`, "1"); err != nil {
		t.Fatal(err)
	}
	if err := standby.until(t.Context(), `SELECT count(*) FROM t`, "1"); err != nil {
		t.Fatal(err)
	}
	if err := standby.Detach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := primary.Exec(t.Context(), "postgres", `INSERT INTO t VALUES (2)`); err != nil {
		t.Fatal(err)
	}
	primary.Kill()
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, standby.DSN("postgres"), `SELECT count(*) FROM t`, "1")
}
