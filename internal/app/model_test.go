package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/delivery"
	"pombo/internal/ledger"
	"pombo/test/nightly"
)

var troubles = flag.Int("troubles", 1, "how many crashes, stalls and failing calls each interleaving may have; 2 takes minutes")

// TestEveryInterleaving is a model checker with the program as its model: two
// processes (the real dispatch.Engine) work on one row through the real ledger,
// and the test tries every order of their calls, with every outcome of a POST, a crash
// or a stall of one process at every call, a Blip whose trace comes late or that
// cannot be asked, a WhatsApp that refuses for now what Blip has accepted, a person who
// answers, and an owner who changes the row. After each step and at each end it checks the promises:
//
//	P1  the row ends, and its end is written to the table, or its answer over that; what
//	    was refused for now is sent again, unless the owner has changed the row
//	P2  Blip accepts each generation once; a second time only if Blip was asked and
//	    had no trace of the first: the one window that is documented
//
// It is a depth-first search. A path is the list of the choices made; to try another
// choice it walks the path again, with a new row in the same ledger, and looks at the row
// only where the path is new. It does not continue from a place that it has met before: one where everything that the future
// depends on is the same. What the processes know is what their calls have returned
// since their step began, so the place includes those answers.
func TestEveryInterleaving(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: it takes a quarter of a minute by day and a whole one at night")
	}
	for _, test := range []struct {
		name   string
		policy delivery.Policy
		may    budget
	}{
		// Everything together would take hours. By day there is one pass over the table, no
		// trouble besides a refusal, and one process where somebody else changes the row: that
		// two of them do not get in each other's way is then seen in the others.
		{"check", delivery.Check, budget{lates: 1, passes: nightly.Or(2, 1)}},
		{"hold", delivery.AskOperator, budget{lates: 1, passes: nightly.Or(2, 1)}},
		{"refused by WhatsApp", delivery.Check, budget{fails: 1, passes: 1, untroubled: !nightly.On()}},
		{"changed by its owner", delivery.Check, budget{fails: 1, changes: 1, passes: 1, untroubled: true, alone: !nightly.On()}},
		{"answered", delivery.Check, budget{replies: 1, passes: 1, untroubled: !nightly.On()}},
		{"answered and refused", delivery.Check, budget{replies: 1, fails: 1, passes: 1, untroubled: true, alone: !nightly.On()}},
		{"answered and changed by its owner", delivery.Check, budget{replies: 1, changes: 1, passes: 1, untroubled: true, alone: !nightly.On()}},
		{"set back by its owner", delivery.Check, budget{changes: 1, backs: 1, passes: 1, untroubled: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := fastFolder(t)
			synctest.Test(t, func(t *testing.T) {
				db, err := ledger.Open(t.Context(), ledger.Options{
					URL: "sqlite:" + filepath.Join(folder, "model.db"), Exclusive: true, Source: modelSource, Pending: "1", Lease: modelLease,
					Codes: map[pombo.State]string{pombo.Accepted: "2", pombo.Failed: "3"}, Now: time.Now, FirstPoll: -1,
					Replies: ledger.ReplyOptions{Codes: map[string]string{"Sim": answersCode}},
				})
				if err != nil {
					t.Fatal(err)
				}
				x := &explorer{t: t, db: db, policy: test.policy, may: test.may, seen: map[string]bool{}}
				x.explore()
				if err := db.Close(); err != nil {
					t.Error(err)
				}
				t.Logf("%d interleavings with %d places and %d steps; Blip accepted a message twice in %d, each time after it was asked and had no trace; "+
					"%d ended with a message that was sent again, %d with a row that its owner had withdrawn",
					x.paths, len(x.seen), x.steps, x.windows, x.resends, x.withdrawn)
				if x.paths < 20 || x.answered == 0 != (test.may.replies == 0) || x.windows == 0 != (test.may.lates == 0 || test.policy != delivery.Check) ||
					x.resends == 0 != (test.may.fails+test.may.backs == 0) || x.withdrawn == 0 != (test.may.changes*test.may.fails == 0) {
					t.Error("the model has lost its choices")
				}
			})
		})
	}
}

// fastFolder is in memory where the system has such a place: this test does not cut the
// power, so it need not wait for the disk.
func fastFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "pombo-model") //nolint:usetesting // its folders are on the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

const (
	modelSource = "notificacao"
	modelLease  = 30 * time.Second
	// gap is longer than the recipient interval, so that a resend is not deferred for it.
	gap = 7 * time.Second
)

