package ledgertest

import (
	"math/rand/v2"
	"slices"
	"time"

	"pombo/test/nightly"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// recount counts the hour of a time.
func (f *fixture) recount(at time.Time) int {
	f.Helper()
	hour := at.Truncate(time.Hour)
	n, err := f.db.Tallies.Recount(f.Context(), hour, hour.Add(time.Hour))
	f.must(err)
	return n
}

func (f *fixture) cells(from, to time.Time) []pombo.Cell {
	f.Helper()
	list, err := f.db.Tallies.Cells(f.Context(), from, to)
	f.must(err)
	return list
}

// allCells returns every cell there is.
func (f *fixture) allCells() []pombo.Cell {
	f.Helper()
	return f.cells(time.Unix(0, 0), f.clock.Now().Add(365*day))
}

func (f *fixture) counted() pombo.Counted {
	f.Helper()
	c, err := f.db.Tallies.Counted(f.Context())
	f.must(err)
	return c
}

// tallies: an hour is counted as its notifications stand, and replaced when they move.
func tallies(f *fixture) {
	hour := f.clock.Now().Truncate(time.Hour)
	f.pass(10 * time.Minute)
	f.bring(pombo.Failed)
	f.bring(pombo.Delivered)
	row := f.newRows(1)[0]
	row.Template = `lembrete "novo"`
	f.enqueue(0, row)
	want := []pombo.Cell{
		{Hour: hour, State: pombo.Delivered, N: 1},
		{Hour: hour, State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 1},
		{Hour: hour, Template: row.Template, State: pombo.Queued, N: 1},
	}
	if n := f.recount(f.clock.Now()); n != 3 {
		f.Errorf("counted %d, want 3", n)
	}
	if diff := cmp.Diff(want, f.allCells()); diff != "" {
		f.Errorf("cells (-want +got):\n%s", diff)
	}
	// It moves in the next hour, in which another one comes.
	f.pass(time.Hour)
	f.finish(f.begin(f.claimOne(me)), pombo.Accepted, pombo.NoReason)
	f.queue(2)
	f.recount(hour)
	f.recount(hour)
	want[2].State = pombo.Accepted
	if diff := cmp.Diff(want, f.allCells()); diff != "" {
		f.Errorf("cells of the first hour (-want +got):\n%s", diff)
	}
	if n := f.recount(f.clock.Now()); n != 2 {
		f.Errorf("counted %d in the second hour, want 2", n)
	}
	second := []pombo.Cell{{Hour: hour.Add(time.Hour), State: pombo.Queued, N: 2}}
	if diff := cmp.Diff(second, f.cells(hour.Add(time.Second), hour.Add(2*time.Hour))); diff != "" {
		f.Errorf("cells from the second hour on (-want +got):\n%s", diff)
	}
	if got := f.cells(hour.Add(-time.Hour), hour); got != nil {
		f.Errorf("before the first hour there are %v", got)
	}
}

// latencies: each leg by how long it took, as far as both of its ends are known.
func latencies(f *fixture) {
	hour := f.clock.Now().Truncate(time.Hour)
	id := f.queue(1)[0]
	f.pass(3 * time.Second)
	f.send(pombo.Accepted, pombo.NoReason)
	f.pass(time.Minute)
	f.receipt(id, pombo.Delivered)
	f.pass(time.Hour)
	f.receipt(id, pombo.Read)
	// Another one is read without having been delivered, as far as is known.
	skipped := f.queue(1)[0]
	f.send(pombo.Accepted, pombo.NoReason)
	f.receipt(skipped, pombo.Read)
	// Of a third one nobody knows when Blip accepted it: the trace says that it arrived.
	traced := f.queue(1)[0]
	f.send(pombo.Uncertain, pombo.NoAnswer)
	f.receipt(traced, pombo.Delivered)
	f.recount(hour)
	f.recount(hour.Add(time.Hour))
	want := []pombo.Latency{
		{Hour: hour, Leg: pombo.LegAccepted, Bucket: pombo.LatencyBucket(3 * time.Second), N: 1},
		{Hour: hour, Leg: pombo.LegDelivered, Bucket: pombo.LatencyBucket(time.Minute), N: 1},
		{Hour: hour, Leg: pombo.LegRead, Bucket: pombo.LatencyBucket(time.Hour), N: 1},
		{Hour: hour.Add(time.Hour), Leg: pombo.LegAccepted, Bucket: 0, N: 2},
	}
	got, err := f.db.Tallies.Latencies(f.Context(), hour, hour.Add(2*time.Hour))
	f.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("latencies (-want +got):\n%s", diff)
	}
}

