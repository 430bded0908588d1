package health

import (
	"sync"
	"time"

	"pombo"
)

// Tracker keeps the Progress of this process. The loops report to it; it decides
// nothing.
type Tracker struct {
	mu       sync.Mutex
	progress Progress
	meter    meter
	rejected map[string]rejectedRow // by row key
}

// rejectedRow is a row that could not be taken in.
type rejectedRow struct {
	since time.Time
	named bool // in the log
}

// namedAtOnce is how many rejected rows a pass names in the log.
const namedAtOnce = 20

// NewTracker returns a tracker of a process that starts now. perSecond is the rate of
// messages, 0 without one, and call is how long a call to Blip may take.
func NewTracker(perSecond float64, call time.Duration) *Tracker {
	return &Tracker{progress: Progress{Started: time.Now(), IdleLimit: idleLimit(perSecond, call)}}
}

// idleLimit is how long rows may wait with no attempt ending. A rate of less than a
// few messages a minute needs more, and so does a call that may last longer: an
// attempt makes two.
func idleLimit(perSecond float64, call time.Duration) time.Duration {
	usual := max(time.Minute, 2*call+10*time.Second)
	if perSecond <= 0 {
		return usual
	}
	return max(usual, time.Duration(5/perSecond*float64(time.Second)))
}

// Progress returns what is known now. The fields Resumed, Recategorized and PassEvery
// are for the caller to fill in.
func (t *Tracker) Progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.progress
	p.Pace = t.meter.pace(time.Now())
	return p
}

// TookIn records that n notifications were taken in.
func (t *Tracker) TookIn(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.meter.at(time.Now()).takenIn += n
}

// ReceiptCame records that Blip has said what became of a message.
func (t *Tracker) ReceiptCame() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress.NoReceiptsSince = time.Time{}
}

// Claimed records that n more notifications are in flight.
func (t *Tracker) Claimed(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress.InFlight += n
	if n > 0 && t.progress.InFlightSince.IsZero() {
		t.progress.InFlightSince = time.Now()
	}
}

// Released records that one notification is no longer in flight.
func (t *Tracker) Released() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress.InFlight--
}

// AttemptEnded records the end of an attempt.
func (t *Tracker) AttemptEnded(o pombo.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, now := &t.progress, time.Now()
	p.Moved, p.InFlightSince = now, time.Time{}
	t.meter.at(now).count(now, o.To)
	switch {
	case o.To == pombo.Accepted:
		p.Accepted = now
		p.Blip, p.BlipAt = pombo.NoReason, time.Time{}
		if p.NoReceiptsSince.IsZero() {
			p.NoReceiptsSince = now
		}
	case o.Reason == pombo.RateLimited || o.Reason.WaitReason() == pombo.WaitBlip:
		p.Blip, p.BlipAt = o.Reason, now
	}
}

// LedgerAnswered records whether claiming and recording work.
func (t *Tracker) LedgerAnswered(err error) {
	t.record(func(p *Progress) *time.Time { return &p.Ledger }, err)
}

// SourceRead records whether the pending rows can be read.
func (t *Tracker) SourceRead(err error) {
	t.record(func(p *Progress) *time.Time { return &p.Intake }, err)
}

// SourceWritten records whether results can be written to the table.
func (t *Tracker) SourceWritten(err error) {
	t.record(func(p *Progress) *time.Time { return &p.Settling }, err)
}

// record keeps since when something fails.
func (t *Tracker) record(of func(*Progress) *time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := of(&t.progress)
	switch {
	case err == nil:
		*since = time.Time{}
	case since.IsZero():
		*since = time.Now()
	}
}

// PassEnded records that a pass which began then has seen every pending row: those it
// rejected, and how many it met that are finished here. It returns the rejected rows
// that the log should name now: each once, a few in each pass.
func (t *Tracker) PassEnded(begun time.Time, rejected []pombo.RowProblem, finished int) (unnamed []pombo.RowProblem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.progress
	p.TakenIn, p.Finished = begun, finished
	p.RejectedRows, p.RejectedSince = len(rejected), time.Time{}
	seen := make(map[string]rejectedRow, len(rejected))
	for _, problem := range rejected {
		row, ok := t.rejected[problem.RowKey]
		if !ok {
			row.since = begun
		}
		if !row.named && len(unnamed) < namedAtOnce {
			row.named = true
			unnamed = append(unnamed, problem)
		}
		seen[problem.RowKey] = row
		if p.RejectedSince.IsZero() || row.since.Before(p.RejectedSince) {
			p.RejectedSince = row.since
		}
	}
	t.rejected = seen
	return unnamed
}
