package throttle

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// Holds has the templates that an operator holds. The ledger keeps them over a restart
// and passes them on to other processes.
type Holds struct {
	ledger    HoldLedger
	templates ParkedTemplates
	shared    bool
	log       *slog.Logger

	changing sync.Mutex // the ledger's holds and ours change together

	mu     sync.Mutex
	byName map[string]pombo.TemplateHold
}

// HoldLedger keeps the holds.
type HoldLedger interface {
	HoldTemplate(ctx context.Context, h pombo.TemplateHold) error
	ReleaseTemplate(ctx context.Context, name string) (released bool, err error)
	// HeldTemplates returns the holds whose time is not over.
	HeldTemplates(ctx context.Context) ([]pombo.TemplateHold, error)
}

// ParkedTemplates knows the templates whose messages are parked.
type ParkedTemplates interface {
	// Resolve returns the template that a notification with this template ("" = the
	// configured one) is sent with.
	Resolve(template string) string
	// Reconsider has what is parked looked at again.
	Reconsider()
}

// NewHolds returns a list without holds; Reload fills it. Other processes may change the
// holds of a shared ledger.
func NewHolds(ledger HoldLedger, templates ParkedTemplates, shared bool, log *slog.Logger) *Holds {
	return &Holds{ledger: ledger, templates: templates, shared: shared, log: log, byName: map[string]pombo.TemplateHold{}}
}

// Hold keeps the messages of h.Template ("" = the configured one) waiting until h.Until, or
// until Release when that is zero. It replaces the hold there is. Calls under way end in
// their own time.
func (h *Holds) Hold(ctx context.Context, hold pombo.TemplateHold) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	hold.Template = h.templates.Resolve(hold.Template)
	if err := h.ledger.HoldTemplate(ctx, hold); err != nil {
		return err
	}
	return h.reload(ctx)
}

// Release ends the hold of a template and reports whether there was one.
func (h *Holds) Release(ctx context.Context, template string) (released bool, err error) {
	h.changing.Lock()
	defer h.changing.Unlock()
	released, err = h.ledger.ReleaseTemplate(ctx, h.templates.Resolve(template))
	if err != nil {
		return false, err
	}
	return released, h.reload(ctx)
}

// Reload takes over the ledger's holds.
func (h *Holds) Reload(ctx context.Context) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	return h.reload(ctx)
}

// reload sets what is parked free when a hold has ended or changed. The notes are not
// logged: a person's own words may name somebody.
func (h *Holds) reload(ctx context.Context) error {
	list, err := h.ledger.HeldTemplates(ctx)
	if err != nil {
		return fmt.Errorf("read held templates: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.byName
	h.byName = make(map[string]pombo.TemplateHold, len(list))
	ended := false
	for _, hold := range list {
		h.byName[hold.Template] = hold
		was, held := before[hold.Template]
		if held && sameUntil(was.Until, hold.Until) {
			continue
		}
		ended = ended || held
		until := "released"
		if !hold.Until.IsZero() {
			until = hold.Until.Format(time.RFC3339)
		}
		h.log.Warn("template held by an operator", "template", hold.Template, "until", until, "by", hold.Who)
	}
	for name := range before {
		if _, held := h.byName[name]; !held {
			ended = true
			h.log.Info("template is held no longer", "template", name)
		}
	}
	if ended {
		h.templates.Reconsider()
	}
	return nil
}

// sameUntil allows for the corrections of a clock: times come from the ledger's.
func sameUntil(a, b time.Time) bool {
	return a.IsZero() == b.IsZero() && a.Sub(b).Abs() < 5*time.Second
}

// Held returns the hold of a template and whether it is in force.
func (h *Holds) Held(template string) (pombo.TemplateHold, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hold, held := h.byName[template]
	return hold, held && (hold.Until.IsZero() || time.Now().Before(hold.Until))
}

// Run reloads the holds of a shared ledger every second, and those of another one every
// minute, in which only the end of one can be news.
func (h *Holds) Run(ctx context.Context) {
	interval := time.Minute
	if h.shared {
		interval = time.Second
	}
	for wait.For(ctx, interval) == nil {
		if err := h.Reload(ctx); err != nil && ctx.Err() == nil {
			h.log.Error("held templates not read", "error", err, "often", pombo.Often("holds"))
		}
	}
}
