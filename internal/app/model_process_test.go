package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"pombo"
	"pombo/internal/delivery"
	"pombo/internal/dispatch"
	"pombo/internal/ledger"
	"pombo/internal/phone"
)

// process is one Pombo. It stops before each of its calls until the explorer resumes it.
type process struct {
	w      *model
	owner  string
	engine *dispatch.Engine

	at      string   // the call that it is about to make; "" = it is within no step
	about   int      // the generation that its question to Blip is about
	told    []string // what its calls have returned since the step began
	answer  chan string
	arrived chan struct{}
}

func (w *model) start() *process {
	w.names++
	p := &process{w: w, owner: w.row + "." + strconv.Itoa(w.names), answer: make(chan string), arrived: make(chan struct{})}
	all, stopping := rooms(w.x.db), newModelLedger(w.x.db, p)
	all.Intake, all.Settle, all.Delivery, all.Uncertain = stopping, stopping, stopping, stopping
	controls, err := dispatch.NewControls(dispatch.Options{
		SourceName: modelSource, Source: modelTable{p}, Pending: "1", Ledger: all, Blip: modelBlip{p},
		Owner: p.owner, Workers: 1, Uncertain: delivery.Policies{Default: w.x.policy}, UncertainWait: time.Second, Lease: modelLease,
	})
	if err != nil {
		w.x.t.Fatal(err)
	}
	p.engine = dispatch.New(controls, stopping.record)
	if err := p.engine.Lease.Renew(w.ctx); err != nil {
		w.failf("renew: %v", err)
	}
	return p
}

// step begins a step of the road and returns when the process is about to make its first call,
// or the step is over.
func (p *process) step(name string, f func(*process, context.Context)) {
	p.told = []string{name}
	go func() {
		defer func() { p.at, p.told = "", nil; p.arrived <- struct{}{} }()
		f(p, p.w.ctx)
	}()
	<-p.arrived
}

// stop stops before a call and returns how the call ends. A process that dies here never
// continues.
func (p *process) stop(call string) string {
	p.at = call
	p.arrived <- struct{}{}
	a := <-p.answer
	if a == dies {
		runtime.Goexit()
	}
	return a
}

// resume lets the process make its call and returns when it is about to make the next one.
func (p *process) resume(answer string) {
	p.answer <- answer
	<-p.arrived
}

// tell records what a call has returned.
func (p *process) tell(args ...any) { p.told = append(p.told, fmt.Sprint(args...)) }

func (p *process) deliver(ctx context.Context) {
	list, err := newModelLedger(p.w.x.db, p).Claim(ctx, p.owner, 1)
	if err != nil {
		p.w.failf("claim: %v", err)
	}
	for _, n := range list {
		p.engine.Deliverer.Deliver(ctx, n)
	}
}

func (p *process) resolve(ctx context.Context) {
	list, err := p.w.x.db.Doubts.Uncertain(ctx, 1)
	for _, n := range list {
		p.tell(n.Attempt, time.Since(n.Updated) < time.Second)
		if e := p.engine.Resolver.Resolve(ctx, n); !errors.Is(e, pombo.ErrLost) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		p.w.failf("resolve: %v", err)
	}
}

func (p *process) settle(ctx context.Context) {
	// Running out of its own time is not an error: it settles again.
	if _, err := p.engine.Settler.Settle(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		p.w.failf("settle: %v", err)
	}
}

func (p *process) takeIn(ctx context.Context) {
	p.w.passes--
	if _, err := p.engine.Intake.TakeIn(ctx); err != nil {
		p.w.failf("take in: %v", err)
	}
}

// modelLedger is the real one; each call that changes something can be stopped.
type modelLedger struct {
	*ledger.Intake
	*ledger.Queue
	*ledger.OptOutList
	*ledger.Replies
	*ledger.Doubts
	*ledger.Reconciliation
	*ledger.Receipts
	*ledger.Settlements
	p *process
}

