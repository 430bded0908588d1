package blipsim

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo/test/nightly"
)

func TestFaults_OfMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults Faults
		status int // 0 = closed without an answer
		taken  int64
	}{
		{"none", Faults{}, 202, 1},
		{"cut before read", Faults{CutBeforeRead: 1}, 0, 0},
		{"cut after accept", Faults{CutAfterAccept: 1}, 0, 1},
		{"502", Faults{Error502: 1}, 502, 0},
		{"502, taken", Faults{Error502: 1, TakenAnyway: 1}, 502, 1},
		{"503", Faults{Error503: 1, TakenAnyway: 1}, 503, 0},
		{"504", Faults{Error504: 1}, 504, 0},
		{"504, taken", Faults{Error504: 1, TakenAnyway: 1}, 504, 1},
		{"throttle", Faults{Throttle: 1, TakenAnyway: 1}, 429, 0},
		{"messages spared", Faults{Error503: 1, SpareMessages: true}, 202, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := newServer(t, Options{Faults: c.faults})
			if got := status(t, s, "/messages", message("1", maria)); got != c.status {
				t.Errorf("status = %d, want %d", got, c.status)
			}
			if got := s.Counts().Messages; got != c.taken {
				t.Errorf("taken = %d, want %d", got, c.taken)
			}
			if got := status(t, s, "/commands", get("get", "/ping")); got != 200 {
				t.Errorf("command: status = %d, want 200", got)
			}
		})
	}
}

func TestFaults_OfCommands(t *testing.T) {
	const set = `{"id":"c1","method":"set","uri":"/contexts/x/y","type":"text/plain","resource":"z"}`
	for _, c := range []struct {
		name   string
		faults Faults
		status int
		stored bool
	}{
		{"cut after", Faults{CutAfterAccept: 1}, 0, true},
		{"cut before", Faults{CutBeforeRead: 1}, 0, false},
		{"504", Faults{Error504: 1}, 504, false},
		{"504, taken", Faults{Error504: 1, TakenAnyway: 1}, 504, true},
	} {
		c.faults.Commands, c.faults.Most = true, 1
		s, _ := newServer(t, Options{Faults: c.faults})
		if got := status(t, s, "/commands", set); got != c.status {
			t.Errorf("%s: status = %d, want %d", c.name, got, c.status)
		}
		if got := ask(t, s, get("get", "/contexts/x/y")).Status == "success"; got != c.stored {
			t.Errorf("%s: stored = %v, want %v", c.name, got, c.stored)
		}
	}
}

func TestFaults_EndAfterMost(t *testing.T) {
	s, _ := newServer(t, Options{Faults: Faults{Error503: 1, Most: 2}})
	var got []int
	for range 4 {
		got = append(got, status(t, s, "/messages", message("1", maria)))
	}
	if diff := cmp.Diff([]int{503, 503, 202, 202}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestFaults_RatesAreSharesAndRepeatable(t *testing.T) {
	messages := nightly.Or(5000, 1000)
	run := func(seed uint64) (list []int) {
		s, _ := newServer(t, Options{Seed: seed, Faults: Faults{Error502: 0.1, Error503: 0.2}})
		for range messages {
			list = append(list, status(t, s, "/messages", message("1", maria)))
		}
		return list
	}
	first := run(7)
	for code, want := range map[int]int{502: messages / 10, 503: messages / 5, 202: messages * 7 / 10} {
		n := 0
		for _, got := range first {
			if got == code {
				n++
			}
		}
		if off := messages * 3 / 100; n < want-off || n > want+off {
			t.Errorf("%d × %d, want about %d", n, code, want)
		}
	}
	if !slices.Equal(first, run(7)) {
		t.Error("the same seed gave other faults")
	}
	if slices.Equal(first, run(8)) {
		t.Error("another seed gave the same faults")
	}
}

func TestFaults_SlowAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			faults Faults
			status int
			want   time.Duration
		}{
			{Faults{Slow: 1}, 202, 3 * time.Second},
			{Faults{Slow: 1, SlowFor: time.Minute}, 202, time.Minute},
			{Faults{Error504: 1, Error504After: time.Minute}, 504, time.Minute},
		} {
			s := New(Options{Faults: c.faults})
			before := time.Now()
			if got := status(t, s, "/messages", message("1", maria)); got != c.status {
				t.Errorf("%+v: status = %d, want %d", c.faults, got, c.status)
			}
			if got := time.Since(before); got != c.want {
				t.Errorf("%+v: took %s, want %s", c.faults, got, c.want)
			}
			s.Close()
		}
	})
}

// TestFaults_CutARealConnection shows what a client sees.
func TestFaults_CutARealConnection(t *testing.T) {
	s, _ := newServer(t, Options{Faults: Faults{CutAfterAccept: 1}})
	server := httptest.NewServer(s)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/messages", strings.NewReader(message("1", maria)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key x")
	resp, err := client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatalf("status %d, want a closed connection", resp.StatusCode)
	}
	if !strings.Contains(err.Error(), "EOF") {
		t.Errorf("error = %v, want EOF", err)
	}
	if got := s.Deliveries()["1"]; got != 1 {
		t.Errorf("deliveries = %d, want 1", got)
	}
}

