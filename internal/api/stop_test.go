package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"pombo/internal/audit"
)

// process is a server that can be stopped from outside, as a process is.
type process struct {
	w    *fixture
	http *httptest.Server

	asked chan struct{}
	trail trailOfStops
}

// trailOfStops notes whether the stop had begun when its line was written.
type trailOfStops struct {
	begun atomic.Bool
	mu    sync.Mutex
	lines []audit.Entry
	late  bool
}

func (s *trailOfStops) WriteAudit(_ context.Context, e audit.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, e)
	s.late = s.late || s.begun.Load()
	return nil
}

func newProcess(t *testing.T) *process {
	t.Helper()
	p := &process{asked: make(chan struct{}, 1)}
	p.w = newFixture(t, func(o *Options) {
		o.Stop = func() { p.trail.begun.Store(true); p.asked <- struct{}{} }
		o.Trail = &p.trail
	})
	p.http = httptest.NewServer(p.w.server)
	t.Cleanup(p.http.Close)
	return p
}

// end is the end of the process after it was asked to stop.
func (p *process) end(err error) {
	<-p.asked
	p.w.server.Stopped(err)
	p.w.server.Stopped(errors.New("a second time")) // changes nothing
	p.w.server.Release()
}

func TestStop_WaitsForTheEndOfTheProcess(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want Stop
	}{
		"in order": {nil, Stop{State: Stopped, InOrder: true}},
		"not":      {errors.New("stop ledger: " + plantedName), Stop{State: Stopped, Detail: "not everything ended in time, or without an error; the log says what"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			go p.end(test.err)
			got, err := NewClient(p.http.URL, token, nil).As("ana").Stop(t.Context(), true)
			if err != nil {
				t.Fatal(err)
			}
			if got.DurationMS < 1 {
				t.Errorf("duration_ms = %d, want at least 1", got.DurationMS)
			}
			if got.DurationMS = 0; got != test.want {
				t.Errorf("stop = %+v, want %+v", got, test.want)
			}
			raw, _ := json.Marshal(Stop{State: Stopped, InOrder: true, DurationMS: 3})
			schema := p.w.doc.Components.Schemas["Stop"].Value
			var v any
			if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&v); err != nil || schema.VisitJSON(v) != nil {
				t.Errorf("%s is not as openapi.yaml says", raw)
			}
			if lines := p.trail.lines; len(lines) != 1 || lines[0].Act != audit.Stop || lines[0].Who != "ana" || lines[0].Via != audit.ViaCLI || p.trail.late {
				t.Errorf("trail = %+v (after the stop had begun: %v), want one line of a stop by ana, before it begins", lines, p.trail.late)
			}
		})
	}
}

// A process that is killed while it stops has not stopped in order.
func TestStop_KilledMeanwhile(t *testing.T) {
	for name, cut := range map[string]func(net.Conn){
		"closed": func(c net.Conn) { _ = c.Close() },
		"reset":  func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			go func() {
				<-p.asked
				p.w.server.farewells.mu.Lock()
				defer p.w.server.farewells.mu.Unlock()
				for _, c := range p.w.server.farewells.conns {
					cut(c)
				}
			}()
			if _, err := NewClient(p.http.URL, token, nil).Stop(t.Context(), true); !errors.Is(err, errCutShort) {
				t.Errorf("error = %v, want %v", err, errCutShort)
			}
		})
	}
}

func TestStop_AtOnce(t *testing.T) {
	p := newProcess(t)
	got, err := NewClient(p.http.URL, token, nil).Stop(t.Context(), false)
	if err != nil || got != (Stop{State: Stopping}) {
		t.Errorf("stop = %+v, %v, want that it is stopping", got, err)
	}
	<-p.asked
	if lines := p.trail.lines; len(lines) != 1 || lines[0].Via != audit.ViaAPI {
		t.Errorf("trail = %+v, want one line", lines)
	}
}

// Whoever may not change anything may not stop it either.
func TestStop_NotByEverybody(t *testing.T) {
	w := newFixture(t)
	checkStatus(t, w.ask("POST", "/api/v1/stop", "", "Authorization", "Bearer wrong"), http.StatusUnauthorized)
	checkStatus(t, w.ask("POST", "/api/v1/stop", "", "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	open := newFixture(t, func(o *Options) { o.Token = "" })
	r := httptest.NewRequest("POST", "/api/v1/stop", nil)
	r.Host = "10.0.0.1:5000"
	checkStatus(t, open.send(r), http.StatusMisdirectedRequest)
	if n := w.stops.Load() + open.stops.Load(); n != 0 {
		t.Errorf("stopped %d times, want never", n)
	}
	checkStatus(t, w.ask("POST", "/api/v1/stop", ""), http.StatusAccepted)
	if n := w.stops.Load(); n != 1 {
		t.Errorf("stopped %d times, want once", n)
	}
}
