package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// How a group of writes is carried out on PostgreSQL.
//
// Its batches go out together in one message, with the beginning of the
// transaction, and COMMIT in a second one. So however many workers wait, they
// wait for two round trips; and what each statement has changed is known here
// before the transaction is committed.
//
// A connection can be lost after COMMIT was sent and before it was answered.
// Whether it was committed is not known then. So each transaction first counts up a row
// that belongs to this writer alone, from the number of the one before, and fails
// if it finds another number. After the loss the writer looks at its row over a
// new connection. Either it has the number of the transaction, which was
// committed; or it is given a further number, which only such a look does: the
// transaction was not committed, and should it still be on its way to the server
// it will fail there. What was not committed is then carried out again. The
// callers wait, and do not notice.

// A statement is parsed and planned each time it comes, which takes as long as running
// it for some thirty rows. So the writer's connection keeps its statements prepared
// where it leads to a single session of the server: where the server names the same
// process as at the login. A pooler names one of its own. (PgBouncer makes it up at
// random: its source, get_random_bytes for cancel_key.)

// prepare prepares those statements of the message that are not prepared yet.
func (p *postgres) prepare(ctx context.Context, c *pgx.Conn, b *pgx.Batch) error {
	if p.session != c {
		var pid uint32
		if err := c.QueryRow(ctx, p.text(sqlBackend)).Scan(&pid); err != nil {
			return err
		}
		p.session, p.own = c, !p.pooled && pid == c.PgConn().PID()
		if p.own {
			claim := p.text(sqlClaim)
			if _, err := c.Prepare(ctx, claim, claim); err != nil {
				return err
			}
		}
	}
	if !p.own {
		return nil
	}
	for _, q := range b.QueuedQueries {
		if _, err := c.Prepare(ctx, q.SQL, q.SQL); err != nil {
			return err
		}
	}
	return nil
}

// unprepared reports whether err says that there was a pooler after all, or that
// the tables were changed under a plan.
func unprepared(err error) bool {
	code := sqlstate(err)
	return code == invalidStatementName || code == duplicateStatement || code == featureNotSupported
}

// tries is how often a transaction is run that the server rolled back because of
// another one, or that was lost on the way.
const tries = 5

// lookAgain is how long the writer waits between two looks at its row.
const lookAgain = 250 * time.Millisecond

// errInDoubt: the connection was lost after COMMIT was sent, or the standby that the
// server waits for has not confirmed it.
var errInDoubt = errors.New("the connection to the ledger's database was lost")

// errBehind: the number in the writer's row was another one.
var errBehind = errors.New("the transactions of this process are counted otherwise in the ledger's database")

// errNoConnection: nothing has happened, because there is no connection.
var errNoConnection = errors.New("there is no connection to the ledger's database")

func (p *postgres) transact(tx *txn, group []*write) error {
	silent := false // a try before this one had no answer
	for try := 1; ; try++ {
		err := p.try(tx, group)
		if lost(err) {
			p.away = true
		} else if p.away {
			p.away, p.back = false, time.Now()
		}
		if errors.Is(err, errInDoubt) {
			committed, e := p.look(tx)
			if committed {
				return nil
			}
			if e != nil {
				return e
			}
		}
		switch {
		case err == nil:
			return nil
		case try == tries || errors.Is(err, errNoConnection):
			return err
		case errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err):
			if silent {
				return err
			}
			silent = true
		case lost(err) || errors.Is(err, errBehind):
		case sqlstate(err) == deadlockDetected || sqlstate(err) == serializationFailure:
		case p.own && unprepared(err):
			p.pooled = true
		default:
			return err
		}
	}
}