func TestDefaultScripts(t *testing.T) {
	const whole = "accepted, dispatched, received"
	for _, c := range []struct {
		suffix   string
		statuses []int // of the first and the second POST
		events   string
	}{
		{"0000", []int{202}, whole},
		{"0001", []int{202}, "accepted, dispatched, failed 131026"},
		{"0002", []int{202}, "accepted, dispatched, failed 131047"},
		{"0003", []int{202}, "accepted, dispatched, failed 131049"},
		{"0004", []int{202}, "accepted, dispatched, failed 131050"},
		{"0005", []int{202}, "accepted, dispatched, failed 131056"},
		{"0006", []int{202}, "accepted, dispatched, failed 130472"},
		{"0007", []int{202}, "accepted, dispatched, failed 86"},
		{"0008", []int{0, 202}, "accepted, accepted, dispatched, dispatched, received, received"},
		{"0009", []int{0, 202}, whole},
		{"0011", []int{502, 202}, whole},
		{"0012", []int{503, 202}, whole},
		{"0013", []int{504, 202}, "accepted, accepted, dispatched, dispatched, received, received"},
		{"0015", []int{202}, "accepted"},
		{"0016", []int{429, 202}, whole},
		{"0017", []int{400, 400}, ""},
	} {
		t.Run(c.suffix, func(t *testing.T) {
			s, clock := newServer(t, Options{Scripts: DefaultScripts(), ReadRate: -1})
			to := "55310000" + c.suffix + "@wa.gw.msging.net"
			for i, want := range c.statuses {
				if got := status(t, s, "/messages", message("1", to)); got != want {
					t.Errorf("POST %d: status = %d, want %d", i+1, got, want)
				}
			}
			clock.pass(59 * time.Second)
			if c.suffix == "0007" {
				if got := events(s, "1"); got != "accepted, dispatched" {
					t.Errorf("before a minute: events = %s", got)
				}
			}
			clock.pass(time.Second)
			if got := events(s, "1"); got != c.events {
				t.Errorf("events = %s, want %s", got, c.events)
			}
			// Another message to the number begins anew.
			if got := status(t, s, "/messages", message("2", to)); got != c.statuses[0] {
				t.Errorf("another message: status = %d, want %d", got, c.statuses[0])
			}
		})
	}
}

func TestScripts_OffUnlessAsked(t *testing.T) {
	s, clock := newServer(t, Options{ReadRate: -1})
	if got := status(t, s, "/messages", message("1", "553100000008@wa.gw.msging.net")); got != 202 {
		t.Errorf("status = %d, want 202", got)
	}
	status(t, s, "/messages", message("2", "553100000001@wa.gw.msging.net"))
	clock.pass(time.Hour)
	if got, want := events(s, "2"), "accepted, dispatched, received"; got != want {
		t.Errorf("events = %s, want %s", got, want)
	}
}

func TestScripts_HangAndAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Scripts: DefaultScripts()})
		defer s.Close()
		before := time.Now()
		if got := status(t, s, "/messages", message("1", "553100000014@wa.gw.msging.net")); got != 202 || time.Since(before) != 3*time.Second {
			t.Errorf("slow number: status %d after %s, want 202 after 3s", got, time.Since(before))
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			status(t, s, "/messages", message("2", "553100000010@wa.gw.msging.net"))
		}()
		synctest.Wait()
		if c := s.Counts(); c.Hung != 1 || c.Messages != 1 {
			t.Errorf("counts = %+v, want one hung, which was not taken", c)
		}
		s.Close()
		<-ended
	})
}

func TestScripts_LongestSuffixWins(t *testing.T) {
	s, clock := newServer(t, Options{Scripts: map[string]Behaviour{"1": {Reason: 131026}, "991": {Reason: 131050}, "": {StopAfter: Accepted}}})
	for i, to := range []string{"5531000001", "5531000991", "5531000002", "1"} {
		status(t, s, "/messages", message(messageID(i), to+"@wa.gw.msging.net"))
	}
	clock.pass(time.Hour)
	for i, want := range []string{"accepted, dispatched, failed 131026", "accepted, dispatched, failed 131050", "accepted", "accepted, dispatched, failed 131026"} {
		if got := events(s, messageID(i)); got != want {
			t.Errorf("message %d: events = %s, want %s", i, got, want)
		}
	}
}

func TestFaults_StopAfter(t *testing.T) {
	for stop, want := range map[Event]string{
		"":         "accepted, dispatched, received, consumed",
		Nothing:    "",
		Accepted:   "accepted",
		Dispatched: "accepted, dispatched",
		Received:   "accepted, dispatched, received",
	} {
		s, clock := newServer(t, Options{ReadRate: 1, Faults: Faults{StopAfter: stop}})
		status(t, s, "/messages", message("1", maria))
		clock.pass(time.Hour)
		if got := events(s, "1"); got != want {
			t.Errorf("stop after %q: events = %q, want %q", stop, got, want)
		}
	}
}
