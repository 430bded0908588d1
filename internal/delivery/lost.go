package delivery

import (
	"cmp"
	"context"
	"slices"
	"time"

	"pombo"
)

// A ledger that has lost something (its reason is pombo.LedgerWentBack) does not know
// whether what waits in it was sent. The rows show it, many in one statement: a row
// with a code that only Pombo writes was sent. For the others, Blip is asked about the
// ids, as pombo recover does: that of the notification, and that of the generation
// after it, which may be lost whole. A trace means that it was sent; no trace, once
// everything that the lost ledger sent has had time to show, that it was not.

// traceMargin: a missing trace is conclusive only for messages that are younger than
// Blip's limit of 72 hours by this much.
const traceMargin = 10 * time.Minute

// traceTime is how long Blip's answer about a message is conclusive.
const traceTime = 72*time.Hour - traceMargin

// loss is what a check needs to know about a ledger that has lost something.
type loss struct {
	noticed, alive time.Time
	codes          map[string]string // of the rows that were asked about
	known          bool              // the source has answered
}

// lookUp asks the source for the rows of what may have been lost.
func (r *Resolver) lookUp(ctx context.Context, batch []pombo.Notification) (l loss, err error) {
	var rows []string
	some := false
	for i := range batch {
		if batch[i].Reason == pombo.LedgerWentBack {
			some = true
			if r.hasRow(&batch[i]) {
				rows = append(rows, batch[i].Key.RowKey)
			}
		}
	}
	if !some {
		return l, nil
	}
	if l.noticed, l.alive, err = r.opts.Ledger.WentBack(ctx); err != nil || len(rows) == 0 {
		return l, err
	}
	slices.Sort(rows)
	within, cancel := context.WithTimeout(ctx, recheckTimeout)
	defer cancel()
	l.codes, err = r.opts.Source.Statuses(within, slices.Compact(rows))
	if l.known = err == nil; err != nil && ctx.Err() == nil {
		// Blip can be asked all the same; what it does not know is looked up again
		// before it is sent.
		r.log.Warn("rows of which the ledger lost what became of them cannot be read; Blip is asked", "rows", len(rows), "error", err)
	}
	return l, nil
}

// hasRow reports whether a notification has a row that could be read.
func (r *Resolver) hasRow(n *pombo.Notification) bool { return n.Key.Source == r.opts.SourceName }

// resolveLost ends the doubt about a notification that the lost part of the ledger may
// have sent, or says when to look at it next.
func (r *Resolver) resolveLost(ctx context.Context, n pombo.Notification, l loss) error {
	if l.known && r.hasRow(&n) {
		code, there := l.codes[n.Key.RowKey]
		if !there || code != cmp.Or(n.Settled, r.opts.Pending) {
			o, err := r.opts.Ledger.EndDoubt(ctx, n, code, !there)
			return r.doubtEnded(n, o, err)
		}
	}
	o := endOf(&n, pombo.Uncertain)
	waited := time.Since(n.Updated)
	if !l.noticed.IsZero() {
		waited = max(waited, time.Since(l.noticed)) // whatever was sent was sent before that
	}
	last := waited >= r.opts.Wait
	traces, asked, err := r.generations(ctx, n, last)
	switch {
	case err != nil:
		return r.notAsked(ctx, n, o, waited, err)
	case !asked:
		return nil // sending is paused: it stays due
	case len(traces) > 1:
		return r.overtaken(ctx, n, traces)
	case len(traces) == 1:
		trace, _ := furthest(traces[0])
		return r.traced(ctx, n, trace)
	case !last:
		return r.opts.Ledger.Postpone(ctx, postponed(o, n.Reason, time.Now().Add(r.opts.Wait-waited), n.Detail))
	case !l.alive.IsZero() && time.Since(l.alive) > traceTime:
		return r.opts.Ledger.Postpone(ctx, leftToOperator(o, "it may have been sent so long ago that Blip has forgotten it"))
	case r.policyOf(&n) == AskOperator && !n.Begun.IsZero():
		return r.opts.Ledger.Postpone(ctx, leftToOperator(o, ""))
	}
	return r.finish(ctx, n, sentAgain(o, pombo.NoTrace, n.SendAfter))
}

// generations asks Blip about the ids of a notification and of the generations after
// it, up to the last one with a trace. Without a trace of the first, it asks about the
// next only at the last check. asked is false when sending was paused.
func (r *Resolver) generations(ctx context.Context, n pombo.Notification, last bool) (traces [][]pombo.Receipt, asked bool, err error) {
	var all [][]pombo.Receipt
	for key := n.Key; ; key.Generation++ {
		receipts, asked, err := r.ask(ctx, key.MessageID())
		if err != nil || !asked {
			return nil, asked, err
		}
		all = append(all, receipts)
		if _, is := furthest(receipts); is {
			traces = all
		} else if len(all) > 1 || !last {
			return traces, true, nil
		}
		if !r.hasRow(&n) {
			return traces, true, nil // it has one generation only
		}
	}
}

// overtaken is the outcome when a later generation of the row was sent.
func (r *Resolver) overtaken(ctx context.Context, n pombo.Notification, traces [][]pombo.Receipt) error {
	row := pombo.Row{RowKey: n.Key.RowKey, Recipient: n.Recipient, Phone: n.Phone, Params: n.Params, Template: n.Template, Language: n.Language,
		Priority: n.Priority, SendAfter: n.SendAfter, Expires: n.Expires}
	list := append(make([][]pombo.Receipt, n.Key.Generation-1), traces...)
	if err := r.opts.Ledger.Recover(ctx, n.Key.Source, row, list); err != nil {
		return err
	}
	trace, _ := furthest(traces[0])
	o, err := r.opts.Ledger.Overtaken(ctx, n, trace)
	return r.doubtEnded(n, o, err)
}
