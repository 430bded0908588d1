package ledger_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pombo/internal/ledger"
	"pombo/test/ledgertest"
	"pombo/test/nightly"
)

// TestLedger_BehindPgBouncer: the whole suite, with a pooler that gives every
// transaction another session and wipes it afterwards. By day it is what works on
// several connections at once, or on what is kept from one to the next.
func TestLedger_BehindPgBouncer(t *testing.T) {
	nightly.WithoutRace(t)
	server := ledger.Postgres.Server(t)
	pooler := server.Pooler(t, 3)
	behind := func(dsn string) string {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		u.User, u.Host = url.User("pombo"), pooler
		return u.String()
	}
	address := behind(server.Database(t))
	if err := ledger.Migrated(t.Context(), address); err != nil {
		t.Fatal(err)
	}

	_, err := ledger.Open(t.Context(), ledger.Options{URL: address + "&search_path=elsewhere"})
	if err == nil || !strings.Contains(err.Error(), "ALTER ROLE") {
		t.Errorf("a setting that the pooler refuses: %v, want what to do instead", err)
	}
	byDay := regexp.MustCompile(`/(eight|cancel_against|a_lease_is_over|a_restart|processes|pauses|a_run$)`)
	ledgertest.RunInTurn(t, func(t *testing.T) string {
		t.Helper()
		if !byDay.MatchString(t.Name()) {
			nightly.Only(t)
		}
		return behind(ledger.EmptyPostgres(t))
	})
	db, err := ledger.Open(t.Context(), ledger.Options{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if db.Prepares() {
		t.Error("statements are prepared in a session that the next transaction need not have")
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
