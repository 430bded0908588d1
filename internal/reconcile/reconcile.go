// Package reconcile holds against each other what the company's table, the
// ledger and Blip say of the same messages.
//
// Each of the three is told by another one, and each telling can be lost for
// good: somebody changes a row by hand, a trigger refuses a status, a receipt
// never comes, a backup is restored. So once a day all messages of the last three
// days (as long as Blip remembers), and the older ones that are not over, are
// compared (reconcile.go). What does not agree is a finding with a sentence and
// with what to do. Nothing is mended behind anybody's back, but for one thing:
// what Blip tells of a message is the truth, and is applied.
//
// It is careful with everybody's time. The table is asked for the statuses of 500
// rows in one statement. Blip is asked about doubtful messages only, the most
// doubtful and then the oldest first, no more than a number of them and at a
// quarter of the allowed rate; the result says how many were left out.
//
// When the ledger itself is lost, Recover rebuilds what must be known of it before
// anything is sent again (recover.go).
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
)

const (
	// window is how long Blip keeps its notifications.
	window = 72 * time.Hour
	// certain is how long after a message was sent Blip's having no trace of it
	// means something, and until when before it forgets.
	certain = 10 * time.Minute
	// The ages from which something open is overdue.
	settleOverdue    = 6 * time.Hour
	uncertainOverdue = time.Hour
	// restShare is how many times as long as a page took the next one waits.
	restShare = 4
	// MaxFindings is how many findings a result has at most; all are counted.
	MaxFindings = 1000
)

// Statuses is the company's table as a comparison reads it.
type Statuses interface {
	// Statuses returns the present status code by key; a row that is gone has none.
	Statuses(ctx context.Context, keys []string) (map[string]string, error)
}

// Reviewer is the ledger as a comparison reads it.
type Reviewer interface {
	// Review returns notifications taken in since a time, and older ones that are
	// not over, from behind a number on.
	Review(ctx context.Context, since time.Time, after int64, limit int) ([]pombo.Review, error)
	// Reviewed returns one as it is now.
	Reviewed(ctx context.Context, seq int64) (pombo.Review, error)
	SaveReconciliation(ctx context.Context, r pombo.Reconciliation) error
}

// Options is what a Reconciler is made of. Source, Ledger, Ask, Leave and Record
// must be set.
type Options struct {
	SourceName string
	Source     Statuses
	Pending    string // the status code of pending rows
	Ledger     Reviewer
	// Ask returns what Blip has about an id; nothing is no error.
	Ask func(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	// Leave waits for leave to make one command.
	Leave func(ctx context.Context) error
	// PerSecond is how many questions a second Blip is asked at most; 0 = as many
	// as Leave lets pass.
	PerSecond float64
	MostAsked int // questions of one comparison; 0 = 2,000
	// Record applies what Blip tells and does all that follows from it; unknown ids
	// and repeats change nothing.
	Record func(ctx context.Context, receipts []pombo.Receipt) error
	// Duty reports whether it is this process that compares today, where several
	// share a ledger; nil = it is.
	Duty       func(ctx context.Context) (bool, error)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Reconciler compares. Make it with New.
type Reconciler struct {
	o     Options
	pace  *rate.Limiter
	turn  chan struct{} // holds one token: one comparison at a time
	found *prometheus.GaugeVec
}

// New checks the options.
func New(o Options) (*Reconciler, error) {
	if o.Source == nil || o.Ledger == nil || o.Ask == nil || o.Leave == nil || o.Record == nil {
		return nil, errors.New("reconcile: it needs a source, a ledger, ways to ask Blip and to record the answer, and leave to ask")
	}
	if o.MostAsked == 0 {
		o.MostAsked = 2000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Reconciler{o: o, pace: rate.NewLimiter(rate.Inf, 1), turn: make(chan struct{}, 1), found: prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: "pombo_reconcile_discrepancies", Help: "Findings of the last reconciliation in this process, by kind."}, []string{"kind"})}
	if o.PerSecond > 0 {
		r.pace.SetLimit(rate.Limit(o.PerSecond))
	}
	for _, k := range pombo.DiscrepancyKinds() {
		r.found.WithLabelValues(string(k)).Set(0)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(r.found); err != nil {
			return nil, fmt.Errorf("reconcile: %w", err)
		}
	}
	return r, nil
}

// again is when a daily comparison that failed is tried again.
const again = 15 * time.Minute

// Daily compares every day at a time of the day, the time since midnight on the
// clocks of a zone, until ctx ends.
func (r *Reconciler) Daily(ctx context.Context, at time.Duration, zone *time.Location) {
	for next := nextDay(time.Now(), at, zone); ; {
		t := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		err := r.onDuty(ctx)
		if ctx.Err() != nil {
			return
		}
		next = nextDay(time.Now(), at, zone)
		if err != nil {
			r.o.Logger.Error("table, ledger and Blip were not compared; it is tried again", "error", err)
			if soon := time.Now().Add(again); soon.Before(next) {
				next = soon
			}
		}
	}
}

func (r *Reconciler) onDuty(ctx context.Context) error {
	if r.o.Duty != nil {
		if mine, err := r.o.Duty(ctx); !mine || err != nil {
			return err
		}
	}
	_, err := r.Run(ctx)
	return err
}

// nextDay is the next time at which the clocks of the zone show the time of the
// day. On a day without that time, because the clocks are put on, it is as much
// earlier.
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
	// doubtful are those to ask Blip about, by how doubtful they are.
	doubtful [4][]pombo.Review
}