// explorer walks path after path.
type explorer struct {
	t      *testing.T
	db     *ledger.DB
	policy delivery.Policy
	may    budget
	seen   map[string]bool
	lists  [][]choice // of each step of the last path

	paths, steps, windows, resends, withdrawn, answered int
}

// explore walks the path of first choices, then each time the path that differs from the
// last one in its last choice that has an alternative.
func (x *explorer) explore() {
	var path []int
	for !x.t.Failed() {
		w := newModel(x)
		w.walk(path)
		x.paths++
		if slices.Max(w.taken[:]) > 1 {
			x.windows++
		}
		w.end()
		path = w.made
		for len(path) > 0 && path[len(path)-1]+1 >= len(x.lists[len(path)-1]) {
			path = path[:len(path)-1]
		}
		if len(path) == 0 {
			return
		}
		path[len(path)-1]++
	}
}

// budget is how often something may happen on one path.
type budget struct {
	lates      int // a trace comes late
	fails      int // WhatsApp refuses for now what Blip has taken
	changes    int // the owner changes the row
	backs      int // and sets it back to pending
	replies    int // the person answers
	passes     int // over the table
	untroubled bool
	alone      bool // one process instead of two
}

// model is one row, its table, its Blip and two processes.
type model struct {
	x         *explorer
	ctx       context.Context
	row       string
	latest    int    // the newest generation
	status    string // in the table
	processes []*process
	names     int

	// By generation: messages that Blip took, questions it answered too early.
	taken, late [4]int
	budget          // what may still happen
	troubles    int // a crash, a stall, a call to Blip that goes wrong

	lastPass bool // over the table, when all is at rest

	made  []int
	story []string

	// The row as it stands, read once for each step.
	n       pombo.Notification
	written string // what the ledger knows of the row
	know    bool   // the ledger has it
	owed    bool   // its end is to be written to the table
}

func newModel(x *explorer) *model {
	w := &model{
		x: x, ctx: x.t.Context(), row: "row" + strconv.Itoa(x.paths), status: "1", latest: 1,
		budget: x.may, troubles: *troubles,
	}
	if x.may.untroubled {
		w.troubles = 0
	}
	n := 2
	if x.may.alone {
		n = 1
	}
	for range n {
		w.processes = append(w.processes, w.start())
	}
	return w
}

func (w *model) id(generation int) pombo.MessageID {
	return pombo.Key{Source: modelSource, RowKey: w.row, Generation: generation}.MessageID()
}

// generation is that of one of the ids.
func (w *model) generation(id pombo.MessageID) int {
	for g := 1; g < len(w.taken); g++ {
		if w.id(g) == id {
			return g
		}
	}
	w.failf("%s is not an id of the row", id)
	return 0
}

// choice is something that can happen next.
type choice struct {
	name string
	do   func(*model)
}

// walk follows the path, then the first choice each time, to an end or to a place
// that was met before.
func (w *model) walk(path []int) {
	for i, pick := range path {
		w.take(w.x.lists[i], pick)
	}
	w.x.lists = w.x.lists[:len(path)]
	for {
		w.look()
		if !w.promises() {
			return
		}
		place := w.place()
		if w.x.seen[place] {
			return
		}
		w.x.seen[place] = true
		list := w.choices()
		if len(list) == 0 {
			w.atEnd()
			return
		}
		w.x.lists = append(w.x.lists, list)
		w.take(list, 0)
		if len(w.made) > 100 {
			w.failf("it does not end")
			return
		}
	}
}

// take makes one of the choices.
func (w *model) take(list []choice, pick int) {
	w.made, w.story = append(w.made, pick), append(w.story, list[pick].name)
	list[pick].do(w)
	w.x.steps++
}

func (w *model) failf(format string, args ...any) {
	w.x.t.Errorf("%s\nafter:\n  %s", fmt.Sprintf(format, args...), strings.Join(w.story, "\n  "))
}

// promises checks what must hold at every moment.
func (w *model) promises() bool {
	for g := range w.taken {
		if w.taken[g] > 1+w.late[g] {
			w.failf("P2: Blip accepted generation %d %d times and had no trace of it %d times", g, w.taken[g], w.late[g])
			return false
		}
	}
	return true
}

