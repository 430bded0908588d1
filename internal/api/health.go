package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"pombo"
	"pombo/internal/health"
)

// Check asks one part of the world whether it can be used.
type Check struct {
	Name string // one word: source, ledger, blip
	// Run returns nil when the part can be used, else an error that is safe to
	// show and says what to do. It must return soon after ctx has ended.
	Run func(ctx context.Context) error
}

// Readiness is the answer of GET /readyz. Without the token, Detail and Hint of
// the checks, Headline, Pause, Backlog and Alerts are left out.
type Readiness struct {
	Ready  bool          `json:"ready"` // every check is OK
	Checks []CheckResult `json:"checks"`
	// Headline says in one sentence whether messages go, and if not, why.
	Headline *Headline `json:"headline,omitempty"`
	Pause    *Pause    `json:"pause,omitempty"`   // a pause is not a lack of readiness
	Backlog  *Backlog  `json:"backlog,omitempty"` // absent when the ledger does not answer
	// Alerts lists what needs attention, the worst first. They are not a lack of
	// readiness: the checks say what that is.
	Alerts []Alert `json:"alerts,omitempty"`
}

// Headline is the one sentence, in the words of LANGUAGE.
type Headline struct {
	Name  health.HeadlineName `json:"name"`  // a word of a closed list
	Level health.Level        `json:"level"` // ok, warn or bad
	Text  string              `json:"text"`
}

// Alert is one thing that needs attention, in the words of LANGUAGE.
type Alert struct {
	Name    string    `json:"name"`            // a word of a closed list
	Since   time.Time `json:"since,omitzero"`  // absent = unknown
	Count   int       `json:"count,omitempty"` // how many rows it is about
	Message string    `json:"message"`
	Hint    string    `json:"hint"`
}

// CheckResult is how one check ended.
type CheckResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// NotReady names the checks that are not OK, joined by commas.
func (r Readiness) NotReady() string {
	var names []string
	for _, c := range r.Checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// Backlog is what the ledger holds open.
type Backlog struct {
	States   map[pombo.State]int      `json:"states"`          // the open ones
	Due      int                      `json:"due"`             // results not yet written to the source
	Diverged int                      `json:"diverged"`        // rows whose owner changed the status meanwhile
	Oldest   time.Time                `json:"oldest,omitzero"` // taking-in time of the oldest queued notification
	Waiting  map[pombo.WaitReason]int `json:"waiting"`         // the queued ones by why they have not gone
	// Since when: the first of those that may go now has waited for that, the
	// oldest uncertain one has been so, the oldest result has been due.
	ReadySince     time.Time `json:"ready_since,omitzero"`
	UncertainSince time.Time `json:"uncertain_since,omitzero"`
	DueSince       time.Time `json:"due_since,omitzero"`
	// When Blip last took a message of this process, and when its last pass began
	// that saw every pending row; absent = not since the start.
	Accepted     time.Time `json:"accepted,omitzero"`
	TakenIn      time.Time `json:"taken_in,omitzero"`
	RejectedRows int       `json:"rejected_rows"` // pending rows that it could not take in as they are
}

func (s *Server) getHealthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// notReady is the problem of a server that is not ready; the members of
// Readiness stand beside those of every problem.
type notReady struct {
	Problem
	Readiness
}

func (s *Server) getReadyz(w http.ResponseWriter, r *http.Request) error {
	ready := s.checks.read()
	hint := "ask with the token to see why"
	if s.authorized(r) {
		hint = firstHint(ready.Checks)
		s.addLedger(r, &ready)
	} else {
		for i, c := range ready.Checks {
			ready.Checks[i] = CheckResult{Name: c.Name, OK: c.OK}
		}
	}
	if ready.Ready {
		return writeJSON(w, http.StatusOK, ready)
	}
	ref := &refusal{status: http.StatusServiceUnavailable, detail: "not ready: " + ready.NotReady(), hint: hint}
	return writeProblemLike(w, ref.status, notReady{ref.problem(instanceOf(w)), ready})
}

func firstHint(checks []CheckResult) string {
	for _, c := range checks {
		if c.Hint != "" {
			return c.Hint
		}
	}
	return "see the detail of each check"
}

// addLedger adds what only the ledger knows. A ledger that does not answer has
// failed its check already, so its errors say nothing new.
func (s *Server) addLedger(r *http.Request, ready *Readiness) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	if p, err := s.pause(r.WithContext(ctx)); err == nil {
		ready.Pause = &p
	}
	f, err := s.o.Ledger.Health(ctx)
	if err != nil {
		ready.Headline = s.headline(health.LedgerAway())
		return
	}
	ready.Headline = s.headline(f.Headline())
	b, p := f.Backlog, f.Progress
	ready.Backlog = &Backlog{
		States: b.States, Due: b.Due, Diverged: b.Diverged, Oldest: utc(b.Oldest), Waiting: f.Waiting(),
		ReadySince: utc(b.ReadySince), UncertainSince: utc(b.UncertainSince), DueSince: utc(b.DueSince),
		Accepted: utc(p.Accepted), TakenIn: utc(p.TakenIn), RejectedRows: p.RejectedRows,
	}
	for _, t := range f.Alerts() {
		ready.Alerts = append(ready.Alerts, Alert{t.Name, utc(t.Since), t.Count, s.o.Words.Say(t.What), s.o.Words.Say(t.Todo)})
	}
}

