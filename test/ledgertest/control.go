package ledgertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/phone"
)

func (f *fixture) endRun(id int64) (pombo.Run, bool) {
	f.Helper()
	run, ended, err := f.db.Runs.EndRun(f.Context(), id)
	f.must(err)
	return run, ended
}

// run: one row for each way in which a row can end.
func aRun(f *fixture) {
	started := f.clock.Now()
	r, joined, err := f.db.Runs.StartRun(f.Context())
	f.must(err)
	if joined || !r.Taking || !r.Started.Equal(started) || !r.Finished.IsZero() {
		f.Fatalf("joined %v: %+v", joined, r)
	}
	f.enqueue(r.ID, f.newRows(7)...)
	f.queue(1) // of no run
	if _, ended := f.endRun(r.ID); ended {
		f.Fatal("ended while taking in")
	}
	f.must(f.db.Runs.RunTaken(f.Context(), r.ID, ""))
	f.queue(1) // after it
	if _, ended := f.endRun(r.ID); ended {
		f.Fatal("ended while all wait")
	}
	list := f.claim(me, 7)
	held := func(i int) pombo.Outcome {
		return pombo.Outcome{Seq: list[i].Seq, From: pombo.Claimed, Owner: me, Attempt: list[i].Attempt}
	}
	f.finish(f.begin(list[0]), pombo.Accepted, pombo.NoReason)
	f.finish(f.begin(list[1]), pombo.Accepted, pombo.NoReason)
	f.receipt(list[1].MessageID, pombo.Failed) // accepted all the same
	f.finish(held(2), pombo.Failed, pombo.InvalidPhone)
	f.finish(f.begin(list[3]), pombo.Queued, pombo.BlipUnavailable)
	f.finish(f.begin(list[4]), pombo.Uncertain, pombo.NoAnswer)
	f.finish(held(5), pombo.Suppressed, pombo.OptedOut)
	got, err := f.db.Runs.Run(f.Context(), r.ID)
	f.must(err)
	want := pombo.Tally{Found: 7, Waiting: 1, Accepted: 2, Failed: 1, Retrying: 1, Uncertain: 1, Cancelled: 1}
	if diff := cmp.Diff(want, got.Tally); diff != "" {
		f.Errorf("while under way (-want +got):\n%s", diff)
	}
	// Released without a try, it still waits.
	o := held(6)
	f.finish(o, pombo.Queued, pombo.PairRate)
	if _, ended := f.endRun(r.ID); ended {
		f.Fatal("ended while one waits")
	}
	n := f.claim(me, 10)
	for _, n := range n {
		if n.Seq == o.Seq {
			o = f.begin(n)
		}
	}
	if _, ended := f.endRun(r.ID); ended {
		f.Fatal("ended while one is being sent")
	}
	f.finish(o, pombo.Accepted, pombo.NoReason)
	f.pass(time.Second)
	got, ended := f.endRun(r.ID)
	want.Waiting, want.Accepted = 0, 3
	wantRun := pombo.Run{ID: r.ID, Started: started, Finished: started.Add(time.Second), Tally: want}
	if diff := cmp.Diff(wantRun, got); !ended || diff != "" {
		f.Errorf("ended %v (-want +got):\n%s", ended, diff)
	}
	// It stays as it ended.
	f.must(f.db.Operator.Retry(f.Context(), list[2].MessageID))
	for range 2 {
		got, ended = f.endRun(r.ID)
		if diff := cmp.Diff(wantRun, got); !ended || diff != "" {
			f.Errorf("ended again %v (-want +got):\n%s", ended, diff)
		}
	}
	_, _, err = f.db.Runs.EndRun(f.Context(), 4711)
	f.mustBe(err, pombo.ErrNotFound)
	f.mustBe(f.db.Runs.RunTaken(f.Context(), 4711, ""), pombo.ErrNotFound)
	_, err = f.db.Runs.Run(f.Context(), 4711)
	f.mustBe(err, pombo.ErrNotFound)
}

