// Package dispatch moves notifications along the road: it takes pending rows
// in, delivers them to Blip and settles the results in the source. The loops
// meet only in the ledger, so each of them may stop, fail or restart without
// the others:
//
//	source ──intake──▶ ledger ──deliver──▶ Blip       intake.go, deliver.go
//	   ▲                 │  ▲               │
//	   └─────settle──────┘  └──uncertain────┘         settle.go, uncertain.go
//
// A loop finds work and calls the step that does it: TakeIn, Deliver, Resolve,
// Settle. Each step may be made by itself, at any time and by several processes
// at once; nothing depends on who calls it.
//
// deliver.go is the one road: a run, a retry and a message that came over HTTP
// all end there. It writes "sending" durably before the first byte leaves and
// the outcome after it; what happens in between decides whether a second POST
// may ever be made. A failure to record an outcome is retried until it
// succeeds or the process dies; it never sends again.
//
// Whether a message may go at all, and whether it may go now, is asked on that
// road: permission.go knows who opted out, when nobody is disturbed and what is
// too late; wanted.go asks the source whether a row that has waited still stands.
//
// WORKERS is how many calls to Blip may be under way at once. Four times as many
// notifications are in hand, and more where no rate holds them back, so that the
// ones whose begin or outcome is being made durable do not keep a call from being
// made. While Blip is in trouble fewer messages leave (flight.go). Under a rate most of
// those in hand wait: order.go lets the urgent ones go first.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/health"
	"pombo/internal/intake"
	"pombo/internal/leader"
	"pombo/internal/phone"
	"pombo/internal/quiet"
	"pombo/internal/settle"
	"pombo/internal/template"
	"pombo/internal/throttle"
	"pombo/internal/wait"
)

// Source is the company's table.
type Source interface {
	// Page returns pending rows whose key comes after the given one in the
	// key's own order; "" starts at the beginning.
	Page(ctx context.Context, after string, limit int) ([]pombo.Row, error)
	// Problems returns the pending rows that the last pass could not take in.
	Problems() []pombo.RowProblem
	// Row reads one row whatever its status; pombo.ErrNotFound when it is gone.
	Row(ctx context.Context, key string) (pombo.Row, error)
	// Statuses returns the present status code by key; a row that is gone has none.
	Statuses(ctx context.Context, keys []string) (map[string]string, error)
	// Settle writes results back and returns one answer for each, in order.
	Settle(ctx context.Context, batch []pombo.Settlement) ([]pombo.Settled, error)
}

// Ledger is the durable queue. Its parts stand beside the code that uses them.
type Ledger interface {
	intake.Ledger
	intake.RunLedger
	settle.Ledger
	deliverLedger
	uncertainLedger
	operatorLedger
	throttle.Ledger
	leader.Ledger
	leader.LeaseLedger
	template.ParkingLedger
	// Shared reports whether other processes work on the same ledger.
	Shared() bool
	// Reclaim frees what dead owners had claimed.
	Reclaim(ctx context.Context) (requeued, uncertain int, err error)
	// ClaimedBy lists what this owner has claimed or is sending.
	ClaimedBy(ctx context.Context, owner string) ([]pombo.Notification, error)
}