// try carries out the group once. After errInDoubt it may have happened; after
// any other error it has not.
func (p *postgres) try(tx *txn, group []*write) (err error) {
	ctx, done := p.withTimeout(context.Background())
	defer done()
	conn, err := p.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoConnection, err)
	}
	tx.ctx, tx.conn = ctx, conn
	defer func() {
		tx.conn = nil
		if err != nil && (!rollback(ctx, conn) || unprepared(err) || errors.Is(err, errInDoubt) || sqlstate(err) == readOnlyTransaction) {
			// This makes the pool drop the connection.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}()

	if err := raw(conn, func(c *pgx.Conn) error { return p.greet(ctx, c) }); err != nil {
		return err
	}
	number := p.number + 1
	list := batches(group)
	err = raw(conn, func(c *pgx.Conn) error {
		b := &pgx.Batch{}
		limits, within := p.limits()
		b.Queue(p.text(sqlBeginTransaction))
		b.Queue(p.text(limits), within)
		b.Queue(p.text(sqlCountTransaction), p.name, number, p.clock())
		if p.events {
			b.Queue(p.text(sqlWriteEvents))
		}
		first := b.Len()
		steps, err := p.queue(b, list)
		if err != nil {
			return err
		}
		if err := p.prepare(ctx, c, b); err != nil {
			return err
		}
		return receive(c.SendBatch(ctx, b), first, steps)
	})
	if err != nil {
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == notNullViolation && e.TableName == "writer" {
			return p.recount(ctx, conn, err)
		}
		return err
	}
	for i := range list {
		list[i].share()
	}
	if err := tx.functions(group); err != nil {
		return err
	}
	err = raw(conn, func(c *pgx.Conn) error {
		done, err := c.Exec(ctx, p.text(sqlCommit))
		if err == nil && done.String() != "COMMIT" {
			// The server answers so when a statement of the transaction had failed.
			err = errors.New("the transaction was rolled back because of an earlier error")
		}
		if err == nil && unsure(c) {
			err = errInDoubt
		}
		return err
	})
	switch {
	case err == nil:
		p.number, p.wrote = number, time.Now()
		return nil
	case !lost(err):
		return err // the server says that it has not
	}
	// Also where the driver says that nothing was sent: it has said so of a COMMIT
	// that was carried out.
	return fmt.Errorf("%w: %w", errInDoubt, err)
}

// recount takes over the number in the row, which was changed from outside: the
// database was restored to an earlier time, say.
func (p *postgres) recount(ctx context.Context, conn *sql.Conn, cause error) error {
	if !rollback(ctx, conn) {
		return cause
	}
	err := raw(conn, func(c *pgx.Conn) error {
		var number int64
		if err := c.QueryRow(ctx, p.text(sqlLastTransaction), p.name).Scan(&number); err != nil {
			return err
		}
		if number < p.number {
			if err := p.lostOurs(ctx, c); err != nil {
				return err
			}
		}
		p.number = number
		return nil
	})
	if err != nil {
		return err
	}
	return errBehind
}

// look finds out whether the transaction in doubt was committed. It asks until
// it knows or the ledger is closed; meanwhile what else waits for this writer is refused.
func (p *postgres) look(tx *txn) (committed bool, err error) {
	number := p.number + 1
	for {
		found, err := p.lookOnce(number)
		if err == nil {
			p.number = found
			return found == number, nil
		}
		tx.refuse(fmt.Errorf("%w: %w", errNoConnection, err))
		timer := time.NewTimer(lookAgain)
		select {
		case <-timer.C:
		case <-p.quit:
			timer.Stop()
			return false, fmt.Errorf("%w; it is not known whether this was written: %w", errInDoubt, err)
		}
	}
}

// lookOnce asks over whatever connection there is. It looks first whether the
// server it leads to has lost more than the transaction in doubt: the look itself
// would hide that.
func (p *postgres) lookOnce(number int64) (found int64, err error) {
	ctx, done := p.withTimeout(context.Background())
	defer done()
	conn, err := p.write.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}()
	err = raw(conn, func(c *pgx.Conn) error {
		p.greeted = nil
		if err := p.greet(ctx, c); err != nil {
			return err
		}
		if err := c.QueryRow(ctx, p.text(sqlLook), p.name, number, p.clock()).Scan(&found); err != nil {
			return err
		}
		if unsure(c) {
			return errInDoubt
		}
		return nil
	})
	return found, err
}

// rollback ends the transaction and reports whether the connection is still good.
func rollback(ctx context.Context, conn *sql.Conn) bool {
	return raw(conn, func(c *pgx.Conn) error {
		if c.IsClosed() || c.PgConn().TxStatus() == 'I' {
			return nil
		}
		_, err := c.Exec(ctx, postgresCatalogue().text(sqlRollback))
		return err
	}) == nil && raw(conn, func(c *pgx.Conn) error {
		if c.IsClosed() {
			return net.ErrClosed
		}
		return nil
	}) == nil
}

// raw calls f with the driver's own connection.
func raw(conn *sql.Conn, f func(*pgx.Conn) error) error {
	return conn.Raw(func(c any) error { return f(c.(*stdlib.Conn).Conn()) })
}

// lost reports whether err may mean that the connection was lost, rather than
// that the server has refused something.
func lost(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, errNoConnection) || errors.Is(err, errInDoubt) {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// With FATAL the server ends the session, maybe after a commit. The
		// other field is in the server's language.
		severity := e.SeverityUnlocalized
		if severity == "" {
			severity = e.Severity
		}
		return severity != "ERROR" || e.Code == completionUnknown
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		errors.Is(err, context.DeadlineExceeded)
}
