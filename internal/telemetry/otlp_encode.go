package telemetry

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// The encoding of an ExportTraceServiceRequest (opentelemetry-proto 1.11). All spans of a
// process share one resource and one scope. The numbers are those of the .proto files; a
// test has OpenTelemetry's own types read what is written here.

// appendSpans appends the request.
func appendSpans(b []byte, spans []sdktrace.ReadOnlySpan) []byte {
	if len(spans) == 0 {
		return b
	}
	return message(b, 1, func(b []byte) []byte { // resource_spans
		b = message(b, 1, func(b []byte) []byte { // resource
			return attributes(b, 1, spans[0].Resource().Attributes())
		})
		return message(b, 2, func(b []byte) []byte { // scope_spans
			b = message(b, 1, func(b []byte) []byte { // scope
				return text(b, 1, spans[0].InstrumentationScope().Name)
			})
			for _, s := range spans {
				b = message(b, 2, func(b []byte) []byte { return appendSpan(b, s) })
			}
			return b
		})
	})
}

func appendSpan(b []byte, s sdktrace.ReadOnlySpan) []byte {
	traceID, spanID, parent := s.SpanContext().TraceID(), s.SpanContext().SpanID(), s.Parent().SpanID()
	b = bytesOf(b, 1, traceID[:])
	b = bytesOf(b, 2, spanID[:])
	if parent.IsValid() {
		b = bytesOf(b, 4, parent[:])
	}
	b = text(b, 5, s.Name())
	b = number(b, 6, uint64(trace.ValidateSpanKind(s.SpanKind()))) // the two lists count alike
	b = moment(b, 7, s.StartTime())
	b = moment(b, 8, s.EndTime())
	b = attributes(b, 9, s.Attributes())
	b = number(b, 10, uint64(s.DroppedAttributes()))
	for _, e := range s.Events() {
		b = message(b, 11, func(b []byte) []byte {
			b = moment(b, 1, e.Time)
			b = text(b, 2, e.Name)
			return attributes(b, 3, e.Attributes)
		})
	}
	b = number(b, 12, uint64(s.DroppedEvents()))
	for _, l := range s.Links() {
		b = message(b, 13, func(b []byte) []byte {
			traceID, spanID := l.SpanContext.TraceID(), l.SpanContext.SpanID()
			b = bytesOf(b, 1, traceID[:])
			b = bytesOf(b, 2, spanID[:])
			b = attributes(b, 4, l.Attributes)
			return flags(b, 6, l.SpanContext.TraceFlags(), l.SpanContext)
		})
	}
	b = number(b, 14, uint64(s.DroppedLinks()))
	if s.Status().Code == codes.Error {
		b = message(b, 15, func(b []byte) []byte { return number(b, 3, 2) }) // STATUS_CODE_ERROR
	}
	return flags(b, 16, s.SpanContext().TraceFlags(), s.Parent())
}

// attributes appends KeyValues: text, whole numbers and booleans, of which ours are. Any
// other value is written as text.
func attributes(b []byte, field protowire.Number, list []attribute.KeyValue) []byte {
	for _, kv := range list {
		b = message(b, field, func(b []byte) []byte {
			b = text(b, 1, string(kv.Key))
			return message(b, 2, func(b []byte) []byte {
				switch kv.Value.Type() {
				case attribute.BOOL:
					b = protowire.AppendTag(b, 2, protowire.VarintType)
					return protowire.AppendVarint(b, protowire.EncodeBool(kv.Value.AsBool()))
				case attribute.INT64:
					b = protowire.AppendTag(b, 3, protowire.VarintType)
					return protowire.AppendVarint(b, uint64(kv.Value.AsInt64()))
				case attribute.STRING:
					b = protowire.AppendTag(b, 1, protowire.BytesType)
					return protowire.AppendString(b, kv.Value.AsString())
				default:
					b = protowire.AppendTag(b, 1, protowire.BytesType)
					return protowire.AppendString(b, kv.Value.String())
				}
			})
		})
	}
	return b
}

// flags appends the flags of the trace, and that it is known whether the context is remote
// and whether it is.
func flags(b []byte, field protowire.Number, f trace.TraceFlags, of trace.SpanContext) []byte {
	const known, remote = 0x100, 0x200
	n := uint32(f) | known
	if of.IsRemote() {
		n |= remote
	}
	b = protowire.AppendTag(b, field, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, n)
}

// message appends a message whose length is not known before it is written.
func message(b []byte, field protowire.Number, fill func([]byte) []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, fill(nil))
}

func bytesOf(b []byte, field protowire.Number, v []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, v)
}

func text(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func number(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, n)
}

func moment(b []byte, field protowire.Number, t time.Time) []byte {
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, uint64(max(t.UnixNano(), 0)))
}
