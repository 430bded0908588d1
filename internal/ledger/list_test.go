package ledger

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/test/nightly"
)

// combinations are all filters that a list can have, by kind: a state of each kind, with and
// without a phone, each kind of text and a run.
func combinations() []pombo.Filter {
	var all []pombo.Filter
	id := string(pombo.Key{Source: "T", RowKey: "row-7", Generation: 1}.MessageID())
	for _, state := range []pombo.State{"", pombo.Queued, pombo.Claimed, pombo.Uncertain, pombo.Failed, pombo.Read} {
		all = append(all, pombo.Filter{State: state, HandedOver: true}, pombo.Filter{State: state, HandedOver: true, Run: 1})
		for _, phone := range []string{"", "+5531988880000"} {
			for _, text := range []string{"", "row-7", "none", "row-777", "row-", id, id[:8], id[:4]} {
				for _, run := range []int64{0, 1} {
					all = append(all, pombo.Filter{State: state, Phone: phone, Text: text, Run: run})
				}
			}
		}
	}
	// Bounds change what a statement is given, never its text.
	return append(all, pombo.Filter{Since: time.UnixMilli(30_000)}, pombo.Filter{Cursor: "go"}, pombo.Filter{State: pombo.Read, Since: time.UnixMilli(30_000), Cursor: "go"})
}

// fillForPlans puts in what the planners need: many that are done, of a run, few
// that are under way.
const fillForPlans = `
	INSERT INTO notification (state, attempt, tries, priority, lane, not_before, owner, settle, run, created, generation, id, phone, source, row_key, message, history)
	SELECT CASE WHEN n % 500 = 0 THEN 'queued' WHEN n % 500 = 1 THEN 'failed' WHEN n % 5000 = 2 THEN 'sending' ELSE 'read' END, 1, 1, 0,
		CASE WHEN n % 500 = 0 THEN 0 WHEN n % 500 = 1 THEN 11 END, CASE WHEN n % 500 = 0 THEN n END, CASE WHEN n % 5000 = 2 THEN 'me' END,
		CASE WHEN n % 300 = 7 THEN 'fallback' END, 1, n, 1, n * 7919, n % 5000, 'T', 'row-' || n, '["","",""]', '[1,"queued",0]'
	FROM numbers`

const fillRun = `INSERT INTO run (started, finished, taking, error, first_seq, last_seq) VALUES (1, 2, 0, '', 1, 30000)`

// checkPlans holds the plan of every list against wrong, which finds in it that the
// whole table is read or sorted.
func checkPlans(t *testing.T, db *DB, explain func(statement string, args []any) string, wrong func(s *selection, plan string) string) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range combinations() {
		_, before, err := pageOf(f.Limit, f.Cursor)
		must(t, err)
		s, err := db.History.selection(t.Context(), f, before)
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		statement, args := db.dialect.text(s.by), s.args(51)
		kind := string(s.by) // and which of its parameters are given
		for _, a := range args {
			kind += fmt.Sprint(" ", a != nil)
		}
		if seen[kind] {
			continue
		}
		seen[kind] = true
		plan := explain(statement, args)
		if what := wrong(s, plan); what != "" {
			f.Phone = ""
			t.Errorf("%+v: %s\n%s\n%s", f, what, statement, plan)
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d statements were looked at, want all kinds", len(seen))
	}
}

