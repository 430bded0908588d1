package app_test

import (
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

// Each wait reason that a test can cause in a real process appears in GET /readyz and in the
// metrics, and none of them alone makes the process not ready.
func TestReady_WaitReasons(t *testing.T) {
	nightly.WithoutRace(t)
	never := func(*fixture, *api.Client) {}
	for _, test := range []struct {
		name      string
		simulator blipsim.Options
		env       []string
		plant     func(w *fixture, client *api.Client)
		why       pombo.WaitReason
		metrics   map[string]float64
		notReady  string
	}{
		{
			name: "an operator's pause", why: pombo.WaitPaused, metrics: map[string]float64{"pombo_paused": 1},
			plant: func(w *fixture, client *api.Client) {
				if _, err := client.Pause(w.t.Context(), time.Time{}, "a wrong text"); err != nil {
					w.t.Fatal(err)
				}
			},
		},
		{
			name: "a 429", simulator: blipsim.Options{Faults: blipsim.Faults{Throttle: 1, SpareMessages: false}}, plant: never,
			why: pombo.WaitPaused, metrics: map[string]float64{"pombo_paused": 1, "pombo_key_refused": 0},
		},
		{
			name: "a key that is refused", simulator: blipsim.Options{Key: "b3RoZXI6a2V5"}, plant: never,
			why: pombo.WaitBlip, metrics: map[string]float64{"pombo_key_refused": 1}, notReady: "blip",
		},
		{
			name: "no Blip", env: []string{"BLIP_URL=" + nobody(t)}, plant: never,
			why: pombo.WaitBlip, metrics: map[string]float64{"pombo_key_refused": 0}, notReady: "blip",
		},
		{
			name: "a paused template", plant: never, why: pombo.WaitTemplate,
			simulator: blipsim.Options{Templates: []blipsim.Template{{Name: "notificacao", Body: "{{1}} {{2}}", Status: "PAUSED"}}},
		},
		{
			name: "the bot's rate", env: []string{"BLIP_MESSAGES_PER_SECOND=0.01"}, plant: never, why: pombo.WaitRate,
		},
		{
			name: "a time of their own", why: pombo.WaitScheduled, env: []string{"DB_COL_SEND_AFTER=DT"},
			plant: func(w *fixture, _ *api.Client) {
				w.exec(`ALTER TABLE NOTIFICACAO ADD DT TEXT DEFAULT '2099-01-01 00:00:00'`)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newFixture(t, 10, test.simulator, append(test.env, "WORKERS=1")...) // more rows than workers
			_, client := w.start()
			test.plant(w, client)
			if _, err := client.Send(t.Context(), api.NoWait); err != nil {
				t.Fatal(err)
			}
			var ready api.Readiness
			w.eventually(func() bool {
				ready, _ = client.Ready(t.Context())
				return ready.Backlog != nil && ready.Backlog.Waiting[test.why] > 0 && !ready.Backlog.TakenIn.IsZero()
			})
			if got := ready.NotReady(); got != test.notReady {
				t.Errorf("not ready: %q, want %q", got, test.notReady)
			}
			if last := ready.Checks[len(ready.Checks)-1]; last.Name != "sending" || !last.OK {
				t.Errorf("check = %+v, want sending, and well", last)
			}
			got := w.metrics()
			if waiting := `pombo_waiting{why="` + string(test.why) + `"}`; got[waiting] == 0 {
				t.Errorf("%s = 0, want some", waiting)
			}
			want := map[string]float64{"pombo_stuck": 0, "pombo_ledger_up": 1}
			maps.Copy(want, test.metrics)
			for name, value := range want {
				if is, ok := got[name]; !ok || is != value {
					t.Errorf("%s = %v (%v), want %v", name, is, ok, value)
				}
			}
			if got["pombo_last_intake_timestamp_seconds"] == 0 || got["pombo_ledger_free_bytes"] == 0 {
				t.Errorf("last intake %v, free bytes %v, want both", got["pombo_last_intake_timestamp_seconds"], got["pombo_ledger_free_bytes"])
			}
		})
	}
}

// While the table is away, what was taken in is sent, and /readyz says that nothing more comes
// and that results are not settled.
func TestReady_SourceAway(t *testing.T) {
	nightly.WithoutRace(t)
	w := newFixture(t, 1, blipsim.Options{})
	_, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.exec(`ALTER TABLE NOTIFICACAO RENAME TO ELSEWHERE`)
	run, err := client.Send(t.Context(), 0)
	if err != nil || run.Error == "" {
		t.Fatalf("run = %+v, error %v, want that it could not take in", run, err)
	}
	if got := w.metrics(); got["pombo_intake_failing_seconds"] <= 0 || got["pombo_intake_errors_total"] < 1 || got["pombo_last_accepted_timestamp_seconds"] == 0 {
		t.Errorf("failing %v, errors %v, last accepted %v, want all three", got["pombo_intake_failing_seconds"], got["pombo_intake_errors_total"], got["pombo_last_accepted_timestamp_seconds"])
	}
	w.exec(`ALTER TABLE ELSEWHERE RENAME TO NOTIFICACAO`)
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if got := w.metrics()["pombo_intake_failing_seconds"]; got != 0 {
		t.Errorf("failing for %v s after it came back, want 0", got)
	}
}

// A rejected row stays pending; its age is reported although it is not in the ledger.
func TestReady_RejectedRow(t *testing.T) {
	nightly.WithoutRace(t)
	w := newFixture(t, 2, blipsim.Options{}, "DB_COL_SEND_AFTER=DT")
	w.exec(`ALTER TABLE NOTIFICACAO ADD DT TEXT`)
	w.exec(`UPDATE NOTIFICACAO SET DT = 'tomorrow, early' WHERE ID = 2`)
	_, client := w.start()
	for range 2 {
		if _, err := client.Send(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	ready, err := client.Ready(t.Context())
	if err != nil || ready.Backlog.RejectedRows != 1 {
		t.Fatalf("readiness = %+v, error %v, want 1 left out", ready, err)
	}
	if len(ready.Alerts) != 1 || ready.Alerts[0].Name != "rejected_rows" || !strings.HasPrefix(ready.Alerts[0].Message, "1 row pending in the table cannot be taken in") {
		t.Errorf("alerts = %+v, want the rejected row", ready.Alerts)
	}
	if got := w.metrics(); got["pombo_rejected_rows"] != 1 || got["pombo_rejected_rows_oldest_seconds"] <= 0 {
		t.Errorf("left out %v, for %v s, want 1 and an age", got["pombo_rejected_rows"], got["pombo_rejected_rows_oldest_seconds"])
	}
}

// nobody returns an address on which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// metrics reads the registry of the app: values by name and labels.
func (w *fixture) metrics() map[string]float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}
