// Package app is the running process as a value: New opens and binds, Start
// serves, Stop ends everything in reverse order, Addr tells where it listens.
// It is the one place where the parts meet, so the wiring reads top to bottom:
//
//	source and ledger, Blip, the engine between them, receipts, then the API and the desk
//
// A part that is away when the process starts (the company's database, Blip)
// does not keep it from starting: GET /readyz says so, and the loops go on by
// themselves when the part is back. It waits only for a ledger whose database is away,
// some minutes: without it nothing could be answered truthfully. What cannot come right
// by itself (a wrong configuration, a ledger that is in use or newer than the program,
// a port in use) is an error of New with what to do.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/blip"
	"pombo/internal/bulk"
	"pombo/internal/config"
	"pombo/internal/delivery"
	"pombo/internal/desk"
	"pombo/internal/dispatch"
	"pombo/internal/document"
	"pombo/internal/events"
	"pombo/internal/health"
	"pombo/internal/intake"
	"pombo/internal/ledger"
	"pombo/internal/phone"
	"pombo/internal/port"
	"pombo/internal/receipts"
	"pombo/internal/reconcile"
	"pombo/internal/setup"
	"pombo/internal/source"
	"pombo/internal/tally"
	"pombo/internal/telemetry"
	"pombo/internal/words"
)

// Options is what an App is made of.
type Options struct {
	Config  config.Config
	Version string
	Logger  *slog.Logger // nil = no log
	// Registry gets the metrics and is served at /metrics.
	Registry *prometheus.Registry
	// ReceiptSchedule replaces the usual ages at which Blip is asked what became
	// of a message, and what people answered; the demo has no three days.
	ReceiptSchedule []time.Duration
	// LedgerWait is how long New waits while the ledger's database is away; 0 = 5
	// minutes.
	LedgerWait time.Duration
}

// App is the process of `pombo serve`.
type App struct {
	settings config.Config
	log      *slog.Logger
	ledger   *ledger.DB
	engine   *dispatch.Engine
	poller   *receipts.Poller
	threads  *receipts.Threads
	api      *api.Server
	server   *http.Server
	listener net.Listener

	reconciler *reconcile.Reconciler
	planner    *bulk.Planner
	bulks      *bulk.Runner
	counter    *tally.Counter
	events     *events.Sender // nil = no EVENTS_URL

	known healthReader  // why messages go, or why they do not
	asked chan struct{} // closed when somebody asks for a stop over the API
	ask   sync.Once

	desk         *desk.Server // nil = there is none
	deskListener net.Listener // nil = its address could not be bound at the start

	loops     sync.WaitGroup
	failed    chan error
	stopLoops context.CancelFunc
	stops     []stop
}

// stop is a clean-up, named for the log.
type stop struct {
	name string
	run  func(context.Context) error
}

var (
	_ dispatch.Source = (*source.Table)(nil)
	_ dispatch.Blip   = (*blip.Client)(nil)
	_ api.Webhook     = (*receipts.Webhook)(nil)
	_ api.Ledger      = operator{}
	_ api.Runs        = (*intake.Runs)(nil)

	_ reconcile.Statuses = (*source.Table)(nil)
	_ reconcile.Reviewer = (*ledger.Reconciliation)(nil)
	_ reconcile.Ledger   = (*ledger.Reconciliation)(nil)
)

