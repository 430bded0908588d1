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
	"pombo/internal/config"
	"pombo/internal/ledger"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// awayLedger returns the options of an app whose ledger is in a server that has
// been stopped.
func awayLedger(t *testing.T) (app.Options, *postgrestest.Server) {
	t.Helper()
	server := postgrestest.Start(t, postgrestest.Options{})
	url := server.Database(t)
	if _, _, err := ledger.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 1, blipsim.Options{}, "LEDGER_URL="+url)
	c, _, err := config.Load("", w.env, config.NeedAll)
	if err != nil {
		t.Fatal(err)
	}
	return app.Options{Config: c, Version: "test", Registry: prometheus.NewRegistry()}, server
}

// told is a log that signals its first record.
type told chan string

func (c told) Write(line []byte) (int, error) {
	select {
	case c <- string(line):
	default:
	}
	return len(line), nil
}

func TestLedgerStart_WaitsWhileAway(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	o, server := awayLedger(t)
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
	t.Cleanup(func() { _ = got.app.Stop(context.Background()) })
	if err := got.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ready, err := api.NewClient("http://"+got.app.Addr(), "", nil).Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v, %v", ready, err)
	}
}

func TestLedgerStart_GivesUp(t *testing.T) {
	t.Parallel() // it waits most of the time
	o, _ := awayLedger(t)
	o.LedgerWait = time.Millisecond
	_, err := app.New(t.Context(), o)
	if !errors.Is(err, ledger.ErrAway) || !strings.Contains(err.Error(), "given up") || !strings.Contains(err.Error(), "LEDGER_URL") {
		t.Errorf("error = %v, want one that says that it has given up and what to do", err)
	}

	o.LedgerWait, o.Registry = time.Hour, prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(t.Context())
	log := make(told, 1)
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	go func() { <-log; cancel() }()
	if _, err := app.New(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want that of the context", err)
	}
}

// TestLedgerStart_RefusalEndsAtOnce: an error that somebody has to fix is reported at once.
func TestLedgerStart_RefusalEndsAtOnce(t *testing.T) {
	o, server := awayLedger(t)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	for name, url := range map[string]string{
		"wrong password": server.DSNAs(postgrestest.User, "wrong", "test_1"),
		"no such schema": server.DSN("postgres"),
	} {
		o.Config.Ledger.URL = pombo.Private(url)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := app.New(ctx, o); err == nil || errors.Is(err, ledger.ErrAway) || ctx.Err() != nil {
			t.Errorf("%s: error = %v, want one at once", name, err)
		}
	}
}
