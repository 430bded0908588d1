package telemetry_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"

	"pombo/internal/telemetry"
	"pombo/internal/tracing"
	"pombo/test/otlptest"
)

const messageID = "b735cecf-e584-51d7-8ff8-9e832a896ba6"

// openTraces returns a tracer, and what ends it.
func openTraces(t *testing.T, o telemetry.TraceOptions) (*tracing.Tracer, func()) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	tracer, stop := telemetry.OpenTraces(o)
	return tracer, func() {
		t.Helper()
		if err := stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

func TestTraces_AsOpenTelemetryReadsThem(t *testing.T) {
	r := otlptest.New(t)
	tracer, stop := openTraces(t, telemetry.TraceOptions{
		Endpoint: r.URL, Service: "pombo-a", Version: "1.2.3", Share: 1, Headers: map[string]string{"Authorization": "Bearer planted"},
	})
	taken := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	ctx, attempt := tracer.Message(t.Context(), messageID, tracing.Attempt)
	within, call := tracing.ClientChild(ctx, "POST /messages")
	tracing.Current(within).SetInt(tracing.HTTPStatus, 202)
	call.End()
	_, settle := tracer.Pass(ctx, tracing.Settle) // within the attempt: a part of it
	settle.End()
	attempt.Event(tracing.Permitted)
	attempt.Set(tracing.State, "uncertain")
	attempt.Set(tracing.Reason, "")
	attempt.SetInt(tracing.AttemptNo, -1)
	attempt.Fail("no_answer")
	attempt.End()
	tracer.Root(messageID, tracing.Notification, taken, taken.Add(time.Second))
	_, pass := tracer.Pass(t.Context(), tracing.Receipts)
	pass.Link(messageID, "delivered")
	pass.Link("no-id", "delivered")
	pass.End()
	stop()

	traceID := strings.ReplaceAll(messageID, "-", "")
	root := traceID[:16]
	by := map[string]otlptest.Span{}
	for _, s := range r.Spans() {
		by[s.Name] = s
	}
	if got := by[tracing.Notification]; got.Trace != traceID || got.ID != root || got.Parent != "" || !got.Begin.Equal(taken) || got.End.Sub(got.Begin) != time.Second {
		t.Errorf("the root is %+v", got)
	}
	got := by[tracing.Attempt]
	want := otlptest.Span{
		Name: "attempt", Trace: traceID, ID: got.ID, Parent: root, Kind: trace.Span_SPAN_KIND_INTERNAL, Failed: true, Begin: got.Begin, End: got.End,
		Attributes: map[string]string{"messaging.message.id": messageID, "pombo.state": "uncertain", "pombo.attempt": "-1", "error.type": "no_answer"},
		Events:     []string{"permitted"}, Flags: 0x301, // sampled; the parent is remote
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the attempt (-want +got):\n%s", d)
	}
	if c := by["POST /messages"]; c.Parent != got.ID || c.Kind != trace.Span_SPAN_KIND_CLIENT || c.Failed || c.Attributes["http.response.status_code"] != "202" {
		t.Errorf("the call is %+v", c)
	}
	if s := by[tracing.Settle]; s.Parent != got.ID {
		t.Errorf("the pass within the attempt is %+v", s)
	}
	p := by[tracing.Receipts]
	if p.Trace == traceID || p.Parent != "" {
		t.Errorf("the pass is %+v, want a trace of its own", p)
	}
	if d := cmp.Diff([]otlptest.Link{{Trace: traceID, ID: root, Attributes: map[string]string{"pombo.state": "delivered"}}}, p.Links); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
	resource := r.Resource()
	if resource["service.name"] != "pombo-a" || resource["service.version"] != "1.2.3" || resource["service.instance.id"] == "" {
		t.Errorf("the resource is %v", resource)
	}
	if got := r.Requests()[0].Header.Get("Authorization"); got != "Bearer planted" {
		t.Errorf("Authorization = %q", got)
	}
}

// A page and a batch have 500 rows.
func TestTraces_LinksOfAWholeBatch(t *testing.T) {
	r := otlptest.New(t)
	tracer, stop := openTraces(t, telemetry.TraceOptions{Endpoint: r.URL, Service: "pombo", Share: 1})
	_, pass := tracer.Pass(t.Context(), tracing.Settle)
	for range 600 {
		pass.Link(messageID, "settled")
	}
	pass.End()
	stop()
	for _, s := range r.Spans() {
		if len(s.Links) != 512 || s.DroppedLinks != 88 {
			t.Errorf("%d links and %d dropped, want 512 and 88", len(s.Links), s.DroppedLinks)
		}
	}
	if len(r.Spans()) != 1 {
		t.Errorf("%d spans, want 1", len(r.Spans()))
	}
}

func TestTraces_OffWithoutEndpoint(t *testing.T) {
	tracer, stop := openTraces(t, telemetry.TraceOptions{Share: 1})
	stop()
	if tracer != nil {
		t.Error("a tracer without an endpoint")
	}
}

// A collector that is busy gets the batch again; what it refuses, and what the process has
// no time for, is dropped and said once.
func TestTraces_CollectorInTrouble(t *testing.T) {
	status := func(code int, after string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			w.WriteHeader(code)
		}
	}
	for _, c := range []struct {
		name    string
		answers []func(http.ResponseWriter)
		hurry   bool // the process ends
		spans   int
		posts   int
		logged  string
	}{
		{name: "busy", answers: []func(http.ResponseWriter){status(503, "")}, spans: 1, posts: 2},
		{name: "refused", answers: []func(http.ResponseWriter){status(400, "")}, posts: 1, logged: "HTTP status 400"},
		{name: "redirected", answers: []func(http.ResponseWriter){status(307, "")}, posts: 1, logged: "HTTP status 307"},
		{name: "later than the batch is kept", answers: []func(http.ResponseWriter){status(429, "3600")}, posts: 1, logged: "HTTP status 429"},
		{name: "at the end", answers: []func(http.ResponseWriter){status(503, "")}, hurry: true, posts: 1, logged: "HTTP status 503"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
			r := otlptest.New(t)
			for _, a := range c.answers {
				r.Next(a)
			}
			var log lockedBuffer
			tracer, stop := openTraces(t, telemetry.TraceOptions{Endpoint: r.URL, Share: 1, Logger: telemetry.JobLogger(&log, slog.LevelInfo)})
			_, s := tracer.Pass(t.Context(), tracing.Intake)
			s.End()
			if !c.hurry {
				deadline := time.Now().Add(10 * time.Second)
				for (len(r.Requests()) < c.posts || !strings.Contains(log.String(), c.logged)) && time.Now().Before(deadline) {
					<-time.After(5 * time.Millisecond)
				}
			}
			stop()
			if got := len(r.Spans()); got != c.spans {
				t.Errorf("%d spans, want %d", got, c.spans)
			}
			if got := len(r.Requests()); got != c.posts {
				t.Errorf("%d posts, want %d", got, c.posts)
			}
			if (c.logged == "") != (log.String() == "") || !strings.Contains(log.String(), c.logged) {
				t.Errorf("logged %q, want %q", log.String(), c.logged)
			}
		})
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A collector that never answers does not keep the process from ending.
func TestTraces_EndWithoutCollector(t *testing.T) {
	r := otlptest.New(t)
	let := make(chan struct{})
	r.Next(func(http.ResponseWriter) { <-let })
	t.Cleanup(func() { close(let) })
	tracer, stop := openTraces(t, telemetry.TraceOptions{Endpoint: r.URL, Share: 1})
	_, s := tracer.Pass(t.Context(), tracing.Intake)
	s.End()
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
}
