package app_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

// TestWentBack_DoublesNothing: the ledger loses messages that Blip has accepted and that are
// not settled, and nobody runs recover.
func TestWentBack_DoublesNothing(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: -short leaves out what takes many seconds")
	}
	known, lost, unsent := 50, nightly.Or(200, 80), 30
	for _, test := range []struct {
		name   string
		server bool // the ledger is in PostgreSQL, and the process keeps running
		work   func(t *testing.T, path, older string)
	}{
		{"replaced by an older copy", false, func(t *testing.T, path, older string) {
			t.Helper()
			removeLedger(t, path)
			copyFiles(t, older, path)
		}},
		{"deleted", false, func(t *testing.T, path, _ string) { t.Helper(); removeLedger(t, path) }},
		{"a standby without the last commits", true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // each waits most of the time
			env := []string{"BLIP_TIMEOUT=3s", "UNCERTAIN_WAIT=3s"}
			var db *sql.DB
			if test.server {
				address := migrated(t)
				var err error
				if db, err = sql.Open("pgx", address); err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				env = append(env, "LEDGER_URL="+address)
			}
			w := newFixture(t, known+lost, blipsim.Options{}, env...)
			path := filepath.Join(w.dir, "pombo.db")
			w.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 0 WHERE ID > ?`, known)
			a, client := w.start()
			if run, err := client.Send(t.Context(), 0); err != nil || run.Accepted != known {
				t.Fatalf("result = %+v, error %v, want %d accepted", run, err, known)
			}
			w.eventually(func() bool { return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`) == known })
			// Some of what is lost was queued when the copy was made.
			w.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 1 WHERE ID BETWEEN ? AND ?`, known+1, known+lost/2)
			if _, err := client.Pause(t.Context(), time.Time{}, ""); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Send(t.Context(), api.NoWait); err != nil {
				t.Fatal(err)
			}
			w.eventually(func() bool {
				list, err := client.List(t.Context(), pombo.Filter{State: pombo.Queued, Limit: 200})
				return err == nil && len(list.Notifications) == lost/2
			})
			older := filepath.Join(t.TempDir(), "copy")
			if test.server {
				for _, s := range []string{`CREATE TABLE kept AS SELECT * FROM notification`, `CREATE TABLE kept_writer AS SELECT * FROM writer`} {
					if _, err := db.ExecContext(t.Context(), s); err != nil {
						t.Fatal(err)
					}
				}
			} else {
				<-time.After(2 * time.Second) // so that the mark has followed the copy
				copyFiles(t, path, older)
			}
			w.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 1 WHERE ID > ?`, known+lost/2)
			unlock := w.lock(t)
			if err := client.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The first one joins the run that waits. A run's end would be waited for until it gives
			// up on the table.
			w.eventuallyEvery(100*time.Millisecond, func() bool {
				_, err := client.Send(t.Context(), api.NoWait)
				return err == nil && w.blip.Counts().Messages >= int64(known+lost)
			})
			w.eventually(func() bool {
				list, err := client.List(t.Context(), pombo.Filter{State: pombo.Sending})
				return err == nil && len(list.Notifications) == 0
			})
			if got := w.blip.Counts().Messages; got != int64(known+lost) {
				t.Fatalf("Blip took %d messages, want %d", got, known+lost)
			}
			if test.server {
				w.eventually(func() bool { return loseCommits(t, db) })
				unlock()
			} else {
				w.stop(a)
				unlock()
				test.work(t, path, older)
				_, client = w.start()
			}
			if n := w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 1`); n != lost {
				t.Fatalf("%d rows are pending, want the %d: the test shows nothing", n, lost)
			}
			if err := client.Resume(t.Context()); err != nil { // the copy was made in the pause
				t.Fatal(err)
			}
			w.exec(`WITH RECURSIVE n(i) AS (SELECT ?1 + 1 UNION ALL SELECT i+1 FROM n WHERE i < ?1 + ?2)
				INSERT INTO NOTIFICACAO SELECT i, '319' || (80000000+i), 'Maria', 'Sua consulta foi confirmada.', 1 FROM n`, known+lost, unsent)
			for range 2 {
				if _, err := client.Send(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
			}
			w.eventually(func() bool {
				return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`) == known+lost+unsent
			})
			if got := w.blip.Counts(); got.Messages != int64(known+lost+unsent) || got.Doubled != 0 {
				t.Errorf("Blip took %d messages, %d ids doubled; want %d and none doubled", got.Messages, got.Doubled, known+lost+unsent)
			}
		})
	}
}

// lock keeps everybody else from writing to the table.
func (w *fixture) lock(t *testing.T) (unlock func()) {
	t.Helper()
	conn, err := w.rows.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), `ROLLBACK`); err != nil {
			t.Error(err)
		}
		conn.Close()
	}
}

// copyFiles copies a ledger that may be open.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(from + suffix)
		if err == nil {
			err = os.WriteFile(to+suffix, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// removeLedger removes a ledger's files but its mark.
func removeLedger(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// loseCommits puts the ledger back to what was kept of it, unless a statement of the process
// that keeps running is in the way.
func loseCommits(t *testing.T, db *sql.DB) bool {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for _, s := range []string{`DELETE FROM notification`, `INSERT INTO notification OVERRIDING SYSTEM VALUE SELECT * FROM kept`,
		`UPDATE writer SET number = (SELECT number FROM kept_writer AS k WHERE k.name = writer.name)`} {
		if _, err := tx.ExecContext(t.Context(), s); err != nil {
			if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "40P01" { // a deadlock
				return false
			}
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return true
}
