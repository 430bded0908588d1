// Package intake takes notifications into the ledger: pending rows of the company's
// table, page by page (Intake), on behalf of the runs that people and jobs ask for
// (Runs), and single messages that come over HTTP.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/health"
	"pombo/internal/leader"
	"pombo/internal/tracing"
	"pombo/internal/wait"
)

const (
	// pageSize is how many rows one SELECT on the source brings.
	pageSize = 500
	// renewal is how often a process that waits for its next poll keeps its
	// leadership.
	renewal = time.Second
)

// ErrStopping means that the program is stopping.
var ErrStopping = errors.New("the program is stopping")

// Source is the company's table.
type Source interface {
	// Page returns pending rows whose key comes after the given one in the key's own
	// order; "" starts at the beginning.
	Page(ctx context.Context, after string, limit int) ([]pombo.Row, error)
	// Problems returns the pending rows that the last pass could not take in.
	Problems() []pombo.RowProblem
	// Statuses returns the present status code by key; a row that is gone has none.
	Statuses(ctx context.Context, keys []string) (map[string]string, error)
}

// Ledger is the durable queue as intake uses it.
type Ledger interface {
	// Enqueue adds the rows that are new. Of the known ones it returns those whose
	// latest generation has ended.
	Enqueue(ctx context.Context, source string, run int64, rows []pombo.Row) (added int, finished []pombo.Latest, err error)
	// EnqueueAgain adds the generation after latest, if that one is still the latest
	// and settled.
	EnqueueAgain(ctx context.Context, source string, run int64, rows []pombo.Row, latest []pombo.Latest) (added int, err error)
	Add(ctx context.Context, source string, row pombo.Row) (n pombo.Notification, added bool, err error)
	Queued(ctx context.Context) (int, error)
	// TakenIn records that every row that was pending since then has been taken in.
	TakenIn(ctx context.Context, since time.Time) error
}

// Options is what an Intake is made of.
type Options struct {
	SourceName string
	Source     Source
	Pending    string // the status code of pending rows
	Ledger     Ledger
	// Leadership returns that of a job which one process does for all on the ledger.
	Leadership func(job string) *leader.Leadership
	Health     *health.Tracker

	PollInterval time.Duration // 0 = only runs take rows in
	HighWater    int           // intake waits while this many are queued

	Queued    wait.Signal // is set when rows were added
	Uncertain wait.Signal // likewise: after a loss of the ledger that is where they go

	Logger     *slog.Logger
	Tracer     *tracing.Tracer       // nil = no spans
	Registerer prometheus.Registerer // nil = no metrics
}

// Intake is the road from the table to the ledger.
type Intake struct {
	opts  Options
	log   *slog.Logger
	taken prometheus.Counter
	fails prometheus.Counter

	requests chan request
	stopped  chan struct{} // closed when Run has returned

	rest atomic.Int64 // how long the next poll rests after a pass that was mostly vain
}

// request asks for a pass on behalf of a run.
type request struct {
	run   int64
	ended func(ctx context.Context, added int, err error)
}

// New returns an intake. Run starts it.
func New(o Options) *Intake {
	in := &Intake{
		opts: o, log: o.Logger, requests: make(chan request, 1), stopped: make(chan struct{}),
		taken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pombo_taken_in_total", Help: "Notifications taken in."}),
		fails: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pombo_intake_errors_total", Help: "Passes over the table that ended before they had seen every pending row."}),
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(in.taken, in.fails)
	}
	return in
}

// Run takes pending rows in when a run requests it and, with PollInterval, by itself.
// Two passes never overlap. Of the processes that share a ledger one polls.
func (in *Intake) Run(ctx context.Context) {
	defer close(in.stopped)
	var tick <-chan time.Time // nil, that is never, without PollInterval
	due := time.Now().Add(in.opts.PollInterval)
	t := time.NewTimer(min(in.opts.PollInterval, renewal))
	defer t.Stop()
	if in.opts.PollInterval > 0 {
		tick = t.C
	}
	polling := in.opts.Leadership("poll")
	defer polling.Release(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-in.requests:
			in.takeInFor(ctx, r)
		case <-tick:
			due = in.poll(ctx, polling, due)
			t.Reset(min(time.Until(due), renewal)) // the leadership has to be kept meanwhile
		}
	}
}