// Blip is the way to WhatsApp. Every error is a *pombo.Error.
type Blip interface {
	Identity(ctx context.Context, n phone.Number) (string, error)
	// RedirectReply makes one of the commands, of which there are Redirects, that
	// put the person's reply where the settings say.
	Redirects() int
	RedirectReply(ctx context.Context, identity string, step int) error
	Send(ctx context.Context, m pombo.Message) error
	Receipts(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	Templates(ctx context.Context) ([]pombo.Template, error)
}

// Policy says what to do with a message that left without an answer.
type Policy string

// The policies.
const (
	// Check asks Blip for the id and sends again only if it has no trace.
	Check Policy = "check"
	// Hold leaves the decision to a person.
	Hold Policy = "hold"
	// Resend sends again at once: rather twice than never.
	Resend Policy = "resend"
)

func (p Policy) valid() bool { return p == Check || p == Hold || p == Resend }

// Options is what an Engine is made of.
type Options struct {
	SourceName string // part of every id: see pombo.Key
	Source     Source
	Pending    string // the status code of pending rows
	Ledger     Ledger
	Blip       Blip
	Owner      string // names this process in the ledger; must never be used twice

	Template string // the template of rows that name none
	Language string
	// Places are those that the source's rows give values for, in their order.
	Places []pombo.Slot

	Workers           int           // calls to Blip at once; 0 = 64
	MessagesPerSecond float64       // 0 = no limit
	CommandsPerSecond float64       // 0 = no limit
	CallTime          time.Duration // how long a call to Blip may take; 0 = it is not known
	PollInterval      time.Duration
	Uncertain         Policy        // "" = Check
	UncertainWait     time.Duration // without a trace after this long it is sent again; 0 = 2 min
	// UncertainTemplates has the policy of templates that differ from Uncertain.
	UncertainTemplates map[string]Policy
	Quiet              pombo.Quiet    // when nobody is disturbed, by the clock of the person
	Zone               *time.Location // of numbers whose zone is not known; nil = UTC
	Lease              time.Duration  // of the ledger; renewed every third of it; 0 = 30 s
	// FailuresBeforePause is after how many different people with the same failure
	// in a row the bot pauses; 0 = never.
	FailuresBeforePause int
	HighWater           int // taking in waits while this many are queued; 0 = 5,000, or more with many workers

	// Record applies the receipt by which a check of an uncertain message ends, and
	// does all that follows from it; nil = the check takes over its state.
	Record func(ctx context.Context, receipts []pombo.Receipt) error

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Engine runs the loops. Make it with New, run it between Start and Stop.
type Engine struct {
	o       Options
	log     *slog.Logger
	metrics *metrics
	// Intake, Runs and Settler are the roads between the table and the ledger.
	Intake  *intake.Intake
	Runs    *intake.Runs
	Settler *settle.Settler
	// Throttle and Suspensions hold messages back.
	Throttle    *throttle.Throttle
	Suspensions *throttle.Suspensions

	catalog  *template.Catalog
	parking  *template.Parking
	calendar *quiet.Calendar
	lease    *leader.Lease
	health   *health.Tracker
	wanted   *wanted

	before int64 // what was taken in until the start has waited, nobody knows how long

	slots  chan struct{}           // calls to Blip under way
	hands  chan struct{}           // notifications in hand
	inHand *inHand                 // which they are
	work   chan pombo.Notification // from the claim loop to the workers
	queued wait.Signal             // something may be claimable
	due    wait.Signal             // something may be to settle
	idle   wait.Signal             // nothing is in hand
	doubts wait.Signal             // something is uncertain

	claiming      context.Context // ends first: nothing begins any more
	stopClaims    context.CancelFunc
	working       context.Context // ends second: POSTs under way
	stopWork      context.CancelFunc
	recording     context.Context // ends third: outcomes that could not be recorded yet
	stopRecording context.CancelFunc
	loops         sync.WaitGroup // everything but the workers
	workers       sync.WaitGroup
	beat          sync.WaitGroup // the renewal of the lease: it ends last
}

// New checks the options. It starts nothing.
func New(o Options) (*Engine, error) {
	switch {
	case o.Ledger == nil:
		return nil, errors.New("dispatch needs a ledger")
	case o.Blip == nil:
		return nil, errors.New("dispatch needs a Blip client")
	case o.Owner == "":
		return nil, errors.New("dispatch needs an owner name")
	case o.Source == nil || o.SourceName == "":
		return nil, errors.New("dispatch needs a source and its name")
	}
	if o.Uncertain == "" {
		o.Uncertain = Check
	}
	if !o.Uncertain.valid() {
		return nil, fmt.Errorf("UNCERTAIN=%s: use check, hold or resend", o.Uncertain)
	}
	for template, p := range o.UncertainTemplates {
		if !p.valid() {
			return nil, fmt.Errorf("UNCERTAIN_TEMPLATES=%s:%s: use check, hold or resend", template, p)
		}
	}
	o.Workers = orDefault(o.Workers, 64)
	o.UncertainWait = orDefault(o.UncertainWait, 2*time.Minute)
	o.Lease = orDefault(o.Lease, 30*time.Second)
	o.HighWater = orDefault(o.HighWater, max(5000, 8*o.Workers))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	// Where there is no rate, waiting for the disk is what keeps calls from being
	// made: there are more hands while they are few, and those whose begin is being
	// made durable have places in flight of their own. Under a rate leave is what is
	// scarce: nobody gets it who could not use it at once.
	hands, inFlight := 4*o.Workers, o.Workers
	if o.MessagesPerSecond <= 0 {
		hands = max(hands, min(8*o.Workers, 512))
		inFlight = hands
	}
	e := &Engine{
		o:        o,
		log:      o.Logger,
		metrics:  newMetrics(o.Registerer),
		slots:    make(chan struct{}, o.Workers),
		hands:    make(chan struct{}, hands),
		inHand:   newInHand(),
		work:     make(chan pombo.Notification, hands),
		queued:   wait.NewSignal(),
		due:      wait.NewSignal(),
		doubts:   wait.NewSignal(),
		idle:     wait.NewSignal(),
		calendar: quiet.New(o.Quiet, o.Zone),
		lease:    leader.NewLease(o.Ledger, o.Owner, o.Lease, o.Logger),
		health:   health.NewTracker(o.MessagesPerSecond, o.CallTime),
	}
	e.Throttle = throttle.New(throttle.Options{
		Ledger: o.Ledger, Shared: o.Ledger.Shared(), MessagesPerSecond: o.MessagesPerSecond, CommandsPerSecond: o.CommandsPerSecond,
		Callers: hands, InFlight: inFlight, FailuresBeforePause: o.FailuresBeforePause, Logger: o.Logger, Registerer: o.Registerer,
	})
	e.catalog = template.New(template.Options{
		Default: o.Template, Language: o.Language, Slots: o.Places, List: e.listTemplates, Logger: o.Logger, Registerer: o.Registerer,
	})
	e.Suspensions = throttle.NewSuspensions(e.catalog, o.Logger)
	e.parking = &template.Parking{Ledger: o.Ledger, Catalog: e.catalog, Freed: e.queued.Set, Logger: o.Logger}
	e.Intake = intake.New(intake.Options{
		SourceName: o.SourceName, Source: o.Source, Pending: o.Pending, Ledger: o.Ledger, Leadership: e.leadership, Health: e.health,
		PollInterval: o.PollInterval, HighWater: o.HighWater, Queued: e.queued, Uncertain: e.doubts, Logger: o.Logger, Registerer: o.Registerer,
	})
	e.Runs = intake.NewRuns(intake.RunsOptions{
		Ledger: o.Ledger, Shared: o.Ledger.Shared(), Intake: e.Intake, Idle: e.idle, Due: e.due, Logger: o.Logger,
	})
	e.Settler = settle.New(settle.Options{
		Source: o.Source, Ledger: o.Ledger, Leadership: e.leadership("settle"), Health: e.health, Due: e.due, Logger: o.Logger, Registerer: o.Registerer,
	})
	e.wanted = newWanted(o.Source, hands, e.log)
	e.claiming, e.stopClaims = context.WithCancel(context.Background())
	e.working, e.stopWork = context.WithCancel(context.Background())
	e.recording, e.stopRecording = context.WithCancel(context.Background())
	return e, nil
}

// listTemplates asks Blip, at the rate of commands.
func (e *Engine) listTemplates(ctx context.Context) ([]pombo.Template, error) {
	if err := e.Throttle.Pauser.WaitResumed(ctx); err != nil {
		return nil, err
	}
	if err := e.Throttle.Rates.AcquireCommand(ctx); err != nil {
		return nil, err
	}
	return e.o.Blip.Templates(ctx)
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Start frees what a dead process left in the ledger, takes up the run that it
// left under way, and starts the loops. Stop must be called afterwards.
func (e *Engine) Start(ctx context.Context) error {
	if err := e.Renew(ctx); err != nil {
		return fmt.Errorf("enter the ledger as %s: %w", e.o.Owner, err)
	}
	if err := e.reclaim(ctx); err != nil {
		return err
	}
	if err := e.Throttle.Load(ctx); err != nil {
		return err
	}
	if err := e.o.Ledger.LoadOptOuts(ctx); err != nil {
		return err
	}
	var err error
	if e.before, err = e.o.Ledger.Newest(ctx); err != nil {
		return err
	}
	if err := e.Runs.Load(ctx); err != nil {
		return err
	}
	for range cap(e.hands) {
		e.workers.Go(e.worker)
	}
	e.beat.Go(func() { e.lease.Run(e.working, e.afterRenewal) })
	for _, loop := range e.Throttle.Loops() {
		e.loop(loop)
	}
	if e.o.Ledger.Shared() {
		e.loop(e.Throttle.Pauser.Run)
	}
	e.loop(e.claimLoop)
	e.loop(e.uncertainLoop)
	e.loop(e.catalog.Run)
	e.loop(e.optOutLoop)
	e.loop(e.expireLoop)
	e.loop(e.parking.Run)
	e.loop(e.Intake.Run)
	e.loop(e.Runs.Run)
	e.loop(e.Settler.Run)
	return nil
}

func (e *Engine) loop(f func(context.Context)) {
	e.loops.Go(func() { f(e.claiming) })
}

// Stop ends taking in and claiming at once and lets the calls under way finish.
// When ctx ends first they are cut off; their rows become uncertain, which is
// recorded. It returns when nothing of the engine runs any more.
func (e *Engine) Stop(ctx context.Context) error {
	e.stopClaims()
	e.loops.Wait()
	done := make(chan struct{})
	go func() { e.workers.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("stop sending: %w: the calls under way were cut off", ctx.Err())
		e.stopWork()
		// What these calls came to is still to be recorded, but not for ever.
		defer time.AfterFunc(10*time.Second, e.stopRecording).Stop()
		<-done
	}
	e.stopWork()
	e.stopRecording()
	e.beat.Wait()
	return err
}

// claimLoop hands notifications to the workers. It asks for no more than there
// are hands free, so that nothing waits in a worker that another replica could
// have sent.
func (e *Engine) claimLoop(ctx context.Context) {
	defer close(e.work)
	backoff := wait.Backoff{First: 100 * time.Millisecond, Most: ledgerAway}
	select {
	case <-e.catalog.Listed(): // what Blip says of the templates, before the first row goes
	case <-ctx.Done():
		return
	}
	busy := false // the last claim got all that it asked for
	for {
		if err := e.Throttle.Pauser.WaitResumed(ctx); err != nil {
			return
		}
		free, err := e.takeHands(ctx, busy)
		if err != nil {
			return
		}
		ended := e.inHand.claim()
		batch, err := e.o.Ledger.Claim(ctx, e.o.Owner, free)
		ended(batch)
		for range free - len(batch) {
			<-e.hands
		}
		if err != nil {
			if ctx.Err() == nil {
				e.health.LedgerAnswered(err)
				e.log.Error("claim failed", "error", err, "often", pombo.Often("claim"))
			}
			if wait.For(ctx, backoff.Next()) != nil {
				return
			}
			continue
		}
		backoff.Reset()
		e.health.LedgerAnswered(nil)
		busy = len(batch) == free
		e.health.Claimed(len(batch))
		for i := range batch {
			e.Throttle.Recipients.Join(&batch[i]) // all of them before the first goes
		}
		for _, n := range batch {
			e.work <- n // never blocks: it holds as many as there are hands
		}
		if len(batch) == 0 && e.waitQueued(ctx) != nil {
			return
		}
	}
}

// takeHands waits until a hand is free, then takes all that are. While there is
// more to do than hands it lets some come together first: a claim costs the
// same for one as for a hundred.
func (e *Engine) takeHands(ctx context.Context, busy bool) (n int, err error) {
	if free := cap(e.hands) - len(e.hands); busy && free < cap(e.hands)/8 {
		if err := wait.For(ctx, gatherHands); err != nil {
			return 0, err
		}
	}
	select {
	case e.hands <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for n = 1; ; n++ {
		select {
		case e.hands <- struct{}{}:
		default:
			return n, nil
		}
	}
}

// ledgerAway is the longest pause between two tries of what all sending waits for
// while the ledger does not answer: it is what sending is late when it does again.
const ledgerAway = 2 * time.Second

// gatherHands is short against the least time that a call to Blip takes.
const gatherHands = 2 * time.Millisecond

// idle is how long a loop sleeps at most when it was told of nothing: another
// process may have added work, and no loop depends on one wake-up alone.
const idle = time.Second

func (e *Engine) waitQueued(ctx context.Context) error {
	most := idle
	if next, err := e.o.Ledger.NextDue(ctx); err == nil && !next.IsZero() {
		most = min(most, max(time.Until(next), time.Millisecond))
	}
	_, err := e.queued.Wait(ctx, most)
	return err
}

func (e *Engine) worker() {
	for n := range e.work {
		e.Deliver(n)
		e.inHand.let(n.Seq)
		e.health.Released()
		<-e.hands
		if len(e.hands) == 0 {
			e.idle.Set()
		}
	}
}

// afterRenewal gives back what nobody here works on, frees what dead owners had
// claimed and reads the pauses that other processes wrote. err is that of the renewal.
func (e *Engine) afterRenewal(ctx context.Context, err error) {
	// In a pause nobody else learns whether the ledger can be written again.
	if ctx.Err() == nil && (err != nil || e.Throttle.Pauser.Paused()) {
		e.health.LedgerAnswered(err)
	}
	if err == nil {
		if err := e.giveBack(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("what is in hand not compared", "error", err)
		}
	}
	if err := e.reclaim(ctx); err != nil && ctx.Err() == nil {
		e.log.Error("reclaim failed", "error", err, "often", pombo.Often("reclaim"))
	}
	if err := e.Throttle.Pauser.Reload(ctx); err != nil && ctx.Err() == nil {
		e.log.Error("pause not read", "error", err, "often", pombo.Often("pause"))
	}
}

// Renew keeps what this process has claimed for the length of a lease from now.
func (e *Engine) Renew(ctx context.Context) error { return e.lease.Renew(ctx) }

// leadership is that of a job that one of the processes on the ledger does for all.
func (e *Engine) leadership(job string) *leader.Leadership {
	return leader.Of(e.o.Ledger, job, e.o.Owner, e.log)
}

// Leadership returns a function for a loop outside of this package. It reports whether
// this process leads the job at present; one goroutine may call it.
func (e *Engine) Leadership(job string) func(context.Context) (bool, error) {
	return e.leadership(job).TryAcquire
}

// ReceiptCame records that Blip has said what became of a message.
func (e *Engine) ReceiptCame() { e.health.ReceiptCame() }

// Progress returns what this process remembers of its own work.
func (e *Engine) Progress() health.Progress {
	p := e.health.Progress()
	p.Resumed = e.Throttle.Pauser.ResumedAt()
	p.Recategorized = e.catalog.Recategorized()
	return p
}

// Moved tells the loops that somebody else has moved notifications on: an operator by
// hand, or a receipt.
func (e *Engine) Moved() {
	e.queued.Set()
	e.due.Set()
	e.doubts.Set()
}

func (e *Engine) reclaim(ctx context.Context) error {
	requeued, uncertain, err := e.o.Ledger.Reclaim(ctx)
	if err != nil {
		return fmt.Errorf("free what dead processes had in hand: %w", err)
	}
	if requeued+uncertain > 0 {
		e.log.Warn("freed what a dead process had in hand", "requeued", requeued, "uncertain", uncertain)
		e.queued.Set()
		e.doubts.Set()
	}
	return nil
}