// New opens the ledger, prepares every part and binds the address. Nothing is
// sent or taken in before Start. When it fails, what was opened is closed.
func New(ctx context.Context, o Options) (a *App, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a = &App{log: o.Logger, failed: make(chan error, 1), asked: make(chan struct{}), settings: o.Config}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
			a = nil
		}
	}()
	c := o.Config
	tracer, stopTraces := telemetry.OpenTraces(traces(o))
	a.onStop("traces", stopTraces) // last, so that they include the stops of the others

	if err := api.CheckAddr(c.API.Addr, c.API.Token.Reveal()); err != nil {
		return a, err
	}
	table, err := setup.OpenSource(ctx, setup.Source(c.Source))
	if err != nil {
		return a, err
	}
	a.onStop("source", func(context.Context) error { return table.Close() })

	client, err := blip.New(setup.Blip(c, o.Registry))
	if err != nil {
		return a, err
	}
	a.onStop("Blip", func(context.Context) error { client.Close(); return nil })

	schedule, few, conversations := o.ReceiptSchedule, []time.Duration(nil), o.ReceiptSchedule
	if len(schedule) == 0 {
		schedule, few, conversations = receipts.Schedule(), receipts.Sparse(), receipts.ThreadSchedule()
	}
	replies := setup.Replies(c)
	replies.Poll = conversations[0]
	a.ledger, err = openLedger(ctx, ledger.Options{
		URL:       c.Ledger.URL.Reveal(),
		Source:    c.Source.Name,
		Template:  c.Blip.Template,
		Exclusive: true,
		Pending:   c.Source.Pending,
		Codes:     setup.Codes(c.Source),
		Fallback:  ledger.Fallback{Code: c.Source.Fallback, On: c.Source.FallbackOn, After: c.Source.FallbackAfter},
		Replies:   replies,
		FirstPoll: schedule[0],
		Lease:     lease,
		Timeout:   c.Ledger.Timeout,
		Events:    c.Events.URL != "",
		Logger:    o.Logger,

		ResendsBeforePause: c.Dispatch.ResendsBeforePause,
	}, o.LedgerWait, o.Logger)
	if err != nil {
		return a, err
	}
	a.onStop("ledger", func(context.Context) error { return a.ledger.Close() })
	key, err := AuditKey(c)
	if err != nil && c.Desk.Addr != "" {
		return a, err
	}

	controls, err := dispatch.NewControls(dispatch.Options{
		SourceName:          c.Source.Name,
		Source:              table,
		Pending:             c.Source.Pending,
		Ledger:              rooms(a.ledger),
		Blip:                client,
		Owner:               owner(),
		Template:            c.Blip.Template,
		Language:            c.Blip.Language,
		Documents:           document.New(document.Options{Dir: c.Dispatch.DocumentsDir, Source: table}),
		Slots:               setup.Slots(c.Source),
		Payload:             setup.Payload(c),
		Workers:             c.Dispatch.Workers,
		MessagesPerSecond:   c.Blip.MessagesPerSecond,
		CommandsPerSecond:   c.Blip.CommandsPerSecond,
		CallTime:            c.Blip.Timeout,
		PollInterval:        c.Dispatch.PollInterval,
		JobInterval:         c.Job.Interval,
		Words:               words.In(c.Language),
		Uncertain:           policies(c.Dispatch.Uncertain, c.Dispatch.UncertainTemplates),
		UncertainWait:       c.Dispatch.UncertainWait,
		Quiet:               c.Dispatch.Quiet,
		FailuresBeforePause: c.Dispatch.FailuresBeforePause,
		Zone:                c.Source.Zone,
		Lease:               lease,
		Logger:              o.Logger,
		Tracer:              tracer,
		Registerer:          o.Registry,
	})
	if err != nil {
		return a, err
	}
	recorder, err := receipts.NewRecorder(receipts.RecorderOptions{
		Ledger: recordLedger{a.ledger.Receipts, a.ledger.History}, OptOuts: a.ledger.OptOuts, SuspendTemplate: controls.Suspensions.Suspend, PauseBot: controls.Throttle.Pauser.Extend,
		Failed: controls.Throttle.Breaker.Failed, Delivered: controls.Throttle.Breaker.Delivered,
		Moved:  func() { controls.Health.ReceiptCame(); controls.Signals.Moved() },
		Logger: o.Logger, Tracer: tracer, Registerer: o.Registry,
	})
	if err != nil {
		return a, err
	}
	record := func(ctx context.Context, list []pombo.Receipt) error {
		_, err := recorder.Record(ctx, list)
		return err
	}
	a.engine = dispatch.New(controls, record)
	a.planner, a.bulks = newBulks(a.ledger, a.engine, o.Logger)
	a.reconciler, err = reconcile.New(reconcile.Options{
		SourceName: c.Source.Name, Source: table, Pending: c.Source.Pending, Ledger: a.ledger.Reconciliation,
		Ask: client.Receipts, Acquire: controls.Throttle.Rates.AcquireQuestion, PerSecond: c.Blip.CommandsPerSecond / 4, Leads: controls.Leadership("reconcile").TryAcquire,
		Record: record, Logger: o.Logger, Registerer: o.Registry,
	})
	if err != nil {
		return a, err
	}
	a.counter, err = tally.NewCounter(tally.Options{
		Ledger: a.ledger.Tallies, Leadership: controls.Leadership, Retention: c.Ledger.Retention, Zone: c.Source.Zone, Logger: o.Logger,
	})
	if err != nil {
		return a, err
	}
	polls := receipts.PollerOptions{
		Ledger: a.ledger.Receipts, Recorder: recorder, Ask: client.Receipts, Acquire: controls.Throttle.Rates.AcquireQuestion,
		CommandsPerSecond: c.Blip.CommandsPerSecond, Leads: controls.Leadership("receipts").TryAcquire, Schedule: schedule, Sparse: few,
	}
	inbox, err := receipts.NewInbox(receipts.InboxOptions{
		Recorder: recorder, Replies: a.ledger.Replies, Words: c.API.OptOutWords, Answered: controls.Signals.Moved,
	})
	if err != nil {
		return a, err
	}
	reads := receipts.ThreadsOptions{
		Ledger: a.ledger.Replies, Inbox: inbox, Ask: client.Thread, Acquire: controls.Throttle.Rates.AcquireQuestion,
		CommandsPerSecond: c.Blip.CommandsPerSecond, Leads: controls.Leadership("replies").TryAcquire, Schedule: conversations,
	}
	var webhook api.Webhook // nil without a secret
	if secret := c.API.WebhookSecret.Reveal(); secret != "" {
		hook, err := receipts.NewWebhook(receipts.WebhookOptions{
			Secret: secret, Recorder: recorder, Inbox: inbox,
			ParseReceipts: blip.ParseReceipts, ParseMessages: blip.ParseMessages,
		})
		if err != nil {
			return a, err
		}
		webhook, polls.LastWebhook, reads.LastMessage = hook, hook.Last, hook.LastMessage
	}
	if a.threads, err = receipts.NewThreads(reads); err != nil {
		return a, err
	}
	if a.poller, err = receipts.NewPoller(polls); err != nil {
		return a, err
	}
	known := healthReader{a.ledger, controls, c.Source.Zone, c.Events.URL != "", ledgerFolder(c.Ledger.URL.Reveal())}
	a.known = known
	if err := a.newEvents(o, controls, known); err != nil {
		return a, err
	}
	o.Registry.MustRegister(newBacklog(known, table))
	if err := a.openDesk(o, deskParts{key, known, table, client}); err != nil {
		return a, err
	}

	a.api, err = api.New(api.Options{
		Runs:      a.engine.Runs,
		Ledger:    newOperator(a.ledger, a.engine, known),
		Add:       a.engine.Intake.Add,
		Templates: client.Templates,
		Holds:     holds{controls.Holds, a.ledger.Templates},
		Events:    a.ledger.Outbox,
		Reconcile: a.reconciler.Run,
		Stop:      func() { a.ask.Do(func() { close(a.asked) }) },
		CheckTemplate: func(t pombo.Template) []pombo.TemplateIssue {
			return t.Check(c.Blip.Language, setup.Slots(c.Source))
		},
		Checks: []api.Check{
			{Name: "source", Run: table.Check},
			{Name: "ledger", Run: a.ledger.Check},
			{Name: "blip", Run: client.Check},
			{Name: "sending", Run: known.check},
		},
		Trail:   a.ledger.Trail,
		Key:     key,
		Metrics: telemetry.Handler(o.Registry, o.Logger),
		Webhook: webhook,
		Token:   c.API.Token.Reveal(),
		Words:   words.In(c.Language),
		Logger:  o.Logger,
		Version: o.Version,
	})
	if err != nil {
		return a, err
	}
	a.listener, err = port.Listen(ctx, c.API.Addr)
	if err != nil {
		return a, fmt.Errorf("listen on API_ADDR=%s: %w: choose another port, or stop the program that has it", c.API.Addr, err)
	}
	a.onStop("address", func(context.Context) error { return ignoreClosed(a.listener.Close()) })
	a.server = api.HTTPServer(a.api)
	a.server.ErrorLog = slog.NewLogLogger(o.Logger.Handler().WithAttrs([]slog.Attr{slog.Any("often", pombo.Often("http"))}), slog.LevelWarn)
	return a, nil
}

