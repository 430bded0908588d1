package source

import (
	"context"
	"errors"

	"pombo/internal/tracing"
)

// span begins the span of one statement, without its text and its arguments.
func (t *Table) span(ctx context.Context, operation string) (context.Context, tracing.Span) {
	if !tracing.Current(ctx).Recording() {
		return ctx, tracing.Span{}
	}
	ctx, s := tracing.ClientChild(ctx, operation+" "+t.mapping.Table)
	s.Set(tracing.DBSystem, t.system)
	s.Set(tracing.DBOp, operation)
	s.Set(tracing.DBName, t.mapping.Table)
	return ctx, s
}

// ended ends it. What the database said stays out of it: it may quote a row.
func ended(s tracing.Span, err error) {
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		s.Fail("timeout")
	case errors.Is(err, context.Canceled):
		s.Fail("cancelled")
	default:
		s.Fail("database_error")
	}
	s.End()
}
