package source

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	go_ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/network"
)

// The driver is not given to database/sql as it is. What stands between sees to
// five things that go-ora v2.9.0 leaves open:
//
//   - A call on a server that went silent lasts for ever. Here every call ends soon
//     after its context: first the server is asked to cancel, so that no session
//     stays behind waiting for a lock; if it does not answer, the line is cut.
//   - Its own way to cancel races with its reading. It never sees a context that
//     ends: what asks the server to cancel is written here, past the driver, to
//     which the answer looks like any other error. Under TLS nobody can get past
//     it, and the line is cut at once.
//   - An array whose middle row fails leaves the rows before it changed, locked and
//     not committed. Here a statement that changes something is a transaction of
//     its own: it is committed whole or rolled back. If the line dies before the
//     commit was sent, the server rolls back, however late it notices.
//   - After a read that took too long the driver takes the connection for sound.
//     Here any error but one that the server sent breaks the connection.
//   - A cursor that is used again with a longer argument than the last time may
//     give no rows and no error. Here a cursor is used once: closing it costs a
//     round trip for a page of hundreds of rows.
//
// What has been sent and not been answered is never sent again, unless it is a
// SELECT. The server may go on with a statement whose line was cut, even for as
// long as a row is locked, and rolls it back when it finds the line gone: the
// COMMIT was never sent. Where that cannot be told from a COMMIT whose answer was
// lost, settling again does no harm, for it changes only rows of the old status.

// grace is how long a server has to obey a cancel before the line is cut.
const grace = 2 * time.Second

// oracleIdle is how long a connection is believed to be alive without being asked.
const oracleIdle = 30 * time.Second

type oracleConnector struct {
	address *oracleAddress
	gate    *loginGate
	timeout time.Duration
}

// Driver is asked by nobody: a pool that was made of a connector has no name to
// look up.
func (c *oracleConnector) Driver() driver.Driver { return nil }

// Connect logs in, unless the database refused the account a short while ago.
func (c *oracleConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.gate.enter(ctx); err != nil {
		return nil, err
	}
	conn, err := c.login(ctx)
	if err = c.gate.leave(err); err != nil {
		return nil, err
	}
	return conn, nil
}

func (c *oracleConnector) login(ctx context.Context) (*oracleConn, error) {
	// Over before the statement's time is, so that the error can say which it was.
	limit := min(c.timeout/2, 20*time.Second)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var open openLine
	dial := dialer(func(network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: limit / 2} // for the next address to have its time
		conn, err := d.DialContext(limited, network, address)
		if err != nil {
			return nil, err
		}
		return open.replace(limited, conn)
	})
	stop := context.AfterFunc(limited, open.cut)
	// A connector each time: the driver writes the server's name into the settings
	// of TLS.
	connector := go_ora.NewConnector(c.address.url).(*go_ora.OracleConnector)
	connector.Dialer(dial)
	if c.address.tls != nil {
		connector.WithTLSConfig(c.address.tls.Clone())
	}
	conn, err := connector.Connect(context.WithoutCancel(ctx))
	if !stop() && err == nil {
		err = limited.Err()
	}
	if err != nil {
		open.cut() // the driver leaves it open
		if ctx.Err() == nil && limited.Err() != nil {
			err = fmt.Errorf("no login within %s", limit)
		}
		return nil, oracleFault(err)
	}
	made := &oracleConn{ora: conn.(*go_ora.Connection), line: open.line, now: c.gate.now}
	if err := made.greet(ctx); err != nil {
		_ = made.Close()
		return nil, err
	}
	return made, nil
}

// oracleConn is a session. database/sql sees to it that nobody shares it.
type oracleConn struct {
	ora    *go_ora.Connection
	line   *line
	now    func() time.Time
	used   time.Time // when it last answered
	broken bool
}

// call runs something on the session and ends it soon after ctx ends. What f does
// is cancelled only while the driver waits for an answer, and not after inStep.
func (c *oracleConn) call(ctx context.Context, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.line.begin()
	done := make(chan struct{})
	ended := false // by watch
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		ended = true
		patience := time.NewTimer(grace)
		defer patience.Stop()
		select {
		case <-done:
			return
		case <-c.line.reading:
			c.line.cancel()
		case <-patience.C:
		}
		select {
		case <-done:
		case <-patience.C:
			_ = c.line.Close()
		}
	})
	err := f(context.WithoutCancel(ctx))
	close(done)
	watch.Wait()
	c.broken = c.broken || !c.inStep(err) || isLost(oracleFault(err))
	switch {
	case err == nil:
		c.used = c.now()
		return nil
	case ended:
		return c.gaveUp(ctx)
	}
	return oracleFault(err)
}

// inStep ends the part of a call that may be cancelled, whose error is given. It
// reports whether each side knows what the other has heard: a cancel that was sent
// must have been obeyed. If it crossed with the answer, the server may take it for
// the end of what comes next.
func (c *oracleConn) inStep(err error) bool {
	e, ok := errors.AsType[*network.OracleError](err)
	return !c.line.end() || ok && e.ErrCode == cancelled
}

// gaveUp is why a call was ended.
func (c *oracleConn) gaveUp(ctx context.Context) error {
	err := context.Cause(ctx)
	if _, ok := errors.AsType[*busyError](err); ok && c.broken {
		return &oracleLost{err: errors.New("the database does not answer")} // not even that it obeys
	}
	return err
}

