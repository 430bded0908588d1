package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgres is the ledger in PostgreSQL, for several processes at once, or in what
// speaks its protocol.
//
// A statement goes out with its arguments in one message and leaves nothing
// behind in the session: no setting, no lock, and no prepared statement unless the
// session is ours alone (see prepare). So a pooler that gives each transaction
// another session (PgBouncer's pool_mode = transaction) may stand in between.
//
// The processes meet in the rows only. A claim passes over rows that another one
// is just taking; every other change names the state, the owner and the attempt
// that it expects, and the second one changes nothing. Leases are judged by
// the database's clock. How a group of writes is carried out, and what happens
// when the connection is lost over it, is in postgres_write.go.
type postgres struct {
	url     string
	timeout time.Duration // for an answer
	events  bool          // changes write their events
	servers *servers      // from open on; the second writer has the same

	name  string // the writer's, in the table of writers
	clock func() any
	log   *slog.Logger
	quit  <-chan struct{}
	other *postgres // the second writer's; nil in that one

	write  *sql.DB
	away   bool      // the writer's last try found no database; only the writer uses it and the next two
	back   time.Time // since when it has answered again; zero = always
	number int64     // of the writer's last transaction; the writer's alone

	// The connection on which the writer last looked whether the ledger had lost
	// something, and when; and when it last wrote: see postgres_lineage.go.
	greeted          *pgx.Conn
	backs            int // how often the cluster has gone back, as this writer knows
	greetedAt, wrote time.Time
	logLoss          func(rows int64, why string)

	// The writer's connection as prepare found it: whether it has a session of its
	// own; pooled is for good.
	session     *pgx.Conn
	own, pooled bool
}

// postgresReaders is how many statements read at once.
const postgresReaders = 4

func (p *postgres) open(ctx context.Context) (write, read *sql.DB, err error) {
	if p.servers, err = newServers(p.url, p.timeout, p.log); err != nil {
		return nil, nil, err
	}
	write, read = p.servers.pool(1), p.servers.pool(postgresReaders)
	other := p.servers.pool(1)
	ctx, done := p.withTimeout(ctx)
	defer done()
	if err := p.ready(ctx, read); err != nil {
		p.servers.close()
		return nil, nil, errors.Join(p.explain(err), other.Close(), read.Close(), write.Close())
	}
	p.servers.patrol()
	p.write = write
	p.other = &postgres{servers: p.servers, events: p.events, name: p.name + "-2", logLoss: p.logLoss, clock: p.clock, quit: p.quit, write: other}
	return write, read, nil
}

// second lets the server carry out pages of intake, settled marks and receipts on
// another of its processors, while workers wait for the first writer only. To the
// database they are two processes.
func (p *postgres) second() dialect { return p.other }

// ready checks that the schema is the one that this program knows.
func (p *postgres) ready(ctx context.Context, db *sql.DB) error {
	want, err := newest(postgresMigrations, "migration/postgres")
	if err != nil {
		return err
	}
	if err := postgresSchema(ctx, db); err != nil {
		return err
	}
	var have int64
	err = db.QueryRowContext(ctx, p.text(sqlSchemaVersion)).Scan(&have)
	switch {
	case sqlstate(err) == undefinedTable || err == nil && have == 0:
		return errors.New("this database has no ledger yet; run pombo migrate, as an account that may create tables")
	case err != nil:
		return err
	case have > want:
		return fmt.Errorf("the ledger was migrated by a newer pombo (schema %d, this program knows %d); install the newer program here too", have, want)
	case have < want:
		return fmt.Errorf("the ledger has the schema of an older pombo (%d, this program needs %d); run pombo migrate", have, want)
	}
	var synchronous string
	if err := db.QueryRowContext(ctx, p.text(sqlSynchronousCommit)).Scan(&synchronous); err != nil {
		return err
	}
	if synchronous == "off" {
		p.log.Warn("the ledger's database does not wait for its disk (synchronous_commit = off): when it loses power, " +
			"what was sent last may be sent again; turn it on for this account (ALTER ROLE … SET synchronous_commit = on)")
	}
	return nil
}

// postgresSchema checks that the session has a schema for the tables.
func postgresSchema(ctx context.Context, db *sql.DB) error {
	var schema sql.NullString
	if err := db.QueryRowContext(ctx, postgresCatalogue().text(sqlSchema)).Scan(&schema); err != nil {
		return err
	}
	if !schema.Valid {
		return errors.New("there is no schema for the ledger; create the one that search_path names (CREATE SCHEMA … AUTHORIZATION …)")
	}
	return nil
}

// postgresPool opens a pool for a look at a database.
func postgresPool(url string, size int) (*sql.DB, error) {
	s, err := newServers(url, postgresTimeout, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return s.pool(size), nil
}

func (p *postgres) shared() bool   { return true }
func (p *postgres) prepares() bool { return false }
func (p *postgres) intact() error  { return nil }

func (p *postgres) stableFor(d time.Duration) bool {
	return !p.away && (p.back.IsZero() || time.Since(p.back) >= d)
}

func (p *postgres) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, p.servers.bound)
	stop := p.servers.watch()
	return ctx, func() { stop(); cancel() }
}

