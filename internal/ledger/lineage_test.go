package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/test/nightly"
)

// standsAs looks how many stand in a state, and that those that are uncertain are so
// because of what was lost.
func standsAs(t *testing.T, db *DB, want map[pombo.State]int) {
	t.Helper()
	for _, s := range pombo.States() {
		page, err := db.History.List(t.Context(), pombo.Filter{State: s, Limit: 100})
		must(t, err)
		list := page.Notifications
		if len(list) != want[s] {
			t.Errorf("%d are %s, want %d", len(list), s, want[s])
		}
		for _, n := range list {
			if s == pombo.Uncertain && (n.Reason != pombo.LedgerWentBack || n.Attempt == 0) {
				t.Errorf("row %s is uncertain (%s) at attempt %d, want %s at an attempt", n.Key.RowKey, n.Reason, n.Attempt, pombo.LedgerWentBack)
			}
		}
	}
}

func mustNotice(t *testing.T, db *DB, want bool) {
	t.Helper()
	at, _, err := db.Doubts.WentBack(t.Context())
	must(t, err)
	if at.IsZero() == want {
		t.Errorf("noticed at %v, want it noticed: %v", at, want)
	}
}

// copyLedger copies a file that is open, with its log.
func copyLedger(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(from + suffix)
		must(t, err)
		must(t, os.WriteFile(to+suffix, text, 0o600))
	}
}

// takeAway removes a ledger's files but its mark.
func takeAway(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// kept waits until the mark has followed all that was written.
func kept(t *testing.T, db *DB) {
	t.Helper()
	var before int64
	must(t, db.do(t.Context(), func(tx *txn) error {
		return tx.rawRow(`UPDATE lineage SET count = count RETURNING count`).Scan(&before)
	}))
	for begun := time.Now(); time.Since(begun) < 20*time.Second; <-time.After(20 * time.Millisecond) {
		m, err := db.keeping.file.readMark()
		must(t, err)
		if m.Count > before {
			return
		}
	}
	t.Fatal("the mark does not follow")
}

// TestMark_RetriedUntilWritten: a mark that could not be written is written as soon as it can be, though
// nothing is recorded meanwhile.
func TestMark_RetriedUntilWritten(t *testing.T) {
	t.Parallel() // it waits most of the time
	path := filepath.Join(t.TempDir(), "pombo.db")
	db := openSQLite(t, "sqlite:"+path)
	kept(t, db)
	inTheWay := path + ".mark.new"
	must(t, os.Mkdir(inTheWay, 0o700))
	before, err := db.keeping.file.readMark()
	must(t, err)
	mustEnqueue(t, db, testRows(0, 1)...)
	eventually := func(what string, so func() bool) {
		t.Helper()
		for begun := time.Now(); !so(); <-time.After(20 * time.Millisecond) {
			if time.Since(begun) > 20*time.Second {
				t.Fatal(what)
			}
		}
	}
	eventually("the ledger is not counted", func() bool {
		var id string
		var count int64
		must(t, db.get(t.Context(), sqlMark, nil, &id, &count))
		return count > before.Count
	})
	must(t, os.Remove(inTheWay))
	eventually("the mark does not follow", func() bool {
		m, err := db.keeping.file.readMark()
		must(t, err)
		return m.Count > before.Count
	})
}

// A message that failed may have been sent again in the part that was lost, under the
// id that it gets now.
func TestWentBack_MakesAResendUncertain(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	for _, lost := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "pombo.db")
		db := openSQLite(t, "sqlite:"+path)
		mustEnqueue(t, db, testRows(0, 1)...)
		n := mustClaim(t, db, "w", 1)[0]
		attempt, err := db.Queue.Begin(t.Context(), n, "")
		must(t, err)
		must(t, db.Queue.Finish(t.Context(), accepted(n, attempt)))
		kept(t, db)
		older := filepath.Join(t.TempDir(), "copy")
		copyLedger(t, path, older)
		mustEnqueue(t, db, testRows(1, 1)...)
		must(t, db.Close())
		if lost {
			takeAway(t, path)
			copyLedger(t, older, path)
		}
		db = openSQLite(t, "sqlite:"+path)
		mustNotice(t, db, lost)
		results, err := db.Receipts.Apply(t.Context(), []pombo.Receipt{{MessageID: n.MessageID, State: pombo.Failed, Reason: pombo.ChannelError, Policy: pombo.ResendBackoff}})
		must(t, err)
		again := n.Key
		again.Generation++
		got, _, err := db.History.Notification(t.Context(), again.MessageID())
		must(t, err)
		want := map[bool]pombo.State{false: pombo.Queued, true: pombo.Uncertain}[lost]
		if results[0] != pombo.ReceiptResent || got.State != want || !got.NotBefore.After(time.Now()) {
			t.Errorf("after a loss (%v) the next generation is %s until %v (%v), want %s after a wait", lost, got.State, got.NotBefore, results, want)
		}
		must(t, db.Close())
	}
}

