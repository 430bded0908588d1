package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"pombo/internal/tracing"
)

// TraceOptions says where spans go.
type TraceOptions struct {
	Endpoint string            // of a collector, without /v1/traces; "" = nowhere
	Headers  map[string]string // of each request; they are not logged
	Service  string            // service.name
	Version  string            // service.version
	Share    float64           // of the messages, from 0 to 1
	Logger   *slog.Logger
}

// mostLinks is how many messages a span may be about: a page of the table, or a batch of
// results.
const mostLinks = 512

// flushTime is how long the end of the process waits for a collector.
const flushTime = 3 * time.Second

// OpenTraces returns a tracer whose spans go to the collector in batches, every five
// seconds. Nothing waits for the collector: while it does not take them, spans are
// dropped. Without an endpoint the tracer is nil. stop sends what is left.
//
// The SDK reads some variables of the standard from the environment itself:
// OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_… and OTEL_SPAN_….
func OpenTraces(o TraceOptions) (t *tracing.Tracer, stop func(context.Context) error) {
	if o.Endpoint == "" {
		return nil, func(context.Context) error { return nil }
	}
	limits := sdktrace.NewSpanLimits()
	limits.LinkCountLimit = max(limits.LinkCountLimit, mostLinks)
	exporter := newOTLP(o)
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // the tracer only starts spans that are sampled
		sdktrace.WithIDGenerator(ids{}),
		sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithResource(resource(o)),
	)
	return tracing.New(provider, o.Share), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, flushTime)
		defer cancel()
		exporter.hurry()
		if provider.Shutdown(ctx) != nil {
			o.Logger.Warn("the last spans were not taken in time and are lost")
		}
		return nil // a collector that is away does not make the stop unorderly
	}
}

func resource(o TraceOptions) *sdkresource.Resource {
	return sdkresource.NewSchemaless(
		semconv.ServiceName(o.Service),
		semconv.ServiceVersion(o.Version),
		semconv.ServiceInstanceID(uuid.NewString()),
		attribute.String("telemetry.sdk.language", "go"),
		attribute.String("telemetry.sdk.name", "opentelemetry"),
	)
}

// ids makes the ids of spans: random ones, but for the root of a message.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if traceID, spanID, ok := tracing.RootIDs(ctx); ok {
		return traceID, spanID
	}
	return trace.TraceID(uuid.New()), newSpanID()
}

func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return newSpanID() }

func newSpanID() trace.SpanID {
	u := uuid.New()
	return trace.SpanID(u[:8])
}
