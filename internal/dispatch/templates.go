package dispatch

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

const (
	// catalogAge is how old the list of templates may get.
	catalogAge = 10 * time.Minute
	// heldAge is the same while rows are held: they should go soon after the
	// template is right again.
	heldAge = time.Minute
	// catalogGap is the least time between two lists, whoever asks for one.
	catalogGap = 15 * time.Second
	// recategorizedFor is how long a change of category is told: long enough to be
	// read, and Blip lists it for ever.
	recategorizedFor = 7 * 24 * time.Hour
	// enough verdicts to be kept of one template: rows of a table all fill the
	// same places, messages over HTTP may differ.
	enough = 8
)

// catalog is what Blip says about the templates. While it could not be had,
// nothing is known and nothing is refused for it.
type catalog struct {
	name, language string // of rows that name no template; language "" = any
	places         []pombo.Slot
	list           func(context.Context) ([]pombo.Template, error)
	log            *slog.Logger
	ready          prometheus.Gauge // of the configured template

	looked chan struct{} // closed once Blip has been asked, whatever it said
	again  signal        // the list is to be asked for at once
	freed  signal        // what is held may be right now

	mu       sync.RWMutex
	known    map[string]pombo.Template // by name, in the configured language; nil = nothing is known
	all      []pombo.Template
	verdicts map[string][]verdict
	refused  map[string]refusal
	holding  map[string]pombo.Reason // the templates of rows that have been held, until they change
}

// verdict is how a template goes with values in certain places.
type verdict struct {
	places []pombo.Slot
	misfit pombo.TemplateIssue // the zero Misfit: it fits
}

// refusal says that Blip refused a template although its list has nothing
// against it: the list can be behind by 20 minutes.
type refusal struct {
	misfit pombo.TemplateIssue
	wait   time.Duration
	until  time.Time
}

func newCatalog(o *Options, list func(context.Context) ([]pombo.Template, error), ready prometheus.Gauge) *catalog {
	return &catalog{
		name: o.Template, language: o.Language, places: o.Places, list: list, log: o.Logger, ready: ready,
		looked: make(chan struct{}), again: newSignal(), freed: newSignal(),
		verdicts: map[string][]verdict{}, refused: map[string]refusal{}, holding: map[string]pombo.Reason{},
	}
}

// listTemplates asks Blip, within the rate of commands.
func (e *Engine) listTemplates(ctx context.Context) ([]pombo.Template, error) {
	if err := e.pace.waitResumed(ctx); err != nil {
		return nil, err
	}
	if err := e.pace.command(ctx); err != nil {
		return nil, err
	}
	return e.o.Blip.Templates(ctx)
}

// run keeps the catalog fresh.
func (c *catalog) run(ctx context.Context) {
	once := sync.OnceFunc(func() { close(c.looked) })
	defer once()
	trouble := backoff{first: catalogGap, most: catalogAge}
	for {
		templates, err := c.list(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Warn("templates not listed; rows are held against the last list, or sent unchecked if there was none", "error", err)
		}
		wait := trouble.next()
		if err == nil {
			trouble.reset()
			c.set(templates)
			wait = c.age()
		}
		once()
		if sleep(ctx, catalogGap) != nil || c.again.wait(ctx, max(wait-catalogGap, 0)) != nil {
			return
		}
	}
}

func (c *catalog) age() time.Duration {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.holding) > 0 {
		return heldAge
	}
	return catalogAge
}