// Run compares now, or after the comparison that is under way, and saves and
// returns the result. An error means that there is none: the table or the ledger
// could not be read. That Blip could not be asked is told in the result.
func (r *Reconciler) Run(ctx context.Context) (pombo.Reconciliation, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
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
	if err := r.o.Ledger.SaveReconciliation(ctx, p.result); err != nil {
		return pombo.Reconciliation{}, err
	}
	total := 0
	for _, k := range pombo.DiscrepancyKinds() {
		total += p.result.Counts[k]
		r.found.WithLabelValues(string(k)).Set(float64(p.result.Counts[k]))
	}
	r.o.Logger.Info("table, ledger and Blip compared", "compared", p.result.Compared, "doubtful", p.result.Doubtful, "asked", p.result.Asked,
		"unasked", p.result.Unasked, "applied", p.result.Applied, "findings", total, "duration_ms", p.result.Finished.Sub(p.result.Started).Milliseconds())
	return p.result, nil
}

// finding counts a finding and tells of it.
func (p *pass) finding(k pombo.DiscrepancyKind, n pombo.Review) {
	p.result.Counts[k]++
	if len(p.result.Discrepancies) >= MaxFindings {
		return
	}
	p.result.Discrepancies = append(p.result.Discrepancies, pombo.Discrepancy{Kind: k, MessageID: n.MessageID, Key: n.Key})
	p.o.Logger.Warn("finding", "kind", string(k), "id", n.MessageID, "row", n.Key.RowKey, "generation", n.Key.Generation, "state", n.State,
		"what", k.Message(), "todo", k.Hint())
}

// compare goes through the ledger page by page, and asks the table for the
// statuses of each page.
func (p *pass) compare(ctx context.Context) error {
	since := p.result.Started.Add(-window)
	for last := int64(0); ; {
		begun := time.Now()
		page, err := p.o.Ledger.Review(ctx, since, last, pageSize)
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
		if err := sleep(ctx, restShare*time.Since(begun)); err != nil {
			return err
		}
	}
}

