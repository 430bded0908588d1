package oracletest

import "errors"

// Step is a kind of round trip.
type Step string

// The steps, in the order in which a session takes them.
const (
	Connect   Step = "connect"   // the listener's part
	Negotiate Step = "negotiate" // services, protocol and types; the server's version
	Login     Step = "login"     // either half of the login
	Query     Step = "query"     // a SELECT is executed, and its first rows are returned
	Fetch     Step = "fetch"     // further rows, or the first ones of a SELECT with LOBs
	Write     Step = "write"     // an UPDATE is executed, and committed if the client wants it
	Execute   Step = "execute"   // a block or an ALTER SESSION is executed
	Commit    Step = "commit"
	Rollback  Step = "rollback"
	Ping      Step = "ping" // also what a driver closes its cursors with
	Logoff    Step = "logoff"
)

// Kind is what a fault does: one of those below, or Raise.
type Kind struct {
	name string
	code int
}

// The kinds of faults.
var (
	CutBefore = Kind{name: "cut before"} // the line is closed, nothing was done
	CutAfter  = Kind{name: "cut after"}  // it was done, the line is closed without an answer
	CutWithin = Kind{name: "cut within"} // it was done, the line is closed within the answer
	Stall     = Kind{name: "stall"}      // nothing is done or answered, not even a cancel
	Slow      = Kind{name: "slow"}       // nothing is done until the client cancels
)

// Raise answers with this ORA code; nothing was done.
func Raise(code int) Kind { return Kind{name: "raise", code: code} }

// Fault is a fault that a test has set.
type Fault struct {
	step   Step
	kind   Kind
	left   int // calls of the step until it strikes
	struck chan struct{}
}

// Struck returns a channel that is closed when the fault begins to take effect.
func (f *Fault) Struck() <-chan struct{} { return f.struck }

// Fault makes the nth call of a step from now on go wrong, once. 1 is the next.
func (d *Double) Fault(step Step, kind Kind, nth int) *Fault {
	f := &Fault{step: step, kind: kind, left: max(nth, 1), struck: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, f)
	return f
}

// strike counts a call and returns what goes wrong with it; the zero Kind is nothing. Of
// several faults that are due the oldest strikes, the others wait for the next call.
func (d *Double) strike(c Call) Kind {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, c)
	var kind Kind
	waiting := d.faults[:0]
	for _, f := range d.faults {
		if f.step == c.Step {
			f.left--
		}
		if f.step != c.Step || f.left > 0 || kind != (Kind{}) {
			waiting = append(waiting, f)
			continue
		}
		close(f.struck)
		kind = f.kind
	}
	d.faults = waiting
	return kind
}

// errCut ends a session whose line a fault cuts.
var errCut = errors.New("cut by a fault")

// Call is one round trip.
type Call struct {
	Step       Step
	SQL        string // for Query, Fetch, Write and Execute
	Numbers    int    // for Query and Write: how many of the binds are NUMBERs
	Executions int    // for Write: how many sets of binds; else 1 when something was executed
	Commit     bool   // for Write and Execute: the client wants a commit with it
	Data       string // for Connect: what the client wants to talk to, and who it is
}

// Calls returns all round trips since the start or the last Forget, those of the
// logins included, in the order in which they arrived.
func (d *Double) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Call(nil), d.calls...)
}

// Forget empties the log of calls.
func (d *Double) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = nil
}

// Statements returns how many round trips there were to execute each text, since
// the start or the last Forget. An array is one.
func (d *Double) Statements() map[string]int {
	counts := map[string]int{}
	for _, c := range d.Calls() {
		if c.Executions > 0 {
			counts[c.SQL]++
		}
	}
	return counts
}