// set takes a new list. What it has changed about any template may free rows.
func (c *catalog) set(templates []pombo.Template) {
	if len(templates) == 0 {
		return // an account without a template is no account to send with: do not believe it
	}
	known := make(map[string]pombo.Template, len(templates))
	for _, t := range templates {
		if t.Language == c.language || c.language == "" {
			t.Updated = time.Time{} // says nothing about what it takes
			known[t.Name] = t
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil && reflect.DeepEqual(c.known, known) {
		return
	}
	for name, reason := range c.holding {
		if !reflect.DeepEqual(c.known[name], known[name]) {
			c.log.Info("a template has changed; its rows are looked at again", "template", name, "held_for", reason)
			delete(c.holding, name)
			delete(c.refused, name)
		}
	}
	c.known, c.all = known, templates
	clear(c.verdicts)
	ready := 0.0
	if c.judge(c.name, c.places).Reason == pombo.NoReason {
		ready = 1
	}
	c.ready.Set(ready)
	c.freed.set()
}

// approves reports whether Blip lists the template as approved.
func (c *catalog) approves(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[name].Approved()
}

// category returns the category of a template; known is false while Blip has not
// listed it.
func (c *catalog) category(name string) (category string, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, known := c.known[name]
	return t.Category, known
}

// recategorized returns the templates that WhatsApp has moved into another category
// lately, in the order of their names.
func (c *catalog) recategorized() (names []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.all {
		if (t.Language == c.language || c.language == "") && t.Recategorized() && time.Since(t.Updated) < recategorizedFor {
			names = append(names, t.Name)
		}
	}
	return names
}

// judge holds what is known of a template against places. The lock is held.
func (c *catalog) judge(name string, places []pombo.Slot) pombo.TemplateIssue {
	t, ok := c.known[name]
	if !ok {
		_, misfit := pombo.FindTemplate(c.all, name, c.language)
		return misfit
	}
	all := t.Check(t.Language, places)
	if len(all) == 0 {
		return pombo.TemplateIssue{}
	}
	var what, todo []string
	for _, m := range all {
		what = append(what, m.Message)
		if !slices.Contains(todo, m.Hint) {
			todo = append(todo, m.Hint)
		}
	}
	return pombo.TemplateIssue{Reason: all[0].Reason, Message: strings.Join(what, "; "), Hint: strings.Join(todo, "; ")}
}

// look says what keeps values in these places from going with a template, and
// until when nothing will change about it; the zero Misfit when nothing does.
func (c *catalog) look(name string, params []pombo.Param) (pombo.TemplateIssue, time.Time) {
	c.mu.RLock()
	if r, ok := c.refused[name]; ok && time.Now().Before(r.until) {
		c.mu.RUnlock()
		return r.misfit, r.until
	}
	known := c.known != nil
	for _, v := range c.verdicts[name] {
		if fills(params, v.places) {
			c.mu.RUnlock()
			return v.misfit, time.Time{}
		}
	}
	c.mu.RUnlock()
	if !known {
		return pombo.TemplateIssue{}, time.Time{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v := verdict{places: pombo.Slots(params)}
	v.misfit = c.judge(name, v.places)
	kept := c.verdicts[name]
	if len(kept) >= enough {
		kept = nil
	}
	c.verdicts[name] = append(kept, v)
	return v.misfit, time.Time{}
}

// fills reports whether the values go into these places.
func fills(params []pombo.Param, places []pombo.Slot) bool {
	return slices.EqualFunc(params, places, func(p pombo.Param, place pombo.Slot) bool { return p.Slot == place })
}

// refuse takes note that Blip refused a message for its template. Its rows wait,
// longer each time.
func (c *catalog) refuse(name string, failure *pombo.Error) (pombo.TemplateIssue, time.Time) {
	m := pombo.TemplateIssue{Reason: failure.Reason, Message: "Blip refused template " + name + ": " + failure.Reason.Message(), Hint: failure.Reason.Hint()}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	r := c.refused[name]
	if now.After(r.until) { // not one of those that were on their way
		if now.Sub(r.until) > catalogAge {
			r.wait = 0 // it worked in between
		}
		r.wait = min(max(2*r.wait, 5*time.Minute), time.Hour)
		r.until = now.Add(r.wait)
	}
	r.misfit = m
	c.refused[name] = r
	return m, r.until
}

// hold takes note that a row is held, and says so once for each template.
func (c *catalog) hold(name string, m pombo.TemplateIssue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holding[name] == m.Reason {
		return
	}
	c.holding[name] = m.Reason
	c.log.Warn("rows of a template are held; those of others go on", "template", name, "reason", m.Reason, "detail", m.Message, "todo", m.Hint)
	c.again.set()
}

// nameOf returns the template that a notification is sent with.
func (c *catalog) nameOf(n *pombo.Notification) string {
	if n.Template != "" {
		return n.Template
	}
	return c.name
}
