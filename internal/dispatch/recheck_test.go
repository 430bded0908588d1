package dispatch_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/delivery"
	"pombo/internal/dispatch"
	"pombo/test/nightly"
)

// In a bubble it is midnight of 1 January 2000 in UTC: 22:00 in São Paulo, which
// had summer time then, and 19:00 in Rio Branco.
var night = pombo.Quiet{Hours: []pombo.Hours{{From: 18 * time.Hour, To: 8 * time.Hour}}}

// passes lets time pass and everything happen that is to happen then.
func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func mustStand(t *testing.T, ledger *fakeLedger, row string, want pombo.State, why pombo.Reason) pombo.Notification {
	t.Helper()
	n := ledger.get(t, row)
	if n.State != want || n.Reason != why {
		t.Errorf("row %s is %s (%s) %s, want %s (%s)", row, n.State, n.Reason, n.Detail, want, why)
	}
	return n
}

func TestDeliverer_OptedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		var commands atomic.Int64
		blip := &fakeBlip{onIdentity: func() error { commands.Add(1); return nil }}
		ledger.optOut("+5531988880001", pombo.OptOutAll)
		ledger.optOut("5531988880002@wa.gw.msging.net", pombo.OptOutAll)
		source := newTable(row("1", "31988880001", "Maria"), row("2", "31988880002", "José"), row("3", "31988880003", "Ana"))
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})
		runToEnd(t, e)
		mustStand(t, ledger, "1", pombo.Suppressed, pombo.OptedOut)
		mustStand(t, ledger, "2", pombo.Suppressed, pombo.OptedOut)
		mustStand(t, ledger, "3", pombo.Accepted, pombo.NoReason)
		if commands.Load() != 2 || len(blip.sent) != 1 {
			t.Errorf("%d look-ups and %d posts, want 2 (not of whom the phone has opted out) and 1", commands.Load(), len(blip.sent))
		}
	})
}

// A person who opted out of marketing gets every other template. While nobody knows
// the category, the row waits.
func TestDeliverer_OptedOutOfMarketing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{templatesErr: &pombo.Error{Reason: pombo.CommandFailed}}
		ledger.optOut("+5531988880001", pombo.OptOutMarketing)
		ledger.optOut("5531988880002@wa.gw.msging.net", pombo.OptOutMarketing)
		var rows []pombo.Row
		for i, template := range []string{"oferta", "exame", "oferta"} {
			r := row(strconv.Itoa(i+1), "3198888000"+strconv.Itoa(i+1), "Maria")
			r.Template = template
			rows = append(rows, r)
		}
		exam := row("4", "31988880001", "Maria")
		exam.Template = "exame"
		e := startEngine(t, onTable(newTable(append(rows, exam)...), ledger, blip))
		if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for _, key := range []string{"1", "2", "4"} {
			mustStand(t, ledger, key, pombo.Queued, pombo.CommandFailed)
		}
		mustStand(t, ledger, "3", pombo.Accepted, pombo.NoReason) // not opted out
		blip.mu.Lock()
		blip.templatesErr = nil
		blip.mu.Unlock()
		offer, result := templateOf("oferta", "APPROVED", "Olá {{1}}"), templateOf("exame", "APPROVED", "Olá {{1}}")
		offer.Category, result.Category = "MARKETING", "UTILITY"
		blip.offer(offer, result)
		time.Sleep(5 * time.Minute)
		mustStand(t, ledger, "1", pombo.Suppressed, pombo.OptedOutOfMarketing)
		mustStand(t, ledger, "2", pombo.Accepted, pombo.NoReason)
		mustStand(t, ledger, "4", pombo.Accepted, pombo.NoReason)
	})
}

