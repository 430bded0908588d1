package ledger_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"pombo/internal/ledger"
	"pombo/test/ledgertest"
	"pombo/test/nightly"
)

func TestLedgerOnSQLite(t *testing.T) {
	t.Parallel() // it waits most of the time
	ledgertest.Run(t, func(t *testing.T) string {
		t.Helper()
		return "sqlite:" + filepath.Join(t.TempDir(), "data", "pombo.db")
	})
}

func TestLedgerOnPostgreSQL(t *testing.T) {
	t.Parallel() // it waits most of the time
	ledger.Postgres.Server(t)
	// Of what the race detector watches by day, the rest is the same code as on SQLite.
	own := regexp.MustCompile(`/(eight|cancel_against|processes|a_context|close)`)
	// By day TestAListGoesOnThroughTheLedger has its statements.
	large := regexp.MustCompile(`/a_list_that_finds_little`)
	ledgertest.Run(t, func(t *testing.T) string {
		t.Helper()
		if !own.MatchString(t.Name()) {
			nightly.WithoutRace(t)
		}
		if large.MatchString(t.Name()) {
			nightly.Only(t)
		}
		return ledger.EmptyPostgres(t)
	})
}