// correct: what an operator has corrected in the row is what goes out.
func correct(f *fixture) {
	mended := pombo.Row{Recipient: "31988887777", Template: "other", Params: []pombo.Param{{Slot: pombo.Body, Value: "mended"}}}
	number, err := phone.Parse(mended.Recipient.Reveal())
	f.must(err)
	mended.Phone = number
	id := f.queue(1)[0]
	n := f.claimOne(me)
	f.mustBe(f.db.Operator.Correct(f.Context(), id, mended), pombo.ErrMove)
	o := f.begin(n)
	f.mustBe(f.db.Operator.Correct(f.Context(), id, mended), pombo.ErrMove)
	f.finish(o, pombo.Failed, pombo.InvalidPhone)
	f.must(f.db.Operator.Correct(f.Context(), id, mended))
	f.must(f.db.Operator.Retry(f.Context(), id))
	got := f.claimOne(me)
	if got.MessageID != id || got.Phone != number || got.Template != "other" || len(got.Params) != 1 || got.Params[0].Value != "mended" {
		f.Errorf("claimed %+v, want what the row says now", got)
	}
	f.finish(f.begin(got), pombo.Accepted, pombo.NoReason)
	f.mustBe(f.db.Operator.Correct(f.Context(), id, mended), pombo.ErrMove)
	f.mustBe(f.db.Operator.Correct(f.Context(), pombo.Key{Source: "nobody"}.MessageID(), mended), pombo.ErrNotFound)
}

// runPutBack: a row that waits for its template to be approved, or for six
// seconds to pass, must not keep a run and its caller from ending.
func runPutBack(f *fixture) {
	r, _, err := f.db.Runs.StartRun(f.Context())
	f.must(err)
	f.enqueue(r.ID, f.newRows(1)...)
	f.must(f.db.Runs.RunTaken(f.Context(), r.ID, ""))
	n := f.claimOne(me)
	f.must(f.db.Queue.Finish(f.Context(), pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: me, Attempt: n.Attempt,
		To: pombo.Queued, Reason: pombo.TemplateMissing, NotBefore: f.clock.Now().Add(5 * time.Minute)}))
	got, ended := f.endRun(r.ID)
	if !ended || got.Found != 1 || got.Retrying != 1 || got.Waiting != 0 {
		f.Errorf("ended %v with %+v, want it ended with 1 retrying", ended, got.Tally)
	}
}

func runRestart(f *fixture) {
	var mu sync.Mutex
	ids := map[int64]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, joined, err := f.db.Runs.StartRun(f.Context())
			if err != nil {
				f.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[r.ID] += count(joined)
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		f.Fatalf("runs = %v, want one", ids)
	}
	r, joined, err := f.db.Runs.StartRun(f.Context())
	f.must(err)
	if !joined || ids[r.ID] != 7 {
		f.Fatalf("joined %v, by %d before; want true and 7", joined, ids[r.ID])
	}
	f.enqueue(r.ID, f.newRows(1)...)
	f.close()
	f.open()
	if _, ended := f.endRun(r.ID); ended {
		f.Fatal("ended while a row waits")
	}
	f.send(pombo.Accepted, pombo.NoReason)
	got, ended := f.endRun(r.ID)
	if !ended || got.Error == "" || got.Accepted != 1 {
		f.Errorf("ended %v: %+v, want one accepted and why it stopped early", ended, got)
	}
	next, joined, err := f.db.Runs.StartRun(f.Context())
	f.must(err)
	if joined || next.ID == r.ID {
		f.Errorf("joined %v run %d, want a new one", joined, next.ID)
	}
	f.must(f.db.Runs.RunTaken(f.Context(), next.ID, "the source is away"))
	if got, ended := f.endRun(next.ID); !ended || got.Found != 0 || got.Error != "the source is away" {
		f.Errorf("ended %v: %+v, want an empty one", ended, got)
	}
	runs, err := f.db.Runs.Runs(f.Context(), 10)
	f.must(err)
	if len(runs) != 2 || runs[0].ID != next.ID || runs[1].Accepted != 1 {
		f.Errorf("runs = %+v, want both, the newest first", runs)
	}
}

// runLater: a row with a time far ahead must not keep a run open, and with it
// every call that would join it.
func runLater(f *fixture) {
	r, _, err := f.db.Runs.StartRun(f.Context())
	f.must(err)
	rows := f.newRows(2)
	rows[0].SendAfter = f.clock.Now().Add(24 * time.Hour)
	f.enqueue(r.ID, rows...)
	f.must(f.db.Runs.RunTaken(f.Context(), r.ID, ""))
	if _, ended := f.endRun(r.ID); ended {
		f.Fatal("ended while a row waits")
	}
	f.send(pombo.Accepted, pombo.NoReason)
	got, ended := f.endRun(r.ID)
	if !ended || got.Accepted != 1 || got.Waiting != 1 {
		f.Errorf("ended %v: %+v, want one accepted, one waiting", ended, got)
	}
}

