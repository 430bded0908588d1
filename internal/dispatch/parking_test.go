package dispatch_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/test/nightly"
)

func templateOf(name, status, body string) pombo.Template {
	return pombo.Template{Name: name, Language: "pt_BR", Status: status, Body: body}
}

func (b *fakeBlip) offer(list ...pombo.Template) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.templates = list
}

// onTable is an engine on a table whose rows give one value for the text.
func onTable(source *fakeTable, ledger *fakeLedger, blip *fakeBlip) options {
	return options{Source: source, Ledger: ledger, Blip: blip, Template: "um", Language: "pt_BR", Slots: []pombo.Slot{pombo.Body}}
}

// The rows of a wrong template are parked. That costs nothing while it lasts, keeps no
// other rows back, and ends by itself.
func TestParking_WrongTemplate(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // days pass in it
	right := templateOf("um", "APPROVED", "Olá {{1}}")
	for _, test := range []struct {
		name   string
		wrong  []pombo.Template
		reason pombo.Reason
	}{
		{"paused", []pombo.Template{templateOf("um", "PAUSED", "Olá {{1}}")}, pombo.TemplatePaused},
		{"rejected", []pombo.Template{templateOf("um", "REJECTED", "Olá {{1}}")}, pombo.TemplateNotApproved},
		{"disabled", []pombo.Template{templateOf("um", "DISABLED", "Olá {{1}}")}, pombo.TemplateDisabled},
		{"gone", nil, pombo.TemplateMissing},
		{"of another language", []pombo.Template{{Name: "um", Language: "en_US", Status: "APPROVED", Body: "{{1}}"}}, pombo.TemplateMissing},
		{"with two values", []pombo.Template{templateOf("um", "APPROVED", "Olá {{1}}, {{2}}")}, pombo.ParameterCount},
		{"with a picture", []pombo.Template{{Name: "um", Language: "pt_BR", Status: "APPROVED", Header: "IMAGE", Body: "{{1}}"}}, pombo.TemplateMismatch},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				other := templateOf("outro", "APPROVED", "Oi {{1}}")
				var rows []pombo.Row
				for i := range 20 {
					r := row(fmt.Sprintf("%02d", i), fmt.Sprintf("319888800%02d", i), "Maria")
					if i >= 10 {
						r.Template = "outro"
					}
					rows = append(rows, r)
				}
				ledger, blip, log := newFakeLedger(), &fakeBlip{}, &bytes.Buffer{}
				blip.offer(append(test.wrong, other)...)
				o := onTable(newTable(rows...), ledger, blip)
				o.HighWater = 5 // what is parked does not count
				o.Logger = slog.New(slog.NewTextHandler(log, nil))
				e := startEngine(t, o)
				if run := runToEnd(t, e); run.Accepted != 10 || run.Retrying+run.Waiting != 10 {
					t.Errorf("run = %+v, want 10 accepted and 10 parked", run.Tally)
				}
				hours := nightly.Or(5, 2)
				time.Sleep(time.Duration(hours) * time.Hour)
				synctest.Wait()
				for i := range 10 {
					n := ledger.get(t, fmt.Sprintf("%02d", i))
					if n.State != pombo.Queued || n.Reason != test.reason || n.Tries != 0 || n.Detail == "" || adviceOf(n) == "" {
						t.Errorf("row %d: %s %s after %d tries, want it parked with %s", i, n.State, n.Reason, n.Tries, test.reason)
					}
					// Once; twice when it was parked while the first list was still being read.
					if moves := len(ledger.history[n.Seq]); moves > 5 {
						t.Errorf("row %d moved %d times in %d hours, want it taken up once", i, moves-1, hours)
					}
				}
				if got := strings.Count(log.String(), "are parked"); got != 1 {
					t.Errorf("the log says %d times that rows are parked, want once:\n%s", got, log)
				}

				blip.offer(right, other)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				for i := range 10 {
					if n := ledger.get(t, fmt.Sprintf("%02d", i)); n.State != pombo.Accepted {
						t.Errorf("row %d: %s %s two minutes after the template came right, want accepted", i, n.State, n.Reason)
					}
				}
			})
		})
	}
}

