package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

// metrics of the package. All label values come from closed lists.
type metrics struct {
	outcomes *prometheus.CounterVec // by state
	reasons  *prometheus.CounterVec // by reason, of all that was not accepted
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_outcomes_total", Help: "Ends of a try to deliver, by the state it led to."}, []string{"state"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_outcome_reasons_total", Help: "Ends of a try to deliver that Blip did not accept, by reason."}, []string{"reason"}),
	}
	for _, s := range []pombo.State{pombo.Accepted, pombo.Queued, pombo.Failed, pombo.Uncertain, pombo.Dispatched, pombo.Delivered, pombo.Read,
		pombo.Cancelled, pombo.Expired, pombo.Suppressed} {
		m.outcomes.WithLabelValues(string(s))
	}
	if r != nil {
		r.MustRegister(m.outcomes, m.reasons)
	}
	return m
}

func (m *metrics) finished(o pombo.Outcome) {
	if o.To == "" {
		return
	}
	m.outcomes.WithLabelValues(string(o.To)).Inc()
	if o.Reason != pombo.NoReason {
		m.reasons.WithLabelValues(string(o.Reason)).Inc()
	}
}

// expired counts those whose time was over before anybody tried.
func (m *metrics) expired(n int) {
	m.outcomes.WithLabelValues(string(pombo.Expired)).Add(float64(n))
	m.reasons.WithLabelValues(string(pombo.ExpiredRow)).Add(float64(n))
}

// logAttempt writes the one wide line of an attempt.
func (e *Engine) logAttempt(n *pombo.Notification, o pombo.Outcome, took time.Duration) {
	level := slog.LevelInfo
	switch o.To {
	case "":
		return
	case pombo.Failed, pombo.Uncertain:
		level = slog.LevelWarn
	}
	ctx := context.Background() // no handler asks it for anything
	if !e.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("id", string(n.MessageID)), slog.String("row", n.Key.RowKey), slog.Int("generation", n.Key.Generation),
		slog.String("state", string(o.To)), slog.Int("attempt", o.Attempt), slog.Any("phone", n.Phone))
	if o.Reason != pombo.NoReason {
		attrs = append(attrs, slog.String("reason", string(o.Reason)), slog.String("detail", o.Detail))
	}
	if !o.NotBefore.IsZero() {
		attrs = append(attrs, slog.Time("next_try", o.NotBefore))
	}
	attrs = append(attrs, slog.Int64("duration_ms", took.Milliseconds()))
	e.log.LogAttrs(ctx, level, "attempt", attrs...)
}