func (p *pass) page(ctx context.Context, page []pombo.Review) error {
	var keys []string
	for _, n := range page {
		p.result.Compared++
		p.lookAtAge(n)
		p.doubt(n)
		if p.hasRow(n) {
			keys = append(keys, n.Key.RowKey)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	status, err := p.o.Source.Statuses(ctx, keys)
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
		// It may have moved on between our reading the ledger and the table.
		now, err := p.o.Ledger.Reviewed(ctx, n.Seq)
		switch {
		case errors.Is(err, pombo.ErrNotFound):
		case err != nil:
			return err
		case p.ofRow(now, code, there) == kind:
			p.finding(kind, now)
		}
	}
	return nil
}

// hasRow reports whether the status of the row is this notification's business.
func (p *pass) hasRow(n pombo.Review) bool { return n.Key.Source == p.o.SourceName && n.Latest }

// ofRow holds a notification against the status of its row, and says what does
// not agree; "" when nothing does not.
func (p *pass) ofRow(n pombo.Review, code string, there bool) pombo.DiscrepancyKind {
	switch {
	case n.SettleResult == pombo.SettleDiverged && there:
		return pombo.RowDiverged
	case n.SettleResult == pombo.SettleGone:
		return pombo.RowGone
	case n.SettleResult == pombo.SettleRefused:
		return pombo.RowRefused
	case n.State == pombo.Queued:
		// After a failure that was written and a retry the row has the code of that.
		if !there || code != p.o.Pending && code != n.Settled && !slices.Contains(n.Unsure, code) {
			return pombo.RowNotPending
		}
	case !n.State.Open() && n.Settled != "" && !n.Owed && there && code == p.o.Pending:
		return pombo.RowPending
	}
	return ""
}

// lookAtAge finds what has been open for too long.
func (p *pass) lookAtAge(n pombo.Review) {
	age := p.result.Started.Sub(n.Updated)
	switch {
	case n.Owed && !n.State.Open() && age > settleOverdue:
		p.finding(pombo.SettleOverdue, n)
	case n.State == pombo.Uncertain && age > uncertainOverdue:
		p.finding(pombo.UncertainOverdue, n)
	}
}

// doubt puts a notification among those that Blip is asked about, if Blip still
// knows it and could say more than the ledger.
func (p *pass) doubt(n pombo.Review) {
	started := p.result.Started
	asOf := n.Begun
	if asOf.IsZero() {
		asOf = n.Created
	}
	if age := started.Sub(asOf); age < certain || age > window-certain {
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
		level = 3 // a ledger that was put back to an earlier time would send it twice
	default:
		return
	}
	p.result.Doubtful++
	if len(p.doubtful[level]) < p.o.MostAsked {
		p.doubtful[level] = append(p.doubtful[level], n)
	}
}

// askAll asks Blip about the doubtful ones. An error is the ledger's.
func (p *pass) askAll(ctx context.Context) error {
	var list []pombo.Review
	for _, some := range p.doubtful {
		slices.SortFunc(some, func(a, b pombo.Review) int { return cmp.Or(a.Begun.Compare(b.Begun), cmp.Compare(a.Seq, b.Seq)) })
		list = append(list, some...)
	}
	for _, n := range list[:min(len(list), p.o.MostAsked)] {
		receipts, err := p.ask(ctx, n.MessageID)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			p.result.Unasked = "Blip could not be asked: " + err.Error()
			return nil //nolint:nilerr // the result tells of it: what was compared holds without Blip
		}
		p.result.Asked++
		if err := p.hold(ctx, n, receipts); err != nil {
			return err
		}
	}
	if p.result.Asked < p.result.Doubtful {
		p.result.Unasked = fmt.Sprintf("no more than %d questions are asked in one comparison", p.o.MostAsked)
	}
	return nil
}

func (p *pass) ask(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
	if err := p.pace.Wait(ctx); err != nil {
		return nil, err
	}
	if err := p.o.Leave(ctx); err != nil {
		return nil, err
	}
	return p.o.Ask(ctx, id)
}

// hold holds a notification against what Blip has told of it.
func (p *pass) hold(ctx context.Context, n pombo.Review, receipts []pombo.Receipt) error {
	if err := p.o.Record(ctx, receipts); err != nil {
		return err
	}
	now, err := p.o.Ledger.Reviewed(ctx, n.Seq)
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
		p.finding(pombo.FailedAtBlip, now)
	case len(receipts) == 0 && n.State.Sent() && now.State == n.State:
		p.finding(pombo.UnknownAtBlip, now)
	case sent && !now.Accepted && now.State != pombo.Uncertain && now.Attempt == n.Attempt:
		p.finding(pombo.SentAtBlip, now)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
