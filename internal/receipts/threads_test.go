package receipts_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/receipts"
)

// fakeUnanswered are notifications without an answer, by Seq.
type fakeUnanswered struct {
	mu      sync.Mutex
	waiting map[int64]pombo.Unanswered
	next    map[int64]time.Time
}

func (f *fakeUnanswered) Unanswered(_ context.Context, limit int) (due []pombo.Unanswered, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for seq, at := range f.next {
		if !at.IsZero() && !at.After(time.Now()) {
			due = append(due, f.waiting[seq])
		}
	}
	slices.SortFunc(due, func(a, b pombo.Unanswered) int { return int(a.Seq - b.Seq) })
	return due[:min(limit, len(due))], nil
}

func (f *fakeUnanswered) NextPoll(_ context.Context, polls []pombo.NextPoll) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range polls {
		u := f.waiting[p.Seq]
		u.Polls++
		f.waiting[p.Seq], f.next[p.Seq] = u, p.At
	}
	return nil
}

// threads is a reader of conversations, and what it asked.
type threads struct {
	*webhookTest
	waiting *fakeUnanswered
	o       receipts.ThreadsOptions
	begun   time.Time

	mu    sync.Mutex
	asked []time.Duration
}

// newThreads has so many messages to each of two people that left now.
func newThreads(t *testing.T, each int, says func(age time.Duration) ([]pombo.Inbound, error)) *threads {
	t.Helper()
	p := &threads{
		webhookTest: newWebhookTest(t, newFakeLedger()), begun: time.Now(),
		waiting: &fakeUnanswered{waiting: map[int64]pombo.Unanswered{}, next: map[int64]time.Time{}},
	}
	for i := range each {
		seq := int64(i + 1)
		p.waiting.waiting[seq] = pombo.Unanswered{Seq: seq, Identity: "x@y", Since: time.Now()}
		p.waiting.next[seq] = time.Now().Add(receipts.ThreadSchedule()[0])
	}
	p.o = receipts.ThreadsOptions{
		Ledger: p.waiting, Inbox: newInbox(t, p.webhookTest), Schedule: receipts.ThreadSchedule(),
		Acquire: func(context.Context) error { return nil },
		Ask: func(context.Context, pombo.Private) ([]pombo.Inbound, error) {
			age := time.Since(p.begun).Round(time.Minute)
			p.mu.Lock()
			p.asked = append(p.asked, age)
			p.mu.Unlock()
			return says(age)
		},
	}
	return p
}

func (p *threads) run(t *testing.T, d time.Duration) []time.Duration {
	t.Helper()
	reader, err := receipts.NewThreads(p.o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	reader.Run(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func silence(time.Duration) ([]pombo.Inbound, error) { return nil, nil }

// TestThreads_Schedule: a conversation is read less and less often, once for all messages
// to the person, and no longer when the schedule has run out.
func TestThreads_Schedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newThreads(t, 3, silence)
		if got, want := p.run(t, 100*time.Hour), receipts.ThreadSchedule(); !slices.Equal(got, want) {
			t.Errorf("asked at %v, want %v", got, want)
		}
	})
}

// TestThreads_TakesWhatIsNew: what was said before the message left is not an answer to it.
func TestThreads_TakesWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		p := newThreads(t, 1, func(time.Duration) ([]pombo.Inbound, error) {
			return []pombo.Inbound{
				{ID: "old", Text: "bom dia", At: begun.Add(-time.Hour)},
				{ID: "timeless", Text: "?"},
				{ID: "timeless answer", Text: "Confirmar", RepliesTo: []pombo.MessageID{testID}},
				{ID: "new", Text: "sim", At: begun.Add(time.Second)},
			}, nil
		})
		p.run(t, 3*time.Minute)
		var got []string
		for _, in := range p.replies.taken {
			got = append(got, in.ID)
		}
		if want := []string{"timeless answer", "new"}; !slices.Equal(got, want) {
			t.Errorf("taken %q, want %q", got, want)
		}
	})
}

// TestThreads_Rests: nobody asks while messages are being posted, while another process
// leads, or where the ledger cannot keep the answer.
func TestThreads_Rests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newThreads(t, 1, silence)
		posted := time.Now()
		p.o.LastMessage = func() time.Time { return posted }
		if got := p.run(t, 12*time.Hour-time.Minute); len(got) != 0 {
			t.Errorf("asked at %v while messages were posted", got)
		}
		if got := p.run(t, 2*time.Minute); len(got) != 1 {
			t.Errorf("asked at %v when nothing had come for long, want once", got)
		}

		p = newThreads(t, 1, silence)
		p.o.Leads = func(context.Context) (bool, error) { return false, nil }
		if got := p.run(t, time.Hour); len(got) != 0 {
			t.Errorf("asked at %v although another process leads", got)
		}

		p = newThreads(t, 1, func(time.Duration) ([]pombo.Inbound, error) {
			return []pombo.Inbound{{ID: "1", Text: "sim", At: time.Now()}}, nil
		})
		p.replies.broken = errors.New("the disk is full")
		p.run(t, 90*time.Second)
		p.replies.broken = nil
		if p.run(t, 2*time.Minute); len(p.replies.taken) == 0 {
			t.Error("an answer that could not be kept was lost")
		}
	})
}

// TestThreads_BlipRefuses: a refusal that asks for a pause stops the polls as well.
func TestThreads_BlipRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newThreads(t, 1, func(age time.Duration) ([]pombo.Inbound, error) {
			if age < 2*time.Minute {
				return nil, &pombo.Error{Reason: pombo.RateLimited, Pause: 10 * time.Minute}
			}
			return nil, nil
		})
		if got, want := p.run(t, 15*time.Minute), []time.Duration{time.Minute, 11 * time.Minute, 12 * time.Minute}; !slices.Equal(got, want) {
			t.Errorf("asked at %v, want %v", got, want)
		}
		if len(p.pauses) != 1 {
			t.Errorf("pauses = %v, want Blip's", p.pauses)
		}
	})
}