// atEnd checks what must hold when nothing more can happen.
func (w *model) atEnd() {
	n, taken, late := w.n, w.taken[w.latest], w.late[w.latest]
	byOwner := w.status == ownersCode
	hasAnswer := w.replies < w.x.may.replies
	switch {
	case !w.know:
		if !byOwner {
			w.failf("P1: the row was never taken in")
		}
		return
	case n.State == pombo.Uncertain && w.x.policy == delivery.AskOperator && n.Reason == pombo.AwaitingOperator:
		return // open, and seen to be
	case hasAnswer && taken > 0 && (n.State.Sent() || n.State == pombo.Failed) && (w.status == answersCode || byOwner):
		w.x.answered++
	case hasAnswer && !byOwner:
		w.failf("P1: it ends %s (%s) with %q in the table, and not with the answer", n.State, n.Reason, w.status)
	case n.State.Sent() && taken > 0 && (w.status == "2" || byOwner):
	case n.State == pombo.Failed && (w.status == "3" || byOwner) && (taken == 0 || late > 0):
	case n.State == pombo.Failed && byOwner && w.fails == 0: // WhatsApp refused it; its owner had changed the row before
	case n.State == pombo.Cancelled && n.Reason == pombo.Withdrawn && byOwner && (taken == 0 || late > 0):
		w.x.withdrawn++
	default:
		w.failf("P1: it ends %s (%s: %s) with %q in the table; Blip accepted it %d times", n.State, n.Reason, n.Detail, w.status, taken)
	}
	if w.latest > 1 && n.State.Sent() {
		w.x.resends++
	}
	if refused, back := w.x.may.fails-w.fails, w.x.may.backs-w.backs; w.latest > 1+refused+back {
		w.failf("P2: generation %d although WhatsApp refused %d messages and its owner set the row back %d times", w.latest, refused, back)
	}
}

// look reads how the row stands.
func (w *model) look() {
	if _, _, err := w.x.db.History.Notification(w.ctx, w.id(w.latest+1)); err == nil {
		w.latest++
	}
	n, _, err := w.x.db.History.Notification(w.ctx, w.id(w.latest))
	if err != nil && !errors.Is(err, pombo.ErrNotFound) {
		w.failf("look: %v", err)
	}
	w.n, w.know, w.owed, w.written = n, err == nil, false, ""
	if !w.know {
		return
	}
	r, err := w.x.db.Reconciliation.Reviewed(w.ctx, n.Seq)
	if err != nil {
		w.failf("look: %v", err)
	}
	w.written = r.Settled + " " + r.SettleResult.String()
	if n.State.Open() {
		return // nothing is owed yet
	}
	list, err := w.x.db.Settlements.Unsettled(w.ctx, 1)
	if err != nil {
		w.failf("look: %v", err)
	}
	w.owed = len(list) > 0
}

// place is all that the future depends on.
func (w *model) place() string {
	n, known := w.n, w.know
	var b strings.Builder
	fmt.Fprint(&b, known, w.latest, n.State, n.Attempt, n.Tries, w.written, w.owed, !n.NotBefore.After(time.Now()),
		n.State == pombo.Uncertain && time.Since(n.Updated) < time.Second,
		w.status, w.taken, w.late, w.troubles, w.lates, w.fails, w.replies, w.changes, w.backs, w.passes, w.lastPass)
	var owners []string
	for _, p := range w.processes {
		owners = append(owners, fmt.Sprint(p.owner == n.Owner, p.at, p.told))
	}
	slices.Sort(owners) // which of two like processes it is does not matter
	return b.String() + strings.Join(owners, "|")
}

