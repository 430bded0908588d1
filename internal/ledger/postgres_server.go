package ledger

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// servers finds the server that takes writes, and keeps all connections of a ledger
// on it over a failover.
//
// A primary that hangs while its standby is promoted may wake and take writes as
// before: it does not know. So where the address names several servers, all are
// asked before each new connection, and of those that take writes the one with the
// highest timeline is chosen: PostgreSQL counts it up with each promotion. The
// highest that was seen is remembered. A server with a lower one is refused, however
// the address leads there, and connections that still lead there are ended.
//
// Such a primary answers reads, but its commits wait for a standby that has left
// for good. And one that hangs answers nothing. So while an answer is overdue the servers are
// asked, and the connection is ended as soon as another server has taken over, at the latest
// when the bound is over.
type servers struct {
	all   *pgx.ConnConfig
	hosts []*pgx.ConnConfig // all, one by one
	bound time.Duration     // for an answer
	log   *slog.Logger

	quit   context.Context // ends with close
	end    context.CancelFunc
	closed bool // guarded by mu, so that nothing starts after it
	looks  sync.WaitGroup
	late   atomic.Int32 // statements whose answer is overdue

	mu      sync.Mutex
	latest  place
	refused time.Time     // since when only old primaries have answered; zero = not so
	goBack  time.Duration // after so long of that the cluster has gone back
	back    int           // how often it has
	links   map[*link]struct{}
	looking bool
}

const (
	// postgresTimeout is how long an answer is waited for unless it is set.
	postgresTimeout = 15 * time.Second
	// postgresConnect bounds one try to connect to one server.
	postgresConnect = 5 * time.Second
	// postgresGoBack is how long the latest primary must be out of sight before an old
	// one is followed. A cluster can go back to one on its own, and what was committed
	// since is lost then: see postgres_lineage.go.
	postgresGoBack = time.Minute
	// postgresPatrol is how often the servers are asked though all is well. It is well
	// below UNCERTAIN_WAIT: a process that has moved to the new primary asks Blip only when
	// those that stayed with the old one have stopped.
	postgresPatrol = 5 * time.Second
	// overdue is when other servers are asked while an answer is waited for, and how
	// long it takes until they are asked again.
	overdue = 2 * time.Second
	// others is how long the answers of other servers are waited for once one that
	// takes writes has been found.
	others = 500 * time.Millisecond
)

// place is the position of a server in the history of a cluster.
type place struct {
	system   string // names the cluster; "" = the server does not say
	timeline uint64 // 0 = the server does not say
	readOnly bool
}

// before reports whether q is of the same cluster and on a later timeline.
func (p place) before(q place) bool {
	return p.timeline > 0 && p.timeline < q.timeline && (p.system == q.system || p.system == "" || q.system == "")
}

var (
	// errOldPrimary refuses a server that others have taken over from.
	errOldPrimary = errors.New("this server is an old primary, which another one has taken over from; lead LEDGER_URL to the new one, or fence the old one; if no other answers for a minute, the old one is followed")
	// errNoPrimary: the servers answer, and none takes writes.
	errNoPrimary = errors.New("none of its servers takes writes at present")
)

// newServers reads an address. It does not connect.
func newServers(url string, bound time.Duration, log *slog.Logger) (*servers, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		// What the driver says may quote a password that it did not recognise.
		said := errors.New("its address cannot be read")
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			// Without its name: a password with an @ and a ? in it can be taken for one.
			said = fmt.Errorf("its address names a file that cannot be read: %w", file.Err)
		}
		return nil, fmt.Errorf("%w; write LEDGER_URL=postgres://user:password@host:5432/database?sslmode=require, with %%40 for @ and %%2F for / in the password", said)
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec // one message, nothing left behind
	c.StatementCacheCapacity, c.DescriptionCacheCapacity = 0, 0
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = min(postgresConnect, bound)
	}
	// PgBouncer knows both of these and carries them from session to session.
	c.RuntimeParams["client_encoding"] = "UTF8"
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "pombo"
	}
	s := &servers{all: c, bound: bound, log: log, goBack: postgresGoBack, links: map[*link]struct{}{}}
	s.quit, s.end = context.WithCancel(context.Background())
	c.DialFunc = s.dial
	c.OnNotice = noticed
	s.hosts = apart(c)
	asked := c.ValidateConnect // by target_session_attrs; nil = any that answers
	c.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if asked != nil {
			if err := asked(ctx, conn); err != nil {
				return err
			}
		}
		at, err := placeOf(ctx, conn)
		if err != nil {
			return err
		}
		return s.admit(linkOf(conn), at)
	}
	return s, nil
}

