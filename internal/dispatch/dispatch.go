// Package dispatch runs the roads of one process together. The loops meet only in
// the ledger, so each of them may stop, fail or restart without the others:
//
//	source ──intake──▶ ledger ──delivery──▶ Blip
//	   ▲                 │  ▲                 │
//	   └─────settle──────┘  └────Resolver─────┘
//
// NewControls makes what the roads share, New makes the roads, Start and Stop run
// them. The logic of the roads is in their rooms.
package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/delivery"
	"pombo/internal/document"
	"pombo/internal/health"
	"pombo/internal/intake"
	"pombo/internal/leader"
	"pombo/internal/quiet"
	"pombo/internal/settle"
	"pombo/internal/template"
	"pombo/internal/throttle"
	"pombo/internal/tracing"
	"pombo/internal/words"
)

// Source is the company's table.
type Source interface {
	Page(ctx context.Context, after string, limit int) ([]pombo.Row, error)
	Problems() []pombo.RowProblem
	Row(ctx context.Context, key string) (pombo.Row, error)
	Statuses(ctx context.Context, keys []string) (map[string]string, error)
	Settle(ctx context.Context, batch []pombo.Settlement) ([]pombo.Settled, error)
}

// Ledger is one ledger as each room sees it.
type Ledger struct {
	Shared bool // other processes work on it too

	Throttle   throttle.Ledger
	Leadership leader.Ledger
	Lease      leader.LeaseLedger
	Reclaim    Reclaimer
	Parking    template.ParkingLedger
	Holds      throttle.HoldLedger
	Templates  TemplateLedger
	Intake     intake.Ledger
	Runs       intake.RunLedger
	Settle     settle.Ledger
	Delivery   delivery.Ledger
	Uncertain  delivery.UncertainLedger
	Expiry     delivery.ExpiryLedger
	OptOuts    delivery.OptOutLedger
	Operator   OperatorLedger
}

// TemplateLedger keeps the versions of the templates.
type TemplateLedger interface {
	// SaveTemplates records what is new in Blip's list.
	SaveTemplates(ctx context.Context, list []pombo.Template) error
}

// Reclaimer frees what dead processes had claimed.
type Reclaimer interface {
	Reclaim(ctx context.Context) (requeued, uncertain int, err error)
}

// Blip is the way to WhatsApp. Every error is a *pombo.Error.
type Blip interface {
	delivery.Blip
	Receipts(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	Templates(ctx context.Context) ([]pombo.Template, error)
}

// Options is what the roads are made of.
type Options struct {
	SourceName string // part of every id: see pombo.Key
	Source     Source
	Pending    string // the status code of pending rows
	Ledger     Ledger
	Blip       Blip
	Documents  delivery.Documents // nil = no header is uploaded
	Owner      string             // names this process in the ledger; must never be used twice

	Template string // the template of rows that name none
	Language string
	Slots    []pombo.Slot // those that the source's rows give values for, in order

	// Payload reports whether a button must name its message: see delivery.Options.
	Payload func(b pombo.Button) bool

	Workers           int           // calls to Blip at once; 0 = 64
	MessagesPerSecond float64       // 0 = no limit
	CommandsPerSecond float64       // 0 = no limit
	CallTime          time.Duration // how long a call to Blip may take; 0 = it is not known
	PollInterval      time.Duration // 0 = only runs take rows in
	JobInterval       time.Duration // how often the job asks for a run; 0 = it is not known
	Uncertain         delivery.Policies
	UncertainWait     time.Duration  // without a trace after this long it is sent again; 0 = 2 min
	Quiet             pombo.Quiet    // when nobody is disturbed, by the clock of the person
	Zone              *time.Location // of numbers whose zone is not known; nil = UTC
	Lease             time.Duration  // of the ledger; renewed every third of it; 0 = 30 s
	// FailuresBeforePause is after how many different people with the same failure
	// in a row the bot pauses; 0 = never.
	FailuresBeforePause int
	HighWater           int // intake waits while this many are queued; 0 = 5,000, or more with many workers

	Words      *words.Words    // in which the table says why a message was not sent; nil = English
	Logger     *slog.Logger    // nil = no log
	Tracer     *tracing.Tracer // nil = no spans
	Registerer prometheus.Registerer
}

// withDefaults checks the options and fills in what is zero.
func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Blip == nil:
		return o, errors.New("dispatch needs a Blip client")
	case o.Owner == "":
		return o, errors.New("dispatch needs an owner name")
	case o.Source == nil || o.SourceName == "":
		return o, errors.New("dispatch needs a source and its name")
	}
	o.Workers = cmp.Or(o.Workers, 64)
	o.UncertainWait = cmp.Or(o.UncertainWait, 2*time.Minute)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	if o.Documents == nil {
		o.Documents = document.New(document.Options{})
	}
	o.Words = cmp.Or(o.Words, words.In(words.English))
	o.HighWater = cmp.Or(o.HighWater, max(5000, 8*o.Workers))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, o.Uncertain.Validate()
}

