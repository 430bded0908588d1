package dispatch_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// fakeLedger is a ledger in memory that refuses every move the rules refuse. It is
// here for the clock of testing/synctest; the real ledger meets the same roads in
// package app. Each of its parts is what one of the rooms uses.
type fakeLedger struct {
	*fakeCore
	fakeIntake
	fakeRuns
	fakeDelivery
	fakeUncertain
	fakeThrottle
	fakeLeases
	fakeOperator
	fakeHolds

	shared bool
}

func newFakeLedger() *fakeLedger {
	c := &fakeCore{byKey: map[pombo.Key]*pombo.Notification{}, history: map[int64][]pombo.State{}, settle: map[int64]bool{}, parked: map[int64]bool{}, broken: map[string]error{}, calls: map[string]int{}}
	return &fakeLedger{
		fakeCore: c, fakeIntake: fakeIntake{c}, fakeRuns: fakeRuns{fakeCore: c}, fakeOperator: fakeOperator{c}, fakeHolds: fakeHolds{fakeCore: c, holds: map[string]pombo.TemplateHold{}},
		fakeDelivery:  fakeDelivery{fakeCore: c, out: map[string]pombo.OptOutScope{}},
		fakeUncertain: fakeUncertain{fakeCore: c},
		fakeThrottle:  fakeThrottle{fakeCore: c, quota: map[string]time.Time{}, last: map[phone.Number]time.Time{}},
		fakeLeases:    fakeLeases{fakeCore: c, leaders: map[string]leadership{}},
	}
}

// fakeCore has the notifications, and what a test wants to break and to count.
type fakeCore struct {
	mu      sync.Mutex
	rows    []*pombo.Notification
	byKey   map[pombo.Key]*pombo.Notification
	history map[int64][]pombo.State
	settle  map[int64]bool
	parked  map[int64]bool
	broken  map[string]error // by method: fails until removed
	calls   map[string]int   // by method
}

func (f *fakeCore) enter(method string) (func(), error) {
	f.mu.Lock()
	f.calls[method]++
	return f.mu.Unlock, f.broken[method]
}

func (f *fakeCore) called(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

func (f *fakeCore) breakMethod(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.broken, method)
		return
	}
	f.broken[method] = err
}

func (f *fakeCore) find(key pombo.Key) *pombo.Notification { return f.byKey[key] }

func (f *fakeCore) insert(key pombo.Key, run int64, r pombo.Row) *pombo.Notification {
	n := &pombo.Notification{
		Seq: int64(len(f.rows) + 1), MessageID: key.MessageID(), Key: key, Recipient: r.Recipient, Phone: r.Phone, Params: r.Params,
		Template: r.Template, Language: r.Language, Run: run, State: pombo.Queued, Created: time.Now(), Updated: time.Now(),
		NotBefore: time.Now(), Expires: r.Expires, Priority: r.Priority, Reminds: r.Reminds,
	}
	if r.SendAfter.After(n.NotBefore) {
		n.NotBefore = r.SendAfter
	}
	f.rows, f.byKey[key] = append(f.rows, n), n
	f.history[n.Seq] = append(f.history[n.Seq], n.State)
	return n
}

// takenIn is how many notifications there are, in whatever state. It is for tests,
// as called and count are.
func (f *fakeCore) takenIn() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.rows)
}

func (f *fakeCore) count(s pombo.State) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.in(s)
}

func (f *fakeCore) in(s pombo.State) (n int) {
	for _, r := range f.rows {
		if r.State == s {
			n++
		}
	}
	return n
}

func (f *fakeCore) move(n *pombo.Notification, to pombo.State) {
	if !n.State.CanBecome(to) {
		panic(fmt.Sprintf("move %s → %s is not allowed", n.State, to))
	}
	n.State, n.Updated = to, time.Now()
	f.history[n.Seq] = append(f.history[n.Seq], to)
}

func (f *fakeCore) at(id pombo.MessageID) *pombo.Notification {
	for _, n := range f.rows {
		if n.MessageID == id {
			return n
		}
	}
	return nil
}

// moves returns the states that the newest notification of a row went through.
func (f *fakeCore) moves(t *testing.T, row string) []pombo.State {
	t.Helper()
	n := f.get(t, row)
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.history[n.Seq])
}

// atRest reports whether nothing is open and nothing to be settled.
func (f *fakeCore) atRest() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.rows {
		if n.State.Open() {
			return false
		}
	}
	return len(f.rows) > 0 && len(f.settle) == 0
}

// get returns a copy of the newest notification of a row.
func (f *fakeCore) get(t *testing.T, row string) pombo.Notification {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range slices.Backward(f.rows) {
		if n.Key.RowKey == row {
			return *n
		}
	}
	t.Fatalf("row %s is not in the ledger", row)
	return pombo.Notification{}
}
