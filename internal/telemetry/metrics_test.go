package telemetry

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"log/slog"
)

func TestHandler_ServesTheRegistry(t *testing.T) {
	r := NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "pombo_test_total", Help: "A counter."})
	r.MustRegister(c)
	c.Inc()
	var log bytes.Buffer
	w := httptest.NewRecorder()
	Handler(r, JobLogger(&log, slog.LevelInfo)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status = %d, want 200", w.Code)
	}
	for _, name := range []string{"pombo_test_total 1", "go_goroutines", "go_build_info"} {
		if !strings.Contains(w.Body.String(), name) {
			t.Errorf("metrics lack %s", name)
		}
	}
	if log.Len() > 0 {
		t.Errorf("log = %s, want nothing", &log)
	}
}
