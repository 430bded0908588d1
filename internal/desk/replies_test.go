package desk

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"pombo"
	"pombo/internal/audit"
)

// fakeReplies is what people answered, the newest first.
type fakeReplies struct {
	list   []pombo.Reply
	counts []pombo.AnswerCount
}

func (f *fakeReplies) Replies(_ context.Context, q pombo.ReplyQuery) (page pombo.ReplyPage, err error) {
	if q.Cursor != "" && q.Cursor != "2" {
		return page, pombo.ErrCursor
	}
	for _, r := range f.list {
		if (!q.Unmatched || r.Match == pombo.Unmatched) && (q.Notification == "" || r.MessageID == q.Notification) {
			page.Replies = append(page.Replies, r)
		}
	}
	if q.Cursor == "" && q.Notification == "" {
		page.Next = "2"
	}
	page.Replies = slices.Clone(page.Replies)
	return page, nil
}

func (f *fakeReplies) Reply(_ context.Context, number int64) (pombo.Reply, error) {
	for _, r := range f.list {
		if r.Number == number {
			return r, nil
		}
	}
	return pombo.Reply{}, pombo.ErrNotFound
}

func (f *fakeReplies) AnswerCounts(context.Context, time.Time, time.Time) ([]pombo.AnswerCount, error) {
	return f.counts, nil
}

const writtenAnswer = "a Zulmira não pode, ligue amanhã"

// answered has one message that was answered twice, and a reply that nobody can place.
func answered(t *testing.T) (b *fixture, id pombo.MessageID) {
	t.Helper()
	b, id, _ = hospital(t)
	at := b.now.Add(-time.Minute)
	b.replies.list = []pombo.Reply{
		{Number: 3, Match: pombo.Unmatched, Received: at, Inbound: pombo.Inbound{Kind: pombo.ReplyText, Text: writtenAnswer, Identity: "x@y"}},
		{Number: 2, Match: pombo.MatchedByPerson, MessageID: id, Key: pombo.Key{RowKey: "4711", Generation: 1}, Received: at,
			Inbound: pombo.Inbound{Kind: pombo.ReplyText, Text: writtenAnswer, Phone: "5531988887643", At: at}},
		{Number: 1, Match: pombo.MatchedByID, MessageID: id, Key: pombo.Key{RowKey: "4711", Generation: 1}, Received: at.Add(-time.Minute), Counts: true, Code: "5", Written: at,
			Inbound: pombo.Inbound{Kind: pombo.ReplyButton, Text: "Confirmar", Phone: "5531988887643", At: at.Add(-time.Minute)}},
	}
	return b, id
}

func TestReplies(t *testing.T) {
	b, id := answered(t)
	w := b.signIn("vera")
	page := w.get("/desk/replies", http.StatusOK)
	wants(t, page, "Confirmar", "cita o código da mensagem", "/desk/messages/"+string(id), "+55 31 *****-**43", "texto escrito", "não se sabe a qual mensagem responde", "after=2", "show=unmatched")
	lacks(t, page, "Zulmira", zulmiraTail, "ligue amanhã", "style=", "%!")
	page = w.get("/desk/replies?show=unmatched", http.StatusOK)
	wants(t, page, "O Pombo não adivinha", "texto escrito", "after=2&show=unmatched")
	lacks(t, page, "Confirmar", "Zulmira")
	wants(t, w.get("/desk/replies?after=2", http.StatusOK), "As mais recentes")
	b.replies.list = nil
	wants(t, w.get("/desk/replies", http.StatusOK), "Nenhuma resposta")
}

