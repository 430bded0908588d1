package blip

import (
	"context"
	"net/http"
	"strconv"

	"pombo"
	"pombo/internal/tracing"
)

// span begins the span of a call: its address and purpose, never its content. A nil to
// stands for a secret address.
func (c *Client) span(ctx context.Context, k kind, to *http.Request) (context.Context, tracing.Span) {
	if !tracing.Current(ctx).Recording() {
		return ctx, tracing.Span{}
	}
	name := http.MethodPost
	if to != nil {
		name += " " + to.URL.Path
	}
	ctx, s := tracing.ClientChild(ctx, name)
	s.Set(tracing.HTTPMethod, http.MethodPost)
	s.Set(tracing.Call, k.String())
	if to != nil {
		s.Set(tracing.URL, to.URL.String())
		s.Set(tracing.Server, to.URL.Hostname())
		s.SetInt(tracing.ServerPort, portOf(to))
	}
	return ctx, s
}

func portOf(r *http.Request) int {
	if port, err := strconv.Atoi(r.URL.Port()); err == nil {
		return port
	}
	if r.URL.Scheme == "http" {
		return 80
	}
	return 443
}

func ended(s tracing.Span, f *pombo.Error) {
	if f != nil {
		s.Fail(string(f.Reason))
	}
	s.End()
}
