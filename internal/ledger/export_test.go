package ledger

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"testing"

	"github.com/pressly/goose/v3"
	"go.uber.org/goleak"

	"pombo"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// Postgres is the server of this package's tests.
var Postgres postgrestest.Shared

// Migrated makes an empty ledger in a database.
func Migrated(ctx context.Context, url string) error {
	_, _, err := Migrate(ctx, url)
	return err
}

// EmptyPostgres returns the address of an empty ledger. By day it may be one that another test has
// left, with its sessions, which PgBouncer lends: the writer prepares no statements then. At night
// all is new.
func EmptyPostgres(t *testing.T) string {
	t.Helper()
	if nightly.On() {
		return Postgres.Copy(t, "ledger", Migrated)
	}
	return Postgres.Reuse(t, "ledger", Migrated)
}

// Prepares reports whether the writer's last transaction had a session of its own
// on PostgreSQL.
func (db *DB) Prepares() bool { return db.dialect.(*postgres).own }

func TestMain(m *testing.M) { goleak.VerifyTestMain(closing{m}) }

// closing stops the server before goleak looks for what is left over.
type closing struct{ m *testing.M }

func (c closing) Run() int {
	code := c.m.Run()
	if err := Postgres.Close(); err != nil {
		return 1
	}
	return code
}

// MakeOlder makes a ledger as an earlier version did, with one queued notification.
func MakeOlder(ctx context.Context, path string, version int64, key pombo.Key) (err error) {
	db, err := plain(path, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	scripts, err := fs.Sub(sqliteMigrations, "migration/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, scripts, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err = p.UpTo(ctx, version); err != nil {
		return err
	}
	text, err := message(&pombo.Row{RowKey: key.RowKey})
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO notification (state, attempt, tries, priority, lane, not_before, created, generation, id, source, row_key, message, history)
		VALUES ('queued', 0, 0, 0, 0, 1, 1, ?, ?, ?, ?, ?, ?)`, key.Generation, idNumber(key.MessageID()), key.Source, key.RowKey, text, encodeEvent(1, pombo.Queued, 0, pombo.NoReason, ""))
	return err
}

// rawExec runs a test's own SQL in the writer's transaction.
func (tx *txn) rawExec(text string) error {
	_, err := tx.conn.ExecContext(tx.ctx, text)
	return err
}

// rawRow runs a test's own query in the writer's transaction.
func (tx *txn) rawRow(text string) *sql.Row { return tx.conn.QueryRowContext(tx.ctx, text) }

// rawGet runs a test's own query.
func (db *DB) rawGet(ctx context.Context, text string, dest ...any) error {
	return db.read.QueryRowContext(ctx, text).Scan(dest...)
}
