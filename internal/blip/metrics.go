package blip

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

// kind is the purpose of a call: a label.
type kind int

const (
	identityKind kind = iota
	redirectKind
	sendKind
	templatesKind
	receiptsKind
	checkKind
	threadKind
	uploadAddressKind
	uploadKind
	kinds
)

func (k kind) String() string {
	return [kinds]string{"identity", "redirect", "send", "templates", "receipts", "check", "thread", "upload_address", "upload"}[k]
}

// result is how a call ended: a label. The reason is in the ledger and in the log;
// the label only has to show where to look.
type result int

const (
	resultOK           result = iota
	resultRefused             // Blip refused this request
	resultRateLimited         // a rate limit was exceeded
	resultUnauthorized        // Blip refused the key, the account or the number
	resultUnavailable         // Blip or the gateway behind it was unavailable
	resultNoAnswer            // the request may have been sent; no answer
	resultUnreachable         // nothing was sent, or something other than Blip answered
	results
)

func (r result) String() string {
	return [results]string{"ok", "refused", "rate_limited", "unauthorized", "unavailable", "no_answer", "unreachable"}[r]
}

func resultOf(f *pombo.Error) result {
	if f == nil {
		return resultOK
	}
	switch f.Reason.Class() {
	case pombo.ClassRate:
		return resultRateLimited
	case pombo.ClassBot:
		return resultUnauthorized
	}
	switch f.Reason {
	case pombo.BlipUnavailable, pombo.GatewayTimeout, pombo.ChannelError:
		return resultUnavailable
	case pombo.NoAnswer:
		return resultNoAnswer
	case pombo.BlipUnreachable, pombo.Interrupted:
		return resultUnreachable
	default:
		return resultRefused
	}
}

// metrics holds every counter, so that counting needs no look-up.
type metrics struct {
	requests [kinds][results]prometheus.Counter
	duration [kinds]prometheus.Observer
	refused  prometheus.Gauge
}

// newMetrics returns the metrics, registered with r unless that is nil.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pombo_blip_requests_total",
		Help: "Requests to Blip by purpose and result.",
	}, []string{"kind", "result"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "pombo_blip_request_duration_seconds",
		Help:    "How long Blip took to answer, or until the call was cancelled.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	}, []string{"kind"})
	m := &metrics{refused: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pombo_key_refused",
		Help: "1 when Blip last refused KEYBLIP or the account is blocked, 0 after its next success.",
	})}
	for k := range kinds {
		for res := range results {
			m.requests[k][res] = requests.WithLabelValues(k.String(), res.String())
		}
		m.duration[k] = duration.WithLabelValues(k.String())
	}
	if r == nil {
		return m, nil
	}
	if err := r.Register(requests); err != nil {
		return nil, err
	}
	if err := r.Register(duration); err != nil {
		r.Unregister(requests)
		return nil, err
	}
	if err := r.Register(m.refused); err != nil {
		r.Unregister(requests)
		r.Unregister(duration)
		return nil, err
	}
	return m, nil
}

func (m *metrics) observe(k kind, took time.Duration, f *pombo.Error) {
	result := resultOf(f)
	m.requests[k][result].Inc()
	switch {
	case result == resultOK:
		m.refused.Set(0)
	case f.Reason == pombo.Unauthorized || f.Reason == pombo.AccountBlocked:
		m.refused.Set(1)
	}
	m.duration[k].Observe(took.Seconds())
}
