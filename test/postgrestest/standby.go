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
// synchronous set, the server waits from then on for the standby at each commit:
// for ever, should the standby leave. The standby stops when the test ends.
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
		if err := os.WriteFile(signal, nil, 0o600); err != nil {
			return err
		}
		if err := handOver(signal); err != nil {
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

// follow writes down whom the standby follows, in the file that ALTER SYSTEM changes.
func (s *Server) follow(port int) error {
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "primary_conninfo = 'host=127.0.0.1 port=%d user=%s password=''%s'' application_name=standby'\n", port, User, Password)
	return errors.Join(err, f.Close())
}

// Detach cuts an asynchronous standby off from the server that it follows, for good:
// what is committed there from now on it never gets.
func (s *Server) Detach(ctx context.Context) error {
	if err := s.Exec(ctx, "postgres", `ALTER SYSTEM SET primary_conninfo = ''`, `SELECT pg_reload_conf()`); err != nil {
		return err
	}
	return s.until(ctx, `SELECT count(*) FROM pg_stat_wal_receiver`, "0")
}

// Promote makes a standby a server of its own, which takes writes when Promote
// returns. What it followed is not told.
func (s *Server) Promote(ctx context.Context) error {
	if err := s.Exec(ctx, "postgres", `SELECT pg_promote()`); err != nil {
		return err
	}
	return s.until(ctx, `SELECT pg_is_in_recovery()`, "f")
}

// Freeze stops the server and its sessions where they stand, as a machine does that
// hangs: connections stay open, and nobody answers. Wake has it go on. It needs
// Linux; elsewhere the test is skipped.
func (s *Server) Freeze(tb testing.TB) {
	tb.Helper()
	if s.frozen = s.process.freeze(); len(s.frozen) < 2 {
		s.Wake()
		tb.Skip("skipped: on this system the tests cannot tell the processes of PostgreSQL")
	}
}

// Wake has a frozen server go on.
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
	conn, err := pgconn.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for {
		r := conn.ExecParams(ctx, query, nil, nil, nil, nil).Read()
		switch {
		case r.Err != nil:
			return r.Err
		case len(r.Rows) == 1 && string(r.Rows[0][0]) == want:
			return nil
		}
		pause(ctx, 10*time.Millisecond)
	}
}
