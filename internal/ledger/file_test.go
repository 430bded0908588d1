package ledger_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/ledger"
	"pombo/test/nightly"
)

// open opens the ledger as the process that claims, until the test ends.
func open(t *testing.T, path string) *ledger.DB {
	t.Helper()
	db, err := ledger.Open(t.Context(), ledger.Options{URL: "sqlite:" + path, Exclusive: true})
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

// change carries out statements on any SQLite file.
func change(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// contents are the files of a folder.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		b, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name()] = string(b)
	}
	return files
}

// TestSQLite_LockedUnderEveryName: a file has one ledger and one process that claims,
// by whatever name it is opened.
func TestSQLite_LockedUnderEveryName(t *testing.T) {
	nightly.WithoutRace(t)
	link := func(t *testing.T, target, name string) {
		t.Helper()
		err := os.Symlink(target, name)
		if err == nil {
			_, err = os.Readlink(name) // Wine says that it has made one
		}
		if err != nil {
			t.Skipf("there are no symbolic links here: %v", err)
		}
	}
	for name, names := range map[string]func(t *testing.T, folder string) (first, second string){
		"a link to the file": func(t *testing.T, folder string) (string, string) {
			t.Helper()
			open(t, filepath.Join(folder, "pombo.db")).Close()
			link(t, "pombo.db", filepath.Join(folder, "other.db"))
			return filepath.Join(folder, "pombo.db"), filepath.Join(folder, "other.db")
		},
		"a link first": func(t *testing.T, folder string) (string, string) {
			t.Helper()
			open(t, filepath.Join(folder, "pombo.db")).Close()
			link(t, "pombo.db", filepath.Join(folder, "other.db"))
			return filepath.Join(folder, "other.db"), filepath.Join(folder, "pombo.db")
		},
		"a link to a file that is yet to be made": func(t *testing.T, folder string) (string, string) {
			t.Helper()
			link(t, filepath.Join("data", "pombo.db"), filepath.Join(folder, "other.db"))
			return filepath.Join(folder, "other.db"), filepath.Join(folder, "data", "pombo.db")
		},
		"a link to the folder": func(t *testing.T, folder string) (string, string) {
			t.Helper()
			if err := os.Mkdir(filepath.Join(folder, "data"), 0o700); err != nil {
				t.Fatal(err)
			}
			link(t, "data", filepath.Join(folder, "linked"))
			return filepath.Join(folder, "linked", "new", "pombo.db"), filepath.Join(folder, "data", "new", "pombo.db")
		},
		"a link to a folder that is yet to be made": func(t *testing.T, folder string) (string, string) {
			t.Helper()
			link(t, "data", filepath.Join(folder, "linked"))
			return filepath.Join(folder, "linked", "pombo.db"), filepath.Join(folder, "data", "pombo.db")
		},
		"a hard link": func(t *testing.T, folder string) (string, string) {
			t.Helper()
			if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
				t.Skip("hard links are recognized on Linux and Windows")
			}
			first, second := filepath.Join(folder, "pombo.db"), filepath.Join(folder, "elsewhere.db")
			open(t, first).Close()
			if err := os.Link(first, second); err != nil {
				t.Skipf("there are no hard links here: %v", err)
			}
			return first, second
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := names(t, t.TempDir())
			open(t, first)
			for _, exclusive := range []bool{true, false} {
				if !exclusive && name != "a hard link" {
					continue // the command line may look beside it
				}
				db, err := ledger.Open(context.Background(), ledger.Options{URL: "sqlite:" + second, Exclusive: exclusive})
				if err == nil {
					t.Fatal("a second one was opened", db.Close())
				}
				if !strings.Contains(err.Error(), "another pombo is running") {
					t.Errorf("error = %v, want one that says who has it", err)
				}
			}
		})
	}
}