func (p *postgres) close() error {
	p.servers.close()
	return p.other.write.Close()
}

// purge does nothing: erased data stay in the table's file until the server's own vacuum.
func (p *postgres) purge(context.Context, *sql.DB) error { return nil }

func (p *postgres) text(name statement) string { return postgresCatalogue().text(name) }

// limits makes the server end a statement a little before its answer is given up here,
// because the server says why.
func (p *postgres) limits() (name statement, ms string) {
	bound := p.servers.bound
	return sqlLimits, strconv.FormatInt((bound - bound/10).Milliseconds(), 10)
}

// Conditions that PostgreSQL names (errcodes.txt of its sources).
const (
	deadlockDetected     = "40P01"
	serializationFailure = "40001"
	completionUnknown    = "40003"
	notNullViolation     = "23502"
	undefinedTable       = "42P01"
	undefinedColumn      = "42703"
	invalidStatementName = "26000"
	duplicateStatement   = "42P05" // ERRCODE_DUPLICATE_PSTATEMENT
	featureNotSupported  = "0A000" // "cached plan must not change result type"
	readOnlyTransaction  = "25006"
)

// sqlstate returns the code of the server's error; "" when err is not one.
func sqlstate(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// postgresHints are further errors that an operator can correct.
var postgresHints = map[string]string{
	"53100":             "the disk of the ledger's database is full; make room, and it goes on by itself",
	"57014":             "the ledger's database did not answer in time; look for what blocks it (pg_stat_activity)",
	readOnlyTransaction: "the ledger's database takes no writes, as a standby does; lead LEDGER_URL to the primary (several hosts and target_session_attrs=read-write)",
	"42501":             "this account may not use the ledger's tables; grant it SELECT, INSERT, UPDATE and DELETE on them",
	"28P01":             wrongLogin,
	"28000":             wrongLogin,
	"3D000":             "the ledger's database does not exist; create it, or name another one in LEDGER_URL",
	undefinedTable:      otherTables,
	undefinedColumn:     otherTables,
}

const (
	wrongLogin  = "the ledger's database refuses the login; correct user and password in LEDGER_URL"
	otherTables = "the ledger has not the tables that this program knows; run pombo migrate"
)

// explain says what to do about the errors that an operator can correct. The server's
// words about a value may quote it, and are dropped here.
func (p *postgres) explain(err error) error {
	if errors.Is(err, errOldPrimary) || errors.Is(err, errNoPrimary) {
		return fmt.Errorf("%w; it goes on by itself when the new primary is there: %w", ErrAway, err)
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if _, ours := errors.AsType[*pgconn.ConnectError](err); ours || pgconn.Timeout(err) || lost(err) {
			return fmt.Errorf("%w; it goes on by itself when it is back: %w", ErrAway, err)
		}
		return err
	}
	switch e.Code {
	case "53300":
		return fmt.Errorf("%w: it has no connection left; raise max_connections, or put a pooler in front of it: %w", ErrAway, said{e})
	case "57P01", "57P02", "57P03":
		return fmt.Errorf("%w, it is being stopped or started; it goes on by itself when it is back: %w", ErrAway, said{e})
	}
	what := postgresHints[e.Code]
	if e.Code == "08P01" && strings.Contains(e.Message, "startup parameter") {
		what = "the pooler refuses a setting in LEDGER_URL; set it for the account instead (ALTER ROLE … SET search_path = …)"
	}
	switch {
	case what != "":
		return fmt.Errorf("%s: %w", what, said{e})
	case strings.HasPrefix(e.Code, "08"):
		return fmt.Errorf("%w; it goes on by itself when it is back: %w", ErrAway, said{e})
	default:
		return said{e}
	}
}

// said is an error of the server without what it says about values.
type said struct{ *pgconn.PgError }

// Error returns the code, and the server's words unless they are about data.
func (s said) Error() string {
	if strings.HasPrefix(s.Code, "22") || strings.HasPrefix(s.Code, "23") {
		return "the database refuses a value (SQLSTATE " + s.Code + ", " + s.ConstraintName + s.ColumnName + ")"
	}
	return s.Message + " (SQLSTATE " + s.Code + ")"
}

func (s said) Unwrap() error { return nil }

// isolatesFailures: an error of the whole database affects each write.
func (p *postgres) isolatesFailures(err error) bool {
	if lost(err) {
		return false
	}
	code := sqlstate(err)
	for _, class := range []string{"08", "25", "28", "40", "42", "53", "55", "57", "58"} {
		if strings.HasPrefix(code, class) {
			return false
		}
	}
	return !errors.Is(err, errNoConnection)
}
