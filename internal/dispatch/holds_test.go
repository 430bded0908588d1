package dispatch_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/test/nightly"
)

// heldRows are one row of template um, which is the configured one, and one of another.
func heldRows(names ...string) (rows []pombo.Row) {
	for _, name := range names {
		for i, template := range []string{"", "outro"} {
			r := row(name+"-"+string(rune('0'+i)), "3198888"+name+string(rune('0'+i)), "Maria")
			r.Template = template
			rows = append(rows, r)
		}
	}
	return rows
}

// An operator's hold parks the rows of one template, without a try and without delaying
// others, until it is released.
func TestHolds_ParkOneTemplate(t *testing.T) {
	nightly.WithoutRace(t)
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"), templateOf("outro", "APPROVED", "Oi {{1}}"))
		e := startEngine(t, onTable(newTable(heldRows("001")...), ledger, blip))
		if err := e.Holds.Hold(t.Context(), pombo.TemplateHold{Who: "ana", Note: "texto errado"}); err != nil {
			t.Fatal(err)
		}
		if run := runToEnd(t, e); run.Accepted != 1 || run.Retrying+run.Waiting != 1 {
			t.Fatalf("run = %+v, want one accepted and one parked", run.Tally)
		}
		hours := nightly.Or(20, 4)
		time.Sleep(time.Duration(hours) * time.Hour)
		synctest.Wait()
		n := ledger.get(t, "001-0")
		if n.State != pombo.Queued || n.Reason != pombo.TemplateHeld || n.Reason.WaitReason() != pombo.WaitTemplate || n.Tries != 0 {
			t.Errorf("%s %s after %d tries, want it queued, %s", n.State, n.Reason, n.Tries, pombo.TemplateHeld)
		}
		if got := ledger.called("ReleaseParked"); got > hours*60+10 {
			t.Errorf("parked rows were looked at %d times in %d hours", got, hours)
		}
		released, err := e.Holds.Release(t.Context(), "um")
		if err != nil || !released {
			t.Fatalf("released %v, %v", released, err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := ledger.get(t, "001-0"); n.State != pombo.Accepted {
			t.Errorf("%s %s after the release, want it accepted", n.State, n.Reason)
		}
	})
}

// A hold with an end is over by itself, also for what was parked before a restart.
func TestHolds_EndByThemselves(t *testing.T) {
	nightly.WithoutRace(t)
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"))
		ledger.holds["um"] = pombo.TemplateHold{Template: "um", Until: time.Now().Add(time.Hour)}
		e := startEngine(t, onTable(newTable(heldRows("001")[0]), ledger, blip))
		runToEnd(t, e)
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if n := ledger.get(t, "001-0"); n.State != pombo.Queued {
			t.Fatalf("%s %s within the hold, want it queued", n.State, n.Reason)
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := ledger.get(t, "001-0"); n.State != pombo.Accepted {
			t.Errorf("%s %s after the hold, want it accepted", n.State, n.Reason)
		}
	})
}

// Another process learns of a hold and of its end within a second or two. A ledger that is
// away changes nothing about it.
func TestHolds_AreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		ledger.shared = true
		e := startEngine(t, options{Ledger: ledger, Blip: blip, Template: "um"})
		if err := ledger.HoldTemplate(t.Context(), pombo.TemplateHold{Template: "um"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		ledger.breakMethod("HeldTemplates", errors.New("away"))
		time.Sleep(time.Minute)
		if _, held := e.Holds.Held("um"); !held {
			t.Fatal("the hold of another process is not known, or forgotten while the ledger is away")
		}
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if n := ledger.get(t, n.Key.RowKey); n.Reason != pombo.TemplateHeld {
			t.Errorf("%s %s, want it to wait for its template", n.State, n.Reason)
		}
		ledger.breakMethod("HeldTemplates", nil)
		if _, err := ledger.ReleaseTemplate(t.Context(), "um"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := ledger.get(t, n.Key.RowKey); n.State != pombo.Accepted {
			t.Errorf("%s %s after the release, want it accepted", n.State, n.Reason)
		}
	})
}

// Each list of Blip's is recorded; a ledger that cannot do so stops nothing.
func TestTemplates_AreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"))
		ledger.breakMethod("SaveTemplates", errors.New("away"))
		e := startEngine(t, onTable(newTable(row("1", "31988880001", "Maria")), ledger, blip))
		if run := runToEnd(t, e); run.Accepted != 1 {
			t.Errorf("run = %+v, want one accepted", run.Tally)
		}
		ledger.breakMethod("SaveTemplates", nil)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if len(ledger.saved) != 1 || ledger.saved[0].Name != "um" {
			t.Errorf("saved %v, want template um", ledger.saved)
		}
	})
}
