package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/test/nightly"
)

// postgresURL returns the address of an empty ledger, for a test that changes its rows only.
func postgresURL(t *testing.T) string {
	t.Helper()
	return EmptyPostgres(t)
}

// newPostgresURL returns the address of an empty ledger that nobody has used before, with no
// pooler on the way, for a test that changes its tables or their statistics, or that has a
// statement prepared which no other one has.
func newPostgresURL(t *testing.T) string {
	t.Helper()
	return Postgres.Copy(t, "ledger", Migrated)
}

// openPostgres opens a ledger; now may be nil.
func openPostgres(t *testing.T, url string, lease time.Duration, now func() time.Time) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{
		URL: url, Exclusive: true, Pending: "1", Codes: map[pombo.State]string{pombo.Accepted: "2"}, Lease: lease, Now: now,
	})
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

// handClock stands still until it is moved.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newHandClock() *handClock {
	return &handClock{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustEnqueue(t *testing.T, db *DB, rows ...pombo.Row) {
	t.Helper()
	if added, _, err := db.Intake.Enqueue(t.Context(), "T", 0, rows); err != nil || added != len(rows) {
		t.Fatalf("added %d, %v; want %d", added, err, len(rows))
	}
}

func mustClaim(t *testing.T, db *DB, owner string, want int) []pombo.Notification {
	t.Helper()
	list, err := db.Queue.Claim(t.Context(), owner, want)
	if err != nil || len(list) != want {
		t.Fatalf("claimed %d, %v; want %d", len(list), err, want)
	}
	return list
}

// TestPostgres_TakesWritesInOppositeOrder: two processes change the same rows, one from the front and
// one from the back.
func TestPostgres_TakesWritesInOppositeOrder(t *testing.T) {
	address := postgresURL(t)
	replicas := []*DB{openPostgres(t, address, 0, nil), openPostgres(t, address, 0, nil)}
	mustEnqueue(t, replicas[0], testRows(0, 300)...)
	for _, n := range mustClaim(t, replicas[0], "me", 300) {
		must(t, replicas[0].Queue.Finish(t.Context(), pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: "me", To: pombo.Failed, Reason: pombo.InvalidPhone}))
	}
	var wg sync.WaitGroup
	for i, db := range replicas {
		wg.Go(func() {
			for round := range nightly.Or(20, 6) {
				list := make([]pombo.Settled, 300)
				for k := range list {
					seq := int64(k + 1)
					if i == 1 {
						seq = int64(300 - k)
					}
					list[k] = pombo.Settled{Settlement: pombo.Settlement{Seq: seq, Code: strconv.Itoa(round)}, Result: pombo.SettleDone}
				}
				if err := db.Settlements.Settled(t.Context(), list); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestPostgres_RefusedValueHarmsNoOther: a value that PostgreSQL does not take harms nobody else, and
// is not quoted.
func TestPostgres_RefusedValueHarmsNoOther(t *testing.T) {
	db := openPostgres(t, postgresURL(t), 0, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			key := "good-" + strconv.Itoa(i)
			if i == 7 {
				key = "Maria \x00"
			}
			_, added, err := db.Intake.Add(t.Context(), "api", pombo.Row{RowKey: key, Recipient: "1"})
			if (err == nil) != (i != 7) || added != (i != 7) {
				t.Errorf("%q: added %v, %v", key, added, err)
			}
			if err != nil && strings.Contains(err.Error(), "Maria") {
				t.Errorf("the error quotes the value: %v", err)
			}
		})
	}
	wg.Wait()
	if n, err := db.Intake.Queued(t.Context()); n != 19 || err != nil {
		t.Errorf("queued = %d, %v; want 19", n, err)
	}
}

// TestArray: what is put into an array comes out of it.
func TestArray(t *testing.T) {
	nightly.WithoutRace(t)
	db := openPostgres(t, postgresURL(t), 0, nil)
	texts := []any{"", " ", "NULL", `"`, `\`, `a\"b`, "{x,y}", "ação 😀\n\t", nil, "'"}
	rows := make([][]any, len(texts))
	index := make([]int, len(texts))
	for i, s := range texts {
		rows[i], index[i] = []any{s}, i
	}
	a, err := array(rows, index, 0)
	must(t, err)
	var got []any
	list, err := db.read.QueryContext(t.Context(), `SELECT unnest(CAST($1 AS text[]))`, a)
	must(t, err)
	must(t, db.collect(list, func(rows *sql.Rows) error {
		var s sql.NullString
		err := rows.Scan(&s)
		if s.Valid {
			got = append(got, s.String)
		} else {
			got = append(got, nil)
		}
		return err
	}))
	if !slices.Equal(got, texts) {
		t.Errorf("got %q, want %q", got, texts)
	}
}

// TestWaves: the rows that name the same row of the table stay in their order,
// one in each wave.
func TestWaves(t *testing.T) {
	rows := [][]any{{int64(5), "a"}, {int64(4), "a"}, {int64(5), "a"}, {int64(5), "a"}, {int64(3), "a"}}
	for name, test := range map[string]struct {
		key  []int
		want string
	}{
		"in the order of the key": {[]int{1}, "[[4 1 0] [2] [3]]"},
		"as given":                {[]int{1, 2}, "[[0 1 4] [2] [3]]"},
	} {
		if got := fmt.Sprint(waves(rows, test.key)); got != test.want {
			t.Errorf("%s: waves = %s, want %s", name, got, test.want)
		}
	}
}

func TestPostgres_ChecksItsSchemaVersion(t *testing.T) {
	nightly.WithoutRace(t)
	address := Postgres.Schema(t)
	_, err := Open(t.Context(), Options{URL: address})
	mustSay(t, err, "run pombo migrate")
	var wg sync.WaitGroup
	for range 4 { // at once, as two machines are set up
		wg.Go(func() {
			if _, after, err := Migrate(t.Context(), address); err != nil || after == 0 {
				t.Errorf("migrated to %d, %v", after, err)
			}
		})
	}
	wg.Wait()
	before, after, err := Migrate(t.Context(), address)
	if err != nil || before != after {
		t.Errorf("migrated from %d to %d, %v; want nothing to do", before, after, err)
	}
	db := openPostgres(t, address, 0, nil)
	version := func(statement string) {
		t.Helper()
		must(t, db.do(t.Context(), func(tx *txn) error { return tx.rawExec(statement) }))
	}
	version(`UPDATE pombo_schema SET version_id = version_id + 9000 WHERE version_id > 0`)
	_, err = Open(t.Context(), Options{URL: address})
	mustSay(t, err, "newer pombo")
	_, _, err = Migrate(t.Context(), address)
	mustSay(t, err, "newer pombo")
	version(`DELETE FROM pombo_schema WHERE version_id > 0`)
	_, err = Open(t.Context(), Options{URL: address})
	mustSay(t, err, "run pombo migrate")
}

// TestPostgres_NamesEachFault: each is named with what to do, and no secret is.
func TestPostgres_NamesEachFault(t *testing.T) {
	nightly.WithoutRace(t)
	server := Postgres.Server(t)
	address := Postgres.Schema(t)
	must(t, Migrated(t.Context(), address))
	at := func(change func(*url.URL)) string {
		u, err := url.Parse(address)
		must(t, err)
		change(u)
		return u.String()
	}
	must(t, server.Exec(t.Context(), "postgres", `CREATE ROLE nobody_special LOGIN PASSWORD 'tiger'`,
		`GRANT USAGE ON SCHEMA `+strings.SplitAfter(address, "search_path=")[1]+` TO nobody_special`))
	for name, test := range map[string]struct{ url, want string }{
		"wrong password": {at(func(u *url.URL) { u.User = url.UserPassword("postgres", "tiger") }), "correct user and password"},
		"no database":    {at(func(u *url.URL) { u.Path = "/nowhere" }), "create it, or name another"},
		"nobody there":   {at(func(u *url.URL) { u.Host = "127.0.0.1:1" }), "cannot be reached"},
		"no right":       {at(func(u *url.URL) { u.User = url.UserPassword("nobody_special", "tiger") }), "grant it SELECT"},
		"no address":     {"postgres://x:ti%ger@%zz:y/", "LEDGER_URL=postgres://"},
	} {
		_, err := Open(t.Context(), Options{URL: test.url})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "ti%ger") || strings.Contains(err.Error(), "tiger") {
			t.Errorf("%s: error = %v, want one that says %q", name, err, test.want)
		}
	}
	_, _, err := Migrate(t.Context(), at(func(u *url.URL) { u.RawQuery = "sslmode=disable&search_path=nowhere" }))
	mustSay(t, err, "CREATE SCHEMA")

	db := openPostgres(t, at(func(u *url.URL) { u.RawQuery += "&default_transaction_read_only=on" }), 0, nil)
	mustSay(t, db.Check(t.Context()), "takes no writes")
	if _, err := db.Intake.Queued(t.Context()); err != nil {
		t.Errorf("reading a database that takes no writes: %v", err)
	}
}

// TestStatements_UseIndexesOnPostgres: each loop finds its work in its own small index, however
// many rows are done and however many wait for a later time.
func TestStatements_UseIndexesOnPostgres(t *testing.T) {
	nightly.WithoutRace(t)
	db := openPostgres(t, newPostgresURL(t), 0, nil)
	must(t, db.do(t.Context(), func(tx *txn) error {
		return errors.Join(
			tx.rawExec(`INSERT INTO notification (state, attempt, tries, priority, lane, not_before, settle_at, poll_at, run, created, generation, id, phone, source, row_key, message, history)
				SELECT CASE WHEN n % 100 = 0 THEN 'queued' ELSE 'accepted' END, 1, 1, n % 10, CASE WHEN n % 100 = 0 THEN n / 100 % 10 END, n,
					CASE WHEN n % 100 = 1 THEN n END, CASE WHEN n % 10 = 2 THEN n END, 1, n, 1, n * 7919, n % 5000, 'T', 'row-' || n, '["","",""]', '[1,"queued",0]'
				FROM generate_series(1, 50000) AS s (n)`),
			tx.rawExec(`ANALYZE notification`))
	}))
	tx, err := db.read.BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { must(t, tx.Rollback()) }()
	plan := func(text string, args ...any) string {
		t.Helper()
		var b strings.Builder
		rows, err := tx.QueryContext(t.Context(), `EXPLAIN `+text, args...)
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var line string
			must(t, rows.Scan(&line))
			b.WriteString(line + "\n")
		}
		must(t, rows.Err())
		return b.String()
	}
	batched := func(name statement, row []any) (string, []any) {
		key := batchKeys[name]
		var many [][]any
		var index []int
		for i := range 500 {
			row := slices.Clone(row)
			row[key[0]-1] = int64(i + 1)
			many, index = append(many, row), append(index, i)
		}
		var args []any
		for column := range row {
			a, err := array(many, index, column)
			must(t, err)
			args = append(args, a)
		}
		return db.dialect.text(name), args
	}
	begin, beginArgs := batched(sqlBegin, []any{"[]", int64(1), "me", 0})
	finish, finishArgs := batched(sqlFinish, []any{"accepted", nil, 1, "2", int64(1), int64(1), "[]", int64(1), "sending", "me", 1, nil, nil})
	for name, test := range map[string]struct {
		want string
		text string
		args []any
	}{
		"claim":     {"Index Scan using notification_lane", db.dialect.text(sqlClaim), []any{int64(25000), "me", 20, int64(0)}},
		"uncertain": {"notification_lane", db.dialect.text(sqlUncertain), []any{int64(9), 10}},
		"unsettled": {"Index Scan using notification_settle", db.dialect.text(sqlUnsettled), []any{int64(90000), "", 100}},
		"polls":     {"Index Scan using notification_poll", db.dialect.text(sqlPollDue), []any{int64(90000), 100}},
		"held":      {"notification_lane", db.dialect.text(sqlReleaseParked), []any{int64(9), int64(9)}},
		"due":       {"notification_lane", db.dialect.text(sqlNextDue), nil},
		"an id":     {"notification_id", db.dialect.text(sqlStanding), []any{int64(7919)}},
		"a key":     {"notification_key", db.dialect.text(sqlLatest), []any{"row-1", "T"}},
		"begin":     {"notification_pkey", begin, beginArgs},
		"finish":    {"notification_pkey", finish, finishArgs},
	} {
		// As transactions that write have it, and those that read a list.
		setting := "off"
		if name == "due" || strings.HasPrefix(name, "a") {
			setting = "on"
		}
		_, err := tx.ExecContext(t.Context(), `SELECT set_config('enable_seqscan', $1, true), set_config('enable_bitmapscan', $1, true)`, setting)
		must(t, err)
		got := plan(test.text, test.args...)
		inOrder := name == "claim" || name == "uncertain" || name == "unsettled" || name == "polls"
		if !strings.Contains(got, test.want) || strings.Contains(got, "Seq Scan on notification") || inOrder && (strings.Contains(got, "Sort") || strings.Contains(got, "Bitmap")) {
			t.Errorf("%s:\n%swant %s, and nothing read or sorted as a whole", name, got, test.want)
		}
	}
}

// TestStatements_StayPreparedOnPostgres: with a session of its own the writer keeps its
// statements prepared; where they are gone all the same, as behind a pooler that
// could not be told from a server, it goes on without.
func TestStatements_StayPreparedOnPostgres(t *testing.T) {
	nightly.WithoutRace(t)
	db := openPostgres(t, newPostgresURL(t), 0, nil)
	p := db.dialect.(*postgres)
	kept := func() (n int) {
		t.Helper()
		must(t, db.do(t.Context(), func(tx *txn) error {
			return tx.rawRow(`SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%notification%'`).Scan(&n)
		}))
		return n
	}
	mustEnqueue(t, db, pombo.Row{RowKey: "a", Template: "t"}, pombo.Row{RowKey: "b", Template: "t"})
	one := mustClaim(t, db, "me", 1)[0]
	if n := kept(); n == 0 {
		t.Error("the claim is not prepared")
	}
	must(t, db.do(t.Context(), func(tx *txn) error { return tx.rawExec(`DEALLOCATE ALL`) }))
	_, err := db.Queue.Begin(t.Context(), one, "")
	must(t, err)
	mustClaim(t, db, "me", 1)
	if n := kept(); n != 0 || !p.pooled {
		t.Errorf("%d statements are prepared after they were found gone, want none any more", n)
	}
}

// TestStatements_UseIndexesBeforeStatistics: in its first minutes a table has none, and the loops
// find their work in their indexes all the same. And no statement is compiled,
// which takes longer than any of ours.
func TestStatements_UseIndexesBeforeStatistics(t *testing.T) {
	nightly.WithoutRace(t)
	db := openPostgres(t, newPostgresURL(t), 0, nil)
	must(t, db.do(t.Context(), func(tx *txn) error {
		return errors.Join(
			tx.rawExec(`ALTER TABLE notification SET (autovacuum_enabled = false)`),
			tx.rawExec(`INSERT INTO notification (state, attempt, tries, priority, lane, not_before, settle_at, poll_at, run, created, generation, id, phone, source, row_key, message, history)
				SELECT CASE WHEN n > 10000 THEN 'queued' ELSE 'accepted' END, 1, 1, 0, CASE WHEN n > 10000 THEN 0 END, n,
					CASE WHEN n <= 10000 THEN n END, CASE WHEN n <= 10000 THEN n END, 1, n, 1, n * 7919, n, 'T', 'row-' || n, '["","",""]', '[1,"queued",0]'
				FROM generate_series(1, 15000) AS s (n)`),
			tx.rawExec(`ALTER TABLE outbox SET (autovacuum_enabled = false)`),
			tx.rawExec(`INSERT INTO outbox (type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, due)
				SELECT 'notification.accepted', 'row-' || n / 4, n, 'T', 'row-' || n / 4, 1, '', 'accepted', '', 1, '', n FROM generate_series(1, 20000) AS s (n)`))
	}))
	plan := func(bounded bool, text string, args ...any) string {
		t.Helper()
		tx, err := db.read.BeginTx(t.Context(), nil)
		must(t, err)
		defer func() { must(t, tx.Rollback()) }()
		if bounded {
			limits, within := db.dialect.limits()
			_, err := tx.ExecContext(t.Context(), db.dialect.text(limits), within)
			must(t, err)
		}
		var lines []string
		rows, err := tx.QueryContext(t.Context(), `EXPLAIN `+text, args...)
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var line string
			must(t, rows.Scan(&line))
			lines = append(lines, line)
		}
		must(t, rows.Err())
		return strings.Join(lines, "\n")
	}
	for name, test := range map[string]struct {
		bounded    bool
		text, want string
		args       []any
	}{
		"unsettled": {true, db.dialect.text(sqlUnsettled), "Index Scan using notification_settle", []any{int64(9500), "T", 500}},
		"queued":    {false, db.dialect.text(sqlQueued), "notification_lane", []any{int64(9500)}},
		"queue":     {false, `SELECT count(*) FROM notification WHERE lane BETWEEN 0 AND 9`, "notification_lane", nil},
		"polls":     {true, db.dialect.text(sqlPollDue), "Index Scan using notification_poll", []any{int64(100), 100}},
		"events":    {true, db.dialect.text(sqlEventsDue), "Index Cond: ((stream = e.stream)", []any{int64(30000), 256}},
	} {
		if got := plan(test.bounded, test.text, test.args...); !strings.Contains(got, test.want) || strings.Contains(got, "Seq Scan") || strings.Contains(got, "Materialize") {
			t.Errorf("%s:\n%s\nwant %s, and nothing read as a whole", name, got, test.want)
		}
	}
	if got := plan(true, `DELETE FROM owner WHERE until <= 1`); strings.Contains(got, "JIT") {
		t.Errorf("the lease's statement would be compiled:\n%s", got)
	}
}

// TestMigrate_RefusesASchemaOfOthers: our tables lie between nobody else's; nothing is
// left behind. What an extension has made is nobody's.
func TestMigrate_RefusesASchemaOfOthers(t *testing.T) {
	nightly.WithoutRace(t)
	url := Postgres.Schema(t)
	db, err := postgresPool(url, 1)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), `CREATE TABLE pedido (id bigint PRIMARY KEY)`)
	must(t, err)
	_, _, err = Migrate(t.Context(), url)
	mustSay(t, err, "tables of another program (pedido")
	var tables int
	must(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema()`).Scan(&tables))
	if tables != 1 {
		t.Errorf("%d tables are in the schema, want the one of before", tables)
	}
	_, err = db.ExecContext(t.Context(), `DROP TABLE pedido`)
	must(t, err)
	_, _, err = Migrate(t.Context(), url)
	must(t, err)
	// A ledger that is there stays one, whoever has come since.
	_, err = db.ExecContext(t.Context(), `CREATE TABLE pedido (id bigint PRIMARY KEY)`)
	must(t, err)
	_, _, err = Migrate(t.Context(), url)
	must(t, err)
}