// request makes Run do a pass on behalf of a run and call ended. It returns ErrStopping
// when Run has returned.
func (in *Intake) request(run int64, ended func(ctx context.Context, added int, err error)) error {
	select {
	case in.requests <- request{run, ended}:
		return nil
	case <-in.stopped:
		return ErrStopping
	}
}

func (in *Intake) takeInFor(ctx context.Context, r request) {
	in.log.Info("run started", "run_id", r.run)
	added, leadership := 0, in.opts.Leadership("intake")
	err := leadership.Acquire(ctx)
	if err == nil {
		added, err = in.takeIn(ctx, r.run, leadership)
	}
	if ctx.Err() == nil { // otherwise the run stays under way: the next start continues it
		r.ended(ctx, added, err)
	}
}

// poll takes in if that is due and this process's job, and returns when it is due
// next: one interval after it was due this time, not after it was done, or each poll
// would come later by what the one before took. After a pass that was mostly vain it
// rests longer.
func (in *Intake) poll(ctx context.Context, polling *leader.Leadership, due time.Time) time.Time {
	interval, soon := in.opts.PollInterval, time.Now().Add(min(in.opts.PollInterval, renewal))
	leads, err := polling.TryAcquire(ctx)
	if !leads && err == nil {
		return soon
	}
	if time.Now().Before(due) {
		return due
	}
	leadership := in.opts.Leadership("intake")
	if err == nil {
		leads, err = leadership.TryAcquire(ctx)
	}
	if !leads && err == nil {
		return soon // a run takes in
	}
	if time.Since(due) > interval {
		due = time.Now() // missed polls are not made up for
	}
	if err == nil {
		_, err = in.takeIn(ctx, 0, leadership)
	}
	if err != nil && ctx.Err() == nil {
		in.log.Error("not everything was taken in; it is tried again at the next poll", "error", err, "often", pombo.Often("intake"))
	}
	return due.Add(max(interval, time.Duration(in.rest.Load())))
}

// A pass that meets more rows that are finished here than new ones is mostly vain.
// It may take one part in so many of the time, but a new row waits no longer than
// longestRest.
const (
	restShare   = 20
	longestRest = time.Minute
)

// restAfter is how long after the beginning of a pass there is no need to look again.
func restAfter(took time.Duration, added, finished int) time.Duration {
	if finished <= added {
		return 0
	}
	return min(restShare*took, longestRest)
}

// TakeIn makes one pass on behalf of no run, unless another process makes one, and
// returns how many rows were new.
func (in *Intake) TakeIn(ctx context.Context) (added int, err error) {
	leadership := in.opts.Leadership("intake")
	if leads, err := leadership.TryAcquire(ctx); !leads || err != nil {
		return 0, err
	}
	return in.takeIn(ctx, 0, leadership)
}

// takeIn takes in every row that is pending now, page by page, on behalf of a run or,
// with 0, of nobody. It keeps no lock and no transaction open on the source. The
// leadership, which the caller has, is kept meanwhile and then released.
func (in *Intake) takeIn(ctx context.Context, run int64, leadership *leader.Leadership) (added int, err error) {
	defer leadership.Release(ctx)
	ctx, span := in.opts.Tracer.Pass(ctx, tracing.Intake)
	defer func() { span.SetInt(tracing.Messages, added); span.End() }()
	begun, finished := time.Now(), 0
	for after := ""; ; {
		if err := in.waitForRoom(ctx, leadership); err != nil {
			return added, err
		}
		rows, err := in.opts.Source.Page(ctx, after, pageSize)
		if ctx.Err() == nil {
			in.opts.Health.SourceRead(err)
		}
		if err != nil {
			in.fails.Inc()
			span.Fail("source")
			return added, fmt.Errorf("read pending rows: %w", err)
		}
		if len(rows) == 0 {
			return added, in.passEnded(ctx, begun, added, finished)
		}
		after = rows[len(rows)-1].RowKey
		n, over, err := in.enqueue(ctx, run, rows)
		added, finished = added+n, finished+over
		if err != nil {
			span.Fail("ledger")
			return added, err
		}
		if n > 0 {
			in.taken.Add(float64(n))
			in.opts.Health.TookIn(n)
			in.opts.Queued.Set()
			in.opts.Uncertain.Set()
		}
	}
}

