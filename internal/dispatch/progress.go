package dispatch

import (
	"sync"
	"time"

	"pombo"
	"pombo/internal/health"
)

// progress remembers how the loops fare, for those who ask why nothing goes. It
// is told by the loops and read by Progress; it decides nothing.
type progress struct {
	mu      sync.Mutex
	known   health.Progress
	leftOut map[string]leftOut // by row
	resting time.Duration      // from the beginning of a pass to that of the next one, at least
}

// A pass that meets more rows that are finished here than new ones is mostly vain.
// It may take one part in so many of the time, but a new row waits no longer than
// longestRest.
const (
	restShare   = 20
	longestRest = time.Minute
)

// rest is how long after the beginning of the last pass nobody need look again.
func (p *progress) rest() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resting
}

// leftOut is a row that could not be taken in.
type leftOut struct {
	since time.Time
	named bool // in the log
}

// namedAtOnce is how many rows that cannot be taken in a pass names in the log.
const namedAtOnce = 20

// patience is how long rows may wait with no try ending. A rate of less than some
// messages a minute needs more, and so does a call that may last longer: a try
// makes two.
func patience(perSecond float64, call time.Duration) time.Duration {
	usual := max(time.Minute, 2*call+10*time.Second)
	if perSecond <= 0 {
		return usual
	}
	return max(usual, time.Duration(5/perSecond*float64(time.Second)))
}

func newProgress(perSecond float64, call time.Duration) *progress {
	return &progress{known: health.Progress{Started: time.Now(), IdleLimit: patience(perSecond, call)}}
}

// Progress tells how the loops fare.
func (e *Engine) Progress() health.Progress {
	e.progress.mu.Lock()
	p := e.progress.known
	e.progress.mu.Unlock()
	p.Resumed = e.pace.resumed()
	p.Recategorized = e.catalog.recategorized()
	return p
}

// ReceiptCame is told that Blip has said what became of a message.
func (e *Engine) ReceiptCame() {
	e.progress.mu.Lock()
	defer e.progress.mu.Unlock()
	e.progress.known.NoReceiptsSince = time.Time{}
}

// claimed is told that there are n more notifications in hand.
func (p *progress) claimed(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.InFlight += n
	if n > 0 && p.known.InFlightSince.IsZero() {
		p.known.InFlightSince = time.Now()
	}
}

// released is told that one is no longer in hand.
func (p *progress) released() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.InFlight--
}

// ended is told the end of a try.
func (p *progress) ended(o pombo.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.known.Moved, p.known.InFlightSince = now, time.Time{}
	switch {
	case o.To == pombo.Accepted:
		p.known.Accepted = now
		p.known.Blip, p.known.BlipAt = pombo.NoReason, time.Time{}
		if p.known.NoReceiptsSince.IsZero() {
			p.known.NoReceiptsSince = now
		}
	case o.Reason == pombo.RateLimited || o.Reason.WaitReason() == pombo.WaitBlip:
		p.known.Blip, p.known.BlipAt = o.Reason, now
	}
}

// What works or fails for a while.
func recording(p *health.Progress) *time.Time { return &p.Ledger }
func takingIn(p *health.Progress) *time.Time  { return &p.Intake }
func settling(p *health.Progress) *time.Time  { return &p.Settling }

// went is told how one of them fared.
func (p *progress) went(of func(*health.Progress) *time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := of(&p.known)
	switch {
	case err == nil:
		*since = time.Time{}
	case since.IsZero():
		*since = time.Now()
	}
}

// passed is told that every pending row was seen by a pass, which of them it could
// not take in, how many were new and how many are finished here all the same. It
// returns those that the log is to name now.
func (p *progress) passed(begun time.Time, problems []pombo.RowProblem, added, finished int) (unnamed []pombo.RowProblem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.TakenIn, p.known.Finished, p.resting = begun, finished, 0
	if finished > added {
		p.resting = min(restShare*time.Since(begun), longestRest)
	}
	seen := make(map[string]leftOut, len(problems))
	p.known.RejectedRows, p.known.RejectedSince = len(problems), time.Time{}
	for _, problem := range problems {
		row, ok := p.leftOut[problem.RowKey]
		if !ok {
			row.since = begun
		}
		if !row.named && len(unnamed) < namedAtOnce {
			row.named = true
			unnamed = append(unnamed, problem)
		}
		seen[problem.RowKey] = row
		if p.known.RejectedSince.IsZero() || row.since.Before(p.known.RejectedSince) {
			p.known.RejectedSince = row.since
		}
	}
	p.leftOut = seen
	return unnamed
}
