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

func TestRunDeliversEveryPendingRowOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"), row("2", "31988880002", "José"), row("3", "no phone", "Ana"))
		ledger, blip := newMemory(), &pretend{}
		e := engine(t, dispatch.Options{Source: source, Ledger: ledger, Blip: blip})

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

func TestSecondCallJoinsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		blip := &pretend{onSend: func(context.Context, pombo.Message, int) error { <-release; return nil }}
		e := engine(t, dispatch.Options{Source: newTable(row("1", "31988880001", "Maria")), Ledger: newMemory(), Blip: blip})
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

// outcomes holds the ways a POST can end against what may follow.
func TestWhatFollowsAFailedPost(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		policy dispatch.Policy
		wait   time.Duration // how long the test looks on
		state  pombo.State
		reason pombo.Reason
		posts  int
	}{
		{"refused for good", refused, "", time.Hour, pombo.Failed, pombo.BadRequest, 1},
		{"known not to have reached Blip", busy, "", time.Second, pombo.Queued, pombo.BlipUnavailable, 1},
		{"that, after the first wait", busy, "", 20 * time.Second, pombo.Queued, pombo.BlipUnavailable, 2},
		{"that, after the whole schedule", busy, "", 24 * time.Hour, pombo.Failed, pombo.TriesExhausted, 11},
		{"left without an answer", cut, "", time.Second, pombo.Uncertain, pombo.NoAnswer, 1},
		{"that, no trace after the wait", cut, "", 3 * time.Minute, pombo.Uncertain, pombo.NoAnswer, 2},
		{"that, with hold", cut, dispatch.Hold, 24 * time.Hour, pombo.Uncertain, pombo.HeldForPerson, 1},
		{"that, with resend", cut, dispatch.Resend, 8 * time.Second, pombo.Queued, pombo.ResentByPolicy, 1},
		{"a client without a decision", errAway, "", time.Second, pombo.Uncertain, pombo.Unexplained, 1},
		{"too fast for Blip", tooFast, "", time.Minute, pombo.Queued, pombo.RateLimited, 1},
		{"too fast for Blip, after the pause", tooFast, "", 130 * time.Second, pombo.Queued, pombo.RateLimited, 2},
		{"too fast for Blip for a day", tooFast, "", 24*time.Hour + time.Minute, pombo.Queued, pombo.RateLimited, 721},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger := newMemory()
				blip := &pretend{onSend: func(context.Context, pombo.Message, int) error { return test.err }}
				e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip, Uncertain: test.policy})
				if _, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.wait)
				synctest.Wait()
				n := ledger.get(t, "a")
				if n.State != test.state || n.Reason != test.reason {
					t.Errorf("%s %s, want %s %s", n.State, n.Reason, test.state, test.reason)
				}
				if got := blip.posts(n.MessageID); got != test.posts {
					t.Errorf("%d posts, want %d", got, test.posts)
				}
			})
		})
	}
}

func TestTraceEndsTheDoubt(t *testing.T) {
	id := pombo.Key{Source: "api", RowKey: "a", Generation: 1}.MessageID()
	for _, test := range []struct {
		name   string
		trace  []pombo.State
		state  pombo.State
		reason pombo.Reason
	}{
		{"accepted", []pombo.State{pombo.Accepted}, pombo.Accepted, pombo.TraceFound},
		{"out of order", []pombo.State{pombo.Delivered, pombo.Accepted, pombo.Dispatched}, pombo.Delivered, pombo.TraceFound},
		{"failed", []pombo.State{pombo.Accepted, pombo.Failed}, pombo.Failed, pombo.NotOnWhatsApp},
		{"one attempt failed, the other arrived", []pombo.State{pombo.Failed, pombo.Delivered}, pombo.Delivered, pombo.TraceFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger := newMemory()
				blip := &pretend{
					onSend: func(context.Context, pombo.Message, int) error { return cut },
					onReceipts: func(asked pombo.MessageID) (receipts []pombo.Receipt, err error) {
						if asked != id {
							t.Errorf("asked for %s, want %s", asked, id)
						}
						for _, s := range test.trace {
							receipts = append(receipts, pombo.Receipt{MessageID: id, State: s, Reason: pombo.NotOnWhatsApp})
						}
						return receipts, nil
					},
				}
				e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip})
				_, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria"))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				n := ledger.get(t, "a")
				if n.State != test.state || n.Reason != test.reason || blip.posts(id) != 1 {
					t.Errorf("%s %s after %d posts, want %s %s after 1", n.State, n.Reason, blip.posts(id), test.state, test.reason)
				}
			})
		})
	}
}

