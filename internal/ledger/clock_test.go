package ledger

import (
	"strconv"
	"testing"
	"time"

	"pombo"
)

// TestDatabaseClockDiffers: machines whose clocks are not the database's reckon
// with their own; what they say and hear fits it.
func TestDatabaseClockDiffers(t *testing.T) {
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

// TestClockOffset_SlowAnswer: a process that is frozen between the database's answer and its
// own look at the clock does not take the time in which it was frozen for a difference of
// the clocks.
func TestClockOffset_SlowAnswer(t *testing.T) {
	start := time.Date(2026, 11, 29, 5, 49, 0, 0, time.UTC)
	local := start
	s := &store{byDatabase: true, opts: Options{Now: func() time.Time { return local }}}
	const ahead = 700 * time.Millisecond
	answer := func(before, after time.Duration) {
		asked := local
		local = local.Add(before)
		said := local.Add(ahead).UnixMilli()
		local = local.Add(after)
		s.setClock(asked, said)
	}
	for _, test := range []struct{ before, after, off time.Duration }{
		{time.Millisecond, time.Millisecond, time.Millisecond},
		{time.Millisecond, 39 * time.Second, time.Millisecond}, // frozen after the answer
		{39 * time.Second, time.Millisecond, time.Millisecond}, // frozen before the question arrived
		{0, 0, 0},
	} {
		answer(test.before, test.after)
		if off := time.Duration(s.clockOffset.Load())*time.Millisecond - ahead; off.Abs() > test.off {
			t.Errorf("%s there, %s back: the offset is %s wrong", test.before, test.after, off)
		}
	}
}

// movedClock returns the address of an empty ledger in a database whose clock is
// ahead: in its schema a function stands before the server's.
func movedClock(t *testing.T, ahead time.Duration) string {
	t.Helper()
	u := Postgres.Schema(t)
	db, err := postgresPool(u, 1)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
		'SELECT pg_catalog.clock_timestamp() + make_interval(mins => `+strconv.Itoa(int(ahead.Minutes()))+`)'`)
	must(t, err)
	u += "%2Cpg_catalog"
	_, _, err = Migrate(t.Context(), u)
	must(t, err)
	return u
}
