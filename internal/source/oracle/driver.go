package oracle

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	go_ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/network"

	"pombo/internal/source"
)

// database/sql does not get the driver as it is. This file stands between them and
// handles six things that go-ora v2.9.0 does not:
//
//   - A call on a server that went silent lasts for ever. Here every call ends soon
//     after its context: first the server is asked to cancel; if it does not answer,
//     the call is abandoned and keeps one of the two sessions (unanswered.go).
//   - Its own way to cancel races with its reading. It never sees a context that
//     ends: the request to cancel is written here, past the driver, to which the
//     answer looks like any other error. Under TLS that is impossible, and the
//     server is not asked.
//   - It panics on answers of a length that it did not expect. Here a panic is an
//     error like a broken connection. The one goroutine that the driver starts waits for
//     a context that never ends, and for nothing else, so it cannot panic.
//   - An array whose middle row fails leaves the rows before it changed, locked and
//     not committed. Here a statement that changes something is a transaction of
//     its own: it is committed whole or rolled back. If the connection dies before
//     the commit was sent, the server rolls back, however late it notices.
//   - After a read that timed out the driver considers the connection sound.
//     Here any error but one that the server sent breaks the connection.
//   - A cursor that is reused with a longer argument than the last time may return
//     no rows and no error. Here a cursor is used once: closing it costs one round
//     trip for a page of hundreds of rows.
//
// What was sent and not answered is never sent again, unless it is a SELECT. The server
// may go on with a statement whose connection was cut, and rolls it back when it finds
// the connection gone: the COMMIT was never sent. Where that cannot be distinguished
// from a COMMIT whose answer was lost, settling again does no harm, because it changes
// only rows of the old status.

// grace is how long a server has to obey a cancel before its call is abandoned.
const grace = 2 * time.Second

// pingAfter is how long an idle connection is trusted before a ping.
const pingAfter = 30 * time.Second

type connector struct {
	address    *address
	gate       *loginGate
	unanswered *unanswered
	panics     *panics
	timeout    time.Duration
}

// Close is called by the pool when it is closed.
func (c *connector) Close() error {
	c.unanswered.close()
	return nil
}

// Driver is never called: a pool made of a connector has no name to look up.
func (c *connector) Driver() driver.Driver { return nil }

// Connect logs in, unless the database refused the account a short while ago.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.unanswered.full() {
		return nil, errUnanswered
	}
	if err := c.gate.acquire(ctx); err != nil {
		return nil, err
	}
	conn, err := c.login(ctx)
	if err = c.gate.release(err); err != nil {
		return nil, err
	}
	return conn, nil
}

// login tries the listeners in turn. It ends before the statement's time limit, so that
// the error can say which of the two it was.
func (c *connector) login(ctx context.Context) (made *session, err error) {
	end := time.Now().Add(min(c.timeout/2, 20*time.Second))
	for i, address := range c.address.urls {
		limit := time.Until(end)
		if i < len(c.address.urls)-1 {
			limit /= 2
		}
		failed := err
		if made, err = c.reach(ctx, address, limit); err == nil {
			if err = made.prepareSession(ctx); err != nil {
				_ = made.Close()
				return nil, err
			}
			return made, nil
		}
		e, told := errors.AsType[*serverError](err)
		if told && e.meaning().class == source.Permanent || ctx.Err() != nil {
			return nil, err // the same everywhere, or another try would lock the account
		}
		if before, ok := errors.AsType[*serverError](failed); ok && !told {
			err = before // says more than that another site cannot be reached
		}
	}
	return nil, err
}

// reach logs in at one listener, or where that redirects us.
func (c *connector) reach(ctx context.Context, address string, limit time.Duration) (*session, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var open loginLine
	dial := dialer(func(network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: limit / 2} // leaves time for the host's next address
		conn, err := d.DialContext(limited, network, address)
		if err != nil {
			return nil, err
		}
		return open.replace(limited, conn)
	})
	stop := context.AfterFunc(limited, open.cut)
	// A new connector each time: the driver writes the server's name into the TLS
	// settings.
	connector := go_ora.NewConnector(address).(*go_ora.OracleConnector)
	connector.Dialer(dial)
	if c.address.tls != nil {
		connector.WithTLSConfig(c.address.tls.Clone())
	}
	var conn driver.Conn
	err := c.panics.run(func() (err error) {
		conn, err = connector.Connect(context.WithoutCancel(ctx))
		return err
	})
	if !stop() && err == nil {
		err = limited.Err()
	}
	if err != nil {
		open.cut() // the driver leaves it open
		if ctx.Err() == nil && limited.Err() != nil {
			err = fmt.Errorf("no login within %s", limit.Round(100*time.Millisecond))
		}
		return nil, sanitize(err)
	}
	return &session{ora: conn.(*go_ora.Connection), line: open.line, unanswered: c.unanswered, panics: c.panics, now: c.gate.now}, nil
}

