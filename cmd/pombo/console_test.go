package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pombo/internal/api"
	"pombo/internal/blipsim"
)

// A console that takes nothing (a click into it, Ctrl+S, a reader that has
// stopped) holds up neither the work nor the stop.
func TestStart_StuckConsoleHoldsNothingUp(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	const rows = 300
	folder := t.TempDir()
	table := filepath.Join(folder, "table.db")
	if err := makeTable(table, rows); err != nil {
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
	reader, writer := io.Pipe() // has no buffer, as a console
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"start"}, []string{
			"KEYBLIP=bWVpOnNlY3JldG8=", "BLIP_URL=" + blip.URL, "TEMPLATE_NAME=notificacao", "BLIP_MESSAGES_PER_SECOND=0", "BLIP_COMMANDS_PER_SECOND=0",
			"DB_URL=sqlite:" + table, "LEDGER_URL=sqlite:" + filepath.Join(folder, "ledger.db"), "LOG_FILE=" + filepath.Join(folder, "pombo.log"), "API_ADDR=" + addr, "DESK_ADDR=-",
		}, nil, writer, writer)
	}()
	if _, err := io.ReadFull(reader, make([]byte, 80)); err != nil {
		t.Fatal(err)
	}
	if err := waitFor(30*time.Second, func() (bool, error) {
		n := sim.Counts().Messages
		return n == rows, fmt.Errorf("%d of %d messages", n, rows)
	}); err != nil {
		t.Error(err)
	}
	if _, err := api.NewClient("http://"+addr, "", &http.Client{Timeout: 10 * time.Second}).Ready(ctx); err != nil {
		t.Error(err)
	}
	stop()
	select {
	case code := <-ended:
		if code != exitDone {
			t.Errorf("exit code = %d", code)
		}
	case <-time.After(20 * time.Second):
		t.Error("it has not stopped")
	}
	_ = reader.Close() // the writer's goroutine ends
	if text, err := os.ReadFile(filepath.Join(folder, "pombo.log")); err != nil || strings.Count(string(text), "state=accepted") != rows {
		t.Errorf("the file has not all lines: %v", err)
	}
}

// What is wrong with the settings stands in the log too: nobody watches a task.
func TestServe_LogsWrongSettings(t *testing.T) {
	for name, set := range map[string][]string{
		"own file":  {"LOG_FILE=own/pombo.log", "WORKERS=many"},
		"the usual": {"LOG_FILE=a\nb", "WORKERS=many"},
	} {
		folder := t.TempDir()
		t.Chdir(folder)
		if code := run(t.Context(), []string{"serve"}, append(set, "KEYBLIP=bWVpOnNlY3JldG8="), nil, io.Discard, io.Discard); code != exitConfig {
			t.Errorf("%s: exit code = %d, want %d", name, code, exitConfig)
		}
		file := filepath.Join(folder, "own", "pombo.log")
		if name == "the usual" {
			file = filepath.Join(folder, "logs", "notificacao.log")
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "WORKERS (environment) is") || !strings.Contains(string(text), "write a whole number") {
			t.Errorf("%s: the log has %q (%v)", name, text, err)
		}
		t.Chdir("/") // the folder can be removed
	}
}
