package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo/internal/api"
	"pombo/internal/telemetry"
)

// fakeClient is an API whose runs take as long as the test says.
type fakeClient struct {
	begun []time.Duration // when each call came, from the start
	waits []time.Duration // how long it was asked to wait
	start time.Time

	takes    func(call int) time.Duration // nil = no time
	ready    api.Readiness
	readyErr func(call int) error // nil = ready
	result   api.RunResult
	err      error
	asked    int // times that the readiness was asked for

	mu sync.Mutex // held during a call: a second one at once is an overlap
}

func (c *fakeClient) Ready(context.Context) (api.Readiness, error) {
	c.asked++
	if c.readyErr != nil {
		return c.ready, c.readyErr(c.asked)
	}
	return c.ready, nil
}

func (c *fakeClient) Send(ctx context.Context, wait time.Duration) (api.RunResult, error) {
	if !c.mu.TryLock() {
		panic("two calls at once")
	}
	defer c.mu.Unlock()
	c.begun = append(c.begun, time.Since(c.start))
	c.waits = append(c.waits, wait)
	if c.takes != nil {
		select {
		case <-time.After(c.takes(len(c.begun))):
		case <-ctx.Done():
			return api.RunResult{}, &api.Unreachable{URL: "http://127.0.0.1:5000", Err: ctx.Err()}
		}
	}
	return c.result, c.err
}

// runJob runs a job against c for a while, in fake time, and returns its log,
// record by record.
func runJob(t *testing.T, c *fakeClient, o Options, long time.Duration) []map[string]any {
	t.Helper()
	var log bytes.Buffer
	c.start = time.Now()
	o.Client, o.Logger = c, telemetry.JobLogger(&log, slog.LevelInfo)
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	if err := New(o).Run(ctx); err != nil {
		t.Errorf("run = %v, want nil when its context ends", err)
	}
	return records(t, &log)
}

func records(t *testing.T, log *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range bytes.Lines(log.Bytes()) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("line is not JSON: %v: %s", err, line)
		}
		all = append(all, r)
	}
	return all
}

func checkCalls(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("calls at %v, want at %v", got, want)
	}
}

func TestJob_KeepsItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{
			takes:  func(int) time.Duration { return 2 * time.Minute },
			result: api.RunResult{RunID: 7, State: api.Finished, Found: 3, Accepted: 2, Failed: 1, DurationMS: 120000},
		}
		log := runJob(t, c, Options{}, 16*time.Minute)
		checkCalls(t, c.begun, 0, 5*time.Minute, 10*time.Minute, 15*time.Minute)
		if len(log) != 3 { // the fourth was under way when the job stopped
			t.Fatalf("log = %v, want 3 records", log)
		}
		for name, want := range map[string]any{
			"level": "INFO", "message": "run finished", "run_id": 7.0, "found": 3.0, "accepted": 2.0, "failed": 1.0,
			"retrying": 0.0, "uncertain": 0.0, "cancelled": 0.0, "duration_ms": 120000.0,
		} {
			if got := log[0][name]; got != want {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
	})
}

func TestJob_SkipsTicksDuringACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{
			result: api.RunResult{State: api.Finished},
			takes: func(call int) time.Duration {
				return []time.Duration{12 * time.Minute, 5 * time.Minute, time.Second, time.Second}[call-1]
			},
		}
		log := runJob(t, c, Options{Timeout: time.Hour}, 28*time.Minute)
		checkCalls(t, c.begun, 0, 15*time.Minute, 20*time.Minute, 25*time.Minute)
		var skipped []any
		for _, r := range log {
			if n, ok := r["ticks_skipped"]; ok {
				skipped = append(skipped, n)
			}
		}
		// 5 and 10 passed during the first call; the second ended just in time.
		if !slices.Equal(skipped, []any{2.0}) {
			t.Errorf("skipped ticks told = %v, want 2, once", skipped)
		}
	})
}

func TestJob_GoesOnWhileTheAPIIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{result: api.RunResult{State: api.Finished}, readyErr: func(call int) error {
			if call > 2 {
				return nil
			}
			return &api.Unreachable{URL: "http://127.0.0.1:5000", Err: errors.New("connection refused")}
		}}
		log := runJob(t, c, Options{Interval: time.Minute}, 150*time.Second)
		checkCalls(t, c.begun, 2*time.Minute)
		if len(log) != 3 || log[0]["level"] != "ERROR" || log[1]["level"] != "ERROR" || log[2]["level"] != "INFO" {
			t.Fatalf("log = %v, want two errors, then a run", log)
		}
		if hint, _ := log[0]["hint"].(string); !strings.Contains(hint, "pombo serve") || !strings.Contains(hint, "http://127.0.0.1:5000") {
			t.Errorf("hint = %q, want pombo serve and the address", hint)
		}
	})
}

