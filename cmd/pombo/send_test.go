package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"pombo"
	"pombo/internal/api"
)

// TestAwait_AsksOnlyWhileItMayHelp: a message whose next try is further away than
// the wait must not keep a person waiting.
func TestAwait_AsksOnlyWhileItMayHelp(t *testing.T) {
	tests := []struct {
		name  string
		given api.Notification
		asked int64
		want  pombo.State
	}{
		{"sent", api.Notification{State: pombo.Accepted}, 0, pombo.Accepted},
		{"failed", api.Notification{State: pombo.Failed}, 0, pombo.Failed},
		{"next try in an hour", api.Notification{State: pombo.Queued, NotBefore: time.Now().Add(time.Hour)}, 0, pombo.Queued},
		{"under way", api.Notification{State: pombo.Sending}, 1, pombo.Delivered},
		{"next try in a second", api.Notification{State: pombo.Queued, NotBefore: time.Now().Add(time.Second)}, 1, pombo.Delivered},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"state":"delivered"}`))
			}))
			defer server.Close()
			got, err := await(t.Context(), api.NewClient(server.URL, "", nil), tt.given)
			if err != nil {
				t.Fatal(err)
			}
			if got.State != tt.want || asked.Load() != tt.asked {
				t.Errorf("state = %s after %d questions, want %s after %d", got.State, asked.Load(), tt.want, tt.asked)
			}
		})
	}
}