func pauses(f *fixture) {
	now := f.clock.Now()
	check := func(want pombo.Pause, paused bool) {
		f.Helper()
		got, is, err := f.db.Throttle.Paused(f.Context())
		f.must(err)
		if diff := cmp.Diff(want, got); is != paused || diff != "" {
			f.Fatalf("paused %v, want %v (-want +got):\n%s", is, paused, diff)
		}
	}
	check(pombo.Pause{}, false)
	blip := pombo.Pause{Until: now.Add(2 * time.Minute), Reason: pombo.RateLimited, Detail: "429", By: "blip"}
	f.must(f.db.Throttle.Pause(f.Context(), blip))
	check(blip, true)
	f.close()
	f.open()
	check(blip, true)
	shorter := blip
	shorter.Until = now.Add(time.Minute)
	f.must(f.db.Throttle.Pause(f.Context(), shorter))
	check(blip, true)
	f.pass(2 * time.Minute)
	check(pombo.Pause{}, false)
	f.must(f.db.Throttle.Pause(f.Context(), shorter)) // over already, and so was the other
	check(pombo.Pause{}, false)

	operator := pombo.Pause{By: "operator", Detail: "maintenance"}
	f.must(f.db.Throttle.Pause(f.Context(), operator))
	blip.Until = f.clock.Now().Add(time.Hour)
	f.must(f.db.Throttle.Pause(f.Context(), blip))
	f.pass(1000 * time.Hour)
	check(operator, true)
	f.must(f.db.Throttle.Resume(f.Context()))
	f.must(f.db.Throttle.Resume(f.Context()))
	check(pombo.Pause{}, false)
}

