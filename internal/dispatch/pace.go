package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"pombo"
	"pombo/internal/phone"
)

// pairGap is the least time between two messages to one person: WhatsApp takes
// about one in six seconds and answers 131056 past that.
const pairGap = 6 * time.Second

// errPaused: sending is paused; the row goes back to the queue.
var errPaused = errors.New("sending is paused")

// pace says when the next call may be made: the bot's rates, a pause of the
// whole bot, and the gap between two messages to one person.
type pace struct {
	messages, commands turns

	mu      sync.Mutex
	pause   pombo.Pause
	paused  bool
	lifted  time.Time     // the last end of a pause by somebody's hand
	changed chan struct{} // closed and replaced at each change of the pause

	// Recipients of the last pairGap, in two halves: the older one is dropped
	// whole, so that nothing has to be searched for what is over.
	now, before map[phone.Number]time.Time
	turned      time.Time
}

func newPace(messages, commands turns) *pace {
	return &pace{
		messages: messages,
		commands: commands,
		changed:  make(chan struct{}),
		now:      map[phone.Number]time.Time{},
		before:   map[phone.Number]time.Time{},
	}
}

// turns says when the next call of a kind may be made.
type turns interface {
	// next returns a channel that is closed when it is time, or nil when it is
	// time now. Who does not wait until then gives the turn up.
	next() (ready <-chan struct{}, giveUp func())
}

// own is the rate of a process that has the bot to itself. It allows no burst:
// Blip answers a burst with two minutes of 429, and a restart must not add one.
type own struct{ limiter *rate.Limiter }

func ownTurns(perSecond float64) own {
	if perSecond <= 0 {
		return own{rate.NewLimiter(rate.Inf, 0)}
	}
	return own{rate.NewLimiter(rate.Limit(perSecond), 1)}
}

func (o own) next() (<-chan struct{}, func()) {
	if o.limiter.Limit() == rate.Inf {
		return nil, nil
	}
	r := o.limiter.Reserve()
	d := r.Delay()
	if d == 0 {
		return nil, nil
	}
	ready := make(chan struct{})
	t := time.AfterFunc(d, func() { close(ready) })
	return ready, func() { t.Stop(); r.Cancel() }
}

// message waits for leave to send one message. It returns errPaused as soon as
// sending is paused and ctx's error when ctx ends.
func (p *pace) message(ctx context.Context) error { return p.wait(ctx, p.messages) }

// command does the same for one command.
func (p *pace) command(ctx context.Context) error { return p.wait(ctx, p.commands) }

func (p *pace) wait(ctx context.Context, of turns) error {
	paused, changed := p.state()
	if paused {
		return errPaused
	}
	ready, giveUp := of.next()
	if ready == nil {
		return ctx.Err()
	}
	for {
		select {
		case <-ready:
			return nil
		case <-changed:
			if paused, changed = p.state(); paused {
				giveUp()
				return errPaused
			}
		case <-ctx.Done():
			giveUp()
			return fmt.Errorf("wait for leave to send: %w", ctx.Err())
		}
	}
}

// turn waits for leave whether or not sending is paused.
func (p *pace) turn(ctx context.Context, of turns) error {
	ready, giveUp := of.next()
	if ready == nil {
		return ctx.Err()
	}
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		giveUp()
		return fmt.Errorf("wait for leave to ask: %w", ctx.Err())
	}
}

func (p *pace) state() (paused bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inForce(), p.changed
}

func (p *pace) inForce() bool {
	return p.paused && (p.pause.Until.IsZero() || time.Now().Before(p.pause.Until))
}

// set puts a pause in force, or none.
func (p *pace) set(pause pombo.Pause, paused bool) {
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

// current returns the pause in force, if any.
func (p *pace) current() (pombo.Pause, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pause, p.inForce()
}

// resumed returns the end of the last pause that has one; zero when none has.
func (p *pace) resumed() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused && !p.inForce() && p.pause.Until.After(p.lifted) {
		return p.pause.Until
	}
	return p.lifted
}