// A doubt is never ended by a question that got no answer.
func TestNoAnswerAboutTheTraceHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		blip := &pretend{
			onSend:     func(context.Context, pombo.Message, int) error { return cut },
			onReceipts: func(pombo.MessageID) ([]pombo.Receipt, error) { return nil, busy },
		}
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Uncertain || blip.posts(n.MessageID) != 1 {
			t.Errorf("%s after %d posts, want uncertain after 1", got.State, blip.posts(n.MessageID))
		}
	})
}

func TestOutcomeIsRecordedHoweverLongTheLedgerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		ledger.breakMethod("Finish", errAway)
		blip := &pretend{}
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Sending || blip.posts(n.MessageID) != 1 {
			t.Errorf("%s after %d posts, want sending after 1", got.State, blip.posts(n.MessageID))
		}
		ledger.breakMethod("Finish", nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Accepted || blip.posts(n.MessageID) != 1 {
			t.Errorf("%s after %d posts, want accepted after 1", got.State, blip.posts(n.MessageID))
		}
	})
}

func TestNothingLeavesBeforeBeginIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		ledger.breakMethod("Begin", errAway)
		blip := &pretend{}
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if blip.posts(n.MessageID) != 0 {
			t.Errorf("%d posts without a durable begin, want 0", blip.posts(n.MessageID))
		}
		ledger.breakMethod("Begin", nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Accepted {
			t.Errorf("%s once the ledger is back, want accepted", got.State)
		}
	})
}

// A page can be read just before a row is settled. It must not look like a row
// that was set back to pending.
func TestPageReadBeforeTheSettleIsNoResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		ledger, blip := newMemory(), &pretend{}
		e := engine(t, dispatch.Options{Source: source, Ledger: ledger, Blip: blip})
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

func TestSourceAwaySendingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"), row("2", "31988880002", "José"))
		ledger := newMemory()
		gate := make(chan struct{})
		blip := &pretend{onSend: func(context.Context, pombo.Message, int) error { <-gate; return nil }}
		e := engine(t, dispatch.Options{Source: source, Ledger: ledger, Blip: blip})
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

func TestPaceKeepsTheRateAndUsesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newMemory(), &pretend{}
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip, MessagesPerSecond: 45})
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
func TestCommandsKeepTheirRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blip := &pretend{redirects: 2}
		e := engine(t, dispatch.Options{Ledger: newMemory(), Blip: blip, CommandsPerSecond: 5})
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

func TestOnePersonGetsOneMessageInSixSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		var times []time.Time
		blip := &pretend{}
		blip.onSend = func(context.Context, pombo.Message, int) error {
			blip.mu.Lock()
			defer blip.mu.Unlock()
			times = append(times, time.Now())
			return nil
		}
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip})
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

func TestPauseByHandHoldsOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newMemory(), &pretend{}
		first, err := dispatch.New(dispatch.Options{SourceName: "notificacao", Source: newTable(), Pending: "1", Ledger: ledger, Blip: blip, Owner: "first"})
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
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip})
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

func TestSoftStopLetsTheCallEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		blip := &pretend{onSend: func(context.Context, pombo.Message, int) error { time.Sleep(5 * time.Second); return nil }}
		e, err := dispatch.New(dispatch.Options{SourceName: "notificacao", Source: newTable(), Pending: "1", Ledger: ledger, Blip: blip, Owner: "test"})
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
// does not wait for the pace.
func TestStopPutsBackWhatHasNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newMemory(), &pretend{}
		e, err := dispatch.New(dispatch.Options{SourceName: "notificacao", Source: newTable(), Pending: "1", Ledger: ledger, Blip: blip, Owner: "test", MessagesPerSecond: 0.01})
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

func TestHardStopLeavesTheCallUncertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		blip := &pretend{onSend: func(ctx context.Context, _ pombo.Message, _ int) error { <-ctx.Done(); return cut }}
		e, err := dispatch.New(dispatch.Options{SourceName: "notificacao", Source: newTable(), Pending: "1", Ledger: ledger, Blip: blip, Owner: "test"})
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

