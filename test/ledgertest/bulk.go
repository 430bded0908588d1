package ledgertest

import (
	"time"

	"fmt"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// bulks: a set is written down, each of it is moved once and only from where it stood.
func bulks(f *fixture) {
	failed := func(accepted bool, template string) pombo.MessageID {
		rows := f.newRows(1)
		rows[0].Template = template
		id := f.enqueue(0, rows...)[0]
		o := f.begin(f.claimOne(me))
		if !accepted {
			f.finish(o, pombo.Failed, pombo.ParameterFormat)
			return id
		}
		f.finish(o, pombo.Accepted, "")
		f.receipt(id, pombo.Failed)
		return id
	}
	ids := []pombo.MessageID{failed(false, "exame"), failed(true, "exame"), failed(false, "exame"), failed(false, ""), failed(false, "exame")}
	queued := f.queue(2)
	b := f.db.Bulks
	upTo, drawn, err := b.Now(f.Context())
	f.must(err)
	f.pass(time.Millisecond)
	late := f.get(f.queue(1)[0]).Seq // after the plan
	find := func(state pombo.State, filter pombo.BulkFilter) (got []pombo.MessageID, list []pombo.Notification) {
		f.Helper()
		for after := int64(0); ; {
			page, next, err := b.Candidates(f.Context(), state, filter, after, upTo, drawn)
			f.must(err)
			for _, n := range page {
				got = append(got, n.MessageID)
			}
			list = append(list, page...)
			if after = next; next == 0 {
				return got, list
			}
		}
	}
	for name, test := range map[string]struct {
		state  pombo.State
		filter pombo.BulkFilter
		want   []pombo.MessageID
	}{
		"failed":           {pombo.Failed, pombo.BulkFilter{}, ids},
		"a template":       {pombo.Failed, pombo.BulkFilter{Template: "exame"}, []pombo.MessageID{ids[0], ids[1], ids[2], ids[4]}},
		"the usual one":    {pombo.Failed, pombo.BulkFilter{Template: usual}, ids[3:4]},
		"a reason":         {pombo.Failed, pombo.BulkFilter{Reason: pombo.ParameterFormat, Template: "exame"}, []pombo.MessageID{ids[0], ids[2], ids[4]}},
		"nothing so late":  {pombo.Failed, pombo.BulkFilter{Since: f.clock.Now().Add(1)}, nil},
		"queued":           {pombo.Queued, pombo.BulkFilter{}, queued},
		"uncertain":        {pombo.Uncertain, pombo.BulkFilter{}, nil},
		"cancelled":        {pombo.Cancelled, pombo.BulkFilter{}, nil},
		"queued, of a row": {pombo.Queued, pombo.BulkFilter{Template: "exame"}, nil},
	} {
		if got, _ := find(test.state, test.filter); cmp.Diff(test.want, got) != "" {
			f.Errorf("%s: %s", name, cmp.Diff(test.want, got))
		}
	}
	if _, _, err := b.Candidates(f.Context(), pombo.Read, pombo.BulkFilter{}, 0, upTo, drawn); err == nil {
		f.Error("what was read is a candidate")
	}

	plan := pombo.BulkPlan{Act: pombo.BulkRetry, Filter: pombo.BulkFilter{States: []pombo.State{pombo.Failed}, Reason: pombo.ParameterFormat}, UpTo: upTo, Drawn: drawn, Matched: 6, Going: 5}
	_, list := find(pombo.Failed, pombo.BulkFilter{})
	id, err := b.Draw(f.Context(), plan, "ana", "chamado 1234")
	f.must(err)
	var items []pombo.BulkItem
	for _, n := range list {
		items = append(items, pombo.BulkItem{Seq: n.Seq, State: n.State, Attempt: n.Attempt})
	}
	f.must(b.Add(f.Context(), id, items))
	f.must(b.Add(f.Context(), id, items)) // an answer was lost
	_, err = b.Next(f.Context())
	f.mustBe(err, pombo.ErrNotFound) // it is not open yet
	f.must(b.Open(f.Context(), id, 1))
	second, err := b.Draw(f.Context(), plan, "rui", "")
	f.must(err)
	f.must(b.Open(f.Context(), second, 0))
	f.close()
	f.open()
	b = f.db.Bulks
	next, err := b.Next(f.Context())
	f.must(err)
	if diff := cmp.Diff(plan, next.Plan); next.ID != id || next.Who != "ana" || next.Note != "chamado 1234" || next.State != pombo.BulkOpen || diff != "" {
		f.Fatalf("next = %+v, want bulk %d (-want +got):\n%s", next, id, diff)
	}

	apply := func(i int) error {
		return b.Apply(f.Context(), id, pombo.BulkRetry, items[i], ids[i])
	}
	f.must(apply(0))
	f.stands(ids[0], pombo.Queued, pombo.RetriedByOperator)
	f.mustBe(apply(0), pombo.ErrMove)
	f.must(apply(1)) // Blip had it: a new generation
	f.mustBe(apply(1), pombo.ErrMove)
	f.must(f.db.Operator.Retry(f.Context(), ids[2]))
	f.mustBe(apply(2), pombo.ErrMove) // an operator was quicker
	f.must(b.Skip(f.Context(), id, items[2].Seq, pombo.BulkItemChanged))
	f.must(b.Skip(f.Context(), id, items[0].Seq, pombo.BulkItemChanged)) // too late: it is done
	left, err := b.Left(f.Context(), id, 10)
	f.must(err)
	if diff := cmp.Diff(items[3:], left); diff != "" {
		f.Errorf("left (-want +got):\n%s", diff)
	}
	f.must(b.Finish(f.Context(), id)) // something is left
	check := func(want pombo.Bulk) {
		f.Helper()
		got, err := b.Bulk(f.Context(), id)
		f.must(err)
		want.ID, want.Plan, want.Who, want.Note, want.Created = id, plan, "ana", "chamado 1234", got.Created
		if diff := cmp.Diff(want, got); diff != "" {
			f.Fatalf("bulk (-want +got):\n%s", diff)
		}
	}
	check(pombo.Bulk{State: pombo.BulkOpen, Changed: 1, Done: 2, Skipped: 1, Left: 2, Outcome: map[pombo.State]int{pombo.Queued: 2}})
	f.must(apply(3))
	stopped, err := b.Stop(f.Context(), id)
	f.must(err)
	again, err := b.Stop(f.Context(), id)
	f.must(err)
	if !stopped || again {
		f.Errorf("stopped %v and again %v", stopped, again)
	}
	f.mustBe(apply(4), pombo.ErrMove)
	f.stands(ids[4], pombo.Failed, pombo.ParameterFormat) // the move was rolled back
	check(pombo.Bulk{State: pombo.BulkStopped, Finished: f.clock.Now(), Changed: 1, Done: 3, Skipped: 1, Left: 1, Outcome: map[pombo.State]int{pombo.Queued: 3}})
	all, err := b.Items(f.Context(), id, 0, 10)
	f.must(err)
	var results []string
	for _, it := range all {
		results = append(results, fmt.Sprint(it.Result, " ", it.Sent > 0))
	}
	if diff := cmp.Diff([]string{"done true", "done true", "changed false", "done true", " false"}, results); diff != "" {
		f.Errorf("items (-want +got):\n%s", diff)
	}
	if all[0].Sent != all[0].Seq || all[1].Sent <= late {
		f.Errorf("sent %d and %d: want the same notification, and a new generation", all[0].Sent, all[1].Sent)
	}

	next, err = b.Next(f.Context())
	f.must(err)
	if next.ID != second {
		f.Errorf("next is %d, want %d", next.ID, second)
	}
	f.must(b.Finish(f.Context(), second))
	list2, err := b.Bulks(f.Context(), 10)
	f.must(err)
	if len(list2) != 2 || list2[0].ID != second || list2[0].State != pombo.BulkDone || list2[1].Left != 1 {
		f.Errorf("list = %+v", list2)
	}
	_, err = b.Bulk(f.Context(), 4711)
	f.mustBe(err, pombo.ErrNotFound)
}
