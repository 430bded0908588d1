package ledger_test

import (
	"strings"
	"testing"

	"pombo/internal/ledger"
)

// TestSQLite_RefusesNetworkDrives: refused before anything is left there.
func TestSQLite_RefusesNetworkDrives(t *testing.T) {
	for _, path := range []string{`\\servidor\dados\pombo.db`, `//servidor/dados/pombo.db`, `\\?\UNC\servidor\dados\pombo.db`} {
		for _, err := range []error{
			func() error {
				_, err := ledger.Open(t.Context(), ledger.Options{URL: "sqlite:" + path, Exclusive: true})
				return err
			}(),
			func() error { _, err := ledger.Inspect(t.Context(), "sqlite:"+path); return err }(),
		} {
			if err == nil || !strings.Contains(err.Error(), "network drive") {
				t.Errorf("%s: error = %v, want one that says that it is on a network drive", path, err)
			}
		}
	}
}
