package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pombo/internal/source"
)

// The connection to PostgreSQL: database/sql on the protocol itself (pgconn).
//
// pgx's own adapter prepares named statements, and Table keeps its statements
// prepared. A pooler that gives every transaction another session (PgBouncer's
// pool_mode = transaction) would look for them on the wrong session
// sooner or later. Here preparing does nothing. A statement goes out in one message with its arguments
// (parse, bind, execute, sync, always of the unnamed statement) and leaves
// nothing behind in the session: no prepared statement, no setting, no open
// transaction, no lock. The server parses each time, which costs little beside a round
// trip, and plans with the values, so that an index of the pending rows alone is
// always used.
//
// The server's error messages, which may quote a row, do not leave this file; see
// error.go.

// limits are how long the server may work on a statement.
type limits struct{ statement, lock time.Duration }

// limitsText precedes each statement in the same message, so that the two are one
// transaction, at whose end set_config with true ends too. So the server ends what takes
// too long even if we were killed, and a limit that the DBA has set for our account
// stays. A setting of the session would not survive a pooler, which also refuses it as a
// setting of the connection.
const limitsText = "SELECT set_config(s.name, s.value, true) FROM (VALUES ('statement_timeout', $1), ('lock_timeout', $2)) AS s (name, value) WHERE current_setting(s.name) = '0'"

// pingText does nothing.
const pingText = "SELECT 1"

// pingAfter is how long an idle connection is trusted before a ping.
const pingAfter = time.Second

type connector struct {
	config *pgconn.Config
	limits limits
	now    func() time.Time
}

// Connect opens a session.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	pg, err := pgconn.ConnectConfig(ctx, c.config)
	if err == nil {
		return &session{pg: pg, limits: c.limits, now: c.now, used: c.now()}, nil
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		// The driver's own limit, not the statement's.
		address := net.JoinHostPort(c.config.Host, strconv.Itoa(int(c.config.Port)))
		return nil, unreachable(fmt.Errorf("no connection to %s within %s", address, c.config.ConnectTimeout))
	}
	return nil, sanitize(err)
}

// Driver is never called: a pool made of a connector has no name to look up.
func (c connector) Driver() driver.Driver { return nil }

type session struct {
	pg     *pgconn.PgConn
	limits limits
	now    func() time.Time
	used   time.Time // when it last answered
}

// Prepare sends nothing.
func (c *session) Prepare(text string) (driver.Stmt, error) {
	return &stmt{c, text}, nil
}

// Close says goodbye to the server, but not for longer than a second.
func (c *session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return c.pg.Close(ctx)
}

// Begin fails: a transaction would stay open between two statements.
func (c *session) Begin() (driver.Tx, error) {
	return nil, errors.New("the source has no transactions")
}

// IsValid keeps a broken connection out of the pool.
func (c *session) IsValid() bool { return !c.pg.IsClosed() }

// ResetSession finds out before a statement whether the server has gone away, so that a
// restart does not fail that statement.
func (c *session) ResetSession(ctx context.Context) error {
	if c.pg.IsClosed() {
		return driver.ErrBadConn
	}
	if c.now().Sub(c.used) < pingAfter {
		return nil
	}
	if _, err := c.pg.Exec(ctx, pingText).ReadAll(); err != nil {
		return driver.ErrBadConn
	}
	c.used = c.now()
	return nil
}

// attempts is how often a statement runs that the server undoes because of another
// transaction. What was undone left nothing behind.
const attempts = 5

// run sends a statement and reads the whole answer; a page or a batch bounds it.
func (c *session) run(ctx context.Context, text string, args []driver.NamedValue) (*pgconn.Result, error) {
	limits := c.limits
	args, locking := source.CutRowLocks(args)
	var formats []int16 // text
	if last := len(args) - 1; last >= 0 {
		if _, ok := args[last].Value.(binaryResult); ok {
			args, formats = args[:last], []int16{binaryFormat}
		}
	}
	if locking.Wait > 0 {
		limits.lock = locking.Wait
	}
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a.Value.(string)) // the dialect passes nothing else
	}
	for attempt := 1; ; attempt++ {
		result, err := c.try(ctx, limits, text, values, formats)
		e, ok := errors.AsType[*serverError](err)
		if !ok || attempt == attempts || ctx.Err() != nil || e.code != serializationFailure && e.code != deadlockDetected {
			return result, err
		}
	}
}

func (c *session) try(ctx context.Context, limits limits, text string, values [][]byte, formats []int16) (*pgconn.Result, error) {
	milliseconds := func(d time.Duration) []byte { return strconv.AppendInt(nil, max(d.Milliseconds(), 1), 10) }
	var b pgconn.Batch
	b.ExecParams(limitsText, [][]byte{milliseconds(limits.statement), milliseconds(limits.lock)}, nil, nil, nil)
	b.ExecParams(text, values, nil, nil, formats)
	results, err := c.pg.ExecBatch(ctx, &b).ReadAll()
	if err != nil {
		if pgconn.SafeToRetry(err) && ctx.Err() == nil {
			return nil, driver.ErrBadConn // nothing was sent
		}
		return nil, sanitize(err)
	}
	if len(results) != 2 {
		return nil, errors.New("the server answered another number of statements than it was given")
	}
	c.used = c.now()
	return results[1], nil
}

type stmt struct {
	conn *session
	text string
}

func (s *stmt) Close() error { return nil }

// NumInput leaves it to the server to count the arguments.
func (s *stmt) NumInput() int { return -1 }

// CheckNamedValue accepts RowLocks and binaryResult; the dialect passes only texts besides.
func (s *stmt) CheckNamedValue(*driver.NamedValue) error { return nil }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	r, err := s.conn.run(ctx, s.text, args)
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(r.CommandTag.RowsAffected()), nil
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	r, err := s.conn.run(ctx, s.text, args)
	if err != nil {
		return nil, err
	}
	return &rows{r, 0}, nil
}

// Exec is the interface from before Go 1.8; database/sql calls ExecContext.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query is from before Go 1.8 too.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

// binaryResult is a last argument that is meant for the driver: values come as bytes. As
// text, those of a bytea would take twice the room.
type binaryResult struct{}

// binaryFormat is the protocol's number of it.
const binaryFormat = 1

// rows returns every value as text, or as bytes where these were asked for, NULL as nil.
type rows struct {
	result *pgconn.Result
	next   int
}

func (r *rows) Columns() []string {
	names := make([]string, len(r.result.FieldDescriptions))
	for i, f := range r.result.FieldDescriptions {
		names[i] = f.Name
	}
	return names
}

func (r *rows) Close() error { return nil }

func (r *rows) Next(into []driver.Value) error {
	if r.next == len(r.result.Rows) {
		return io.EOF
	}
	for i, v := range r.result.Rows[r.next] {
		if into[i] = nil; v != nil {
			if r.result.FieldDescriptions[i].Format == binaryFormat {
				into[i] = v
			} else {
				into[i] = string(v)
			}
		}
	}
	r.next++
	return nil
}
