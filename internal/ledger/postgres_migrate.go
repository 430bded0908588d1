package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"

	"pombo"
)

//go:embed migration/postgres/*.sql
var postgresMigrations embed.FS

// postgresVersions is the table that says which migrations have been run.
const postgresVersions = "pombo_schema"

// postgresLock is an arbitrary number that all versions of the program share.
const postgresLock = 7_062_605_114

// Migrate creates the tables of a ledger or brings them up to date, and returns
// the version of the schema before and after. On PostgreSQL it needs an account
// that may create tables in the first schema of its search_path; Open does it
// for SQLite by itself. Processes of older versions must be stopped first. Asked
// twice, or by several at once, it does nothing the second time.
func Migrate(ctx context.Context, url string) (before, after int64, err error) {
	defer func() { err = wrap(err, "migrate the ledger") }()
	if !strings.HasPrefix(url, "postgres:") && !strings.HasPrefix(url, "postgresql:") {
		return migrateFile(ctx, url)
	}
	p := &postgres{}
	db, err := postgresPool(url, 2)
	if err != nil {
		return before, after, err
	}
	defer func() { err = errors.Join(p.explain(err), db.Close()) }()

	// The lock is in a transaction of its own, because a lock of the session
	// would be lost, or left behind, in a pooler.
	lock, err := db.BeginTx(ctx, nil)
	if err != nil {
		return before, after, err
	}
	defer func() { _ = lock.Rollback() }()
	if _, err := lock.ExecContext(ctx, p.text(sqlMigrationLock), postgresLock); err != nil {
		return before, after, err
	}
	if err := postgresSchema(ctx, db); err != nil {
		return before, after, err
	}
	if err := postgresOwn(ctx, db); err != nil {
		return before, after, err
	}
	g, err := postgresGoose(db)
	if err != nil {
		return before, after, err
	}
	var want int64
	if before, want, err = g.GetVersions(ctx); err != nil {
		return before, after, err
	}
	after = before
	if before > want {
		return before, after, fmt.Errorf("the ledger was migrated by a newer pombo (schema %d, this program knows %d); install the newer program here too", before, want)
	}
	if _, err := g.Up(ctx); err != nil {
		return before, after, err
	}
	after = want
	return before, after, nil
}

// postgresOwn refuses a first ledger in a schema that has tables of another program:
// the ledger's would lie between them, and some have common names.
func postgresOwn(ctx context.Context, db *sql.DB) error {
	var schema, table string
	switch err := db.QueryRowContext(ctx, postgresCatalogue().text(sqlStrangers)).Scan(&schema, &table); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("the schema %s has tables of another program (%s, for one), and nothing was changed in it; give the ledger a schema of its own: "+
		"CREATE SCHEMA pombo AUTHORIZATION …, and ALTER ROLE … SET search_path = pombo", schema, table)
}

// migrateFile leaves it to Open, which knows whether another process has the file.
func migrateFile(ctx context.Context, url string) (before, after int64, err error) {
	had, err := Inspect(ctx, url)
	if err != nil && !errors.Is(err, pombo.ErrNotFound) {
		return before, after, err
	}
	before = had.Have
	db, err := Open(ctx, Options{URL: url})
	if err != nil {
		return before, after, err
	}
	if err := db.Close(); err != nil {
		return before, after, err
	}
	has, err := Inspect(ctx, url)
	after = has.Have
	return before, after, err
}

func postgresGoose(db *sql.DB) (*goose.Provider, error) {
	scripts, err := fs.Sub(postgresMigrations, "migration/postgres")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, scripts, goose.WithDisableGlobalRegistry(true), goose.WithTableName(postgresVersions))
}
