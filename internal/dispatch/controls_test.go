package dispatch_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pombo/test/nightly"

	"pombo"
)

// A template that a receipt has suspended keeps its own messages back, and nobody
// else's, until its time is over.
func TestSuspensions_KeepOnlyTheirOwnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, other := row("1", "31988880001", "Maria"), row("2", "31988880002", "José")
		other.Template = "boleto"
		ledger, blip := newFakeLedger(), &fakeBlip{}
		e := startEngine(t, options{Source: newTable(mine, other), Ledger: ledger, Blip: blip, Template: "exame"})
		until := time.Now().Add(time.Hour)
		e.Suspensions.Suspend("", pombo.TemplatePaused, until)
		e.Suspensions.Suspend("exame", pombo.TemplatePaused, until.Add(-time.Minute)) // shortens nothing

		if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		queued := ledger.get(t, "1")
		if queued.State != pombo.Queued || queued.Reason != pombo.TemplatePaused || !queued.NotBefore.Equal(until) || queued.Tries != 0 {
			t.Errorf("row 1: %s %s until %v with %d tries, want queued template_paused until %v with none", queued.State, queued.Reason, queued.NotBefore, queued.Tries, until)
		}
		if n := ledger.get(t, "2"); n.State != pombo.Accepted {
			t.Errorf("row 2: %s, want accepted", n.State)
		}
		time.Sleep(time.Hour + time.Minute)
		if n := ledger.get(t, "1"); n.State != pombo.Accepted {
			t.Errorf("row 1 afterwards: %s, want accepted", n.State)
		}
	})
}

// A template that WhatsApp has disabled stays suspended until Blip lists it as
// approved. When that list is wrong, each stop lasts twice as long as the one before.
func TestSuspensions_DisabledTemplate(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // days pass in it
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{templatesErr: &pombo.Error{Reason: pombo.CommandFailed}}
		e := startEngine(t, onTable(newTable(row("1", "31988880001", "Maria")), ledger, blip))
		e.Suspensions.Suspend("um", pombo.TemplateDisabled, time.Now().Add(time.Hour))
		if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*time.Hour + 30*time.Second) // Blip lists nothing
		if n := ledger.get(t, "1"); n.State != pombo.Queued || n.Reason != pombo.TemplateDisabled {
			t.Errorf("while its status is not known: %s %s, want queued template_disabled", n.State, n.Reason)
		}
		blip.mu.Lock()
		blip.templatesErr = nil
		blip.mu.Unlock()
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"))
		time.Sleep(15 * time.Minute)
		if n := ledger.get(t, "1"); n.State != pombo.Accepted {
			t.Errorf("once it is approved: %s %s, want accepted", n.State, n.Reason)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"))
		table := newTable()
		for i := range 7 {
			key := strconv.Itoa(i)
			table.rows = append(table.rows, row(key, "3198888000"+key, "Maria"))
			table.set(key, "0")
		}
		e := startEngine(t, onTable(table, ledger, blip))
		lengths := []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour}
		for i, length := range lengths[:nightly.Or(len(lengths), 3)] {
			begin := time.Now()
			e.Suspensions.Suspend("um", pombo.TemplateDisabled, begin.Add(time.Hour))
			e.Suspensions.Suspend("um", pombo.TemplateDisabled, begin.Add(61*time.Minute)) // was on its way
			key := strconv.Itoa(i)
			table.set(key, "1")
			if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if got, want := ledger.get(t, key).NotBefore, begin.Add(length); !got.Equal(want) {
				t.Errorf("stop %d lasts until %v, want %v", i+1, got, want)
			}
			time.Sleep(length + time.Minute)
			if n := ledger.get(t, key); n.State != pombo.Accepted {
				t.Errorf("row %s after the stop: %s, want accepted", key, n.State)
			}
		}
	})
}

// What a check of an uncertain message brings goes the way of all receipts.
func TestResolver_RecordsTheReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := pombo.Receipt{State: pombo.Failed, Reason: pombo.ChannelError, Policy: pombo.ResendBackoff}
		ledger := newFakeLedger()
		blip := &fakeBlip{
			onSend: func(context.Context, pombo.Message, int) error { return cut },
			onReceipts: func(id pombo.MessageID) ([]pombo.Receipt, error) {
				r := failed
				r.MessageID = id
				return []pombo.Receipt{r}, nil
			},
		}
		handed := 0
		e := startEngine(t, options{Source: newTable(row("1", "31988880001", "Maria")), Ledger: ledger, Blip: blip,
			Record: func(_ context.Context, list []pombo.Receipt) error {
				handed++
				if handed == 1 {
					return errors.New("the disk is full")
				}
				if len(list) != 1 || list[0].Policy != pombo.ResendBackoff {
					t.Errorf("handed over %+v, want the receipt with its policy", list)
				}
				n := ledger.get(t, "1")
				return ledger.Finish(t.Context(), pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Owner: n.Owner, Attempt: n.Attempt, To: pombo.Failed, Reason: list[0].Reason})
			}})
		runToEnd(t, e)
		time.Sleep(time.Minute)
		if n := ledger.get(t, "1"); n.State != pombo.Failed || handed != 2 {
			t.Errorf("row 1: %s after %d tries to hand over, want failed after 2", n.State, handed)
		}
	})
}

// A pause of the operator's is about sending; one of Blip's about every call.
func TestRates_QuestionsDuringAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for by, want := range map[string]bool{"operator": true, "blip": false} {
			e := startEngine(t, options{Ledger: newFakeLedger(), Blip: &fakeBlip{}, CommandsPerSecond: 10})
			if err := e.Throttle.Pauser.Extend(t.Context(), pombo.Pause{By: by, Until: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := e.Throttle.Rates.AcquireQuestion(t.Context()); (err == nil) != want {
					t.Errorf("permit in a pause by %s: %v, want %t", by, err, want)
				}
			}
		}
	})
}

func TestPauser_ExtendShortensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		e := startEngine(t, options{Ledger: ledger, Blip: &fakeBlip{}})
		if err := e.Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
			t.Fatal(err)
		}
		if err := e.Throttle.Pauser.Extend(t.Context(), pombo.Pause{By: "blip", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if p, ok := e.Throttle.Pauser.Current(); !ok || p.By != "operator" {
			t.Errorf("pause = %+v, want the operator's", p)
		}
		ledger.breakMethod("Pause", errAway)
		if err := e.Throttle.Pauser.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Throttle.Pauser.Extend(t.Context(), pombo.Pause{By: "blip", Until: time.Now().Add(time.Hour)}); !errors.Is(err, errAway) {
			t.Errorf("error = %v, want that the ledger is away", err)
		}
		if ok := e.Throttle.Pauser.Paused(); !ok {
			t.Error("no pause in this process because the ledger is away")
		}
	})
}
