package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver plays the company's system that receives events (EVENTS_URL): it verifies each
// event and counts it once, however often it comes.
type receiver struct {
	URL, Secret string

	verifier *standardwebhooks.Webhook
	server   *http.Server
	ended    chan struct{}

	mu  sync.Mutex
	ids map[string]bool
}

// startReceiver listens on this machine. The caller stops it.
func startReceiver(ctx context.Context) (*receiver, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	r := &receiver{Secret: "whsec_" + base64.StdEncoding.EncodeToString(key), ids: map[string]bool{}, ended: make(chan struct{})}
	var err error
	if r.verifier, err = standardwebhooks.NewWebhook(r.Secret); err != nil {
		return nil, fmt.Errorf("make the receiver of events: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("make the receiver of events: %w", err)
	}
	r.URL = "http://" + l.Addr().String() + "/"
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() { // stop waits for it
		defer close(r.ended)
		_ = r.server.Serve(l) // it ends with stop
	}()
	return r, nil
}

func (r *receiver) stop() error {
	err := r.server.Close()
	<-r.ended
	return err
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(req.Body, most))
	if err = errors.Join(err, r.verifier.Verify(body, req.Header)); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.mu.Lock()
	r.ids[req.Header.Get("Webhook-Id")] = true
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// count is how many events have come.
func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids)
}
