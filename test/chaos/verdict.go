//go:build unix

package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"pombo"
)

// judge compares the table, the ledger, Blip and the receiver of events.
type judge struct {
	t *trial
	r *result

	table   map[string]*row
	numbers map[string][]int64 // of the replies to each row, in the order of coming in
}

// verdict says what came out.
func (t *trial) verdict(ctx context.Context) (r result, err error) {
	r = result{ledger: t.o.ledger, seed: t.o.seed, rows: t.o.rows, tally: t.tally}
	for h := none + 1; h < kindsOfHarm; h++ {
		if n := t.blip.harm[h].Load(); n > 0 {
			r.tally.harm[harmNames[h]] = int(n)
		}
	}
	for h := noTrouble + 1; h < kindsOfTrouble; h++ {
		if n := t.events.harm[h].Load(); n > 0 {
			r.tally.harm[troubleNames[h]] = int(n)
		}
	}
	if _, r.uncertain, err = t.book.open(ctx); err != nil {
		return r, err
	}
	j := judge{t: t, r: &r, numbers: map[string][]int64{}}
	if j.table, err = t.source.all(ctx); err != nil {
		return r, err
	}
	j.messages()
	j.rows()
	if err := j.replies(ctx); err != nil {
		return r, err
	}
	// A receipt that was asked for a moment ago has changed a history, and its event is on its
	// way; one that is lost stays lost.
	for tries, before := 0, len(r.broken); ; tries++ {
		r.broken = r.broken[:before]
		if err := j.events(ctx); err != nil {
			return r, err
		}
		if len(r.broken) == before || tries == 10 {
			break
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			return r, err
		}
	}
	r.back.posted, r.back.postedAgain = int(t.people.posted.Load()), int(t.people.again.Load())
	for _, f := range slices.Concat(r.lost[:min(len(r.lost), 10)], r.doubled[:min(len(r.doubled), 10)]) {
		t.o.say("%s, seed %d: row %s has code %q and %d messages\n%s", t.o.ledger, t.o.seed, f.row, f.status, f.messages, t.servers[0].history(ctx, f.id))
	}
	shown := map[promise]int{}
	for _, c := range r.broken {
		if shown[c.promise]++; shown[c.promise] > 5 {
			continue
		}
		t.o.say("%s, seed %d: broken: %s: row %s: %s", t.o.ledger, t.o.seed, c.promise, c.row, c.text)
		if n, err := strconv.Atoi(c.row); err == nil {
			t.o.say("%s", t.servers[0].history(ctx, string(idOf(n, 1))))
		}
	}
	return r, nil
}

func (j *judge) complainf(p promise, row, format string, args ...any) {
	j.r.broken = append(j.r.broken, complaint{p, row, fmt.Sprintf(format, args...)})
}

// messages compares the table with what Blip has.
func (j *judge) messages() {
	deliveries := j.t.blip.sim.Deliveries()
	for n := 1; n <= j.t.o.rows; n++ {
		key, want := strconv.Itoa(n), endingOf(n, j.t.o.rows)
		status := j.table[key].status
		if status == statusPending {
			j.r.lost = append(j.r.lost, finding{key, status, 0, string(idOf(n, 1))})
			continue
		}
		for g := 1; g <= max(want.messages, 1); g++ {
			id := string(idOf(n, g))
			got := deliveries[id]
			delete(deliveries, id)
			switch {
			case got > 1 || got > 0 && want.messages == 0:
				j.r.doubled = append(j.r.doubled, finding{key, status, got, id})
			case got == 0 && want.messages > 0, status != want.code && want.answer == "" && want.code != statusElsewhere && want.replies == 0:
				j.r.lost = append(j.r.lost, finding{key, status, got, id})
			case g > 1:
				j.r.tally.harm["refused by WhatsApp, sent again"]++
			}
		}
	}
	// No row was set back to pending: any other generation is a second message.
	for id, n := range deliveries {
		j.r.doubled = append(j.r.doubled, finding{"?", "", n, id})
	}
}

