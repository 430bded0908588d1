package ledger

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/phone"
	"pombo/test/nightly"
)

// TestForget_LeavesNothingInTheFiles looks for a person in the bytes of the ledger's
// files, while it is open and after it was closed.
func TestForget_LeavesNothingInTheFiles(t *testing.T) {
	nightly.WithoutRace(t)
	url := sqliteURL(t)
	db := openSQLite(t, url)
	const name, spelled, digit = "Maria das Dores Planted", "(31) 97777-1234", "5531977771234"
	number, err := phone.FromE164("+" + digit)
	if err != nil {
		t.Fatal(err)
	}
	// Short and long messages, some of which fill pages of their own, among those
	// of others, at several steps of the road.
	var rows []pombo.Row
	for i := range 300 {
		row := testRows(i, 1)[0]
		if i%3 == 0 {
			row.Recipient, row.Phone = spelled, number
			row.Params = []pombo.Param{{Slot: pombo.Body, Value: pombo.Private(strings.Repeat(name+" ", 1+i*7))}}
		}
		rows = append(rows, row)
	}
	if _, _, err := db.Intake.Enqueue(t.Context(), "T", 0, rows); err != nil {
		t.Fatal(err)
	}
	claimed, err := db.Queue.Claim(t.Context(), "me", 200)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range claimed {
		attempt, err := db.Queue.Begin(t.Context(), n, digit+"@wa.gw.msging.net")
		if err != nil {
			t.Fatal(err)
		}
		o := pombo.Outcome{Seq: n.Seq, From: pombo.Sending, To: pombo.Accepted, Owner: "me", Attempt: attempt}
		if n.Seq%2 == 0 {
			o.To, o.Reason = pombo.Uncertain, pombo.NoAnswer
		}
		if err := db.Queue.Finish(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Leases.Renew(t.Context(), "me"); err != nil { // writes what Blip calls the phone
		t.Fatal(err)
	}
	if found := inFiles(t, url, name, spelled, digit); len(found) < 3 {
		t.Fatalf("only %v before anything was erased: the test shows nothing", found)
	}
	db.identities.keep(digits(number).(int64), digit+"@wa.gw.msging.net", db.now()) // not written yet
	f, err := db.Retention.Forget(t.Context(), number, true)
	if err != nil {
		t.Fatal(err)
	}
	if f.Found != 100 || f.Erased != 100 || f.InFlight != 0 {
		t.Errorf("%+v, want 100 found and erased", f)
	}
	if found := inFiles(t, url, name, spelled, digit); len(found) > 0 {
		t.Errorf("while it is open: %v", found)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, url, name, spelled, digit); len(found) > 0 {
		t.Errorf("after it was closed: %v", found)
	}
}

// inFiles says which texts stand in which files of the ledger's folder.
func inFiles(t *testing.T, url string, texts ...string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(strings.TrimPrefix(url, "sqlite:") + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if n := bytes.Count(b, []byte(text)); n > 0 {
				found = append(found, fmt.Sprintf("%d times %q in %s", n, text, filepath.Base(file)))
			}
		}
	}
	return found
}

// TestForget_ReportsALogHeldByAReader: a long read keeps the log from being emptied,
// which must be reported, and keeps nobody from writing.
func TestForget_ReportsALogHeldByAReader(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	url := sqliteURL(t)
	db := openSQLite(t, url)
	row := testRows(1, 1)[0]
	number, err := phone.FromE164("+5531977771234")
	if err != nil {
		t.Fatal(err)
	}
	row.Phone = number
	if _, _, err := db.Intake.Enqueue(t.Context(), "T", 0, []pombo.Row{row}); err != nil {
		t.Fatal(err)
	}
	reader, err := db.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback() }()
	var n int
	if err := reader.QueryRowContext(t.Context(), `SELECT count(*) FROM notification`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := db.Retention.Forget(t.Context(), number, true); done <- err }()
	for written := 0; ; written++ {
		select {
		case err := <-done:
			mustSay(t, err, "could not be emptied")
			if written < 3 {
				t.Errorf("%d writes meanwhile, want them to go on", written)
			}
			return
		case <-time.After(breath):
			if err := db.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
