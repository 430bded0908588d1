package dispatch_test

import (
	"context"
	"sync"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// What stands at the two ends of the engine: the table and Blip.

// table is a source in memory: rows by key, with their status.
type table struct {
	mu       sync.Mutex
	rows     []pombo.Row
	status   map[string]string
	away     error
	problems []pombo.RowProblem
	asked    int  // how often Statuses was
	hangs    bool // Statuses answers only when its time is over
	// onPage is called after a page has been read and before it is returned.
	onPage func()
}

func newTable(rows ...pombo.Row) *table {
	t := &table{rows: rows, status: map[string]string{}}
	for _, r := range rows {
		t.status[r.RowKey] = "1"
	}
	return t
}

func row(key, phone string, values ...string) pombo.Row {
	r := pombo.Row{RowKey: key, Recipient: pombo.Private(phone)}
	for _, v := range values {
		r.Params = append(r.Params, pombo.Param{Slot: pombo.Body, Value: pombo.Private(v)})
	}
	return r
}

func (t *table) Page(_ context.Context, after string, limit int) ([]pombo.Row, error) {
	t.mu.Lock()
	if t.away != nil {
		defer t.mu.Unlock()
		return nil, t.away
	}
	var page []pombo.Row
	for _, r := range t.rows {
		if r.RowKey > after && t.status[r.RowKey] == "1" && len(page) < limit {
			page = append(page, r)
		}
	}
	onPage := t.onPage
	t.mu.Unlock()
	if onPage != nil {
		onPage()
	}
	return page, nil
}

func (t *table) Problems() []pombo.RowProblem {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.problems
}

func (t *table) Row(_ context.Context, key string) (pombo.Row, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rows {
		if r.RowKey == key {
			return r, t.away
		}
	}
	return pombo.Row{}, pombo.ErrNotFound
}

func (t *table) Statuses(ctx context.Context, keys []string) (map[string]string, error) {
	t.mu.Lock()
	t.asked++
	hangs := t.hangs
	t.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[string]string{}
	for _, k := range keys {
		if s, ok := t.status[k]; ok {
			found[k] = s
		}
	}
	return found, t.away
}

func (t *table) Settle(_ context.Context, batch []pombo.Settlement) ([]pombo.Settled, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	results := make([]pombo.Settled, len(batch))
	for i, s := range batch {
		results[i] = pombo.Settled{Settlement: s}
		switch {
		case t.away != nil:
		case t.status[s.RowKey] == s.Expected, t.status[s.RowKey] == s.Code:
			t.status[s.RowKey] = s.Code
			results[i].Result = pombo.SettleDone
		default:
			results[i].Result = pombo.SettleDiverged
		}
	}
	return results, t.away
}

func (t *table) add(r pombo.Row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r)
	t.status[r.RowKey] = "1"
}

func (t *table) set(key, status string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status[key] = status
}

func (t *table) remove(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.status, key)
}

func (t *table) get(key string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status[key]
}

func (t *table) goAway(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away = err
}

// pretend is a Blip whose answers a test scripts.
type pretend struct {
	mu        sync.Mutex
	sent      []pombo.Message
	templates []pombo.Template
	// onSend, when set, decides about the n-th POST (from 1) of a message.
	onSend     func(ctx context.Context, m pombo.Message, nth int) error
	onIdentity func() error
	onReceipts func(id pombo.MessageID) ([]pombo.Receipt, error)
	// onTemplates is called when the templates are asked for.
	onTemplates  func()
	templatesErr error
	redirects    int         // commands that a reply's redirect takes
	commands     []time.Time // when each was made, but for the list of templates
}

func (p *pretend) command() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands = append(p.commands, time.Now())
}

func (p *pretend) Identity(_ context.Context, n phone.Number) (string, error) {
	p.command()
	p.mu.Lock()
	f := p.onIdentity
	p.mu.Unlock()
	if f != nil {
		if err := f(); err != nil {
			return "", err
		}
	}
	return n.E164()[1:] + "@wa.gw.msging.net", nil
}

func (p *pretend) Redirects() int { return p.redirects }
func (p *pretend) RedirectReply(context.Context, string, int) error {
	p.command()
	return nil
}

func (p *pretend) Send(ctx context.Context, m pombo.Message) error {
	p.mu.Lock()
	p.sent = append(p.sent, m)
	nth := 0
	for _, s := range p.sent {
		if s.MessageID == m.MessageID {
			nth++
		}
	}
	f := p.onSend
	p.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, m, nth)
}

func (p *pretend) Receipts(_ context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
	p.mu.Lock()
	f := p.onReceipts
	p.mu.Unlock()
	if f == nil {
		return nil, nil
	}
	return f(id)
}

func (p *pretend) Templates(context.Context) ([]pombo.Template, error) {
	p.mu.Lock()
	f := p.onTemplates
	p.mu.Unlock()
	if f != nil {
		f()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.templates, p.templatesErr
}

func (p *pretend) posts(id pombo.MessageID) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.sent {
		if m.MessageID == id {
			n++
		}
	}
	return n
}
