package sourcetest

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/source"
)

func settleWrites(b *bench) {
	b.fill(1, 3)
	ok := b.to(1, "1", "2")
	ok.MessageID, ok.SentAt = "2ed6657d-e927-568b-95e1-2665a8aea6a2", time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	bad := b.to(2, "1", "3")
	bad.Error = `the phone number cannot be called; "correct" it`
	b.wantResults(b.settle(ok, bad), pombo.SettleDone, pombo.SettleDone)
	for n, want := range map[int]Written{
		1: {Status: "2", MessageID: string(ok.MessageID), SentAt: "2026-11-23 10:00:00"},
		2: {Status: "3", Error: bad.Error},
		3: {Status: "1"},
	} {
		if diff := cmp.Diff(want, b.Written(b.key(n))); diff != "" {
			b.Errorf("row %d (-want +got):\n%s", n, diff)
		}
	}
	// A later success removes the error.
	b.wantResults(b.settle(b.to(2, "3", "2")), pombo.SettleDone)
	if got := b.Written(b.key(2)); got != (Written{Status: "2"}) {
		b.Errorf("row 2 = %+v, want status 2 and no error", got)
	}
}

// After a crash between the settle and its mark in the ledger everything is settled once
// more.
func settleAgain(b *bench) {
	b.fill(1, 3)
	batch := b.sent(3)
	b.settle(batch[0])
	b.wantResults(b.settle(batch...), pombo.SettleDone, pombo.SettleDone, pombo.SettleDone)
	b.wantResults(b.settle(batch...), pombo.SettleDone, pombo.SettleDone, pombo.SettleDone)
}

// The process crashed, and then a message failed that is sent again: the row may have
// either code.
func settleUnsure(b *bench) {
	b.fill(1, 3)
	b.SetStatus(b.key(2), "2")
	b.SetStatus(b.key(3), "9")
	var batch []pombo.Settlement
	for n := 1; n <= 3; n++ {
		s := b.to(n, "1", "4")
		s.Unsure = []string{"2", "3"}
		batch = append(batch, s)
	}
	b.wantResults(b.settle(batch...), pombo.SettleDone, pombo.SettleDone, pombo.SettleDiverged)
	b.wantStatus(1, "4")
	b.wantStatus(2, "4")
	b.wantStatus(3, "9")
}

func settleKeeps(b *bench) {
	b.fill(1, 1)
	sent := b.to(1, "1", "2")
	sent.MessageID, sent.SentAt = "2ed6657d-e927-568b-95e1-2665a8aea6a2", time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	b.settle(sent)
	b.settle(b.to(1, "2", "3"))
	want := Written{Status: "3", MessageID: string(sent.MessageID), SentAt: "2026-11-23 10:00:00"}
	if diff := cmp.Diff(want, b.Written(b.key(1))); diff != "" {
		b.Errorf("row (-want +got):\n%s", diff)
	}
}

func settleDiverged(b *bench) {
	b.fill(1, 4)
	b.SetStatus(b.key(2), "9")
	b.Delete(b.key(3))
	got := b.settle(b.sent(4)...)
	b.wantResults(got, pombo.SettleDone, pombo.SettleDiverged, pombo.SettleGone, pombo.SettleDone)
	if !strings.Contains(got[1].Detail, `"9"`) {
		b.Errorf("detail = %q, want it to name the code 9", got[1].Detail)
	}
	b.wantStatus(2, "9")
}

func settleMixed(b *bench) {
	b.fill(1, 3)
	b.SetStatus(b.key(2), "2")
	got := b.settle(b.to(1, "1", "2"), b.to(2, "2", "4"), b.to(3, "1", "3"), b.to(1, "2", "4"))
	// The first of the two may be found overtaken by the second.
	b.wantResults(got[1:], pombo.SettleDone, pombo.SettleDone, pombo.SettleDone)
	b.wantStatus(1, "4")
	b.wantStatus(2, "4")
	b.wantStatus(3, "3")
}

func settleRefused(b *bench) {
	const n = 40
	b.fill(1, n)
	const secret = "Maria da Silva deve 300 reais"
	b.Refuse(b.key(17), secret)
	batch := b.sent(n)
	before := b.Executed()
	got := b.settle(batch...)
	if statements := b.Executed() - before; statements > 25 {
		b.Errorf("%d statements to find one row of %d", statements, n)
	}
	for i, s := range got {
		want, status := pombo.SettleDone, "2"
		if i == 16 {
			want, status = pombo.SettleRefused, "1"
		}
		b.wantResults(got[i:], want)
		b.wantStatus(i+1, status)
		if strings.Contains(s.Detail, "Maria") {
			b.Errorf("the detail repeats the trigger's words: %q", s.Detail)
		}
	}
	if got[16].Detail == "" {
		b.Error("a refused row has no detail")
	}
}

