package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pombo"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// serverAway: while the server is away everybody gets that error, and afterwards
// all goes on by itself.
func serverAway(t *testing.T, server *postgrestest.Server) {
	t.Helper()
	address := server.Copy(t, "ledger", Migrated)
	db := openPostgres(t, address, 0, nil)
	mustEnqueue(t, db, testRows(0, 10)...)
	n := mustClaim(t, db, "me", 1)[0]
	must(t, server.Stop())
	_, err := db.Queue.Begin(t.Context(), n, "")
	mustSay(t, err, "goes on by itself")
	_, err = db.Intake.Queued(t.Context())
	mustSay(t, err, "goes on by itself")
	must(t, server.Restart())
	attempt, err := db.Queue.Begin(t.Context(), n, "") // the first had happened not at all
	must(t, err)
	must(t, server.Restart())
	must(t, db.Queue.Finish(t.Context(), accepted(n, attempt)))
	server.Kill()
	must(t, server.Restart())
	if got, _, err := db.History.Notification(t.Context(), n.MessageID); err != nil || got.State != pombo.Accepted {
		t.Errorf("it is %s, %v; want accepted", got.State, err)
	}
}

// outageTakesNothing: after the database was away for longer than a lease,
// nobody loses what it holds; a process that was gone as well loses it a lease later.
func outageTakesNothing(t *testing.T, server *postgrestest.Server) {
	t.Helper()
	address := server.Copy(t, "ledger", Migrated)
	const lease = 2 * time.Second
	gone, slow := openPostgres(t, address, lease, nil), openPostgres(t, address, lease, nil)
	mustEnqueue(t, gone, testRows(0, 1)...)
	mustClaim(t, gone, "gone", 1)
	must(t, slow.Leases.Renew(t.Context(), "slow"))
	must(t, server.Stop())
	if err := slow.Leases.Renew(t.Context(), "slow"); err == nil {
		t.Fatal("renewed without a server")
	}
	must(t, server.Restart())
	// As if it had been away for long.
	u, err := url.Parse(address)
	must(t, err)
	must(t, server.Exec(t.Context(), strings.TrimPrefix(u.Path, "/"), `UPDATE owner SET until = 0`))
	start := time.Now()
	for {
		queued, _, err := slow.Leases.Reclaim(t.Context())
		must(t, err)
		if queued == 1 {
			break
		}
		if time.Since(start) > 30*time.Second {
			t.Fatal("what a dead process had is never taken from it")
		}
		<-time.After(breath)
	}
	if d := time.Since(start); d < lease-time.Second/2 {
		t.Errorf("taken after %v, want no sooner than after a lease of %v", d, lease)
	}
}

// TestLost tells errors of the connection from those of a statement, also when
// the server speaks Portuguese.
func TestLost(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&pgconn.PgError{Severity: "ERRO", SeverityUnlocalized: "ERROR", Code: "23505"}, false},
		{&pgconn.PgError{Severity: "ERROR", Code: "40P01"}, false},
		{&pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01"}, true},
		{&pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "40003"}, true},
		{fmt.Errorf("commit: %w", io.ErrUnexpectedEOF), true},
		{fmt.Errorf("commit: %w", context.DeadlineExceeded), true},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, true},
		{errors.New("refused"), false},
		{nil, false},
	} {
		if got := lost(test.err); got != test.want {
			t.Errorf("lost(%v) = %v, want %v", test.err, got, test.want)
		}
	}
}

