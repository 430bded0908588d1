package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/dispatch"
)

var (
	errAway = errors.New("the database is away")
	refused = &pombo.Error{Reason: pombo.BadRequest, Delivery: pombo.NotSent}
	busy    = &pombo.Error{Reason: pombo.BlipUnavailable, Retry: true, Delivery: pombo.NotSent}
	cut     = &pombo.Error{Reason: pombo.NoAnswer, Retry: true, Delivery: pombo.MaybeSent}
	tooFast = &pombo.Error{Reason: pombo.RateLimited, Retry: true, Delivery: pombo.NotSent, Pause: 2 * time.Minute}
)

func TestRuns_DeliverEveryPendingRowOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"), row("2", "31988880002", "José"), row("3", "no phone", "Ana"))
		ledger, blip := newFakeLedger(), &fakeBlip{}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})

		run := runToEnd(t, e)
		if run.Found != 3 || run.Accepted != 2 || run.Failed != 1 {
			t.Errorf("run = %+v, want 3 found, 2 accepted, 1 failed", run.Tally)
		}
		for _, key := range []string{"1", "2"} {
			n := ledger.get(t, key)
			if got := blip.posts(n.MessageID); got != 1 || n.State != pombo.Accepted {
				t.Errorf("row %s: %d posts, state %s, want 1 and accepted", key, got, n.State)
			}
			if got := source.get(key); got != "2" {
				t.Errorf("row %s: status %s, want 2", key, got)
			}
		}
		bad := ledger.get(t, "3")
		if bad.State != pombo.Failed || bad.Reason != pombo.InvalidPhone {
			t.Errorf("row 3: %s %s, want failed invalid_phone", bad.State, bad.Reason)
		}
		if run := runToEnd(t, e); run.Found != 0 {
			t.Errorf("a second run found %d rows, want 0", run.Found)
		}
	})
}

func runToEnd(t *testing.T, e *dispatch.Engine) pombo.Run {
	t.Helper()
	run, _, err := e.Runs.StartRun(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run, err = e.Runs.WaitRun(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestRuns_SecondCallJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		blip := &fakeBlip{onSend: func(context.Context, pombo.Message, int) error { <-release; return nil }}
		e := startEngine(t, options{Source: newTable(row("1", "31988880001", "Maria")), Ledger: newFakeLedger(), Blip: blip})
		first, joined, err := e.Runs.StartRun(t.Context())
		if err != nil || joined {
			t.Fatalf("first call: joined %v, error %v", joined, err)
		}
		synctest.Wait()
		second, joined, err := e.Runs.StartRun(t.Context())
		if err != nil || !joined || second.ID != first.ID {
			t.Errorf("second call: run %d, joined %v, error %v, want run %d joined", second.ID, joined, err, first.ID)
		}
		close(release)
		run, err := e.Runs.WaitRun(t.Context(), second.ID)
		if err != nil || run.Finished.IsZero() || run.Accepted != 1 {
			t.Errorf("run = %+v, error %v, want it finished with 1 accepted", run, err)
		}
	})
}

// A page can be read just before a row is settled. It must not look like a row
// that was set back to pending.
func TestIntake_PageReadBeforeTheSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		ledger, blip := newFakeLedger(), &fakeBlip{}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})
		runToEnd(t, e)

		// The owner's tool reads the page while the row is pending, and the
		// settle comes between the page and what is done with it.
		source.set("1", "1")
		source.onPage = func() { source.set("1", "2") }
		runToEnd(t, e)
		if n := ledger.get(t, "1"); n.Key.Generation != 1 {
			t.Errorf("generation %d, want 1: the row was settled meanwhile", n.Key.Generation)
		}
		source.onPage = nil
		source.set("1", "1")
		time.Sleep(time.Minute)
		synctest.Wait()
		runToEnd(t, e)
		n := ledger.get(t, "1")
		if n.Key.Generation != 2 || n.State != pombo.Accepted {
			t.Errorf("generation %d %s, want 2 accepted: it was set back on purpose", n.Key.Generation, n.State)
		}
		if len(blip.sent) != 2 {
			t.Errorf("%d posts, want 2", len(blip.sent))
		}
	})
}

