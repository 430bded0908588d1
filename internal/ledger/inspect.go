package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
)

// Schema is the version of a ledger's tables, and the one that this program
// works with. An older ledger is brought up to date when it is opened; a newer
// one is refused.
type Schema struct{ Have, Want int64 }

// Inspect returns the schema of a ledger without changing anything: nothing is
// created, migrated or locked, and a process that works on it is not disturbed.
// pombo.ErrNotFound says that there is no such file, or none that was ever
// opened as a ledger; what belongs to another program is an error that says so. For a
// ledger that is not a file, which Open neither makes nor migrates, a nil error says that
// the schema is the right one, and Schema is zero.
func Inspect(ctx context.Context, url string) (Schema, error) {
	path, isFile := strings.CutPrefix(url, "sqlite:")
	if !isFile {
		db, err := Open(ctx, Options{URL: url})
		if err != nil {
			return Schema{}, err
		}
		return Schema{}, db.Close()
	}
	var s Schema
	file, err := Locate(path)
	if err == nil {
		s.Want, err = newest(sqliteMigrations, "migration/sqlite")
	}
	if err == nil {
		s.Have, err = recognize(ctx, file)
	}
	return s, wrap((&sqlite{path: path}).explain(err), "read the ledger")
}

// Rights is what an account may do with a ledger in PostgreSQL.
type Rights struct {
	Account string
	Schema  string // where it works: the first of its search_path that exists; "" = none
	Made    bool   // the ledger's tables are there
	MayMake bool   // it may create them
	Lacks   string // the rights on them that a running process needs and the account lacks: "UPDATE on run, …"
}

// InspectRights asks what the account of a ledger in PostgreSQL may do, without
// changing anything. ErrAway means that the server could not be reached.
func InspectRights(ctx context.Context, url string) (r Rights, err error) {
	db, err := postgresPool(url, 1)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil {
		return r, fmt.Errorf("%w: %w", ErrAway, err)
	}
	err = db.QueryRowContext(ctx, postgresCatalogue().text(sqlRights)).Scan(&r.Account, &r.Schema, &r.MayMake, &r.Made, &r.Lacks)
	return r, err
}

// InspectLed asks whether some process on a ledger in PostgreSQL does a job at present, without
// changing anything. ErrAway means that the server could not be reached.
func InspectLed(ctx context.Context, url, job string) (led bool, err error) {
	db, err := postgresPool(url, 1)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil {
		return false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	var one int
	err = db.QueryRowContext(ctx, postgresCatalogue().text(sqlLed), job, nil).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// newest is the version that the last migration of a folder leads to.
func newest(migrations fs.FS, folder string) (int64, error) {
	scripts, err := fs.Glob(migrations, folder+"/*.sql")
	if err != nil || len(scripts) == 0 {
		return 0, errors.Join(fmt.Errorf("there are no migrations in %s", folder), err)
	}
	return goose.NumericComponent(filepath.Base(scripts[len(scripts)-1]))
}