// session is a session at the server. database/sql never shares it between goroutines.
type session struct {
	ora        *go_ora.Connection
	line       *line
	unanswered *unanswered
	panics     *panics
	now        func() time.Time
	used       time.Time   // when it last answered
	broken     atomic.Bool // nothing more may be sent
	abandoned  bool        // unanswered has it
}

// call runs f on the session and ends soon after ctx. f is cancelled only while the
// driver waits for an answer, and not after inStep. f may go on after call has returned
// an error, so it must not touch what others read then. change says that f holds the slot
// of unanswered, which it then takes along.
func (c *session) call(ctx context.Context, change bool, f func(context.Context) error) error {
	err := ctx.Err()
	if err == nil {
		c.line.allowCancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = c.panics.run(func() error { return f(context.WithoutCancel(ctx)) })
		}()
		ended := false
		select {
		case <-done:
		case <-ctx.Done():
			if ended = true; !c.cancelAndWait(done) {
				c.broken.Store(true)
				c.abandoned = true
				c.line.abandon()
				c.unanswered.adopt(c.line, change, done)
				return c.causeOf(ctx)
			}
		}
		if !c.inStep(err) || isLost(sanitize(err)) {
			c.broken.Store(true)
		}
		switch {
		case err == nil:
			c.used = c.now()
		case ended:
			err = c.causeOf(ctx)
		default:
			err = sanitize(err)
		}
	}
	if change {
		c.unanswered.release()
	}
	return err
}

// cancelAndWait asks the server to cancel, and reports whether the call then ended.
func (c *session) cancelAndWait(done <-chan struct{}) bool {
	timeout := time.NewTimer(grace)
	defer timeout.Stop()
	select {
	case <-done:
		return true
	case <-c.line.reading:
		if !c.line.requestCancel() {
			return false
		}
	case <-timeout.C:
		return false
	}
	select {
	case <-done:
		return true
	case <-timeout.C:
		return false
	}
}

// inStep ends the part of a call that may be cancelled; err is how that part ended. It
// reports whether client and server agree on what was said: a cancel that was sent must
// have been obeyed. If it crossed with the answer, the server may apply it to whatever
// comes next.
func (c *session) inStep(err error) bool { return !c.line.forbidCancel() || wasCancelled(err) }

func wasCancelled(err error) bool {
	e, ok := errors.AsType[*network.OracleError](err)
	return ok && e.ErrCode == cancelled
}

// causeOf returns why a call was given up.
func (c *session) causeOf(ctx context.Context) error {
	err := context.Cause(ctx)
	if _, ok := errors.AsType[*source.LockedError](err); ok && c.broken.Load() {
		return &lostError{err: errors.New("the database does not answer")} // not even to the cancel
	}
	return err
}

// prepareSession sets a new session up.
func (c *session) prepareSession(ctx context.Context) error {
	return c.call(ctx, false, func(inner context.Context) error {
		if _, err := c.ora.ExecContext(inner, settingsText, nil); err != nil {
			return err
		}
		_, err := c.ora.ExecContext(inner, identifyText, nil)
		if isLost(sanitize(err)) {
			return err
		}
		return nil // a database that does not allow the call works without it
	})
}

// Prepare sends nothing.
func (c *session) Prepare(text string) (driver.Stmt, error) {
	return &stmt{conn: c, text: text}, nil
}

// Begin fails: a transaction would stay open between two statements.
func (c *session) Begin() (driver.Tx, error) {
	return nil, errors.New("the source has no transactions")
}

// IsValid keeps a broken connection out of the pool.
func (c *session) IsValid() bool { return !c.broken.Load() }