func TestEngine_SourceAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"), row("2", "31988880002", "José"))
		ledger := newFakeLedger()
		gate := make(chan struct{})
		blip := &fakeBlip{onSend: func(context.Context, pombo.Message, int) error { <-gate; return nil }}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})
		run, _, err := e.Runs.StartRun(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		source.goAway(errAway)
		close(gate)
		run, err = e.Runs.WaitRun(t.Context(), run.ID)
		if err != nil || run.Accepted != 2 {
			t.Errorf("accepted %d, error %v, want 2 with the source away", run.Accepted, err)
		}
		run, _, err = e.Runs.StartRun(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if run, err = e.Runs.WaitRun(t.Context(), run.ID); err != nil || run.Error == "" {
			t.Errorf("run = %+v, error %v, want it finished and saying that the source is away", run, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		source.goAway(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for _, key := range []string{"1", "2"} {
			if got := source.get(key); got != "2" {
				t.Errorf("row %s: status %s after the source came back, want 2", key, got)
			}
		}
	})
}

func TestRates_KeptAndUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		e := startEngine(t, options{Ledger: ledger, Blip: blip, MessagesPerSecond: 45})
		const rows = 450
		start := time.Now()
		var last time.Time
		done := make(chan struct{})
		blip.onSend = func(context.Context, pombo.Message, int) error {
			blip.mu.Lock()
			defer blip.mu.Unlock()
			if len(blip.sent) == rows {
				last = time.Now()
				close(done)
			}
			return nil
		}
		for i := range rows {
			if _, _, err := e.Intake.Add(t.Context(), row(strconv.Itoa(i), fmt.Sprintf("31988880%03d", i), "x")); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("%d messages in a minute, want %d", len(blip.sent), rows)
		}
		took := last.Sub(start).Seconds()
		if least := float64(rows-1) / 45; took < least-0.001 || took > least/0.98 {
			t.Errorf("%d messages took %.3f s, want between %.3f and %.3f", rows, took, least, least/0.98)
		}
	})
}

// Each command takes a permit of its own: the identity, and both of a redirect.
func TestRates_Commands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blip := &fakeBlip{redirects: 2}
		e := startEngine(t, options{Ledger: newFakeLedger(), Blip: blip, CommandsPerSecond: 5})
		const rows = 10
		for i := range rows {
			if _, _, err := e.Intake.Add(t.Context(), row(strconv.Itoa(i), fmt.Sprintf("31988880%03d", i), "x")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(blip.sent) != rows || len(blip.commands) != 3*rows {
			t.Fatalf("%d messages with %d commands, want %d and %d", len(blip.sent), len(blip.commands), rows, 3*rows)
		}
		for i, at := range blip.commands[1:] {
			if gap := at.Sub(blip.commands[i]); gap < 199*time.Millisecond {
				t.Errorf("command %d came %s after the one before, want a fifth of a second", i+2, gap)
			}
		}
	})
}

func TestRecipients_Interval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		var times []time.Time
		blip := &fakeBlip{}
		blip.onSend = func(context.Context, pombo.Message, int) error {
			blip.mu.Lock()
			defer blip.mu.Unlock()
			times = append(times, time.Now())
			return nil
		}
		e := startEngine(t, options{Ledger: ledger, Blip: blip})
		for _, key := range []string{"a", "b", "c"} {
			if _, _, err := e.Intake.Add(t.Context(), row(key, "31988880001", "x")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(times) != 3 {
			t.Fatalf("%d posts, want 3", len(times))
		}
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap < 6*time.Second {
				t.Errorf("gap %s between two messages to one person, want at least 6s", gap)
			}
		}
	})
}

func TestPauser_PauseSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		first, err := newEngine(options{Ledger: ledger, Blip: blip, Owner: "first"})
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := first.Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
			t.Fatal(err)
		}
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		e := startEngine(t, options{Ledger: ledger, Blip: blip})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if blip.posts(n.MessageID) != 0 {
			t.Error("sent although paused")
		}
		if err := e.Throttle.Pauser.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if blip.posts(n.MessageID) != 1 {
			t.Error("not sent although resumed")
		}
	})
}

func TestEngine_StopLetsTheCallEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		blip := &fakeBlip{onSend: func(context.Context, pombo.Message, int) error { time.Sleep(5 * time.Second); return nil }}
		e, err := newEngine(options{Ledger: ledger, Blip: blip, Owner: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if n := ledger.get(t, "a"); n.State != pombo.Accepted {
			t.Errorf("%s, want accepted: the call had time to end", n.State)
		}
	})
}