// A template that Blip refuses although its list has nothing against it: its
// rows wait, longer each time, instead of being spent one by one.
func TestParking_TemplateThatBlipRefuses(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // days pass in it
	synctest.Test(t, func(t *testing.T) {
		ledger, lists := newFakeLedger(), 0
		blip := &fakeBlip{}
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"), templateOf("outro", "APPROVED", "{{1}}"))
		var mu sync.Mutex
		wrong := true
		var times []time.Time
		blip.onSend = func(_ context.Context, m pombo.Message, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			if m.Template == "um" && wrong {
				times = append(times, time.Now())
				return &pombo.Error{Reason: pombo.TemplatePaused, Delivery: pombo.NotSent}
			}
			return nil
		}
		blip.onTemplates = func() { mu.Lock(); defer mu.Unlock(); lists++ }
		o := onTable(newTable(row("1", "31988880001", "Maria")), ledger, blip)
		e := startEngine(t, o)
		runToEnd(t, e)
		n := ledger.get(t, "1")
		if n.State != pombo.Queued || n.Reason != pombo.TemplatePaused || n.Tries != 0 {
			t.Fatalf("%s %s with %d tries, want it parked", n.State, n.Reason, n.Tries)
		}
		for i := range 50 {
			r := row(strconv.Itoa(i), fmt.Sprintf("319777700%02d", i), "x")
			if i%2 == 0 {
				r.Template = "outro"
			}
			if _, _, err := e.Intake.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		if got := ledger.count(pombo.Accepted); got != 25 || len(times) != 1 {
			t.Errorf("%d accepted and %d refused, want 25 of the other template and no second try", got, len(times))
		}
		if lists < 2 {
			t.Errorf("the templates were listed %d times, want at once again", lists)
		}
		mu.Unlock()
		time.Sleep(8 * time.Hour)
		synctest.Wait()
		mu.Lock()
		rounds := 1
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap > 4*time.Minute {
				rounds++
			}
		}
		if rounds < 6 || rounds > 14 {
			t.Errorf("%d rounds of tries in eight hours, want about one an hour", rounds)
		}
		wrong = false
		mu.Unlock()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := ledger.count(pombo.Accepted); got != 51 {
			t.Errorf("%d accepted once Blip takes the template, want 51", got)
		}
	})
}

// Somebody who corrects DB_COL_PARAMS wants the rows that waited for it to go with it.
func TestParking_OldMapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, ledger, blip := newTable(row("1", "31988880001", "Maria", "oi")), newFakeLedger(), &fakeBlip{}
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"))
		o := onTable(source, ledger, blip)
		o.Owner, o.Slots = "first", []pombo.Slot{pombo.Body, pombo.Body}
		first, err := newEngine(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		runToEnd(t, first)
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := ledger.get(t, "1"); n.Reason != pombo.ParameterCount {
			t.Fatalf("%s %s, want it parked", n.State, n.Reason)
		}

		source.mu.Lock()
		source.rows[0].Params = source.rows[0].Params[:1]
		source.mu.Unlock()
		source.goAway(errAway)
		o.Owner, o.Slots = "second", []pombo.Slot{pombo.Body}
		startEngine(t, o)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := ledger.get(t, "1"); n.State != pombo.Queued {
			t.Fatalf("%s with the source away, want it to stay parked", n.State)
		}
		source.goAway(nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		n := ledger.get(t, "1")
		if n.State != pombo.Accepted || len(blip.sent) != 1 || len(blip.sent[0].Params) != 1 {
			t.Errorf("%s %s, sent %v; want it sent with one value", n.State, n.Reason, blip.sent)
		}
	})
}

