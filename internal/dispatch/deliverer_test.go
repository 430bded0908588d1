package dispatch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/delivery"
	"pombo/test/nightly"
)

// Each way a POST can end has its consequences.
func TestDeliverer_FailedPost(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // days pass in it
	for _, test := range []struct {
		name   string
		err    error
		policy delivery.Policy
		wait   time.Duration // how long the test looks on
		state  pombo.State
		reason pombo.Reason
		posts  int
	}{
		{"refused for good", refused, "", time.Hour, pombo.Failed, pombo.BadRequest, 1},
		{"known not to have reached Blip", busy, "", time.Second, pombo.Queued, pombo.BlipUnavailable, 1},
		{"that, after the first wait", busy, "", 20 * time.Second, pombo.Queued, pombo.BlipUnavailable, 2},
		{"that, after the whole schedule", busy, "", 24 * time.Hour, pombo.Failed, pombo.TriesExhausted, 11},
		{"left without an answer", cut, "", time.Second, pombo.Uncertain, pombo.NoAnswer, 1},
		{"that, no trace after the wait", cut, "", 3 * time.Minute, pombo.Uncertain, pombo.NoAnswer, 2},
		{"that, with hold", cut, delivery.AskOperator, nightly.Or(24*time.Hour, 2*time.Hour), pombo.Uncertain, pombo.AwaitingOperator, 1},
		{"that, with resend", cut, delivery.Resend, 8 * time.Second, pombo.Queued, pombo.ResentByPolicy, 1},
		{"a client without a decision", errAway, "", time.Second, pombo.Uncertain, pombo.Unexplained, 1},
		{"too fast for Blip", tooFast, "", time.Minute, pombo.Queued, pombo.RateLimited, 1},
		{"too fast for Blip, after the pause", tooFast, "", 130 * time.Second, pombo.Queued, pombo.RateLimited, 2},
		{"too fast for Blip for a day", tooFast, "", nightly.Or(24*time.Hour, 2*time.Hour) + time.Minute, pombo.Queued, pombo.RateLimited, nightly.Or(721, 61)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ledger := newFakeLedger()
				blip := &fakeBlip{onSend: func(context.Context, pombo.Message, int) error { return test.err }}
				e := startEngine(t, options{Ledger: ledger, Blip: blip, Uncertain: test.policy})
				if _, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.wait)
				synctest.Wait()
				n := ledger.get(t, "a")
				if n.State != test.state || n.Reason != test.reason {
					t.Errorf("%s %s, want %s %s", n.State, n.Reason, test.state, test.reason)
				}
				if got := blip.posts(n.MessageID); got != test.posts {
					t.Errorf("%d posts, want %d", got, test.posts)
				}
			})
		})
	}
}

func TestResolver_TraceEndsTheDoubt(t *testing.T) {
	nightly.WithoutRace(t)
	id := pombo.Key{Source: "api", RowKey: "a", Generation: 1}.MessageID()
	for _, test := range []struct {
		name   string
		trace  []pombo.State
		state  pombo.State
		reason pombo.Reason
	}{
		{"accepted", []pombo.State{pombo.Accepted}, pombo.Accepted, pombo.TraceFound},
		{"out of order", []pombo.State{pombo.Delivered, pombo.Accepted, pombo.Dispatched}, pombo.Delivered, pombo.TraceFound},
		{"failed", []pombo.State{pombo.Accepted, pombo.Failed}, pombo.Failed, pombo.NotOnWhatsApp},
		{"one attempt failed, the other arrived", []pombo.State{pombo.Failed, pombo.Delivered}, pombo.Delivered, pombo.TraceFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger := newFakeLedger()
				blip := &fakeBlip{
					onSend: func(context.Context, pombo.Message, int) error { return cut },
					onReceipts: func(asked pombo.MessageID) (receipts []pombo.Receipt, err error) {
						if asked != id {
							t.Errorf("asked for %s, want %s", asked, id)
						}
						for _, s := range test.trace {
							receipts = append(receipts, pombo.Receipt{MessageID: id, State: s, Reason: pombo.NotOnWhatsApp})
						}
						return receipts, nil
					},
				}
				e := startEngine(t, options{Ledger: ledger, Blip: blip})
				_, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria"))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				n := ledger.get(t, "a")
				if n.State != test.state || n.Reason != test.reason || blip.posts(id) != 1 {
					t.Errorf("%s %s after %d posts, want %s %s after 1", n.State, n.Reason, blip.posts(id), test.state, test.reason)
				}
			})
		})
	}
}