// What has been claimed and not begun goes back to the queue at once: a stop
// does not wait for the rate.
func TestEngine_StopRequeuesWhatHasNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		e, err := newEngine(options{Ledger: ledger, Blip: blip, Owner: "test", MessagesPerSecond: 0.01})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if _, _, err := e.Intake.Add(t.Context(), row(strconv.Itoa(i), fmt.Sprintf("3198888000%d", i), "x")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		start := time.Now()
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the stop took %s, want it at once", took)
		}
		if got := ledger.count(pombo.Queued); got != 9 || len(blip.sent) != 1 {
			t.Errorf("%d queued and %d sent, want 9 and 1", got, len(blip.sent))
		}
	})
}

func TestEngine_StopCutOffLeavesTheCallUncertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		blip := &fakeBlip{onSend: func(ctx context.Context, _ pombo.Message, _ int) error { <-ctx.Done(); return cut }}
		e, err := newEngine(options{Ledger: ledger, Blip: blip, Owner: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.Stop(ctx); err == nil {
			t.Error("stop said nothing of the call it cut off")
		}
		if n := ledger.get(t, "a"); n.State != pombo.Uncertain {
			t.Errorf("%s, want uncertain", n.State)
		}
	})
}

// TestRuns_EndWithRetriesAndDoubts: a run is over when every row had its first
// try, not when Blip is well again.
func TestRuns_EndWithRetriesAndDoubts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blip := &fakeBlip{onSend: func(_ context.Context, m pombo.Message, _ int) error {
			switch m.Params[0].Value {
			case "busy":
				return busy
			case "cut":
				return cut
			}
			return nil
		}}
		e := startEngine(t, options{
			Source: newTable(row("1", "31988880001", "busy"), row("2", "31988880002", "cut"), row("3", "31988880003", "fine")),
			Ledger: newFakeLedger(), Blip: blip,
		})
		run := runToEnd(t, e)
		if run.Found != 3 || run.Retrying != 1 || run.Uncertain != 1 || run.Accepted != 1 {
			t.Errorf("run = %+v, want 1 retrying, 1 uncertain, 1 accepted", run.Tally)
		}
	})
}

// Somebody who has corrected a row and retries wants the corrected row sent.
func TestEngine_RetryReadsTheRowAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "no phone", "Maria"))
		ledger, blip := newFakeLedger(), &fakeBlip{}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})
		runToEnd(t, e)
		id := ledger.get(t, "1").MessageID

		source.goAway(errAway)
		if err := e.Retry(t.Context(), id); !errors.Is(err, errAway) {
			t.Errorf("retry with the source away: %v, want its error: what was taken in may be wrong", err)
		}
		source.goAway(nil)
		source.rows[0] = row("1", "31988880001", "Maria")
		if err := e.Retry(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := ledger.get(t, "1"); n.State != pombo.Accepted {
			t.Errorf("%s %s, want accepted with the corrected phone", n.State, n.Reason)
		}
		if err := e.Retry(t.Context(), "b735cecf-e584-51d7-8ff8-9e832a896ba6"); !errors.Is(err, pombo.ErrNotFound) {
			t.Errorf("retry of an unknown id: %v, want not found", err)
		}
	})
}

func TestIntake_ReportsRejectedRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		source.problems = []pombo.RowProblem{{RowKey: "2", Column: "DT_ENVIO", Message: "no time"}}
		e := startEngine(t, options{Source: source, Ledger: newFakeLedger(), Blip: &fakeBlip{}})
		run := runToEnd(t, e)
		if run.Accepted != 1 || !strings.Contains(run.Error, "row 2, DT_ENVIO: no time") {
			t.Errorf("accepted %d, error %q, want 1 and the row that was left out", run.Accepted, run.Error)
		}
	})
}

func TestIntake_Polls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		e := startEngine(t, options{Source: source, Ledger: newFakeLedger(), Blip: &fakeBlip{}, PollInterval: time.Minute})
		_ = e
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := source.get("1"); got != "2" {
			t.Errorf("status %s, want 2", got)
		}
	})
}

func TestIntake_HighWater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rows []pombo.Row
		for i := range 5000 {
			rows = append(rows, row(fmt.Sprintf("%04d", i), "no phone", "x"))
		}
		ledger := newFakeLedger()
		most := 0
		source := newTable(rows...)
		source.onPage = func() {
			most = max(most, ledger.count(pombo.Queued))
		}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: &fakeBlip{}, HighWater: 600, Workers: 1})
		if run := runToEnd(t, e); run.Found != 5000 {
			t.Errorf("found %d, want 5000", run.Found)
		}
		if most >= 600 {
			t.Errorf("a page was read with %d queued, want fewer than 600", most)
		}
	})
}
