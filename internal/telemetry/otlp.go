package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"pombo"
)

// otlp sends batches of spans to a collector by OTLP over HTTP, in Protobuf. It takes the
// place of OpenTelemetry's own exporter, which brings gRPC along: see ADR 28.
type otlp struct {
	url     string
	headers map[string]string
	client  *http.Client
	log     *slog.Logger

	once   sync.Once
	ending chan struct{} // closed to end all retries
}

var _ sdktrace.SpanExporter = (*otlp)(nil)

const (
	// otlpCall is how long one request may take.
	otlpCall = 10 * time.Second
	// firstAgain is the wait before a batch is sent again; each further one is twice as
	// long. The SDK gives up a batch after 30 seconds.
	firstAgain = time.Second
)

func newOTLP(o TraceOptions) *otlp {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: otlpCall}
	return &otlp{
		url: o.Endpoint + "/v1/traces", headers: o.Headers, log: o.Logger, ending: make(chan struct{}),
		client: &http.Client{Transport: transport, Timeout: otlpCall, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the headers are for one address
		}},
	}
}

// ExportSpans sends a batch, again and again while the collector asks for that or is away.
// Spans that are not accepted are logged and dropped. The error is always nil, because the
// SDK would write it to the standard error stream.
func (e *otlp) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	body := appendSpans(nil, spans)
	for pause := firstAgain; ; pause *= 2 {
		after, err := e.post(ctx, body)
		if err == nil {
			return nil
		}
		if after == never || !e.wait(ctx, max(after, pause)) {
			e.log.Warn("spans dropped: the collector did not take them", "spans", len(spans), "error", err, "often", pombo.Often("spans"))
			return nil
		}
	}
}

// never, in place of a wait, says that the batch would be refused again.
const never time.Duration = -1

// post sends a batch once. after is how long the collector wants to be left alone; 0 = it
// does not say.
func (e *otlp) post(ctx context.Context, body []byte) (after time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return never, errors.New("the address of the collector cannot be used")
	}
	for name, value := range e.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "pombo")
	resp, err := e.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		after = time.Duration(min(max(seconds, 0), 3600)) * time.Second
	default:
		if resp.StatusCode/100 == 2 {
			return 0, nil
		}
		after = never
	}
	return after, fmt.Errorf("HTTP status %d", resp.StatusCode)
}

// wait reports whether to go on after d: not when the batch would be given up before, nor
// when the process ends.
func (e *otlp) wait(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-e.ending:
	}
	return false
}

// hurry ends the waits: each batch that is left is sent once.
func (e *otlp) hurry() { e.once.Do(func() { close(e.ending) }) }

// Shutdown closes the idle connections.
func (e *otlp) Shutdown(context.Context) error {
	e.hurry()
	e.client.CloseIdleConnections()
	return nil
}