// TestSQLite_LeavesForeignFilesUnchanged: what belongs to another program is refused, and
// not one byte of it is changed, nor is anything laid beside it.
func TestSQLite_LeavesForeignFilesUnchanged(t *testing.T) {
	nightly.WithoutRace(t)
	const goose = `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP)`
	for name, statements := range map[string][]string{
		"the company's":                  {`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, CD_STATUS INTEGER)`, `INSERT INTO NOTIFICACAO VALUES (1, 1)`},
		"with a write-ahead log":         {`PRAGMA journal_mode = WAL`, `CREATE TABLE t (x)`},
		"with a table of our name":       {`CREATE TABLE notification (id INTEGER PRIMARY KEY, text TEXT)`},
		"that migrates with goose":       {goose, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (3, 1)`, `CREATE TABLE t (x)`},
		"that has just begun with goose": {goose, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`, `CREATE TABLE t (x)`},
		"with another goose":             {`CREATE TABLE goose_db_version (name TEXT)`},
		"with an id and nothing in it":   {`PRAGMA application_id = 7`},
		"with a view":                    {`CREATE VIEW v AS SELECT 1`},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "erp.db")
			change(t, path, statements...)
			before := contents(t, folder)
			refused := func(err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), "database of another program") || !strings.Contains(err.Error(), "LEDGER_URL") {
					t.Errorf("error = %v, want a sentence that says what to do", err)
				}
				if diff := cmp.Diff(before, contents(t, folder)); diff != "" {
					t.Errorf("the files have changed (-before +after):\n%s", diff)
				}
			}
			for _, exclusive := range []bool{true, false} {
				db, err := ledger.Open(t.Context(), ledger.Options{URL: "sqlite:" + path, Exclusive: exclusive})
				if err == nil {
					err = db.Close()
				}
				refused(err)
			}
			_, err := ledger.Inspect(t.Context(), "sqlite:"+path)
			refused(err)
			_, _, err = ledger.Migrate(t.Context(), "sqlite:"+path)
			refused(err)
		})
	}
}

func applicationID(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || len(b) < 72 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	return string(b[68:72])
}