// A doubt is never ended by a question that got no answer.
func TestResolver_NoAnswerEndsNoDoubt(t *testing.T) {
	nightly.WithoutRace(t)
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		blip := &fakeBlip{
			onSend:     func(context.Context, pombo.Message, int) error { return cut },
			onReceipts: func(pombo.MessageID) ([]pombo.Receipt, error) { return nil, busy },
		}
		e := startEngine(t, options{Ledger: ledger, Blip: blip})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(nightly.Or(24*time.Hour, 4*time.Hour))
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Uncertain || blip.posts(n.MessageID) != 1 {
			t.Errorf("%s after %d posts, want uncertain after 1", got.State, blip.posts(n.MessageID))
		}
	})
}

func TestDeliverer_RecordsOutcomeOnceTheLedgerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		ledger.breakMethod("Finish", errAway)
		blip := &fakeBlip{}
		e := startEngine(t, options{Ledger: ledger, Blip: blip})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Sending || blip.posts(n.MessageID) != 1 {
			t.Errorf("%s after %d posts, want sending after 1", got.State, blip.posts(n.MessageID))
		}
		ledger.breakMethod("Finish", nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Accepted || blip.posts(n.MessageID) != 1 {
			t.Errorf("%s after %d posts, want accepted after 1", got.State, blip.posts(n.MessageID))
		}
	})
}

func TestDeliverer_SendsNothingBeforeBeginIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		ledger.breakMethod("Begin", errAway)
		blip := &fakeBlip{}
		e := startEngine(t, options{Ledger: ledger, Blip: blip})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "Maria"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if blip.posts(n.MessageID) != 0 {
			t.Errorf("%d posts without a durable begin, want 0", blip.posts(n.MessageID))
		}
		ledger.breakMethod("Begin", nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Accepted {
			t.Errorf("%s once the ledger is back, want accepted", got.State)
		}
	})
}

func TestDeliverer_ChecksValuesBeforeAskingBlip(t *testing.T) {
	templates := []pombo.Template{
		{Name: "two", Language: "pt_BR", Status: "APPROVED", Body: "Olá {{1}}, {{2}}. {{1}}!"},
		{Name: "paused", Language: "pt_BR", Status: "PAUSED", Body: "{{1}}"},
	}
	for _, test := range []struct {
		name, template string
		values         []string
		state          pombo.State
		reason         pombo.Reason
	}{
		{"fits", "two", []string{"Maria", "oi"}, pombo.Accepted, ""},
		{"one value too few", "two", []string{"Maria"}, pombo.Failed, pombo.ParameterCount},
		{"empty", "two", []string{"Maria", " "}, pombo.Failed, pombo.ParameterEmpty},
		{"line break", "two", []string{"Maria", "a\nb"}, pombo.Failed, pombo.ParameterFormat},
		{"tab", "two", []string{"Maria", "a\tb"}, pombo.Failed, pombo.ParameterFormat},
		{"four blanks", "two", []string{"Maria", "a    b"}, pombo.Accepted, ""},
		{"five blanks", "two", []string{"Maria", "a     b"}, pombo.Failed, pombo.ParameterFormat},
		{"too long", "two", []string{"Maria", string(make([]byte, 5000))}, pombo.Failed, pombo.ParameterTooLong},
		{"unknown template waits", "three", []string{"Maria"}, pombo.Queued, pombo.TemplateMissing},
		{"paused template waits", "paused", []string{"Maria"}, pombo.Queued, pombo.TemplatePaused},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger := newFakeLedger()
				asked := false
				blip := &fakeBlip{templates: templates, onIdentity: func() error { asked = true; return nil }}
				e := startEngine(t, options{Ledger: ledger, Blip: blip, Template: test.template, Language: "pt_BR"})
				synctest.Wait() // the templates are listed
				if _, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", test.values...)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				n := ledger.get(t, "a")
				if n.State != test.state || n.Reason != test.reason {
					t.Errorf("%s %s, want %s %s", n.State, n.Reason, test.state, test.reason)
				}
				if want := test.state == pombo.Accepted; asked != want {
					t.Errorf("identity asked = %v, want %v", asked, want)
				}
			})
		})
	}
}
