package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"pombo"
	"pombo/internal/throttle"
	"pombo/internal/wait"
)

// uncertainLedger is the ledger as the checks see it.
type uncertainLedger interface {
	lineageLedger
	// Uncertain returns the uncertain notifications that are due for a check, the
	// longest due first.
	Uncertain(ctx context.Context, limit int) ([]pombo.Notification, error)
	// TakeUncertain returns them too and has each be due again after d, so that
	// nobody else checks it meanwhile.
	TakeUncertain(ctx context.Context, limit int, d time.Duration) ([]pombo.Notification, error)
	// Postpone changes when an uncertain notification is looked at next, and
	// why it waits; its state and its time of change stay.
	Postpone(ctx context.Context, o pombo.Outcome) error
}

const (
	// firstCheck is soon: Blip's first trace comes within moments.
	firstCheck = 5 * time.Second
	// heldFor is how far away a held one is put: only a person moves it.
	heldFor = 100 * 365 * 24 * time.Hour
	// checkTime is how long a check may take until another process makes it too.
	// What follows is a compare-and-set: whoever comes second changes nothing.
	checkTime = 30 * time.Second
	// gatherChecks lets some of the checks under way end before more are taken: to
	// take one costs the ledger as much as to take ten.
	gatherChecks = 50 * time.Millisecond
)

// checkers is how many questions are under way at once. One after the other, each
// with its way to Blip and its sync of the disk, they came to some twenty a second
// where many times as many doubts arise; so many keep up with the rate of commands.
func checkers(workers int) int { return min(max(workers/2, 4), 64) }

// uncertainLoop settles the doubt about messages that left without an answer.
// Each process that shares the ledger takes some of them, the longest due first:
// were it one process's duty, nobody would ask for as long as it takes to find out
// that this one is dead.
func (e *Engine) uncertainLoop(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	free := make(chan struct{}, checkers(e.o.Workers))
	for range cap(free) {
		free <- struct{}{}
	}
	backoff := wait.Backoff{First: time.Second, Most: time.Minute}
	for {
		behind, err := e.checkSome(ctx, &under, free)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			e.log.Error("uncertain notifications not read", "error", err)
			err = wait.For(ctx, backoff.Next())
		case behind:
			backoff.Reset()
			err = wait.For(ctx, gatherChecks)
		default:
			backoff.Reset()
			_, err = e.doubts.Wait(ctx, idle)
		}
		if err != nil {
			return
		}
	}
}

// checkSome begins as many checks as are free. behind says that more are due.
func (e *Engine) checkSome(ctx context.Context, under *sync.WaitGroup, free chan struct{}) (behind bool, err error) {
	if err := e.Throttle.Pauser.WaitResumed(ctx); err != nil {
		return false, err
	}
	if some, err := e.o.Ledger.Uncertain(ctx, 1); err != nil || len(some) == 0 {
		return false, err
	}
	select {
	case <-free:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	n := 1 + takeAll(free)
	batch, err := e.o.Ledger.TakeUncertain(ctx, n, checkTime)
	for range n - len(batch) {
		free <- struct{}{}
	}
	behind = err == nil && len(batch) == n
	loss, lossErr := e.lookUp(ctx, batch)
	err = errors.Join(err, lossErr)
	for _, d := range batch {
		under.Go(func() {
			defer func() { free <- struct{}{} }()
			err := e.resolve(ctx, d, loss, behind)
			if err != nil && ctx.Err() == nil && !errors.Is(err, pombo.ErrLost) {
				e.log.Error("uncertain notification not resolved", "id", d.MessageID, "error", err)
			}
		})
	}
	return behind, err
}

// takeAll takes what is there without waiting.
func takeAll(c <-chan struct{}) (n int) {
	for {
		select {
		case <-c:
			n++
		default:
			return n
		}
	}
}

// policyOf returns what to do in doubt about a notification: what is set for
// its template, else what is set for all.
func (e *Engine) policyOf(n *pombo.Notification) Policy {
	if p, ok := e.o.UncertainTemplates[e.catalog.Resolve(n.Template)]; ok {
		return p
	}
	return e.o.Uncertain
}

// Resolve decides about one uncertain notification by the policy and records
// what it has decided; pombo.ErrLost when somebody else was quicker.
func (e *Engine) Resolve(ctx context.Context, n pombo.Notification) error {
	loss, err := e.lookUp(ctx, []pombo.Notification{n})
	if err != nil {
		return err
	}
	return e.resolve(ctx, n, loss, false)
}

func (e *Engine) resolve(ctx context.Context, n pombo.Notification, loss afterLoss, behind bool) error {
	if n.Reason == pombo.LedgerWentBack {
		return e.settleLoss(ctx, n, loss)
	}
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Owner: n.Owner, Attempt: n.Attempt}
	switch e.policyOf(&n) {
	case Hold:
		o.Reason, o.NotBefore = pombo.HeldForPerson, time.Now().Add(heldFor)
		return e.o.Ledger.Postpone(ctx, o)
	case Resend:
		o.Reason = pombo.ResentByPolicy
		return e.conclude(ctx, n, again(o, n.Tries))
	}
	return e.check(ctx, n, o, behind)
}