// A receipt that blames a template has the list asked for at once, however many
// of them there are.
func TestSuspensions_RefreshTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lists := 0
		blip := &fakeBlip{onTemplates: func() { lists++ }}
		e := startEngine(t, options{Ledger: newFakeLedger(), Blip: blip})
		time.Sleep(time.Minute)
		synctest.Wait()
		for range 100 {
			e.Suspensions.Suspend("", pombo.TemplatePaused, time.Now().Add(time.Hour))
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if lists != 2 {
			t.Errorf("listed %d times in ten seconds, want once more", lists)
		}
	})
}

// What expires while it is parked is not kept: it expires in time.
func TestParking_ExpiringRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		blip.offer(templateOf("um", "PAUSED", "{{1}}"))
		r := row("1", "31988880001", "Maria")
		r.Expires = time.Now().Add(time.Hour)
		e := startEngine(t, onTable(newTable(r), ledger, blip))
		runToEnd(t, e)
		if n := ledger.get(t, "1"); !n.NotBefore.Equal(r.Expires) {
			t.Errorf("parked until %v, want %v", n.NotBefore, r.Expires)
		}
	})
}

// The first row does not go before Blip was asked for its templates; a Blip that
// cannot tell keeps nobody waiting.
func TestDeliverer_WaitsForTheTemplates(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			blip := &fakeBlip{onTemplates: func() { <-release }}
			blip.templatesErr = map[bool]error{true: &pombo.Error{Reason: pombo.CommandFailed}}[fails]
			e := startEngine(t, options{Ledger: newFakeLedger(), Blip: blip})
			n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x"))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if blip.posts(n.MessageID) != 0 {
				t.Error("sent before the templates were known")
			}
			close(release)
			time.Sleep(time.Second)
			synctest.Wait()
			if blip.posts(n.MessageID) != 1 {
				t.Error("not sent once Blip had been asked")
			}
		})
	}
}

func TestCatalog_ReadyMetric(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, blip := prometheus.NewRegistry(), &fakeBlip{}
		blip.offer(templateOf("um", "PAUSED", "{{1}}"))
		o := onTable(newTable(), newFakeLedger(), blip)
		o.Registerer = registry
		startEngine(t, o)
		ready := func(want float64) {
			t.Helper()
			synctest.Wait()
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() == "pombo_template_ready" {
					if got := f.GetMetric()[0].GetGauge().GetValue(); got != want {
						t.Errorf("ready = %v, want %v", got, want)
					}
					return
				}
			}
			t.Error("there is no such metric")
		}
		ready(0)
		blip.offer(templateOf("um", "APPROVED", "{{1}}"))
		time.Sleep(11 * time.Minute)
		ready(1)
	})
}

// slowPark is a ledger that takes its time to record that a row is parked.
type slowPark struct{ *fakeLedger }

func (s slowPark) Finish(ctx context.Context, o pombo.Outcome) error {
	if o.Parked {
		time.Sleep(3 * time.Minute)
	}
	return s.fakeLedger.Finish(ctx, o)
}

// The template comes right after the row was checked and before its parking is on
// record: nobody else would free it.
func TestParking_TemplateRightBeforeTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		blip.offer(templateOf("um", "PAUSED", "{{1}}"))
		o := onTable(newTable(row("1", "31988880001", "Maria")), ledger, blip)
		o.Ledger, o.PollInterval = slowPark{ledger}, time.Second
		startEngine(t, o)
		time.Sleep(5 * time.Second)
		blip.offer(templateOf("um", "APPROVED", "{{1}}"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := ledger.get(t, "1"); n.State != pombo.Accepted {
			t.Errorf("%s %s, want accepted", n.State, n.Reason)
		}
	})
}

// adviceOf is the hint in the detail, beyond that of the reason.
func adviceOf(n pombo.Notification) string {
	_, todo := pombo.Advice(pombo.NoReason, n.Detail)
	return todo
}
