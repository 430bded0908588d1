package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/dispatch"
	"pombo/internal/phone"
	"pombo/test/nightly"
)

// faults decides, from a seed, how each call to the source, the ledger or Blip
// goes wrong, until it is told to stop.
type faults struct {
	mu    sync.Mutex
	rand  *rand.Rand
	share float64 // of the calls
	over  bool
	count map[string]int // by method
}

func newFaults(seed uint64, share float64) *faults {
	return &faults{rand: rand.New(rand.NewPCG(seed, 1)), share: share, count: map[string]int{}}
}

func (f *faults) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
}

// The ways in which a call can go wrong.
const (
	well   = iota
	before // an error, and nothing was done
	after  // it was done, and the answer was lost
	slow   // it takes its time
	ended  // its context is over before it begins
	ways
)

func (f *faults) next(method string) (way int, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.rand.Float64() >= f.share {
		return well, 0
	}
	f.count[method]++
	way = 1 + f.rand.IntN(ways-1)
	if way == after && method == "Claim" {
		way = before // see faultyLedger.Claim
	}
	return way, time.Duration(f.rand.IntN(20_000)) * time.Millisecond
}

var errInjected = errors.New("injected")

// through makes a call whose answer and errors are of any kind.
func through[T any](f *faults, method string, call func() (T, error)) (T, error) {
	var zero T
	way, wait := f.next(method)
	switch way {
	case before:
		return zero, fmt.Errorf("%s: %w", method, errInjected)
	case after:
		if v, err := call(); err != nil {
			return v, err
		}
		return zero, fmt.Errorf("%s, answer lost: %w", method, errInjected)
	case slow:
		time.Sleep(wait)
	case ended:
		return zero, fmt.Errorf("%s: %w", method, context.DeadlineExceeded)
	}
	return call()
}

