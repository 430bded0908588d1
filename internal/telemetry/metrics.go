package telemetry

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewRegistry returns a registry that already tells about the Go runtime, the
// process and the build. The packages register their own metrics with it; the
// global registry of Prometheus is not used, so two processes in one test do not
// share counts.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return r
}

// Handler serves the registry for GET /metrics. A collector that fails costs its
// own metrics only, and is logged. At most four scrapes are served at once.
func Handler(r *prometheus.Registry, logger *slog.Logger) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(logger.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            r,
		MaxRequestsInFlight: 4,
		Timeout:             30 * time.Second,
	})
}
