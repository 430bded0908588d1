package tally_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/leader"
	"pombo/internal/tally"
)

// fakeLedger remembers what was counted.
type fakeLedger struct {
	mu       sync.Mutex
	counted  pombo.Counted
	counts   []tally.Span
	folded   []tally.Span
	finished []time.Time
	takes    time.Duration // a count
	err      error
	leader   string
}

func (*fakeLedger) Now() time.Time { return time.Now() }

func (f *fakeLedger) Recount(ctx context.Context, from, to time.Time) (int, error) {
	time.Sleep(f.takes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts = append(f.counts, tally.Span{From: from, To: to})
	return 1, errors.Join(f.err, ctx.Err())
}

func (f *fakeLedger) Fold(_ context.Context, day, from, to time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.folded = append(f.folded, tally.Span{From: from, To: to})
	if from.Day() != day.Day() {
		return errors.New("another day")
	}
	return nil
}

func (f *fakeLedger) Finish(_ context.Context, until time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finished = append(f.finished, until)
	return f.err
}

func (f *fakeLedger) Counted(context.Context) (pombo.Counted, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counted, nil
}

func (f *fakeLedger) NoteCounted(_ context.Context, at time.Time) error {
	return f.note(&f.counted.At, at)
}

func (f *fakeLedger) NoteLate(_ context.Context, at time.Time) error {
	return f.note(&f.counted.Late, at)
}

func (f *fakeLedger) NoteWhole(_ context.Context, at time.Time) error {
	return f.note(&f.counted.Whole, at)
}

func (f *fakeLedger) note(where *time.Time, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	*where = at
	return nil
}

// AcquireLeadership grants every job to one process.
func (f *fakeLedger) AcquireLeadership(_ context.Context, _, owner string, _ time.Duration) (bool, error) {
	return owner == f.leader, nil
}

func (*fakeLedger) ReleaseLeadership(context.Context, string, string) error { return nil }

// kinds counts the counts by how far back they go.
func (f *fakeLedger) kinds() (recent, late, whole int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.counts {
		switch back := s.To.Sub(s.From); {
		case s.From.IsZero():
			whole++
		case back > 24*time.Hour:
			late++
		default:
			recent++
		}
	}
	f.counts = nil
	return recent, late, whole
}

// running runs a counter in the background, for as long as the test lasts.
func running(t *testing.T, opts tally.Options) *tally.Counter {
	t.Helper()
	c, err := tally.NewCounter(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	return c
}

func TestCounter_CountsByTheMinuteTheHourAndTheNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The clock of the test begins at midnight in UTC.
		f := &fakeLedger{}
		running(t, tally.Options{Ledger: f, Retention: 90 * 24 * time.Hour})
		time.Sleep(59*time.Minute + 30*time.Second)
		recent, late, whole := f.kinds()
		if recent < 58 || recent > 60 || late != 0 || whole != 1 {
			t.Errorf("in the first hour: %d recent, %d late, %d whole; want 59, none, one", recent, late, whole)
		}
		f.mu.Lock()
		if len(f.finished) != 1 || time.Since(f.finished[0]) < 90*24*time.Hour-2*time.Hour {
			t.Errorf("finished %v, want what retention is about to touch, before the whole", f.finished)
		}
		f.mu.Unlock()
		time.Sleep(24 * time.Hour)
		recent, late, whole = f.kinds()
		if recent < 1435 || late < 20 || late > 24 || whole != 1 {
			t.Errorf("in a day: %d recent, %d late, %d whole; want 1,440, about 23, one", recent, late, whole)
		}
	})
}

// A count that takes long is followed by a long rest.
func TestCounter_SparesTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLedger{takes: 30 * time.Second}
		f.counted = pombo.Counted{Late: time.Now(), Whole: time.Now().Add(24 * time.Hour)}
		running(t, tally.Options{Ledger: f})
		time.Sleep(50 * time.Minute)
		if recent, _, _ := f.kinds(); recent < 9 || recent > 11 {
			t.Errorf("%d counts of 30 s in 50 minutes, want ten", recent)
		}
	})
}

func TestCounter_CountsOnlyAsTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLedger{leader: "other"}
		running(t, tally.Options{Ledger: f, Leadership: func(job string) *leader.Leadership {
			return leader.Of(f, job, "me", slog.New(slog.DiscardHandler))
		}})
		time.Sleep(time.Hour)
		if recent, late, whole := f.kinds(); recent+late+whole != 0 {
			t.Errorf("%d counts by a process that does not lead, want none", recent+late+whole)
		}
	})
}

func TestCounter_SaysThatCountingFailsAndTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &fakeLedger{err: errors.New("the disk is gone")}
		c := running(t, tally.Options{Ledger: f, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := strings.Count(log.String(), "the disk is gone"); got != 1 {
			t.Errorf("after one count the log has %d lines:\n%s", got, log.String())
		}
		if err := c.BeforeRetire(t.Context(), time.Hour); err == nil {
			t.Error("retention may go on though counting failed")
		}
		f.mu.Lock()
		f.err = nil
		f.mu.Unlock()
		time.Sleep(time.Minute)
		if got, _ := f.Counted(t.Context()); time.Since(got.At) > time.Minute {
			t.Errorf("counted as of %v, want the last minute", got.At)
		}
	})
}

// The days of the counted hours are summed whole, on the clocks of the zone.
func TestRefresh_SumsTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLedger{}
		c, err := tally.NewCounter(tally.Options{Ledger: f, Zone: zone(t, "America/Sao_Paulo")})
		if err != nil {
			t.Fatal(err)
		}
		// It is summer there, and ten past midnight.
		time.Sleep(2*time.Hour + 10*time.Minute)
		today := time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC)
		for _, want := range [][]time.Time{{today.Add(-24 * time.Hour), today}, {today}} {
			f.folded = nil
			if err := c.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(f.folded) != len(want) {
				t.Fatalf("summed %v, want the days from %v", f.folded, want)
			}
			for i, s := range f.folded {
				if !s.From.Equal(want[i]) || s.To.Sub(s.From) != 24*time.Hour {
					t.Errorf("summed %v, want the day from %v", s, want[i])
				}
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestRefresh_CountsUnlessJustDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLedger{takes: time.Second}
		c, err := tally.NewCounter(tally.Options{Ledger: f})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := c.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if recent, _, _ := f.kinds(); recent != 1 {
			t.Errorf("%d counts for twenty who ask at once, want one", recent)
		}
		time.Sleep(11 * time.Second)
		if err := c.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		if recent, _, _ := f.kinds(); recent != 1 {
			t.Errorf("%d counts for who asks later, want one", recent)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		time.Sleep(11 * time.Second)
		if err := c.Refresh(ctx); err == nil {
			t.Error("somebody who went away got no error")
		}
	})
}

func TestNewCounter_NeedsALedger(t *testing.T) {
	if _, err := tally.NewCounter(tally.Options{}); err == nil {
		t.Error("a counter without a ledger was made")
	}
}
