// Package bulk retries or cancels many notifications at once.
//
// A plan counts what a filter selects and what would become of it. Start writes the set down,
// one row for each notification with the state and the attempt that it then has. The leader of
// the processes on the ledger works the set off, one bulk at a time and each notification by
// the road that an operator's retry takes: its row is read again, and the ledger moves it only
// if it still stands where it stood at the start, in the transaction that also says so in the
// set. So a kill at any moment, two leaders, an operator and a receipt in between may each
// cost a notification its turn, and never have it sent twice.
//
// What waits in the queue bounds the bulk: it queues no more than there is room for, so that
// rows from the table go on beside it.
package bulk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"pombo"
	"pombo/internal/phone"
	"pombo/internal/wait"
)

// Ledger keeps the sets.
//
//nolint:interfacebloat // the conformance suite of the ledger owns it
type Ledger interface {
	Now(ctx context.Context) (upTo int64, drawn time.Time, err error)
	Candidates(ctx context.Context, state pombo.State, f pombo.BulkFilter, after, upTo int64, drawn time.Time) (list []pombo.Notification, next int64, err error)
	Later(ctx context.Context, key pombo.Key) (pombo.State, error)
	Draw(ctx context.Context, plan pombo.BulkPlan, who, note string) (id int64, err error)
	Add(ctx context.Context, id int64, items []pombo.BulkItem) error
	Open(ctx context.Context, id int64, changed int) error
	Next(ctx context.Context) (pombo.Bulk, error)
	Left(ctx context.Context, id int64, limit int) ([]pombo.BulkItem, error)
	Taken(ctx context.Context, seq int64) (pombo.Notification, error)
	Apply(ctx context.Context, id int64, act pombo.BulkAct, it pombo.BulkItem, message pombo.MessageID) error
	Skip(ctx context.Context, id, seq int64, why pombo.BulkResult) error
	Stop(ctx context.Context, id int64) (stopped bool, err error)
	Finish(ctx context.Context, id int64) error
	Bulk(ctx context.Context, id int64) (pombo.Bulk, error)
	Bulks(ctx context.Context, limit int) ([]pombo.Bulk, error)
	Items(ctx context.Context, id, after int64, limit int) ([]pombo.BulkItem, error)
}

// Options is what a Runner is made of. All must be set.
type Options struct {
	Ledger Ledger
	Leads  func(context.Context) (bool, error) // whether this process works bulks off
	// Queued counts what waits in the queue and may go now; a bulk waits at HighWater.
	Queued    func(context.Context) (int, error)
	HighWater int
	// Row reads the row of a notification, with its phone parsed; pombo.ErrNotFound.
	Row func(ctx context.Context, n pombo.Notification) (pombo.Row, error)
	// Correct reads the row again and replaces what is sent; pombo.ErrMove.
	Correct  func(ctx context.Context, n pombo.Notification) error
	OptedOut func(n phone.Number, identity string) pombo.OptOutScope
	// Category returns the category of a template in a language ("" = the configured ones).
	Category func(template, language string) (category string, known bool)
	// Check returns what keeps a row's values from going with its template.
	Check  func(row pombo.Row) pombo.TemplateIssue
	Moved  func() // something was queued or ended
	Logger *slog.Logger
}

// Runner plans bulks, starts them and works them off.
type Runner struct {
	opts   Options
	signal wait.Signal // one was started
}

// New returns a runner. Run works bulks off.
func New(o Options) *Runner { return &Runner{opts: o, signal: wait.NewSignal()} }

const (
	most      = 100_000 // notifications of one plan
	atOnce    = 50      // are read from the set
	mostRead  = 500     // rows, by a dry run
	mostShown = 20      // rows of it
	idle      = 5 * time.Second
)

