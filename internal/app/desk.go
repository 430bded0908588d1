package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/blip"
	"pombo/internal/bulk"
	"pombo/internal/config"
	"pombo/internal/desk"
	"pombo/internal/dispatch"
	"pombo/internal/health"
	"pombo/internal/intake"
	"pombo/internal/ledger"
	"pombo/internal/phone"
	"pombo/internal/quiet"
	"pombo/internal/setup"
	"pombo/internal/source"
	"pombo/internal/tally"
	"pombo/internal/template"
)

var (
	_ desk.Users      = (*ledger.Desk)(nil)
	_ desk.Sessions   = (*ledger.Desk)(nil)
	_ desk.Trail      = (*ledger.Trail)(nil)
	_ desk.People     = (*deskPerson)(nil)
	_ desk.Messages   = deskMessages{}
	_ desk.Recipients = deskPeople{}
	_ desk.Replies    = deskReplies{}
	_ desk.Actions    = (*dispatch.Engine)(nil)
	_ desk.Rows       = (*source.Table)(nil)
)

// deskPerson is what the desk reads of a person, and how it erases one.
type deskPerson struct {
	*ledger.History
	*ledger.OptOutList
	db *ledger.DB
	// moved wakes the roads: what waited is cancelled.
	moved func()
}

func (p *deskPerson) Forget(ctx context.Context, n phone.Number, really bool) (pombo.Forgotten, error) {
	if really {
		defer p.moved()
	}
	return p.db.Retention.Forget(ctx, n, really)
}

// AuditKey is the key of the audit trail: that of the configuration, or the one beside a
// SQLite ledger, created if missing.
func AuditKey(c config.Config) (audit.Key, error) {
	if secret := c.Desk.AuditKey.Reveal(); secret != "" {
		return audit.NewKey(secret)
	}
	if file := c.AuditKeyFile(); file != "" {
		return audit.MakeKey(file)
	}
	return audit.Key{}, errors.New("AUDIT_KEY is not set: on a ledger in PostgreSQL it must be, the same on each machine")
}

// deskMessages is what the desk shows of notifications.
type deskMessages struct {
	*ledger.History
	*ledger.Templates
}

// deskReplies is what the desk shows of answers.
type deskReplies struct{ ledger *ledger.Replies }

func (d deskReplies) Replies(ctx context.Context, q pombo.ReplyQuery) (pombo.ReplyPage, error) {
	return d.ledger.List(ctx, q)
}

func (d deskReplies) AnswerCounts(ctx context.Context, from, to time.Time) ([]pombo.AnswerCount, error) {
	return d.ledger.AnswerCounts(ctx, from, to)
}

func (d deskReplies) Reply(ctx context.Context, number int64) (pombo.Reply, error) {
	return d.ledger.Reply(ctx, number)
}

// deskPeople is what the desk shows of a person.
type deskPeople struct {
	*ledger.OptOutList
	*quiet.Calendar
}

// deskFacts are what the desk's pages say about sending.
type deskFacts struct {
	*ledger.Reconciliation
	health  healthReader
	tallies *ledger.Tallies
	zone    *time.Location
}

func (f deskFacts) Health(ctx context.Context) (health.Snapshot, error) {
	return f.health.snapshot(ctx)
}

func (f deskFacts) Today(ctx context.Context) (tally.Today, error) {
	return tally.ReadToday(ctx, f.tallies, f.tallies.Now(), f.zone)
}

// deskSending is what an operator decides, by the same ways as through the API.
type deskSending struct {
	operator
	runs *intake.Runs
}

func (d deskSending) StartRun(ctx context.Context) (pombo.Run, bool, error) {
	return d.runs.StartRun(ctx)
}

// deskTable shows the statements as pombo sql does.
type deskTable struct{ *source.Table }

func (t deskTable) Statements() []desk.Statement {
	var list []desk.Statement
	for _, one := range t.SQL() {
		list = append(list, desk.Statement{Purpose: one.Purpose, Text: one.Text})
	}
	return list
}

// deskTemplates is what is known of templates.
type deskTemplates struct {
	holds
	blip   *blip.Client
	table  *source.Table
	config config.Config
}

func (t deskTemplates) Templates(ctx context.Context) ([]pombo.Template, error) {
	return t.blip.Templates(ctx)
}

func (t deskTemplates) Issues(one pombo.Template) []pombo.TemplateIssue {
	return one.Check(t.config.Blip.Language, setup.Slots(t.config.Source))
}

func (t deskTemplates) Row(ctx context.Context, rowKey string) (pombo.Row, error) {
	row, err := t.table.Row(ctx, rowKey)
	row.Template = cmp.Or(row.Template, t.config.Blip.Template)
	return row, err
}

// deskParts are what the desk needs besides the ledger.
type deskParts struct {
	key    audit.Key
	health healthReader
	table  *source.Table
	blip   *blip.Client
}

