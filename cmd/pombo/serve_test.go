package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe_StopsWhileTheLedgerIsAway: a service that waits for its database can be
// stopped, and that is not a failure.
func TestServe_StopsWhileTheLedgerIsAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr bytes.Buffer
	log := &until{text: "trying again", then: cancel}
	code := run(ctx, []string{"serve"}, []string{
		"KEYBLIP=bWVpOnNlY3JldG8=", "TEMPLATE_NAME=notificacao", "DB_URL=sqlite:" + filepath.Join(t.TempDir(), "table.db"),
		"LEDGER_URL=postgres://pombo:secret@127.0.0.1:1/pombo", "LOG_FILE=-", "API_ADDR=127.0.0.1:0", "DESK_ADDR=-",
	}, nil, log, &stderr)
	if code != exitDone || !strings.Contains(log.String(), "stopped") {
		t.Errorf("exit code = %d, want %d\n%s%s", code, exitDone, log, &stderr)
	}
}

// until calls then when the text has been written.
type until struct {
	bytes.Buffer

	text string
	then func()
}

func (u *until) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(u.text)) {
		u.then()
	}
	return u.Buffer.Write(b)
}
func TestSelfURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:5000":   "http://127.0.0.1:5000",
		"0.0.0.0:5000":     "http://127.0.0.1:5000",
		"[::]:5000":        "http://127.0.0.1:5000",
		"[::1]:5000":       "http://[::1]:5000",
		"192.168.1.9:8080": "http://192.168.1.9:8080",
	} {
		if got := selfURL(addr); got != want {
			t.Errorf("selfURL(%q) = %q, want %q", addr, got, want)
		}
	}
}
