package service

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/windows/svc"
)

// manager plays the service manager's side of a handler.
type fakeManager struct {
	requests chan svc.ChangeRequest
	said     chan svc.Status
	returned chan [2]uint32 // whether the code is the service's own, and the code
	h        *handler
}

func serve(t *testing.T, body Body) *fakeManager {
	t.Helper()
	m := &fakeManager{make(chan svc.ChangeRequest), make(chan svc.Status, 100), make(chan [2]uint32, 1), &handler{body: body, ended: make(chan ended, 1)}}
	go func() {
		own, code := m.h.Execute(nil, m.requests, m.said)
		flag := uint32(0)
		if own {
			flag = 1
		}
		m.returned <- [2]uint32{flag, code}
	}()
	return m
}

func (m *fakeManager) wait(t *testing.T, want svc.State) svc.Status {
	t.Helper()
	for {
		select {
		case s := <-m.said:
			if s.State == want {
				return s
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("it has not come to state %d", want)
		}
	}
}

func TestHandler_StopsWhenAsked(t *testing.T) {
	for _, cmd := range []svc.Cmd{svc.Stop, svc.PreShutdown} {
		m := serve(t, func(ctx context.Context, running func()) (int, bool) {
			running()
			running()
			<-ctx.Done()
			return 1, false // a stop that is not in order stays one
		})
		m.wait(t, svc.StartPending)
		if s := m.wait(t, svc.Running); s.Accepts != svc.AcceptStop|svc.AcceptPreShutdown {
			t.Errorf("it accepts %d", s.Accepts)
		}
		m.requests <- svc.ChangeRequest{Cmd: svc.Interrogate}
		m.wait(t, svc.Running)
		m.requests <- svc.ChangeRequest{Cmd: cmd}
		m.wait(t, svc.StopPending)
		if got := <-m.returned; got != [2]uint32{1, 1} {
			t.Errorf("it returned %v", got)
		}
		if e := <-m.h.ended; !e.reported || e.code != 1 {
			t.Errorf("end = %+v", e)
		}
	}
}

func TestHandler_SaysThatItIsStarting(t *testing.T) {
	m := serve(t, func(ctx context.Context, _ func()) (int, bool) {
		<-time.After(aliveEvery + aliveEvery/2)
		return 78, false
	})
	first := m.wait(t, svc.StartPending)
	if second := m.wait(t, svc.StartPending); second.CheckPoint <= first.CheckPoint {
		t.Errorf("check points %d, %d", first.CheckPoint, second.CheckPoint)
	}
	if got := <-m.returned; got != [2]uint32{1, 78} {
		t.Errorf("it returned %v, want the service's own 78", got)
	}
}

// A failure leaves without a word: the manager takes it for a crash.
func TestHandler_LeavesWithoutAWord(t *testing.T) {
	m := serve(t, func(context.Context, func()) (int, bool) { return 1, false })
	if e := <-m.h.ended; e.reported || e.code != 1 {
		t.Errorf("end = %+v", e)
	}
	select {
	case got := <-m.returned:
		t.Errorf("it returned %v", got)
	case <-time.After(100 * time.Millisecond):
	}
}