func newModelLedger(db *ledger.DB, p *process) modelLedger {
	return modelLedger{db.Intake, db.Queue, db.OptOuts, db.Replies, db.Doubts, db.Reconciliation, db.Receipts, db.Settlements, p}
}

func (l modelLedger) Claim(ctx context.Context, owner string, limit int) ([]pombo.Notification, error) {
	l.p.stop("claim")
	list, err := l.Queue.Claim(ctx, owner, limit)
	for _, n := range list {
		l.p.tell("claimed ", n.Key.Generation, n.Attempt, n.Tries, n.Settled)
	}
	return list, err
}

func (l modelLedger) Begin(ctx context.Context, n pombo.Notification, identity string) (int, error) {
	l.p.stop("begin")
	attempt, err := l.Queue.Begin(ctx, n, identity)
	l.p.tell("begun ", attempt, err)
	l.p.stop("begun")
	return attempt, err
}

func (l modelLedger) Finish(ctx context.Context, o pombo.Outcome) error {
	l.p.stop("finish as " + string(o.To))
	err := l.Queue.Finish(ctx, o)
	l.p.tell("finished ", err)
	return err
}

// record applies the receipt of a check that has found a trace.
func (l modelLedger) record(ctx context.Context, receipts []pombo.Receipt) error {
	l.p.stop("record " + string(receipts[0].State))
	_, err := l.Apply(ctx, receipts)
	l.p.tell("recorded ", err)
	return err
}

func (l modelLedger) Postpone(ctx context.Context, o pombo.Outcome) error {
	l.p.stop("postpone")
	err := l.Doubts.Postpone(ctx, o)
	l.p.tell("postponed ", err)
	return err
}

func (l modelLedger) Settled(ctx context.Context, results []pombo.Settled) error {
	l.p.stop("mark as settled")
	return l.Settlements.Settled(ctx, results)
}

func (l modelLedger) Enqueue(ctx context.Context, source string, run int64, rows []pombo.Row) (int, []pombo.Latest, error) {
	l.p.stop("enqueue")
	added, finished, err := l.Intake.Enqueue(ctx, source, run, rows)
	l.p.tell("enqueued ", added, finished, err)
	return added, finished, err
}

func (l modelLedger) EnqueueAgain(ctx context.Context, source string, run int64, rows []pombo.Row, latest []pombo.Latest) (int, error) {
	l.p.stop("enqueue again")
	return l.Intake.EnqueueAgain(ctx, source, run, rows, latest)
}

// answer takes the person's answer to the message that went last.
func (w *model) answer() {
	w.replies--
	w.look()
	_, err := w.x.db.Replies.Take(w.ctx, []pombo.Inbound{{ID: w.row, Kind: pombo.ReplyButton, Text: "sim", RepliesTo: []pombo.MessageID{w.id(w.latest)}}})
	if err != nil {
		w.failf("take: %v", err)
	}
}

// refuse applies a failed receipt with a reason that passes.
func (w *model) refuse() {
	w.fails--
	w.look()
	_, err := w.x.db.Receipts.Apply(w.ctx, []pombo.Receipt{{
		MessageID: w.id(w.latest), State: pombo.Failed, Reason: pombo.ChannelError, Policy: pombo.ResendBackoff, At: time.Now(),
	}})
	if err != nil {
		w.failf("apply: %v", err)
	}
}

// modelTable is the company's table with the one row.
type modelTable struct{ p *process }

func (t modelTable) Page(_ context.Context, after string, _ int) ([]pombo.Row, error) {
	if after != "" || t.p.w.status != "1" {
		return nil, nil
	}
	return []pombo.Row{t.row()}, nil
}

func (t modelTable) row() pombo.Row {
	return pombo.Row{RowKey: t.p.w.row, Recipient: "(31) 98888-0001", Params: []pombo.Param{{Slot: pombo.Body, Value: "Maria"}}}
}

func (t modelTable) Problems() []pombo.RowProblem                   { return nil }
func (t modelTable) Row(context.Context, string) (pombo.Row, error) { return t.row(), nil }
func (t modelTable) Statuses(context.Context, []string) (map[string]string, error) {
	t.p.stop("read the status again")
	t.p.tell("status ", t.p.w.status)
	return map[string]string{t.p.w.row: t.p.w.status}, nil
}

