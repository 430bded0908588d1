package delivery

import (
	"time"

	"pombo"
	"pombo/internal/tracing"
)

// traceAttempt ends the span of an attempt with the outcome. The first attempt that sends
// something, or that ends the notification, also ends the parent span of all attempts.
func (d *Deliverer) traceAttempt(s tracing.Span, n *pombo.Notification, o pombo.Outcome) {
	if !s.Recording() {
		return
	}
	s.SetInt(tracing.Generation, n.Key.Generation)
	s.SetInt(tracing.AttemptNo, o.Attempt)
	s.Set(tracing.Template, d.opts.Templates.Resolve(n.Template))
	s.Set(tracing.State, string(o.To))
	s.Set(tracing.Reason, string(o.Reason))
	if o.To == pombo.Failed || o.To == pombo.Uncertain {
		s.Fail(string(o.Reason))
	}
	s.End()
	sent, ended := o.From == pombo.Sending, o.To != pombo.Queued && o.To != ""
	if sent && o.Attempt == 1 || !sent && o.Attempt == 0 && ended {
		d.opts.Tracer.Root(string(n.MessageID), tracing.Notification, n.Created, time.Now())
	}
}