// apart returns a configuration for each server of the address. The driver lists a
// server twice when TLS is optional.
func apart(c *pgx.ConnConfig) []*pgx.ConnConfig {
	list := append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...)
	var hosts []*pgx.ConnConfig
	for i, f := range list {
		if last := len(hosts) - 1; i > 0 && f.Host == list[i-1].Host && f.Port == list[i-1].Port {
			hosts[last].Fallbacks = append(hosts[last].Fallbacks, f)
			continue
		}
		one := c.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks, one.ValidateConnect = f.Host, f.Port, f.TLSConfig, nil, nil
		hosts = append(hosts, one)
	}
	return hosts
}

// pool opens up to size connections, each when it is needed.
func (s *servers) pool(size int) *sql.DB {
	db := stdlib.OpenDB(*s.all, stdlib.OptionBeforeConnect(s.choose), stdlib.OptionResetSession(func(_ context.Context, c *pgx.Conn) error {
		if l := linkOf(c.PgConn()); l != nil && l.ended.Load() {
			return driver.ErrBadConn
		}
		return nil
	}))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

// close stops the requests. The caller closes the pools.
func (s *servers) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.looks.Wait()
}

// choose directs a new connection to the server that takes writes, if there are
// several.
func (s *servers) choose(ctx context.Context, c *pgx.ConnConfig) error {
	if len(s.hosts) == 1 {
		return nil
	}
	host, err := s.primary(ctx)
	if err != nil {
		return err
	}
	c.Host, c.Port, c.TLSConfig, c.Fallbacks = host.Host, host.Port, host.TLSConfig, host.Fallbacks
	return nil
}

// answer is what one server says.
type answer struct {
	host int
	at   place
	err  error
}

// primary asks all servers at once, and returns the one that takes writes; of
// several, that with the highest timeline.
func (s *servers) primary(ctx context.Context) (*pgx.ConnConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, s.all.ConnectTimeout)
	defer cancel()
	answers := make(chan answer, len(s.hosts))
	for i := range s.hosts {
		go func() { answers <- s.ask(ctx, i) }() // it ends with ctx at the latest
	}
	best := -1
	var at place
	var none error
	errs := make([]error, len(s.hosts))
	var enough <-chan time.Time
	for range s.hosts {
		select {
		case a := <-answers:
			switch {
			case a.err != nil:
				errs[a.host] = a.err
			case a.at.readOnly:
				none = errNoPrimary
			case best < 0 || at.before(a.at):
				best, at = a.host, a.at
				enough = time.After(others)
			}
			continue
		case <-enough:
		}
		break
	}
	if best >= 0 {
		return s.hosts[best], nil
	}
	for _, err := range errs {
		switch {
		case err == nil:
		case none == nil:
			none = err
		default:
			none = fmt.Errorf("%w; %w", none, err) // on one line of the log
		}
	}
	return nil, none
}

// ask connects to one server and asks where it stands.
func (s *servers) ask(ctx context.Context, host int) answer {
	conn, err := pgconn.ConnectConfig(ctx, &s.hosts[host].Config)
	if err != nil {
		return answer{host: host, err: err}
	}
	defer func() { _ = conn.Close(ctx) }()
	at, err := placeOf(ctx, conn)
	if err == nil && !at.readOnly {
		err = s.note(at)
	}
	return answer{host, at, err}
}

// placeOf asks a server where it stands. Any account may ask this of PostgreSQL;
// other servers with its protocol may not support all of it, and are then asked for
// less.
func placeOf(ctx context.Context, conn *pgconn.PgConn) (at place, err error) {
	for _, name := range []statement{sqlPlace, sqlPlaceWithoutCluster, sqlPlaceWithoutTimeline} {
		var results []*pgconn.Result
		results, err = conn.Exec(ctx, postgresCatalogue().text(name)).ReadAll()
		if err != nil {
			if lost(err) || conn.IsClosed() {
				return at, err
			}
			continue
		}
		row := results[0].Rows[0]
		at.readOnly = string(row[0]) == "on"
		if len(row) > 1 && len(row[1]) >= 8 {
			at.timeline, _ = strconv.ParseUint(string(row[1][:8]), 16, 64) // it begins with the timeline; 0 = it is something else
		}
		if len(row) > 2 {
			at.system = string(row[2])
		}
		return at, nil
	}
	return at, err
}

