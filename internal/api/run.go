package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// RunResult is the answer of POST /send_notification. Its members are those that
// scripts know; Error came later and is present only when there is one.
type RunResult struct {
	RunID      int64  `json:"run_id"`
	State      string `json:"state"` // "running" or "finished"
	Found      int    `json:"found"` // the rows that this run took in
	Accepted   int    `json:"accepted"`
	Failed     int    `json:"failed"`
	Retrying   int    `json:"retrying"`
	Uncertain  int    `json:"uncertain"`
	Cancelled  int    `json:"cancelled"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty"` // why taking in stopped early
}

// The states of a run.
const (
	Running  = "running"
	Finished = "finished"
)

// Run is a run as GET /runs/{id} shows it.
type Run struct {
	RunResult
	Waiting  int       `json:"waiting"` // rows not tried yet, or in a worker's hands
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
}

func (s *Server) runResult(r pombo.Run) RunResult {
	state, end := Finished, r.Finished
	if end.IsZero() {
		state, end = Running, s.o.Now()
	}
	return RunResult{
		RunID: r.ID, State: state, Found: r.Found, Accepted: r.Accepted, Failed: r.Failed, Retrying: r.Retrying,
		Uncertain: r.Uncertain, Cancelled: r.Cancelled, DurationMS: max(0, end.Sub(r.Started).Milliseconds()), Error: r.Error,
	}
}

func (s *Server) run(r pombo.Run) Run {
	return Run{RunResult: s.runResult(r), Waiting: r.Waiting, Started: utc(r.Started), Finished: utc(r.Finished)}
}

// sendNotification starts a run, or joins the one under way, and waits for its
// end as long as the caller prefers.
func (s *Server) sendNotification(w http.ResponseWriter, r *http.Request) error {
	// Nothing is expected in the body, but scripts send "{}". Once it is read
	// whole, net/http lifts ReadTimeout and watches whether the caller has gone.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return badBody(err)
	}
	run, _, err := s.o.Runs.StartRun(context.WithoutCancel(r.Context()))
	if err != nil {
		return fmt.Errorf("start run: %w", err)
	}
	prefer := parsePrefer(r.Header.Values("Prefer"))
	run, err = s.await(r.Context(), run, prefer)
	s.mustWriteSoon(w)
	status := http.StatusOK
	if err != nil {
		w.Header().Set("Location", runPath(run.ID))
	}
	switch {
	case err == nil:
	case prefer.bounded && errors.Is(err, context.DeadlineExceeded):
		status = http.StatusAccepted
	case s.stopping.Err() != nil:
		return refuse(http.StatusServiceUnavailable, fmt.Sprintf("the server is stopping before run %d has ended", run.ID),
			"the run goes on when the server is there again: see GET "+runPath(run.ID))
	default:
		return fmt.Errorf("wait for run %d: %w", run.ID, err)
	}
	if prefer.applied != "" {
		w.Header().Set("Preference-Applied", prefer.applied)
	}
	return writeJSON(w, status, s.runResult(run))
}

// await waits for the end of the run, of the preferred time, of the caller or
// of the server, whichever comes first. In all but the first case it returns an
// error, with the run as it stands.
func (s *Server) await(ctx context.Context, run pombo.Run, prefer preference) (pombo.Run, error) {
	wait, giveUp := context.WithCancel(ctx)
	defer giveUp()
	defer context.AfterFunc(s.stopping, giveUp)()
	if prefer.bounded {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(wait, prefer.wait)
		defer cancel()
	}
	ended, err := s.o.Runs.WaitRun(wait, run.ID)
	if err == nil {
		return ended, nil
	}
	if wait.Err() != nil {
		err = wait.Err()
	}
	if ctx.Err() == nil { // the caller is still there to read how far it is
		now, cancel := context.WithTimeout(ctx, handleTime)
		defer cancel()
		if latest, readErr := s.o.Ledger.Run(now, run.ID); readErr == nil {
			run = latest
		}
	}
	return run, err
}

func runPath(id int64) string { return "/runs/" + strconv.FormatInt(id, 10) }

func (s *Server) getRun(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return refuse(http.StatusNotFound, "the number of a run is a whole number from 1 on", "GET /runs lists the runs")
	}
	run, err := s.o.Ledger.Run(r.Context(), id)
	if errors.Is(err, pombo.ErrNotFound) {
		return refuse(http.StatusNotFound, fmt.Sprintf("there is no run %d", id), "GET /runs lists the runs")
	}
	if err != nil {
		return fmt.Errorf("read run %d: %w", id, err)
	}
	return writeJSON(w, http.StatusOK, s.run(run))
}

func (s *Server) getRuns(w http.ResponseWriter, r *http.Request) error {
	q := readQuery(r, "limit")
	limit := q.number("limit", 20, 1000)
	if err := q.err(); err != nil {
		return err
	}
	runs, err := s.o.Ledger.Runs(r.Context(), int(limit))
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	list := make([]Run, len(runs))
	for i, run := range runs {
		list[i] = s.run(run)
	}
	return writeJSON(w, http.StatusOK, map[string][]Run{"runs": list})
}

// preference is what the Prefer header (RFC 7240) asks of a run.
type preference struct {
	bounded bool          // wait no longer than
	wait    time.Duration // this
	applied string        // for Preference-Applied; "" = nothing was asked
}

// maxPrefer is the longest wait that differs from waiting to the end.
const maxPrefer = 24 * time.Hour

// parsePrefer reads the lines of a Prefer header. As RFC 7240 has it, the first
// of two equal preferences counts, and what cannot be understood is passed over.
// With both, "respond-async" says how to answer and "wait" says when.
func parsePrefer(lines []string) preference {
	var p preference
	var async, waits bool
	for item := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		item, _, _ = strings.Cut(item, ";") // parameters: none are known
		name, value, _ := strings.Cut(item, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			async = true
		case "wait":
			seconds, err := strconv.ParseUint(value, 10, 32)
			if err == nil && !waits {
				waits = true
				p.wait = min(time.Duration(seconds)*time.Second, maxPrefer)
			}
		}
	}
	p.bounded = async || waits
	switch {
	case waits:
		p.applied = "wait=" + strconv.Itoa(int(p.wait.Seconds()))
	case async:
		p.applied = "respond-async"
	}
	return p
}