// Controls is what the roads share with each other and with receipts: what holds
// messages back, what is known of health, and the signals that wake the loops.
type Controls struct {
	Throttle    *throttle.Throttle
	Templates   *template.Catalog
	Suspensions *throttle.Suspensions
	Holds       *throttle.Holds
	Health      *health.Tracker
	Signals     delivery.Signals

	opts Options
}

// NewControls checks the options and makes the controls. It starts nothing.
func NewControls(o Options) (*Controls, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	claims, inFlight := delivery.Capacity(o.Workers, o.MessagesPerSecond)
	t := throttle.New(throttle.Options{
		Ledger: o.Ledger.Throttle, Shared: o.Ledger.Shared, MessagesPerSecond: o.MessagesPerSecond, CommandsPerSecond: o.CommandsPerSecond,
		Callers: claims, InFlight: inFlight, FailuresBeforePause: o.FailuresBeforePause, Logger: o.Logger, Registerer: o.Registerer,
	})
	templates := template.New(template.Options{
		Default: o.Template, Language: o.Language, Slots: o.Slots, Logger: o.Logger, Registerer: o.Registerer,
		Save: o.Ledger.Templates.SaveTemplates,
		List: func(ctx context.Context) ([]pombo.Template, error) {
			if err := t.Pauser.WaitResumed(ctx); err != nil {
				return nil, err
			}
			if err := t.Rates.AcquireCommand(ctx); err != nil {
				return nil, err
			}
			return o.Blip.Templates(ctx)
		},
	})
	return &Controls{
		Throttle: t, Templates: templates, Suspensions: throttle.NewSuspensions(templates, o.Logger),
		Holds:  throttle.NewHolds(o.Ledger.Holds, templates, o.Ledger.Shared, o.Logger),
		Health: health.NewTracker(o.MessagesPerSecond, o.CallTime), Signals: delivery.NewSignals(), opts: o,
	}, nil
}

// Progress returns what this process remembers of its own work.
func (c *Controls) Progress() health.Progress {
	p := c.Health.Progress()
	p.Resumed = c.Throttle.Pauser.ResumedAt()
	p.Recategorized = c.Templates.Recategorized()
	p.PassEvery = cmp.Or(c.opts.PollInterval, c.opts.JobInterval)
	return p
}

// Leadership returns that of a job which one process does for all on the ledger.
func (c *Controls) Leadership(job string) *leader.Leadership {
	return leader.Of(c.opts.Ledger.Leadership, job, c.opts.Owner, c.opts.Logger)
}

// Engine has the roads and runs their loops between Start and Stop.
type Engine struct {
	*Controls
	Intake    *intake.Intake
	Runs      *intake.Runs
	Settler   *settle.Settler
	Deliverer *delivery.Deliverer
	Resolver  *delivery.Resolver
	Lease     *leader.Lease

	ledger  Ledger
	log     *slog.Logger
	parking *template.Parking
	expirer *delivery.Expirer
	optOuts *delivery.OptOuts

	running   context.Context // ends first: nothing begins any more
	stopLoops context.CancelFunc
	loops     sync.WaitGroup
	stopLease context.CancelFunc
	leases    sync.WaitGroup // the renewal of the lease: it ends last
}

