// Package bulk retries or cancels many notifications at once.
//
// A plan counts what a filter selects and what would become of it. Start writes the set down,
// one row for each notification with the state and the attempt that it then has. The leader of
// the processes on the ledger works the set off, one bulk at a time and each notification by
// the road that an operator's retry takes: its row is read again, and the ledger moves it only
// if it is still in the state that it had at the start, in the transaction that also records
// it in the set. So a kill at any moment, two leaders, an operator or a receipt in between may
// cost a notification its turn, but never send it twice.
//
// The length of the queue bounds the bulk: it queues no more than there is room for, so that
// rows from the table keep moving beside it.
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

// PlanLedger selects notifications and keeps the sets that are drawn from them.
type PlanLedger interface {
	Now(ctx context.Context) (upTo int64, drawn time.Time, err error)
	Candidates(ctx context.Context, state pombo.State, f pombo.BulkFilter, after, upTo int64, drawn time.Time) (list []pombo.Notification, next int64, err error)
	Later(ctx context.Context, key pombo.Key) (pombo.State, error)
	Draw(ctx context.Context, plan pombo.BulkPlan, who, note string) (id int64, err error)
	Add(ctx context.Context, id int64, items []pombo.BulkItem) error
	Open(ctx context.Context, id int64, changed int) error
}

// PlannerOptions is what a Planner is made of. All must be set.
type PlannerOptions struct {
	Ledger PlanLedger
	// Row reads the row of a notification, with its phone parsed; pombo.ErrNotFound.
	Row      func(ctx context.Context, n pombo.Notification) (pombo.Row, error)
	OptedOut func(n phone.Number, identity string) pombo.OptOutScope
	// Category returns the category of a template in a language ("" = the configured ones).
	Category func(template, language string) (category string, known bool)
	// Check returns what keeps a row's values from going with its template.
	Check  func(row pombo.Row) pombo.TemplateIssue
	Logger *slog.Logger
}

// Planner plans bulks and starts them.
type Planner struct {
	opts    PlannerOptions
	started wait.Signal
}

// NewPlanner returns a planner. A Runner works off what it starts.
func NewPlanner(o PlannerOptions) *Planner { return &Planner{opts: o, started: wait.NewSignal()} }

const (
	most      = 100_000 // notifications of one plan
	mostRead  = 500     // rows, by a dry run
	mostShown = 20      // rows of it
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

// Plan counts what a filter selects now, and what would become of it;
// pombo.ErrBulkTooMany for more than 100,000.
func (p *Planner) Plan(ctx context.Context, act pombo.BulkAct, f pombo.BulkFilter) (plan pombo.BulkPlan, err error) {
	plan = pombo.BulkPlan{Act: act, Filter: f}
	if plan.Filter.States, err = states(act, f); err != nil {
		return plan, err
	}
	if plan.UpTo, plan.Drawn, err = p.opts.Ledger.Now(ctx); err != nil {
		return plan, err
	}
	err = p.walk(ctx, plan, func(n *pombo.Notification) error {
		if plan.Matched++; plan.Matched > most {
			return pombo.ErrBulkTooMany
		}
		why, later, err := p.permitted(ctx, act, n)
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
func (p *Planner) walk(ctx context.Context, plan pombo.BulkPlan, each func(*pombo.Notification) error) error {
	for _, state := range plan.Filter.States {
		for after := int64(0); ; {
			list, next, err := p.opts.Ledger.Candidates(ctx, state, plan.Filter, after, plan.UpTo, plan.Drawn)
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

// permitted returns why a notification is left alone, "" when it is not, and the state of
// its row's later message, if there is one.
func (p *Planner) permitted(ctx context.Context, act pombo.BulkAct, n *pombo.Notification) (why pombo.BulkResult, later pombo.State, err error) {
	if act == pombo.BulkCancel {
		return "", "", nil
	}
	if later, err = p.opts.Ledger.Later(ctx, n.Key); err != nil {
		return "", "", err
	}
	switch {
	case later != "":
		return pombo.BulkItemResent, later, nil
	case p.optedOut(n.Phone, n.Template, n.Language):
		return pombo.BulkItemOptOut, "", nil
	case !n.Expires.IsZero() && !time.Now().Before(n.Expires):
		return pombo.BulkItemExpired, "", nil
	}
	return "", "", nil
}

// optedOut reports whether the person gets nothing of a template. An opt-out of marketing
// counts while the category is not known.
func (p *Planner) optedOut(n phone.Number, template, language string) bool {
	switch p.opts.OptedOut(n, "") {
	case "":
		return false
	case pombo.OptOutMarketing:
		category, known := p.opts.Category(template, language)
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
func (p *Planner) DryRun(ctx context.Context, plan pombo.BulkPlan, limit int) (dry DryRun, err error) {
	limit = min(limit, mostRead)
	dry.Reasons = map[pombo.Reason]int{}
	err = p.walk(ctx, plan, func(n *pombo.Notification) error {
		if why, _, err := p.permitted(ctx, plan.Act, n); err != nil || why != "" {
			return err
		}
		row, err := p.opts.Row(ctx, *n)
		switch {
		case errors.Is(err, pombo.ErrNotFound): // it is sent as it was taken in
			row = pombo.Row{Recipient: n.Recipient, Phone: n.Phone, Params: n.Params, Template: n.Template}
		case err != nil:
			return fmt.Errorf("read a row: %w", err)
		}
		s := Sample{MessageID: n.MessageID, RowKey: n.Key.RowKey}
		s.Reason, s.Detail = p.check(&row)
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
func (p *Planner) check(row *pombo.Row) (pombo.Reason, string) {
	if row.Phone.IsZero() {
		if _, err := phone.Parse(row.Recipient.Reveal()); err != nil {
			return pombo.InvalidPhone, err.Error()
		}
	}
	if p.optedOut(row.Phone, row.Template, row.Language) {
		return pombo.OptedOut, ""
	}
	if issue := p.opts.Check(*row); issue.Reason != pombo.NoReason {
		return issue.Reason, issue.Message
	}
	for i, param := range row.Params {
		if reason, detail := pombo.CheckParam(param); reason != pombo.NoReason {
			return reason, fmt.Sprintf("value %d (%s) %s", i+1, param.Slot, detail)
		}
	}
	return pombo.NoReason, ""
}

// Start freezes the set of a plan and queues it behind those that were started before.
func (p *Planner) Start(ctx context.Context, plan pombo.BulkPlan, who, why string) (id int64, err error) {
	if plan.Filter.States, err = states(plan.Act, plan.Filter); err != nil {
		return 0, err
	}
	if plan.Matched > most {
		return 0, pombo.ErrBulkTooMany
	}
	if id, err = p.opts.Ledger.Draw(ctx, plan, who, why); err != nil {
		return 0, err
	}
	var items []pombo.BulkItem
	err = p.walk(ctx, plan, func(n *pombo.Notification) error {
		if len(items) == most {
			return pombo.ErrBulkTooMany
		}
		why, _, err := p.permitted(ctx, plan.Act, n)
		items = append(items, pombo.BulkItem{Seq: n.Seq, State: n.State, Attempt: n.Attempt, Result: why})
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := p.opts.Ledger.Add(ctx, id, items); err != nil {
		return 0, err
	}
	if err := p.opts.Ledger.Open(ctx, id, max(plan.Matched-len(items), 0)); err != nil {
		return 0, err
	}
	p.opts.Logger.Info("bulk started by an operator", "bulk", id, "act", plan.Act, "notifications", len(items), "by", who)
	p.started.Set()
	return id, nil
}
