package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"pombo/internal/app"
	"pombo/internal/config"
	"pombo/internal/telemetry"
)

// stopTime is how long a stop may take before it is given up. The next start asks Blip
// about messages that have left without an answer by then.
const stopTime = 30 * time.Second

type serveCommand struct{}

func (serveCommand) Help() string {
	return `It takes rows in when POST /send_notification is called (by pombo job, curl or a script) or, with POLL_INTERVAL, by itself. A part that is away (the database, Blip) does not keep it from starting: GET /readyz names it. Only the database of a ledger in PostgreSQL is waited for, up to five minutes. The log goes to LOG_FILE and to the standard output.

Ctrl+C, SIGTERM or SIGHUP ends it in order, within 30 seconds; a second one ends it at once. Neither loses or doubles a message.

Examples:

    pombo serve
    pombo serve --env-file /etc/pombo/pombo.env
    curl -X POST http://127.0.0.1:5000/send_notification`
}

func (serveCommand) Run(ctx context.Context, s *shell) error {
	c, err := s.loadToRun(config.NeedAll &^ config.NeedJob)
	if err != nil {
		return err
	}
	defer s.queued(c.Log.Format, c.Log.Format)()
	return s.serve(ctx, c, serving{console: s.stdout, during: untilStopped})
}

func untilStopped(ctx context.Context, _, _ string, _ *slog.Logger) error {
	<-ctx.Done()
	return nil
}

// serving is what differs between serve, start and demo.
type serving struct {
	console  io.Writer       // gets the log as well; nil = nothing does
	stopTime time.Duration   // instead of the usual; 0 = the usual
	quiet    bool            // do not say where it listens
	receipts []time.Duration // see app.Options.ReceiptSchedule
	// during is called with the URLs of the API and of the desk ("" = none) when requests
	// are answered. The server stops when it returns; its ctx ends when the server has to
	// stop.
	during func(ctx context.Context, url, desk string, log *slog.Logger) error
	// beside is run at the same time, until its ctx ends; nil = nothing is.
	beside func(ctx context.Context, a *app.App)
	// fileFailed is called when the log file cannot be written; nil = only the console
	// says so.
	fileFailed func(message string, err error)
}

// serve runs the server until ctx ends, v.during returns or serving fails.
func (s *shell) serve(ctx context.Context, c config.Config, v serving) (err error) {
	s.collectSeldom(c.Dispatch.Workers)
	defer selectNothing()()
	logger, logFile, err := telemetry.OpenLog(telemetry.Options{
		File: c.Log.File, Format: c.Log.Format, Level: c.Log.Level, Console: v.console, FileFailed: v.fileFailed,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	slog.SetDefault(logger) // for divert

	a, err := app.New(ctx, app.Options{
		Config: c, Version: readVersion().Version, Logger: logger, Registry: telemetry.NewRegistry(), ReceiptSchedule: v.receipts,
	})
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		logger.Info("stopped")
		return nil
	}
	if err != nil {
		// Both, because a service has no console and a person has not looked at the log
		// yet.
		logger.Error("not started", "error", err)
		return err
	}
	s.last = append(s.last, a.Release)
	defer func() {
		logger.Info("stopping")
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(v.stopTime, stopTime))
		defer cancel()
		stopErr := a.Stop(limited)
		if stopErr != nil {
			logger.Error("not stopped in order", "error", stopErr)
		} else {
			logger.Info("stopped")
		}
		err = errors.Join(err, stopErr)
	}()
	if err := a.Start(ctx); err != nil {
		logger.Error("not started", "error", err)
		return err
	}
	if !v.quiet {
		s.sayf("pombo: listening on %s", selfURL(a.Addr()))
	}
	return v.attend(ctx, a, logger)
}

// attend waits for the end of v.during, also when serving fails.
func (v serving) attend(ctx context.Context, a *app.App, logger *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	deskURL := ""
	if at := a.DeskAddr(); at != "" {
		deskURL = selfURL(at)
	}
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	if v.beside != nil {
		others.Go(func() { v.beside(ctx, a) })
	}
	go func() { ended <- v.during(ctx, selfURL(a.Addr()), deskURL, logger) }()
	select {
	case err := <-ended:
		return err
	case <-a.StopAsked():
		cancel()
		return <-ended
	case err := <-a.Failed():
		logger.Error("the server has failed", "error", err)
		cancel()
		return errors.Join(fmt.Errorf("the server has failed: %w", err), <-ended)
	}
}

// selfURL is how this machine reaches what listens on addr.
func selfURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	// 0.0.0.0 and :: are not addresses to call.
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
