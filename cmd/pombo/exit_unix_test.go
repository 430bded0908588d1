//go:build unix

package main

import (
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pombo/internal/api"
	"pombo/internal/blipsim"
)

// A crash is started again by the unit that is shipped, a wrong setting is not.
func TestUnit_RestartsAfterACrash(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
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
		"LEDGER_URL=sqlite:" + filepath.Join(folder, "ledger.db"), "LOG_FILE=-", "API_ADDR=" + addr, "DESK_ADDR=-",
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

// A reader that goes away costs nothing but what it would have read, and the end
// of the terminal is an orderly stop.
func TestServe_TerminalGoesAway(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("skipped: these tests run under nohup, and pombo respects it")
	}
	folder := t.TempDir()
	table := filepath.Join(folder, "table.db")
	if err := makeTable(table, 50); err != nil {
		t.Fatal(err)
	}
	sim := blipsim.New(blipsim.Options{})
	t.Cleanup(sim.Close)
	blip := httptest.NewServer(sim)
	t.Cleanup(blip.Close)
	addr, err := unusedAddr()
	if err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(folder, "pombo.log")
	serve := exec.Command("pombo", "serve")
	serve.Dir, serve.Stdout = folder, writer
	serve.Env = append(os.Environ(), "KEYBLIP=bWVpOnNlY3JldG8=", "BLIP_URL="+blip.URL, "TEMPLATE_NAME=notificacao", "DB_URL=sqlite:"+table,
		"LEDGER_URL=sqlite:"+filepath.Join(folder, "ledger.db"), "LOG_FILE="+log, "API_ADDR="+addr, "DESK_ADDR=-")
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serve.Process.Kill() })
	_ = writer.Close()
	if _, err := reader.Read(make([]byte, 1)); err != nil { // | head -1
		t.Fatal(err)
	}
	_ = reader.Close()
	client := api.NewClient("http://"+addr, "", nil)
	if err := waitFor(20*time.Second, func() (bool, error) {
		_, err := client.Ready(t.Context())
		return err == nil, err
	}); err != nil {
		t.Fatal(err)
	}
	run, err := client.Send(t.Context(), 20*time.Second)
	if err != nil || run.Accepted != 50 {
		t.Errorf("%d of 50 accepted after the reader has gone: %v", run.Accepted, err)
	}
	if err := serve.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("after SIGHUP: %v, want 0", err)
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "stopped") {
		t.Errorf("the log does not tell of an orderly stop: %v\n%s", err, text)
	}
}
