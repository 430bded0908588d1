package dispatch_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// What reminds of a row that has an answer is not sent, and nobody is asked about it at Blip.
// While the ledger cannot say, it waits.
func TestDeliverer_ReminderOfWhatWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		ledger.answered = map[string]bool{"90": true}
		rows := []pombo.Row{row("1", "31988880001", "Maria"), row("2", "31988880002", "José"), row("3", "31988880003", "Ana")}
		rows[0].Reminds, rows[1].Reminds = "90", "91"
		e := startEngine(t, onTable(newTable(rows...), ledger, blip))
		runToEnd(t, e)
		if n := mustStand(t, ledger, "1", pombo.Cancelled, pombo.Withdrawn); n.Detail != "the message that it reminds of has been answered" {
			t.Errorf("detail = %q, want why", n.Detail)
		}
		mustStand(t, ledger, "2", pombo.Accepted, pombo.NoReason)
		mustStand(t, ledger, "3", pombo.Accepted, pombo.NoReason)
		if len(blip.sent) != 2 || len(blip.commands) != 2 {
			t.Errorf("%d messages and %d commands, want 2 of each", len(blip.sent), len(blip.commands))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		ledger.breakMethod("Answered", errors.New("the disk is full"))
		reminder := row("1", "31988880001", "Maria")
		reminder.Reminds = "90"
		e := startEngine(t, onTable(newTable(reminder), ledger, blip))
		if _, _, err := e.Runs.StartRun(t.Context()); err != nil {
			t.Fatal(err)
		}
		passes(10 * time.Second)
		if len(blip.sent) != 0 {
			t.Error("it was sent while nobody knew whether it is wanted")
		}
		ledger.breakMethod("Answered", nil)
		passes(10 * time.Second)
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
	})
}

// Buttons that answer name their message, unless the row gives them something else, their label
// ends all messages, or nobody wants that.
func TestDeliverer_Payloads(t *testing.T) {
	for _, on := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			blip := &fakeBlip{templates: []pombo.Template{{Name: "aviso", Language: "pt_BR", Status: "APPROVED", Body: "Olá {{1}}", Buttons: []pombo.Button{
				{Kind: "QUICK_REPLY", Text: "Confirmar"}, {Kind: "URL", Text: "Ver"}, {Kind: "QUICK_REPLY", Text: "Parar"}, {Kind: "QUICK_REPLY", Text: "Remarcar"},
			}}}}
			r := row("1", "31988880001", "Maria")
			r.Template, r.Params = "aviso", []pombo.Param{{Slot: pombo.Body, Value: "Maria"}, {Slot: "button3-payload", Value: "R-1"}}
			o := options{Source: newTable(r), Ledger: newFakeLedger(), Blip: blip, Language: "pt_BR"}
			if on {
				o.Payload = func(b pombo.Button) bool { return b.Text != "Parar" }
			}
			e := startEngine(t, o)
			passes(time.Second) // the templates are listed
			runToEnd(t, e)
			want := r.Params
			if on {
				want = append(want[:2:2], pombo.Param{Slot: "button0-payload", Value: pombo.ReplyPayload(blip.sent[0].MessageID, 0)})
			}
			if diff := cmp.Diff(want, blip.sent[0].Params); diff != "" {
				t.Errorf("on %v: values (-want +got):\n%s", on, diff)
			}
		})
	}
}
