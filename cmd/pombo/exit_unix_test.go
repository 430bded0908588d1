//go:build unix

package main

import (
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pombo/api"
	"pombo/blipsim"
)

// A crash is started again by the unit that is shipped, a wrong setting is not.
func TestUnitStartsAgainAfterACrash(t *testing.T) {
	folder := t.TempDir()
	table := filepath.Join(folder, "table.db")
	if err := makeTable(table, 0); err != nil {
		t.Fatal(err)
	}
	addr, err := unusedAddr()
	if err != nil {
		t.Fatal(err)
	}
	sim := blipsim.New(blipsim.Options{})
	t.Cleanup(sim.Close)
	blip := httptest.NewServer(sim)
	t.Cleanup(blip.Close)
	environ := []string{
		"KEYBLIP=bWVpOnNlY3JldG8=", "BLIP_URL=" + blip.URL, "TEMPLATE_NAME=notificacao", "DB_URL=sqlite:" + table,
		"LEDGER_URL=sqlite:" + filepath.Join(folder, "ledger.db"), "LOG_FILE=-", "API_ADDR=" + addr,
	}
	for _, test := range []struct {
		name    string
		setting string
		signal  os.Signal // nil = it ends by itself
		code    int
		again   bool
	}{
		{name: "a crash of the Go runtime", signal: syscall.SIGQUIT, code: 2, again: true},
		{name: "a wrong value", setting: "WORKERS=many", code: exitConfig},
		{name: "nothing to work on", setting: "DB_URL=", code: exitConfig},
		{name: "a schema on SQLite", setting: "DB_TABLE=A.NOTIFICACAO", code: exitConfig},
		{name: "a port that somebody has", setting: "API_ADDR=" + strings.TrimPrefix(blip.URL, "http://"), code: exitFailed, again: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &subprocess{folder: folder, environ: append(slices.Clone(environ), test.setting)}
			if test.signal == nil {
				p.begin(t)
			} else {
				p.start(t, api.NewClient("http://"+addr, "", nil))
				if err := p.command.Process.Signal(test.signal); err != nil {
					t.Fatal(err)
				}
			}
			code := 0
			if exit, ok := errors.AsType[*exec.ExitError](p.command.Wait()); ok {
				code = exit.ExitCode()
			}
			p.command = nil // it has ended
			if code != test.code {
				t.Errorf("exit code = %d, want %d\n%s", code, test.code, p.output())
			}
			if got := unitStartsAgain(t, code); got != test.again {
				t.Errorf("the unit starts it again after %d: %t, want %t", code, got, test.again)
			}
		})
	}
}

// unitStartsAgain reads deploy/pombo.service as systemd does: with
// Restart=on-failure every code but 0 is a failure, and those of
// RestartPreventExitStatus are left.
func unitStartsAgain(t *testing.T, code int) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "pombo.service"))
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			set[name] = value
		}
	}
	if set["Restart"] != "on-failure" {
		t.Fatalf("Restart=%s; this test knows on-failure", set["Restart"])
	}
	return code != 0 && !slices.Contains(strings.Fields(set["RestartPreventExitStatus"]), strconv.Itoa(code))
}