// TestWentBack_OnSQLite: whatever was done to the file, and that a new installation
// and an ordinary restart are none of it.
func TestWentBack_OnSQLite(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	for _, test := range []struct {
		name string
		// work is done to the file, given a copy that is older than what it has now.
		work    func(t *testing.T, path, older string)
		noticed bool
		want    map[pombo.State]int // after a restart
	}{
		{"stopped and started", func(*testing.T, string, string) {}, false,
			map[pombo.State]int{pombo.Queued: 3, pombo.Claimed: 1, pombo.Accepted: 1, pombo.Sending: 1}},
		{"replaced by an older copy", func(t *testing.T, path, older string) {
			t.Helper()
			takeAway(t, path)
			copyLedger(t, older, path)
		}, true, map[pombo.State]int{pombo.Uncertain: 3}},
		{"deleted", func(t *testing.T, path, _ string) { t.Helper(); takeAway(t, path) }, true, nil},
		{"deleted with its mark", func(t *testing.T, path, _ string) {
			t.Helper()
			takeAway(t, path)
			must(t, os.Remove(path+".mark"))
		}, false, nil},
		{"the mark is damaged", func(t *testing.T, path, _ string) { t.Helper(); must(t, os.WriteFile(path+".mark", nil, 0o600)) }, false,
			map[pombo.State]int{pombo.Queued: 3, pombo.Claimed: 1, pombo.Accepted: 1, pombo.Sending: 1}},
		{"deleted, and the mark is damaged", func(t *testing.T, path, _ string) {
			t.Helper()
			takeAway(t, path)
			must(t, os.WriteFile(path+".mark", nil, 0o600))
		}, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "pombo.db")
			db := openSQLite(t, "sqlite:"+path)
			mustNotice(t, db, false)
			mustEnqueue(t, db, testRows(0, 3)...)
			kept(t, db)
			older := filepath.Join(t.TempDir(), "copy")
			copyLedger(t, path, older)

			mustEnqueue(t, db, testRows(3, 3)...)
			list := mustClaim(t, db, "w", 3)
			for i, n := range list[:2] {
				attempt, err := db.Queue.Begin(t.Context(), n, "")
				must(t, err)
				if i == 0 {
					must(t, db.Queue.Finish(t.Context(), accepted(n, attempt)))
				}
			}
			must(t, db.Close())
			test.work(t, path, older)

			db = openSQLite(t, "sqlite:"+path)
			mustNotice(t, db, test.noticed)
			standsAs(t, db, test.want)

			// What is taken in may be what was lost, until the table was read.
			was := 0
			for _, n := range test.want {
				was += n
			}
			state := pombo.Queued
			if test.noticed {
				state = pombo.Uncertain
			}
			took := func(first int, state pombo.State) {
				t.Helper()
				mustEnqueue(t, db, testRows(first, 1)...)
				page, err := db.History.List(t.Context(), pombo.Filter{Limit: 1})
				must(t, err)
				list := page.Notifications
				if len(list) != 1 || list[0].State != state {
					t.Errorf("taken in as %+v, want %s", list, state)
				}
			}
			took(100, state)
			must(t, db.Intake.TakenIn(t.Context(), time.Now().Add(-time.Hour)))
			took(101, state)
			must(t, db.Intake.TakenIn(t.Context(), time.Now()))
			took(102, pombo.Queued)
			must(t, db.Close())

			db = openSQLite(t, "sqlite:"+path) // it is not noticed twice
			took(103, pombo.Queued)
		})
	}
}

