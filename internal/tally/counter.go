// Package tally keeps the figures of reports and reads them: how many notifications came
// in each hour, by template, what became of them and why, and how long they took.
//
// The figures are derived. One process of those on a ledger counts the notifications in
// the background (counter.go): the current and the last hour every minute, the last four
// days every hour, because receipts come up to 72 hours late, and every night all that
// RETENTION has not touched. Each hour is replaced as a whole, so a count that was killed
// is simply repeated, and nothing can drift. Before retention removes notifications,
// their hours are counted for the last time; from then on they stay.
//
// What a report says is worked out from these counts alone, by functions without side
// effects (report.go, failures.go, latency.go). It reflects the last count, and says so.
//
// When counting fails the log has a line and the figures grow old; nothing else stops.
package tally

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"pombo"
	"pombo/internal/leader"
	"pombo/internal/wait"
)

const (
	// The first counts after the start, which has other things to do.
	firstRecent = 10 * time.Second
	firstPast   = time.Minute

	recentEvery = time.Minute
	lateEvery   = time.Hour
	lateSpan    = 4 * 24 * time.Hour
	nightAt     = 2 * time.Hour // after midnight: before the comparison of table, ledger and Blip
	// restFactor is how many times the duration of a count passes before the next one
	// of its kind. The ledger works for a tenth of that time, so it costs a hundredth
	// of a core at most.
	restFactor = 9
	// askedAgain is how old the figures must be to be counted again on request.
	askedAgain = 10 * time.Second
	// retireMargin is how much more is counted than retention is about to remove.
	retireMargin = time.Hour
)

// Ledger counts the notifications.
type Ledger interface {
	// Now returns the time by the ledger's clock.
	Now() time.Time
	// Recount counts the hours that begin at or after from and before to.
	Recount(ctx context.Context, from, to time.Time) (int, error)
	// Fold sums the hours that begin at or after from and before to into those of a date.
	Fold(ctx context.Context, day, from, to time.Time) error
	// Finish counts the hours before a time for the last time.
	Finish(ctx context.Context, until time.Time) error
	Counted(ctx context.Context) (pombo.Counted, error)
	NoteCounted(ctx context.Context, at time.Time) error
	NoteLate(ctx context.Context, at time.Time) error
	NoteWhole(ctx context.Context, at time.Time) error
}

// Options configures a Counter. Ledger must be set.
type Options struct {
	Ledger Ledger
	// Leadership returns that of a job which one process does for all on the ledger;
	// nil = this process does it.
	Leadership func(job string) *leader.Leadership
	Retention  time.Duration  // after which notifications leave the ledger; 0 = never
	Zone       *time.Location // whose night it is; nil = UTC
	Logger     *slog.Logger   // nil = no log
}

// Counter counts in the background. Make it with NewCounter.
type Counter struct {
	opts   Options
	asking chan struct{} // has one element while somebody's count runs
}

// NewCounter checks the options.
func NewCounter(opts Options) (*Counter, error) {
	if opts.Ledger == nil {
		return nil, errors.New("tally: it needs a ledger")
	}
	if opts.Leadership == nil {
		opts.Leadership = func(string) *leader.Leadership { return nil }
	}
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Counter{opts: opts, asking: make(chan struct{}, 1)}, nil
}

// Run counts until ctx ends. A count of many hours takes minutes, so that of the current
// one does not wait for it.
func (c *Counter) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { c.loop(ctx, "tally", firstRecent, c.recent) })
	loops.Go(func() { c.loop(ctx, "tally-past", firstPast, c.past) })
	loops.Wait()
}

// loop does one job for all processes on the ledger.
func (c *Counter) loop(ctx context.Context, job string, first time.Duration, count func(context.Context) error) {
	leads := c.opts.Leadership(job)
	if wait.For(ctx, first) != nil {
		return
	}
	for {
		begun := time.Now()
		acquired, err := true, error(nil)
		if leads != nil {
			acquired, err = leads.TryAcquire(ctx)
		}
		if acquired && err == nil {
			err = count(ctx)
		}
		if err != nil && ctx.Err() == nil {
			c.opts.Logger.Error("the figures of the reports were not counted; they are as of the last count, and it is tried again", "job", job, "error", err)
		}
		if wait.For(ctx, max(recentEvery, restFactor*time.Since(begun))) != nil {
			return
		}
	}
}

// recent counts the current and the last hour, unless another process just has.
func (c *Counter) recent(ctx context.Context) error {
	return c.recentUnless(ctx, recentEvery*3/4)
}