func done(f *faults, method string, call func() error) error {
	_, err := through(f, method, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// pair is what calls with two answers return.
type pair[A, B any] struct {
	a A
	b B
}

func both[A, B any](f *faults, method string, call func() (A, B, error)) (A, B, error) {
	p, err := through(f, method, func() (pair[A, B], error) {
		a, b, err := call()
		return pair[A, B]{a, b}, err
	})
	return p.a, p.b, err
}

// faultySource is a table with faults round every method.
type faultySource struct {
	*fakeTable
	f *faults
}

func (s faultySource) Page(ctx context.Context, after string, limit int) ([]pombo.Row, error) {
	return through(s.f, "Page", func() ([]pombo.Row, error) { return s.fakeTable.Page(ctx, after, limit) })
}
func (s faultySource) Row(ctx context.Context, key string) (pombo.Row, error) {
	return through(s.f, "Row", func() (pombo.Row, error) { return s.fakeTable.Row(ctx, key) })
}
func (s faultySource) Statuses(ctx context.Context, keys []string) (map[string]string, error) {
	return through(s.f, "Statuses", func() (map[string]string, error) { return s.fakeTable.Statuses(ctx, keys) })
}

// Settle that failed has an answer for each row, as the contract says: nobody knows.
func (s faultySource) Settle(ctx context.Context, batch []pombo.Settlement) ([]pombo.Settled, error) {
	results, err := through(s.f, "Settle", func() ([]pombo.Settled, error) { return s.fakeTable.Settle(ctx, batch) })
	if err != nil && results == nil {
		for _, b := range batch {
			results = append(results, pombo.Settled{Settlement: b})
		}
	}
	return results, err
}

// faultyLedger is a ledger with faults round every method that the road calls.
type faultyLedger struct {
	*fakeLedger
	f *faults
}

func (l faultyLedger) Enqueue(ctx context.Context, source string, run int64, rows []pombo.Row) (int, []pombo.Latest, error) {
	return both(l.f, "Enqueue", func() (int, []pombo.Latest, error) { return l.fakeLedger.Enqueue(ctx, source, run, rows) })
}
func (l faultyLedger) EnqueueAgain(ctx context.Context, source string, run int64, rows []pombo.Row, latest []pombo.Latest) (int, error) {
	return through(l.f, "EnqueueAgain", func() (int, error) { return l.fakeLedger.EnqueueAgain(ctx, source, run, rows, latest) })
}
func (l faultyLedger) Queued(ctx context.Context) (int, error) {
	return through(l.f, "Queued", func() (int, error) { return l.fakeLedger.Queued(ctx) })
}

// Claim never loses its answer: what it took would be in flight and nobody would
// know. The ledger promises that its answers are the truth, and on PostgreSQL looks
// whether a transaction was committed whose answer was cut.
func (l faultyLedger) Claim(ctx context.Context, owner string, limit int) ([]pombo.Notification, error) {
	return through(l.f, "Claim", func() ([]pombo.Notification, error) { return l.fakeLedger.Claim(ctx, owner, limit) })
}
func (l faultyLedger) NextDue(ctx context.Context) (time.Time, error) {
	return through(l.f, "NextDue", func() (time.Time, error) { return l.fakeLedger.NextDue(ctx) })
}
func (l faultyLedger) Begin(ctx context.Context, n pombo.Notification, identity string) (int, error) {
	return through(l.f, "Begin", func() (int, error) { return l.fakeLedger.Begin(ctx, n, identity) })
}
func (l faultyLedger) Finish(ctx context.Context, o pombo.Outcome) error {
	return done(l.f, "Finish", func() error { return l.fakeLedger.Finish(ctx, o) })
}
func (l faultyLedger) Postpone(ctx context.Context, o pombo.Outcome) error {
	return done(l.f, "Postpone", func() error { return l.fakeLedger.Postpone(ctx, o) })
}
func (l faultyLedger) TakeUncertain(ctx context.Context, limit int, d time.Duration) ([]pombo.Notification, error) {
	return through(l.f, "TakeUncertain", func() ([]pombo.Notification, error) { return l.fakeLedger.TakeUncertain(ctx, limit, d) })
}
func (l faultyLedger) Uncertain(ctx context.Context, limit int) ([]pombo.Notification, error) {
	return through(l.f, "Uncertain", func() ([]pombo.Notification, error) { return l.fakeLedger.Uncertain(ctx, limit) })
}
func (l faultyLedger) ReleaseParked(ctx context.Context, all bool) (int, error) {
	return through(l.f, "ReleaseParked", func() (int, error) { return l.fakeLedger.ReleaseParked(ctx, all) })
}
func (l faultyLedger) Unsettled(ctx context.Context, limit int) ([]pombo.Settlement, error) {
	return through(l.f, "Unsettled", func() ([]pombo.Settlement, error) { return l.fakeLedger.Unsettled(ctx, limit) })
}
func (l faultyLedger) Settled(ctx context.Context, results []pombo.Settled) error {
	return done(l.f, "Settled", func() error { return l.fakeLedger.Settled(ctx, results) })
}
func (l faultyLedger) RunTaken(ctx context.Context, id int64, why string) error {
	return done(l.f, "RunTaken", func() error { return l.fakeLedger.RunTaken(ctx, id, why) })
}
func (l faultyLedger) EndRun(ctx context.Context, id int64) (pombo.Run, bool, error) {
	return both(l.f, "EndRun", func() (pombo.Run, bool, error) { return l.fakeLedger.EndRun(ctx, id) })
}
func (l faultyLedger) Renew(ctx context.Context, owner string) error {
	return done(l.f, "Renew", func() error { return l.fakeLedger.Renew(ctx, owner) })
}
func (l faultyLedger) ClaimedBy(ctx context.Context, owner string) ([]pombo.Notification, error) {
	return through(l.f, "ClaimedBy", func() ([]pombo.Notification, error) { return l.fakeLedger.ClaimedBy(ctx, owner) })
}
func (l faultyLedger) Reclaim(ctx context.Context) (int, int, error) {
	return both(l.f, "Reclaim", func() (int, int, error) { return l.fakeLedger.Reclaim(ctx) })
}
func (l faultyLedger) Pause(ctx context.Context, p pombo.Pause) error {
	return done(l.f, "Pause", func() error { return l.fakeLedger.Pause(ctx, p) })
}
func (l faultyLedger) Paused(ctx context.Context) (pombo.Pause, bool, error) {
	return both(l.f, "Paused", func() (pombo.Pause, bool, error) { return l.fakeLedger.Paused(ctx) })
}

// faultyBlip takes messages and goes wrong as HTTP does: each error says what is
// known of the request.
type faultyBlip struct {
	f *faults

	mu      sync.Mutex
	taken   map[pombo.MessageID]int
	refused map[pombo.MessageID]bool
}

func (*faultyBlip) UploadAddress(context.Context) (string, error) { return "", nil }
func (*faultyBlip) Upload(context.Context, string, string, []byte) (string, error) {
	return "", nil
}

func (b *faultyBlip) Identity(_ context.Context, n phone.Number) (string, error) {
	return blipCall(b.f, "Identity", func() (string, error) { return n.E164()[1:] + "@wa.gw.msging.net", nil })
}
func (b *faultyBlip) Redirects() int { return 2 }
func (b *faultyBlip) RedirectReply(context.Context, string, int) error {
	_, err := blipCall(b.f, "RedirectReply", func() (int, error) { return 0, nil })
	return err
}
func (b *faultyBlip) Templates(context.Context) ([]pombo.Template, error) {
	return blipCall(b.f, "Templates", func() ([]pombo.Template, error) { return []pombo.Template{templateOf("um", "APPROVED", "{{1}}")}, nil })
}

// Receipts has a trace of what was taken.
func (b *faultyBlip) Receipts(_ context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
	return blipCall(b.f, "Receipts", func() ([]pombo.Receipt, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.taken[id] == 0 {
			return nil, nil
		}
		return []pombo.Receipt{{MessageID: id, State: pombo.Accepted}}, nil
	})
}

func (b *faultyBlip) Send(_ context.Context, m pombo.Message) error {
	way, wait := b.f.next("Send")
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Params[0].Value == "refuse" {
		b.refused[m.MessageID] = true
		return refused
	}
	switch way {
	case before:
		return [...]error{busy, tooFast, cut, &pombo.Error{Reason: pombo.BlipUnreachable, Retry: true, Delivery: pombo.NotSent, Pause: 10 * time.Second}}[wait%4]
	case after:
		b.taken[m.MessageID]++
		return cut
	case ended:
		return &pombo.Error{Reason: pombo.TemplatePaused, Delivery: pombo.NotSent}
	case slow:
		b.taken[m.MessageID]++
		b.mu.Unlock()
		time.Sleep(wait)
		b.mu.Lock()
		return nil
	}
	b.taken[m.MessageID]++
	return nil
}

// blipCall is through with errors as package blip makes them.
func blipCall[T any](f *faults, method string, call func() (T, error)) (T, error) {
	v, err := through(f, method, call)
	if err != nil {
		return v, &pombo.Error{Reason: pombo.BlipUnavailable, Retry: true, Delivery: pombo.NotSent, Err: err}
	}
	return v, nil
}

// TestPromisesUnderFaults reruns a day of the engine with faults round every call
// that it makes: rows of every kind, a kill and a restart in the middle. When the
// faults are over, every row has ended, in the ledger and in the table, and Blip
// has taken each that it did not refuse exactly once.
func TestPromisesUnderFaults(t *testing.T) {
	t.Parallel() // days pass in it
	seeds := nightly.Or[uint64](200, 50)
	if testing.Short() || nightly.RaceByDay() {
		seeds = 20
	}
	hit := map[string]int{}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			f := newFaults(seed, 0.05+0.3*float64(seed%10)/10)
			underFaults(t, seed, f)
			for method, n := range f.count {
				hit[method] += n
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d seeds, faults by method: %v", seeds, hit)
	for _, method := range []string{"Page", "Settle", "Enqueue", "Claim", "Begin", "Finish", "Uncertain", "TakeUncertain", "Postpone", "Settled", "Renew", "Reclaim", "Identity", "Send", "Receipts"} {
		if hit[method] == 0 {
			t.Errorf("no fault ever fell on %s", method)
		}
	}
}

func underFaults(t *testing.T, seed uint64, f *faults) {
	t.Helper()
	const rows = 50
	var list []pombo.Row
	want := map[string]pombo.State{}
	for i := range rows {
		key, number, text := fmt.Sprintf("%02d", i), fmt.Sprintf("319888800%02d", i), "Maria"
		want[key] = pombo.Accepted
		switch i % 10 {
		case 3:
			number, want[key] = "no phone", pombo.Failed
		case 5:
			text, want[key] = "refuse", pombo.Failed
		case 7:
			text, want[key] = "two\nlines", pombo.Failed
		}
		list = append(list, row(key, number, text))
	}
	source, ledger := newTable(list...), newFakeLedger()
	ledger.leases, ledger.lease = map[string]time.Time{}, 30*time.Second
	blip := &faultyBlip{f: f, taken: map[pombo.MessageID]int{}, refused: map[pombo.MessageID]bool{}}
	o := options{
		Source: faultySource{source, f}, Ledger: faultyLedger{ledger, f}, Blip: blip,
		Template: "um", Language: "pt_BR", Slots: []pombo.Slot{pombo.Body}, Workers: 4, PollInterval: time.Minute, HighWater: 20,
	}
	start := func(name string) *dispatch.Engine {
		o.Owner = name
		for i := 0; ; i++ {
			e, err := newEngine(o)
			if err != nil {
				t.Fatal(err)
			}
			if err = e.Start(t.Context()); err == nil {
				return e
			} else if i > 100 {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
	}
	stop := func(e *dispatch.Engine, patience time.Duration) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = e.Stop(ctx) // it says what it cut off
	}
	var last *dispatch.Engine
	for i := range 3 {
		e := start("p" + strconv.Itoa(i))
		time.Sleep(time.Duration(1+seed%7) * 20 * time.Second)
		if i == 2 && seed%2 == 0 {
			last = e // it lives to see better times
			break
		}
		stop(e, time.Duration(seed%3)*time.Second)
	}
	f.stop()
	if last == nil {
		last = start("last")
	}
	for range 180 {
		time.Sleep(time.Minute)
		synctest.Wait()
		if ledger.atRest() {
			break
		}
	}
	stop(last, time.Minute)

	for key, state := range want {
		n := ledger.get(t, key)
		if n.State != state {
			t.Errorf("P1: row %s is %s (%s: %s), want %s", key, n.State, n.Reason, n.Detail, state)
		}
		taken := blip.taken[n.MessageID]
		if state == pombo.Accepted && taken != 1 || state == pombo.Failed && taken != 0 {
			t.Errorf("P2: Blip took row %s %d times; its way: %v", key, taken, ledger.history[n.Seq])
		}
		if state == pombo.Accepted && source.get(key) != "2" {
			t.Errorf("P1: row %s has the status %s in the table", key, source.get(key))
		}
		if n.Key.Generation != 1 {
			t.Errorf("P2: row %s was taken in %d times", key, n.Key.Generation)
		}
	}
}