// waitResumed returns when no pause is in force.
func (p *pace) waitResumed(ctx context.Context) error {
	for {
		p.mu.Lock()
		paused, until, changed := p.inForce(), p.pause.Until, p.changed
		p.mu.Unlock()
		if !paused {
			return ctx.Err()
		}
		if until.IsZero() {
			until = time.Now().Add(time.Hour) // a change wakes it before
		}
		if err := wait(ctx, changed, time.Until(until)); err != nil {
			return err
		}
	}
}

// recipient returns until when a message to n must wait for the person's sake; the
// zero time takes the place.
func (p *pace) recipient(n phone.Number) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := time.Now()
	if t.Sub(p.turned) >= pairGap {
		if t.Sub(p.turned) >= 2*pairGap {
			clear(p.now)
		}
		p.before, p.now = p.now, p.before
		clear(p.now)
		p.turned = t
	}
	last, ok := p.now[n]
	if !ok {
		last, ok = p.before[n]
	}
	if free := last.Add(pairGap); ok && free.After(t) {
		return free
	}
	p.now[n] = t
	return time.Time{}
}

// pauseLedger keeps pauses over a restart and between processes.
type pauseLedger interface {
	Pause(ctx context.Context, p pombo.Pause) error
	Resume(ctx context.Context) error
	Paused(ctx context.Context) (pombo.Pause, bool, error)
}

// Pause stops all sending until p.Until or until Resume. What is under way ends.
func (e *Engine) Pause(ctx context.Context, p pombo.Pause) error {
	e.pausing.Lock()
	defer e.pausing.Unlock()
	return e.setPause(ctx, p)
}

func (e *Engine) setPause(ctx context.Context, p pombo.Pause) error {
	if err := e.o.Ledger.Pause(ctx, p); err != nil {
		return err
	}
	e.pace.set(p, true)
	until := "resumed"
	if !p.Until.IsZero() {
		until = p.Until.Format(time.RFC3339)
	}
	detail := p.Detail
	if p.By == "operator" {
		detail = "" // a person's own words may name somebody
	}
	e.log.Warn("sending paused", "until", until, "by", p.By, "reason", p.Reason, "detail", detail)
	return nil
}

// Resume ends a pause.
func (e *Engine) Resume(ctx context.Context) error {
	e.pausing.Lock()
	defer e.pausing.Unlock()
	if err := e.o.Ledger.Resume(ctx); err != nil {
		return err
	}
	e.pace.set(pombo.Pause{}, false)
	e.log.Info("sending resumed")
	return nil
}

// Paused returns the pause in force, if any.
func (e *Engine) Paused(context.Context) (pombo.Pause, bool, error) {
	p, ok := e.pace.current()
	return p, ok, nil
}

// pauseFor stops the bot because Blip said so.
func (e *Engine) pauseFor(ctx context.Context, err *pombo.Error) {
	p := pombo.Pause{Until: time.Now().Add(err.Pause), Reason: err.Reason, Detail: err.Detail, By: "blip"}
	if err := e.HoldBot(ctx, p); err != nil {
		e.log.Error("pause not written to the ledger; it holds in this process only", "error", err)
	}
}

// readPause takes over what the ledger says. It must not come between the
// writing of a pause and its taking effect: it would end the pause here.
func (e *Engine) readPause(ctx context.Context) error {
	e.pausing.Lock()
	defer e.pausing.Unlock()
	p, paused, err := e.o.Ledger.Paused(ctx)
	if err != nil {
		return fmt.Errorf("read pause: %w", err)
	}
	e.pace.set(p, paused)
	return nil
}

// LeaveCommand waits for leave to make one command, for whoever shares the
// bot's rate of commands. It fails while Blip has the bot pause. An operator's
// pause is about sending: asking what became of what was sent goes on.
func (e *Engine) LeaveCommand(ctx context.Context) error {
	if p, paused := e.pace.current(); paused && p.By != "blip" {
		return e.pace.turn(ctx, e.pace.commands)
	}
	return e.pace.command(ctx)
}

// Moved tells the loops that somebody else has moved notifications on: an
// operator by hand, or a receipt.
func (e *Engine) Moved() {
	e.queued.set()
	e.due.set()
	e.doubts.set()
}
