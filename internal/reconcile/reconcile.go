// Package reconcile compares what the company's table, the ledger and Blip say of the
// same messages.
//
// Each of the three learns from another one, and what it should have learnt can be
// lost for good: a row is changed by hand, a trigger rejects a status, a receipt never
// comes, a backup is restored. So once a day it compares all messages of the last
// three days (as long as Blip remembers), and the older ones that are not finished
// (reconcile.go). It reports each discrepancy with a message and a hint, and corrects
// nothing by itself but for one thing: Blip's receipts are the truth, and are applied.
//
// It spares the others. It reads the statuses of 500 rows of the table in one
// statement. It asks Blip about doubtful messages only, the most doubtful and then the
// oldest first, up to a limit and at a quarter of the allowed rate; the result says
// how many it did not ask about.
//
// When the ledger itself is lost, Recover rebuilds what must be known before anything
// is sent again (recover.go).
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"pombo"
	"pombo/internal/wait"
)

const (
	// window is how long Blip keeps its notifications.
	window = 72 * time.Hour
	// traceMargin: a missing trace is conclusive only for messages at least this old,
	// and at least this far from Blip's 72-hour retention limit.
	traceMargin = 10 * time.Minute
	// How old something open is when it is overdue.
	settleOverdue    = 6 * time.Hour
	uncertainOverdue = time.Hour
	// restFactor is how many times as long as a page took the comparison waits before
	// the next one.
	restFactor = 4
	// MaxDiscrepancies is how many discrepancies a result lists at most; it counts all.
	MaxDiscrepancies = 1000
)

// Statuses is the part of the company's table that a comparison reads.
type Statuses interface {
	// Statuses returns the present status code by key; it has none for a row that is
	// gone.
	Statuses(ctx context.Context, keys []string) (map[string]string, error)
}

// Reviewer is the part of the ledger that a comparison uses.
type Reviewer interface {
	// Review returns notifications taken in since a time, and older ones that are not
	// finished, after a sequence number.
	Review(ctx context.Context, since time.Time, after int64, limit int) ([]pombo.Review, error)
	// Reviewed returns one notification as it is now.
	Reviewed(ctx context.Context, seq int64) (pombo.Review, error)
	SaveReconciliation(ctx context.Context, r pombo.Reconciliation) error
}

