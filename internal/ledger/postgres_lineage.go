package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How a ledger on PostgreSQL notices that it has lost something. Two signs, and
// each writer looks for them on every new connection, before it writes anything, and
// every minute:
//
// Its own last transaction is not there. Each writer counts its transactions in a
// row of its own (postgres_write.go) and remembers the number, so this is certain.
//
// The server is another one, or goes on from an earlier point: its system's
// identifier and its timeline are not those that the ledger itself has noted. That
// reveals lost transactions of a process that died together with the old primary. It
// counts only where no standby had to have every commit: a synchronous standby that was
// promoted has lost nothing.
//
// A third is seen from outside: the address has led to nothing but an old primary for
// a minute (postgres_server.go).
//
// It does not notice a backup that was restored into the same server while all processes
// were stopped.

// How long a session is trusted. One that a pooler may redirect: not long. One of the
// server's own stays on it, but whether a standby has to have every commit may be
// changed under it.
const (
	greetAgain    = 2 * time.Second
	greetOwnAgain = time.Minute
)

// greet looks for the signs, where the session may be a new one.
func (p *postgres) greet(ctx context.Context, c *pgx.Conn) error {
	trusted := greetAgain
	if p.own {
		trusted = greetOwnAgain
	}
	if p.greeted == c && time.Since(p.greetedAt) < trusted {
		return nil
	}
	if p.number > 0 {
		var number int64
		if err := c.QueryRow(ctx, p.text(sqlLastTransaction), p.name).Scan(&number); err != nil {
			return err
		}
		if number < p.number {
			if err := p.lostOurs(ctx, c); err != nil {
				return err
			}
			p.number = number
		}
	}
	if back := p.servers.wentBack(); back > p.backs {
		if err := p.wentBack(ctx, c, "the cluster went back to an earlier primary", "", 0); err != nil {
			return err
		}
		p.backs = back
	}
	if err := p.greetServer(ctx, c); err != nil {
		return err
	}
	p.greeted, p.greetedAt = c, time.Now()
	return nil
}

// lostOurs is called when a committed transaction of this writer is missing. Another
// writer may have found out meanwhile; and the row of a writer that has written nothing
// for a day was deleted.
func (p *postgres) lostOurs(ctx context.Context, c *pgx.Conn) error {
	if time.Since(p.wrote) > 20*time.Hour {
		return nil
	}
	return p.wentBack(ctx, c, "transactions that were committed are not there", "", 0)
}

// greetServer checks that the server is the one that the ledger has noted. A server
// that only speaks PostgreSQL's protocol may not support this.
func (p *postgres) greetServer(ctx context.Context, c *pgx.Conn) error {
	var server string
	var safe int
	err := c.QueryRow(ctx, p.text(sqlServer)).Scan(&server, &safe)
	if _, refused := errors.AsType[*pgconn.PgError](err); refused && !lost(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var noted string
	var wasSafe int
	if err := c.QueryRow(ctx, p.text(sqlNotedServer)).Scan(&noted, &wasSafe); err != nil {
		return err
	}
	switch {
	case noted == server && wasSafe == safe:
		return nil
	case noted == "" || noted == server || wasSafe == 1:
		_, err := c.Exec(ctx, p.text(sqlNoteServer), server, safe, noted)
		return err
	}
	return p.wentBack(ctx, c, "the server is another one, or was put back to an earlier time, and no standby had to have every commit", server, safe)
}

// wentBack puts in doubt what the ledger may have lost. server is the one that was
// not noted yet; "" = it is not about the server.
func (p *postgres) wentBack(ctx context.Context, c *pgx.Conn, why, server string, safe int) (err error) {
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx))
		}
	}()
	var count, now int64
	var noted string
	var wasSafe int
	var handled bool
	if err := tx.QueryRow(ctx, p.text(sqlNoticed), p.clock(), time.Since(p.wrote).Milliseconds()).Scan(&count, &noted, &wasSafe, &handled, &now); err != nil {
		return err
	}
	if server == "" {
		server, safe = noted, wasSafe
	} else {
		handled = noted == server
	}
	if handled {
		return tx.Rollback(ctx)
	}
	if _, err := tx.Exec(ctx, p.text(sqlSkipNumbers)); err != nil {
		return err
	}
	if p.events {
		if _, err := tx.Exec(ctx, p.text(sqlWriteEvents)); err != nil {
			return err
		}
	}
	marked, err := tx.Exec(ctx, p.text(sqlLose), now)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, p.text(sqlNoteLoss), now, now, count+1, server, safe); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	p.logLoss(marked.RowsAffected(), why)
	return nil
}
