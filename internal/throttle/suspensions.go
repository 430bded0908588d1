package throttle

import (
	"log/slog"
	"sync"
	"time"

	"pombo"
)

// Suspensions has the templates that receipts have suspended, each until a time. It
// is this process's own: another process, or the next one, learns of a suspension
// from Blip's list of templates or from its own first message that fails.
type Suspensions struct {
	templates Templates
	log       *slog.Logger

	mu     sync.Mutex
	byName map[string]suspension
}

// Templates is what Blip says about templates.
type Templates interface {
	// Resolve returns the template that a notification with this template ("" = the
	// configured one) is sent with.
	Resolve(template string) string
	// Approved reports whether Blip lists the template as approved.
	Approved(name string) bool
	// Refresh asks Blip for its list at once.
	Refresh()
}

type suspension struct {
	reason pombo.Reason
	until  time.Time
	length time.Duration
}

const (
	// mostSuspended is how long a template that WhatsApp has disabled is suspended at
	// most until it is tried again.
	mostSuspended = 24 * time.Hour
	// disabledRecheck is how long a message of a disabled template waits while Blip
	// does not list that template as approved.
	disabledRecheck = time.Minute
)

// NewSuspensions returns a list without suspensions.
func NewSuspensions(templates Templates, log *slog.Logger) *Suspensions {
	return &Suspensions{templates: templates, log: log, byName: map[string]suspension{}}
}

// Suspend keeps messages of a template ("" = the configured one) in the queue until a
// time, and asks Blip at once what it says of its templates. A suspension that lasts
// longer stays as it is. A template that WhatsApp has disabled stays suspended until
// Blip lists it as approved; when that list turns out to be wrong, the next suspension
// lasts twice as long, because each look costs messages.
func (s *Suspensions) Suspend(template string, reason pombo.Reason, until time.Time) {
	name := s.templates.Resolve(template)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.byName[name]
	if !before.until.Before(until) {
		return
	}
	now := time.Now()
	length := until.Sub(now)
	if reason == pombo.TemplateDisabled && before.reason == reason && now.Sub(before.until) < mostSuspended {
		if now.Before(before.until) {
			return // it is about a message that was already on its way
		}
		length = min(max(length, 2*before.length), mostSuspended)
		until = now.Add(length)
	}
	s.byName[name] = suspension{reason, until, length}
	s.templates.Refresh()
	s.log.Warn("template suspended", "template", name, "until", until.Format(time.RFC3339), "reason", reason)
}

// Suspended reports whether a template is suspended, why, and until when.
func (s *Suspensions) Suspended(template string) (reason pombo.Reason, until time.Time, suspended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byName[template]
	if now := time.Now(); !found.until.After(now) {
		if found.reason != pombo.TemplateDisabled || s.templates.Approved(template) {
			return pombo.NoReason, time.Time{}, false
		}
		found.until = now.Add(disabledRecheck)
	}
	return found.reason, found.until, true
}
