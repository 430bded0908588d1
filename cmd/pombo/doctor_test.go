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

	"pombo/internal/blipsim"
	"pombo/internal/doctor"
)

// TestDoctor_JSON holds what --json prints to its form: other people's scripts
// read it.
func TestDoctor_JSON(t *testing.T) {
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
		"LOG_FILE=" + filepath.Join(folder, "pombo.log"), "API_ADDR=127.0.0.1:0", "DESK_ADDR=-", "API_URL=http://127.0.0.1:1",
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
		Result      doctor.Result
	}
	var lines []line
	for _, f := range got.Findings {
		lines = append(lines, line{f.Part, f.Check, f.Result})
		if f.Message == "" {
			t.Errorf("%s %s says nothing", f.Part, f.Check)
		}
		if wanted := f.Result == doctor.Fail || f.Result == doctor.Warn; wanted != (f.Hint != "") {
			t.Errorf("%s %s is %s and says to do %q", f.Part, f.Check, f.Result, f.Hint)
		}
	}
	want := []line{
		{"configuration", "settings", doctor.OK},
		{"configuration", "time zone", doctor.OK},
		{"source", "table", doctor.OK},
		{"source", "status codes", doctor.Warn},
		{"source", "pending", doctor.OK},
		{"source", "index", doctor.OK},
		{"source", "plan", doctor.OK},
		{"ledger", "rights", doctor.OK},
		{"ledger", "schema", doctor.OK},
		{"ledger", "disk", doctor.OK},
		{"blip", "name", doctor.OK},
		{"blip", "network", doctor.OK},
		{"blip", "clock", doctor.OK},
		{"blip", "key", doctor.OK},
		{"blip", "template", doctor.Fail},
		{"blip", "values", doctor.OK},
		{"blip", "answers", doctor.OK},
		{"api", "address", doctor.OK},
		{"api", "access", doctor.OK},
		{"job", "API_URL", doctor.Warn},
		{"log", "LOG_FILE", doctor.OK},
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
func TestDoctor_Interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	environ := []string{"KEYBLIP=bWVpOnNlY3JldG8=", "TEMPLATE_NAME=x", "BLIP_URL=http://127.0.0.1:1", "DB_URL=sqlite:" + filepath.Join(t.TempDir(), "rows.db")}
	code := run(ctx, []string{"doctor"}, environ, strings.NewReader(""), &stdout, &stderr)
	if got, want := stderr.String(), "pombo: interrupted\n"; code != exitFailed || stdout.Len() > 0 || got != want {
		t.Errorf("exit code %d, output %q, said %q; want %d, nothing and %q", code, &stdout, got, exitFailed, want)
	}
}