func (c *Counter) recentUnless(ctx context.Context, younger time.Duration) error {
	counted, err := c.opts.Ledger.Counted(ctx)
	if err != nil {
		return err
	}
	now := c.opts.Ledger.Now()
	if age := now.Sub(counted.At); age >= 0 && age < younger {
		return nil
	}
	if _, err := c.count(ctx, now.Truncate(time.Hour).Add(-time.Hour), now); err != nil {
		return err
	}
	return c.opts.Ledger.NoteCounted(ctx, now)
}

// Refresh counts the current and the last hour now, unless that has just been done, for
// a visitor who looks at them.
func (c *Counter) Refresh(ctx context.Context) error {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.recentUnless(ctx, askedAgain)
}

// past counts the hours before those, when their time has come.
func (c *Counter) past(ctx context.Context) error {
	counted, err := c.opts.Ledger.Counted(ctx)
	if err != nil {
		return err
	}
	now := c.opts.Ledger.Now()
	switch {
	case counted.Whole.Before(lastNight(now, c.opts.Zone)):
		return c.whole(ctx, now)
	case now.Sub(counted.Late) >= lateEvery:
		if _, err := c.count(ctx, now.Add(-lateSpan), now); err != nil {
			return err
		}
		return c.opts.Ledger.NoteLate(ctx, now)
	}
	return nil
}

// whole counts all that retention has not touched.
func (c *Counter) whole(ctx context.Context, now time.Time) error {
	if c.opts.Retention > 0 {
		if err := c.BeforeRetire(ctx, c.opts.Retention); err != nil {
			return err
		}
	}
	n, err := c.count(ctx, time.Time{}, now)
	if err != nil {
		return err
	}
	c.opts.Logger.Info("the figures of the reports were counted again", "notifications", n, "duration_ms", c.opts.Ledger.Now().Sub(now).Milliseconds())
	if err := c.opts.Ledger.NoteLate(ctx, now); err != nil {
		return err
	}
	return c.opts.Ledger.NoteWhole(ctx, now)
}

// count counts the hours from one on, until now, and sums the days that have them. The
// zero time is before all hours.
func (c *Counter) count(ctx context.Context, from, now time.Time) (n int, err error) {
	if n, err = c.opts.Ledger.Recount(ctx, from, now); err != nil {
		return n, err
	}
	if from.IsZero() {
		counted, err := c.opts.Ledger.Counted(ctx)
		if err != nil {
			return n, err
		}
		if from = later(counted.Since, counted.Final); counted.Since.IsZero() {
			return n, nil
		}
	}
	return n, c.fold(ctx, from, now)
}

// fold sums the days that have the hours from one on, until before another.
func (c *Counter) fold(ctx context.Context, from, to time.Time) error {
	for day := midnight(from, 0, c.opts.Zone); day.Before(to); {
		next := midnight(day, 1, c.opts.Zone)
		if err := c.opts.Ledger.Fold(ctx, day, day, next); err != nil {
			return err
		}
		day = next
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// midnight returns the beginning of the day that has the time, or of a day after it, on the
// clocks of a zone. Where they go forward at midnight, that is when they have.
func midnight(t time.Time, days int, zone *time.Location) time.Time {
	t = t.In(zone)
	begin := time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, zone)
	if want := time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, time.UTC); begin.Day() != want.Day() {
		begin = begin.Add(time.Hour)
	}
	return begin
}

// BeforeRetire counts for the last time the hours whose notifications retention is about
// to remove, those that ended longer ago than the age. Retention must not go on when it
// fails. Any process may call it at any time.
func (c *Counter) BeforeRetire(ctx context.Context, age time.Duration) error {
	before, err := c.opts.Ledger.Counted(ctx)
	if err != nil {
		return err
	}
	if err := c.opts.Ledger.Finish(ctx, c.opts.Ledger.Now().Add(retireMargin-age)); err != nil {
		return err
	}
	after, err := c.opts.Ledger.Counted(ctx)
	if err != nil || before.Since.IsZero() {
		return err
	}
	return c.fold(ctx, later(before.Since, before.Final), after.Final)
}

// lastNight returns when the last nightly count was due.
func lastNight(now time.Time, zone *time.Location) time.Time {
	due := midnight(now, 0, zone).Add(nightAt)
	if due.After(now) {
		due = midnight(now, -1, zone).Add(nightAt)
	}
	return due
}
