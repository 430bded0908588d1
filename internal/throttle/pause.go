package throttle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pombo"
	"pombo/internal/wait"
)

// ErrPaused means that sending is paused: nothing was sent, and nothing may be.
var ErrPaused = errors.New("sending is paused")

// Pauser stops the whole bot and lets it go on. The ledger keeps the pause over a
// restart and passes it on to other processes.
type Pauser struct {
	ledger Ledger
	log    *slog.Logger

	changing sync.Mutex // the ledger's pause and ours change together

	mu      sync.Mutex
	pause   pombo.Pause
	paused  bool
	lifted  time.Time     // when somebody last ended a pause
	changed chan struct{} // closed and replaced at each change of the pause
}

func newPauser(ledger Ledger, log *slog.Logger) *Pauser {
	return &Pauser{ledger: ledger, log: log, changed: make(chan struct{})}
}

// Pause stops all sending until pause.Until, or until Resume when that is zero.
// Calls under way end in their own time.
func (p *Pauser) Pause(ctx context.Context, pause pombo.Pause) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	return p.write(ctx, pause)
}

func (p *Pauser) write(ctx context.Context, pause pombo.Pause) error {
	if err := p.ledger.Pause(ctx, pause); err != nil {
		return err
	}
	p.set(pause, true)
	until := "resumed"
	if !pause.Until.IsZero() {
		until = pause.Until.Format(time.RFC3339)
	}
	detail := pause.Detail
	if pause.By == "operator" {
		detail = "" // a person's own words may name somebody
	}
	p.log.Warn("sending paused", "until", until, "by", pause.By, "reason", pause.Reason, "detail", detail)
	return nil
}

// Extend pauses like Pause, unless a pause is in force that lasts at least as long,
// as an operator's does. When the ledger cannot be written it returns the error, and
// the pause is in force in this process all the same.
func (p *Pauser) Extend(ctx context.Context, pause pombo.Pause) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	if now, ok := p.Current(); ok && (now.Until.IsZero() || !now.Until.Before(pause.Until)) {
		return nil
	}
	err := p.write(ctx, pause)
	if err != nil {
		p.set(pause, true)
	}
	return err
}

// PauseFor pauses for as long as an error of Blip's asks for; most ask for nothing.
func (p *Pauser) PauseFor(ctx context.Context, failure *pombo.Error) {
	if failure.Pause <= 0 {
		return
	}
	p.extend(ctx, pombo.Pause{Until: time.Now().Add(failure.Pause), Reason: failure.Reason, Detail: failure.Detail, By: "blip"})
}

// extend is Extend for callers with nobody to return the error to.
func (p *Pauser) extend(ctx context.Context, pause pombo.Pause) {
	if err := p.Extend(ctx, pause); err != nil {
		p.log.Error("pause not written to the ledger; only this process keeps it", "error", err)
	}
}

// Resume ends a pause.
func (p *Pauser) Resume(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	if err := p.ledger.Resume(ctx); err != nil {
		return err
	}
	p.set(pombo.Pause{}, false)
	p.log.Info("sending resumed")
	return nil
}

// Reload takes over the ledger's pause. It must not run between the writing of a
// pause and its taking effect: it would end that pause here.
func (p *Pauser) Reload(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	pause, paused, err := p.ledger.Paused(ctx)
	if err != nil {
		return fmt.Errorf("read pause: %w", err)
	}
	p.set(pause, paused)
	return nil
}

func (p *Pauser) set(pause pombo.Pause, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused == paused && p.pause == pause {
		return
	}
	if p.paused && !paused {
		p.lifted = time.Now()
	}
	p.pause, p.paused = pause, paused
	close(p.changed)
	p.changed = make(chan struct{})
}

// Paused reports whether a pause is in force.
func (p *Pauser) Paused() bool {
	paused, _ := p.state()
	return paused
}

// Current returns the last pause and whether it is in force.
func (p *Pauser) Current() (pombo.Pause, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pause, p.inForce()
}

func (p *Pauser) state() (paused bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inForce(), p.changed
}

func (p *Pauser) inForce() bool {
	return p.paused && (p.pause.Until.IsZero() || time.Now().Before(p.pause.Until))
}

// ResumedAt returns when the last pause ended; zero when none has.
func (p *Pauser) ResumedAt() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused && !p.inForce() && p.pause.Until.After(p.lifted) {
		return p.pause.Until
	}
	return p.lifted
}

// WaitResumed returns nil when no pause is in force, and ctx's error when ctx ends.
func (p *Pauser) WaitResumed(ctx context.Context) error {
	for {
		p.mu.Lock()
		paused, until, changed := p.inForce(), p.pause.Until, p.changed
		p.mu.Unlock()
		if !paused {
			return ctx.Err()
		}
		if until.IsZero() {
			until = time.Now().Add(time.Hour) // a change wakes it earlier
		}
		if err := wait.Until(ctx, changed, time.Until(until)); err != nil {
			return err
		}
	}
}

// Run reloads the pause every second: another process may have received the 429.
func (p *Pauser) Run(ctx context.Context) {
	for wait.For(ctx, time.Second) == nil {
		if err := p.Reload(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("pause not read", "error", err, "often", pombo.Often("pause"))
		}
	}
}
