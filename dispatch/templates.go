package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"pombo"
)

const (
	// catalogAge is how old the list of templates may get.
	catalogAge = 10 * time.Minute
	// templateWait is how long a row waits whose template does not send now.
	// A template that was just approved can take 20 minutes to arrive.
	templateWait = 5 * time.Minute
)

// catalog is what Blip says about the templates. While it could not be had,
// nothing is known and nothing is refused for it.
type catalog struct {
	name, language string // of rows that name no template
	list           func(context.Context) ([]pombo.Template, error)
	log            *slog.Logger

	mu    sync.RWMutex
	known map[string]entry // by name, in the configured language; nil = nothing is known
}

type entry struct {
	status    string
	variables int
}

func newCatalog(name, language string, list func(context.Context) ([]pombo.Template, error), log *slog.Logger) *catalog {
	return &catalog{name: name, language: language, list: list, log: log}
}

// listTemplates asks Blip, within the rate of commands.
func (e *Engine) listTemplates(ctx context.Context) ([]pombo.Template, error) {
	if err := e.pace.command(ctx); err != nil {
		return nil, err
	}
	return e.o.Blip.Templates(ctx)
}

// run keeps the catalog fresh.
func (c *catalog) run(ctx context.Context) {
	trouble := backoff{first: 5 * time.Second, most: catalogAge}
	for {
		wait := catalogAge
		if templates, err := c.list(ctx); err != nil {
			if ctx.Err() == nil {
				c.log.Warn("templates not listed; rows are sent unchecked", "error", err)
			}
			wait = trouble.next()
		} else {
			trouble.reset()
			c.set(templates)
		}
		if sleep(ctx, wait) != nil {
			return
		}
	}
}

func (c *catalog) set(templates []pombo.Template) {
	if len(templates) == 0 {
		return // an account without a template is no account to send with: do not believe it
	}
	known := make(map[string]entry, len(templates))
	for _, t := range templates {
		if t.Language == c.language || c.language == "" {
			known[t.Name] = entry{status: t.Status, variables: pombo.CountVariables(t.Body)}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = known
}

// nameOf returns the template that a notification is sent with.
func (c *catalog) nameOf(n *pombo.Notification) string {
	if n.Template != "" {
		return n.Template
	}
	return c.name
}

// look returns what is known about a template. known is false as long as
// nothing at all is; then there is nothing to hold against a row.
func (c *catalog) look(name string) (e entry, found, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, found = c.known[name]
	return e, found, c.known != nil
}
