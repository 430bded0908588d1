package ledger_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"pombo/internal/ledger"
	"pombo/test/ledgertest"
	"pombo/test/nightly"
)

func TestLedger_OnSQLite(t *testing.T) {
	t.Parallel() // it waits most of the time
	migrated := filepath.Join(t.TempDir(), "pombo.db")
	if err := ledger.Migrated(t.Context(), "sqlite:"+migrated); err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(migrated)
	if err != nil {
		t.Fatal(err)
	}
	ledgertest.Run(t, func(t *testing.T) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "pombo.db")
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + path
	})
}

func TestLedger_OnPostgres(t *testing.T) {
	t.Parallel() // it waits most of the time
	ledger.Postgres.Server(t)
	// Of what the race detector watches by day, the rest is the same code as on SQLite.
	own := regexp.MustCompile(`/(eight|cancel_against|processes|a_context|close)`)
	// By day TestList_WalksTheLedgerInParts has its statements.
	large := regexp.MustCompile(`/a_list_that_finds_little`)
	// Behind the pooler of EmptyPostgres the writer prepares no statement. These have it prepare
	// each one that it has.
	direct := regexp.MustCompile(`/(what_leaves_when_its_time_is_over|a_row_handed_over,_and_its_owner|a_lost_ledger_and_the_code_of_an_answer|` +
		`who_opted_out_is_reached_no_other_way|every_move_of_an_operator|who_is_asked_for_answers|an_answer_is_written_to_its_row|` +
		`which_notification_a_reply_answers|events_leave|a_row_that_was_withdrawn|expiry_without_a_claim|polls)$`)
	ledgertest.Run(t, func(t *testing.T) string {
		t.Helper()
		if !own.MatchString(t.Name()) {
			nightly.WithoutRace(t)
		}
		if large.MatchString(t.Name()) {
			nightly.Only(t)
		}
		if direct.MatchString(t.Name()) {
			return ledger.Postgres.Copy(t, "ledger", ledger.Migrated)
		}
		return ledger.EmptyPostgres(t)
	})
}