func (s *Server) headline(h health.Headline) *Headline {
	return &Headline{h.Name, h.Level, s.o.Words.Say(h.What)}
}

const (
	checkTime  = 2 * time.Second        // what a check may take
	checkGrace = 250 * time.Millisecond // and until it is given up when it does not return then
	freshReady = 5 * time.Second        // how long a good result is repeated,
	freshNot   = time.Second            // and a bad one: a start waits for the change
)

// checker runs the checks at most once at a time and repeats the result for some
// seconds, so that probes cost the source no sessions and Blip no commands.
type checker struct {
	stopping context.Context
	checks   []Check
	now      func() time.Time

	turn  chan struct{} // of size one; who is in it asks, the others wait for the result
	last  Readiness
	until time.Time       // last is fresh before this time
	under []chan struct{} // by check: open while it runs; nil = never run
}

func newChecker(stopping context.Context, checks []Check, now func() time.Time) *checker {
	return &checker{stopping: stopping, checks: checks, now: now, turn: make(chan struct{}, 1), under: make([]chan struct{}, len(checks))}
}

// read returns the readiness, and asks again when it is no longer fresh.
func (h *checker) read() Readiness {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	if h.stopping.Err() != nil {
		return Readiness{Checks: []CheckResult{{Name: "server", Detail: "it is stopping", Hint: "nothing: it was told to stop"}}}
	}
	if !h.now().Before(h.until) {
		h.last = h.ask()
		fresh := freshNot
		if h.last.Ready {
			fresh = freshReady
		}
		h.until = h.now().Add(fresh)
	}
	last := h.last
	last.Checks = append([]CheckResult(nil), h.last.Checks...)
	return last
}

// ask runs the checks at the same time. A check that does not return in time is
// left to end by itself, and not run a second time before it has.
func (h *checker) ask() Readiness {
	ctx, cancel := context.WithTimeout(h.stopping, checkTime)
	defer cancel()
	answers := make([]chan error, len(h.checks))
	for i, c := range h.checks {
		answers[i] = make(chan error, 1)
		if h.running(i) {
			answers[i] <- context.DeadlineExceeded
			continue
		}
		done := make(chan struct{})
		h.under[i] = done
		go func() { // wait waits for it
			defer close(done)
			answers[i] <- c.Run(ctx)
		}()
	}
	giveUp, cancelGiveUp := context.WithTimeout(context.WithoutCancel(ctx), checkTime+checkGrace)
	defer cancelGiveUp()
	r := Readiness{Ready: true, Checks: make([]CheckResult, len(h.checks))}
	for i, c := range h.checks {
		var err error
		select {
		case err = <-answers[i]:
		case <-giveUp.Done():
			select { // it may have answered while another was waited for
			case err = <-answers[i]:
			default:
				err = context.DeadlineExceeded
			}
		}
		r.Checks[i] = resultOf(c.Name, err)
		r.Ready = r.Ready && err == nil
	}
	return r
}

func (h *checker) running(i int) bool {
	if h.under[i] == nil {
		return false
	}
	select {
	case <-h.under[i]:
		return false
	default:
		return true
	}
}

func resultOf(name string, err error) CheckResult {
	if err == nil {
		return CheckResult{Name: name, OK: true}
	}
	blip, isBlip := errors.AsType[*pombo.Error](err)
	switch {
	case isBlip:
		return CheckResult{Name: name, Detail: blip.Error(), Hint: blip.Reason.Hint()}
	case errors.Is(err, context.DeadlineExceeded):
		return CheckResult{Name: name, Detail: fmt.Sprintf("no answer within %s", checkTime), Hint: "see whether " + name + " and the network to it are up"}
	default:
		return CheckResult{Name: name, Detail: err.Error()}
	}
}

// wait waits for the checks under way. It is called after stopping has ended,
// when no further check begins.
func (h *checker) wait(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the checks: %w", ctx.Err())
	}
	for i, done := range h.under {
		if done == nil {
			continue
		}
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("wait for the check of %s: %w", h.checks[i].Name, ctx.Err())
		}
	}
	return nil
}