// talliesByDay: the hours of a day are summed as the caller says which they are.
func talliesByDay(f *fixture) {
	zone := time.FixedZone("", -3*60*60)
	date := time.Date(2026, 11, 23, 0, 0, 0, 0, zone)
	tomorrow := date.AddDate(0, 0, 1)
	f.pass(tomorrow.Sub(f.clock.Now()) - time.Hour - time.Minute)
	f.bring(pombo.Delivered)
	f.bring(pombo.Failed)
	f.pass(time.Hour) // a minute to midnight
	f.bring(pombo.Delivered)
	f.pass(time.Minute)
	f.bring(pombo.Read)
	t := f.db.Tallies
	_, err := t.Recount(f.Context(), time.Time{}, f.clock.Now().Add(time.Hour))
	f.must(err)
	for range 2 {
		f.must(t.Fold(f.Context(), date, date, tomorrow))
	}
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	want := []pombo.Cell{
		{Hour: day, State: pombo.Delivered, N: 2},
		{Hour: day, State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 1},
	}
	got, err := t.DayCells(f.Context(), date, tomorrow)
	f.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("the day (-want +got):\n%s", diff)
	}
	wantTimes := []pombo.Latency{{Hour: day, Leg: pombo.LegAccepted, N: 2}, {Hour: day, Leg: pombo.LegDelivered, N: 2}}
	times, err := t.DayLatencies(f.Context(), date, tomorrow)
	f.must(err)
	if diff := cmp.Diff(wantTimes, times); diff != "" {
		f.Errorf("its latencies (-want +got):\n%s", diff)
	}
	if got, err := t.DayCells(f.Context(), tomorrow, tomorrow.AddDate(0, 0, 1)); len(got) != 0 || err != nil {
		f.Errorf("the next day has %v, %v before it is summed", got, err)
	}
	// Hours that change are summed anew.
	f.must(t.Fold(f.Context(), date, tomorrow, tomorrow.AddDate(0, 0, 1)))
	got, err = t.DayCells(f.Context(), date, tomorrow)
	f.must(err)
	if diff := cmp.Diff([]pombo.Cell{{Hour: day, State: pombo.Read, N: 1}}, got); diff != "" {
		f.Errorf("the day of other hours (-want +got):\n%s", diff)
	}
}

// talliesOutlive: what was counted stays when retention takes the notifications away.
func talliesOutlive(f *fixture) {
	t := f.db.Tallies
	if got := f.counted(); got != (pombo.Counted{}) {
		f.Errorf("before the first count: %+v", got)
	}
	if n, err := t.Recount(f.Context(), time.Time{}, t.Now()); n != 0 || err != nil {
		f.Errorf("counted %d of none, %v", n, err)
	}

	begun := f.clock.Now()
	hour := begun.Truncate(time.Hour)
	f.must(t.Finish(f.Context(), begun.Add(-retention))) // as every process does when it starts
	delivered, _ := f.bring(pombo.Delivered)
	f.bring(pombo.Failed)
	f.endSettling(pombo.SettleDone)
	f.must(t.NoteLate(f.Context(), begun.Add(time.Second)))
	f.must(t.NoteWhole(f.Context(), begun))
	f.must(t.NoteCounted(f.Context(), begun.Add(time.Minute)))
	f.must(t.NoteCounted(f.Context(), begun)) // by a process that is behind
	f.pass(time.Hour)
	f.receipt(delivered, pombo.Read) // which nobody has counted yet

	f.pass(retention)
	cutoff := f.clock.Now().Add(-retention)
	f.must(t.Finish(f.Context(), cutoff))
	want := []pombo.Cell{
		{Hour: hour, State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 1},
		{Hour: hour, State: pombo.Read, N: 1},
	}
	if diff := cmp.Diff(want, f.allCells()); diff != "" {
		f.Errorf("counted for the last time (-want +got):\n%s", diff)
	}
	f.pass(day)
	f.queue(1)
	f.retire()
	f.pass(2 * day)
	if done := f.retire(); done.Removed == 0 {
		f.Fatal("nothing was removed")
	}
	f.recount(hour)
	f.must(t.Finish(f.Context(), cutoff))
	f.close()
	f.open()
	if diff := cmp.Diff(want, f.allCells()); diff != "" {
		f.Errorf("after retention (-want +got):\n%s", diff)
	}
	got := f.counted()
	wantCounted := pombo.Counted{At: begun.Add(time.Minute), Late: begun.Add(time.Second), Whole: begun, Final: cutoff.Truncate(time.Hour).Add(time.Hour), Since: hour}
	if diff := cmp.Diff(wantCounted, got); diff != "" {
		f.Errorf("counted (-want +got):\n%s", diff)
	}
}

