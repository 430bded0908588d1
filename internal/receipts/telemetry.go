package receipts

import (
	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

// metrics of the package. All label values come from closed lists.
type metrics struct {
	applied  *prometheus.CounterVec // by state
	unknown  prometheus.Counter
	last     prometheus.Gauge
	requests *prometheus.CounterVec // by kind and result
	polls    *prometheus.CounterVec // by result
	optOuts  *prometheus.CounterVec // by result
	inbound  *prometheus.CounterVec // by way and result
	threads  *prometheus.CounterVec // by result
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		applied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_receipts_applied_total", Help: "Receipts that moved a notification, by the state they led to."}, []string{"state"}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pombo_receipts_unknown_total", Help: "Receipts for ids that the ledger does not know."}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pombo_receipt_last_timestamp_seconds", Help: "When the last receipt for a message of ours arrived; 0 = none since the start."}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_webhook_requests_total", Help: "Requests from Blip, by address and result."}, []string{"kind", "result"}),
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_receipt_polls_total", Help: "Polls for receipts, by result; spared = not made, because webhooks arrive."}, []string{"result"}),
		optOuts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_opt_outs_total", Help: "Inbound messages that ask for no more messages, by result."}, []string{"result"}),
		inbound: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_inbound_messages_total", Help: "What people sent, by the way it came and by how it was matched to a notification; known = it was there already."}, []string{"way", "result"}),
		threads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_thread_polls_total", Help: "Conversations read for an answer, by result."}, []string{"result"}),
	}
	for _, s := range []pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered, pombo.Read, pombo.Failed} {
		m.applied.WithLabelValues(string(s))
	}
	for _, way := range []Way{ByWebhook, ByFlow, ByPoll} {
		for _, match := range pombo.ReplyMatches() {
			m.inbound.WithLabelValues(string(way), string(match))
		}
		for _, result := range []string{"known", "failed"} {
			m.inbound.WithLabelValues(string(way), result)
		}
	}
	for _, result := range []string{"messages", "nothing", "failed"} {
		m.threads.WithLabelValues(result)
	}
	for _, kind := range []string{Notifications, Messages, FromFlow} {
		for _, result := range []string{"ok", "refused", "not_json", "too_many", "busy", "failed"} {
			m.requests.WithLabelValues(kind, result)
		}
	}
	for _, result := range []string{"receipts", "nothing", "failed", "spared"} {
		m.polls.WithLabelValues(result)
	}
	for _, result := range []string{"kept", "failed"} {
		m.optOuts.WithLabelValues(result)
	}
	if r != nil {
		r.MustRegister(m.applied, m.unknown, m.last, m.requests, m.polls, m.optOuts, m.inbound, m.threads)
	}
	return m
}

func (m *metrics) optOut(result string) { m.optOuts.WithLabelValues(result).Inc() }
