package dispatch

import (
	"context"
	"sync"
	"time"

	"pombo"
)

// stopped are the templates that receipts have stopped, each until a time. They
// are this process's: another one, or the next, learns of it from Blip's list of
// templates or from its own first message that fails.
type stopped struct {
	mu   sync.Mutex
	list map[string]stop
}

type stop struct {
	reason pombo.Reason
	until  time.Time
	length time.Duration
}

// mostStopped is how long a template that WhatsApp has disabled stops at most until
// it is tried again.
const mostStopped = 24 * time.Hour

// HoldTemplate keeps messages of a template ("" = the configured one) in the queue
// until a time, and has Blip asked at once what it says of its templates. A stop
// that lasts longer stays as it is. A template that WhatsApp has disabled stays
// stopped until Blip lists it as approved; when that list turns out to be wrong, the
// next stop lasts twice as long, for each look costs messages.
func (e *Engine) HoldTemplate(template string, reason pombo.Reason, until time.Time) {
	name := e.catalog.nameOf(&pombo.Notification{Template: template})
	e.stopped.mu.Lock()
	defer e.stopped.mu.Unlock()
	before := e.stopped.list[name]
	if !before.until.Before(until) {
		return
	}
	now := time.Now()
	length := until.Sub(now)
	if reason == pombo.TemplateDisabled && before.reason == reason && now.Sub(before.until) < mostStopped {
		if now.Before(before.until) {
			return // it is one of those that were on their way
		}
		length = min(max(length, 2*before.length), mostStopped)
		until = now.Add(length)
	}
	if e.stopped.list == nil {
		e.stopped.list = map[string]stop{}
	}
	e.stopped.list[name] = stop{reason, until, length}
	e.catalog.again.set()
	e.log.Warn("template stopped", "template", name, "until", until.Format(time.RFC3339), "reason", reason)
}

// stoppedTemplate puts the row back when its template is stopped.
func (e *Engine) stoppedTemplate(o pombo.Outcome, template string) (back pombo.Outcome, is bool) {
	e.stopped.mu.Lock()
	defer e.stopped.mu.Unlock()
	s := e.stopped.list[template]
	if now := time.Now(); !s.until.After(now) {
		if s.reason != pombo.TemplateDisabled || e.catalog.approves(template) {
			return o, false
		}
		s.until = now.Add(heldAge)
	}
	o.Detail = "template " + template + " is stopped after a failed message"
	return release(o, s.reason, s.until), true
}

// HoldBot stops all sending as Pause does. A pause that lasts longer, an
// operator's above all, stays as it is. When the ledger cannot be told, the pause
// holds in this process all the same.
func (e *Engine) HoldBot(ctx context.Context, p pombo.Pause) error {
	e.pausing.Lock()
	defer e.pausing.Unlock()
	if now, ok := e.pace.current(); ok && (now.Until.IsZero() || !now.Until.Before(p.Until)) {
		return nil
	}
	err := e.setPause(ctx, p)
	if err != nil {
		e.pace.set(p, true)
	}
	return err
}
