package app_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pombo"

	"github.com/prometheus/client_golang/prometheus"

	"pombo/internal/api"
	"pombo/internal/app"
	"pombo/internal/blipsim"
	"pombo/internal/ledger"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// told is a log that signals its first record.
type told chan string

func (c told) Write(line []byte) (int, error) {
	select {
	case c <- string(line):
	default:
	}
	return len(line), nil
}

// TestNew_WaitsForTheLedger: while the ledger's server is stopped a start waits, for as long as it
// may, and goes on when the server is back. An error that somebody has to fix ends it at once.
func TestNew_WaitsForTheLedger(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	server := postgrestest.Start(t, postgrestest.Options{})
	url := server.Database(t)
	if err := migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	w := newFixture(t, 1, blipsim.Options{}, "LEDGER_URL="+url)
	options := func() app.Options {
		return app.Options{Config: w.config(), Version: "test", Registry: prometheus.NewRegistry()}
	}
	givesUp(t, options())
	stopsWaiting(t, options())
	waitsWhileAway(t, options(), server)

	refused := options()
	for name, url := range map[string]string{
		"wrong password": server.DSNAs(postgrestest.User, "wrong", "test_1"),
		"no such schema": server.DSN("postgres"),
	} {
		refused.Config.Ledger.URL = pombo.Private(url)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := app.New(ctx, refused); err == nil || errors.Is(err, ledger.ErrAway) || ctx.Err() != nil {
			t.Errorf("%s: error = %v, want one at once", name, err)
		}
	}
}

func givesUp(t *testing.T, o app.Options) {
	t.Helper()
	o.LedgerWait = time.Millisecond
	_, err := app.New(t.Context(), o)
	if !errors.Is(err, ledger.ErrAway) || !strings.Contains(err.Error(), "given up") || !strings.Contains(err.Error(), "LEDGER_URL") {
		t.Errorf("error = %v, want one that says that it has given up and what to do", err)
	}
}

func stopsWaiting(t *testing.T, o app.Options) {
	t.Helper()
	o.LedgerWait = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	log := make(told, 1)
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	go func() { <-log; cancel() }()
	if _, err := app.New(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want that of the context", err)
	}
}

func waitsWhileAway(t *testing.T, o app.Options, server *postgrestest.Server) {
	t.Helper()
	log := make(told, 1)
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	type opened struct {
		app *app.App
		err error
	}
	done := make(chan opened, 1)
	go func() {
		a, err := app.New(t.Context(), o)
		done <- opened{a, err}
	}()
	if line := <-log; !strings.Contains(line, "trying again") || !strings.Contains(line, "WARN") {
		t.Errorf("logged %q, want a warning that it tries again", line)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer func() { _ = got.app.Stop(context.Background()) }()
	if err := got.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ready, err := api.NewClient("http://"+got.app.Addr(), "", nil).Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v, %v", ready, err)
	}
}