// passEnded records that a pass has seen every pending row. It makes the rejected
// rows visible: they stay pending until somebody corrects them, so each is named
// once, in this pass or a later one, and every pass says how many there are.
func (in *Intake) passEnded(ctx context.Context, begun time.Time, added, finished int) error {
	rejected := in.opts.Source.Problems()
	unnamed := in.opts.Health.PassEnded(begun, rejected, finished)
	in.rest.Store(int64(restAfter(time.Since(begun), added, finished)))
	if err := in.opts.Ledger.TakenIn(ctx, begun); err != nil || len(rejected) == 0 {
		return err
	}
	for _, p := range unnamed {
		in.log.Warn("row not taken in; it stays pending", "row", p.RowKey, "column", p.Column, "problem", p.Message)
	}
	count := pombo.CountRowProblems(len(rejected))
	in.log.Warn("rows not taken in; they stay pending", "rows", count, "first", rejected[0].String(), "often", pombo.Often("rejected rows"))
	return fmt.Errorf("%s pending in the table cannot be taken in as they are, the first: %s", count, rejected[0])
}

// waitForRoom waits while the ledger has enough queued rows: a million pending rows
// must not become a million rows here. It keeps the leadership. Counting the queue
// costs the ledger as much as several messages, so it is rarely done: the queue is far
// from empty then.
func (in *Intake) waitForRoom(ctx context.Context, leadership *leader.Leadership) error {
	for {
		if _, err := leadership.TryAcquire(ctx); err != nil { // it goes on if another process leads now
			return err
		}
		n, err := in.opts.Ledger.Queued(ctx)
		if err != nil {
			return err
		}
		if n < in.opts.HighWater {
			return nil
		}
		if err := wait.For(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// enqueue returns how many of the rows were new, and how many stay pending although
// they are finished here.
func (in *Intake) enqueue(ctx context.Context, run int64, rows []pombo.Row) (added, left int, err error) {
	for i := range rows {
		rows[i].ParsePhone()
	}
	within, span := in.opts.Tracer.Pass(ctx, tracing.Enqueue)
	added, finished, err := in.opts.Ledger.Enqueue(within, in.opts.SourceName, run, rows)
	if span.Recording() && added > 0 {
		for _, r := range rows {
			span.Link(string(pombo.Key{Source: in.opts.SourceName, RowKey: r.RowKey, Generation: 1}.MessageID()), "") // new or known
		}
	}
	span.SetInt(tracing.Messages, added)
	span.End()
	known := len(finished)
	finished = slices.DeleteFunc(finished, func(l pombo.Latest) bool { return l.Untouched })
	left = known - len(finished)
	if err != nil || len(finished) == 0 {
		return added, left, err
	}
	again, err := in.enqueueAgain(ctx, run, rows, finished)
	return added + again, left, err
}

// enqueueAgain takes in again what somebody set back to pending after it was finished
// and settled. The page may have been read just before the settle, so the status is
// read again now that the settled mark has been seen: only a row that is pending
// after that was set so on purpose.
func (in *Intake) enqueueAgain(ctx context.Context, run int64, rows []pombo.Row, finished []pombo.Latest) (added int, err error) {
	keys := make([]string, len(finished))
	for i, f := range finished {
		keys[i] = f.RowKey
	}
	status, err := in.opts.Source.Statuses(ctx, keys)
	if err != nil {
		return 0, fmt.Errorf("read again the status of rows that were finished before: %w", err)
	}
	byKey := make(map[string]pombo.Row, len(rows))
	for _, r := range rows {
		byKey[r.RowKey] = r
	}
	var back []pombo.Row
	var latest []pombo.Latest
	for _, f := range finished {
		if row, ok := byKey[f.RowKey]; ok && status[f.RowKey] == in.opts.Pending {
			back = append(back, row)
			latest = append(latest, f)
		}
	}
	if len(back) == 0 {
		return 0, nil
	}
	return in.opts.Ledger.EnqueueAgain(ctx, in.opts.SourceName, run, back, latest)
}

// Add takes in one message that came over HTTP. row.RowKey makes it unique: the same
// key again returns what is there, with added false.
func (in *Intake) Add(ctx context.Context, row pombo.Row) (n pombo.Notification, added bool, err error) {
	row.ParsePhone()
	n, added, err = in.opts.Ledger.Add(ctx, pombo.SourceHTTP, row)
	if added {
		in.taken.Inc()
		in.opts.Health.TookIn(1)
		in.opts.Queued.Set()
	}
	return n, added, err
}