// TestMessage_Answered: the word of a button is shown to all; what somebody wrote is shown
// to those who may uncover it, with a purpose.
func TestMessage_Answered(t *testing.T) {
	b, id := answered(t)
	path := "/desk/messages/" + string(id)
	page := b.signIn("vera").get(path, http.StatusOK)
	wants(t, page, "A resposta", "A pessoa respondeu: Confirmar.", "A pessoa respondeu: texto escrito.", "É a resposta que vale.", "Não muda a resposta que vale.",
		"Código 5 gravado na linha", "coberto: texto escrito")
	lacks(t, page, "ligue amanhã", "style=", "%!")

	ugo := b.signIn("ugo")
	rec := ugo.ask("POST", path+"/uncover", url.Values{"purpose": {"call"}, "once": {ugo.once(path)}}, "Accept-Language", "pt-BR")
	wants(t, rec.Body.String(), writtenAnswer)
	lacks(t, rec.Body.String(), "coberto: texto escrito")
	lacks(t, ugo.get(path, http.StatusOK), "ligue amanhã")
	lacks(t, b.log.String(), "ligue amanhã")
}

func TestReport_Answers(t *testing.T) {
	w, last, _ := lastMonth(t)
	address := "/desk/report?month=" + last.Format(monthForm)
	lacks(t, w.get(address, http.StatusOK), "Respostas que valem")
	w.replies.counts = []pombo.AnswerCount{
		{Template: "lembrete", Code: "5", N: 395}, {Template: "fatura", Code: "5", N: 100}, {Template: "lembrete", Code: "6", N: 99}, {Template: "lembrete", N: 99},
	}
	wants(t, w.get(address, http.StatusOK), "Respostas que valem", "495", "50,0%", "10,0%", "sem código", "693", "70,0%")
	page := w.get(address+"&template=fatura", http.StatusOK)
	wants(t, page, "Respostas que valem", "100")
	lacks(t, page, "495", "sem código")
	lacks(t, w.get(address+"&template=exame", http.StatusOK), "Respostas que valem")
	sheet := w.ask("GET", "/desk/report.csv?month="+last.Format(monthForm), nil).Body.String()
	wants(t, sheet, "respondidas", ";593\r\n", ";100\r\n")
}

// TestReply_Uncover: a reply that answers no message has a page of its own, on which those
// who may see what was written, for a purpose that stands in the trail.
func TestReply_Uncover(t *testing.T) {
	b, id := answered(t)
	list := b.signIn("vera").get("/desk/replies?show=unmatched", http.StatusOK)
	wants(t, list, `href="/desk/replies/3"`)
	page := b.signIn("vera").get("/desk/replies/3", http.StatusOK)
	wants(t, page, "Resposta 3", "texto escrito", "O Pombo não adivinha")
	lacks(t, page, "ligue amanhã", "/uncover", "style=", "%!")
	b.signIn("vera").get("/desk/replies/4", http.StatusNotFound)
	b.signIn("vera").get("/desk/replies/x", http.StatusNotFound)
	wants(t, b.signIn("vera").get("/desk/replies/1", http.StatusOK), "Confirmar", "/desk/messages/"+string(id))

	ugo := b.signIn("ugo")
	wants(t, ugo.get("/desk/replies/3", http.StatusOK), "/desk/replies/3/uncover")
	lines := len(b.ledger.lines)
	post := func(form url.Values) string {
		form.Set("once", ugo.once("/desk/replies/3"))
		return ugo.ask("POST", "/desk/replies/3/uncover", form, "Accept-Language", "pt-BR").Body.String()
	}
	for _, form := range []url.Values{{}, {"purpose": {"other"}}, {"purpose": {"other"}, "note": {"ligar para 31988880000"}}} {
		lacks(t, post(form), "ligue amanhã")
	}
	if got := len(b.ledger.lines); got != lines {
		t.Errorf("%d lines in the trail for what was not shown", got-lines)
	}
	wants(t, post(url.Values{"purpose": {"other"}, "note": {"pediu retorno"}}), writtenAnswer)
	if got := b.ledger.lines[len(b.ledger.lines)-1]; got.Act != audit.UncoverReply || got.Target != "3" || got.Detail != "other: pediu retorno" || got.Who != "ugo" {
		t.Errorf("the trail ends with %+v", got)
	}
	lacks(t, ugo.get("/desk/replies/3", http.StatusOK), "ligue amanhã")
	lacks(t, b.log.String(), "ligue amanhã")
}
