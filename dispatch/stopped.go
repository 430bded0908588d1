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
}

// HoldTemplate keeps messages of a template ("" = the configured one) in the queue
// until a time, and has Blip asked at once what it says of its templates. A stop
// that lasts longer stays as it is.
func (e *Engine) HoldTemplate(template string, reason pombo.Reason, until time.Time) {
	name := e.catalog.nameOf(&pombo.Notification{Template: template})
	e.stopped.mu.Lock()
	defer e.stopped.mu.Unlock()
	if !e.stopped.list[name].until.Before(until) {
		return
	}
	if e.stopped.list == nil {
		e.stopped.list = map[string]stop{}
	}
	e.stopped.list[name] = stop{reason, until}
	e.catalog.again.set()
	e.log.Warn("template stopped", "template", name, "until", until.Format(time.RFC3339), "reason", reason)
}

// stoppedTemplate puts the row back when its template is stopped.
func (e *Engine) stoppedTemplate(o pombo.Outcome, template string) (back pombo.Outcome, is bool) {
	e.stopped.mu.Lock()
	defer e.stopped.mu.Unlock()
	h := e.stopped.list[template]
	if !h.until.After(time.Now()) {
		return o, false
	}
	o.Detail = "template " + template + " is stopped after a failed message"
	return release(o, h.reason, h.until), true
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
