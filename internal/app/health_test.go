package app

import (
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/health"
)

// Sending is stuck only if nothing explains it.
func TestSending_StuckOnlyUnexplained(t *testing.T) {
	now := time.Now()
	long := now.Add(-time.Hour)
	f := health.Snapshot{
		Now:      now,
		Backlog:  pombo.Backlog{States: map[pombo.State]int{pombo.Queued: 3}, Oldest: long, Ready: 3, ReadySince: long},
		Progress: health.Progress{Started: long, IdleLimit: time.Minute},
	}
	if err := stuck(f); err == nil || !strings.Contains(err.Error(), "nothing sent for 60 minutes while 3 rows wait: nothing explains it") || !strings.Contains(err.Error(), "restart") {
		t.Errorf("error = %v, want what is so and what to do", err)
	}
	f.Now = long.Add(2 * time.Minute) // before an alert is raised
	if err := stuck(f); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("error = %v, want what to do", err)
	}
	f.Now, f.Paused = now, true
	if err := stuck(f); err != nil {
		t.Errorf("error = %v in a pause, want none", err)
	}
}
