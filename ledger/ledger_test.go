package ledger_test

import (
	"path/filepath"
	"testing"

	"pombo/ledger/ledgertest"
)

func TestLedgerOnSQLite(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) string {
		t.Helper()
		return "sqlite:" + filepath.Join(t.TempDir(), "data", "pombo.db")
	})
}