func TestJob_NamesWhatIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{
			ready: api.Readiness{Checks: []api.CheckResult{{Name: "source", Detail: "no route to host"}, {Name: "ledger", OK: true}}},
			readyErr: func(int) error {
				return &api.Error{Problem: api.Problem{Detail: "not ready: source", Hint: "see DB_URL"}}
			},
		}
		log := runJob(t, c, Options{}, time.Minute)
		checkCalls(t, c.begun)
		if len(log) != 1 {
			t.Fatalf("log = %v, want one record", log)
		}
		for name, want := range map[string]any{"level": "ERROR", "not_ready": "source", "check.source": "no route to host", "error": "not ready: source", "hint": "see DB_URL"} {
			if got := log[0][name]; got != want {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
	})
}

func TestJob_Timeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{takes: func(int) time.Duration { return time.Hour }}
		log := runJob(t, c, Options{Timeout: 3 * time.Minute}, 6*time.Minute)
		checkCalls(t, c.begun, 0, 5*time.Minute)
		if want := 3*time.Minute - 5*time.Second; c.waits[0] != want {
			t.Errorf("the server was asked to wait %s, want %s", c.waits[0], want)
		}
		if len(log) != 1 || log[0]["level"] != "WARNING" || log[0]["message"] != goesOn {
			t.Errorf("log = %v, want one warning that the run goes on", log)
		}
	})
}

func TestJob_StopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{takes: func(int) time.Duration { return time.Hour }}
		log := runJob(t, c, Options{}, time.Second)
		if got := time.Since(c.start); got != time.Second {
			t.Errorf("stopped after %s, want 1s", got)
		}
		if len(log) != 0 {
			t.Errorf("log = %v, want nothing: to be stopped is not a failure", log)
		}
	})
}

func TestJob_Wait(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{
		10 * time.Minute: 595 * time.Second, 10 * time.Second: 9 * time.Second, 1500 * time.Millisecond: time.Second, 500 * time.Millisecond: 0,
	} {
		if got := New(Options{Timeout: timeout}).wait(0); got != want {
			t.Errorf("wait of a time-out of %s = %s, want %s", timeout, got, want)
		}
	}
	if got := New(Options{Timeout: time.Minute}).wait(time.Hour); got != 0 {
		t.Errorf("wait = %s, want 0 when nothing is left", got)
	}
}

func TestJob_Once(t *testing.T) {
	tests := []struct {
		name  string
		c     *fakeClient
		level string
		err   string // "" = none
	}{
		{"done", &fakeClient{result: api.RunResult{State: api.Finished}}, "INFO", ""},
		{"messages failed", &fakeClient{result: api.RunResult{State: api.Finished, Found: 2, Failed: 2}}, "INFO", ""},
		{"away", &fakeClient{readyErr: func(int) error { return errors.New("connection refused") }}, "ERROR", "connection refused"},
		{"call failed", &fakeClient{err: errors.New("the server made a mistake")}, "ERROR", "mistake"},
		{"goes on", &fakeClient{result: api.RunResult{RunID: 9, State: api.Running}}, "WARNING", "run 9 has not ended"},
		{"took too long", &fakeClient{takes: func(int) time.Duration { return time.Hour }}, "WARNING", "no answer within 10m0s"},
		{"stopped early", &fakeClient{result: api.RunResult{State: api.Finished, Error: "the source is away"}}, "ERROR", "the source is away"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				tt.c.start = time.Now()
				err := New(Options{Client: tt.c, Logger: telemetry.JobLogger(&log, slog.LevelInfo)}).Once(t.Context())
				if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error = %v, want %q", err, tt.err)
				}
				if got := records(t, &log); len(got) != 1 || got[0]["level"] != tt.level {
					t.Errorf("log = %v, want one record of level %s", got, tt.level)
				}
			})
		})
	}
}

// Who reads only the job's log learns that nothing goes.
func TestJob_LogsAlerts(t *testing.T) {
	c := &fakeClient{result: api.RunResult{RunID: 7, State: api.Finished}, ready: api.Readiness{Ready: true, Alerts: []api.Alert{
		{Name: "nothing_sent", Message: "nothing sent for 12 minutes while 3 rows wait: sending is paused", Hint: "pombo resume"},
	}}}
	var out bytes.Buffer
	if err := New(Options{Client: c, Logger: telemetry.JobLogger(&out, slog.LevelInfo)}).Once(t.Context()); err != nil {
		t.Errorf("error = %v, want none: the run was made", err)
	}
	log := records(t, &out)
	if len(log) != 2 || log[0]["level"] != "WARNING" || log[0]["detail"] != c.ready.Alerts[0].Message || log[0]["alert"] != "nothing_sent" || log[0]["hint"] != "pombo resume" {
		t.Errorf("log = %v, want a warning with the sentence, then the run", log)
	}
}
