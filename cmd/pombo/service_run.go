package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"pombo/internal/app"
	"pombo/internal/config"
	"pombo/internal/health"
	"pombo/internal/service"
	"pombo/internal/wait"
	"pombo/internal/words"
)

type serviceRunCommand struct {
	named
	Folder string `required:"" help:"Folder with its settings and its data."`
}

// alertsEvery is how often alerts are written to the event log.
const alertsEvery = 30 * time.Second

func (c serviceRunCommand) Run(_ context.Context, s *shell) error {
	var failed error
	_, err := service.Run(c.Name, func(ctx context.Context, running func()) (int, bool) {
		log, closeLog := service.OpenLog()
		defer closeLog()
		w := worker{shell: s, folder: enteredFolder(c.Folder), log: log, running: running}
		failed = w.run(ctx)
		return codeOf(failed), w.asked
	})
	if err != nil {
		return err
	}
	return failed
}

// enteredFolder removes what a backslash before the closing quote leaves of "C:\x\".
func enteredFolder(folder string) string { return strings.TrimSuffix(folder, `"`) }

// worker is pombo start under Windows' service manager: it has no console, and writes to
// the event log instead.
type worker struct {
	shell   *shell
	folder  string
	log     service.Log
	running func()
	asked   bool // to stop, over the API
}

// run works until ctx ends, and writes the result to the event log.
func (w *worker) run(ctx context.Context) error {
	err := w.work(ctx)
	_, wrong := errors.AsType[*config.Error](err)
	switch {
	case err == nil:
		service.Tell(w.log, service.EventStopped, "Pombo has stopped in order.")
	case wrong:
		service.Tell(w.log, service.EventWrongSetting, "Pombo does not start: "+err.Error(), "Change it, then start the service again; Windows does not do it by itself.")
	case w.asked || ctx.Err() != nil:
		service.Tell(w.log, service.EventNotInOrder, "Pombo has stopped, but not in order: "+err.Error(), "What it was sending is asked about after the next start.")
	default:
		service.Tell(w.log, service.EventFailed, "Pombo has failed: "+err.Error(), hintOf(err), "Windows starts it again.")
	}
	return err
}

func (w *worker) work(ctx context.Context) error {
	if err := os.Chdir(w.folder); err != nil {
		return &config.Error{Problems: []config.Problem{{Message: fmt.Sprintf("the folder of the service cannot be entered: %v", err), Hint: "pombo service install makes it"}}}
	}
	var warnings bytes.Buffer
	w.shell.stdout, w.shell.stderr = io.Discard, &warnings
	c, err := w.shell.loadAndTrace(config.NeedAll)
	w.shell.stderr = io.Discard
	if err != nil {
		return err
	}
	return w.shell.serve(ctx, c, serving{
		quiet:      true,
		stopTime:   service.StopTime,
		fileFailed: func(message string, err error) { service.Tell(w.log, service.EventFile, message, err.Error()) },
		during: func(ctx context.Context, url, deskURL string, log *slog.Logger) error {
			w.running()
			lines := []string{"Pombo " + readVersion().Version + " is running.", "API: " + url}
			if deskURL != "" {
				lines = append(lines, "Desk: "+deskURL)
			}
			service.Tell(w.log, service.EventRunning, append(lines, "Folder: "+w.folder, strings.TrimSpace(warnings.String()))...)
			return runJob(ctx, url, c, log)
		},
		beside: func(ctx context.Context, a *app.App) { w.watch(ctx, a, words.In(c.Language)) },
	})
}

// watch writes alerts to the event log, and notes whether the stop was requested.
func (w *worker) watch(ctx context.Context, a *app.App, in *words.Words) {
	alerts := service.Alerts{Log: w.log, Say: func(alert health.Alert) (what, todo string) { return in.Say(alert.What), in.Say(alert.Todo) }}
	for wait.For(ctx, alertsEvery) == nil {
		asking, cancel := context.WithTimeout(ctx, alertsEvery)
		now := a.Alerts(asking)
		cancel()
		if ctx.Err() == nil {
			alerts.Compare(now)
		}
	}
	select {
	case <-a.StopAsked():
		w.asked = true
	default:
	}
}
