package telemetry

import (
	"context"
	"log/slog"
	"slices"

	"pombo"
)

// handler is the slog.Handler of both formats. It flattens groups into names joined by
// dots and passes flat, safe fields to the format.
type handler struct {
	out    *output
	level  slog.Level
	prefix string  // of the open groups, ending in a dot
	fields []field // from WithAttrs
	often  pombo.Often
}

// field is a flat member of a record; its value is a scalar.
type field struct {
	key   string
	value slog.Value
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.fields = slices.Clip(h.fields)
	for _, a := range attrs {
		if kind, ok := oftenOf(a); ok {
			next.often = kind
			continue
		}
		next.fields = flatten(next.fields, h.prefix, a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix += name + "."
	return &next
}

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	kind := h.often
	r.Attrs(func(a slog.Attr) bool {
		if k, ok := oftenOf(a); ok {
			kind = k
		}
		return true
	})
	if kind != "" && h.out.repeats.swallows(h, r, kind) {
		return nil
	}
	return h.write(r)
}

func oftenOf(a slog.Attr) (kind pombo.Often, ok bool) {
	if a.Value.Kind() != slog.KindAny {
		return "", false
	}
	kind, ok = a.Value.Any().(pombo.Often)
	return kind, ok
}

// write writes one record.
func (h *handler) write(r slog.Record) error {
	s := h.out.take()
	defer h.out.give(s)
	s.fields = append(s.fields, h.fields...)
	r.Attrs(func(a slog.Attr) bool {
		if _, ok := oftenOf(a); !ok {
			s.fields = flatten(s.fields, h.prefix, a)
		}
		return true
	})
	s.fields = lastOfEach(s.fields)
	s.line = h.out.format(s.line, r.Time, r.Level, r.Message, s.fields)
	return h.out.write(s.line)
}

// flatten appends an attribute as flat fields.
func flatten(fields []field, prefix string, a slog.Attr) []field {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			fields = flatten(fields, prefix, member)
		}
		return fields
	}
	if a.Key == "" && v.Kind() == slog.KindAny && v.Any() == nil {
		return fields // the zero Attr, which handlers must ignore
	}
	return append(fields, field{prefix + a.Key, scalar(v)})
}

// lastOfEach removes, in place, the fields whose name occurs again later: many readers
// reject a JSON object with a duplicate member. Records are short, so the plain loop beats
// a map.
func lastOfEach(fields []field) []field {
	kept := fields[:0]
	for i, f := range fields {
		again := func(later field) bool { return later.key == f.key }
		if !slices.ContainsFunc(fields[i+1:], again) {
			kept = append(kept, f)
		}
	}
	return kept
}