// New makes the roads. record applies the receipt that ends a check of an uncertain
// message, with all its consequences. New starts nothing.
func New(c *Controls, record func(context.Context, []pombo.Receipt) error) *Engine {
	o := c.opts
	claims, _ := delivery.Capacity(o.Workers, o.MessagesPerSecond)
	metrics := delivery.NewMetrics(o.Registerer)
	e := &Engine{
		Controls: c, ledger: o.Ledger, log: o.Logger,
		Lease: leader.NewLease(o.Ledger.Lease, o.Owner, o.Lease, o.Logger),
		Intake: intake.New(intake.Options{
			SourceName: o.SourceName, Source: o.Source, Pending: o.Pending, Ledger: o.Ledger.Intake, Leadership: c.Leadership, Health: c.Health,
			PollInterval: o.PollInterval, HighWater: o.HighWater, Queued: c.Signals.Queued, Uncertain: c.Signals.Uncertain,
			Logger: o.Logger, Tracer: o.Tracer, Registerer: o.Registerer,
		}),
		Settler: settle.New(settle.Options{
			Source: o.Source, Ledger: o.Ledger.Settle, Leadership: c.Leadership("settle"), Health: c.Health, Due: c.Signals.Due, Words: o.Words,
			IsMarketing: func(name, language string) (is, known bool) {
				category, known := c.Templates.Category(c.Templates.Ref(name, language))
				return category == delivery.Marketing, known
			},
			Logger: o.Logger, Tracer: o.Tracer, Registerer: o.Registerer,
		}),
		Resolver: delivery.NewResolver(delivery.ResolverOptions{
			SourceName: o.SourceName, Source: o.Source, Pending: o.Pending, Ledger: o.Ledger.Uncertain, Receipts: o.Blip.Receipts, Record: record,
			Workers: o.Workers, Policies: o.Uncertain, Wait: o.UncertainWait, Throttle: c.Throttle, Templates: c.Templates,
			Signals: c.Signals, Metrics: metrics, Tracer: o.Tracer, Logger: o.Logger,
		}),
		parking: &template.Parking{Ledger: o.Ledger.Parking, Catalog: c.Templates, Freed: c.Signals.Queued.Set, Logger: o.Logger},
		expirer: &delivery.Expirer{Ledger: o.Ledger.Expiry, Due: c.Signals.Due, Metrics: metrics, Logger: o.Logger},
		optOuts: &delivery.OptOuts{Ledger: o.Ledger.OptOuts, Logger: o.Logger},
	}
	e.Runs = intake.NewRuns(intake.RunsOptions{
		Ledger: o.Ledger.Runs, Shared: o.Ledger.Shared, Intake: e.Intake, Idle: c.Signals.Idle, Due: c.Signals.Due, Logger: o.Logger,
	})
	e.Deliverer = delivery.New(delivery.Options{
		SourceName: o.SourceName, Source: o.Source, Pending: o.Pending, Slots: o.Slots, Ledger: o.Ledger.Delivery, Blip: o.Blip, Documents: o.Documents, Owner: o.Owner,
		Workers: o.Workers, Claims: claims, Policies: o.Uncertain, Payload: o.Payload,
		Throttle: c.Throttle, Suspensions: c.Suspensions, Holds: c.Holds, Templates: c.Templates, Quiet: quiet.New(o.Quiet, o.Zone), Lease: e.Lease,
		Health: c.Health, Signals: c.Signals, Metrics: metrics, Tracer: o.Tracer, Logger: o.Logger,
	})
	e.running, e.stopLoops = context.WithCancel(context.Background())
	return e
}

// Start frees what a dead process left in the ledger, takes up the run that it left
// under way, and starts the loops. Stop must be called afterwards.
func (e *Engine) Start(ctx context.Context) error {
	if err := e.Lease.Renew(ctx); err != nil {
		return fmt.Errorf("enter the ledger as %s: %w", e.opts.Owner, err)
	}
	for _, load := range []func(context.Context) error{e.reclaim, e.Throttle.Load, e.Holds.Reload, e.ledger.OptOuts.LoadOptOuts, e.Deliverer.Load, e.Runs.Load} {
		if err := load(ctx); err != nil {
			return err
		}
	}
	leasing, cancel := context.WithCancel(context.Background())
	e.stopLease = cancel
	e.leases.Go(func() { e.Lease.Run(leasing, e.afterRenewal) })
	loops := []func(context.Context){
		e.Deliverer.Run, e.Resolver.Run, e.Intake.Run, e.Runs.Run, e.Settler.Run,
		e.Templates.Run, e.Holds.Run, e.parking.Run, e.expirer.Run, e.optOuts.Run,
	}
	for _, run := range append(loops, e.Throttle.Loops()...) {
		e.loops.Go(func() { run(e.running) })
	}
	return nil
}

// Stop ends intake and claiming at once and lets the calls under way finish. When ctx
// ends first they are cut off; their rows become uncertain, which is recorded. It
// returns when nothing of the engine runs any more.
func (e *Engine) Stop(ctx context.Context) error {
	e.stopLoops()
	e.loops.Wait()
	err := e.Deliverer.Drain(ctx)
	e.stopLease()
	e.leases.Wait()
	return err
}

// afterRenewal gives back what no worker knows of, frees what dead processes had
// claimed and reads the pauses that others wrote. err is that of the renewal.
func (e *Engine) afterRenewal(ctx context.Context, err error) {
	// During a pause nothing else finds out whether the ledger can be written again.
	if ctx.Err() == nil && (err != nil || e.Throttle.Pauser.Paused()) {
		e.Health.LedgerAnswered(err)
	}
	if err == nil {
		if err := e.Deliverer.GiveBack(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("what is in flight not compared", "error", err)
		}
	}
	if err := e.reclaim(ctx); err != nil && ctx.Err() == nil {
		e.log.Error("reclaim failed", "error", err, "often", pombo.Often("reclaim"))
	}
	if err := e.Throttle.Pauser.Reload(ctx); err != nil && ctx.Err() == nil {
		e.log.Error("pause not read", "error", err, "often", pombo.Often("pause"))
	}
}

func (e *Engine) reclaim(ctx context.Context) error {
	requeued, uncertain, err := e.ledger.Reclaim.Reclaim(ctx)
	if err != nil {
		return fmt.Errorf("free what dead processes had claimed: %w", err)
	}
	if requeued+uncertain > 0 {
		e.log.Warn("freed what a dead process had claimed", "requeued", requeued, "uncertain", uncertain)
		e.Signals.Queued.Set()
		e.Signals.Uncertain.Set()
	}
	return nil
}