func settleAllRefused(b *bench) {
	b.fill(1, 3)
	for n := 1; n <= 3; n++ {
		b.Refuse(b.key(n), "período fechado")
	}
	got := b.settle(b.sent(3)...)
	b.wantResults(got, pombo.SettleRefused, pombo.SettleRefused, pombo.SettleRefused)
}

func settleIgnored(b *bench) {
	b.fill(1, 3)
	if !b.Ignore(b.key(2)) {
		return // the database has no such triggers
	}
	got := b.settle(b.sent(3)...)
	b.wantResults(got, pombo.SettleDone, pombo.SettleRefused, pombo.SettleDone)
}

func settleImpossible(b *bench) {
	b.fill(1, 1)
	long := b.to(1, "1", "2")
	long.RowKey = strings.Repeat("9", 600)
	empty := b.to(1, "1", "2")
	empty.RowKey = ""
	b.wantResults(b.settle(long, b.to(1, "1", "2"), empty), pombo.SettleGone, pombo.SettleDone, pombo.SettleGone)
}

// Somebody has changed a row and does not commit for an hour.
func settleLocked(b *bench) {
	const n = 16
	b.fill(1, n)
	release := b.Lock(b.key(5))
	if release == nil {
		return // the database locks all or nothing
	}
	batch := b.sent(n)
	got := b.settle(batch...)
	// Alone in its batch it is not a problem of the database.
	alone := b.settle(batch[4])
	release()
	for i, s := range got {
		want, status := pombo.SettleDone, "2"
		if i == 4 {
			want, status = pombo.SettleLater, "1"
		}
		b.wantResults(got[i:], want)
		b.wantStatus(i+1, status)
		if (s.Detail != "") != (i == 4) {
			b.Errorf("row %s has the detail %q", s.RowKey, s.Detail)
		}
	}
	b.wantResults(alone, pombo.SettleLater)
	b.wantResults(b.settle(batch...), pombo.SettleDone, pombo.SettleDone, pombo.SettleDone, pombo.SettleDone, pombo.SettleDone)
	b.wantStatus(5, "2")
}

// answer is an answer to row n, given at ten in Brasília.
func (b *bench) answer(n int, expected, code string, text pombo.Private) pombo.Settlement {
	s := b.to(n, expected, code)
	s.Reply, s.Answer, s.Answered = int64(n), text, time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	return s
}

func (b *bench) wantAnswer(n int, status, text string) {
	b.Helper()
	want := Written{Status: status, Reply: text}
	if text != "" {
		want.ReplyAt = "2026-11-23 10:00:00"
	}
	if diff := cmp.Diff(want, b.Written(b.key(n))); diff != "" {
		b.Errorf("row %d (-want +got):\n%s", n, diff)
	}
}

// settleAnswers writes codes and words, and nothing over what somebody else has written.
func settleAnswers(b *bench) {
	b.fill(1, 5)
	for n := 1; n <= 5; n++ {
		b.SetStatus(b.key(n), "2")
	}
	b.SetStatus(b.key(3), "9")
	b.Delete(b.key(5))
	got := b.settle(b.answer(1, "2", "5", "Confirmar"), b.answer(2, "2", "6", "não; \"vou\"\nsó amanhã"), b.answer(3, "2", "5", "Confirmar"), b.to(4, "2", "3"), b.answer(5, "2", "5", "Sim"))
	b.wantResults(got, pombo.SettleDone, pombo.SettleDone, pombo.SettleDiverged, pombo.SettleDone, pombo.SettleGone)
	b.wantAnswer(1, "5", "Confirmar")
	b.wantAnswer(2, "6", "não; \"vou\"\nsó amanhã")
	b.wantAnswer(3, "9", "")
	b.wantAnswer(4, "3", "")
	// A longer one is cut, and what comes without an answer keeps the one that is there.
	b.wantResults(b.settle(b.answer(2, "6", "5", pombo.Private(strings.Repeat("ã", 5000)))), pombo.SettleDone)
	if got := []rune(b.Written(b.key(2)).Reply); len(got) == 0 || len(got) > source.MaxAnswer || got[0] != 'ã' {
		b.Errorf("%d characters are in the row, want the beginning", len(got))
	}
	b.wantResults(b.settle(b.to(1, "5", "4")), pombo.SettleDone)
	b.wantAnswer(1, "4", "Confirmar")
}