func TestDeliverer_QuietHours(t *testing.T) {
	nightly.WithoutRace(t)
	synctest.Test(t, func(t *testing.T) {
		otp := row("otp", "11988880002", "1234")
		otp.Template = "otp"
		early := row("early", "11988880004", "Ana")
		early.Expires = time.Now().Add(3 * time.Hour)
		source := newTable(row("acre", "68988880001", "Maria"), early, otp, row("paris", "+33612345678", "José"), row("sp", "11988880003", "João"))
		ledger, blip := newFakeLedger(), &fakeBlip{}
		quiet := night
		quiet.Exempt = []string{"otp"}
		registry := prometheus.NewRegistry()
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip, Quiet: quiet, Registerer: registry})
		runToEnd(t, e)
		mustStand(t, ledger, "otp", pombo.Accepted, pombo.NoReason)
		for key, end := range map[string]string{"acre": "13:00", "paris": "07:00", "sp": "10:00", "early": "10:00"} {
			n := mustStand(t, ledger, key, pombo.Queued, pombo.QuietHours)
			if got := n.NotBefore.UTC().Format("15:04"); got != end {
				t.Errorf("row %s waits until %s (%s), want %s", key, got, n.Detail, end)
			}
		}
		if n := ledger.get(t, "acre"); n.Detail != "until 2000-01-01 08:00 in America/Rio_Branco" || n.Tries != 0 {
			t.Errorf("detail %q after %d tries, want until when and where, and no try", n.Detail, n.Tries)
		}
		passes(3*time.Hour + time.Second)
		mustStand(t, ledger, "early", pombo.Expired, pombo.ExpiredRow) // at its time, not in the morning
		if got := outcomes(t, registry, pombo.Expired); got != 1 {
			t.Errorf("the metric counts %v expired, want 1", got)
		}
		passes(5 * time.Hour)
		mustStand(t, ledger, "paris", pombo.Accepted, pombo.NoReason)
		mustStand(t, ledger, "sp", pombo.Queued, pombo.QuietHours)
		passes(6 * time.Hour)
		for _, key := range []string{"acre", "sp"} {
			mustStand(t, ledger, key, pombo.Accepted, pombo.NoReason)
			want := []pombo.State{pombo.Queued, pombo.Claimed, pombo.Queued, pombo.Claimed, pombo.Sending, pombo.Accepted}
			if diff := cmp.Diff(want, ledger.moves(t, key)); diff != "" {
				t.Errorf("row %s (-want +got):\n%s", key, diff)
			}
		}
	})
}

// outcomes returns what pombo_outcomes_total says of a state.
func outcomes(t *testing.T, r *prometheus.Registry, s pombo.State) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "pombo_outcomes_total" && m.GetLabel()[0].GetValue() == string(s) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestCalendar_ZoneOfTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		e := startEngine(t, options{Ledger: ledger, Blip: &fakeBlip{}, Quiet: night, Zone: time.FixedZone("noon", 12*3600)})
		if _, _, err := e.Intake.Add(t.Context(), row("a", "+18005551234", "Maria")); err != nil {
			t.Fatal(err)
		}
		passes(time.Second)
		mustStand(t, ledger, "a", pombo.Accepted, pombo.NoReason)
	})
}

func TestDeliverer_ExpiresWhileItWaitsForThePermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		// The pass that ends late rows sees only what is queued.
		e := startEngine(t, options{Ledger: ledger, Blip: blip, MessagesPerSecond: 0.1})
		for i := range 3 {
			r := row(strconv.Itoa(i), "3198888000"+strconv.Itoa(i), "Maria")
			r.Expires = time.Now().Add(15 * time.Second)
			if _, _, err := e.Intake.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		passes(time.Minute)
		if len(blip.sent) != 2 {
			t.Errorf("%d posts, want 2: it is too late for the third", len(blip.sent))
		}
		ledger.mu.Lock()
		defer ledger.mu.Unlock()
		if got := ledger.in(pombo.Expired); got != 1 {
			t.Errorf("%d expired, want 1", got)
		}
	})
}

func later(r pombo.Row, d time.Duration) pombo.Row {
	r.SendAfter = time.Now().Add(d)
	return r
}

