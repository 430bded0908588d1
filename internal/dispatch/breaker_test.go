package dispatch_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/dispatch"
)

// refusing is an engine on a table of 100 rows whose messages Blip refuses as long
// as told, three failures in a row being enough.
func refusing(t *testing.T, refuse func(i int) error) (*memory, *pretend, *dispatch.Engine) {
	t.Helper()
	var rows []pombo.Row
	for i := range 100 {
		rows = append(rows, row(strconv.Itoa(i), "319888800"+strconv.Itoa(10+i%90), "Maria"))
	}
	sent := 0
	ledger := newMemory()
	blip := &pretend{onSend: func(context.Context, pombo.Message, int) error { sent++; return refuse(sent) }}
	o := onTable(newTable(rows...), ledger, blip)
	o.Workers, o.FailuresBeforePause, o.MessagesPerSecond = 1, 5, 10
	return ledger, blip, engine(t, o)
}

func unknown(code int) error {
	return &pombo.Error{Reason: pombo.Unexplained, Delivery: pombo.NotSent, Code: code}
}

// A refusal that nobody knows does not burn the table.
func TestTheSameFailureInARowPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := true
		ledger, blip, e := refusing(t, func(int) error {
			if refused {
				return unknown(139999)
			}
			return nil
		})
		if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		p, paused := e.Throttle.Pauser.Current()
		if !paused || !p.Until.IsZero() || p.By != "pombo" || p.Reason != pombo.Unexplained || !strings.Contains(p.Detail, "139999") {
			t.Fatalf("pause = %+v, %v, want one by pombo, unexplained, with the code, until resumed", p, paused)
		}
		if n := len(blip.sent); n < 5 || n > 5+1 { // one more may have been on its way
			t.Errorf("%d messages were spent, want 5 and what was in flight", n)
		}
		refused = false
		if err := e.Throttle.Pauser.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := ledger.get(t, "99"); n.State != pombo.Accepted {
			t.Errorf("row 99 after the cause was mended: %s, want accepted", n.State)
		}
	})
}

// Failures of single rows among others that go pause nothing, and neither do two
// kinds of failures in turn.
func TestOtherFailuresDoNotPause(t *testing.T) {
	for name, refuse := range map[string]func(i int) error{
		"some go": func(i int) error {
			if i%4 == 0 {
				return nil
			}
			return unknown(139999)
		},
		"in turn": func(i int) error { return unknown(139990 + i%2) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, blip, e := refusing(t, refuse)
				runToEnd(t, e)
				if paused := e.Throttle.Pauser.Paused(); paused || len(blip.sent) != 100 {
					t.Errorf("paused = %v after %d messages, want none of 100", paused, len(blip.sent))
				}
			})
		})
	}
}

// WhatsApp's country restriction is the state of the account: few are enough.
func TestCountryRestrictionPausesEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, blip, e := refusing(t, func(int) error { return unknown(130497) })
		if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if paused := e.Throttle.Pauser.Paused(); !paused || len(blip.sent) > 3+1 {
			t.Errorf("paused = %v after %d messages, want a pause after 3", paused, len(blip.sent))
		}
	})
}

// What receipts tell counts too, and a delivery in between ends the count.
func TestFailedReceiptsInARowPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, e := refusing(t, func(int) error { return nil })
		failed := pombo.Failure{MessageID: "a", Reason: pombo.Unexplained, Code: 139999}
		for range 4 {
			e.Throttle.Breaker.Failed(t.Context(), failed)
		}
		e.Throttle.Breaker.Delivered(t.Context(), "b")
		for range 4 {
			e.Throttle.Breaker.Failed(t.Context(), failed)
		}
		if paused := e.Throttle.Pauser.Paused(); paused {
			t.Fatal("paused although a message was delivered in between")
		}
		e.Throttle.Breaker.Failed(t.Context(), failed)
		if paused := e.Throttle.Pauser.Paused(); !paused {
			t.Error("not paused after five in a row")
		}
	})
}
