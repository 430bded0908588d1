package ledger

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pombo"
	"pombo/internal/phone"
	"pombo/test/nightly"
)

// TestQueue_SharedByReplicas: two processes with four workers each share a queue; nobody
// gets what another one has, and all is sent once.
func TestQueue_SharedByReplicas(t *testing.T) {
	rows := nightly.Or(2000, 500)
	address := postgresURL(t)
	replicas := []*DB{openPostgres(t, address, 0, nil), openPostgres(t, address, 0, nil)}
	mustEnqueue(t, replicas[0], testRows(0, rows)...)
	var mu sync.Mutex
	sent := map[pombo.MessageID]int{}
	var wg sync.WaitGroup
	for worker := range 8 {
		db, owner := replicas[worker%2], "replica-"+strconv.Itoa(worker%2)
		wg.Go(func() {
			for {
				list, err := db.Queue.Claim(t.Context(), owner, 10)
				if err != nil {
					t.Error(err)
				}
				if len(list) == 0 {
					return
				}
				for _, n := range list {
					attempt, err := db.Queue.Begin(t.Context(), n, "")
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					sent[n.MessageID]++
					mu.Unlock()
					if err := db.Queue.Finish(t.Context(), accepted(n, attempt)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if len(sent) != rows {
		t.Errorf("sent %d, want %d", len(sent), rows)
	}
	for id, n := range sent {
		if n != 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
}

func accepted(n pombo.Notification, attempt int) pombo.Outcome {
	return pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: n.Owner, Attempt: attempt, To: pombo.Accepted, Counted: true}
}

// TestLeases_ReclaimedWhenOver: what a process that went silent holds is taken from it
// when its lease is over, not before, and not from one that lives. If it was
// only slow, it finds out.
func TestLeases_ReclaimedWhenOver(t *testing.T) {
	nightly.WithoutRace(t)
	clock := newHandClock()
	address := postgresURL(t)
	gone := openPostgres(t, address, 0, clock.Now)
	live := openPostgres(t, address, 0, clock.Now) // and forgets nobody's lease
	mustEnqueue(t, live, testRows(0, 3)...)
	list := mustClaim(t, gone, "gone", 2)
	attempt, err := gone.Queue.Begin(t.Context(), list[1], "")
	must(t, err)
	clock.pass(20 * time.Second)
	mustClaim(t, live, "live", 1)
	reclaim := func(wantQueued, wantUncertain int) {
		t.Helper()
		queued, uncertain, err := live.Leases.Reclaim(t.Context())
		if err != nil || queued != wantQueued || uncertain != wantUncertain {
			t.Fatalf("reclaimed %d to the queue, %d uncertain, %v; want %d and %d", queued, uncertain, err, wantQueued, wantUncertain)
		}
	}
	clock.pass(10*time.Second - time.Millisecond)
	reclaim(0, 0)
	clock.pass(time.Millisecond)
	reclaim(1, 1)
	reclaim(0, 0)
	if err := gone.Queue.Finish(t.Context(), accepted(list[1], attempt)); !errors.Is(err, pombo.ErrLost) {
		t.Errorf("a late finish: %v, want ErrLost", err)
	}
	if _, err := gone.Queue.Begin(t.Context(), list[0], ""); !errors.Is(err, pombo.ErrLost) {
		t.Errorf("a late begin: %v, want ErrLost", err)
	}
}

// TestLeases_GoByTheDatabaseClock: leases go by the database's clock, whatever ours says.
func TestLeases_GoByTheDatabaseClock(t *testing.T) {
	address := postgresURL(t)
	gone := openPostgres(t, address, 300*time.Millisecond, nil)
	live := openPostgres(t, address, time.Minute, nil)
	live.opts.Now = func() time.Time { return time.Now().Add(time.Hour) } // a wrong clock
	live.time.look(live.opts.Now(), time.Now().UnixMilli())
	mustEnqueue(t, live, testRows(0, 2)...)
	mustClaim(t, gone, "gone", 1)
	mustClaim(t, live, "live", 1)
	until := time.Now().Add(30 * time.Second)
	for {
		queued, _, err := live.Leases.Reclaim(t.Context())
		must(t, err)
		if queued == 1 {
			break
		}
		if queued > 1 || time.Now().After(until) {
			t.Fatalf("reclaimed %d, want the one whose owner is gone", queued)
		}
		must(t, live.Leases.Renew(t.Context(), "live"))
	}
	if skew := live.now() - time.Now().UnixMilli(); skew < -5000 || skew > 5000 {
		t.Errorf("the ledger's time is %d ms from the database's", skew)
	}
}

// TestLeadership_TakenOverWhenSilentOrReleased: one has it, another one takes it over when the first is silent
// for its time or gives it up, and each duty is its own.
func TestLeadership_TakenOverWhenSilentOrReleased(t *testing.T) {
	nightly.WithoutRace(t)
	clock := newHandClock()
	address := postgresURL(t)
	first, second := openPostgres(t, address, 0, clock.Now), openPostgres(t, address, 0, clock.Now)
	take := func(db *DB, duty, owner string, want bool) {
		t.Helper()
		got, err := db.Leases.AcquireLeadership(t.Context(), duty, owner, 5*time.Second)
		if err != nil || got != want {
			t.Fatalf("%s takes over %s: %v, %v; want %v", owner, duty, got, err, want)
		}
	}
	take(first, "intake", "first", true)
	take(second, "intake", "second", false)
	take(second, "settle", "second", true)
	take(first, "settle", "first", false)
	clock.pass(4 * time.Second)
	take(first, "intake", "first", true)
	clock.pass(4 * time.Second)
	take(second, "intake", "second", false)
	clock.pass(time.Second) // the first has died
	take(second, "intake", "second", true)
	take(first, "intake", "first", false)
	must(t, first.Leases.ReleaseLeadership(t.Context(), "intake", "first")) // not his
	take(first, "intake", "first", false)
	must(t, second.Leases.ReleaseLeadership(t.Context(), "intake", "second"))
	take(first, "intake", "first", true)
	led := func(db *DB, duty string, want bool) {
		t.Helper()
		got, err := db.Leases.Led(t.Context(), duty)
		if err != nil || got != want {
			t.Errorf("somebody does %s: %v, %v; want %v", duty, got, err, want)
		}
	}
	led(second, "intake", true)
	led(second, "events", false)
	clock.pass(5 * time.Second)
	led(second, "intake", false)

	alone := openSQLite(t, sqliteURL(t))
	led(alone, "intake", false)
	take(alone, "intake", "first", true)
	take(alone, "intake", "second", true)
}

// TestLeadership_GrantedToOne: of many who ask at once one gets it.
func TestLeadership_GrantedToOne(t *testing.T) {
	clock := newHandClock()
	address := postgresURL(t)
	replicas := []*DB{openPostgres(t, address, 0, clock.Now), openPostgres(t, address, 0, clock.Now)}
	for round := range 20 {
		var granted atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				mine, err := replicas[i%2].Leases.AcquireLeadership(t.Context(), "settle", strconv.Itoa(i), time.Second)
				if err != nil {
					t.Error(err)
				}
				if mine {
					granted.Add(1)
				}
			})
		}
		wg.Wait()
		if got := granted.Load(); got != 1 {
			t.Fatalf("round %d: %d have it, want 1", round, got)
		}
		clock.pass(time.Second)
	}
}

// TestLeadership_TakenOverByTheDatabaseClock: by the database's clock leadership is taken over within its time
// when the process that had it is gone, and at once when it was closed in order.
func TestLeadership_TakenOverByTheDatabaseClock(t *testing.T) {
	address := postgresURL(t)
	gone, live := openPostgres(t, address, 0, nil), openPostgres(t, address, 0, nil)
	take := func(db *DB, owner string) bool {
		t.Helper()
		mine, err := db.Leases.AcquireLeadership(t.Context(), "intake", owner, time.Second)
		must(t, err)
		return mine
	}
	if start := time.Now(); !take(gone, "gone") || take(live, "live") {
		t.Fatal("a duty is not its first owner's alone")
	} else {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for !take(live, "live") {
			<-tick.C
		}
		if took := time.Since(start); took < 900*time.Millisecond || took > 20*time.Second {
			t.Errorf("taken over after %v, want a second", took)
		}
	}
	must(t, live.Leases.Renew(t.Context(), "live"))
	must(t, live.Close())
	if !take(gone, "gone") {
		t.Error("a process that was closed keeps its duty")
	}
}

// TestQuota: three processes keep the rate of one, and a restart adds nothing.
func TestQuota(t *testing.T) {
	nightly.WithoutRace(t)
	const rate = 45.0
	seconds := nightly.Or(20, 4)
	clock := newHandClock()
	address := postgresURL(t)
	var replicas []*DB
	for range 3 {
		replicas = append(replicas, openPostgres(t, address, 0, clock.Now))
	}
	start := clock.Now()
	var times []time.Time
	restarted := false
	for clock.Now().Sub(start) < time.Duration(seconds)*time.Second {
		for i, db := range replicas {
			granted, in, err := db.Throttle.Quota(t.Context(), "messages", rate, 1+3*i)
			must(t, err)
			if granted > 1+3*i {
				t.Fatalf("granted %d, want no more than %d", granted, 1+3*i)
			}
			for k := range granted {
				times = append(times, clock.Now().Add(in+time.Duration(float64(k)/rate*float64(time.Second))))
			}
		}
		clock.pass(10 * time.Millisecond)
		if !restarted && clock.Now().Sub(start) >= time.Duration(seconds)*time.Second/2 {
			restarted = true
			replicas[0] = openPostgres(t, address, 0, clock.Now)
		}
	}
	if want := rate * float64(seconds); math.Abs(float64(len(times))-want) > 0.2*rate+1 {
		t.Errorf("granted %d calls in %d s, want %v", len(times), seconds, want)
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := range times[1:] {
		if gap := times[i+1].Sub(times[i]); gap < time.Second/rate-2*time.Millisecond { // the clock has whole milliseconds
			t.Fatalf("calls %d and %d are %v apart, want %v", i, i+1, gap, time.Second/rate)
		}
	}
	// After a rest there is no burst, and another kind has its own.
	clock.pass(time.Hour)
	for name, want := range map[string]int{"messages": 10, "commands": 10} {
		if granted, in, err := replicas[1].Throttle.Quota(t.Context(), name, rate, 1000); err != nil || granted != want || in != 0 {
			t.Errorf("%s: granted %d in %v, %v; want %d at once", name, granted, in, err, want)
		}
	}
	granted, in, err := replicas[2].Throttle.Quota(t.Context(), "messages", rate, 5)
	if err != nil || granted != 0 || in <= 0 || in > time.Second/rate {
		t.Errorf("granted %d in %v, %v; want none before %v", granted, in, err, time.Second/rate)
	}
	// A slow bot has less than one call in that time.
	if granted, _, err := replicas[2].Throttle.Quota(t.Context(), "slow", 0.5, 5); err != nil || granted != 1 {
		t.Errorf("slow: granted %d, %v; want 1", granted, err)
	}
	if granted, in, err := replicas[2].Throttle.Quota(t.Context(), "slow", 0.5, 5); err != nil || granted != 0 || in != 1800*time.Millisecond {
		t.Errorf("slow: granted %d in %v, %v; want none before 1.8s", granted, in, err)
	}
}

func TestRecipient(t *testing.T) {
	nightly.WithoutRace(t)
	clock := newHandClock()
	address := newPostgresURL(t)
	first, second := openPostgres(t, address, 0, clock.Now), openPostgres(t, address, 0, clock.Now)
	maria, err := phone.FromE164("+5531988880000")
	must(t, err)
	jose, err := phone.FromE164("+5531988880001")
	must(t, err)
	ask := func(db *DB, n phone.Number, want time.Duration) {
		t.Helper()
		if got, err := db.Throttle.Recipient(t.Context(), n, 6*time.Second); err != nil || got != want {
			t.Errorf("wait = %v, %v; want %v", got, err, want)
		}
	}
	ask(first, maria, 0)
	ask(second, maria, 6*time.Second)
	ask(second, jose, 0)
	clock.pass(5 * time.Second)
	ask(second, maria, time.Second)
	clock.pass(time.Second)
	ask(second, maria, 0)
	ask(first, maria, 6*time.Second)
	clock.pass(10 * time.Minute)
	must(t, first.Leases.Renew(t.Context(), "first"))
	var left int
	must(t, first.rawGet(t.Context(), `SELECT count(*) FROM recipient`, &left))
	if left != 0 {
		t.Errorf("%d recipients are remembered for ever", left)
	}
}

// TestRuns_SharedByReplicas: however many start one there is one, and the death of the
// process that takes in for it does not keep it open.
func TestRuns_SharedByReplicas(t *testing.T) {
	clock := newHandClock()
	address := postgresURL(t)
	gone, live := openPostgres(t, address, 0, clock.Now), openPostgres(t, address, 0, clock.Now)
	var mu sync.Mutex
	ids := map[int64]int{}
	var wg sync.WaitGroup
	first, _, err := gone.Runs.StartRun(t.Context())
	must(t, err)
	for i := range 8 {
		wg.Go(func() {
			run, joined, err := []*DB{gone, live}[i%2].Runs.StartRun(t.Context())
			if err != nil || !joined {
				t.Errorf("joined %v, %v", joined, err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[run.ID]++
		})
	}
	wg.Wait()
	if len(ids) != 1 || ids[first.ID] != 8 {
		t.Fatalf("runs = %v, want one", ids)
	}
	clock.pass(29 * time.Second)
	for _, over := range []bool{false, true} {
		_, _, err = live.Leases.Reclaim(t.Context())
		must(t, err)
		run, ended, err := live.Runs.EndRun(t.Context(), first.ID)
		if err != nil || ended != over || run.Taking == over || (run.Error != "") != over {
			t.Fatalf("ended %v: %+v, %v; want %v", ended, run, err, over)
		}
		clock.pass(time.Second)
	}
	// Both at once, with nothing under way.
	clear(ids)
	for i := range 8 {
		wg.Go(func() {
			run, _, err := []*DB{gone, live}[i%2].Runs.StartRun(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[run.ID]++
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("runs = %v, want one", ids)
	}
}
