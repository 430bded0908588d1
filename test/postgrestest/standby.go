package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Standby copies the server and starts the copy as a standby that follows it. With
// synchronous, the server waits for the standby at each commit from then on, and for ever
// if the standby goes away. The standby stops when the test ends.
func (s *Server) Standby(tb testing.TB, synchronous bool) *Server {
	tb.Helper()
	standby, err := s.standby(tb.Context())
	if err != nil {
		tb.Fatalf("start a standby of PostgreSQL: %v", err)
	}
	tb.Cleanup(func() {
		if err := standby.Close(); err != nil {
			tb.Errorf("stop the standby of PostgreSQL: %v", err)
		}
	})
	follows := `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'`
	if synchronous {
		if err := s.Exec(tb.Context(), "postgres", `ALTER SYSTEM SET synchronous_standby_names = '*'`, `SELECT pg_reload_conf()`); err != nil {
			tb.Fatal(err)
		}
		follows += ` AND sync_state = 'sync'`
	}
	if err := s.until(tb.Context(), follows, "1"); err != nil {
		tb.Fatalf("the standby does not follow: %v\n%s", err, standby.Log())
	}
	return standby
}

func (s *Server) standby(ctx context.Context) (*Server, error) {
	folder, err := os.MkdirTemp("", "pombo-postgres-")
	if err != nil {
		return nil, err
	}
	standby := &Server{bin: s.bin, folder: folder}
	err = func() error {
		if err := handOver(folder); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		c := exec.CommandContext(ctx, filepath.Join(s.bin, "pg_basebackup"), "--pgdata", standby.data(), "--host", "127.0.0.1", "--port", strconv.Itoa(s.port),
			"--username", User, "--checkpoint", "fast", "--no-sync")
		c.Dir, c.Env = folder, append(os.Environ(), "PGPASSWORD="+Password)
		prepare(c)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
		}
		signal := filepath.Join(standby.data(), "standby.signal")
		if err := writeFor(signal, ""); err != nil {
			return err
		}
		standby.settings = append(standby.settings, s.settings...)
		if err := standby.follow(s.port); err != nil {
			return err
		}
		if standby.port, err = freePort(); err != nil {
			return err
		}
		return standby.start(true)
	}()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return standby, nil
}

// follow sets the server that the standby follows, in the file that ALTER SYSTEM changes.
func (s *Server) follow(port int) error {
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "primary_conninfo = 'host=127.0.0.1 port=%d user=%s password=''%s'' application_name=standby'\n", port, User, Password)
	return errors.Join(err, f.Close())
}

// Detach cuts an asynchronous standby off from the server that it follows, for good: it
// never gets what is committed there from now on.
func (s *Server) Detach(ctx context.Context) error {
	if err := s.Exec(ctx, "postgres", `ALTER SYSTEM SET primary_conninfo = ''`, `SELECT pg_reload_conf()`); err != nil {
		return err
	}
	return s.until(ctx, `SELECT count(*) FROM pg_stat_wal_receiver`, "0")
}

// Promote makes a standby a server of its own, which takes writes when Promote
// returns. The server that it followed does not learn of it.
func (s *Server) Promote(ctx context.Context) error {
	if err := s.Exec(ctx, "postgres", `SELECT pg_promote()`); err != nil {
		return err
	}
	return s.until(ctx, `SELECT pg_is_in_recovery()`, "f")
}

// Freeze stops the server and its sessions where they stand, like a machine that hangs:
// connections stay open, and nothing answers. Wake resumes it. It needs Linux; elsewhere
// the test is skipped.
func (s *Server) Freeze(tb testing.TB) {
	tb.Helper()
	if s.frozen = s.process.freeze(); len(s.frozen) < 2 {
		s.Wake()
		tb.Skip("skipped: on this system the tests cannot tell the processes of PostgreSQL")
	}
}

// Wake resumes a frozen server.
func (s *Server) Wake() {
	for _, pid := range s.frozen {
		wake(pid)
	}
	s.frozen = nil
}

// until asks a query until it returns want.
func (s *Server) until(ctx context.Context, query, want string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if got, err := askOne(ctx, s.DSN("postgres"), query); err != nil || got == want {
			return err
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// askOne returns the one value of a query over a connection of its own.
func askOne(ctx context.Context, dsn, query string) (string, error) {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	r := conn.ExecParams(ctx, query, nil, nil, nil, nil).Read()
	if r.Err != nil || len(r.Rows) == 0 {
		return "", errors.Join(errors.New("no row"), r.Err)
	}
	return string(r.Rows[0][0]), nil
}
