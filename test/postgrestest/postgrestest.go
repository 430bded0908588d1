// Package postgrestest starts a real PostgreSQL for tests: private, on 127.0.0.1 and a
// port of its own, in a folder that goes away with it. It is for tests only; the
// product does not contain it.
//
// A package's tests share one server and have a database each:
//
//	var postgres postgrestest.Shared
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		_ = postgres.Close()
//		os.Exit(code)
//	}
//
//	func TestSomething(t *testing.T) {
//		dsn := postgres.Database(t)
//
// A test that kills or stops the server starts its own with Start. What a failover
// needs (a standby, promotion, a server that hangs and goes on) is in standby.go.
//
// It looks for initdb and postgres in PATH and where Debian, Red Hat and Homebrew put them.
// Where there are none, tests are skipped with a sentence; with CI=true they fail with it,
// so that a suite that did not run is not taken for green. -short skips every test that
// needs a server as well. PostgreSQL refuses to run as root: started by root, it runs
// as the user postgres, or nobody.
//
// Unless Durable is set the server does not wait for the disk. A server that is killed still
// recovers, because the operating system keeps what it wrote.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// User and Password are those of the superuser. Connections need the password,
// so that a test can give a wrong one.
const (
	User     = "postgres"
	Password = "p@ss word/1" // every character that an address must escape is one that a user will have
)

// patience limits a start and a stop. A slow disk needs a second or two.
const patience = time.Minute

// ErrNotInstalled says that this machine has no PostgreSQL that could be started.
var ErrNotInstalled = errors.New("PostgreSQL is not installed: initdb and postgres are neither in PATH nor where packages put them (Debian: apt-get install postgresql)")

// Options say how to run the server. The zero value suits most tests.
type Options struct {
	// Durable waits for the disk at each commit, as a real server does. For
	// benchmarks.
	Durable bool
	// Settings are those of postgresql.conf, as in log_statement=all.
	Settings []string
}

// Server is a running PostgreSQL. Its methods may be called from one goroutine
// at a time, except Database, Schema, Copy, Reuse, DSN and Log.
type Server struct {
	bin      string // folder of the programs
	folder   string
	settings []string
	port     int
	process  *process
	frozen   []int        // the processes that Freeze has stopped
	names    atomic.Int64 // of databases and schemas

	filling sync.Mutex
	filled  map[string]error // of Copy, by template
	// copiesFiles means that CREATE DATABASE can be asked to; set before filled.
	copiesFiles bool

	desk  sync.Mutex
	admin *pgconn.PgConn // on which databases and schemas are made and dropped; nil = none yet

	reusing sync.Mutex
	reuse   reuse
}

// Start starts a server and stops it when the test ends.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	short(tb)
	s, err := New(o)
	if err != nil {
		missing(tb, err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("stop PostgreSQL: %v", err)
		}
	})
	return s
}

// short skips a test that needs a server if -short is set.
func short(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("skipped: -short starts no servers")
	}
}

// missing skips a test that needs what this machine does not have, or fails it in continuous
// integration.
func missing(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, ErrNotInstalled) && os.Getenv("CI") != "true" {
		tb.Skip("skipped: " + err.Error())
	}
	tb.Fatalf("start PostgreSQL: %v", err)
}

