// Package template has what Blip says about the templates (Catalog), and frees the
// notifications that are parked because theirs does not send (Parking).
package template

import (
	"cmp"
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/wait"
)

const (
	// listAge is how old the list of templates may get.
	listAge = 10 * time.Minute
	// parkedAge is the same while notifications are parked: they should go soon after
	// their template is right again.
	parkedAge = time.Minute
	// listInterval is the least time between two lists, for all callers together.
	listInterval = 15 * time.Second
	// recategorizedFor is how long a change of category is reported: long enough to
	// be read, and Blip lists it for ever.
	recategorizedFor = 7 * 24 * time.Hour
	// mostChecks is how many checks of one template are kept: the rows of a table all
	// fill the same slots, messages over HTTP may differ.
	mostChecks = 8
)

// Options is what a Catalog is made of.
type Options struct {
	Default  string       // the template of notifications that name none
	Language string       // of notifications that name none; "" = any
	Slots    []pombo.Slot // those that the source's rows give values for, in order
	// List asks Blip for its templates, at the rate of commands.
	List func(context.Context) ([]pombo.Template, error)
	// Save records what is new in a list; nil = nothing is recorded.
	Save func(context.Context, []pombo.Template) error

	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil = no metrics
}

// Catalog caches Blip's list of templates. Until there is a list, nothing is known
// and nothing is refused for it.
type Catalog struct {
	opts  Options
	ready prometheus.Gauge // of the default template

	listed  chan struct{} // closed once Blip has been asked, whatever it said
	refresh wait.Signal   // the list is wanted at once
	changed wait.Signal   // what is parked may be right now

	mu      sync.RWMutex
	known   map[Ref]pombo.Template // nil = nothing is known
	all     []pombo.Template
	checks  map[Ref][]check
	refused map[Ref]refusal
	parked  map[Ref]pombo.Reason // the templates of parked notifications, until they change
}

// Ref names a template in one of its languages; without a language it is the
// configured one, or where the template has none in that, any.
type Ref struct{ Name, Language string }

// check is how a template goes with values in certain slots.
type check struct {
	slots []pombo.Slot
	issue pombo.TemplateIssue // zero: it fits
}

// refusal means that Blip refused a template although its list has nothing against
// it: the list can be behind by 20 minutes.
type refusal struct {
	issue pombo.TemplateIssue
	wait  time.Duration
	until time.Time
}

// New returns a catalog that knows nothing yet. Run fills it.
func New(o Options) *Catalog {
	c := &Catalog{
		opts: o,
		ready: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pombo_template_ready", Help: "1 while the configured template sends what the rows give, as far as Blip has told; else its rows are parked."}),
		listed: make(chan struct{}), refresh: wait.NewSignal(), changed: wait.NewSignal(),
		checks: map[Ref][]check{}, refused: map[Ref]refusal{}, parked: map[Ref]pombo.Reason{},
	}
	c.ready.Set(1)
	if o.Registerer != nil {
		o.Registerer.MustRegister(c.ready)
	}
	return c
}

// Listed is closed once Blip has been asked for its templates, whatever it said.
func (c *Catalog) Listed() <-chan struct{} { return c.listed }

// Refresh has Run ask Blip at once.
func (c *Catalog) Refresh() { c.refresh.Set() }

// Resolve returns the template that a notification with this template ("" = the
// configured one) is sent with.
func (c *Catalog) Resolve(template string) string {
	if template != "" {
		return template
	}
	return c.opts.Default
}

// Ref returns the template and the language that a notification with these is sent
// with.
func (c *Catalog) Ref(template, language string) Ref {
	return Ref{c.Resolve(template), cmp.Or(language, c.opts.Language)}
}

// Run keeps the list fresh.
func (c *Catalog) Run(ctx context.Context) {
	listed := sync.OnceFunc(func() { close(c.listed) })
	defer listed()
	backoff := wait.Backoff{First: listInterval, Most: listAge}
	for {
		templates, err := c.opts.List(ctx)
		if err != nil && ctx.Err() == nil {
			c.opts.Logger.Warn("templates not listed; rows are checked against the last list, or sent unchecked if there was none", "error", err)
		}
		next := backoff.Next()
		if err == nil {
			backoff.Reset()
			c.set(templates)
			c.save(ctx, templates)
			next = c.age()
		}
		listed()
		if wait.For(ctx, listInterval) != nil {
			return
		}
		if _, err := c.refresh.Wait(ctx, max(next-listInterval, 0)); err != nil {
			return
		}
	}
}

// save records the versions of the templates. Nothing is sent by them, so an error only
// costs the history of what templates looked like.
func (c *Catalog) save(ctx context.Context, templates []pombo.Template) {
	if c.opts.Save == nil {
		return
	}
	if err := c.opts.Save(ctx, templates); err != nil && ctx.Err() == nil {
		c.opts.Logger.Warn("versions of templates not recorded; it is tried again with the next list", "error", err, "often", pombo.Often("template versions"))
	}
}

func (c *Catalog) age() time.Duration {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.parked) > 0 {
		return parkedAge
	}
	return listAge
}