// greet prepares a new session.
func (c *oracleConn) greet(ctx context.Context) error {
	return c.call(ctx, func(inner context.Context) error {
		if _, err := c.ora.ExecContext(inner, oracleSettings, nil); err != nil {
			return err
		}
		_, err := c.ora.ExecContext(inner, oracleIdentify, nil)
		if isLost(oracleFault(err)) {
			return err
		}
		return nil // a database that allows no such call does as well without it
	})
}

// Prepare sends nothing.
func (c *oracleConn) Prepare(text string) (driver.Stmt, error) {
	return &oracleStmt{c: c, text: text}, nil
}

// Begin is refused: a transaction would stay open between two statements.
func (c *oracleConn) Begin() (driver.Tx, error) {
	return nil, errors.New("the source has no transactions")
}

// IsValid keeps a connection that broke out of the pool.
func (c *oracleConn) IsValid() bool { return !c.broken }

// ResetSession finds out before a statement whether the server has gone
// meanwhile, so that a restart of it is not noticed by the one who asks next.
func (c *oracleConn) ResetSession(ctx context.Context) error {
	if c.broken {
		return driver.ErrBadConn
	}
	if c.now().Sub(c.used) < oracleIdle {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := c.call(ctx, c.ora.Ping); err != nil || c.broken {
		c.broken = true
		return driver.ErrBadConn
	}
	return nil
}

// Close logs off, but waits for nobody.
func (c *oracleConn) Close() error {
	if c.broken {
		return c.line.Close()
	}
	c.broken = true
	late := time.AfterFunc(time.Second, func() { _ = c.line.Close() })
	defer late.Stop()
	_ = c.ora.Close() // a session that is gone is closed too
	return nil
}

// oracleStmt is a statement on one session. It has a cursor only while it runs.
type oracleStmt struct {
	c    *oracleConn
	text string
}

// NumInput leaves it to the server to count the arguments.
func (s *oracleStmt) NumInput() int { return -1 }

// CheckNamedValue lets arrays pass; the dialect gives nothing that the driver does
// not take.
func (s *oracleStmt) CheckNamedValue(*driver.NamedValue) error { return nil }

// Close has nothing to do.
func (s *oracleStmt) Close() error { return nil }

// run opens a cursor for f, and closes it.
func (s *oracleStmt) run(ctx context.Context, f func(context.Context, *go_ora.Stmt) error) error {
	return s.c.call(ctx, func(inner context.Context) error {
		cursor := go_ora.NewStmt(s.text, s.c.ora)
		err := f(inner, cursor)
		if !s.c.broken && !isLost(oracleFault(err)) && cursor.Close() != nil {
			s.c.broken = true // what f did is done all the same
		}
		return err
	})
}

// ExecContext runs an UPDATE and commits it, or rolls it back. Oracle knows no
// limit for how long an UPDATE waits for a row, so the limit is ours.
func (s *oracleStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	args, wait := cutLockWait(args)
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, &busyError{wait})
		defer cancel()
	}
	var changed int64
	err := s.run(ctx, func(inner context.Context, ora *go_ora.Stmt) error {
		tx, err := s.c.ora.BeginTx(inner, driver.TxOptions{})
		if err != nil {
			return err
		}
		r, err := ora.ExecContext(inner, args)
		// Its end is never cancelled, only its statement.
		switch inStep := s.c.inStep(err); {
		case !inStep:
			s.c.broken = true // and so rolled back
			return errors.Join(err, net.ErrClosed)
		case err != nil:
			if !isLost(oracleFault(err)) && tx.Rollback() != nil {
				s.c.broken = true
			}
			return err
		}
		if changed, err = r.RowsAffected(); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			s.c.broken = true
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(changed), nil
}

// QueryContext reads all rows, which a page or a list of keys bounds. A SELECT
// whose line broke may be sent again, and database/sql does so.
func (s *oracleStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows := &oracleRows{}
	err := s.run(ctx, func(inner context.Context, ora *go_ora.Stmt) error {
		r, err := ora.QueryContext(inner, args)
		if err != nil {
			return err
		}
		rows.columns = r.Columns()
		for {
			values := make([]driver.Value, len(rows.columns))
			switch err := r.Next(values); {
			case err == io.EOF: //nolint:errorlint // as the contract of driver.Rows says
				return r.Close()
			case err != nil:
				return errors.Join(err, r.Close())
			}
			rows.values = append(rows.values, values)
		}
	})
	if lost, ok := errors.AsType[*oracleLost](err); ok {
		lost.again = true
	}
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Exec is of before Go 1.8; database/sql calls ExecContext.
func (s *oracleStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query is of before Go 1.8 too.
func (s *oracleStmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

type oracleRows struct {
	columns []string
	values  [][]driver.Value
}

func (r *oracleRows) Columns() []string { return r.columns }
func (r *oracleRows) Close() error      { return nil }

func (r *oracleRows) Next(into []driver.Value) error {
	if len(r.values) == 0 {
		return io.EOF
	}
	copy(into, r.values[0])
	r.values = r.values[1:]
	return nil
}
