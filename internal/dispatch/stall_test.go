package dispatch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/dispatch"
)

// slowBegin is a ledger whose begin takes its time, as a suspended machine does.
type slowBegin struct {
	*memory
	takes time.Duration
}

func (s *slowBegin) Begin(ctx context.Context, n pombo.Notification, identity string) (int, error) {
	attempt, err := s.memory.Begin(ctx, n, identity)
	time.Sleep(s.takes)
	return attempt, err
}

// A process that stalled between begin and the POST is thought dead: another one
// has asked Blip, which had no trace, and sends. So this one must not.
func TestWhoWasThoughtDeadSendsNothing(t *testing.T) {
	for _, test := range []struct {
		takes time.Duration
		posts int
	}{{29 * time.Second, 1}, {31 * time.Second, 0}} {
		synctest.Test(t, func(t *testing.T) {
			ledger, blip := &slowBegin{newMemory(), test.takes}, &pretend{}
			e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip, Lease: 30 * time.Second})
			ledger.breakMethod("Renew", errAway)
			n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x"))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(35 * time.Second)
			synctest.Wait()
			if got := blip.posts(n.MessageID); got != test.posts {
				t.Errorf("%d posts after a begin of %s without a renewed lease, want %d", got, test.takes, test.posts)
			}
			ledger.breakMethod("Renew", nil)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if got := ledger.get(t, "a"); got.State != pombo.Accepted || blip.posts(n.MessageID) != 1 {
				t.Errorf("%s after %d posts once the lease is renewed, want accepted after one", got.State, blip.posts(n.MessageID))
			}
		})
	}
}

// The answer to a POST ends the doubt that others have about it meanwhile.
func TestALateAnswerEndsTheDoubt(t *testing.T) {
	for _, test := range []struct {
		err  error
		want pombo.State
	}{{nil, pombo.Accepted}, {refused, pombo.Failed}, {busy, pombo.Queued}, {cut, pombo.Uncertain}} {
		synctest.Test(t, func(t *testing.T) {
			ledger := newMemory()
			blip := &pretend{onSend: func(context.Context, pombo.Message, int) error {
				ledger.mu.Lock()
				defer ledger.mu.Unlock()
				n := ledger.rows[0] // as Reclaim leaves it
				ledger.move(n, pombo.Uncertain)
				n.NotBefore = time.Now().Add(time.Hour)
				return test.err
			}}
			e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip})
			if _, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := ledger.get(t, "a").State; got != test.want {
				t.Errorf("%s after the answer %v, want %s", got, test.err, test.want)
			}
		})
	}
}

// lostBegin is a ledger that makes the first begin durable, loses the answer and
// then is away for a while.
type lostBegin struct {
	*memory
	lost bool
}

func (l *lostBegin) Begin(ctx context.Context, n pombo.Notification, identity string) (int, error) {
	attempt, err := l.memory.Begin(ctx, n, identity)
	if l.lost {
		return attempt, err
	}
	l.lost = true
	l.breakMethod("Finish", errAway)
	time.AfterFunc(20*time.Second, func() { l.breakMethod("Finish", nil) })
	return 0, errAway
}

// A begin that was durable although its answer was lost, in a ledger that then
// went away, leaves no row behind that this process has in hand for ever.
func TestABeginWhoseAnswerIsLostIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, blip := &lostBegin{memory: newMemory()}, &pretend{}
		e := engine(t, dispatch.Options{Ledger: ledger, Blip: blip, UncertainWait: 10 * time.Second})
		n, _, err := e.Intake.Add(t.Context(), row("a", "31988880001", "x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := ledger.get(t, "a"); got.State != pombo.Accepted || blip.posts(n.MessageID) != 1 {
			t.Errorf("%s after %d posts, want accepted after one", got.State, blip.posts(n.MessageID))
		}
	})
}
