package dispatch

import (
	"cmp"
	"context"
	"slices"
	"time"

	"pombo"
)

// A ledger that has lost something (its reason is pombo.LedgerWentBack) does not
// know of what waits in it whether it was sent. The row tells, many in one
// statement: one that carries a code that only Pombo writes was sent. Of the others
// Blip is asked for the ids, as pombo recover does: for that of the notification,
// and for that of the generation after it, which may be lost whole. A trace means
// that it was sent; none, when whatever the lost ledger sent has had its time to
// show, that it was not.

// lineageLedger is the ledger as this file sees it.
type lineageLedger interface {
	// WentBack returns when the ledger was last found to have lost something, and
	// when what it lost was last written; zero = never.
	WentBack(ctx context.Context) (noticed, alive time.Time, err error)
	// TakenIn says that every row that was pending since then has been taken in.
	TakenIn(ctx context.Context, since time.Time) error
	// EndDoubt ends a doubt by the code in the row; Overtaken by a later generation.
	EndDoubt(ctx context.Context, n pombo.Notification, code string, gone bool) (pombo.Outcome, error)
	Overtaken(ctx context.Context, n pombo.Notification, trace pombo.Receipt) (pombo.Outcome, error)
	// Recover puts in the generations of a row that Blip has told of.
	Recover(ctx context.Context, source string, row pombo.Row, generations [][]pombo.Receipt) error
	// Newest returns the number of what was taken in last.
	Newest(ctx context.Context) (int64, error)
}

// traceTime is how long Blip keeps its traces, less what it takes to be sure.
const traceTime = 72*time.Hour - 10*time.Minute

// afterLoss is what a check has to know of a ledger that has lost something.
type afterLoss struct {
	noticed, alive time.Time
	codes          map[string]string // of the rows that were asked about
	known          bool              // the source has answered
}

// lookUp asks the source for the rows of what may have been lost.
func (e *Engine) lookUp(ctx context.Context, batch []pombo.Notification) (l afterLoss, err error) {
	var rows []string
	some := false
	for i := range batch {
		if batch[i].Reason == pombo.LedgerWentBack {
			some = true
			if e.hasRow(&batch[i]) {
				rows = append(rows, batch[i].Key.RowKey)
			}
		}
	}
	if !some {
		return l, nil
	}
	if l.noticed, l.alive, err = e.o.Ledger.WentBack(ctx); err != nil || len(rows) == 0 {
		return l, err
	}
	slices.Sort(rows)
	within, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	l.codes, err = e.o.Source.Statuses(within, slices.Compact(rows))
	if l.known = err == nil; err != nil && ctx.Err() == nil {
		// Blip can be asked all the same; what it does not know is looked up again
		// before it is sent.
		e.log.Warn("rows of which the ledger lost what became of them cannot be read; Blip is asked", "rows", len(rows), "error", err)
	}
	return l, nil
}

// hasRow reports whether a notification has a row that could be read.
func (e *Engine) hasRow(n *pombo.Notification) bool {
	return n.Key.Source == e.o.SourceName
}

// settleLoss ends the doubt about what may have been sent by what the ledger lost,
// or says when it is looked at next.
func (e *Engine) settleLoss(ctx context.Context, n pombo.Notification, l afterLoss) error {
	if l.known && e.hasRow(&n) {
		code, there := l.codes[n.Key.RowKey]
		if !there || code != cmp.Or(n.Settled, e.o.Pending) {
			o, err := e.o.Ledger.EndDoubt(ctx, n, code, !there)
			return e.doubtEnded(n, o, err)
		}
	}
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Owner: n.Owner, Attempt: n.Attempt, Reason: n.Reason, Detail: n.Detail}
	waited := time.Since(n.Updated)
	if !l.noticed.IsZero() {
		waited = max(waited, time.Since(l.noticed)) // whatever was sent was sent before that
	}
	last := waited >= e.o.UncertainWait
	traces, asked, err := e.generations(ctx, n, last)
	switch {
	case err != nil:
		return e.notAsked(ctx, n, o, waited, err)
	case !asked:
		return nil // sending is paused: it stays due
	case len(traces) > 1:
		return e.overtaken(ctx, n, traces)
	case len(traces) == 1:
		trace, _ := furthest(traces[0])
		if e.o.Record != nil {
			return e.traced(ctx, n, trace)
		}
		o.To, o.Reason, o.Detail = trace.State, pombo.TraceFound, ""
		if trace.State == pombo.Failed {
			o.Reason, o.Detail = trace.Reason, trace.Detail
		}
		return e.conclude(ctx, n, o)
	case !last:
		o.NotBefore = time.Now().Add(e.o.UncertainWait - waited)
		return e.o.Ledger.Postpone(ctx, o)
	case !l.alive.IsZero() && time.Since(l.alive) > traceTime:
		o.Reason, o.NotBefore = pombo.HeldForPerson, time.Now().Add(heldFor)
		o.Detail = "it may have been sent so long ago that Blip has forgotten it"
		return e.o.Ledger.Postpone(ctx, o)
	case e.policyOf(&n) == Hold && !n.Begun.IsZero():
		o.Reason, o.NotBefore, o.Detail = pombo.HeldForPerson, time.Now().Add(heldFor), ""
		return e.o.Ledger.Postpone(ctx, o)
	}
	o.To, o.Reason, o.Detail, o.NotBefore = pombo.Queued, pombo.NoTrace, "", n.SendAfter
	return e.conclude(ctx, n, o)
}

// generations asks Blip for the ids of a notification and of the generations after
// it, up to the last one of which it has a trace. Without the first trace, the one
// after it is asked for only at last. asked is false when sending was paused.
func (e *Engine) generations(ctx context.Context, n pombo.Notification, last bool) (traces [][]pombo.Receipt, asked bool, err error) {
	var all [][]pombo.Receipt
	for key := n.Key; ; key.Generation++ {
		receipts, asked, err := e.askFor(ctx, key.MessageID())
		if err != nil || !asked {
			return nil, asked, err
		}
		all = append(all, receipts)
		if _, is := furthest(receipts); is {
			traces = all
		} else if len(all) > 1 || !last {
			return traces, true, nil
		}
		if !e.hasRow(&n) {
			return traces, true, nil // it has one generation only
		}
	}
}

// overtaken is for a row of which a later generation was sent.
func (e *Engine) overtaken(ctx context.Context, n pombo.Notification, traces [][]pombo.Receipt) error {
	row := pombo.Row{RowKey: n.Key.RowKey, Recipient: n.Recipient, Phone: n.Phone, Params: n.Params, Template: n.Template,
		Priority: n.Priority, SendAfter: n.SendAfter, Expires: n.Expires}
	list := append(make([][]pombo.Receipt, n.Key.Generation-1), traces...)
	if err := e.o.Ledger.Recover(ctx, n.Key.Source, row, list); err != nil {
		return err
	}
	trace, _ := furthest(traces[0])
	o, err := e.o.Ledger.Overtaken(ctx, n, trace)
	return e.doubtEnded(n, o, err)
}
