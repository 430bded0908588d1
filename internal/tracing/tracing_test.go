package tracing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace/noop"

	"pombo/internal/tracing"
)

// Without a tracer, which is the default, a message on its way costs no memory.
func TestNoTracer_NoAllocation(t *testing.T) {
	const id = "b735cecf-e584-51d7-8ff8-9e832a896ba6"
	var tracer *tracing.Tracer
	ctx := context.WithValue(t.Context(), key{}, "a context as deep as usual")
	outlives := context.WithValue(t.Context(), key{}, "another one")
	road := func() {
		ctx, attempt := tracer.Message(ctx, id, tracing.Attempt)
		within, call := tracing.ClientChild(ctx, "POST /messages")
		call.Set(tracing.HTTPMethod, "POST")
		tracing.Current(within).SetInt(tracing.HTTPStatus, 202)
		call.Fail("no_answer")
		call.End()
		tracing.Current(ctx).Event(tracing.Permitted)
		_, finish := tracing.Child(tracing.Carry(outlives, ctx), tracing.Finish)
		finish.End()
		if attempt.Recording() {
			t.Error("a span without a tracer")
		}
		attempt.SetInt(tracing.AttemptNo, 1)
		attempt.End()
		tracer.Root(id, tracing.Notification, time.Time{}, time.Time{})
		_, pass := tracer.Pass(ctx, tracing.Settle)
		pass.Link(id, "settled")
		pass.End()
	}
	if n := testing.AllocsPerRun(100, road); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

type key struct{}

// The share is met, and the messages of a smaller share are among those of a larger one.
func TestTracer_Share(t *testing.T) {
	const messages = 20_000
	spans := noop.NewTracerProvider()
	traced := func(share float64, id string) bool {
		_, s := tracing.New(spans, share).Message(t.Context(), id, tracing.Attempt)
		return s.Recording()
	}
	counts := map[float64]int{}
	for i := range messages {
		id := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)).String() // version 5, as ours are
		smaller := false
		for _, share := range []float64{0, 0.01, 0.25, 0.5, 1} {
			is := traced(share, id)
			if smaller && !is {
				t.Fatalf("%s is traced at a smaller share and not at %v", id, share)
			}
			if smaller = is; is {
				counts[share]++
			}
		}
	}
	for _, share := range []float64{0, 0.01, 0.25, 0.5, 1} {
		want := share * messages
		if got := float64(counts[share]); got < want*0.8 || got > want*1.2 {
			t.Errorf("%v of %d messages at %v, want about %v", got, messages, share, want)
		}
	}
}

// What is no id of a message has no trace.
func TestTracer_NoID(t *testing.T) {
	tracer := tracing.New(noop.NewTracerProvider(), 1)
	if _, s := tracer.Message(t.Context(), "+5531988880001", tracing.Attempt); s.Recording() {
		t.Error("a span for what is no id")
	}
}
