package dispatch

import (
	"time"

	"pombo"
	"pombo/internal/wait"
)

// schedule is the wait before each further try of one notification: about nine
// hours in all, so that an outage of a working day is survived and a message
// does not arrive after its use. Each wait has a jitter of a fifth.
var schedule = []time.Duration{
	10 * time.Second,
	30 * time.Second,
	time.Minute,
	2 * time.Minute,
	5 * time.Minute,
	15 * time.Minute,
	30 * time.Minute,
	time.Hour,
	2 * time.Hour,
	5 * time.Hour,
}

// again fills in when the notification is tried next, or ends it when the
// schedule has no further try. tries counts the ones before this.
func again(o pombo.Outcome, tries int) pombo.Outcome {
	o.Counted = true
	if tries >= len(schedule) {
		o.To = pombo.Failed
		o.Detail = "last time: " + string(o.Reason) + detailSuffix(o.Detail)
		o.Reason = pombo.TriesExhausted
		return o
	}
	o.To = pombo.Queued
	o.NotBefore = time.Now().Add(wait.Jitter(schedule[tries]))
	return o
}

func detailSuffix(d string) string {
	if d == "" {
		return ""
	}
	return ": " + d
}