func TestValuesAreCheckedBeforeBlipIsAsked(t *testing.T) {
	templates := []pombo.Template{
		{Name: "two", Language: "pt_BR", Status: "APPROVED", Body: "Olá {{1}}, {{2}}. {{1}}!"},
		{Name: "paused", Language: "pt_BR", Status: "PAUSED", Body: "{{1}}"},
	}
	for _, test := range []struct {
		name, template string
		values         []string
		state          pombo.State
		reason         pombo.Reason
	}{
		{"fits", "two", []string{"Maria", "oi"}, pombo.Accepted, ""},
		{"one value too few", "two", []string{"Maria"}, pombo.Failed, pombo.ParameterCount},
		{"empty", "two", []string{"Maria", " "}, pombo.Failed, pombo.ParameterEmpty},
		{"line break", "two", []string{"Maria", "a\nb"}, pombo.Failed, pombo.ParameterFormat},
		{"tab", "two", []string{"Maria", "a\tb"}, pombo.Failed, pombo.ParameterFormat},
		{"four blanks", "two", []string{"Maria", "a    b"}, pombo.Accepted, ""},
		{"five blanks", "two", []string{"Maria", "a     b"}, pombo.Failed, pombo.ParameterFormat},
		{"too long", "two", []string{"Maria", string(make([]byte, 5000))}, pombo.Failed, pombo.ParameterTooLong},
		{"unknown template waits", "three", []string{"Maria"}, pombo.Queued, pombo.TemplateMissing},
		{"paused template waits", "paused", []string{"Maria"}, pombo.Queued, pombo.TemplatePaused},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger := newMemory()
				asked := false
				blip := &pretend{templates: templates, onIdentity: func() error { asked = true; return nil }}
				e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip, Template: test.template, Language: "pt_BR"})
				synctest.Wait() // the templates are listed
				if _, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", test.values...)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				n := ledger.get(t, "a")
				if n.State != test.state || n.Reason != test.reason {
					t.Errorf("%s %s, want %s %s", n.State, n.Reason, test.state, test.reason)
				}
				if want := test.state == pombo.Accepted; asked != want {
					t.Errorf("identity asked = %v, want %v", asked, want)
				}
			})
		})
	}
}

// TestRunEndsWithRetriesAndDoubts: a run is over when every row had its first
// try, not when Blip is well again.
func TestRunEndsWithRetriesAndDoubts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blip := &pretend{onSend: func(_ context.Context, m pombo.Message, _ int) error {
			switch m.Params[0].Value {
			case "busy":
				return busy
			case "cut":
				return cut
			}
			return nil
		}}
		e := engine(t, dispatch.Options{
			Source: newTable(row("1", "31988880001", "busy"), row("2", "31988880002", "cut"), row("3", "31988880003", "fine")),
			Ledger: newMemory(), Blip: blip,
		})
		run := runToEnd(t, e)
		if run.Found != 3 || run.Retrying != 1 || run.Uncertain != 1 || run.Accepted != 1 {
			t.Errorf("run = %+v, want 1 retrying, 1 uncertain, 1 accepted", run.Tally)
		}
	})
}

// Who has mended a row and retries wants the mended row sent.
func TestRetryReadsTheRowAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "no phone", "Maria"))
		ledger, blip := newMemory(), &pretend{}
		e := engine(t, dispatch.Options{Source: source, Ledger: ledger, Blip: blip})
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
			t.Errorf("%s %s, want accepted with the mended phone", n.State, n.Reason)
		}
		if err := e.Retry(t.Context(), "b735cecf-e584-51d7-8ff8-9e832a896ba6"); !errors.Is(err, pombo.ErrNotFound) {
			t.Errorf("retry of an unknown id: %v, want not found", err)
		}
	})
}

func TestRowsThatCannotBeTakenInAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		source.problems = []pombo.RowProblem{{RowKey: "2", Column: "DT_ENVIO", Message: "no time"}}
		e := engine(t, dispatch.Options{Source: source, Ledger: newMemory(), Blip: &pretend{}})
		run := runToEnd(t, e)
		if run.Accepted != 1 || !strings.Contains(run.Error, "row 2, DT_ENVIO: no time") {
			t.Errorf("accepted %d, error %q, want 1 and the row that was left out", run.Accepted, run.Error)
		}
	})
}

func TestPollIntervalTakesInByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		e := engine(t, dispatch.Options{Source: source, Ledger: newMemory(), Blip: &pretend{}, PollInterval: time.Minute})
		_ = e
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := source.get("1"); got != "2" {
			t.Errorf("status %s, want 2", got)
		}
	})
}

func TestHighWaterBoundsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rows []pombo.Row
		for i := range 5000 {
			rows = append(rows, row(fmt.Sprintf("%04d", i), "no phone", "x"))
		}
		ledger := newMemory()
		most := 0
		source := newTable(rows...)
		source.onPage = func() {
			most = max(most, ledger.count(pombo.Queued))
		}
		e := engine(t, dispatch.Options{Source: source, Ledger: ledger, Blip: &pretend{}, HighWater: 600, Workers: 1})
		if run := runToEnd(t, e); run.Found != 5000 {
			t.Errorf("found %d, want 5000", run.Found)
		}
		if most >= 600 {
			t.Errorf("a page was read with %d queued, want fewer than 600", most)
		}
	})
}