// TestSQLite_OpensAnOlderFile: a ledger that an earlier version made, without an
// application id, is taken over and gets one; so is what an earlier first start
// left that was cut.
func TestSQLite_OpensAnOlderFile(t *testing.T) {
	nightly.WithoutRace(t)
	for name, statements := range map[string][]string{
		"a ledger":                nil,
		"a start that was cut":    {`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))`, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`},
		"a start without a table": {`PRAGMA journal_mode = WAL`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pombo.db")
			key := pombo.Key{Source: "T", RowKey: "1", Generation: 1}
			if name == "a ledger" {
				if err := ledger.MakeOlder(t.Context(), path, 13, key); err != nil {
					t.Fatal(err)
				}
			} else {
				change(t, path, statements...)
			}
			db := open(t, path)
			if _, _, err := db.History.Notification(t.Context(), key.MessageID()); name == "a ledger" && err != nil {
				t.Errorf("what it held: %v", err)
			}
			if err := db.Check(t.Context()); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if got := applicationID(t, path); got != "POMB" {
				t.Errorf("application id = %q, want POMB", got)
			}
		})
	}
}

func TestSQLite_StampsANewFile(t *testing.T) {
	nightly.WithoutRace(t)
	path := filepath.Join(t.TempDir(), "pombo.db")
	open(t, path)
	if got := applicationID(t, path); got != "POMB" {
		t.Errorf("application id = %q before the log is folded in, want POMB", got)
	}
}

// TestMigrate_ReturnsTheVersions, of a ledger in a file too.
func TestMigrate_ReturnsTheVersions(t *testing.T) {
	nightly.WithoutRace(t)
	url := "sqlite:" + filepath.Join(t.TempDir(), "pombo.db")
	before, after, err := ledger.Migrate(t.Context(), url)
	if err != nil || before != 0 || after < 18 {
		t.Errorf("a new one: %d to %d, %v; want 0 to the newest", before, after, err)
	}
	again, same, err := ledger.Migrate(t.Context(), url)
	if err != nil || again != after || same != after {
		t.Errorf("again: %d to %d, %v; want %d both times", again, same, err, after)
	}
	url = "sqlite:" + filepath.Join(t.TempDir(), "older.db")
	if err := ledger.MakeOlder(t.Context(), strings.TrimPrefix(url, "sqlite:"), 13, pombo.Key{Source: "T", RowKey: "1", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	older, newest, err := ledger.Migrate(t.Context(), url)
	if err != nil || older != 13 || newest != after {
		t.Errorf("an older one: %d to %d, %v; want from the older to %d", older, newest, err, after)
	}
}

// TestSQLite_CheckReportsALostFile: SQLite goes on in a file that was deleted, and all of it is
// lost at the end.
func TestSQLite_CheckReportsALostFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let an open file go")
	}
	for name, harm := range map[string]func(t *testing.T, path string) error{
		"deleted":       func(_ *testing.T, path string) error { return os.Remove(path) },
		"moved away":    func(_ *testing.T, path string) error { return os.Rename(path, path+".old") },
		"its log alone": func(_ *testing.T, path string) error { return os.Remove(path + "-wal") },
		"replaced": func(_ *testing.T, path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path+".new", b, 0o600), os.Rename(path+".new", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pombo.db")
			db := open(t, path)
			for range 2 {
				if err := db.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := harm(t, path); err != nil {
				t.Fatal(err)
			}
			if err := db.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "while pombo works on it") {
				t.Errorf("error = %v, want one that says that it is gone", err)
			}
		})
	}
}

// TestSQLite_CheckReportsDamage: damage that a reader meets is known to the check from
// then on, though its own write goes well.
func TestSQLite_CheckReportsDamage(t *testing.T) {
	nightly.WithoutRace(t)
	path := filepath.Join(t.TempDir(), "pombo.db")
	db := open(t, path)
	rows := make([]pombo.Row, 2000)
	for i := range rows {
		rows[i] = pombo.Row{RowKey: strings.Repeat("k", 100) + string(rune('a'+i%26)) + strings.Repeat("x", i)}
	}
	if _, _, err := db.Intake.Enqueue(t.Context(), "T", 0, rows); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	from := len(b) / 4
	copy(b[from:], bytes.Repeat([]byte{0xff}, len(b)/2))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	if err := db.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	filter := pombo.Filter{Limit: 1000}
	for {
		page, err := db.History.List(t.Context(), filter)
		if err != nil {
			break
		}
		if filter.Cursor = page.Next; page.Next == "" {
			t.Fatal("the list does not meet the damage")
		}
	}
	if err := db.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "the ledger is damaged") {
		t.Errorf("error = %v, want one that says that it is damaged", err)
	}
}

// TestList_CountsUnreadableRecords is left out of the list and counted.
func TestList_CountsUnreadableRecords(t *testing.T) {
	nightly.WithoutRace(t)
	for name, damage := range map[string]string{
		"its history": `UPDATE notification SET history = 'x' WHERE row_key = '2'`,
		"its message": `UPDATE notification SET message = '["' WHERE row_key = '2'`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pombo.db")
			db := open(t, path)
			if _, _, err := db.Intake.Enqueue(t.Context(), "T", 0, []pombo.Row{{RowKey: "1"}, {RowKey: "2"}, {RowKey: "3"}}); err != nil {
				t.Fatal(err)
			}
			change(t, path, damage)
			var keys []string
			unreadable := 0
			for filter := (pombo.Filter{Limit: 1}); ; {
				page, err := db.History.List(t.Context(), filter)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range page.Notifications {
					keys = append(keys, n.Key.RowKey)
				}
				unreadable += page.Unreadable
				if filter.Cursor = page.Next; page.Next == "" {
					break
				}
			}
			if diff := cmp.Diff([]string{"3", "1"}, keys); diff != "" || unreadable != 1 {
				t.Errorf("%d unreadable, want 1; keys (-want +got):\n%s", unreadable, diff)
			}
		})
	}
}

// TestSQLite_ReadableByItsUserOnly: phones and texts are in it.
func TestSQLite_ReadableByItsUserOnly(t *testing.T) {
	nightly.WithoutRace(t)
	if runtime.GOOS == "windows" {
		t.Skip("rights are lists there")
	}
	path := filepath.Join(t.TempDir(), "pombo.db")
	closed := func(when string) {
		t.Helper()
		for _, file := range []string{path, path + "-wal", path + "-shm"} {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != 0o600 {
				t.Errorf("%s: %s has %o, want 600", when, filepath.Base(file), got)
			}
		}
	}
	db := open(t, path)
	closed("new")
	// What a kill leaves behind, with the rights that earlier versions gave.
	copied := filepath.Join(t.TempDir(), "pombo.db")
	for _, side := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + side)
		if err == nil {
			err = os.WriteFile(copied+side, b, 0o600)
		}
		if err == nil {
			err = os.Chmod(copied+side, 0o664)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	path = copied
	open(t, path)
	closed("from before")
}

func TestInspect_RefusesAFolder(t *testing.T) {
	// On Windows folders have the size 0, as some have here.
	for _, folder := range []string{t.TempDir(), "/proc/self"} {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			continue
		}
		if _, err := ledger.Inspect(t.Context(), "sqlite:"+folder); err == nil || !strings.Contains(err.Error(), "is a folder") {
			t.Errorf("%s: error = %v, want one that says that it is a folder", folder, err)
		}
	}
}
