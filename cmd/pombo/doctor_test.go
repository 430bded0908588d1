package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pombo/internal/app"
	"pombo/internal/blipsim"
)

// TestDoctorJSON holds what --json prints to its form: other people's scripts
// read it.
func TestDoctorJSON(t *testing.T) {
	sim := blipsim.New(blipsim.Options{})
	server := httptest.NewServer(sim)
	t.Cleanup(func() { server.Close(); sim.Close() })
	folder := t.TempDir()
	rows := filepath.Join(folder, "rows.db")
	if err := makeTable(rows, 1); err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"KEYBLIP=bWVpOnNlY3JldG8=", "BLIP_URL=" + server.URL, "TEMPLATE_NAME=order_late",
		"DB_URL=sqlite:" + rows, "LEDGER_URL=sqlite:" + filepath.Join(folder, "data", "pombo.db"),
		"LOG_FILE=" + filepath.Join(folder, "pombo.log"), "API_ADDR=127.0.0.1:0", "API_URL=http://127.0.0.1:1",
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"doctor", "--json"}, environ, strings.NewReader(""), &stdout, &stderr); code != exitFailed {
		t.Errorf("exit code = %d, want %d", code, exitFailed)
	}
	if stderr.Len() > 0 {
		t.Errorf("error stream = %q, want nothing", &stderr)
	}
	var got diagnosis
	decoder := json.NewDecoder(bytes.NewReader(stdout.Bytes()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("%v in\n%s", err, &stdout)
	}
	type line struct {
		Part, Check string
		Result      app.Result
	}
	var lines []line
	for _, f := range got.Findings {
		lines = append(lines, line{f.Part, f.Check, f.Result})
		if f.What == "" {
			t.Errorf("%s %s says nothing", f.Part, f.Check)
		}
		if wanted := f.Result == app.Fail || f.Result == app.Warn; wanted != (f.Hint != "") {
			t.Errorf("%s %s is %s and says to do %q", f.Part, f.Check, f.Result, f.Hint)
		}
	}
	want := []line{
		{"configuration", "settings", app.OK},
		{"configuration", "time zone", app.OK},
		{"source", "table", app.OK},
		{"source", "status codes", app.Warn},
		{"source", "pending", app.OK},
		{"source", "index", app.OK},
		{"source", "plan", app.OK},
		{"ledger", "rights", app.OK},
		{"ledger", "schema", app.OK},
		{"ledger", "disk", app.OK},
		{"blip", "name", app.OK},
		{"blip", "network", app.OK},
		{"blip", "clock", app.OK},
		{"blip", "key", app.OK},
		{"blip", "template", app.Fail},
		{"blip", "values", app.OK},
		{"api", "address", app.OK},
		{"api", "access", app.OK},
		{"job", "API_URL", app.Warn},
		{"log", "LOG_FILE", app.OK},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got.OK {
		t.Error("ok = true beside a failure")
	}
	if counts := sim.Counts(); counts.Messages != 0 {
		t.Errorf("doctor sent %d messages", counts.Messages)
	}
}

// What an interrupted doctor has found would blame the parts for the signal.
func TestDoctorInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	environ := []string{"KEYBLIP=bWVpOnNlY3JldG8=", "TEMPLATE_NAME=x", "BLIP_URL=http://127.0.0.1:1", "DB_URL=sqlite:" + filepath.Join(t.TempDir(), "rows.db")}
	code := run(ctx, []string{"doctor"}, environ, strings.NewReader(""), &stdout, &stderr)
	if got, want := stderr.String(), "pombo: interrupted\n"; code != exitFailed || stdout.Len() > 0 || got != want {
		t.Errorf("exit code %d, output %q, said %q; want %d, nothing and %q", code, &stdout, got, exitFailed, want)
	}
}