func lists(f *fixture) {
	const rows = 25
	r, _, err := f.db.Runs.StartRun(f.Context())
	f.must(err)
	taken := f.newRows(rows)
	var ids []pombo.MessageID
	for i := range taken {
		f.pass(time.Minute)
		if i == 10 {
			ids = append(ids, f.enqueue(r.ID, taken[i])...)
			continue
		}
		ids = append(ids, f.enqueue(0, taken[i])...)
	}
	f.must(f.db.Operator.Cancel(f.Context(), ids[3]))
	f.must(f.db.Operator.Cancel(f.Context(), ids[7]))
	claimed := f.claim(me, 1)[0]

	all := func(filter pombo.Filter) []pombo.MessageID {
		f.Helper()
		var got []pombo.MessageID
		for {
			page, err := f.db.History.List(f.Context(), filter)
			f.must(err)
			for _, n := range page.Notifications {
				got = append(got, n.MessageID)
			}
			if page.Next == "" {
				return got
			}
			filter.Cursor = page.Next
		}
	}
	backwards := func(of ...int) []pombo.MessageID {
		var want []pombo.MessageID
		for _, i := range slices.Backward(of) {
			want = append(want, ids[i])
		}
		return want
	}
	var every []int
	for i := range rows {
		every = append(every, i)
	}
	for name, test := range map[string]struct {
		filter pombo.Filter
		want   []pombo.MessageID
	}{
		"all":                    {pombo.Filter{}, backwards(every...)},
		"all, in pages":          {pombo.Filter{Limit: 7}, backwards(every...)},
		"all, in pages that fit": {pombo.Filter{Limit: 5}, backwards(every...)},
		"a state":                {pombo.Filter{State: pombo.Cancelled, Limit: 1}, backwards(3, 7)},
		"a state of hands":       {pombo.Filter{State: pombo.Claimed}, []pombo.MessageID{claimed.MessageID}},
		"a state of nobody":      {pombo.Filter{State: pombo.Failed}, nil},
		"a phone":                {pombo.Filter{Phone: taken[4].Phone.E164()}, backwards(4)},
		"another phone":          {pombo.Filter{Phone: "+5511900000000"}, nil},
		"a row":                  {pombo.Filter{Text: taken[24].RowKey}, backwards(24)},
		"a row, not its likes":   {pombo.Filter{Text: taken[1].RowKey}, backwards(1)},
		"the start of rows":      {pombo.Filter{Text: "row-"}, backwards(every...)},
		"the start, in pages":    {pombo.Filter{Text: "row-", Limit: 7}, backwards(every...)},
		"an id":                  {pombo.Filter{Text: string(ids[5])}, backwards(5)},
		"an id as Blip has it":   {pombo.Filter{Text: "fwd:" + strings.ToUpper(string(ids[5]))}, backwards(5)},
		"the start of an id":     {pombo.Filter{Text: string(ids[6][:13])}, backwards(6)},
		"neither row nor id":     {pombo.Filter{Text: "%"}, nil},
		"a run":                  {pombo.Filter{Run: r.ID}, backwards(10)},
		"no run":                 {pombo.Filter{Run: 4711}, nil},
		"since":                  {pombo.Filter{Since: f.clock.Now().Add(-2 * time.Minute)}, backwards(22, 23, 24)},
		"since the beginning":    {pombo.Filter{Since: f.clock.Now().Add(-time.Hour), Limit: 1000}, backwards(every...)},
		"since now":              {pombo.Filter{Since: f.clock.Now().Add(1)}, nil},
		"a phone and a state":    {pombo.Filter{Phone: taken[3].Phone.E164(), State: pombo.Cancelled}, backwards(3)},
		"a phone, another state": {pombo.Filter{Phone: taken[3].Phone.E164(), State: pombo.Queued}, nil},
		"a row and a phone":      {pombo.Filter{Text: taken[4].RowKey, Phone: taken[4].Phone.E164()}, backwards(4)},
		"a row, another phone":   {pombo.Filter{Text: taken[4].RowKey, Phone: taken[5].Phone.E164()}, nil},
		"a run and a state":      {pombo.Filter{Run: r.ID, State: pombo.Queued}, backwards(10)},
		"a run, another state":   {pombo.Filter{Run: r.ID, State: pombo.Delivered}, nil},
		"the start and a state":  {pombo.Filter{Text: "row-", State: pombo.Cancelled}, backwards(3, 7)},
		"several at once":        {pombo.Filter{State: pombo.Queued, Since: f.clock.Now().Add(-time.Minute), Text: "row-"}, backwards(23, 24)},
	} {
		if diff := cmp.Diff(test.want, all(test.filter)); diff != "" {
			f.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, filter := range map[string]pombo.Filter{
		"limit": {Limit: 1001}, "negative": {Limit: -1}, "cursor": {Cursor: "?"}, "state": {State: "lost"}, "phone": {Phone: "97777-0000"},
	} {
		if _, err := f.db.History.List(f.Context(), filter); err == nil || strings.Contains(err.Error(), "97777") {
			f.Errorf("a bad %s: error = %v, want one without the number", name, err)
		}
	}
	for _, wrong := range []string{"?", "0", "-1", "%25", "🙂", strings.Repeat("z", 40)} {
		if _, err := f.db.History.List(f.Context(), pombo.Filter{Cursor: wrong}); !errors.Is(err, pombo.ErrCursor) {
			f.Errorf("List with the cursor %q: %v, want pombo.ErrCursor", wrong, err)
		}
		if _, _, err := f.db.OptOuts.OptOuts(f.Context(), wrong, 3); !errors.Is(err, pombo.ErrCursor) {
			f.Errorf("OptOuts with the cursor %q: %v, want pombo.ErrCursor", wrong, err)
		}
	}
	// A page does not shift when more is taken in.
	first, err := f.db.History.List(f.Context(), pombo.Filter{Limit: 3})
	f.must(err)
	f.queue(2)
	second, err := f.db.History.List(f.Context(), pombo.Filter{Limit: 3, Cursor: first.Next})
	f.must(err)
	if first.Notifications[2].Seq-1 != second.Notifications[0].Seq {
		f.Errorf("after %d comes %d", first.Notifications[2].Seq, second.Notifications[0].Seq)
	}
	_, _, err = f.db.History.Notification(f.Context(), pombo.Key{Source: source, RowKey: "nobody", Generation: 1}.MessageID())
	f.mustBe(err, pombo.ErrNotFound)
}

func backlog(f *fixture) {
	empty, err := f.db.History.Backlog(f.Context())
	f.must(err)
	if empty.Due != 0 || !empty.Oldest.IsZero() || empty.States[pombo.Queued] != 0 || !empty.ReadySince.IsZero() || !empty.UncertainSince.IsZero() || !empty.DueSince.IsZero() {
		f.Errorf("empty backlog = %+v", empty)
	}
	for range 3 {
		f.bring(pombo.Claimed)
	}
	f.bring(pombo.Sending)
	doubt := f.clock.Now()
	f.bring(pombo.Uncertain)
	f.pass(time.Second)
	f.bring(pombo.Uncertain)
	owed := f.clock.Now()
	f.bring(pombo.Accepted)
	f.pass(time.Second)
	f.bring(pombo.Accepted)
	// Put back for a reason, until later.
	oldest := f.clock.Now()
	for _, reason := range []pombo.Reason{pombo.BlipUnreachable, pombo.PairRate, pombo.TemplatePaused, pombo.Interrupted, pombo.Interrupted} {
		f.queue(1)
		n := f.claimOne(me)
		f.must(f.db.Queue.Finish(f.Context(), pombo.Outcome{
			Seq: n.Seq, From: pombo.Claimed, To: pombo.Queued, Owner: me, Attempt: n.Attempt, Reason: reason, NotBefore: f.clock.Now().Add(time.Hour),
		}))
	}
	scheduled := f.newRows(1)
	scheduled[0].SendAfter = f.clock.Now().Add(time.Hour)
	f.enqueue(0, scheduled...)
	f.pass(time.Second)
	ready := f.clock.Now()
	f.bring(pombo.Queued)
	f.pass(time.Minute)
	f.bring(pombo.Queued)
	got, err := f.db.History.Backlog(f.Context())
	f.must(err)
	want := pombo.Backlog{
		States: map[pombo.State]int{pombo.Queued: 8, pombo.Claimed: 3, pombo.Sending: 1, pombo.Uncertain: 2},
		Due:    2, Oldest: oldest,
		Ready: 2, ReadySince: ready,
		Later:          map[pombo.WaitReason]int{pombo.WaitBlip: 1, pombo.WaitRate: 1, pombo.WaitTemplate: 1, pombo.WaitRetry: 2, pombo.WaitScheduled: 1},
		UncertainSince: doubt, UncheckedSince: doubt, DueSince: owed,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("backlog (-want +got):\n%s", diff)
	}
	f.must(f.db.Check(f.Context()))
}

// contexts: who gives up before his turn has changed nothing.
func contexts(f *fixture) {
	id := f.queue(1)[0]
	n := f.claimOne(me)
	gone, cancel := context.WithCancel(f.Context())
	cancel()
	if _, err := f.db.Queue.Begin(gone, n, ""); !errors.Is(err, context.Canceled) {
		f.Errorf("begin = %v, want that the context ended", err)
	}
	if _, err := f.db.Queue.Claim(gone, me, 1); !errors.Is(err, context.Canceled) {
		f.Errorf("claim = %v, want that the context ended", err)
	}
	if _, _, err := f.db.Intake.Enqueue(gone, source, 0, f.newRows(500)); !errors.Is(err, context.Canceled) {
		f.Errorf("enqueue = %v, want that the context ended", err)
	}
	f.stands(id, pombo.Claimed, pombo.NoReason)
	queued, err := f.db.Intake.Queued(f.Context())
	f.must(err)
	if queued != 0 {
		f.Errorf("queued = %d, want 0", queued)
	}
}

// closing: what is under way when the ledger is closed is written or refused,
// and nobody waits for ever.
func closing(f *fixture) {
	f.queue(200)
	list := f.claim(me, 200)
	begun := make([]bool, len(list))
	var wg sync.WaitGroup
	for i, n := range list {
		wg.Go(func() {
			_, err := f.db.Queue.Begin(f.Context(), n, "")
			begun[i] = err == nil
		})
	}
	f.close()
	wg.Wait()
	if _, err := f.db.Queue.Claim(f.Context(), me, 1); err == nil {
		f.Error("a closed ledger was claimed from")
	}
	f.must(f.db.Close())
	f.open()
	for i, n := range list {
		want := pombo.Claimed
		if begun[i] {
			want = pombo.Sending
		}
		if got := f.get(n.MessageID).State; got != want {
			f.Fatalf("it is %s, want %s as its worker was told", got, want)
		}
	}
}