func TestRecheck_WithdrawnWhileItWaited(t *testing.T) {
	nightly.WithoutRace(t)
	synctest.Test(t, func(t *testing.T) {
		const rows = 100
		source := newTable()
		for i := range rows {
			key := fmt.Sprintf("%03d", i)
			source.rows = append(source.rows, later(row(key, "319888800"+key[1:], "Maria"), time.Hour))
			source.status[key] = "1"
		}
		ledger, blip := newFakeLedger(), &fakeBlip{}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})
		runNow(t, e)
		passes(30 * time.Minute)
		source.set("001", "9")
		source.remove("002")
		passes(30*time.Minute + 3*time.Second)
		n := mustStand(t, ledger, "001", pombo.Cancelled, pombo.Withdrawn)
		if n.Detail != `its status is "9", not "1"` {
			t.Errorf("detail = %q", n.Detail)
		}
		mustStand(t, ledger, "002", pombo.Cancelled, pombo.Withdrawn)
		mustStand(t, ledger, "003", pombo.Accepted, pombo.NoReason)
		if len(blip.sent) != rows-2 || source.asked > rows/20 {
			t.Errorf("%d posts, asked %d times, want %d and at most %d", len(blip.sent), source.asked, rows-2, rows/20)
		}
	})
}

func runNow(t *testing.T, e *dispatch.Engine) {
	t.Helper()
	if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestRecheck_FreshRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"), later(row("2", "31988880002", "José"), 20*time.Second))
		e := startEngine(t, options{Source: source, Ledger: newFakeLedger(), Blip: &fakeBlip{}})
		runNow(t, e)
		passes(time.Minute)
		if source.asked != 0 || source.get("1") != "2" || source.get("2") != "2" {
			t.Errorf("asked %d times, rows at %s and %s, want 0 times and 2 and 2", source.asked, source.get("1"), source.get("2"))
		}
	})
}

func TestRecheck_WithdrawnBeforeTheNextTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"), row("2", "31988880002", "José"))
		ledger := newFakeLedger()
		blip := &fakeBlip{onSend: func(_ context.Context, _ pombo.Message, nth int) error {
			if nth == 1 {
				return busy
			}
			return nil
		}}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})
		runNow(t, e)
		passes(time.Second)
		source.set("2", "9")
		passes(20 * time.Second)
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
		n := mustStand(t, ledger, "2", pombo.Cancelled, pombo.Withdrawn)
		if got := blip.posts(n.MessageID); got != 1 {
			t.Errorf("%d posts, want 1", got)
		}
		if got := source.get("2"); got != "9" {
			t.Errorf("status %s, want 9: it is the owner's", got)
		}
	})
}

// TestRecheck_RetriedRowHasTheCodeOfItsFailure: what we wrote ourselves is not taken for
// the owner's word.
func TestRecheck_RetriedRowHasTheCodeOfItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newTable(row("1", "31988880001", "Maria"))
		ledger := newFakeLedger()
		blip := &fakeBlip{onSend: func(_ context.Context, _ pombo.Message, nth int) error {
			if nth == 1 {
				return refused
			}
			return nil
		}}
		e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip})
		runNow(t, e)
		passes(time.Second)
		n := mustStand(t, ledger, "1", pombo.Failed, pombo.BadRequest)
		source.set("1", "3")
		ledger.mu.Lock()
		ledger.at(n.MessageID).Settled = "3"
		ledger.mu.Unlock()
		if err := e.Retry(t.Context(), n.MessageID); err != nil {
			t.Fatal(err)
		}
		passes(10 * time.Second) // six of them for the person
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
	})
}

// TestRecheck_SourceAway: what was put off waits until the row can be read
// again; what was taken in just now goes on, and so does what has no row.
func TestRecheck_SourceAway(t *testing.T) {
	nightly.WithoutRace(t)
	for _, hangs := range []bool{false, true} {
		t.Run(fmt.Sprintf("hangs %v", hangs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := newTable(later(row("1", "31988880001", "Maria"), time.Hour), later(row("2", "31988880002", "José"), time.Hour))
				ledger, blip := newFakeLedger(), &fakeBlip{}
				e := startEngine(t, options{Source: source, Ledger: ledger, Blip: blip, Workers: 1})
				if _, _, err := e.Intake.Add(t.Context(), later(row("a", "31988880003", "Ana"), time.Hour)); err != nil {
					t.Fatal(err)
				}
				runNow(t, e)
				passes(time.Minute)
				source.mu.Lock()
				source.hangs = hangs
				source.away = errAway
				source.mu.Unlock()
				passes(time.Hour)
				for ledger.get(t, "1").State == pombo.Claimed {
					passes(2 * time.Second) // its question is just being asked
				}
				mustStand(t, ledger, "1", pombo.Queued, pombo.SourceAway)
				mustStand(t, ledger, "a", pombo.Accepted, pombo.NoReason)
				if _, _, err := e.Intake.Add(t.Context(), row("b", "31988880004", "João")); err != nil {
					t.Fatal(err)
				}
				passes(10 * time.Second)
				mustStand(t, ledger, "b", pombo.Accepted, pombo.NoReason)
				hours := nightly.Or(10, 3)
				passes(time.Duration(hours) * time.Hour)
				if asked, moves := source.asked, len(ledger.moves(t, "1")); asked > 20*hours || moves > 30*hours {
					t.Errorf("in %d hours the source was asked %d times and the row moved %d times", hours, asked, moves)
				}
				source.set("2", "9")
				source.mu.Lock()
				source.hangs, source.away = false, nil
				source.mu.Unlock()
				passes(15 * time.Minute)
				mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
				mustStand(t, ledger, "2", pombo.Cancelled, pombo.Withdrawn)
			})
		})
	}
}