// TestSQLite_CheckReportsAReplacedFile: a check of the ledger reports it.
func TestSQLite_CheckReportsAReplacedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pombo.db")
	db := openSQLite(t, "sqlite:"+path)
	must(t, db.Check(t.Context()))
	if err := os.Rename(path, path+".away"); err != nil {
		t.Skipf("this system keeps an open file in its place: %v", err)
	}
	db.keeping.look()
	err := db.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "deleted or replaced") {
		t.Errorf("check: %v, want it to say that the file is gone", err)
	}
}

// TestMark_NeverAheadOfTheLedger: the number is in the ledger before it is in the mark, so
// that a ledger that cannot be written leaves the mark where it is.
func TestMark_NeverAheadOfTheLedger(t *testing.T) {
	db := openSQLite(t, sqliteURL(t))
	before, err := db.keeping.file.readMark()
	must(t, err)
	must(t, db.Close())
	db.keeping.write(t.Context())
	after, err := db.keeping.file.readMark()
	must(t, err)
	var count int64
	db = openSQLite(t, "sqlite:"+db.keeping.file.path)
	must(t, db.rawGet(t.Context(), `SELECT count FROM lineage`, &count))
	if after.Count < before.Count || after.Count >= count {
		t.Errorf("mark %d, then %d; the ledger opened again has %d", before.Count, after.Count, count)
	}
	mustNotice(t, db, false)
}

// TestMark_UnchangedWhileNothingIsWritten: two syncs a second were most of what an idle
// process cost.
func TestMark_UnchangedWhileNothingIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openSQLite(t, sqliteURL(t))
		count := func() int64 {
			t.Helper()
			time.Sleep(5 * markEvery)
			m, err := db.keeping.file.readMark()
			must(t, err)
			return m.Count
		}
		before := count()
		must(t, db.do(t.Context(), func(*txn) error { return nil }))
		if after := count(); after != before {
			t.Errorf("the mark went from %d to %d while nothing was written", before, after)
		}
		must(t, db.do(t.Context(), func(tx *txn) error { return tx.rawExec(`UPDATE lineage SET count = count`) }))
		if after := count(); after != before+1 {
			t.Errorf("the mark went from %d to %d after one write, want one more", before, after)
		}
	})
}