// lease is how long the ledger waits for a silent process.
const lease = 30 * time.Second

// owner names this process in the ledger. The time makes it new after a restart
// that got the same process number.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + ":" + strconv.Itoa(os.Getpid()) + ":" + strconv.FormatInt(time.Now().UnixNano(), 36)
}

func policies(usual string, ofTemplates map[string]string) delivery.Policies {
	p := delivery.Policies{Default: delivery.Policy(usual), ByTemplate: make(map[string]delivery.Policy, len(ofTemplates))}
	for template, policy := range ofTemplates {
		p.ByTemplate[template] = delivery.Policy(policy)
	}
	return p
}

// operator is the ledger as the API uses it. Every change made by hand wakes the roads,
// and a pause applies at once.
type operator struct {
	*ledger.History
	*ledger.RunLog
	*ledger.OptOutList
	*ledger.Reconciliation
	db     *ledger.DB
	engine *dispatch.Engine
	known  healthReader
}

func newOperator(db *ledger.DB, engine *dispatch.Engine, known healthReader) operator {
	return operator{db.History, db.Runs, db.OptOuts, db.Reconciliation, db, engine, known}
}

// Health explains why messages go, or why they do not.
func (o operator) Health(ctx context.Context) (health.Snapshot, error) {
	return o.known.snapshot(ctx)
}

