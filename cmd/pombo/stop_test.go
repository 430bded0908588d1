package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/internal/config"
)

// settingsFor are those of a Pombo with a table of rows, all in one folder.
func settingsFor(t *testing.T, folder string, rows int) (addr string, environ []string) {
	t.Helper()
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
	return addr, []string{
		"KEYBLIP=bWVpOnNlY3JldG8=", "BLIP_URL=" + blip.URL, "TEMPLATE_NAME=notificacao", "API_ADDR=" + addr, "API_URL=http://" + addr, "DESK_ADDR=-",
		"DB_URL=sqlite:" + table, "LEDGER_URL=sqlite:" + filepath.Join(folder, "ledger.db"), "LOG_FILE=" + filepath.Join(folder, "pombo.log"),
	}
}

// waitUntilReady returns when the API at addr says that everything can be used.
func waitUntilReady(t *testing.T, addr string) {
	t.Helper()
	client := api.NewClient("http://"+addr, "", nil)
	if err := waitFor(30*time.Second, func() (bool, error) {
		_, err := client.Ready(t.Context())
		return err == nil, err
	}); err != nil {
		t.Fatal(err)
	}
}

// pombo stop returns when the process has ended, which it does in order, and the trail has
// who asked.
func TestStop(t *testing.T) {
	t.Parallel() // it waits most of the time
	folder := t.TempDir()
	addr, environ := settingsFor(t, folder, 20)
	if code := run(t.Context(), []string{"stop"}, environ, nil, io.Discard, io.Discard); code != exitFailed {
		t.Errorf("exit code where nothing runs = %d, want %d", code, exitFailed)
	}
	ended := make(chan int, 1)
	go func() {
		ended <- run(context.WithoutCancel(t.Context()), []string{"start"}, environ, nil, io.Discard, io.Discard)
	}()
	waitUntilReady(t, addr)
	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"stop", "--json"}, environ, nil, &out, &said); code != exitDone {
		t.Fatalf("exit code = %d, want %d: %s%s", code, exitDone, &out, &said)
	}
	var stop api.Stop
	if err := json.Unmarshal(out.Bytes(), &stop); err != nil || stop.State != api.Stopped || !stop.InOrder {
		t.Errorf("stop = %s, %v", &out, err)
	}
	select {
	case code := <-ended:
		if code != exitDone {
			t.Errorf("exit code of start = %d, want %d", code, exitDone)
		}
	case <-time.After(5 * time.Second):
		t.Error("pombo stop came back before the end of the process")
	}
	text, err := os.ReadFile(filepath.Join(folder, "pombo.log"))
	if err != nil || !strings.Contains(string(text), "a stop was asked for") || !strings.Contains(string(text), " - INFO - stopped") {
		t.Errorf("log = %s, %v", text, err)
	}
}

// events keeps what a service tells the event log.
type events struct {
	mu   sync.Mutex
	ids  []uint32
	text string
}

func (e *events) note(id uint32, text string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids, e.text = append(e.ids, id), e.text+text+"\n"
	return nil
}

func (e *events) Info(id uint32, text string) error    { return e.note(id, text) }
func (e *events) Warning(id uint32, text string) error { return e.note(id, text) }
func (e *events) Error(id uint32, text string) error   { return e.note(id, text) }

func (e *events) told(t *testing.T, want string, ids ...uint32) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.ids) != len(ids) || !strings.Contains(e.text, want) {
		t.Fatalf("events %d: %s, want %d with %q", e.ids, e.text, ids, want)
	}
	for i, id := range ids {
		if e.ids[i] != id {
			t.Errorf("events = %d, want %d", e.ids, ids)
		}
	}
}

// What the service manager's process does, without the manager.
func TestServiceRun(t *testing.T) {
	folder := t.TempDir()
	addr, environ := settingsFor(t, folder, 5)
	t.Chdir(folder) // comes back at the end, whatever the worker does
	if err := os.WriteFile(".env", []byte(strings.Join(environ, "\n")+"\nWORKRES=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(cancel func()){
		"by the manager":   func(cancel func()) { cancel() },
		"over the API":     func(func()) { run(t.Context(), []string{"stop"}, environ, nil, io.Discard, io.Discard) },
		"at once, the API": func(func()) { run(t.Context(), []string{"stop", "--wait", "0"}, environ, nil, io.Discard, io.Discard) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir("/")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			log, running := &events{}, make(chan struct{})
			s := &shell{envFile: config.DefaultFile}
			w := worker{shell: s, folder: folder, log: log, running: func() { close(running) }}
			done := make(chan error, 1)
			go func() {
				err := w.run(ctx)
				for _, f := range s.last {
					f()
				}
				done <- err
			}()
			<-running
			waitUntilReady(t, addr)
			end(cancel)
			if err := <-done; err != nil {
				t.Errorf("error = %v", err)
			}
			if w.asked != (name != "by the manager") {
				t.Errorf("asked = %v", w.asked)
			}
			log.told(t, "API: http://"+addr, 1, 2)
			log.told(t, "WORKRES", 1, 2) // a warning
		})
	}
	t.Run("a port that somebody has", func(t *testing.T) {
		other := httptest.NewServer(nil)
		defer other.Close()
		wrong := t.TempDir()
		if err := os.WriteFile(filepath.Join(wrong, ".env"), []byte(strings.Join(environ, "\n")+"\nAPI_ADDR="+strings.TrimPrefix(other.URL, "http://")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		log := &events{}
		w := worker{shell: &shell{envFile: config.DefaultFile}, folder: wrong, log: log}
		if err := w.run(t.Context()); codeOf(err) != exitFailed {
			t.Errorf("error = %v, want a failure", err)
		}
		log.told(t, "API_ADDR", 4)
	})
	t.Run("wrong settings", func(t *testing.T) {
		wrong := t.TempDir()
		if err := os.WriteFile(filepath.Join(wrong, ".env"), []byte("KEYBLIP=x\nWORKERS=many\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		log := &events{}
		w := worker{shell: &shell{envFile: config.DefaultFile}, folder: wrong, log: log}
		if err := w.run(t.Context()); codeOf(err) != exitConfig {
			t.Errorf("error = %v, want one of the configuration", err)
		}
		log.told(t, "WORKERS (.env line 2)", 3)
		if text, err := os.ReadFile(filepath.Join(wrong, "logs", "notificacao.log")); err != nil || !strings.Contains(string(text), "WORKERS") {
			t.Errorf("log = %s, %v", text, err)
		}
		t.Chdir("/")
	})
	t.Run("no folder", func(t *testing.T) {
		log := &events{}
		w := worker{shell: &shell{envFile: config.DefaultFile}, folder: filepath.Join(folder, "nothing"), log: log}
		err := w.run(t.Context())
		if _, ok := errors.AsType[*config.Error](err); !ok {
			t.Errorf("error = %v, want one of the configuration", err)
		}
		log.told(t, "pombo service install", 3)
	})
}
