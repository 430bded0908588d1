// Package settle writes results from the ledger back to the company's table. The
// table may be away for hours: sending goes on meanwhile, and settling catches up
// afterwards. A crash between the table's change and the ledger's mark makes the same
// change again, which finds the row as it should be.
package settle

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/health"
	"pombo/internal/leader"
	"pombo/internal/tracing"
	"pombo/internal/wait"
	"pombo/internal/words"
)

const (
	// batchSize is how many rows one UPDATE on the source changes.
	batchSize = 500
	// collectFor is how long a small batch waits for company: the company's database
	// gets one statement instead of many.
	collectFor = 100 * time.Millisecond
	// idle is how long Run sleeps at most: no loop depends on one signal alone.
	idle = time.Second
)

// Source is the company's table.
type Source interface {
	// Settle writes results back and returns one answer for each, in order.
	Settle(ctx context.Context, batch []pombo.Settlement) ([]pombo.Settled, error)
}

// Ledger has the results that are not in the table yet.
type Ledger interface {
	// HandOver decides which rows go to another channel of the company's, and returns
	// how many did because their message failed, or was not delivered in time.
	HandOver(ctx context.Context, limit int, isMarketing func(template, language string) (is, known bool)) (failed, late int, err error)
	// Unsettled returns results that are due to be written to the source.
	Unsettled(ctx context.Context, limit int) ([]pombo.Settlement, error)
	// Settled records what became of them.
	Settled(ctx context.Context, results []pombo.Settled) error
}

// Options is what a Settler is made of.
type Options struct {
	Source Source
	Ledger Ledger
	// Leadership is that of the one process which settles for all on the ledger.
	Leadership *leader.Leadership
	Health     *health.Tracker
	Due        wait.Signal // set when something may be unsettled
	// IsMarketing reports whether a template is of that category; known is false while
	// Blip has not listed it.
	IsMarketing func(template, language string) (is, known bool)
	Words       *words.Words // in which DB_COL_ERROR says why a message was not sent

	Logger     *slog.Logger
	Tracer     *tracing.Tracer       // nil = no spans
	Registerer prometheus.Registerer // nil = no metrics
}

// Settler is the road from the ledger to the table.
type Settler struct {
	opts    Options
	settled *prometheus.CounterVec // by result
	handed  *prometheus.CounterVec // by cause
	errors  prometheus.Counter
}

// New returns a settler. Run starts it.
func New(o Options) *Settler {
	s := &Settler{
		opts: o,
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_settled_total", Help: "Results written back to the source, by what became of it."}, []string{"result"}),
		handed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pombo_handed_over_total", Help: "Rows handed over to another channel (STATUS_FALLBACK), because their message failed or was not delivered in time."}, []string{"cause"}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pombo_settle_errors_total", Help: "Batches that could not be written back to the source."}),
	}
	for _, r := range []pombo.SettleResult{pombo.SettleDone, pombo.SettleDiverged, pombo.SettleGone, pombo.SettleRefused, pombo.SettleLater} {
		s.settled.WithLabelValues(r.String())
	}
	for _, cause := range []string{"failed", "late"} {
		s.handed.WithLabelValues(cause)
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.settled, s.handed, s.errors)
	}
	return s
}

// Run settles until ctx ends. Of the processes that share a ledger one settles; when
// it cannot, another one that can reach the source may.
func (s *Settler) Run(ctx context.Context) {
	log, leadership := s.opts.Logger, s.opts.Leadership
	defer leadership.Release(ctx)
	backoff := wait.Backoff{First: time.Second, Most: time.Minute}
	for {
		n, err := 0, leadership.Acquire(ctx)
		if err == nil {
			n, err = s.Settle(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		s.opts.Health.SourceWritten(err)
		if err != nil {
			s.errors.Inc()
			log.Error("settle failed; sending goes on, settling is tried again", "error", err, "often", pombo.Often("settle"))
			leadership.Release(ctx)
			if wait.For(ctx, backoff.Next()) != nil {
				return
			}
			continue
		}
		backoff.Reset()
		switch {
		case n >= batchSize:
		case n > 0:
			err = wait.For(ctx, collectFor)
		default:
			if _, err = s.opts.Due.Wait(ctx, idle); err == nil {
				err = wait.For(ctx, collectFor/4)
			}
		}
		if err != nil {
			return
		}
	}
}

// Settle writes one batch of results back to the source and returns how many it had.
func (s *Settler) Settle(ctx context.Context) (int, error) {
	log := s.opts.Logger
	failed, late, err := s.opts.Ledger.HandOver(ctx, batchSize, s.opts.IsMarketing)
	s.handed.WithLabelValues("failed").Add(float64(failed))
	s.handed.WithLabelValues("late").Add(float64(late))
	if err != nil {
		return 0, err
	}
	if failed+late > 0 {
		log.Info("rows handed over to the other channel", "failed", failed, "late", late)
	}
	batch, err := s.opts.Ledger.Unsettled(ctx, batchSize)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	ctx, span := s.opts.Tracer.Pass(ctx, tracing.Settle)
	defer span.End()
	span.SetInt(tracing.Messages, len(batch))
	for i := range batch {
		if r := batch[i].Reason; r != pombo.NoReason {
			batch[i].Error = s.opts.Words.Reason(r) + " (" + string(r) + ")"
		}
	}
	results, err := s.opts.Source.Settle(ctx, batch)
	if err != nil {
		span.Fail("source")
	}
	later, why := 0, ""
	for _, r := range results {
		s.settled.WithLabelValues(r.Result.String()).Inc()
		span.Link(string(r.MessageID), r.Result.String())
		switch r.Result {
		case pombo.SettleDiverged, pombo.SettleGone, pombo.SettleRefused:
			log.Warn("row not settled", "row", r.RowKey, "result", r.Result.String(), "id", r.MessageID, "detail", r.Detail)
		case pombo.SettleLater:
			later, why = later+1, r.Detail
		}
	}
	if later > 0 && err == nil { // otherwise the error is logged
		log.Warn("rows not settled yet; they are tried again", "rows", later, "detail", why, "often", pombo.Often("settle later"))
	}
	if len(results) > 0 {
		// What the source has done is recorded even when the process is stopping.
		recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		recording, marking := tracing.Child(recording, tracing.Settled)
		defer marking.End()
		if err := s.opts.Ledger.Settled(recording, results); err != nil {
			span.Fail("ledger")
			return 0, err
		}
	}
	return len(batch), err
}
