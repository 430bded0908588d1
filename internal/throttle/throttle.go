// Package throttle decides when the next call may be made. It holds back
//
//   - everything, while the bot is paused (Pauser), which Blip, a person or too many
//     equal failures in a row (Breaker) may cause
//   - messages and commands at the bot's rates, which all processes on a shared
//     ledger keep together (Rates)
//   - the less urgent, while the rate is what is scarce (Gate)
//   - a second message to one person within six seconds (Recipients)
//   - all but a few messages while Blip is in trouble (Concurrency)
//   - the messages of a template that WhatsApp has stopped (Suspensions) or that an
//     operator holds (Holds)
//
// Nothing here knows what becomes of a notification: callers get a permit, an error
// or the time at which to come back.
package throttle

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/phone"
)

// Ledger keeps what a throttle must remember over a restart and share with other
// processes.
type Ledger interface {
	Pause(ctx context.Context, p pombo.Pause) error
	Resume(ctx context.Context) error
	Paused(ctx context.Context) (pombo.Pause, bool, error)

	// Quota grants calls of a kind out of a rate that all processes keep together:
	// call i may be made from in + i/perSecond on; with none granted, ask again
	// after in.
	Quota(ctx context.Context, name string, perSecond float64, want int) (granted int, in time.Duration, err error)
	// Recipient returns how long a message to n must wait; 0 reserves the interval.
	Recipient(ctx context.Context, n phone.Number, interval time.Duration) (wait time.Duration, err error)

	// CountFailure returns how many different people the streak of equal failures
	// has reached.
	CountFailure(ctx context.Context, f pombo.Failure) (people int, err error)
	// EndFailures ends the streak. It costs nothing while there is none.
	EndFailures(ctx context.Context, id pombo.MessageID, accepted bool) error
	// LoadFailures reads what other processes have counted.
	LoadFailures(ctx context.Context) error
}

// Options is what a Throttle is made of.
type Options struct {
	Ledger Ledger
	Shared bool // other processes send from the same ledger

	MessagesPerSecond float64 // 0 = no limit
	CommandsPerSecond float64 // 0 = no limit
	// Callers is how many notifications may wait for a permit at once.
	Callers int
	// InFlight is how many messages may be between their permit and Blip's answer.
	InFlight int
	// FailuresBeforePause is after how many different people with the same failure
	// in a row the bot pauses; 0 = never.
	FailuresBeforePause int

	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil = no metrics
}

// Throttle is everything that holds a call back whatever its template.
type Throttle struct {
	Pauser      *Pauser
	Rates       *Rates
	Gate        *Gate
	Recipients  *Recipients
	Concurrency *Concurrency
	Breaker     *Breaker

	shared bool
}

// New returns a throttle that is not paused. It starts nothing: Loops must run for
// a shared ledger to grant anything.
func New(o Options) *Throttle {
	pauser := newPauser(o.Ledger, o.Logger)
	limiter := func(name string, perSecond float64) limiter {
		if perSecond <= 0 || !o.Shared {
			return newLocalLimiter(perSecond)
		}
		return newSharedLimiter(o.Ledger, name, perSecond, o.Callers, o.Logger)
	}
	interval := reserver(newLocalInterval())
	if o.Shared {
		interval = sharedInterval{o.Ledger}
	}
	return &Throttle{
		Pauser:      pauser,
		Rates:       &Rates{pauser: pauser, messages: limiter("messages", o.MessagesPerSecond), commands: limiter("commands", o.CommandsPerSecond)},
		Gate:        newGate(o.MessagesPerSecond),
		Recipients:  newRecipients(interval),
		Concurrency: newConcurrency(o.InFlight, o.Logger, o.Registerer),
		Breaker:     &Breaker{ledger: o.Ledger, pauser: pauser, failures: o.FailuresBeforePause, log: o.Logger},
		shared:      o.Shared,
	}
}

// Load reads the pause and the streak of failures from the ledger.
func (t *Throttle) Load(ctx context.Context) error {
	if err := t.Pauser.Reload(ctx); err != nil {
		return err
	}
	return t.Breaker.Reload(ctx)
}

// Loops returns what must run while calls are made.
func (t *Throttle) Loops() (loops []func(context.Context)) {
	loops = append(loops, t.Breaker.run)
	for _, l := range []limiter{t.Rates.messages, t.Rates.commands} {
		if shared, ok := l.(*sharedLimiter); ok {
			loops = append(loops, shared.run)
		}
	}
	if t.shared {
		loops = append(loops, t.Pauser.run)
	}
	return loops
}
