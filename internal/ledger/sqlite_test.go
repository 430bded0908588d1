package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"pombo"
	"pombo/test/nightly"
)

func sqliteURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "data", "pombo.db")
}

func openSQLite(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{URL: url, Exclusive: true, Pending: "1", Codes: map[pombo.State]string{pombo.Accepted: "2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func testRows(from, n int) []pombo.Row {
	rows := make([]pombo.Row, n)
	for i := range rows {
		rows[i] = pombo.Row{RowKey: fmt.Sprint(from + i), Recipient: "(31) 98888-0000", Params: []pombo.Param{{Slot: pombo.Body, Value: "Maria"}}}
	}
	return rows
}

// mustSay checks that an error has a sentence for an operator.
func mustSay(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("error = %v, want one that says %q", err, want)
	}
}

func TestSQLite_LockedByItsOwner(t *testing.T) {
	url := sqliteURL(t)
	first := openSQLite(t, url)
	_, err := Open(t.Context(), Options{URL: url, Exclusive: true})
	mustSay(t, err, "another pombo is running")
	mustSay(t, err, "LEDGER_URL")

	// The command line may look and act beside it.
	beside, err := Open(t.Context(), Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := first.Intake.Enqueue(t.Context(), "T", 0, testRows(0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := beside.Operator.Cancel(t.Context(), pombo.Key{Source: "T", RowKey: "0", Generation: 1}.MessageID()); err != nil {
		t.Errorf("cancel beside the running one: %v", err)
	}
	if err := beside.Close(); err != nil {
		t.Error(err)
	}
	_, err = Open(t.Context(), Options{URL: url, Exclusive: true})
	mustSay(t, err, "another pombo is running") // the visitor has not taken the lock along

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openSQLite(t, url)
}

func TestSQLite_RefusesANewerSchema(t *testing.T) {
	nightly.WithoutRace(t)
	url := sqliteURL(t)
	path := strings.TrimPrefix(url, "sqlite:")
	db := openSQLite(t, url)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	change := func(statement string) {
		t.Helper()
		raw, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	change(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	_, err := Open(t.Context(), Options{URL: url, Exclusive: true})
	mustSay(t, err, "newer pombo")
	_, err = Open(t.Context(), Options{URL: url})
	mustSay(t, err, "newer pombo")
	// The refusal has let go of the lock.
	change(`DELETE FROM goose_db_version WHERE version_id = 9999`)
	openSQLite(t, url)
}

// Opt-outs of before there were scopes: WhatsApp's were about marketing.
func TestMigrate_GivesOptOutsAScope(t *testing.T) {
	nightly.WithoutRace(t)
	path := filepath.Join(t.TempDir(), "pombo.db")
	must(t, MakeOlder(t.Context(), path, 13, pombo.Key{Source: "T", RowKey: "1", Generation: 1}))
	raw, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = raw.ExecContext(t.Context(), `INSERT INTO optout (phone, at, by) VALUES (5531988880001, 1, 'blip'), (5531988880002, 1, 'person'), (5531988880003, 1, 'operator')`)
	must(t, err)
	must(t, raw.Close())
	db := openSQLite(t, "sqlite:"+path)
	must(t, db.OptOuts.LoadOptOuts(t.Context()))
	for phone, want := range map[int64]pombo.OptOutScope{5531988880001: pombo.OptOutMarketing, 5531988880002: pombo.OptOutAll, 5531988880003: pombo.OptOutAll} {
		if got := db.OptOuts.OptedOut(number(sql.NullInt64{Int64: phone, Valid: true}), ""); got != want {
			t.Errorf("+%d opted out of %q, want %q", phone, got, want)
		}
	}
}

func TestOpen_RefusesBadAddresses(t *testing.T) {
	nightly.WithoutRace(t)
	dir := t.TempDir()
	text := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("Dear Maria, this is a letter and no database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ url, want string }{
		"none":           {"", "sqlite:"},
		"with a secret":  {"oracle://scott:tiger@db", "has to begin with sqlite:"},
		"no path":        {"sqlite:", "names no file"},
		"a folder":       {"sqlite:" + dir, "is a folder"},
		"a letter":       {"sqlite:" + text, "not a ledger"},
		"under a letter": {"sqlite:" + filepath.Join(text, "pombo.db"), "create its folder"},
	} {
		_, err := Open(t.Context(), Options{URL: test.url, Exclusive: true})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "tiger") {
			t.Errorf("%s: error = %v, want one that says %q", name, err, test.want)
		}
	}
	if _, err := Open(t.Context(), Options{URL: sqliteURL(t), Codes: map[pombo.State]string{pombo.Queued: "0"}}); err == nil {
		t.Error("a code for a state that is no result was taken")
	}
	// Characters that mean something in a URI are just characters of a path.
	folder := "100% a?b#c"
	if runtime.GOOS == "windows" { // no name may have a question mark there
		folder = "100% a&b#c"
	}
	odd := filepath.Join(dir, folder, "pombo é.db")
	openSQLite(t, "sqlite:"+odd)
	if _, err := os.Stat(odd); err != nil {
		t.Errorf("the ledger is not where it should be: %v", err)
	}
}

// TestSQLite_NamesAMissingRight: a right that is missing is named. (Tests may run as root, whom
// no right is missing; the connections of the readers refuse in the same words.)
func TestSQLite_NamesAMissingRight(t *testing.T) {
	nightly.WithoutRace(t)
	db := openSQLite(t, sqliteURL(t))
	_, err := db.read.ExecContext(t.Context(), `DELETE FROM pause`)
	mustSay(t, db.dialect.explain(err), "may not be written")
}

// TestSQLite_FullDisk: what does not fit is refused, what is there stays, and it goes
// on when there is room again.
func TestSQLite_FullDisk(t *testing.T) {
	db := openSQLite(t, sqliteURL(t))
	ctx := t.Context()
	if _, _, err := db.Intake.Enqueue(ctx, "T", 0, testRows(0, 100)); err != nil {
		t.Fatal(err)
	}
	held, err := db.Queue.Claim(ctx, "me", 10)
	if err != nil {
		t.Fatal(err)
	}
	limit := func(pages string) {
		t.Helper()
		err := db.do(ctx, func(tx *txn) error {
			var n int
			return tx.conn.QueryRowContext(ctx, `PRAGMA max_page_count = `+pages).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // no fewer than there are: full from now on
	added, _, err := db.Intake.Enqueue(ctx, "T", 0, testRows(100, 5000))
	mustSay(t, err, "the disk of the ledger is full")
	if added >= 5000 {
		t.Errorf("added %d, want fewer than asked for", added)
	}
	queued, err := db.Intake.Queued(ctx)
	if err != nil || queued != 90+added {
		t.Errorf("queued = %d, %v; want %d: what was refused is not there, what was added is", queued, err, 90+added)
	}
	// Beside the many that do not fit, a worker's change does.
	if _, err := db.Queue.Begin(ctx, held[0], ""); err != nil {
		t.Errorf("begin on a full disk: %v", err)
	}
	limit("1000000")
	if again, _, err := db.Intake.Enqueue(ctx, "T", 0, testRows(100, 5000)); err != nil || again != 5000-added {
		t.Errorf("with room again: added %d, %v; want the missing %d", again, err, 5000-added)
	}
	if err := db.Check(ctx); err != nil {
		t.Error(err)
	}
}

// TestSQLite_BadWriteSparesOthers: a write that the database refuses takes no other with it.
func TestSQLite_BadWriteSparesOthers(t *testing.T) {
	db := openSQLite(t, sqliteURL(t))
	ctx := t.Context()
	good := newWrite(part{sqlEnqueue, [][]any{mustArgs(t, db, "good")}, make([]bool, 1)})
	args := mustArgs(t, db, "bad")
	args[5] = nil // created may not be NULL
	bad := newWrite(part{sqlEnqueue, [][]any{args}, make([]bool, 1)})
	failed := newWrite()
	failed.run = func(*txn) error { return errors.New("refused") }

	// All three are waiting when the writer comes.
	release := make(chan struct{})
	blocker := newWrite()
	blocker.run = func(*txn) error { <-release; return nil }
	if err := db.hand(ctx, db.urgent, blocker); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*write{bad, good, failed} {
		if err := db.hand(ctx, db.urgent, w); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	if err := db.wait(ctx, good); err != nil || !good.parts[0].hit[0] {
		t.Errorf("the good one: %v, written %v", err, good.parts[0].hit[0])
	}
	if err := db.wait(ctx, bad); err == nil {
		t.Error("the bad one was written")
	}
	mustSay(t, db.wait(ctx, failed), "refused")
	if err := db.wait(ctx, blocker); err != nil {
		t.Error(err)
	}
	if n, err := db.Intake.Queued(ctx); n != 1 || err != nil {
		t.Errorf("queued = %d, %v; want 1", n, err)
	}
}

func mustArgs(t *testing.T, db *DB, key string) []any {
	t.Helper()
	args, err := db.Intake.enqueueArgs("T", 0, &pombo.Row{RowKey: key}, nil, 1, db.now())
	if err != nil {
		t.Fatal(err)
	}
	return args
}

// TestSQLite_KeepsEverythingOverAKill copies the files while the ledger is open, which is what a kill
// leaves behind, and opens the copy: all that was answered is there.
func TestSQLite_KeepsEverythingOverAKill(t *testing.T) {
	nightly.WithoutRace(t)
	url := sqliteURL(t)
	path := strings.TrimPrefix(url, "sqlite:")
	db := openSQLite(t, url)
	ctx := t.Context()
	if _, _, err := db.Intake.Enqueue(ctx, "T", 0, testRows(0, 300)); err != nil {
		t.Fatal(err)
	}
	held, err := db.Queue.Claim(ctx, "me", 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range held[:50] {
		attempt, err := db.Queue.Begin(ctx, n, "")
		if err != nil {
			t.Fatal(err)
		}
		if i < 20 {
			o := pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: "me", Attempt: attempt, To: pombo.Accepted}
			if err := db.Queue.Finish(ctx, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := filepath.Join(t.TempDir(), "pombo.db")
	for _, suffix := range []string{"", "-wal"} {
		copyFile(t, path+suffix, after+suffix)
	}
	copied := openSQLite(t, "sqlite:"+after)
	requeued, uncertain, err := copied.Leases.Reclaim(ctx)
	if err != nil || requeued != 50 || uncertain != 30 {
		t.Errorf("reclaimed %d to the queue and %d uncertain, %v; want 50 and 30", requeued, uncertain, err)
	}
	due, err := copied.Settlements.Unsettled(ctx, 100)
	if err != nil || len(due) != 20 {
		t.Errorf("due = %d, %v; want the 20 that were accepted", len(due), err)
	}
	if n, err := copied.Intake.Queued(ctx); n != 250 || err != nil {
		t.Errorf("queued = %d, %v; want 250", n, err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSQLite_SyncsEachCommit: never weaker than a sync at each commit.
func TestSQLite_SyncsEachCommit(t *testing.T) {
	nightly.WithoutRace(t)
	db := openSQLite(t, sqliteURL(t))
	var synchronous int
	var journal string
	err := db.do(t.Context(), func(tx *txn) error {
		return errors.Join(
			tx.conn.QueryRowContext(t.Context(), `PRAGMA synchronous`).Scan(&synchronous),
			tx.conn.QueryRowContext(t.Context(), `PRAGMA journal_mode`).Scan(&journal),
		)
	})
	if err != nil || synchronous != 2 || journal != "wal" {
		t.Errorf("synchronous = %d, journal = %s, %v; want 2 (FULL) and wal", synchronous, journal, err)
	}
}

// TestStatements_UseIndexesOnSQLite: each loop finds its work in its own small index, however many rows
// are done and however many wait for a later time.
func TestStatements_UseIndexesOnSQLite(t *testing.T) {
	nightly.WithoutRace(t)
	db := openSQLite(t, sqliteURL(t))
	if _, _, err := db.Intake.Enqueue(t.Context(), "T", 0, testRows(0, 100)); err != nil {
		t.Fatal(err)
	}
	plan := func(name statement) string {
		t.Helper()
		statement := db.dialect.text(name)
		rows, err := db.read.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+statement, make([]any, 10)[:parameters(statement)]...)
		if err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
		defer rows.Close()
		var b strings.Builder
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			b.WriteString(detail + "\n")
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, test := range map[string]struct {
		statement statement
		want      string
	}{
		"claim":     {sqlClaim, "USING COVERING INDEX notification_lane (lane=? AND not_before<?)"},
		"uncertain": {sqlUncertain, "USING INDEX notification_lane (lane=? AND not_before<?)"},
		"unsettled": {sqlUnsettled, "USING INDEX notification_settle (settle_at>? AND settle_at<?)"},
		"polls":     {sqlPollDue, "USING INDEX notification_poll (poll_at<?)"},
		"held":      {sqlReleaseParked, "USING COVERING INDEX notification_lane (lane=? AND not_before<?)"},
		"due":       {sqlNextDue, "USING COVERING INDEX notification_lane (lane=?)"},
		"reclaim":   {sqlReclaimClaimed, "USING INDEX notification_in_hands"},
		"an id":     {sqlStanding, "USING INDEX notification_id (<expr>=? AND id=?)"},
		"a phone":   {sqlToPhone, "USING INDEX notification_phone (<expr>=? AND phone=?)"},
		"a key":     {sqlLatest, "USING INDEX notification_key (row_key=? AND source=?)"},
		"failed":    {sqlListEnded, "notification_lane (lane=? AND not_before=? AND rowid>? AND rowid<?)"},
		"diverged":  {sqlBacklog, "USING COVERING INDEX notification_parked"},
		"backlog":   {sqlQueued, "USING COVERING INDEX notification_lane (lane=? AND not_before<?)"},
		"queue":     {sqlBacklog, "USING COVERING INDEX notification_lane (lane>? AND lane<?)"},
		"events":    {sqlEventsDue, "USING INDEX outbox_due (due<?)"},
	} {
		got := plan(test.statement)
		if !strings.Contains(got, test.want) {
			t.Errorf("%s:\n%swant %s", name, got, test.want)
		}
		sorts := 0
		if name == "claim" {
			sorts = 1 // the few that the priorities have yielded
		}
		if strings.Count(got, "TEMP B-TREE") > sorts {
			t.Errorf("%s sorts:\n%s", name, got)
		}
	}
}

// parameters counts ?1, ?2 and so on.
func parameters(statement string) int {
	n := 0
	for strings.Contains(statement, "?"+strconv.Itoa(n+1)) {
		n++
	}
	return n
}

func TestIsUNC(t *testing.T) {
	for path, want := range map[string]bool{
		`\\servidor\dados\pombo.db`: true, `//servidor/dados/pombo.db`: true, `\\?\UNC\servidor\dados\pombo.db`: true, `\\?\unc\s\d\p.db`: true,
		`C:\pombo\pombo.db`: false, `\\?\C:\pombo\pombo.db`: false, `\\.\C:\pombo.db`: false, `data\pombo.db`: false, `\pombo.db`: false, "": false,
	} {
		if got := isUNC(path); got != want {
			t.Errorf("isUNC(%s) = %v, want %v", path, got, want)
		}
	}
}
