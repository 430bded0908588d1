package app_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

// TestEvents_Untold: of two processes on one ledger the one without EVENTS_URL says that it
// writes no events, and the other one does not.
func TestEvents_Untold(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	url := migrated(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer receiver.Close()
	w := newFixture(t, 0, blipsim.Options{}, "LEDGER_URL="+url, "AUDIT_KEY=0123456789abcdef0123456789abcdef")
	_, without := w.start()
	untold := func(c *api.Client) bool {
		t.Helper()
		ready, err := c.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(ready.Alerts, func(a api.Alert) bool { return a.Name == "events" })
	}
	if untold(without) {
		t.Error("an alert although nobody sends events")
	}
	w.env = append(w.env, "EVENTS_URL="+receiver.URL, "EVENTS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	with, client := w.start()
	w.eventually(func() bool { return untold(without) })
	if untold(client) {
		t.Error("an alert of the process that sends them")
	}
	w.stop(with)
	w.eventually(func() bool { return !untold(without) })
}