// set takes a new list. Whatever it changes about a template may free notifications.
func (c *Catalog) set(templates []pombo.Template) {
	if len(templates) == 0 {
		return // nobody can send with an account without templates: do not believe it
	}
	known := make(map[Ref]pombo.Template, len(templates))
	for _, t := range templates {
		t.Updated = time.Time{} // says nothing about what it takes
		named, alone := Ref{t.Name, t.Language}, Ref{Name: t.Name}
		known[named] = t
		if _, some := known[alone]; !some || t.Language == c.opts.Language {
			known[alone] = t
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil && reflect.DeepEqual(c.known, known) {
		return
	}
	for ref, reason := range c.parked {
		if !reflect.DeepEqual(c.known[ref], known[ref]) {
			c.opts.Logger.Info("a template has changed; its rows are looked at again", "template", ref.Name, "language", ref.Language, "parked_for", reason)
			delete(c.parked, ref)
			delete(c.refused, ref)
		}
	}
	c.known, c.all = known, templates
	clear(c.checks)
	ready := 0.0
	if c.issueWith(c.Ref("", ""), c.opts.Slots).Reason == pombo.NoReason {
		ready = 1
	}
	c.ready.Set(ready)
	c.changed.Set()
}

// Approved reports whether Blip lists the template as approved.
func (c *Catalog) Approved(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[Ref{Name: name}].Approved()
}

// Category returns the category of a template; known is false while Blip has not
// listed it.
func (c *Catalog) Category(ref Ref) (category string, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, known := c.known[ref]
	return t.Category, known
}

// Buttons returns the buttons of a template, which the caller must not change; none while Blip
// has not listed it.
func (c *Catalog) Buttons(ref Ref) []pombo.Button {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[ref].Buttons
}

// Recategorized returns the templates that WhatsApp has recently moved into another
// category, in the order of their names.
func (c *Catalog) Recategorized() (names []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.all {
		if (t.Language == c.opts.Language || c.opts.Language == "") && t.Recategorized() && time.Since(t.Updated) < recategorizedFor {
			names = append(names, t.Name)
		}
	}
	return names
}

// issueWith checks what is known of a template against slots. The lock is held.
func (c *Catalog) issueWith(ref Ref, slots []pombo.Slot) pombo.TemplateIssue {
	t, ok := c.known[ref]
	if !ok {
		_, issue := pombo.FindTemplate(c.all, ref.Name, ref.Language)
		return issue
	}
	all := t.Check(t.Language, slots)
	if len(all) == 0 {
		return pombo.TemplateIssue{}
	}
	var messages, hints []string
	for _, m := range all {
		messages = append(messages, m.Message)
		if !slices.Contains(hints, m.Hint) {
			hints = append(hints, m.Hint)
		}
	}
	return pombo.TemplateIssue{Reason: all[0].Reason, Message: strings.Join(messages, "; "), Hint: strings.Join(hints, "; ")}
}

// Check returns what keeps these values from going with a template, and until when
// nothing will change about it (zero = until something is learned). The issue is zero
// when they go.
func (c *Catalog) Check(ref Ref, params []pombo.Param) (pombo.TemplateIssue, time.Time) {
	c.mu.RLock()
	if r, ok := c.refused[ref]; ok && time.Now().Before(r.until) {
		c.mu.RUnlock()
		return r.issue, r.until
	}
	known := c.known != nil
	for _, done := range c.checks[ref] {
		if Fills(params, done.slots) {
			c.mu.RUnlock()
			return done.issue, time.Time{}
		}
	}
	c.mu.RUnlock()
	if !known {
		return pombo.TemplateIssue{}, time.Time{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	done := check{slots: pombo.Slots(params)}
	done.issue = c.issueWith(ref, done.slots)
	kept := c.checks[ref]
	if len(kept) >= mostChecks {
		kept = nil
	}
	c.checks[ref] = append(kept, done)
	return done.issue, time.Time{}
}

// Fills reports whether the values go into exactly these slots.
func Fills(params []pombo.Param, slots []pombo.Slot) bool {
	return slices.EqualFunc(params, slots, func(p pombo.Param, slot pombo.Slot) bool { return p.Slot == slot })
}

// Refused records that Blip refused a message because of its template, and returns
// the issue and until when its notifications wait: longer each time.
func (c *Catalog) Refused(ref Ref, failure *pombo.Error) (pombo.TemplateIssue, time.Time) {
	issue := pombo.TemplateIssue{Reason: failure.Reason, Message: "Blip refused template " + ref.Name + ": " + failure.Reason.Message(), Hint: failure.Reason.Hint()}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	r := c.refused[ref]
	if now.After(r.until) { // not a message that was already on its way
		if now.Sub(r.until) > listAge {
			r.wait = 0 // it worked in between
		}
		r.wait = min(max(2*r.wait, 5*time.Minute), time.Hour)
		r.until = now.Add(r.wait)
	}
	r.issue = issue
	c.refused[ref] = r
	return issue, r.until
}

// Parked records that a notification is parked for its template, and logs it once
// for each template.
func (c *Catalog) Parked(ref Ref, issue pombo.TemplateIssue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parked[ref] == issue.Reason {
		return
	}
	c.parked[ref] = issue.Reason
	c.opts.Logger.Warn("rows of a template are parked; those of others go on", "template", ref.Name, "language", ref.Language, "reason", issue.Reason, "detail", issue.Message, "hint", issue.Hint)
	c.refresh.Set()
}

// Reconsider has what is parked looked at again: somebody else than Blip has stopped
// what stood in its way.
func (c *Catalog) Reconsider() { c.changed.Set() }

// Recheck is called once a parked notification is on record: its template may have
// come right between the check and the record, and then nobody else would free it.
func (c *Catalog) Recheck(ref Ref, params []pombo.Param) {
	if issue, _ := c.Check(ref, params); issue.Reason == pombo.NoReason {
		c.changed.Set()
	}
}