// check asks Blip for the id. A trace ends the doubt; none after the wait means
// that Blip never had it; no answer to the question means to go on asking. Where
// more doubts are due than can be asked about, the questions between the first and
// the one that counts are left out: a doubt then costs two commands at most, and
// Blip allows four for each message.
func (e *Engine) check(ctx context.Context, n pombo.Notification, o pombo.Outcome, behind bool) error {
	waited := time.Since(n.Updated)
	receipts, asked, err := e.askFor(ctx, n.MessageID)
	switch {
	case err != nil:
		return e.notAsked(ctx, n, o, waited, err)
	case !asked:
		return nil // it stays due
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
		rest := max(e.o.UncertainWait-waited, firstCheck)
		if !behind {
			rest = max(min(waited, rest), firstCheck)
		}
		o.NotBefore = time.Now().Add(rest)
		return e.o.Ledger.Postpone(ctx, o)
	}
	o.Reason = pombo.NoTrace
	o = again(o, n.Tries)
	if o.To == pombo.Queued {
		o.NotBefore = time.Time{} // it has waited long enough
	}
	return e.conclude(ctx, n, o)
}

// askFor asks Blip what it has about an id, at the pace of commands. asked is false
// when sending was paused.
func (e *Engine) askFor(ctx context.Context, id pombo.MessageID) (receipts []pombo.Receipt, asked bool, err error) {
	if err := e.Throttle.Pauser.WaitResumed(ctx); err != nil {
		return nil, false, err
	}
	if err := e.Throttle.Rates.AcquireCommand(ctx); err != nil {
		if errors.Is(err, throttle.ErrPaused) {
			err = nil
		}
		return nil, false, err
	}
	receipts, err = e.o.Blip.Receipts(ctx, id)
	return receipts, true, err
}

// notAsked is for a question that got no answer.
func (e *Engine) notAsked(ctx context.Context, n pombo.Notification, o pombo.Outcome, waited time.Duration, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failure := asError(err)
	e.Throttle.Pauser.PauseFor(ctx, failure)
	o.Reason, o.Detail = n.Reason, "Blip could not be asked: "+failure.Error()
	o.NotBefore = time.Now().Add(wait.Jitter(min(max(waited, firstCheck), 5*time.Minute)))
	return e.o.Ledger.Postpone(ctx, o)
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
	e.log.Info("doubt ended", "id", n.MessageID, "row", n.Key.RowKey, "attempt", n.Attempt, "state", o.To, "reason", o.Reason, "detail", furthest.Detail)
	e.metrics.finished(o)
	e.due.Set()
	return nil
}

func (e *Engine) conclude(ctx context.Context, n pombo.Notification, o pombo.Outcome) error {
	return e.doubtEnded(n, o, e.o.Ledger.Finish(ctx, o))
}

// doubtEnded tells of the end of a doubt, unless err says that it was not recorded.
func (e *Engine) doubtEnded(n pombo.Notification, o pombo.Outcome, err error) error {
	if err != nil {
		return err
	}
	e.log.Info("doubt ended", "id", n.MessageID, "row", n.Key.RowKey, "attempt", n.Attempt, "state", o.To, "reason", o.Reason, "detail", o.Detail)
	e.metrics.finished(o)
	if o.To == pombo.Queued {
		e.queued.Set()
	} else {
		e.due.Set()
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