// TestWentBack_OnPostgres: the three signs, and what is none.
func TestWentBack_OnPostgres(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	for _, test := range []struct {
		name    string
		do      []string
		anew    bool // opened anew after it
		noticed bool
	}{
		{"the writer's transactions are not there", []string{`UPDATE writer SET number = number - 1`}, false, true},
		{"the writer itself is not there", []string{`DELETE FROM writer`}, false, true},
		{"nothing", nil, false, false},
		{"nothing, another process", nil, true, false},
		{"a ledger that has noted no server yet", []string{`UPDATE lineage SET server = ''`}, true, false},
		{"another timeline", []string{`UPDATE lineage SET server = 'other', safe = 0`}, true, true},
		{"another timeline, where a standby had all", []string{`UPDATE lineage SET server = 'other', safe = 1`}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := postgresURL(t)
			db := openPostgres(t, address, 0, nil)
			mustEnqueue(t, db, testRows(0, 3)...)
			list := mustClaim(t, db, "w", 2)
			_, err := db.Queue.Begin(t.Context(), list[0], "")
			must(t, err)
			for _, s := range test.do {
				if _, err := db.read.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if test.anew {
				db = openPostgres(t, address, 0, nil)
			}
			must(t, db.Check(t.Context()))
			mustNotice(t, db, test.noticed)
			if !test.noticed {
				standsAs(t, db, map[pombo.State]int{pombo.Queued: 1, pombo.Claimed: 1, pombo.Sending: 1})
				return
			}
			standsAs(t, db, map[pombo.State]int{pombo.Uncertain: 3})
			if _, err := db.Queue.Begin(t.Context(), list[1], ""); err == nil {
				t.Error("what was in flight has begun")
			}
			before, _, err := db.Doubts.WentBack(t.Context())
			must(t, err)
			mustEnqueue(t, db, testRows(10, 1)...) // by the other writer, which finds the same
			standsAs(t, db, map[pombo.State]int{pombo.Uncertain: 4})
			if after, _, err := db.Doubts.WentBack(t.Context()); err != nil || !after.Equal(before) {
				t.Errorf("noticed at %v and again at %v, %v", before, after, err)
			}
			must(t, db.Intake.TakenIn(t.Context(), time.Now().Add(time.Second)))
			mustEnqueue(t, db, testRows(20, 1)...)
			standsAs(t, db, map[pombo.State]int{pombo.Uncertain: 4, pombo.Queued: 1})
		})
	}
}

// TestPostgres_NotesThatCommitsWaitForNoStandby: that no standby has to have every commit any more is
// noted soon, and not only with the next connection, which may lead to that standby.
func TestPostgres_NotesThatCommitsWaitForNoStandby(t *testing.T) {
	nightly.WithoutRace(t)
	db := openPostgres(t, postgresURL(t), 0, nil)
	mustEnqueue(t, db, testRows(10, 1)...) // by the other writer
	must(t, db.Check(t.Context()))
	if _, err := db.read.ExecContext(t.Context(), `UPDATE lineage SET safe = 1`); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		mustEnqueue(t, db, testRows(want, 1)...)
		must(t, db.Check(t.Context()))
		var safe int
		must(t, db.rawGet(t.Context(), `SELECT safe FROM lineage`, &safe))
		if safe != want {
			t.Errorf("safe = %d, want %d", safe, want)
		}
		for _, p := range []*postgres{db.dialect.(*postgres), db.dialect.(*postgres).other} {
			p.greetedAt = p.greetedAt.Add(-greetOwnAgain)
		}
	}
	mustNotice(t, db, false)
}

// TestWentBack_RecordsNothingForAReusedNumber: what a process still has in its hands of what the ledger
// has lost is not recorded for a row that was taken in since.
func TestWentBack_RecordsNothingForAReusedNumber(t *testing.T) {
	nightly.WithoutRace(t)
	db := openPostgres(t, newPostgresURL(t), 0, nil)
	mustEnqueue(t, db, testRows(0, 1)...)
	n := mustClaim(t, db, "w", 1)[0]
	attempt, err := db.Queue.Begin(t.Context(), n, "")
	must(t, err)
	for _, s := range []string{
		`DELETE FROM notification`, `UPDATE writer SET number = number - 1`, `ALTER TABLE notification ALTER COLUMN seq RESTART`,
	} {
		if _, err := db.read.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	mustEnqueue(t, db, testRows(1, 1)...)
	for _, from := range []pombo.State{pombo.Sending, pombo.Uncertain} {
		o := accepted(n, attempt)
		o.From = from
		if err := db.Queue.Finish(t.Context(), o); !errors.Is(err, pombo.ErrNotFound) {
			t.Errorf("from %s: %v, want that it is not there", from, err)
		}
	}
	must(t, db.Settlements.Settled(t.Context(), []pombo.Settled{{Settlement: pombo.Settlement{Seq: n.Seq, Code: "2"}, Result: pombo.SettleDone}}))
	standsAs(t, db, map[pombo.State]int{pombo.Uncertain: 1})
}
