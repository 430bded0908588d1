package ledger_test

import (
	"path/filepath"
	"testing"

	"pombo/internal/ledger"
	"pombo/test/ledgertest"
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
	ledgertest.Run(t, func(t *testing.T) string {
		t.Helper()
		return ledger.Postgres.Copy(t, "ledger", ledger.Migrated)
	})
}
