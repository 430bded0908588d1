package postgrestest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Pooler starts PgBouncer in front of databases and returns its host:port. program is its
// path, databases the content of its [databases] section. It is in the mode in which every
// transaction may get another session, and resets the session after each, so that a test
// notices what relies on one. It asks for no password.
func Pooler(tb testing.TB, program, databases string) (address string) {
	tb.Helper()
	folder, err := os.MkdirTemp("", "pombo-pgbouncer-") //nolint:usetesting // the test's own folder is closed to other accounts
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(folder) })
	port, err := freePort()
	if err != nil {
		tb.Fatal(err)
	}
	config := filepath.Join(folder, "pgbouncer.ini")
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	text := "[databases]\n" + databases + "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n" +
		"server_reset_query = DISCARD ALL\nserver_reset_query_always = 1\nlisten_port = " + strconv.Itoa(port) + "\n"
	if err := errors.Join(handOver(folder), writeFor(config, text)); err != nil {
		tb.Fatal(err)
	}
	p, err := run(program, []string{config}, folder, filepath.Join(folder, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.end)
	for {
		c, err := new(net.Dialer).DialContext(p.alive, "tcp", address)
		if err == nil {
			_ = c.Close()
			return address
		}
		if pause(p.alive, 20*time.Millisecond); p.alive.Err() != nil {
			said, _ := os.ReadFile(filepath.Join(folder, "log"))
			tb.Fatalf("PgBouncer does not start: %v\n%s", err, said)
		}
	}
}
