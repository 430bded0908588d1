package blip

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

// kind is what a call was for: a label.
type kind int

const (
	identityKind kind = iota
	landKind
	sendKind
	templatesKind
	receiptsKind
	checkKind
	kinds
)

func (k kind) String() string {
	return [kinds]string{"identity", "land", "send", "templates", "receipts", "check"}[k]
}

// result is how a call ended: a label. Which reason it was stands in the ledger
// and in the log; here it is enough to see whom to look at.
type result int

const (
	resultOK           result = iota
	resultRefused             // Blip said no to this one
	resultRateLimited         // too fast
	resultUnauthorized        // Blip said no to the key or the account
	resultUnavailable         // Blip or the gateway behind it could not
	resultNoAnswer            // it may have left, nothing came back
	resultUnreachable         // nothing left, or not Blip answered
	results
)

func (r result) String() string {
	return [results]string{"ok", "refused", "rate_limited", "unauthorized", "unavailable", "no_answer", "unreachable"}[r]
}

func resultOf(f *pombo.Error) result {
	if f == nil {
		return resultOK
	}
	switch f.Reason {
	case pombo.RateLimited, pombo.SpamLimited, pombo.PairRate:
		return resultRateLimited
	case pombo.Unauthorized, pombo.Forbidden, pombo.AccountBlocked:
		return resultUnauthorized
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

// metrics holds every counter ready, so that counting looks nothing up.
type metrics struct {
	requests [kinds][results]prometheus.Counter
	duration [kinds]prometheus.Observer
	refused  prometheus.Gauge
}

// newMetrics makes the metrics and registers them with r, when there is one.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pombo_blip_requests_total",
		Help: "Requests to Blip by what they were for and how they ended.",
	}, []string{"kind", "result"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "pombo_blip_request_duration_seconds",
		Help:    "How long Blip took to answer, or until the call was given up.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	}, []string{"kind"})
	m := &metrics{refused: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pombo_key_refused",
		Help: "1 when the last answer of Blip that tells was that it does not take KEYBLIP, or that the account is blocked.",
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
