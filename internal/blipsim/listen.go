package blipsim

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"pombo/internal/port"
)

// Listener is a Server with an address of its own.
type Listener struct {
	*Server
	URL string // where it answers

	http  *http.Server
	ended chan struct{} // closed when err is there
	err   error         // why serving has ended
}

// Listen starts a pretend Blip on addr. The caller ends it with Stop or Wait.
func Listen(ctx context.Context, addr string, opts Options) (*Listener, error) {
	listener, err := port.Listen(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	l := &Listener{Server: New(opts), URL: "http://" + listener.Addr().String(), ended: make(chan struct{})}
	l.http = &http.Server{Handler: l.Server, ReadHeaderTimeout: 10 * time.Second}
	go func() { // Stop waits for it
		defer close(l.ended)
		l.err = l.http.Serve(listener)
	}()
	return l, nil
}

// Wait waits until ctx ends or serving fails, and stops the simulator.
func (l *Listener) Wait(ctx context.Context) error {
	defer l.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-l.ended:
		return fmt.Errorf("serve the pretend Blip: %w", l.err)
	}
}

// Stop ends the simulator at once; requests under way are cut.
func (l *Listener) Stop() {
	l.Close()
	_ = l.http.Close() // what it could say is that the listener is closed already
	<-l.ended
}
