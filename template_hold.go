package pombo

import "time"

// TemplateHold keeps the messages of one template waiting because an operator says so:
// until a time or until it is released. The ledger stores it, so it outlives a restart
// and all processes obey it.
type TemplateHold struct {
	Template string
	Who      string // the operator; "" = not said
	Note     string // why, for others to read
	At       time.Time
	Until    time.Time // zero = until released
}

// TemplateReach is what holding a template affects, counted on a bounded part of the
// ledger.
type TemplateReach struct {
	Waiting  int // queued now
	Expiring int // of those, the ones that would expire before the hold ends
	// Arrived were taken in within Within: what a rate is made of.
	Arrived int
	Within  time.Duration
	// Partial means that more wait than were counted.
	Partial bool
}

// PerHour is how many messages of the template came an hour lately.
func (r TemplateReach) PerHour() float64 {
	if r.Within <= 0 {
		return 0
	}
	return float64(r.Arrived) / r.Within.Hours()
}

// TemplateVersion is a template as Blip listed it from a time on.
type TemplateVersion struct {
	Template
	FirstSeen time.Time
	LastSeen  time.Time // about an hour old while Blip still lists it so
}