// talliesOfTheForgotten: a person who is forgotten still counts as one, of an unknown
// template.
func talliesOfTheForgotten(f *fixture) {
	row := f.newRows(1)[0]
	row.Template = "exame"
	f.enqueue(0, row)
	f.send(pombo.Accepted, pombo.NoReason)
	_, err := f.db.Retention.Forget(f.Context(), row.Phone, true)
	f.must(err)
	f.recount(f.clock.Now())
	want := []pombo.Cell{{Hour: f.clock.Now().Truncate(time.Hour), Template: pombo.UnknownTemplate, State: pombo.Accepted, N: 1}}
	if diff := cmp.Diff(want, f.allCells()); diff != "" {
		f.Errorf("cells (-want +got):\n%s", diff)
	}
}

// talliesOfMany: an hour of more than one part.
func talliesOfMany(f *fixture) {
	const many = 4500
	before := f.queue(3)
	f.pass(time.Hour)
	f.queue(many)
	f.pass(time.Hour)
	f.queue(3)
	if n := f.recount(f.clock.Now().Add(-time.Hour)); n != many {
		f.Errorf("counted %d, want %d", n, many)
	}
	want := []pombo.Cell{{Hour: f.get(before[0]).Created.Truncate(time.Hour).Add(time.Hour), State: pombo.Queued, N: many}}
	if diff := cmp.Diff(want, f.allCells()); diff != "" {
		f.Errorf("cells (-want +got):\n%s", diff)
	}
}

// talliesOfWalks: notifications walk at random while hours are counted at random and
// the ledger is closed and opened. Afterwards the cells have what the rows have.
func talliesOfWalks(f *fixture) {
	const seed = 20261129
	random := rand.New(rand.NewPCG(seed, 1))
	first := f.clock.Now().Truncate(time.Hour)
	anHour := func() time.Time {
		return first.Add(time.Duration(random.IntN(int(f.clock.Now().Sub(first)/time.Hour)+1)) * time.Hour)
	}
	var ids []pombo.MessageID
	for range nightly.Or(240, 90) {
		switch random.IntN(10) {
		case 0, 1:
			rows := f.newRows(1 + random.IntN(4))
			for i := range rows {
				rows[i].Template = []string{"", "exame", "fatura"}[random.IntN(3)]
			}
			ids = append(ids, f.enqueue(0, rows...)...)
		case 2, 3:
			for _, n := range f.claim(me, 1+random.IntN(3)) {
				o := f.begin(n)
				to := []pombo.State{pombo.Accepted, pombo.Accepted, pombo.Failed, pombo.Uncertain, pombo.Queued}[random.IntN(5)]
				reason := pombo.NoReason
				if to != pombo.Accepted {
					reason = []pombo.Reason{pombo.NoAnswer, pombo.NotOnWhatsApp, pombo.RateLimited}[random.IntN(3)]
				}
				f.finish(o, to, reason)
			}
		case 4, 5, 6:
			if len(ids) > 0 {
				s := []pombo.State{pombo.Dispatched, pombo.Delivered, pombo.Read, pombo.Failed}[random.IntN(4)]
				f.apply(pombo.Receipt{MessageID: ids[random.IntN(len(ids))], State: s, Policy: pombo.ResendBackoff, Reason: reasonOf(s)})
			}
		case 7:
			if len(ids) > 0 {
				id := ids[random.IntN(len(ids))]
				_ = f.db.Operator.Cancel(f.Context(), id) // where it may be
				_ = f.db.Operator.Retry(f.Context(), id)
			}
		case 8:
			f.recount(anHour())
			if random.IntN(4) == 0 {
				f.close()
				f.open()
			}
		case 9:
			f.pass(time.Duration(random.IntN(50)) * time.Minute)
		}
	}
	f.pass(time.Hour)
	_, err := f.db.Tallies.Recount(f.Context(), time.Time{}, f.clock.Now())
	f.must(err)
	want := map[pombo.Cell]int{}
	filter := pombo.Filter{Limit: 1000}
	for more := true; more; more = filter.Cursor != "" {
		page, err := f.db.History.List(f.Context(), filter)
		f.must(err)
		for _, n := range page.Notifications {
			want[pombo.Cell{Hour: n.Created.Truncate(time.Hour), Template: n.Template, State: n.State, Reason: n.Reason}]++
		}
		filter.Cursor = page.Next
	}
	got := map[pombo.Cell]int{}
	states := []pombo.State{}
	for _, c := range f.allCells() {
		n := c.N
		c.N = 0
		got[c] = n
		states = append(states, c.State)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("seed %d: cells (-rows +cells):\n%s", seed, diff)
	}
	slices.Sort(states)
	if n := len(slices.Compact(states)); n < 6 {
		f.Errorf("seed %d: the walks ended in %d states, want at least 6", seed, n)
	}
}

// reasonOf is the reason of a receipt.
func reasonOf(s pombo.State) pombo.Reason {
	if s == pombo.Failed {
		return pombo.Undeliverable
	}
	return pombo.NoReason
}