func (o operator) Retry(ctx context.Context, id pombo.MessageID) error {
	return o.engine.Retry(ctx, id)
}

// Replies lists what people answered.
func (o operator) Replies(ctx context.Context, q pombo.ReplyQuery) (pombo.ReplyPage, error) {
	return o.db.Replies.List(ctx, q)
}

// ReleaseResends and SettleResends end the wait of the rows that the guard has stopped.
func (o operator) ReleaseResends(ctx context.Context) (int, error) {
	defer o.engine.Signals.Moved()
	return o.db.Operator.ReleaseResends(ctx)
}

func (o operator) SettleResends(ctx context.Context) (int, error) {
	defer o.engine.Signals.Moved()
	return o.db.Operator.SettleResends(ctx)
}

func (o operator) Cancel(ctx context.Context, id pombo.MessageID) error {
	return o.engine.Cancel(ctx, id)
}

func (o operator) Forget(ctx context.Context, n phone.Number, really bool) (pombo.Forgotten, error) {
	if really {
		defer o.engine.Signals.Moved() // what waited is cancelled
	}
	return o.db.Retention.Forget(ctx, n, really)
}

func (o operator) Pause(ctx context.Context, p pombo.Pause) error {
	return o.engine.Throttle.Pauser.Pause(ctx, p)
}
func (o operator) Resume(ctx context.Context) error { return o.engine.Throttle.Pauser.Resume(ctx) }
func (o operator) Paused(context.Context) (pombo.Pause, bool, error) {
	p, paused := o.engine.Throttle.Pauser.Current()
	return p, paused, nil
}

// Start starts the loops and serves. It returns when requests are answered.
func (a *App) Start(ctx context.Context) error {
	if empty, err := a.ledger.Reconciliation.Empty(ctx); err == nil && empty {
		a.log.Warn("the ledger is new; should it stand in for one that was lost, stop and run pombo recover before anything is sent")
	}
	if err := a.engine.Start(ctx); err != nil {
		return err
	}
	a.onStop("sending", a.engine.Stop)

	loops, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.stopLoops = cancel
	a.loops.Go(func() { a.poller.Run(loops) })
	a.loops.Go(func() { a.threads.Run(loops) })
	a.loops.Go(func() { a.retain(loops) })
	a.loops.Go(func() { a.bulks.Run(loops) })
	a.loops.Go(func() { a.retainTrail(loops) })
	a.loops.Go(func() { a.counter.Run(loops) })
	if a.events != nil {
		a.loops.Go(func() { a.events.Run(loops) })
	}
	if at := a.settings.Ledger.ReconcileAt; at != config.Never {
		a.loops.Go(func() { a.reconciler.Daily(loops, at, a.settings.Source.Zone) })
	}
	a.onStop("receipts and upkeep", func(context.Context) error { cancel(); a.loops.Wait(); return nil })

	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serve: %w", err)
		}
	}()
	a.onStop("API", func(ctx context.Context) error {
		err := errors.Join(a.api.Close(ctx), a.server.Shutdown(ctx))
		if err != nil {
			err = errors.Join(err, a.server.Close())
		}
		<-served
		return err
	})
	a.startDesk(ctx)
	a.log.Info("serving", "address", a.Addr())
	return nil
}

// Addr returns the address that is listened on, as host:port.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Failed delivers the error that ended serving by itself, if one does.
func (a *App) Failed() <-chan error { return a.failed }

// StopAsked is closed when somebody asks for a stop over the API. The caller of Start
// then calls Stop, and Release when the process is about to end.
func (a *App) StopAsked() <-chan struct{} { return a.asked }

// Release answers the callers that asked for the stop and wait for the end of the
// process.
func (a *App) Release() { a.api.Release() }

// Alerts lists what needs attention now, the worst first. While the ledger does not answer,
// that is the only one.
func (a *App) Alerts(ctx context.Context) []health.Alert {
	f, err := a.known.snapshot(ctx)
	if err != nil {
		return []health.Alert{health.LedgerSilent()}
	}
	return f.Alerts()
}

// Stop ends what New and Start have begun, in reverse order: first no more
// requests, then no more sending (calls under way may end until ctx does), then
// the ledger. It may be called after a failed New or Start and more than once.
func (a *App) Stop(ctx context.Context) error {
	var errs []error
	for _, s := range slices.Backward(a.stops) {
		if err := s.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	a.stops = nil
	err := errors.Join(errs...)
	if a.api != nil {
		a.api.Stopped(err)
	}
	return err
}

func (a *App) onStop(name string, run func(context.Context) error) {
	a.stops = append(a.stops, stop{name, run})
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