// states returns the states of a filter, the usual one if it names none.
func states(act pombo.BulkAct, f pombo.BulkFilter) ([]pombo.State, error) {
	may := map[pombo.BulkAct][]pombo.State{
		pombo.BulkRetry:  {pombo.Failed, pombo.Uncertain, pombo.Cancelled, pombo.Suppressed},
		pombo.BulkCancel: {pombo.Queued, pombo.Uncertain},
	}[act]
	if may == nil {
		return nil, fmt.Errorf("%q is not what can be done to many: retry, cancel", act)
	}
	list := slices.Clone(f.States)
	if len(list) == 0 {
		list = may[:1]
	}
	for _, s := range list {
		if !slices.Contains(may, s) {
			return nil, fmt.Errorf("%s is not for what is %s: it is for %v", act, s, may)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// Plan counts what a filter selects now, and what would become of it. The error of more
// than 100,000 is pombo.ErrBulkTooMany.
func (r *Runner) Plan(ctx context.Context, act pombo.BulkAct, f pombo.BulkFilter) (plan pombo.BulkPlan, err error) {
	plan = pombo.BulkPlan{Act: act, Filter: f}
	if plan.Filter.States, err = states(act, f); err != nil {
		return plan, err
	}
	if plan.UpTo, plan.Drawn, err = r.opts.Ledger.Now(ctx); err != nil {
		return plan, err
	}
	err = r.walk(ctx, plan, func(n *pombo.Notification) error {
		if plan.Matched++; plan.Matched > most {
			return pombo.ErrBulkTooMany
		}
		why, later, err := r.permitted(ctx, act, n)
		switch {
		case err != nil:
			return err
		case later == pombo.Delivered || later == pombo.Read:
			plan.Delivered++
		case why == pombo.BulkItemResent:
			plan.Resent++
		case why == pombo.BulkItemOptOut:
			plan.OptedOut++
		case why == pombo.BulkItemExpired:
			plan.Expired++
		default:
			plan.Going++
		}
		return nil
	})
	return plan, err
}

// walk calls each for the notifications of a plan that have not changed since it was drawn.
func (r *Runner) walk(ctx context.Context, plan pombo.BulkPlan, each func(*pombo.Notification) error) error {
	for _, state := range plan.Filter.States {
		for after := int64(0); ; {
			list, next, err := r.opts.Ledger.Candidates(ctx, state, plan.Filter, after, plan.UpTo, plan.Drawn)
			if err != nil {
				return err
			}
			for i := range list {
				if err := each(&list[i]); err != nil {
					return err
				}
			}
			if next == 0 {
				break
			}
			after = next
		}
	}
	return nil
}

// permitted returns why nothing is done about a notification, "" when something is, and the
// state of its row's later message, if there is one.
func (r *Runner) permitted(ctx context.Context, act pombo.BulkAct, n *pombo.Notification) (why pombo.BulkResult, later pombo.State, err error) {
	if act == pombo.BulkCancel {
		return "", "", nil
	}
	if later, err = r.opts.Ledger.Later(ctx, n.Key); err != nil {
		return "", "", err
	}
	switch {
	case later != "":
		return pombo.BulkItemResent, later, nil
	case r.optedOut(n.Phone, n.Template, n.Language):
		return pombo.BulkItemOptOut, "", nil
	case !n.Expires.IsZero() && !time.Now().Before(n.Expires):
		return pombo.BulkItemExpired, "", nil
	}
	return "", "", nil
}

// optedOut reports whether the person gets nothing of a template. An opt-out of marketing
// counts while the category is not known.
func (r *Runner) optedOut(n phone.Number, template, language string) bool {
	switch r.opts.OptedOut(n, "") {
	case "":
		return false
	case pombo.OptOutMarketing:
		category, known := r.opts.Category(template, language)
		return !known || category == "MARKETING"
	}
	return true
}

// DryRun is what the rows of a plan say now.
type DryRun struct {
	Read    int                  // rows that were read
	Going   int                  // of those, the ones that nothing is wrong with
	Reasons map[pombo.Reason]int // why the others would fail again
	Sample  []Sample             // the first of them
}

// Sample is one notification of a dry run.
type Sample struct {
	MessageID pombo.MessageID
	RowKey    string
	Reason    pombo.Reason // NoReason: it would go
	Detail    string       // safe
}

// DryRun reads the first rows of a plan, limit or 500 at most, and checks them as delivery
// would. It sends and changes nothing.
func (r *Runner) DryRun(ctx context.Context, plan pombo.BulkPlan, limit int) (dry DryRun, err error) {
	limit = min(limit, mostRead)
	dry.Reasons = map[pombo.Reason]int{}
	err = r.walk(ctx, plan, func(n *pombo.Notification) error {
		if why, _, err := r.permitted(ctx, plan.Act, n); err != nil || why != "" {
			return err
		}
		row, err := r.opts.Row(ctx, *n)
		switch {
		case errors.Is(err, pombo.ErrNotFound): // it is sent as it was taken in
			row = pombo.Row{Recipient: n.Recipient, Phone: n.Phone, Params: n.Params, Template: n.Template}
		case err != nil:
			return fmt.Errorf("read a row: %w", err)
		}
		s := Sample{MessageID: n.MessageID, RowKey: n.Key.RowKey}
		s.Reason, s.Detail = r.check(&row)
		if s.Reason == pombo.NoReason {
			dry.Going++
		} else {
			dry.Reasons[s.Reason]++
		}
		if dry.Read++; len(dry.Sample) < mostShown {
			dry.Sample = append(dry.Sample, s)
		}
		if dry.Read >= limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return dry, err
}

var errEnough = errors.New("enough was read")

// check returns why a row would fail.
func (r *Runner) check(row *pombo.Row) (pombo.Reason, string) {
	if row.Phone.IsZero() {
		if _, err := phone.Parse(row.Recipient.Reveal()); err != nil {
			return pombo.InvalidPhone, err.Error()
		}
	}
	if r.optedOut(row.Phone, row.Template, row.Language) {
		return pombo.OptedOut, ""
	}
	if issue := r.opts.Check(*row); issue.Reason != pombo.NoReason {
		return issue.Reason, issue.Message
	}
	for i, p := range row.Params {
		if reason, detail := pombo.CheckParam(p); reason != pombo.NoReason {
			return reason, fmt.Sprintf("value %d (%s) %s", i+1, p.Slot, detail)
		}
	}
	return pombo.NoReason, ""
}

// Start freezes the set of a plan and has it worked off, after those that were started before.
func (r *Runner) Start(ctx context.Context, plan pombo.BulkPlan, who, why string) (id int64, err error) {
	if plan.Filter.States, err = states(plan.Act, plan.Filter); err != nil {
		return 0, err
	}
	if plan.Matched > most {
		return 0, pombo.ErrBulkTooMany
	}
	if id, err = r.opts.Ledger.Draw(ctx, plan, who, why); err != nil {
		return 0, err
	}
	var items []pombo.BulkItem
	err = r.walk(ctx, plan, func(n *pombo.Notification) error {
		if len(items) == most {
			return pombo.ErrBulkTooMany
		}
		why, _, err := r.permitted(ctx, plan.Act, n)
		items = append(items, pombo.BulkItem{Seq: n.Seq, State: n.State, Attempt: n.Attempt, Result: why})
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := r.opts.Ledger.Add(ctx, id, items); err != nil {
		return 0, err
	}
	if err := r.opts.Ledger.Open(ctx, id, max(plan.Matched-len(items), 0)); err != nil {
		return 0, err
	}
	r.opts.Logger.Info("bulk started by an operator", "bulk", id, "act", plan.Act, "notifications", len(items), "by", who)
	r.signal.Set()
	return id, nil
}

// Stop ends a bulk before its end and reports whether it was open. What it has done stays done.
func (r *Runner) Stop(ctx context.Context, id int64) (bool, error) {
	return r.opts.Ledger.Stop(ctx, id)
}

// Get returns a bulk with its progress and what became of its messages; pombo.ErrNotFound.
func (r *Runner) Get(ctx context.Context, id int64) (pombo.Bulk, error) {
	return r.opts.Ledger.Bulk(ctx, id)
}

// List returns the newest bulks, the newest first.
func (r *Runner) List(ctx context.Context, limit int) ([]pombo.Bulk, error) {
	return r.opts.Ledger.Bulks(ctx, limit)
}

// Items returns what became of the notifications of a bulk, those after a number.
func (r *Runner) Items(ctx context.Context, id, after int64, limit int) ([]pombo.BulkItem, error) {
	return r.opts.Ledger.Items(ctx, id, after, limit)
}