// planOf reads the last column of an explanation.
func planOf(t *testing.T, rows *sql.Rows, err error, columns int) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		fields := make([]any, columns)
		for i := range fields {
			fields[i] = new(any)
		}
		line := new(string)
		fields[columns-1] = line
		if err := rows.Scan(fields...); err != nil {
			t.Fatal(err)
		}
		b.WriteString(*line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestList_NeverScansTheTableOnSQLite(t *testing.T) {
	nightly.WithoutRace(t)
	db := openSQLite(t, sqliteURL(t))
	if err := db.do(t.Context(), func(tx *txn) error {
		if err := tx.rawExec(`WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 30000)` + fillForPlans); err != nil {
			return err
		}
		return tx.rawExec(fillRun)
	}); err != nil {
		t.Fatal(err)
	}
	explain := func(statement string, args []any) string {
		rows, err := db.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, args...)
		return planOf(t, rows, err, 4)
	}
	checkPlans(t, db, explain, func(s *selection, plan string) string {
		sorts := strings.Count(plan, "TEMP B-TREE")
		switch {
		case strings.Contains(plan, "SCAN notification"):
			return "the table is read as a whole"
		case !s.walks() && s.by != sqlListNewest && strings.Contains(plan, "INTEGER PRIMARY KEY (rowid>"):
			return "it goes through the table although there is an index"
		case (s.walks() || s.by == sqlListNewest || s.by == sqlListEnded || s.by == sqlListHandedOver) && sorts > 0:
			return "what is in order is sorted"
		}
		return ""
	})
}

func TestList_NeverScansTheTableOnPostgres(t *testing.T) {
	nightly.WithoutRace(t)
	db := openPostgres(t, newPostgresURL(t), 0, nil)
	must(t, db.do(t.Context(), func(tx *txn) error {
		for _, statement := range []string{`WITH numbers AS (SELECT n FROM generate_series(1, 30000) AS s (n))` + fillForPlans, fillRun, `ANALYZE notification`} {
			if err := tx.rawExec(statement); err != nil {
				return err
			}
		}
		return nil
	}))
	through := regexp.MustCompile(`notification_pkey on .*\n\s*Index Cond: \(\(seq <`)
	tx, err := db.read.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	must(t, err)
	defer func() { must(t, tx.Rollback()) }()
	limits, within := db.dialect.limits()
	_, err = tx.ExecContext(t.Context(), db.dialect.text(limits), within)
	must(t, err)
	explain := func(statement string, args []any) string {
		rows, err := tx.QueryContext(t.Context(), "EXPLAIN "+statement, args...)
		return planOf(t, rows, err, 1)
	}
	checkPlans(t, db, explain, func(s *selection, plan string) string {
		switch {
		case strings.Contains(plan, "Seq Scan on notification"):
			return "the table is read as a whole"
		case !s.walks() && s.by != sqlListNewest && through.MatchString(plan):
			return "it goes through the table although there is an index"
		case strings.Contains(plan, "Index Scan using notification_key") && !strings.Contains(plan, "row_key"):
			return "it goes through an index as a whole"
		}
		return ""
	})
}

// TestList_WalksTheLedgerInParts: what has no index is found in parts, each with the
// cursor of the next, and the last one without.
func TestList_WalksTheLedgerInParts(t *testing.T) {
	nightly.WithoutRace(t)
	const last = 2 * walked
	t.Run("SQLite", func(t *testing.T) {
		listGoesOn(t, openSQLite(t, sqliteURL(t)), `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < `+strconv.Itoa(last)+`)`)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		listGoesOn(t, openPostgres(t, postgresURL(t), 0, nil), `WITH numbers AS (SELECT n FROM generate_series(1, `+strconv.Itoa(last)+`) AS s (n))`)
	})
}

func listGoesOn(t *testing.T, db *DB, numbers string) {
	t.Helper()
	if err := db.do(t.Context(), func(tx *txn) error {
		if err := tx.rawExec(numbers + fillForPlans); err != nil {
			return err
		}
		return tx.rawExec(`UPDATE notification SET state = 'dispatched', owner = NULL, lane = NULL, not_before = NULL WHERE seq IN (4, 5, ` + strconv.Itoa(walked+1) + `)`)
	}); err != nil {
		t.Fatal(err)
	}
	var found []int64
	var pages []int
	for f := (pombo.Filter{State: pombo.Dispatched, Limit: 2}); ; {
		page, err := db.History.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range page.Notifications {
			found = append(found, n.Seq)
		}
		pages = append(pages, len(page.Notifications))
		if f.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if want := []int64{walked + 1, 5, 4}; !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	// A part may end just where the ledger does; then one more page says so.
	if want := []int{1, 2, 0}; !slices.Equal(pages, want) {
		t.Errorf("found so many by page: %v, want %v", pages, want)
	}
}
