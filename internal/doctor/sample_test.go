package doctor

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"pombo/internal/config"
	"pombo/test/postgrestest"
)

// postgres is the server of all tests.
var postgres postgrestest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	if err := postgres.Close(); err != nil {
		panic("stop PostgreSQL: " + err.Error())
	}
	os.Exit(code)
}

// The sample tables in deploy/sql are all that the source needs, with an account
// that has the rights named there and no others.
func TestSampleTable_OnSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), script(t, "sqlite.sql")); err != nil {
		t.Fatal(err)
	}
	checkSource(t, "DB_URL=sqlite:"+path)
}

func TestSampleTable_OnPostgres(t *testing.T) {
	server, database := postgres.Server(t), databaseFor(t, "whatsapp")
	if err := server.Exec(t.Context(), database, script(t, "postgres.sql"), "ALTER ROLE whatsapp PASSWORD 'planted'"); err != nil {
		t.Fatal(err)
	}
	found := checkSource(t, "DB_URL="+server.DSNAs("whatsapp", "planted", database))
	if found[0].Check != "network" {
		t.Errorf("first finding = %+v, want the network", found[0])
	}
}

// databaseFor makes a database of its own for a test that makes the account, and drops both.
func databaseFor(t *testing.T, account string) (database string) {
	t.Helper()
	server, database := postgres.Server(t), "of_"+account
	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE "+database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := server.Exec(context.Background(), "postgres", "DROP DATABASE "+database+" WITH (FORCE)", "DROP ROLE IF EXISTS "+account)
		if err != nil {
			t.Error(err)
		}
	})
	return database
}

func script(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "sql", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func checkSource(t *testing.T, environ ...string) []Finding {
	t.Helper()
	c, warnings, err := config.Load("", append(environ, "STATUS_FAILED=3"), config.NeedSource)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	found := diagnoseSource(t.Context(), c, running{})
	for _, f := range found {
		if f.Result != OK {
			t.Errorf("finding = %+v, want it to be ok", f)
		}
	}
	return found
}