// note records the position of a server that takes writes. It ends the connections to
// those that it has taken over from; errOldPrimary says that it is itself an old
// primary.
func (s *servers) note(at place) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.before(s.latest) {
		if !s.goneBack() {
			return errOldPrimary
		}
		s.log.Error("the ledger's cluster has gone back to an earlier primary; what waits is asked about before it is sent", "timeline", at.timeline, "before", s.latest.timeline)
		s.latest, s.refused = at, time.Time{}
		s.back++
		return nil
	}
	s.refused = time.Time{}
	if at.timeline == 0 || at == s.latest {
		return nil
	}
	if s.latest.timeline > 0 {
		s.log.Warn("another server has taken over the ledger's database", "timeline", at.timeline, "before", s.latest.timeline)
	}
	s.latest = at
	for l := range s.links {
		if l.at.before(at) || l.at.readOnly {
			l.ended.Store(true)
			_ = l.Conn.Close() // its caller gets an error at once
		}
	}
	return nil
}

// goneBack reports whether old primaries alone have answered for long enough, and no
// connection to the latest one is left. The caller holds mu.
func (s *servers) goneBack() bool {
	for l := range s.links {
		if l.at == s.latest && !l.ended.Load() {
			s.refused = time.Time{}
			return false
		}
	}
	if s.refused.IsZero() {
		s.refused = time.Now()
	}
	return time.Since(s.refused) >= s.goBack
}

// wentBack returns how often the cluster has gone back to an earlier primary.
func (s *servers) wentBack() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.back
}

// admit lets a connection be used.
func (s *servers) admit(l *link, at place) error {
	if !at.readOnly {
		if err := s.note(at); err != nil {
			return err
		}
	}
	if l == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.before(s.latest) { // another one was noted since
		return errOldPrimary
	}
	l.at = at
	s.links[l] = struct{}{}
	return nil
}

// watch has the servers asked when the answer to a statement is overdue. The caller
// calls stop when it has come.
func (s *servers) watch() (stop func()) {
	t := time.AfterFunc(overdue, func() {
		s.late.Add(1)
		s.look()
	})
	return func() {
		if !t.Stop() {
			s.late.Add(-1)
		}
	}
}

// look asks the servers, again and again while an answer is overdue. One does it
// for all who wait.
func (s *servers) look() {
	s.mu.Lock()
	if s.looking || s.closed {
		s.mu.Unlock()
		return
	}
	s.looking = true
	s.looks.Add(1)
	s.mu.Unlock()
	defer s.looks.Done()
	for {
		s.askAll()
		select {
		case <-time.After(overdue):
		case <-s.quit.Done():
		}
		s.mu.Lock()
		if s.late.Load() <= 0 || s.closed {
			s.looking = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// patrol asks the servers every few seconds, until close. A primary that waits for no
// standby and that is not fenced goes on as before when another one has taken over.
// A process that misses no answer would stay with it for good, while a new connection
// goes to the other, and both processes would send the same.
func (s *servers) patrol() {
	if len(s.hosts) == 1 {
		return
	}
	s.looks.Go(func() {
		tick := time.NewTicker(postgresPatrol)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.askAll()
			case <-s.quit.Done():
				return
			}
		}
	})
}

// askAll asks all servers where they stand; note does the rest.
func (s *servers) askAll() {
	ctx, cancel := context.WithTimeout(s.quit, min(overdue, s.all.ConnectTimeout))
	defer cancel()
	var asked sync.WaitGroup
	for i := range s.hosts {
		asked.Go(func() { s.ask(ctx, i) })
	}
	asked.Wait()
}

// link is the network connection of a session.
type link struct {
	net.Conn

	servers *servers
	at      place       // guarded by servers.mu
	ended   atomic.Bool // another server has taken over
	unsure  atomic.Bool // a commit was not confirmed by the standby: see noticed
}

// dial makes a connection that the system ends when the remote machine is gone.
func (s *servers) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: s.bound, Interval: max(s.bound/3, time.Second), Count: 3},
		Control:         unacknowledged(s.bound),
	}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &link{Conn: conn, servers: s}, nil
}

// Close ends the connection, unless that was done when another server took over.
func (l *link) Close() error {
	l.servers.mu.Lock()
	delete(l.servers.links, l)
	l.servers.mu.Unlock()
	if err := l.Conn.Close(); !l.ended.Load() {
		return err
	}
	return nil
}

// linkOf returns the network connection of a session; nil when it is not ours.
func linkOf(conn *pgconn.PgConn) *link {
	c := conn.Conn()
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	l, _ := c.(*link)
	return l
}

// noticed keeps the server's warning that a COMMIT, for which it is about to report
// success, is on its own disk and not on that of the standby that it was to wait for
// (src/backend/replication/syncrep.c): the wait was cancelled. If another server takes
// over, the commit is lost.
func noticed(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		if l := linkOf(conn); l != nil {
			l.unsure.Store(true)
		}
	}
}

// unsure reports whether a commit over the connection was not confirmed.
func unsure(conn *pgx.Conn) bool {
	l := linkOf(conn.PgConn())
	return l != nil && l.unsure.Load()
}