// TestRecheck_SourceHangs: what does not depend on the answer waits for it
// once, and not every few rows.
func TestRecheck_SourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rows = 40
		source := newTable()
		for i := range rows {
			key := fmt.Sprintf("%02d", i)
			source.rows = append(source.rows, row(key, "319888800"+key, "Maria"))
			source.status[key] = "1"
		}
		blip := &fakeBlip{}
		e := startEngine(t, options{Source: source, Ledger: newFakeLedger(), Blip: blip, Workers: 1})
		if err := e.Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
			t.Fatal(err)
		}
		passes(2 * time.Second)
		runNow(t, e)
		passes(2 * time.Minute)
		source.mu.Lock()
		source.hangs = true
		source.mu.Unlock()
		if err := e.Throttle.Pauser.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		passes(10 * time.Second)
		if len(blip.sent) != rows {
			t.Errorf("%d posts, want %d", len(blip.sent), rows)
		}
	})
}

// TestRecheck_AfterAPause: who pauses because the table is wrong takes
// rows back meanwhile. With the source away a row that only stood in the queue
// goes all the same.
func TestRecheck_AfterAPause(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprintf("source away %v", away), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := newTable(row("1", "31988880001", "Maria"), row("2", "31988880002", "José"))
				ledger := newFakeLedger()
				e := startEngine(t, options{Source: source, Ledger: ledger, Blip: &fakeBlip{}})
				if err := e.Throttle.Pauser.Pause(t.Context(), pombo.Pause{By: "operator"}); err != nil {
					t.Fatal(err)
				}
				passes(2 * time.Second) // the claim under way has got nothing
				runNow(t, e)
				passes(time.Hour)
				source.set("2", "9")
				if away {
					source.goAway(errAway)
				}
				if err := e.Throttle.Pauser.Resume(t.Context()); err != nil {
					t.Fatal(err)
				}
				passes(3 * time.Second)
				mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
				if away {
					mustStand(t, ledger, "2", pombo.Accepted, pombo.NoReason)
				} else {
					mustStand(t, ledger, "2", pombo.Cancelled, pombo.Withdrawn)
				}
			})
		})
	}
}

func TestPolicies_OfATemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		blip := &fakeBlip{onSend: func(context.Context, pombo.Message, int) error { return cut }}
		e := startEngine(t, options{Ledger: ledger, Blip: blip, Template: "aviso",
			UncertainTemplates: map[string]delivery.Policy{"otp": delivery.AskOperator, "aviso": delivery.Resend}})
		for i, template := range []string{"otp", "", "other"} {
			r := row(template, "3198888000"+strconv.Itoa(i), "Maria")
			r.Template = template
			if _, _, err := e.Intake.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		passes(time.Second)
		mustStand(t, ledger, "otp", pombo.Uncertain, pombo.AwaitingOperator)
		mustStand(t, ledger, "", pombo.Queued, pombo.ResentByPolicy)
		mustStand(t, ledger, "other", pombo.Uncertain, pombo.NoAnswer)
	})
	_, err := newEngine(options{Ledger: newFakeLedger(), Blip: &fakeBlip{}, Owner: "me", UncertainTemplates: map[string]delivery.Policy{"otp": "wait"}})
	if err == nil {
		t.Error("a policy that there is not was taken")
	}
}
