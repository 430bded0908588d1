package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pombo": underTest})
}

// TestScripts runs testdata/script: what people type and what they get.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	dir, err := filepath.Abs("testdata/script") // run leaves this folder
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			// Two addresses for each script. They were free a moment ago.
			for _, name := range []string{"API", "SIM"} {
				addr, err := unusedAddr()
				if err != nil {
					return err
				}
				e.Setenv(name, addr)
			}
			e.Values[receiverOf{}] = &receiver{}
			e.Values[beginningOf{}] = beginning{dir, slices.Clone(e.Vars)}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %s", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"run":       runPombo,
			"exits":     exits,
			"mktable":   mktable,
			"query":     query,
			"ready":     ready,
			"get":       get,
			"idof":      idOf,
			"waitfor":   waitForText,
			"interrupt": interrupt,
			"receive":   receive,
			"taken":     taken,
			"sameids":   sameIDs,
		},
	})
}

func unusedAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// exits CODE PROGRAM ARG...: runs the program and compares its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code = %d, want %s", code, want)
	}
}

// interrupt COMMAND: asks the last pombo of this subcommand that runs in the background
// to end in order, as Ctrl+C does.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: interrupt COMMAND")
	}
	for _, c := range slices.Backward(ts.BackgroundCmds()) {
		if len(c.Args) > 1 && c.Args[1] == args[0] {
			ts.Check(endInOrder(c.Process, ts.Getenv("WORK")))
			return
		}
	}
	ts.Fatalf("no pombo %s runs in the background", args[0])
}

// mktable FILE ROWS: makes the table of the seed with good rows.
func mktable(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mktable FILE ROWS")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(makeTable(ts.MkAbs(args[0]), n))
}

// makeTable makes the table of the seed with n good rows.
func makeTable(path string, n int) error {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER NOT NULL DEFAULT 1);
		CREATE INDEX PENDENTE ON NOTIFICACAO (CD_STATUS, ID);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO NOTIFICACAO SELECT i, printf('(31) 9%04d-%04d', 9100 + i / 9000, 1000 + i % 9000), 'Maria', 'seu exame está pronto', 1 FROM n WHERE ?1 > 0`, n)
	return err
}

// query FILE SQL [WANT]: prints the first column of each row on a line; with
// WANT it asks until the first one is that.
func query(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: query FILE SQL [WANT]")
	}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(ts.MkAbs(args[0]))+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	defer db.Close()
	if len(args) == 3 {
		ts.Check(waitFor(20*time.Second, func() (bool, error) {
			var v string
			err := db.QueryRow(args[1]).Scan(&v)
			return err == nil && v == args[2], errors.Join(err, fmt.Errorf("it is %q", v))
		}))
	}
	rows, err := db.Query(args[1])
	ts.Check(err)
	defer rows.Close()
	for rows.Next() {
		var v string
		ts.Check(rows.Scan(&v))
		_, _ = fmt.Fprintln(ts.Stdout(), v)
	}
	ts.Check(rows.Err())
}

// ready URL: waits until the address answers 200; ! ready URL: until it answers
// anything else.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] ready URL")
	}
	if err := waitFor(20*time.Second, func() (bool, error) {
		status, _, err := fetch(args[0])
		if err != nil {
			return false, err
		}
		return (status == http.StatusOK) != neg, fmt.Errorf("it answers %d", status)
	}); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
}

// waitFor polls until f reports true. In vain, it returns the last error of f.
func waitFor(limit time.Duration, f func() (bool, error)) error {
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := f()
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("in vain for %s: %w", limit, err)
		}
	}
}

// get URL: prints the answer, whatever its status.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: get URL")
	}
	_, body, err := fetch(args[0])
	ts.Check(err)
	_, _ = fmt.Fprintln(ts.Stdout(), body)
}

func fetch(url string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

// waitfor URL TEXT: waits until the answer, whatever its status, has the text,
// and prints it.
func waitForText(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor URL TEXT")
	}
	var body string
	err := waitFor(20*time.Second, func() (found bool, err error) {
		if _, body, err = fetch(args[0]); err != nil {
			return false, err
		}
		return strings.Contains(body, args[1]), fmt.Errorf("it answers %s", body)
	})
	ts.Check(err)
	_, _ = fmt.Fprintln(ts.Stdout(), body)
}

// idof ROW: sets $ID to the id of the newest notification of the row, as list
// tells it.
func idOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: idof ROW")
	}
	ts.Check(ts.Exec("pombo", "list", "--search", args[0]))
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == args[0] {
			ts.Setenv("ID", f[0])
			return
		}
	}
	ts.Fatalf("there is no notification of row %s", args[0])
}
