package desk

import (
	"context"
	"net/http"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
	"pombo/internal/health"
	"pombo/internal/tally"
	"pombo/internal/words"
)

// Facts is what the pages say about sending.
type Facts interface {
	// Health explains why messages go, or why they do not.
	Health(ctx context.Context) (health.Snapshot, error)
	// Today has the figures of the day and of its hours.
	Today(ctx context.Context) (tally.Today, error)
	// LastReconciliation is pombo.ErrNotFound when nothing has been compared yet.
	LastReconciliation(ctx context.Context) (pombo.Reconciliation, error)
}

// Check asks one part of the world whether it can be used.
type Check struct {
	Name string // source, ledger or blip
	// Run returns nil when the part can be used, else an error that is safe to show. It
	// must return soon after ctx has ended.
	Run func(ctx context.Context) error
}

// partState is how a check ended, and how long it took.
type partState struct {
	name string
	took time.Duration
	err  error
}

const (
	keepFacts   = 2 * time.Second
	keepFigures = 10 * time.Second // they are counted once a minute
	keepChecks  = 15 * time.Second // a check of Blip costs a command
)

// facts are shared by all tabs: each is read once in a while, however many need it.
type facts struct {
	health    *kept[health.Snapshot]
	today     *kept[tally.Today]
	compared  *kept[pombo.Reconciliation]
	checks    *kept[[]partState]
	templates *kept[templateList]
	lines     *kept[[]audit.Entry]
}

func (s *Server) newFacts() facts {
	o := s.o
	return facts{
		health:    keep(o.Now, keepFacts, o.Facts.Health),
		today:     keep(o.Now, keepFigures, o.Facts.Today),
		compared:  keep(o.Now, keepFigures, o.Facts.LastReconciliation),
		checks:    keep(o.Now, keepChecks, func(ctx context.Context) ([]partState, error) { return runChecks(ctx, o.Checks), nil }),
		templates: s.newTemplateList(),
		// The newest lines and not those since a time: they are found without a search.
		lines: keep(o.Now, keepFigures, func(ctx context.Context) ([]audit.Entry, error) {
			return o.Trail.Audit(ctx, audit.Filter{Limit: newsLines})
		}),
	}
}

// runChecks runs the checks at the same time.
func runChecks(ctx context.Context, checks []Check) []partState {
	out := make([]partState, len(checks))
	done := make(chan struct{}, len(checks))
	for i, c := range checks {
		go func() { // the loop below waits for it
			begun := time.Now()
			err := c.Run(ctx)
			out[i] = partState{c.Name, time.Since(begun), err}
			done <- struct{}{}
		}()
	}
	for range checks {
		<-done
	}
	return out
}

// kept is an answer that is given again for a while. One visitor asks, the others wait
// for the same answer.
type kept[T any] struct {
	turn   chan struct{} // of size one; the one who has it asks
	now    func() time.Time
	fresh  time.Duration
	within time.Duration // the answer must come
	ask    func(context.Context) (T, error)

	last  T
	err   error
	until time.Time
}

func keep[T any](now func() time.Time, fresh time.Duration, ask func(context.Context) (T, error)) *kept[T] {
	return &kept[T]{turn: make(chan struct{}, 1), now: now, fresh: fresh, within: readTime, ask: ask}
}

// get returns the answer. A visitor who goes away does not take it from the others.
func (k *kept[T]) get(ctx context.Context) (T, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	if now := k.now(); !now.Before(k.until) || now.Add(k.fresh).Before(k.until) {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.within)
		defer cancel()
		k.last, k.err = k.ask(asking)
		k.until = k.now().Add(k.fresh)
	}
	return k.last, k.err
}

// forget makes the next visitor ask again, after a change.
func (k *kept[T]) forget(ctx context.Context) {
	select {
	case k.turn <- struct{}{}:
		k.until = time.Time{}
		<-k.turn
	case <-ctx.Done():
	}
}

// headline says whether messages go. It has an answer also when the ledger has none.
func (s *Server) headline(ctx context.Context, say *words.Words) *page.Headline {
	snapshot, err := s.facts.health.get(ctx)
	h := health.LedgerAway()
	if err == nil {
		h = snapshot.Headline()
	}
	return &page.Headline{Level: string(h.Level), Text: say.Say(h.What)}
}

// wantsHeadline reports whether our script asks for the one part that every page has. It
// is answered before the page is looked at: no page is made for it, and no visitor gets a
// refusal every five seconds.
func wantsHeadline(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get(partHeader) == "headline"
}

// errLedgerAway is what a script gets in place of a part: it says that there is no news.
var errLedgerAway = &refusal{status: http.StatusServiceUnavailable, key: "error.unable"}

// getHeadline answers wantsHeadline.
func (s *Server) getHeadline(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.facts.health.get(r.Context()); err != nil {
		return errLedgerAway
	}
	return s.render(w, r, "now", nil)
}