// together calls f for every notification, each in a goroutine of its own.
func together(list []pombo.Notification, f func(*pombo.Notification) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(list))
	for i := range list {
		wg.Go(func() { errs[i] = f(&list[i]) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// breath is how long a process waits before it asks again for what it did not get: without
// it two of them use up the machine while a server is away.
const breath = 5 * time.Millisecond

// sendAll takes all there is down the road as a process does that must not give
// up, and counts what was sent.
func sendAll(ctx context.Context, db *DB, owner string, sent func(pombo.MessageID)) error {
	for {
		list, err := db.Queue.Claim(ctx, owner, 20)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			<-time.After(breath)
			continue
		}
		if len(list) == 0 {
			if n, err := db.Intake.Queued(ctx); err == nil && n == 0 {
				return nil
			}
			<-time.After(breath)
			continue
		}
		err = together(list, func(n *pombo.Notification) error {
			attempt, err := db.Queue.Begin(ctx, *n, "")
			o := accepted(*n, attempt)
			if err == nil {
				sent(n.MessageID)
			} else { // nothing may be sent; back to the queue
				o = pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: owner, Attempt: n.Attempt, To: pombo.Queued}
			}
			for {
				if err := db.Queue.Finish(ctx, o); err == nil || ctx.Err() != nil || errors.Is(err, pombo.ErrLost) {
					return err
				}
				<-time.After(breath)
			}
		})
		if err != nil {
			return err
		}
	}
}

// TestPostgres_LosesNothingOverRestarts: the server is killed and stopped while two processes work.
// No answer that they had was wrong: nothing is lost, nothing is sent twice, and
// nothing is left in anybody's hands.
func TestPostgres_LosesNothingOverRestarts(t *testing.T) {
	nightly.Only(t) // by day the others kill a server, and cut connections over COMMIT
	t.Parallel()    // it waits most of the time
	const rows, kills = 4000, 4
	server := postgrestest.Start(t, postgrestest.Options{})
	address := server.Database(t)
	_, _, err := Migrate(t.Context(), address)
	must(t, err)
	replicas := []*DB{openPostgres(t, address, 0, nil), openPostgres(t, address, 0, nil)}
	mustEnqueue(t, replicas[0], testRows(0, rows)...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var mu sync.Mutex
	sent := map[pombo.MessageID]int{}
	half := make(chan struct{}, rows)
	var wg sync.WaitGroup
	for i, db := range replicas {
		wg.Go(func() {
			err := sendAll(ctx, db, "replica-"+strconv.Itoa(i), func(id pombo.MessageID) {
				mu.Lock()
				defer mu.Unlock()
				if sent[id]++; len(sent)%(rows/8) == 0 {
					half <- struct{}{}
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for i := range kills {
		select {
		case <-half:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
		if i%2 == 0 {
			server.Kill()
		}
		must(t, server.Restart())
	}
	wg.Wait()
	allSentOnce(t, replicas[0], sent, rows)
}

func allSentOnce(t *testing.T, db *DB, sent map[pombo.MessageID]int, rows int) {
	t.Helper()
	if len(sent) != rows {
		t.Errorf("sent %d, want %d", len(sent), rows)
	}
	for id, n := range sent {
		if n != 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
	var got int
	must(t, db.rawGet(t.Context(), `SELECT count(*) FROM notification WHERE state = 'accepted'`, &got))
	if got != rows {
		t.Errorf("accepted %d, want %d: an answer was wrong", got, rows)
	}
}

// cutter stands between the ledger and the server and cuts connections over
// COMMIT: before it reaches the server, after the server has carried it out, or
// so that it arrives when the ledger is asking already what became of it.
type cutter struct {
	t        *testing.T
	listener net.Listener
	server   string
	every    int

	mu      sync.Mutex
	commits int
	cuts    [3]int
	asked   chan struct{} // closed and replaced when the ledger asks
	open    map[net.Conn]bool
	closed  bool
	wg      sync.WaitGroup
}

func newCutter(t *testing.T, server string, every int) *cutter {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	c := &cutter{t: t, listener: l, server: server, every: every, asked: make(chan struct{}), open: map[net.Conn]bool{}}
	c.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.mu.Lock()
		c.closed = true
		for conn := range c.open {
			_ = conn.Close()
		}
		close(c.asked)
		c.mu.Unlock()
		c.wg.Wait()
	})
	return c
}

// keep notes a connection, which is closed in the end at the latest.
func (c *cutter) keep(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[conn] = true
	return !c.closed
}

func (c *cutter) drop(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
	_ = conn.Close()
}

func (c *cutter) serve(client net.Conn) {
	defer c.drop(client)
	server, err := new(net.Dialer).Dial("tcp", c.server)
	if err != nil {
		return
	}
	defer c.drop(server)
	if !c.keep(client) || !c.keep(server) {
		return
	}
	answers := make(chan []byte)
	c.wg.Go(func() {
		defer close(answers)
		for {
			b := make([]byte, 64<<10)
			n, err := server.Read(b)
			if err != nil {
				return
			}
			answers <- b[:n]
		}
	})
	requests := make(chan []byte)
	c.wg.Go(func() {
		defer close(requests)
		for {
			b := make([]byte, 64<<10)
			n, err := client.Read(b)
			if err != nil {
				return
			}
			requests <- b[:n]
		}
	})
	defer func() { // both readers end with their connections
		_, _ = client.Close(), server.Close()
		for range requests {
		}
		for range answers {
		}
	}()
	for {
		select {
		case b, ok := <-answers:
			if !ok {
				return
			}
			if _, err := client.Write(b); err != nil {
				return
			}
		case b, ok := <-requests:
			if !ok {
				return
			}
			if bytes.Contains(b, []byte("greatest(writer.number")) {
				c.mu.Lock()
				if !c.closed {
					close(c.asked)
					c.asked = make(chan struct{})
				}
				c.mu.Unlock()
			}
			cut, asked := c.cut(b)
			switch cut {
			case 0: // before
				return
			case 2: // late
				_ = client.Close()
				<-asked
			}
			if _, err := server.Write(b); err != nil {
				return
			}
			if cut > 0 {
				<-answers
				return
			}
		}
	}
}

// cut says whether and how to cut over this message.
func (c *cutter) cut(b []byte) (how int, asked chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.every == 0 || !bytes.Contains(b, []byte("COMMIT\x00")) {
		return -1, nil
	}
	if c.commits++; c.commits%c.every != 0 {
		return -1, nil
	}
	how = c.commits / c.every % 3
	c.cuts[how]++
	return how, c.asked
}

// TestPostgres_ConnectionCutDuringCommit: whatever becomes of a connection over COMMIT, the answer is
// the truth.
func TestPostgres_ConnectionCutDuringCommit(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	rows := nightly.Or(1000, 300)
	server := Postgres.Server(t)
	address := postgresURL(t)
	proxy := newCutter(t, server.Address(), 3)
	u, err := url.Parse(address)
	must(t, err)
	u.Host = proxy.listener.Addr().String()
	db := openPostgres(t, u.String(), 0, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var mu sync.Mutex
	sent := map[pombo.MessageID]int{}
	failed := 0
	for from := 0; from < rows; from += 100 {
		mustEnqueue(t, db, testRows(from, 100)...)
	}
	for len(sent) < rows && ctx.Err() == nil {
		list, err := db.Queue.Claim(ctx, "me", 20)
		must(t, err)
		must(t, together(list, func(n *pombo.Notification) error {
			attempt, err := db.Queue.Begin(ctx, *n, "")
			if err != nil {
				mu.Lock()
				failed++
				mu.Unlock()
				return err
			}
			mu.Lock()
			sent[n.MessageID]++
			mu.Unlock()
			return db.Queue.Finish(ctx, accepted(*n, attempt))
		}))
	}
	allSentOnce(t, db, sent, rows)
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	if failed > 0 || slices.Min(proxy.cuts[:]) < 3 {
		t.Errorf("%d failed; cut %v times before, after and late; want none, and each way some times", failed, proxy.cuts)
	}
	proxy.every = 0
}

// TestWentBack_WriterGoesOn: the database was put back to an earlier time under a running
// process, whose count is ahead of it.
func TestWentBack_WriterGoesOn(t *testing.T) {
	db := openPostgres(t, postgresURL(t), 0, nil)
	for range 3 {
		must(t, db.Check(t.Context()))
	}
	if _, err := db.read.ExecContext(t.Context(), `UPDATE writer SET number = 1`); err != nil {
		t.Fatal(err)
	}
	must(t, db.Check(t.Context()))
	must(t, db.Check(t.Context()))
}
