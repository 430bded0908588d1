package service

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

const (
	aliveEvery = 2 * time.Second  // how often a pending state is renewed
	aliveHint  = 20 * time.Second // and how long the manager is to wait for the next renewal
	// afterReport is how long the manager may take to end the dispatcher once the end of
	// the service is reported. It takes milliseconds.
	afterReport = 5 * time.Second
)

// Run runs body as the service that the manager has started, and returns the exit code of
// the process. It must be called soon after the process has begun: the manager waits
// thirty seconds for it. Called by anybody else it is an error.
func Run(name string, body Body) (int, error) {
	// A console event in a service means that somebody has logged off. It would end the
	// process if not caught; the manager says when to stop.
	logoffs := make(chan os.Signal, 1)
	signal.Notify(logoffs, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(logoffs)

	h := &handler{body: body, ended: make(chan ended, 1)}
	dispatched := make(chan error, 1)
	go func() { dispatched <- svc.Run(name, h) }()
	select {
	case err := <-dispatched:
		if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
			return 0, &Failure{message: "this is for Windows' service manager alone", hint: "pombo start runs Pombo here; pombo service start starts the service"}
		}
		if err != nil {
			return 0, err
		}
		return (<-h.ended).code, nil
	case e := <-h.ended:
		if e.reported { // the process must not end before the manager has it
			select {
			case <-dispatched:
			case <-time.After(afterReport):
			}
		}
		return e.code, nil
	}
}

// ended is the end of the body.
type ended struct {
	code     int
	reported bool
}

// handler is the service as its manager sees it.
type handler struct {
	body  Body
	ended chan ended // gets one
}

// Execute implements svc.Handler. After a failure that must count as a crash it does not
// return, because that would report a stop; the process ends meanwhile.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, say chan<- svc.Status) (ofService bool, code uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type end struct {
		code  int
		asked bool
	}
	done, running := make(chan end, 1), make(chan struct{}, 1)
	go func() {
		code, asked := h.body(ctx, func() {
			select {
			case running <- struct{}{}:
			default: // it has been said
			}
		})
		done <- end{code, asked}
	}()

	state := svc.Status{State: svc.StartPending, CheckPoint: 1, WaitHint: uint32(aliveHint.Milliseconds())}
	say <- state
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	asked := false
	for {
		select {
		case <-running:
			if !asked {
				state = svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptPreShutdown}
				say <- state
			}
		case <-alive.C:
			if state.State != svc.Running {
				state.CheckPoint++
				say <- state
			}
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				say <- state
			case svc.Stop, svc.PreShutdown:
				if !asked {
					asked = true
					state = svc.Status{State: svc.StopPending, CheckPoint: 1, WaitHint: uint32(aliveHint.Milliseconds())}
					say <- state
					cancel()
				}
			}
		case last := <-done:
			e := endingOf(last.code, asked || last.asked)
			h.ended <- ended{last.code, e.report}
			if !e.report {
				select {}
			}
			return e.code != 0, e.code
		}
	}
}

// OpenLog opens the event log. One that cannot be opened drops its events.
func OpenLog() (log Log, closeLog func()) {
	l, err := eventlog.Open(EventSource)
	if err != nil {
		return noLog{}, func() {}
	}
	return l, func() { _ = l.Close() }
}