// New makes a cluster and starts it. Close it.
func New(o Options) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, settings: []string{
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=", // no socket: nothing outside the folder
		"max_connections=100",
		"shared_buffers=16MB",
		"dynamic_shared_memory_type=mmap", // in its folder, so that a killed server leaves nothing in /dev/shm
		"log_timezone=UTC",
		"timezone=UTC",
	}}
	if !o.Durable {
		s.settings = append(s.settings, "fsync=off", "full_page_writes=off")
	}
	s.settings = append(s.settings, o.Settings...)
	if s.folder, err = os.MkdirTemp("", "pombo-postgres-"); err != nil {
		return nil, err
	}
	if err := s.makeCluster(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	if s.port, err = freePort(); err == nil {
		err = s.start(true)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	return s, nil
}

// programs finds the folder that has initdb and postgres, the newest if there
// are several.
func programs() (string, error) {
	if !supported {
		return "", fmt.Errorf("%w; on this system the tests do not know how to start it", ErrNotInstalled)
	}
	var folders []string
	if p, err := exec.LookPath("initdb"); err == nil {
		// initdb wants its own folder, not that of a link to it.
		if p, err = filepath.EvalSymlinks(p); err == nil {
			folders = append(folders, filepath.Dir(p))
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		slices.Reverse(found)
		folders = append(folders, found...)
	}
	for _, f := range folders {
		if executable(filepath.Join(f, "initdb")) && executable(filepath.Join(f, "postgres")) {
			return f, nil
		}
	}
	return "", ErrNotInstalled
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func (s *Server) data() string    { return filepath.Join(s.folder, "data") }
func (s *Server) logFile() string { return filepath.Join(s.folder, "log") }

// start starts the server and waits until it answers. Somebody may have taken the port since
// it was found free, and a server that was killed may hold its memory for a moment: both are
// tried again, the first on another port if fresh says that nobody knows this one yet.
func (s *Server) start(fresh bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		before := len(s.Log())
		args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port)}
		for _, setting := range s.settings {
			args = append(args, "-c", setting)
		}
		p, err := run(filepath.Join(s.bin, "postgres"), args, s.folder, s.logFile())
		if err != nil {
			return err
		}
		if err = s.wait(ctx, p); err == nil {
			s.process = p
			return nil
		}
		p.interrupt()
		<-p.alive.Done()
		said := s.Log()[before:]
		taken := strings.Contains(said, "Address already in use")
		if ctx.Err() != nil || !taken && !strings.Contains(said, "pre-existing shared memory block") {
			return fmt.Errorf("%w\n%s", err, said)
		}
		if fresh && taken {
			if s.port, err = freePort(); err != nil {
				return err
			}
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func freePort() (int, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// wait asks until the server answers or its process ends.
func (s *Server) wait(ctx context.Context, p *process) error {
	until, _ := ctx.Deadline()
	alive, cancel := context.WithDeadline(p.alive, until)
	defer cancel()
	for delay := 5 * time.Millisecond; ; delay = min(2*delay, 200*time.Millisecond) {
		conn, err := pgconn.Connect(alive, s.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if pause(alive, delay); alive.Err() != nil {
			return fmt.Errorf("PostgreSQL does not start: %w", err)
		}
	}
}

// pause waits between two looks at something that is not announced.
func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// Address returns host:port, which stays the same over Stop, Kill and Restart.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// DSN returns the address of a database, for the superuser.
func (s *Server) DSN(database string) string { return s.DSNAs(User, Password, database) }

// DSNAs returns the address of a database for another user.
func (s *Server) DSNAs(user, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: s.Address(), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Log returns what the server has logged so far.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.logFile()) // before the first start there is none
	return string(b)
}

// Database makes an empty database for the test, drops it when the test ends and
// returns its address. The clauses are those of CREATE DATABASE, as in
// "ENCODING 'LATIN1'" or "TEMPLATE prepared".
func (s *Server) Database(tb testing.TB, clauses ...string) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", s.names.Add(1))
	options := strings.Join(clauses, " ")
	if !strings.Contains(options, "TEMPLATE") {
		options = "TEMPLATE template0 " + options // nobody can be connected to it, which would block the copy
	}
	if err := s.manage(tb.Context(), "CREATE DATABASE "+name+" "+options); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// The context of the test has ended. A test may leave the server stopped.
		_ = s.manage(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
	})
	return s.DSN(name)
}

// Copy makes a copy of a database that fill has filled, drops it when the test ends and
// returns its address. fill runs once for each template, with the address of an empty
// database, and leaves no connection open. A copy takes a fraction of the time of thirty
// migrations.
func (s *Server) Copy(tb testing.TB, template string, fill func(ctx context.Context, dsn string) error) string {
	tb.Helper()
	if err := s.fill(tb.Context(), template, fill); err != nil {
		tb.Fatalf("fill the database %s: %v", template, err)
	}
	return s.Database(tb, "TEMPLATE "+template+s.strategy())
}

// strategy is how a database is copied, as a clause: all pages through the log take three times
// as long.
func (s *Server) strategy() string {
	if s.copiesFiles {
		return " STRATEGY FILE_COPY"
	}
	return ""
}

func (s *Server) fill(ctx context.Context, template string, fill func(ctx context.Context, dsn string) error) error {
	s.filling.Lock()
	defer s.filling.Unlock()
	if err, done := s.filled[template]; done {
		return err
	}
	version, err := askOne(ctx, s.DSN("postgres"), "SHOW server_version_num")
	if err == nil {
		s.copiesFiles = version >= "150000" // before, there was no other way, and no word for it
		err = s.manage(ctx, "CREATE DATABASE "+template+" TEMPLATE template0")
	}
	if err == nil {
		err = fill(ctx, s.DSN(template))
	}
	if s.filled == nil {
		s.filled = map[string]error{}
	}
	s.filled[template] = err
	return err
}

// Schema makes an empty schema in a database that others use too, drops it when
// the test ends and returns an address whose search path is the schema.
func (s *Server) Schema(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", s.names.Add(1))
	if err := s.manage(tb.Context(), "CREATE SCHEMA "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = s.manage(context.Background(), "DROP SCHEMA "+name+" CASCADE") // as above
	})
	return s.DSN("postgres") + "&search_path=" + name
}

// manage runs a statement on one connection for all, which is made anew when the server was
// restarted: to connect takes longer than most of what is done here.
func (s *Server) manage(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.desk.Lock()
	defer s.desk.Unlock()
	for {
		fresh := s.admin == nil
		if fresh {
			var err error
			if s.admin, err = pgconn.Connect(ctx, s.DSN("postgres")); err != nil {
				s.admin = nil
				return err
			}
		}
		_, err := s.admin.Exec(ctx, text).ReadAll()
		if !s.admin.IsClosed() {
			if err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
			return nil
		}
		s.admin = nil
		if fresh {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
}

// Exec runs statements as the superuser. Those of one text are one transaction,
// unless it says otherwise.
func (s *Server) Exec(ctx context.Context, database string, statements ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.DSN(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, text := range statements {
		if _, err := conn.Exec(ctx, text).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// Stop stops the server as an administrator does: sessions are notified and cut. Restart
// starts it again.
func (s *Server) Stop() error {
	s.Wake()
	s.closeReuse() // also of a server that was killed
	if s.process == nil {
		return nil
	}
	s.desk.Lock()
	if s.admin != nil {
		_ = s.admin.Close(context.Background())
		s.admin = nil
	}
	s.desk.Unlock()
	p := s.process
	s.process = nil
	p.interrupt()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.alive.Done():
		return nil
	case <-timer.C:
		p.end()
		return fmt.Errorf("PostgreSQL did not stop within %s and was killed", patience)
	}
}

// Kill ends the server and all its sessions with SIGKILL, as a power cut would. Restart
// starts it again.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	s.process.end()
	s.process, s.frozen = nil, nil
}

// Restart starts a stopped or killed server again on the same port and waits
// until it answers; a running one is stopped first.
func (s *Server) Restart() error {
	return errors.Join(s.Stop(), s.start(false))
}

// Close stops the server and takes its folder away.
func (s *Server) Close() error {
	return errors.Join(s.Stop(), os.RemoveAll(s.folder))
}

// process is a running postgres.
type process struct {
	*os.Process

	alive context.Context // ends when the process does
}

// end kills the process and waits until it is gone.
func (p *process) end() {
	p.kill()
	<-p.alive.Done()
}

// writeFor writes a file for the server's account.
func writeFor(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return handOver(path)
}

// run starts a program that ends when this one does, however this one ends.
func run(path string, args []string, dir, logFile string) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	c := exec.Command(path, args...) // ended by hand: a context would kill it without its children
	c.Dir, c.Stdout, c.Stderr = dir, out, out
	c.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "PG") })
	prepare(c)
	alive, ended := context.WithCancel(context.Background())
	p := &process{alive: alive}
	started := make(chan error)
	go func() {
		defer ended()
		defer func() { _ = out.Close() }()
		// On Linux the program gets its signal when the thread that started it ends, so
		// that thread must live on.
		defer bind()()
		err := c.Start()
		p.Process = c.Process
		started <- err
		if err == nil {
			_ = c.Wait() // how it ended is in the log
		}
	}()
	return p, <-started
}