func (t modelTable) Settle(_ context.Context, batch []pombo.Settlement) ([]pombo.Settled, error) {
	t.p.stop("update the table")
	w := t.p.w
	var results []pombo.Settled
	for _, s := range batch {
		result := pombo.SettleDiverged
		if s.RowKey == w.row && (w.status == s.Expected || w.status == s.Code || slices.Contains(s.Unsure, w.status)) {
			w.status, result = s.Code, pombo.SettleDone
		}
		results = append(results, pombo.Settled{Settlement: s, Result: result})
	}
	t.p.tell("updated ", w.status)
	return results, nil
}

// modelBlip answers as the explorer chooses.
type modelBlip struct{ p *process }

func (b modelBlip) Identity(_ context.Context, n phone.Number) (string, error) {
	return n.E164()[1:] + "@wa.gw.msging.net", nil
}
func (modelBlip) UploadAddress(context.Context) (string, error) { return "", nil }
func (modelBlip) Upload(context.Context, string, string, []byte) (string, error) {
	return "", nil
}

func (b modelBlip) Redirects() int                                      { return 0 }
func (b modelBlip) RedirectReply(context.Context, string, int) error    { return nil }
func (b modelBlip) Templates(context.Context) ([]pombo.Template, error) { return nil, nil }

func (b modelBlip) Send(_ context.Context, m pombo.Message) error {
	w, a := b.p.w, b.p.stop("send")
	if a != accepts {
		w.troubles--
	}
	if a == accepts || a == cutTaken {
		w.taken[w.generation(m.MessageID)]++
	}
	b.p.tell("sent ", a)
	switch a {
	case accepts:
		return nil
	case refuses:
		return &pombo.Error{Reason: pombo.BadRequest, Delivery: pombo.NotSent}
	case isBusy:
		return &pombo.Error{Reason: pombo.ChannelError, Retry: true, Delivery: pombo.NotSent}
	case unmade:
		return &pombo.Error{Reason: pombo.BlipUnreachable, Retry: true, Delivery: pombo.NotSent}
	default:
		return &pombo.Error{Reason: pombo.NoAnswer, Retry: true, Delivery: pombo.MaybeSent}
	}
}

func (b modelBlip) Receipts(_ context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
	w := b.p.w
	b.p.about = w.generation(id)
	a := b.p.stop("receipts")
	b.p.tell("asked ", a)
	switch a {
	case trace:
		return []pombo.Receipt{{MessageID: id, State: pombo.Accepted}}, nil
	case lateOne:
		w.lates--
		w.late[b.p.about]++
		return nil, nil
	case mute:
		w.troubles--
		return nil, &pombo.Error{Reason: pombo.BlipUnavailable, Retry: true, Delivery: pombo.NotSent}
	default:
		return nil, nil
	}
}

// The answers of Blip, and how else a call can end.
const (
	goes     = "goes"
	dies     = "dies"
	accepts  = "accepts"
	refuses  = "refuses for good"
	isBusy   = "refuses for now"
	unmade   = "no connection"
	cutTaken = "is cut after Blip took it"
	cutLost  = "is cut before Blip took it"
	trace    = "has a trace"
	noTrace  = "has no trace"
	lateOne  = "has no trace yet"
	mute     = "cannot be asked"
)

func (w *model) answers(p *process) []string {
	switch p.at {
	case "send":
		if w.troubles == 0 {
			return []string{accepts}
		}
		return []string{accepts, refuses, isBusy, unmade, cutTaken, cutLost}
	case "receipts":
		var list []string
		switch {
		case w.taken[p.about] == 0:
			list = []string{noTrace}
		case w.lates > 0:
			list = []string{trace, lateOne}
		default:
			list = []string{trace}
		}
		if w.troubles > 0 {
			list = append(list, mute)
		}
		return list
	}
	return []string{goes}
}