// choices lists what can happen next.
func (w *model) choices() (list []choice) {
	n, known := w.n, w.know
	due := known && !n.NotBefore.After(time.Now())
	idle := false
	for i, p := range w.processes {
		name := fmt.Sprintf("%c: ", 'A'+i)
		if p.at == "" {
			if idle {
				continue // just like the other one
			}
			idle = true
			step := func(is bool, what string, f func(*process, context.Context)) {
				if is {
					list = append(list, choice{name + what, func(w *model) { w.processes[i].step(what, f) }})
				}
			}
			step(n.State == pombo.Queued && due, "deliver", (*process).deliver)
			step(n.State == pombo.Uncertain && due, "resolve", (*process).resolve)
			step(w.owed, "settle", (*process).settle)
			step(w.status == "1" && w.passes > 0, "take in", (*process).takeIn)
			continue
		}
		for _, o := range w.answers(p) {
			list = append(list, choice{name + p.at + ": " + o, func(w *model) { w.processes[i].resume(o) }})
		}
		if w.troubles > 0 {
			list = append(list, choice{name + p.at + ": crash", func(w *model) {
				w.troubles--
				if strings.HasPrefix(w.processes[i].told[0], "take in") {
					w.passes++ // there is always a next one
				}
				w.processes[i].resume(dies)
				w.processes[i] = w.start()
			}})
		}
	}
	switch {
	case n.State == pombo.Claimed || n.State == pombo.Sending:
		i := slices.IndexFunc(w.processes, func(p *process) bool { return p.owner == n.Owner })
		if i < 0 {
			list = append(list, choice{"the lease of the dead one ends", func(w *model) { w.leaseEnds("") }})
		} else if w.troubles > 0 && w.processes[i].at != "send" {
			// (Nothing protects a process that stalls between its last check of the lease
			// and the first byte; that instant is left out.)
			list = append(list, choice{fmt.Sprintf("%c stalls until its lease is over", 'A'+i), func(w *model) {
				w.troubles--
				w.leaseEnds(w.processes[i].owner)
			}})
		}
	case known && n.State.Open() && !due && time.Until(n.NotBefore) < 24*time.Hour && (time.Until(n.NotBefore) < time.Minute || w.atRest()):
		// (No call takes minutes.)
		list = append(list, choice{"time passes", func(w *model) {
			w.look()
			time.Sleep(time.Until(w.n.NotBefore) + gap)
			w.renew("")
		}})
	}
	if known && w.fails > 0 && w.taken[w.latest] > 0 && n.State != pombo.Failed {
		list = append(list, choice{"WhatsApp refuses it for now", (*model).refuse})
	}
	if known && w.replies > 0 && w.taken[w.latest] > 0 {
		list = append(list, choice{"the person answers", (*model).answer})
	}
	if w.changes > 0 && w.status != ownersCode && w.passes < w.x.may.passes {
		list = append(list, choice{"its owner changes the row", func(w *model) { w.changes--; w.status = ownersCode }})
	}
	if w.backs > 0 && w.status == ownersCode {
		list = append(list, choice{"its owner sets it back", func(w *model) { w.backs--; w.status = "1" }})
	}
	if len(list) == 0 && w.status == "1" && w.x.may.backs > 0 && !w.lastPass {
		list = append(list, choice{"A: take in at last", func(w *model) {
			w.lastPass, w.passes = true, w.passes+1 // there is always a next one
			w.processes[0].step("take in", (*process).takeIn)
		}})
	}
	return list
}

// atRest reports whether no process is within a step.
func (w *model) atRest() bool {
	return !slices.ContainsFunc(w.processes, func(p *process) bool { return p.at != "" })
}

// ownersCode is what the owner of the row writes into it.
const ownersCode = "9"

// answersCode is the code that the person's answer gives the row.
const answersCode = "7"

// leaseEnds lets time pass until a lease is over. Every process but the stalled one renews its
// lease, and one of them reclaims what the other had.
func (w *model) leaseEnds(stalls string) {
	for range 4 {
		time.Sleep(modelLease / 3)
		w.renew(stalls)
	}
	if _, _, err := w.x.db.Leases.Reclaim(w.ctx); err != nil {
		w.failf("reclaim: %v", err)
	}
}

// renew renews the lease of every process but the stalled one.
func (w *model) renew(stalls string) {
	for _, p := range w.processes {
		if p.owner == stalls {
			continue
		}
		if err := p.engine.Lease.Renew(w.ctx); err != nil {
			w.failf("renew: %v", err)
		}
	}
}

// end leaves nothing open in the ledger that the next path could claim.
func (w *model) end() {
	for _, p := range w.processes {
		if p.at != "" {
			p.resume(dies)
		}
	}
	time.Sleep(modelLease + time.Second)
	if _, _, err := w.x.db.Leases.Reclaim(w.ctx); err != nil {
		w.failf("reclaim: %v", err)
	}
	if w.look(); w.know && w.n.State.Open() {
		if err := w.x.db.Operator.Cancel(w.ctx, w.id(w.latest)); err != nil {
			w.failf("cancel: %v", err)
		}
	}
	due, err := w.x.db.Settlements.Unsettled(w.ctx, 10)
	for _, s := range due {
		err = errors.Join(err, w.x.db.Settlements.Settled(w.ctx, []pombo.Settled{{Settlement: s, Result: pombo.SettleGone}}))
	}
	if err != nil {
		w.failf("settle: %v", err)
	}
}
