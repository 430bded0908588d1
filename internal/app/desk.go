package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/config"
	"pombo/internal/desk"
	"pombo/internal/ledger"
	"pombo/internal/phone"
)

var (
	_ desk.Users    = (*ledger.Desk)(nil)
	_ desk.Sessions = (*ledger.Desk)(nil)
	_ desk.Trail    = (*ledger.Trail)(nil)
	_ desk.People   = (*people)(nil)
)

// people is what the desk reads of a person, and how it erases one.
type people struct {
	*ledger.History
	*ledger.OptOutList
	db *ledger.DB
	// moved wakes the roads: what waited is cancelled.
	moved func()
}

func (p *people) Forget(ctx context.Context, n phone.Number, really bool) (pombo.Forgotten, error) {
	if really {
		defer p.moved()
	}
	return p.db.Retention.Forget(ctx, n, really)
}

// AuditKey is the key of the audit trail: that of the configuration, or the one beside a
// SQLite ledger, which is made when it is not there.
func AuditKey(c config.Config) (audit.Key, error) {
	if secret := c.Desk.AuditKey.Reveal(); secret != "" {
		return audit.NewKey(secret)
	}
	if file := c.AuditKeyFile(); file != "" {
		return audit.MakeKey(file)
	}
	return audit.Key{}, errors.New("AUDIT_KEY is not set: on a ledger in PostgreSQL it must be, the same on each machine")
}

// openDesk prepares the desk; without an address there is none.
func (a *App) openDesk(o Options, key audit.Key) (err error) {
	c := o.Config.Desk
	if c.Addr == "" {
		return nil
	}
	a.desk, err = desk.New(desk.Options{
		Users: a.ledger.Desk, Sessions: a.ledger.Desk, Trail: a.ledger.Trail, Key: key, Zone: o.Config.Source.Zone,
		People:    &people{a.ledger.History, a.ledger.OptOuts, a.ledger, func() { a.engine.Signals.Moved() }}, // the engine is made later
		Retention: o.Config.Ledger.Retention,
		Hosts:     c.Hosts, ProxyHeader: c.ProxyHeader, ProxyFrom: c.ProxyFrom, PlainHTTP: c.PlainHTTP,
		Logger: o.Logger, Version: o.Version,
	})
	return err
}

// deskAgain is how long after a try to listen the next one is made.
const deskAgain = 30 * time.Second

// serveDesk listens and serves until ctx ends. A port that is in use is no reason not to
// send, unlike that of the API, without which nobody could start a run: people would
// rather have their messages go than a program that stands still because of a page. So
// it is said loudly and tried again, until whoever has the port gives it back.
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.serveDesk(serving, a.deskListener)
	}()
	a.onStop("desk", func(context.Context) error { cancel(); <-done; return nil })
}

// DeskAddr returns the address on which the desk is served, as host:port; "" = it is not.
func (a *App) DeskAddr() string {
	if a.deskListener == nil {
		return ""
	}
	return a.deskListener.Addr().String()
}

// retainTrail takes out of the ledger what the desk no longer needs, and lines of the
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