// rows compares each row with what its person did.
func (j *judge) rows() {
	for n := 1; n <= j.t.o.rows; n++ {
		key, want, who := strconv.Itoa(n), endingOf(n, j.t.o.rows), personaOf(n, j.t.o.rows)
		got, p := j.table[key], answersHome
		if want.code == statusElsewhere || who == leaves || who == leavesLate {
			p = elsewhereOne
		}
		j.r.back.written += got.writes
		j.r.back.spare += got.writes - max(len(got.codes), len(got.answers)) + 1
		switch {
		case got.status != want.code && p == elsewhereOne, got.status != want.code && want.answer != "":
			j.complainf(p, key, "it has the code %s, not %s", got.status, want.code)
		case twice(got.codes) || p == elsewhereOne && want.code != statusElsewhere && slices.Contains(got.codes, statusElsewhere):
			j.complainf(p, key, "its codes were %v", got.codes)
		case got.status == statusElsewhere:
			j.r.back.handedOver++
		}
		switch {
		case got.answer != want.answer:
			j.complainf(answersHome, key, "it has the answer %q, not %q", got.answer, want.answer)
		case twice(got.answers):
			j.complainf(answersHome, key, "its answers were %q", got.answers)
		case want.answer != "":
			j.r.back.answers++
		}
		if at, ok := j.t.people.at[n]; ok && want.answer != "" && got.answeredAt != at.UTC().Format(time.DateTime) {
			j.complainf(answersHome, key, "it was answered at %s, not %s", got.answeredAt, at.UTC().Format(time.DateTime))
		}
		if acked := j.t.people.acked[n]; acked != want.replies && who != unheard {
			j.complainf(answersHome, key, "Blip got a 2xx for %d of %d messages", acked, want.replies)
		}
	}
}

// twice reports whether something comes more than once in a list.
func twice(list []string) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(list)))) < len(list)
}

// replies compares what the ledger has of people's messages with what they sent.
func (j *judge) replies(ctx context.Context) error {
	unmatched := 0
	standing := map[string]int{}
	err := j.t.book.replies(ctx, math.MaxInt32, func(k kept) error {
		j.r.back.replies++
		if k.row == "" {
			unmatched++
			return nil
		}
		j.numbers[k.row] = append(j.numbers[k.row], k.number)
		n, err := strconv.Atoi(k.row)
		if err != nil {
			return err
		}
		if k.owed {
			j.complainf(answersHome, k.row, "the ledger owes it %q", k.text)
		}
		if !k.counts {
			return nil
		}
		want := endingOf(n, j.t.o.rows)
		standing[k.row]++
		if !k.written || k.text != want.answer || want.code != statusSent && k.code != want.code {
			j.complainf(answersHome, k.row, "the ledger has the answer %q and the code %q for it, written: %t", k.text, k.code, k.written)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for n := 1; n <= j.t.o.rows; n++ {
		key, want := strconv.Itoa(n), endingOf(n, j.t.o.rows)
		if want.replies > 0 && !want.matched {
			unmatched--
			want.replies = 0
		}
		if got := len(j.numbers[key]); got != want.replies {
			j.complainf(answersHome, key, "the ledger has %d replies to it, not %d", got, want.replies)
		}
		if got := standing[key]; got > 1 || got == 0 && want.answer != "" {
			j.complainf(answersHome, key, "%d answers stand", got)
		}
	}
	if unmatched != 0 {
		j.complainf(answersHome, "", "the ledger has %+d replies of which it does not know what they are about", unmatched)
	}
	return nil
}

// events compares the histories in the ledger with what the receiver has taken.
func (j *judge) events(ctx context.Context) error {
	j.t.events.mu.Lock()
	defer j.t.events.mu.Unlock()
	j.r.broken = append(j.r.broken, j.t.events.broken...)
	j.r.back.events, j.r.back.eventsAgain = len(j.t.events.taken), j.t.events.again
	left := maps.Clone(j.t.events.told)
	err := j.t.book.histories(ctx, func(row string, generation int, history []change) error {
		var want, got []string
		before := pombo.State("")
		for _, c := range history {
			switch kind, ok := pombo.EventOf(before, c.state); {
			case c.handedOver:
				want = append(want, string(pombo.EventHandedOver))
			case c.answered:
				want = append(want, string(pombo.EventReply))
			case ok && !c.note:
				want = append(want, string(kind))
			}
			if c.note && c.state != before {
				j.complainf(eventsArrive, row, "the history of generation %d has a note of when it was %s, and it was %s", generation, c.state, before)
			}
			before = c.state
		}
		left[row] = slices.Clone(left[row])
		left[row] = slices.DeleteFunc(left[row], func(e told) bool {
			if e.generation != generation || e.kind == pombo.EventReply && !e.counts {
				return false
			}
			got = append(got, string(e.kind))
			return true
		})
		if !slices.Equal(got, want) {
			j.complainf(eventsArrive, row, "of generation %d there were %v, and not %v", generation, got, want)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for row, list := range j.t.events.told {
		var numbers []int64
		for _, e := range list {
			if e.reply > 0 {
				numbers = append(numbers, e.reply)
			}
		}
		if !slices.Equal(numbers, j.numbers[row]) {
			j.complainf(eventsArrive, row, "there were events about the replies %v, and not %v", numbers, j.numbers[row])
		}
		for _, e := range left[row] {
			if e.kind != pombo.EventReply {
				j.complainf(eventsArrive, row, "%s of generation %d is about no change", e.kind, e.generation)
			}
		}
	}
	for row, numbers := range j.numbers {
		if len(j.t.events.told[row]) == 0 {
			j.complainf(eventsArrive, row, "there were no events about the replies %v", numbers)
		}
	}
	return nil
}
