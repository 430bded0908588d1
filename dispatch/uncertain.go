package dispatch

import (
	"context"
	"errors"
	"time"

	"pombo"
)

// uncertainLedger is the ledger as the checks see it.
type uncertainLedger interface {
	// Uncertain returns the uncertain notifications that are due for a check.
	Uncertain(ctx context.Context, limit int) ([]pombo.Notification, error)
	// Postpone changes when an uncertain notification is looked at next, and
	// why it waits; its state and its time of change stay.
	Postpone(ctx context.Context, o pombo.Outcome) error
}

const (
	// firstCheck is soon: Blip's first trace comes within moments.
	firstCheck = 5 * time.Second
	// checkBatch is how many are read at once; each costs one command.
	checkBatch = 100
	// heldFor is how far away a held one is put: only a person moves it.
	heldFor = 100 * 365 * 24 * time.Hour
)

// uncertainLoop settles the doubt about messages that left without an answer. Of
// the processes that share a ledger one asks.
func (e *Engine) uncertainLoop(ctx context.Context) {
	asking := e.duty("uncertain")
	defer asking.release(ctx)
	trouble := backoff{first: time.Second, most: time.Minute}
	for {
		var batch []pombo.Notification
		err := asking.wait(ctx)
		if err == nil {
			batch, err = e.o.Ledger.Uncertain(ctx, checkBatch)
		}
		if err != nil {
			if ctx.Err() == nil {
				e.log.Error("uncertain notifications not read", "error", err, "often", pombo.Often("uncertain"))
			}
			if sleep(ctx, trouble.next()) != nil {
				return
			}
			continue
		}
		trouble.reset()
		for _, n := range batch {
			if mine, err := asking.mine(ctx); !mine || err != nil {
				break
			}
			if err := e.Resolve(ctx, n); err != nil {
				if ctx.Err() != nil {
					return
				}
				if !errors.Is(err, pombo.ErrLost) {
					e.log.Error("uncertain notification not resolved", "id", n.ID, "error", err, "often", pombo.Often("uncertain one"))
				}
			}
		}
		if len(batch) < checkBatch && e.doubts.wait(ctx, idle) != nil {
			return
		}
	}
}

// policyOf returns what to do in doubt about a notification: what is set for
// its template, else what is set for all.
func (e *Engine) policyOf(n *pombo.Notification) Policy {
	if p, ok := e.o.UncertainTemplates[e.catalog.nameOf(n)]; ok {
		return p
	}
	return e.o.Uncertain
}

// Resolve decides about one uncertain notification by the policy and records
// what it has decided; pombo.ErrLost when somebody else was quicker.
func (e *Engine) Resolve(ctx context.Context, n pombo.Notification) error {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Owner: n.Owner, Attempt: n.Attempt}
	switch e.policyOf(&n) {
	case Hold:
		o.Reason, o.NotBefore = pombo.HeldForPerson, time.Now().Add(heldFor)
		return e.o.Ledger.Postpone(ctx, o)
	case Resend:
		o.Reason = pombo.ResentByPolicy
		return e.conclude(ctx, n, again(o, n.Tries))
	}
	return e.check(ctx, n, o)
}

// check asks Blip for the id. A trace ends the doubt; none after the wait means
// that Blip never had it; no answer to the question means to go on asking.
func (e *Engine) check(ctx context.Context, n pombo.Notification, o pombo.Outcome) error {
	if err := e.pace.waitResumed(ctx); err != nil {
		return err
	}
	if err := e.pace.command(ctx); err != nil {
		if errors.Is(err, errPaused) {
			return nil // it stays due
		}
		return err
	}
	waited := time.Since(n.Updated)
	receipts, err := e.o.Blip.Receipts(ctx, n.ID)
	if err != nil {
		failure := asError(err)
		if failure.Pause > 0 {
			e.pauseFor(ctx, failure)
		}
		o.Reason, o.Detail = n.Reason, "Blip could not be asked: "+failure.Error()
		o.NotBefore = time.Now().Add(jitter(min(max(waited, firstCheck), 5*time.Minute)))
		return e.o.Ledger.Postpone(ctx, o)
	}
	if furthest, ok := furthest(receipts); ok {
		if e.o.Record != nil {
			return e.traced(ctx, n, furthest)
		}
		o.To, o.Reason, o.Detail = furthest.State, pombo.TraceFound, ""
		if furthest.State == pombo.Failed {
			o.Reason, o.Detail = furthest.Reason, furthest.Detail
		}
		return e.conclude(ctx, n, o)
	}
	if waited < e.o.UncertainWait {
		o.Reason, o.Detail = n.Reason, n.Detail
		o.NotBefore = time.Now().Add(max(min(waited, e.o.UncertainWait-waited), firstCheck))
		return e.o.Ledger.Postpone(ctx, o)
	}
	o.Reason = pombo.NoTrace
	o = again(o, n.Tries)
	if o.To == pombo.Queued {
		o.NotBefore = time.Time{} // it has waited long enough
	}
	return e.conclude(ctx, n, o)
}

// traced has the receipt recorded that ends the doubt, with all that follows from
// it.
func (e *Engine) traced(ctx context.Context, n pombo.Notification, furthest pombo.Receipt) error {
	if err := e.o.Record(ctx, []pombo.Receipt{furthest}); err != nil {
		return err
	}
	o := pombo.Outcome{To: furthest.State, Reason: pombo.TraceFound}
	if furthest.State == pombo.Failed {
		o.Reason = furthest.Reason
	}
	e.log.Info("doubt ended", "id", n.ID, "row", n.Key.Row, "attempt", n.Attempt, "state", o.To, "reason", o.Reason, "detail", furthest.Detail)
	e.metrics.finished(o)
	e.due.set()
	return nil
}

func (e *Engine) conclude(ctx context.Context, n pombo.Notification, o pombo.Outcome) error {
	if err := e.o.Ledger.Finish(ctx, o); err != nil {
		return err
	}
	e.log.Info("doubt ended", "id", n.ID, "row", n.Key.Row, "attempt", n.Attempt, "state", o.To, "reason", o.Reason, "detail", o.Detail)
	e.metrics.finished(o)
	if o.To == pombo.Queued {
		e.queued.set()
	} else {
		e.due.set()
	}
	return nil
}

// rank orders what receipts say; they come in any order and repeat.
var rank = map[pombo.State]int{pombo.Accepted: 1, pombo.Dispatched: 2, pombo.Failed: 3, pombo.Delivered: 4, pombo.Read: 5}

// furthest returns the receipt that says most. A message that was delivered on
// one attempt has not failed, whatever another attempt got.
func furthest(receipts []pombo.Receipt) (best pombo.Receipt, ok bool) {
	for _, r := range receipts {
		if rank[r.State] > rank[best.State] {
			best, ok = r, true
		}
	}
	return best, ok
}