// openDesk prepares the desk; without an address there is none.
func (a *App) openDesk(o Options, p deskParts) (err error) {
	c := o.Config.Desk
	if c.Addr == "" {
		return nil
	}
	all := o.Config
	a.desk, err = desk.New(desk.Options{
		Users: a.ledger.Desk, Sessions: a.ledger.Desk, Trail: a.ledger.Trail, Key: p.key, Zone: all.Source.Zone,
		Facts:      deskFacts{a.ledger.Reconciliation, p.health, a.ledger.Tallies, all.Source.Zone},
		Sending:    deskSending{newOperator(a.ledger, a.engine, p.health), a.engine.Runs},
		Messages:   deskMessages{a.ledger.History, a.ledger.Templates},
		Replies:    deskReplies{a.ledger.Replies},
		People:     &deskPerson{a.ledger.History, a.ledger.OptOuts, a.ledger, a.engine.Signals.Moved},
		Recipients: deskPeople{a.ledger.OptOuts, quiet.New(all.Dispatch.Quiet, all.Source.Zone)},
		Actions:    a.engine,
		Figures:    a.ledger.Tallies,
		Bulks:      deskBulks{a.planner, a.ledger.Bulks},
		Templates:  deskTemplates{holds{a.engine.Holds, a.ledger.Templates}, p.blip, p.table, all},
		Category:   func(name string) (string, bool) { return a.engine.Templates.Category(template.Ref{Name: name}) },
		Runs:       a.ledger.Runs,
		Table:      deskTable{p.table},
		Compare:    a.reconciler.Run,
		OptOuts:    a.ledger.OptOuts,
		Checks:     []desk.Check{{Name: "source", Run: p.table.Check}, {Name: "ledger", Run: a.ledger.Check}, {Name: "blip", Run: p.blip.Check}},
		Rows:       p.table,
		Template:   all.Blip.Template, Language: all.Blip.Language, Pending: all.Source.Pending, Fallback: all.Source.Fallback != "", PerSecond: all.Blip.MessagesPerSecond,
		Retention: all.Ledger.Retention, NameSlot: c.Name, NameNumber: c.NameNumber,
		Hosts: c.Hosts, ProxyHeader: c.ProxyHeader, ProxyFrom: c.ProxyFrom, PlainHTTP: c.PlainHTTP,
		Logger: o.Logger, Version: o.Version,
	})
	return err
}

// deskBulks plans bulks and reads their progress from the ledger.
type deskBulks struct {
	*bulk.Planner
	*sets
}

type sets = ledger.Bulks // the embedded field must not be called as one of its methods

// deskAgain is how long after a try to listen the next one is made.
const deskAgain = 30 * time.Second

// serveDesk listens and serves until ctx ends. A port in use does not stop sending, unlike
// that of the API, without which nobody could start a run: messages matter more than a
// page. It is logged as an error and tried again until the port is free.
func (a *App) serveDesk(ctx context.Context, first net.Listener) {
	listener := first
	for listener == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(deskAgain):
		}
		listener = a.listenDesk(ctx)
	}
	server := desk.HTTPServer(a.desk)
	server.ErrorLog = slog.NewLogLogger(a.log.Handler().WithAttrs([]slog.Attr{slog.Any("often", pombo.Often("desk http"))}), slog.LevelWarn)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(end); err != nil {
			_ = server.Close() // pages that take longer are cut
		}
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		a.log.Error("the desk is no longer served", "error", err)
		return
	}
	<-stopped
}

// listenDesk binds the address; nil = it could not, which is in the log.
func (a *App) listenDesk(ctx context.Context) net.Listener {
	c := a.settings.Desk
	o := desk.ListenOptions{Addr: c.Addr, Cert: c.TLSCert, Key: c.TLSKey, Open: c.PlainHTTP || len(c.ProxyFrom) > 0, Logger: a.log}
	if c.OwnTLS {
		o.Own = a.settings.DeskCertificateFile()
	}
	listener, err := desk.Listen(ctx, o)
	if err != nil {
		a.log.Error("the desk is not served; messages go all the same", "error", err, "todo", "run pombo doctor", "often", pombo.Often("desk"))
		return nil
	}
	a.log.Info("the desk is served", "address", listener.Addr().String(), "tls", o.Cert != "" || o.Own != "")
	return listener
}

// startDesk serves the desk until the app stops.
func (a *App) startDesk(ctx context.Context) {
	if a.desk == nil {
		return
	}
	a.deskListener = a.listenDesk(ctx)
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() { a.desk.Run(serving) })
	work.Go(func() { a.serveDesk(serving, a.deskListener) })
	a.onStop("desk", func(context.Context) error { cancel(); work.Wait(); return nil })
}

// DeskAddr returns the address on which the desk is served, as host:port; "" = it is not.
func (a *App) DeskAddr() string {
	if a.deskListener == nil {
		return ""
	}
	return a.deskListener.Addr().String()
}

// retainTrail deletes from the ledger what the desk no longer needs, and lines of the
// trail that are older than AUDIT_RETENTION.
func (a *App) retainTrail(ctx context.Context) {
	next := time.NewTimer(firstKeep)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		removed, err := 0, a.ledger.Desk.Sweep(ctx)
		if age := a.settings.Desk.AuditRetention; age > 0 && err == nil {
			removed, err = a.ledger.Trail.RetireAudit(ctx, age)
		}
		wait := keepEvery
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Error("not all that is old has left the audit trail; it is tried again", "error", err)
			wait = keepAgain
		case removed > 0:
			a.log.Info("old lines left the audit trail", "lines", removed)
		}
		next.Reset(wait)
	}
}
