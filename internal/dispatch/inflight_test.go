package dispatch_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
)

// What the ledger says this process has, and nobody in it works on, does not stay
// there: it goes back, the claimed to the queue and the one being sent into doubt.
func TestDeliverer_GivesBackWhatNoWorkerKnows(t *testing.T) {
	for _, test := range []struct {
		state pombo.State
		want  []pombo.State
		posts int
	}{
		{pombo.Claimed, []pombo.State{pombo.Queued, pombo.Claimed, pombo.Queued, pombo.Claimed, pombo.Sending, pombo.Accepted}, 1},
		{pombo.Sending, []pombo.State{pombo.Queued, pombo.Claimed, pombo.Sending, pombo.Uncertain, pombo.Accepted}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ledger, blip := newFakeLedger(), &fakeBlip{}
			n := ledger.insert(pombo.Key{Source: "api", RowKey: "a", Generation: 1}, 0, parsed(row("a", "31988880001", "x")))
			n.Owner = "test"
			ledger.move(n, pombo.Claimed)
			if test.state == pombo.Sending {
				n.Attempt++
				ledger.move(n, pombo.Sending)
				blip.onReceipts = func(id pombo.MessageID) ([]pombo.Receipt, error) {
					return []pombo.Receipt{{MessageID: id, State: pombo.Accepted}}, nil
				}
			}
			startEngine(t, options{Ledger: ledger, Blip: blip, Lease: 30 * time.Second})
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if got := ledger.get(t, "a").State; got != test.state {
				t.Errorf("%s after one renewal, want %s: it could be on its way to a worker", got, test.state)
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if got := ledger.moves(t, "a"); !slices.Equal(got, test.want) || blip.posts(n.MessageID) != test.posts {
				t.Errorf("%v, %d posts; want %v, %d", got, blip.posts(n.MessageID), test.want, test.posts)
			}
		})
	}
}

// slowClaim is a ledger whose claim is committed long before it returns, as when a
// connection is lost over it.
type slowClaim struct {
	*fakeLedger
	takes time.Duration
}

func (s *slowClaim) Claim(ctx context.Context, owner string, limit int) ([]pombo.Notification, error) {
	batch, err := s.fakeLedger.Claim(ctx, owner, limit)
	if len(batch) > 0 {
		time.Sleep(s.takes)
	}
	return batch, err
}

// A claim that is under way over many renewals is not taken from itself, and nor is
// what a worker keeps for long.
func TestDeliverer_KeepsWhatIsBeingClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := &slowClaim{newFakeLedger(), 65 * time.Second}
		blip := &fakeBlip{onSend: func(context.Context, pombo.Message, int) error {
			time.Sleep(65 * time.Second)
			return nil
		}}
		e := startEngine(t, options{Ledger: ledger, Blip: blip, Lease: 30 * time.Second})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		want := []pombo.State{pombo.Queued, pombo.Claimed, pombo.Sending, pombo.Accepted}
		if got := ledger.moves(t, "a"); !slices.Equal(got, want) || blip.posts(n.MessageID) != 1 {
			t.Errorf("%v, %d posts; want %v, 1", got, blip.posts(n.MessageID), want)
		}
	})
}

// However long the ledger has been away, it is asked every other second, so that
// sending goes on soon after it is back.
func TestEngine_AsksAnAbsentLedgerOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newFakeLedger()
		startEngine(t, options{Ledger: ledger, Blip: &fakeBlip{}, Lease: 30 * time.Second})
		methods := []string{"Claim", "Renew"}
		for _, method := range methods {
			ledger.breakMethod(method, errAway)
		}
		time.Sleep(5 * time.Minute)
		before := map[string]int{}
		for _, method := range methods {
			before[method] = ledger.called(method)
		}
		time.Sleep(time.Minute)
		for _, method := range methods {
			if n := ledger.called(method) - before[method]; n < 20 {
				t.Errorf("%s is tried %d times a minute, want 20 at least", method, n)
			}
			ledger.breakMethod(method, nil)
		}
	})
}

// A ledger that has lost something may not know what a worker works on: the worker
// goes on with other things.
func TestDeliverer_GivesUpTheOutcomeOfWhatTheLedgerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := newFakeLedger(), &fakeBlip{}
		ledger.breakMethod("Finish", pombo.ErrNotFound)
		e := startEngine(t, options{Ledger: ledger, Blip: blip, Lease: 30 * time.Second})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := ledger.called("Finish"); blip.posts(n.MessageID) != 1 || got != 1 {
			t.Errorf("%d posts, %d tries to record, want one of each", blip.posts(n.MessageID), got)
		}
		ledger.breakMethod("Finish", nil)
	})
}
