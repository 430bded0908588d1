package ledger

import (
	"strconv"
	"testing"
	"time"

	"pombo"
	"pombo/test/nightly"
)

// TestClock_DatabaseAheadOrBehind: machines whose clocks are not the database's reckon
// with their own; what they say and hear fits it.
func TestClock_DatabaseAheadOrBehind(t *testing.T) {
	nightly.WithoutRace(t)
	for _, ahead := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			db := openPostgres(t, movedClock(t, ahead), time.Minute, nil)
			near := func(what string, got, want time.Time) {
				t.Helper()
				if off := got.Sub(want).Abs(); off > 5*time.Second {
					t.Errorf("%s is %s off", what, off)
				}
			}
			mustEnqueue(t, db, pombo.Row{RowKey: "1", Recipient: "31988880001"})
			n := mustClaim(t, db, "w", 1)[0]
			attempt, err := db.Queue.Begin(t.Context(), n, "x@wa.gw.msging.net")
			must(t, err)
			soon := time.Now().Add(time.Minute)
			o := pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: "w", Attempt: attempt, To: pombo.Uncertain, Reason: pombo.NoAnswer, NotBefore: soon}
			must(t, db.Queue.Finish(t.Context(), o))
			if list, err := db.Doubts.Uncertain(t.Context(), 10); err != nil || len(list) != 0 {
				t.Fatalf("%d to be asked about a minute before their time, %v; want 0", len(list), err)
			}
			o.From, o.NotBefore = pombo.Uncertain, time.Now().Add(-time.Second)
			must(t, db.Doubts.Postpone(t.Context(), o))
			list, err := db.Doubts.Uncertain(t.Context(), 10)
			if err != nil || len(list) != 1 {
				t.Fatalf("%d to be asked about once it is time, %v; want 1", len(list), err)
			}
			near("the beginning of the doubt", list[0].Updated, time.Now())

			o.To, o.NotBefore = pombo.Queued, soon
			must(t, db.Queue.Finish(t.Context(), o))
			next, err := db.Queue.NextDue(t.Context())
			must(t, err)
			near("the next one due", next, soon)

			must(t, db.Throttle.Pause(t.Context(), pombo.Pause{Until: soon, By: "blip"}))
			p, paused, err := db.Throttle.Paused(t.Context())
			if must(t, err); !paused {
				t.Error("a pause of a minute is over at once")
			}
			near("the end of the pause", p.Until, soon)
		})
	}
}

// TestClock_SlowAnswer: a process that is frozen between the database's answer and its
// own look at the clock does not take the time in which it was frozen for a difference of
// the clocks.
func TestClock_SlowAnswer(t *testing.T) {
	local := time.Date(2026, 11, 29, 5, 49, 0, 0, time.UTC)
	c := newClock(func() time.Time { return local }, false)
	const ahead = 700 * time.Millisecond
	answer := func(before, after time.Duration) {
		asked := local
		local = local.Add(before)
		said := local.Add(ahead).UnixMilli()
		local = local.Add(after)
		c.look(asked, said)
	}
	for _, test := range []struct{ before, after, off time.Duration }{
		{time.Millisecond, time.Millisecond, time.Millisecond},
		{time.Millisecond, 39 * time.Second, time.Millisecond}, // frozen after the answer
		{39 * time.Second, time.Millisecond, time.Millisecond}, // frozen before the question arrived
		{0, 0, 0},
	} {
		answer(test.before, test.after)
		if off := time.UnixMilli(c.now()).Sub(local) - ahead; off.Abs() > test.off {
			t.Errorf("%s there, %s back: the clock is %s wrong", test.before, test.after, off)
		}
	}
}

// TestClock_Believed: a clock that was set counts for the beginning of doubts as long as it
// may have been wrong, and is believed after two hours.
func TestClock_Believed(t *testing.T) {
	local := time.Date(2026, 11, 29, 5, 49, 0, 0, time.UTC)
	c := newClock(func() time.Time { return local }, false)
	waited := func(ahead time.Duration) time.Duration {
		c.look(local, local.Add(ahead).UnixMilli())
		return local.Sub(c.toLatestTime(time.UnixMilli(c.latest())))
	}
	for _, step := range []struct{ after, ahead, want time.Duration }{
		{0, 0, 0},
		{time.Minute, 40 * time.Second, -40 * time.Second},
		{time.Minute, -time.Hour, -time.Hour - 40*time.Second},
		{time.Minute, 0, -time.Hour - 40*time.Second},
		{time.Hour, 0, -time.Hour - 40*time.Second},
		{time.Hour, 0, 0},
	} {
		local = local.Add(step.after)
		if got := waited(step.ahead); got != step.want {
			t.Errorf("%s later, %s ahead: a doubt that begins now has lasted for %s, want %s", step.after, step.ahead, got, step.want)
		}
	}
}

// TestClock_DatabaseBrieflyWrong: a doubt that begins while the database's clock is wrong
// does not look older once it is right, neither to the process that noted it nor to another
// one that has not seen the wrong time.
func TestClock_DatabaseBrieflyWrong(t *testing.T) {
	nightly.WithoutRace(t)
	for _, wrong := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		t.Run(wrong.String(), func(t *testing.T) {
			address := movedClock(t, 0)
			noting := openPostgres(t, address, time.Minute, nil)
			other := openPostgres(t, address, time.Minute, nil)
			mustEnqueue(t, noting, testRows(0, 2)...)
			list := mustClaim(t, noting, "w", 2)

			moveClock(t, address, wrong)
			must(t, noting.Leases.Renew(t.Context(), "w"))
			for _, n := range list {
				attempt, err := noting.Queue.Begin(t.Context(), n, "x@wa.gw.msging.net")
				must(t, err)
				must(t, noting.Queue.Finish(t.Context(), pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: "w", Attempt: attempt, To: pombo.Uncertain,
					Reason: pombo.NoAnswer, NotBefore: time.Now().Add(-time.Hour)}))
			}
			moveClock(t, address, 0)
			must(t, noting.Leases.Renew(t.Context(), "w"))

			for name, db := range map[string]*DB{"the one that noted it": noting, "another": other} {
				doubts, err := db.Doubts.Uncertain(t.Context(), 10)
				if must(t, err); len(doubts) != len(list) {
					t.Fatalf("%s finds %d doubts, want %d", name, len(doubts), len(list))
				}
				for _, n := range doubts {
					if age := time.Since(n.Updated); age > time.Minute {
						t.Errorf("%s believes that a doubt that began just now is %s old", name, age)
					}
				}
			}
		})
	}
}

// movedClock returns the address of an empty ledger in a database whose clock is
// ahead: in its schema a function stands before the server's.
func movedClock(t *testing.T, ahead time.Duration) string {
	t.Helper()
	u := Postgres.Schema(t)
	u += "%2Cpg_catalog"
	moveClock(t, u, ahead)
	_, _, err := Migrate(t.Context(), u)
	must(t, err)
	return u
}

// moveClock sets the clock of movedClock.
func moveClock(t *testing.T, address string, ahead time.Duration) {
	t.Helper()
	db, err := postgresPool(address, 1)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE OR REPLACE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
		'SELECT pg_catalog.clock_timestamp() + make_interval(mins => `+strconv.Itoa(int(ahead.Minutes()))+`)'`)
	must(t, err)
}