// Options configures a Reconciler. Source, Ledger, Ask, Acquire and Record must be set.
type Options struct {
	SourceName string
	Source     Statuses
	Pending    string // the status code of pending rows
	Ledger     Reviewer
	// Ask returns what Blip has about an id; an empty list is not an error.
	Ask func(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	// Acquire waits for the permit to send one command.
	Acquire func(ctx context.Context) error
	// PerSecond is how many questions a second Blip is asked at most; 0 = as many as
	// Acquire permits.
	PerSecond float64
	MostAsked int // questions of one comparison; 0 = 2,000
	// Record applies receipts and all that follows from them; unknown ids and repeats
	// change nothing.
	Record func(ctx context.Context, receipts []pombo.Receipt) error
	// Leads reports whether this process is the one that compares, of those that share
	// the ledger; nil = it always is.
	Leads      func(ctx context.Context) (bool, error)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Reconciler compares table, ledger and Blip. Make it with New.
type Reconciler struct {
	opts          Options
	limiter       *rate.Limiter
	running       chan struct{} // has one element while a comparison runs
	discrepancies *prometheus.GaugeVec
}

// New checks the options.
func New(opts Options) (*Reconciler, error) {
	if opts.Source == nil || opts.Ledger == nil || opts.Ask == nil || opts.Acquire == nil || opts.Record == nil {
		return nil, errors.New("reconcile: it needs a source, a ledger, and functions that ask Blip, acquire a permit and record the answer")
	}
	if opts.MostAsked == 0 {
		opts.MostAsked = 2000
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Reconciler{opts: opts, limiter: rate.NewLimiter(rate.Inf, 1), running: make(chan struct{}, 1), discrepancies: prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: "pombo_reconcile_discrepancies", Help: "Discrepancies found by the last reconciliation in this process, by kind."}, []string{"kind"})}
	if opts.PerSecond > 0 {
		r.limiter.SetLimit(rate.Limit(opts.PerSecond))
	}
	for _, k := range pombo.DiscrepancyKinds() {
		r.discrepancies.WithLabelValues(string(k)).Set(0)
	}
	if opts.Registerer != nil {
		if err := opts.Registerer.Register(r.discrepancies); err != nil {
			return nil, fmt.Errorf("reconcile: %w", err)
		}
	}
	return r, nil
}

// retryAfter is when a failed daily comparison is tried again.
const retryAfter = 15 * time.Minute

// Daily compares every day at the same time, given as the time since midnight on the
// clocks of a zone, until ctx ends.
func (r *Reconciler) Daily(ctx context.Context, at time.Duration, zone *time.Location) {
	for next := nextDay(time.Now(), at, zone); ; {
		if wait.For(ctx, time.Until(next)) != nil {
			return
		}
		err := r.ifLeader(ctx)
		if ctx.Err() != nil {
			return
		}
		next = nextDay(time.Now(), at, zone)
		if err != nil {
			r.opts.Logger.Error("table, ledger and Blip were not compared; retrying later", "error", err)
			if soon := time.Now().Add(retryAfter); soon.Before(next) {
				next = soon
			}
		}
	}
}

func (r *Reconciler) ifLeader(ctx context.Context) error {
	if r.opts.Leads != nil {
		if leads, err := r.opts.Leads(ctx); !leads || err != nil {
			return err
		}
	}
	_, err := r.Run(ctx)
	return err
}

// nextDay returns the next time at which the clocks of the zone show the time of day.
// On a day without that time, because the clocks go forward, it is that much earlier.
func nextDay(now time.Time, at time.Duration, zone *time.Location) time.Time {
	local := now.In(zone)
	for day := local.Day(); ; day++ {
		t := time.Date(local.Year(), local.Month(), day, int(at/time.Hour), int(at%time.Hour/time.Minute), 0, 0, zone)
		if t.After(now) {
			return t
		}
	}
}

// pass is one comparison.
type pass struct {
	*Reconciler
	result pombo.Reconciliation
	// doubtful are the notifications to ask Blip about, the most doubtful first.
	doubtful [4][]pombo.Review
}

// Run compares now, or after the running comparison, and saves and returns the result.
// An error means that there is none: the table or the ledger could not be read. When
// Blip could not be asked, the result says so.
func (r *Reconciler) Run(ctx context.Context) (pombo.Reconciliation, error) {
	select {
	case r.running <- struct{}{}:
		defer func() { <-r.running }()
	case <-ctx.Done():
		return pombo.Reconciliation{}, ctx.Err()
	}
	p := pass{Reconciler: r, result: pombo.Reconciliation{Started: time.Now().UTC(), Counts: map[pombo.DiscrepancyKind]int{}}}
	if err := p.compare(ctx); err != nil {
		return pombo.Reconciliation{}, fmt.Errorf("compare table and ledger: %w", err)
	}
	if err := p.askAll(ctx); err != nil {
		return pombo.Reconciliation{}, fmt.Errorf("compare ledger and Blip: %w", err)
	}
	p.result.Finished = time.Now().UTC()
	if err := r.opts.Ledger.SaveReconciliation(ctx, p.result); err != nil {
		return pombo.Reconciliation{}, err
	}
	total := 0
	for _, k := range pombo.DiscrepancyKinds() {
		total += p.result.Counts[k]
		r.discrepancies.WithLabelValues(string(k)).Set(float64(p.result.Counts[k]))
	}
	r.opts.Logger.Info("table, ledger and Blip compared", "compared", p.result.Compared, "doubtful", p.result.Doubtful, "asked", p.result.Asked,
		"unasked", p.result.Unasked, "applied", p.result.Applied, "discrepancies", total, "duration_ms", p.result.Finished.Sub(p.result.Started).Milliseconds())
	return p.result, nil
}

// report counts, lists and logs a discrepancy.
func (p *pass) report(k pombo.DiscrepancyKind, n pombo.Review) {
	p.result.Counts[k]++
	if len(p.result.Discrepancies) >= MaxDiscrepancies {
		return
	}
	p.result.Discrepancies = append(p.result.Discrepancies, pombo.Discrepancy{Kind: k, MessageID: n.MessageID, Key: n.Key})
	p.opts.Logger.Warn("discrepancy", "kind", string(k), "id", n.MessageID, "row", n.Key.RowKey, "generation", n.Key.Generation, "state", n.State,
		"detail", k.Message(), "hint", k.Hint())
}

// compare reads the ledger page by page, and the statuses of each page from the table.
func (p *pass) compare(ctx context.Context) error {
	since := p.result.Started.Add(-window)
	for last := int64(0); ; {
		begun := time.Now()
		page, err := p.opts.Ledger.Review(ctx, since, last, pageSize)
		if err != nil {
			return err
		}
		if err := p.page(ctx, page); err != nil {
			return err
		}
		if len(page) < pageSize {
			return nil
		}
		last = page[len(page)-1].Seq
		if err := wait.For(ctx, restFactor*time.Since(begun)); err != nil {
			return err
		}
	}
}

func (p *pass) page(ctx context.Context, page []pombo.Review) error {
	var keys []string
	for _, n := range page {
		p.result.Compared++
		p.checkAge(n)
		p.doubt(n)
		if p.hasRow(n) {
			keys = append(keys, n.Key.RowKey)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	status, err := p.opts.Source.Statuses(ctx, keys)
	if err != nil {
		return err
	}
	for _, n := range page {
		if !p.hasRow(n) {
			continue
		}
		code, there := status[n.Key.RowKey]
		kind := p.ofRow(n, code, there)
		if kind == "" {
			continue
		}
		// It may have moved on between the reads of the ledger and of the table.
		now, err := p.opts.Ledger.Reviewed(ctx, n.Seq)
		switch {
		case errors.Is(err, pombo.ErrNotFound):
		case err != nil:
			return err
		case p.ofRow(now, code, there) == kind:
			p.report(kind, now)
		}
	}
	return nil
}

// hasRow reports whether the row's status belongs to this notification.
func (p *pass) hasRow(n pombo.Review) bool { return n.Key.Source == p.opts.SourceName && n.Latest }

// ofRow compares a notification with the status of its row and returns the
// discrepancy; "" when they agree.
func (p *pass) ofRow(n pombo.Review, code string, there bool) pombo.DiscrepancyKind {
	switch {
	case n.SettleResult == pombo.SettleDiverged && there:
		return pombo.RowDiverged
	case n.SettleResult == pombo.SettleGone:
		return pombo.RowGone
	case n.SettleResult == pombo.SettleRefused:
		return pombo.RowRefused
	case n.State == pombo.Queued:
		// After a failure was written and retried, the row has the code of the failure.
		if !there || code != p.opts.Pending && code != n.Settled && !slices.Contains(n.Unsure, code) {
			return pombo.RowNotPending
		}
	case !n.State.Open() && n.Settled != "" && !n.Owed && there && code == p.opts.Pending:
		return pombo.RowPending
	}
	return ""
}

// checkAge reports what has been open for too long.
func (p *pass) checkAge(n pombo.Review) {
	age := p.result.Started.Sub(n.Updated)
	switch {
	case n.Owed && !n.State.Open() && age > settleOverdue:
		p.report(pombo.SettleOverdue, n)
	case n.State == pombo.Uncertain && age > uncertainOverdue:
		p.report(pombo.UncertainOverdue, n)
	}
}

// doubt adds a notification to those that Blip is asked about, if Blip still remembers
// it and could know more than the ledger.
func (p *pass) doubt(n pombo.Review) {
	started := p.result.Started
	asOf := n.Begun
	if asOf.IsZero() {
		asOf = n.Created
	}
	if age := started.Sub(asOf); age < traceMargin || age > window-traceMargin {
		return
	}
	level := 0
	switch {
	case n.State == pombo.Uncertain:
	case n.Attempt > 0 && !n.Accepted && (n.State == pombo.Queued || !n.State.Open()):
		level = 1
	case n.State == pombo.Accepted || n.State == pombo.Dispatched:
		level = 2
	case n.State == pombo.Queued && n.Attempt == 0:
		level = 3 // a ledger restored from a backup would send it twice
	default:
		return
	}
	p.result.Doubtful++
	if len(p.doubtful[level]) < p.opts.MostAsked {
		p.doubtful[level] = append(p.doubtful[level], n)
	}
}

// askAll asks Blip about the doubtful notifications. An error is the ledger's.
func (p *pass) askAll(ctx context.Context) error {
	var list []pombo.Review
	for _, some := range p.doubtful {
		slices.SortFunc(some, func(a, b pombo.Review) int { return cmp.Or(a.Begun.Compare(b.Begun), cmp.Compare(a.Seq, b.Seq)) })
		list = append(list, some...)
	}
	for _, n := range list[:min(len(list), p.opts.MostAsked)] {
		receipts, err := p.ask(ctx, n.MessageID)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			p.result.Unasked = "Blip could not be asked: " + err.Error()
			return nil //nolint:nilerr // the result says so: what was compared is valid without Blip
		}
		p.result.Asked++
		if err := p.verify(ctx, n, receipts); err != nil {
			return err
		}
	}
	if p.result.Asked < p.result.Doubtful {
		p.result.Unasked = fmt.Sprintf("one comparison asks at most %d questions", p.opts.MostAsked)
	}
	return nil
}

func (p *pass) ask(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
	if err := p.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	if err := p.opts.Acquire(ctx); err != nil {
		return nil, err
	}
	return p.opts.Ask(ctx, id)
}

// verify compares a notification with Blip's receipts for it.
func (p *pass) verify(ctx context.Context, n pombo.Review, receipts []pombo.Receipt) error {
	if err := p.opts.Record(ctx, receipts); err != nil {
		return err
	}
	now, err := p.opts.Ledger.Reviewed(ctx, n.Seq)
	switch {
	case errors.Is(err, pombo.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	moved := now.State != n.State
	if moved && len(receipts) > 0 {
		p.result.Applied++
	}
	sent := slices.ContainsFunc(receipts, func(r pombo.Receipt) bool { return r.State.Sent() })
	switch {
	case moved && now.State == pombo.Failed:
		p.report(pombo.FailedAtBlip, now)
	case len(receipts) == 0 && n.State.Sent() && now.State == n.State:
		p.report(pombo.UnknownAtBlip, now)
	case sent && !now.Accepted && now.State != pombo.Uncertain && now.Attempt == n.Attempt:
		p.report(pombo.SentAtBlip, now)
	}
	return nil
}