// settleAnswersAlone: words go beside a code that does not change, which by itself does not tell
// whether they were written.
func settleAnswersAlone(b *bench) {
	const n = 12
	b.fill(1, n)
	var batch []pombo.Settlement
	for i := 1; i <= n; i++ {
		b.SetStatus(b.key(i), "2")
		batch = append(batch, b.answer(i, "2", "2", "sim"))
	}
	b.SetStatus(b.key(4), "9")
	b.Delete(b.key(5))
	for i, s := range b.settle(batch...) {
		switch i + 1 {
		case 4:
			b.wantResults([]pombo.Settled{s}, pombo.SettleDiverged)
			b.wantAnswer(4, "9", "")
		case 5:
			b.wantResults([]pombo.Settled{s}, pombo.SettleGone)
		default:
			b.wantResults([]pombo.Settled{s}, pombo.SettleDone)
			b.wantAnswer(i+1, "2", "sim")
		}
	}
	b.Refuse(b.key(1), "período fechado")
	b.wantResults(b.settle(b.answer(1, "2", "2", "não"), b.answer(2, "2", "2", "não")), pombo.SettleRefused, pombo.SettleDone)
	b.wantAnswer(1, "2", "sim")
	b.wantAnswer(2, "2", "não")
	if b.Ignore(b.key(3)) {
		b.wantResults(b.settle(b.answer(3, "2", "2", "não"), b.answer(6, "2", "2", "não")), pombo.SettleRefused, pombo.SettleDone)
		b.wantAnswer(6, "2", "não")
	}
}

// settleAnswerAgain: the process died before it knew of the writing, and a later answer took the
// place of the one that may be there.
func settleAnswerAgain(b *bench) {
	b.fill(1, 4)
	for n := 1; n <= 4; n++ {
		b.SetStatus(b.key(n), "2")
	}
	first := []pombo.Settlement{b.answer(1, "2", "5", "sim"), b.answer(2, "2", "5", "sim")}
	b.settle(first...)
	b.wantResults(b.settle(first...), pombo.SettleDone, pombo.SettleDone)
	b.wantAnswer(1, "5", "sim")
	var later []pombo.Settlement
	for n := 1; n <= 4; n++ {
		s := b.answer(n, "2", "6", "não")
		s.Unsure = []string{"5"}
		later = append(later, s)
	}
	b.SetStatus(b.key(4), "6") // somebody has noted the same by hand
	b.wantResults(b.settle(later...), pombo.SettleDone, pombo.SettleDone, pombo.SettleDone, pombo.SettleDone)
	for n := 1; n <= 4; n++ {
		b.wantAnswer(n, "6", "não")
	}
}

func settleMany(b *bench) {
	const n = 500
	b.fill(1, n)
	b.page("", 1)
	batch := b.sent(n)
	before := b.Executed()
	for _, s := range b.settle(batch...) {
		if s.Result != pombo.SettleDone {
			b.Fatalf("row %s is %s, want settled", s.RowKey, s.Result)
		}
	}
	if statements := b.Executed() - before; statements > 2 {
		b.Errorf("%d statements for a batch, want one, and one that locks its rows", statements)
	}
	if got := b.pass(100); len(got) != 0 {
		b.Errorf("%d rows are still pending", len(got))
	}
}

// Two processes may settle the same rows: one that seemed dead, and the one that took
// over. All must end with the same answer.
func settleTogether(b *bench) {
	const n, workers = 60, 8
	b.fill(1, n)
	var wait sync.WaitGroup
	results := make([][]pombo.Settled, workers)
	errs := make([]error, workers)
	for w := range workers {
		wait.Go(func() {
			var batch []pombo.Settlement
			for i := range n {
				batch = append(batch, b.to((i+w*7)%n+1, "1", "2"))
			}
			results[w], errs[w] = b.Settle(b.Context(), batch)
			if _, err := b.Page(b.Context(), "", 10); err != nil {
				errs[w] = errors.Join(errs[w], err)
			}
		})
	}
	wait.Wait()
	for w := range workers {
		if errs[w] != nil {
			b.Errorf("worker %d: %v", w, errs[w])
		}
		for _, s := range results[w] {
			b.wantResults([]pombo.Settled{s}, pombo.SettleDone)
		}
	}
	b.wantKeys(b.pass(100))
}
