package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Pooler starts PgBouncer in front of the server's databases, with up to size sessions for
// each, and returns its host:port. It is in the mode in which every transaction may get
// another session, and resets the session after each, so that a test notices what relies on
// one. It asks for no password. Where PgBouncer is not installed, the test is skipped.
func (s *Server) Pooler(tb testing.TB, size int) (address string) {
	tb.Helper()
	p, err := s.newPooler(fmt.Sprintf("pool_mode = transaction\nserver_reset_query_always = 1\ndefault_pool_size = %d\n", size))
	if errors.Is(err, errNoPooler) {
		tb.Skip("skipped: " + err.Error())
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.close)
	return p.address
}

// errNoPooler says that this machine has no PgBouncer.
var errNoPooler = errors.New("PgBouncer is not installed (Debian: apt-get install pgbouncer)")

// pooler is a running PgBouncer.
type pooler struct {
	address, folder string
	process         *process

	mu      sync.Mutex
	console *pgconn.PgConn
}

// newPooler starts PgBouncer in front of the server's databases. settings are lines of the
// section [pgbouncer].
func (s *Server) newPooler(settings string) (*pooler, error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/pgbouncer") // which not every account has in PATH
	}
	if err != nil {
		return nil, errNoPooler
	}
	// A test's own folder is closed to other accounts.
	folder, err := os.MkdirTemp("", "pombo-pgbouncer-")
	if err != nil {
		return nil, err
	}
	p := &pooler{folder: folder}
	if err := s.startPooler(p, program, settings); err != nil {
		said, _ := os.ReadFile(p.logFile())
		p.close()
		return nil, fmt.Errorf("PgBouncer does not start: %w\n%s", err, said)
	}
	return p, nil
}

func (p *pooler) logFile() string { return filepath.Join(p.folder, "log") }

func (s *Server) startPooler(p *pooler, program, settings string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	p.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	config := filepath.Join(p.folder, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=%s password='%s'\n"+
		"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\nadmin_users = pombo\nmax_client_conn = 500\nserver_reset_query = DISCARD ALL\n"+
		"log_connections = 0\nlog_disconnections = 0\nlog_stats = 0\n%s", s.port, User, Password, port, settings)
	if err := errors.Join(handOver(p.folder), writeFor(config, text)); err != nil {
		return err
	}
	if p.process, err = run(program, []string{config}, p.folder, p.logFile()); err != nil {
		p.process = nil
		return err
	}
	ctx, cancel := context.WithTimeout(p.process.alive, patience)
	defer cancel()
	for {
		if p.console, err = pgconn.Connect(ctx, "postgres://"+p.address+"/pgbouncer?user=pombo&sslmode=disable"); err == nil {
			return nil
		}
		if pause(ctx, 20*time.Millisecond); ctx.Err() != nil {
			return err
		}
	}
}

func (p *pooler) close() {
	if p.console != nil {
		_ = p.console.Close(context.Background())
	}
	if p.process != nil {
		p.process.end()
	}
	_ = os.RemoveAll(p.folder)
}

// cut ends the sessions of a database that clients still have after some time.
func (p *pooler) cut(ctx context.Context, database string, after time.Duration) error {
	soon, cancel := context.WithTimeout(ctx, after)
	defer cancel()
	for {
		used, err := p.used(ctx, database)
		if !used || err != nil {
			return err
		}
		if pause(soon, 10*time.Millisecond); soon.Err() != nil {
			break
		}
	}
	_, err := p.say(ctx, "KILL "+database)
	if err == nil {
		_, err = p.say(ctx, "RESUME "+database)
	}
	return err
}

// used reports whether a client has a session of the database, or waits for one.
func (p *pooler) used(ctx context.Context, database string) (bool, error) {
	clients, err := p.say(ctx, "SHOW CLIENTS")
	if err != nil {
		return false, err
	}
	column := slices.IndexFunc(clients.FieldDescriptions, func(f pgconn.FieldDescription) bool { return f.Name == "database" })
	return slices.ContainsFunc(clients.Rows, func(row [][]byte) bool { return bytes.Equal(row[column], []byte(database)) }), nil
}

// say gives a command to PgBouncer.
func (p *pooler) say(ctx context.Context, command string) (*pgconn.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	results, err := p.console.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("PgBouncer: %s: %w", command, err)
	}
	return results[0], nil
}
