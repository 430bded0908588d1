// Package tracing begins the spans of OpenTelemetry: what a process did, step by step, and
// how long each step took. It knows what a span of Pombo looks like and nothing of where
// spans go, which internal/telemetry decides.
//
// There are two kinds of traces:
//
//   - The trace of a message. Its id is the message's own, without the hyphens, so that
//     each leads to the other, after a restart and from any process: nothing
//     about traces is kept in the ledger. It has the attempts, and above them one span from
//     taking in to the end of the first attempt.
//   - The trace of a pass over many messages: intake, settle, receipts. It ends with the
//     pass, and links to the messages that it was about. A message's own trace therefore
//     does not grow for days.
//
// Nothing in a span is personal. A span has ids, states, reasons and counts, from closed
// lists; free text has no way in but the names of a table and of a template.
//
// Without a Tracer nothing is recorded and nothing is allocated. Below the beginning of a
// trace no room needs one: Child continues the span that the context carries.
package tracing

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation in each span.
const scope = "pombo"

// Tracer begins traces. A nil Tracer begins none. It is safe for concurrent use.
type Tracer struct {
	tracer trace.Tracer
	least  uint64 // of 56 random bits, from which on a message is traced
}

// New returns a tracer of every pass and of a share of the messages, from 0 to 1. Which
// messages depends on their ids alone, so that all processes choose the same ones.
func New(p trace.TracerProvider, share float64) *Tracer {
	return &Tracer{tracer: p.Tracer(scope), least: uint64((1 - min(max(share, 0), 1)) * randomEnd)}
}

// randomEnd is the end of the random part of a trace id as W3C's Trace Context has it: the
// last 56 bits, which in a UUID of version 5 are random too. OpenTelemetry's samplers keep
// the upper end of that range.
const randomEnd = 1 << 56

// Pass begins a span of work on many messages: a trace of its own, or a part of the pass
// that ctx is in.
func (t *Tracer) Pass(ctx context.Context, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	if trace.SpanFromContext(ctx).IsRecording() {
		ctx, s := Child(ctx, name)
		return ctx, Span{s.span, t}
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithNewRoot())
	return ctx, Span{s, t}
}

// Message begins a span in the trace of a message.
func (t *Tracer) Message(ctx context.Context, id, name string) (context.Context, Span) {
	parent, traced := t.contextOf(id)
	if !traced {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), name)
	s.SetAttributes(MessageID.String(id))
	return ctx, Span{s, t}
}

// Root records the span above those of a message. It is to be called once for each.
func (t *Tracer) Root(id, name string, from, to time.Time) {
	root, traced := t.contextOf(id)
	if !traced {
		return
	}
	ctx := context.WithValue(context.Background(), rootKey{}, root)
	_, s := t.tracer.Start(ctx, name, trace.WithNewRoot(), trace.WithTimestamp(from), trace.WithAttributes(MessageID.String(id)))
	s.End(trace.WithTimestamp(to))
}

// rootKey is the key of a context under which Root gives the ids of its span.
type rootKey struct{}

// RootIDs returns the ids that the root span which is begun under ctx has to get. A
// trace.TracerProvider for New has to obey it.
func RootIDs(ctx context.Context) (trace.TraceID, trace.SpanID, bool) {
	root, ok := ctx.Value(rootKey{}).(trace.SpanContext)
	return root.TraceID(), root.SpanID(), ok
}

// contextOf returns the place of a message's root span, and whether it is traced.
func (t *Tracer) contextOf(id string) (trace.SpanContext, bool) {
	if t == nil {
		return trace.SpanContext{}, false
	}
	u, err := uuid.Parse(id)
	if err != nil || binary.BigEndian.Uint64(u[8:])%randomEnd < t.least {
		return trace.SpanContext{}, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(u), SpanID: trace.SpanID(u[:8]), TraceFlags: trace.FlagsSampled, Remote: true,
	}), true
}

// Child begins a span below the one that ctx carries, or none where there is none.
func Child(ctx context.Context, name string) (context.Context, Span) {
	return child(ctx, name, trace.SpanKindInternal)
}

// ClientChild is Child for a call to another system.
func ClientChild(ctx context.Context, name string) (context.Context, Span) {
	return child(ctx, name, trace.SpanKindClient)
}

func child(ctx context.Context, name string, kind trace.SpanKind) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, s := parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithSpanKind(kind))
	return ctx, Span{span: s}
}

// Current returns the span that ctx carries.
func Current(ctx context.Context) Span {
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return Span{span: s}
	}
	return Span{}
}

// Carry returns to with the span that from carries: work that outlives its context stays
// in its trace.
func Carry(to, from context.Context) context.Context {
	if s := trace.SpanFromContext(from); s.IsRecording() {
		return trace.ContextWithSpan(to, s)
	}
	return to
}

// Span is one step. The zero Span records nothing.
type Span struct {
	span   trace.Span
	tracer *Tracer // of a trace's first span, which may have links
}

// Recording reports whether the span is recorded, for what costs something to find out.
func (s Span) Recording() bool { return s.span != nil }

// Set sets an attribute. "" sets nothing.
func (s Span) Set(key attribute.Key, value string) {
	if s.span != nil && value != "" {
		s.span.SetAttributes(key.String(value))
	}
}

// SetInt sets an attribute that is a number.
func (s Span) SetInt(key attribute.Key, value int) {
	if s.span != nil {
		s.span.SetAttributes(key.Int(value))
	}
}

// Event records that something happened now.
func (s Span) Event(name string) {
	if s.span != nil {
		s.span.AddEvent(name)
	}
}

// Link says that a pass was about a message, and which state or result it led to; "" = it
// is not known.
func (s Span) Link(id, state string) {
	if s.span == nil {
		return
	}
	to, traced := s.tracer.contextOf(id)
	if !traced {
		return
	}
	link := trace.Link{SpanContext: to}
	if state != "" {
		link.Attributes = []attribute.KeyValue{State.String(state)}
	}
	s.span.AddLink(link)
}

// Fail says that the step failed, by a word from a closed list. "" = it did not.
func (s Span) Fail(cause string) {
	if s.span != nil && cause != "" {
		s.span.SetAttributes(ErrorType.String(cause))
		s.span.SetStatus(codes.Error, "")
	}
}

// End ends the span.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}