// ResetSession finds out before a statement whether the server has gone away, so that a
// restart does not fail that statement.
func (c *session) ResetSession(ctx context.Context) error {
	if c.broken.Load() {
		return driver.ErrBadConn
	}
	if c.now().Sub(c.used) < pingAfter {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := c.call(ctx, false, c.ora.Ping); err != nil || c.broken.Load() {
		c.broken.Store(true)
		return driver.ErrBadConn
	}
	return nil
}

// Close logs off, but not for longer than a second.
func (c *session) Close() error {
	if c.abandoned {
		return nil
	}
	if c.broken.Swap(true) {
		return c.line.Close()
	}
	late := time.AfterFunc(time.Second, func() { _ = c.line.Close() })
	defer late.Stop()
	_ = c.panics.run(c.ora.Close) // a session that is gone is closed too
	return nil
}

// stmt is a statement on one session. It has a cursor only while it runs.
type stmt struct {
	conn *session
	text string
}

// NumInput leaves it to the server to count the arguments.
func (s *stmt) NumInput() int { return -1 }

// CheckNamedValue accepts everything: the dialect passes only what the driver supports,
// arrays among it.
func (s *stmt) CheckNamedValue(*driver.NamedValue) error { return nil }

// Close has nothing to do.
func (s *stmt) Close() error { return nil }

// cursors are the cursors that a call has opened.
type cursors struct {
	conn *session
	open []*go_ora.Stmt
}

func (k *cursors) new(text string) *go_ora.Stmt {
	cursor := go_ora.NewStmt(text, k.conn.ora)
	k.open = append(k.open, cursor)
	return cursor
}

// close closes them, unless err says that the connection is gone.
func (k *cursors) close(err error) {
	for _, cursor := range k.open {
		if !k.conn.broken.Load() && !isLost(sanitize(err)) && cursor.Close() != nil {
			k.conn.broken.Store(true) // what was done is done all the same
		}
	}
}

// query reads all rows of a SELECT.
func (k *cursors) query(ctx context.Context, text string, args []driver.NamedValue) (*rows, error) {
	r, err := k.new(text).QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	rows := &rows{columns: r.Columns()}
	for {
		values := make([]driver.Value, len(rows.columns))
		switch err := r.Next(values); {
		case err == io.EOF: //nolint:errorlint // as the contract of driver.Rows says
			return rows, r.Close()
		case err != nil:
			return nil, errors.Join(err, r.Close())
		}
		rows.values = append(rows.values, values)
	}
}

// ExecContext runs an UPDATE and commits it, or rolls it back. Oracle cannot limit how
// long an UPDATE waits for a row, so the limit is ours.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	args, lock := source.CutRowLocks(args)
	if err := s.conn.unanswered.acquire(ctx); err != nil {
		return nil, err
	}
	if lock.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, lock.Wait, &source.LockedError{Wait: lock.Wait})
		defer cancel()
	}
	var changed int64
	err := s.conn.call(ctx, true, func(inner context.Context) (err error) {
		k := cursors{conn: s.conn}
		defer func() { k.close(err) }()
		tx, err := s.conn.ora.BeginTx(inner, driver.TxOptions{})
		if err != nil {
			return err
		}
		if args, err = k.lockFree(inner, args, lock); err == nil && args != nil {
			var r driver.Result
			if r, err = k.new(s.text).ExecContext(inner, args); err == nil {
				changed, err = r.RowsAffected()
			}
		}
		// Only the statements are cancelled, never the end of the transaction.
		switch inStep := s.conn.inStep(err); {
		case !inStep:
			s.conn.broken.Store(true) // and so rolled back
			return errors.Join(err, net.ErrClosed)
		case err != nil:
			if !isLost(sanitize(err)) && tx.Rollback() != nil {
				s.conn.broken.Store(true)
			}
			return err
		}
		if err := tx.Commit(); err != nil {
			s.conn.broken.Store(true)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(changed), nil
}

// lockFree locks the rows that nobody else has locked and returns the arguments for
// these; nil = there are none. Where rows cannot be locked one by one, or that is known
// already, it returns the arguments for all.
func (k *cursors) lockFree(ctx context.Context, args []driver.NamedValue, lock *source.RowLocks) ([]driver.NamedValue, error) {
	if args == nil {
		args = []driver.NamedValue{}
	}
	if len(lock.Free) == 0 {
		return args, nil
	}
	var keys []any
	for _, q := range lock.Free {
		rows, err := k.query(ctx, q.Text, named(q.Args))
		if k.conn.line.cancelRequested() && !wasCancelled(err) {
			return nil, errors.Join(err, net.ErrClosed) // the server may apply the cancel to what comes next
		}
		if e, ok := errors.AsType[*network.OracleError](err); ok && slices.Contains(notForUpdate, e.ErrCode) {
			lock.CannotLock()
			return args, nil
		}
		if err != nil {
			return nil, err
		}
		for _, v := range rows.values {
			keys = append(keys, v[0])
		}
	}
	return named(lock.Narrow(keys)), nil
}

func named(args []any) []driver.NamedValue {
	var values []driver.NamedValue
	for i, a := range args {
		values = append(values, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return values
}

// QueryContext reads all rows; a page or a list of keys bounds them. database/sql sends a
// SELECT again when its connection broke.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	var rows *rows
	err := s.conn.call(ctx, false, func(inner context.Context) (err error) {
		k := cursors{conn: s.conn}
		defer func() { k.close(err) }()
		rows, err = k.query(inner, s.text, args)
		return err
	})
	if lost, ok := errors.AsType[*lostError](err); ok {
		err = &lostError{err: lost.err, retryable: true}
	}
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Exec is the interface from before Go 1.8; database/sql calls ExecContext.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query is from before Go 1.8 too.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

type rows struct {
	columns []string
	values  [][]driver.Value
}

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(into []driver.Value) error {
	if len(r.values) == 0 {
		return io.EOF
	}
	copy(into, r.values[0])
	r.values = r.values[1:]
	return nil
}
