package desk

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pombo"
)

// The person whose data is looked for where it must not be.
const (
	zulmira      = "Zulmira Quaresma da Silva"
	zulmiraPhone = "31988887643"
	zulmiraTail  = "88887643"
)

// hospital is a desk with messages to Zulmira, and accounts of each kind.
func hospital(t *testing.T) (b *fixture, failed, uncertain pombo.MessageID) {
	t.Helper()
	b = newBench(t, func(o *Options) {
		o.Template, o.Language, o.Pending, o.Retention = "lembrete", "pt_BR", "1", 90*24*time.Hour
		o.NameSlot, o.NameNumber = pombo.Body, 1
	})
	b.account("vera", pombo.RoleViewer, 0)
	b.account("clara", pombo.RoleViewer, pombo.GrantResend)
	b.account("ugo", pombo.RoleViewer, pombo.GrantUncover|pombo.GrantExport)
	b.account("olga", pombo.RoleOperator, 0)
	m := b.messages
	m.template = pombo.Template{Name: "lembrete", Language: "pt_BR", Body: "Olá, {{1}}! Sua consulta é *{{2}}*.", Footer: "Responda SAIR para não receber."}
	n := pombo.Notification{
		Key: pombo.Key{RowKey: "4711"}, Recipient: zulmiraPhone, State: pombo.Failed, Reason: pombo.NotOnWhatsApp, Attempt: 1, Run: 7,
		Params: []pombo.Param{{Slot: pombo.Body, Value: zulmira}, {Slot: pombo.Body, Value: "=amanhã; às 8"}}, Created: b.now.Add(-time.Hour), Begun: b.now.Add(-time.Hour),
	}
	failed = m.add(n)
	n.Key.RowKey, n.State, n.Reason, n.Run = "4712", pombo.Uncertain, pombo.NoAnswer, 8
	uncertain = m.add(n)
	n.Key.RowKey, n.State, n.Reason, n.Recipient = "4713", pombo.Failed, pombo.InvalidPhone, "123"
	m.add(n)
	n.Key.RowKey, n.State, n.Reason, n.Recipient = "4714", pombo.Read, "", zulmiraPhone
	m.add(n)
	return b, failed, uncertain
}

func (w *browser) get(path string, status int) string {
	w.t.Helper()
	rec := w.ask("GET", path, nil, "Accept-Language", "pt-BR")
	if rec.Code != status {
		w.t.Fatalf("GET %s: status = %d, want %d: %s", path, rec.Code, status, rec.Body)
	}
	return rec.Body.String()
}

func wants(t *testing.T, page string, want ...string) {
	t.Helper()
	page = html.UnescapeString(page)
	for _, text := range want {
		if !strings.Contains(page, text) {
			_, main, _ := strings.Cut(page, "<h1>")
			t.Errorf("the page lacks %q:\n%s", text, main)
		}
	}
}

func lacks(t *testing.T, page string, bad ...string) {
	t.Helper()
	page = html.UnescapeString(page)
	for _, text := range bad {
		if strings.Contains(page, text) {
			t.Errorf("the page has %q", text)
		}
	}
}

func TestMessages_List(t *testing.T) {
	b, _, _ := hospital(t)
	w := b.signIn("vera")
	page := w.get("/desk/messages", http.StatusOK)
	wants(t, page, "Zulmira Q. d. S.", "+55 31 *****-**43", "telefone com final 43", "o número não tem WhatsApp", "lida", "4711", "lembrete")
	lacks(t, page, zulmira, zulmiraTail, "Baixar com telefones", "style=", "%!")
	page = w.get("/desk/messages?state=failed&reason=invalid_phone", http.StatusOK)
	wants(t, page, "4713")
	lacks(t, page, ">4711<", ">4714<", "Reenviar estas")
	wants(t, b.signIn("olga").get("/desk/messages?state=failed&reason=invalid_phone&from=2026-01-01", http.StatusOK), `value="2026-01-01T00:00"`)
	wants(t, b.signIn("olga").get("/desk/messages?state=failed&reason=invalid_phone", http.StatusOK), "Reenviar estas", "/desk/bulk/new?act=retry&reason=invalid_phone")
	lacks(t, w.get("/desk/messages?run=8", http.StatusOK), ">4711<")
	wants(t, w.get("/desk/messages?state=sent", http.StatusOK), "Nada com isso", "90 dias")
	for _, bad := range []string{"state=lost", "reason=bad", "template=A%20b", "from=yesterday", "run=x"} {
		w.get("/desk/messages?"+bad, http.StatusUnprocessableEntity)
	}
	for range 120 {
		b.messages.add(pombo.Notification{Key: pombo.Key{RowKey: "9" + random()}, State: pombo.Delivered, Created: b.now})
	}
	page = w.get("/desk/messages", http.StatusOK)
	wants(t, page, "cursor=", "Mais antigas")
	lacks(t, page, "Às mais novas")
	wants(t, w.get("/desk/messages?cursor=5", http.StatusOK), "Às mais novas", ">4714<")
}

func TestMessages_Empty(t *testing.T) {
	b := newBench(t)
	b.account("vera", pombo.RoleViewer, 0)
	wants(t, b.signIn("vera").get("/desk/messages", http.StatusOK), "Ainda não entrou nenhuma mensagem")
}

// search types into the search box and follows to the answer.
func (w *browser) search(what string) (path, page string) {
	w.t.Helper()
	rec := w.ask("POST", "/desk/find", url.Values{"q": {what}})
	path = rec.Header().Get("Location")
	if rec.Code != http.StatusSeeOther || !strings.HasPrefix(path, "/desk/find/") {
		w.t.Fatalf("search: %d %s", rec.Code, path)
	}
	rec = w.ask("GET", path, nil, "Accept-Language", "pt-BR")
	if to := rec.Header().Get("Location"); to != "" {
		path = to
	}
	return path, rec.Body.String()
}

func TestFind(t *testing.T) {
	b, failed, _ := hospital(t)
	w := b.signIn("vera")
	for _, what := range []string{"4711", string(failed), strings.ToUpper(string(failed)), string(failed)[:8]} {
		if to, _ := w.search(what); to != "/desk/messages/"+string(failed) {
			t.Errorf("%q leads to %s", what, to)
		}
	}
	if trail := b.ledger.trail(); strings.Contains(trail, "search") {
		t.Errorf("a row is nobody's phone: %s", trail)
	}
	_, page := w.search("471")
	wants(t, page, ">4711<", ">4714<")
	b.messages.optedOut = pombo.OptOutAll
	path, page := w.search("(31) 98888-7643")
	wants(t, page, "Mensagens a uma pessoa", ">4711<", ">4714<", "pediu para não receber mensagens", "+55 31 *****-**43")
	lacks(t, page, ">4713<", zulmiraTail, zulmira, "98888-7643")
	lacks(t, path, "7643")
	if trail := b.ledger.trail(); !strings.HasSuffix(trail, "vera search done messages") {
		t.Errorf("the trail lacks the search:\n%s", trail)
	}
	last := b.ledger.lines[len(b.ledger.lines)-1]
	if string(last.Person) != string(b.s.o.Key.Person(b.messages.list[0].Phone)) {
		t.Error("the line does not say whom the search was about")
	}
	lines := len(b.ledger.lines)
	w.get(path, http.StatusOK)
	if len(b.ledger.lines) != lines {
		t.Error("the same search is recorded twice")
	}
	again := w.ask("POST", "/desk/find", url.Values{"q": {zulmiraPhone}}).Header().Get("Location")
	w.get(again+"?cursor=4", http.StatusOK) // not by its first page
	if len(b.ledger.lines) != lines+1 {
		t.Error("a search whose first page was left out is not recorded")
	}
	for _, s := range b.ledger.sessions {
		lacks(t, string(s.Data), "98888", zulmiraTail)
	}
	lacks(t, b.log.String(), "98888-7643", zulmiraTail)
	b.signIn("olga").get(path, http.StatusNotFound) // it is good in one session

	_, page = w.search("8000")
	wants(t, page, "Nada encontrado")
	lacks(t, page, "Olhar na tabela")
}

func TestFind_Row(t *testing.T) {
	b, _, _ := hospital(t)
	b.messages.row, b.messages.status = pombo.Row{RowKey: "8000", Recipient: zulmiraPhone}, "1"
	w := b.signIn("olga")
	path, page := w.search("8000")
	wants(t, page, "Olhar na tabela", path+"/row")
	rec := w.ask("POST", path+"/row", url.Values{}, "Accept-Language", "pt-BR")
	wants(t, rec.Body.String(), "está pendente", "+55 31 *****-**43")
	lacks(t, rec.Body.String(), zulmiraTail)
	path, _ = w.search("8001")
	wants(t, w.ask("POST", path+"/row", url.Values{}, "Accept-Language", "pt-BR").Body.String(), "Não há linha com esta chave")
}

func TestMessage(t *testing.T) {
	b, failed, uncertain := hospital(t)
	wants(t, b.signIn("olga").get("/desk/messages/"+string(failed), http.StatusOK), "avise a pessoa por outro meio", "Não é reenviada sozinha", "O telefone da linha foi corrigido?")
	again := b.messages.list[0]
	again.Key.Generation, again.State, again.Reason = 2, pombo.Delivered, ""
	second := b.messages.add(again)
	w := b.signIn("vera")
	page := w.get("/desk/messages/"+string(failed), http.StatusOK)
	wants(t, page, "Não chegou. O número não tem WhatsApp.", "teve outra mensagem, que está assim: entregue", "Saiu para o Blip", "89 segundos", "Enviada de novo",
		"/desk/messages/"+string(second), "Olá, ", "*****", "Responda SAIR", "not_on_whatsapp", "pombo show")
	lacks(t, page, zulmira, zulmiraTail, "Mostrar telefone", "/retry", "amanhã", "style=", "%!")
	wants(t, w.get("/desk/messages/"+string(second), http.StatusOK), "Chegou ao telefone", "/desk/messages/"+string(failed))
	wants(t, b.signIn("olga").get("/desk/messages/"+string(uncertain), http.StatusOK), "Perguntar ao Blip agora", "/retry", "/cancel", "Não se sabe se chegou")
	wants(t, w.get("/desk/messages/00000000-0000-5000-8000-000000000000", http.StatusNotFound), "Não há mensagem com este código")

	b.messages.since = b.now.Add(-time.Minute) // after it was sent
	wants(t, w.get("/desk/messages/"+string(failed), http.StatusOK), "O texto do modelo de hoje")
	b.messages.list[0].Params, b.messages.list[0].Recipient, b.messages.list[0].Phone = nil, "", again.Phone
	b.messages.list[0].Phone = b.messages.list[2].Phone // none
	wants(t, w.get("/desk/messages/"+string(failed), http.StatusOK), "foram apagados")
}

func TestMessage_Uncover(t *testing.T) {
	b, failed, _ := hospital(t)
	path := "/desk/messages/" + string(failed)
	ugo := b.signIn("ugo")
	wants(t, ugo.get(path, http.StatusOK), "Mostrar telefone")
	uncover := func(form url.Values) (int, string) {
		form.Set("once", ugo.once(path))
		rec := ugo.ask("POST", path+"/uncover", form, "Accept-Language", "pt-BR")
		return rec.Code, rec.Body.String()
	}
	for _, form := range []url.Values{{}, {"purpose": {"curiosity"}}, {"purpose": {"other"}}, {"purpose": {"other"}, "note": {"ligar 31 98888-7643"}}} {
		if status, page := uncover(form); status != http.StatusUnprocessableEntity || strings.Contains(page, zulmira) {
			t.Errorf("%v: status = %d, want 422 and nothing shown", form, status)
		}
	}
	if trail := b.ledger.trail(); strings.Contains(trail, "uncover") {
		t.Errorf("nothing was shown: %s", trail)
	}
	status, page := uncover(url.Values{"purpose": {"call"}})
	if status != http.StatusOK {
		t.Fatalf("status = %d: %s", status, page)
	}
	wants(t, page, "55 31 98888-7643", zulmira, "amanhã")
	last := b.ledger.lines[len(b.ledger.lines)-1]
	if last.Act != "uncover" || last.Detail != "call" || last.Target != string(failed) || len(last.Person) == 0 {
		t.Errorf("the line is %+v", last)
	}
	lacks(t, ugo.get(path, http.StatusOK), zulmira, zulmiraTail) // for one answer only
	lacks(t, b.log.String(), zulmira, zulmiraTail)
}

func TestMessage_Act(t *testing.T) {
	b, failed, uncertain := hospital(t)
	badRow := b.messages.list[2].MessageID
	olga, clara := b.signIn("olga"), b.signIn("clara")
	act := func(w *browser, id pombo.MessageID, what string) int {
		form := url.Values{"once": {w.once("/desk/messages/" + string(id))}, "note": {"chamado 12"}}
		return w.ask("POST", "/desk/messages/"+string(id)+"/"+what, form).Code
	}
	clara.get("/desk/messages/"+string(failed)+"/retry", http.StatusForbidden)
	if status := act(clara, failed, "retry"); status != http.StatusForbidden {
		t.Errorf("the grant is for rows that were corrected: status = %d", status)
	}
	wants(t, clara.get("/desk/messages/"+string(badRow)+"/retry", http.StatusOK), "A linha é lida de novo")
	if status := act(clara, badRow, "retry"); status != http.StatusSeeOther {
		t.Errorf("retry of a corrected row: status = %d", status)
	}
	wants(t, olga.get("/desk/messages/"+string(uncertain)+"/retry", http.StatusOK), "pode recebê-la duas vezes")
	wants(t, olga.get("/desk/messages/"+string(uncertain)+"/cancel", http.StatusOK), "pode ter chegado mesmo assim")
	olga.get("/desk/messages/"+string(failed)+"/cancel", http.StatusConflict)
	for _, what := range []string{"ask", "cancel"} {
		if status := act(olga, uncertain, what); status != http.StatusSeeOther {
			t.Errorf("%s: status = %d", what, status)
		}
	}
	wants(t, olga.get("/desk/messages", http.StatusOK), "não será enviada")
	want := "retry " + string(badRow) + ", ask " + string(uncertain) + ", cancel " + string(uncertain)
	if got := strings.Join(b.messages.done, ", "); got != want {
		t.Errorf("done: %s, want %s", got, want)
	}
	b.messages.fail = pombo.ErrMove
	if status := act(olga, failed, "retry"); status != http.StatusConflict {
		t.Errorf("too late: status = %d, want 409", status)
	}
	trail := b.ledger.trail()
	for _, line := range []string{"clara retry refused", "clara retry done " + string(badRow), "olga cancel done", "olga retry failed"} {
		if !strings.Contains(trail, line) {
			t.Errorf("the trail lacks %q:\n%s", line, trail)
		}
	}
}

func TestExport(t *testing.T) {
	b, _, _ := hospital(t)
	w := b.signIn("ugo")
	rec := w.ask("GET", "/desk/messages.csv?state=failed", nil, "Accept-Language", "pt-BR")
	file := rec.Body.String()
	if rec.Code != http.StatusOK || !strings.HasPrefix(file, "\ufeffLinha;Pessoa;Telefone;") || rec.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Fatalf("%d %v %q", rec.Code, rec.Header(), file)
	}
	wants(t, file, "4711;Zulmira Q. d. S.;55 31 *****-**43;lembrete;não chegou;", ";90,0;7;", b.messages.list[0].Created.UTC().Format("02/01/2006 15:04:05"))
	lacks(t, file, zulmira, zulmiraTail, "4714")
	wants(t, w.ask("GET", "/desk/messages.csv?sep=,", nil).Body.String(), ",90.0,7,")

	form := url.Values{"state": {"failed"}, "once": {w.once("/desk/export?state=failed")}}
	if rec := w.ask("POST", "/desk/messages.csv", form); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("without a why: status = %d, want 422", rec.Code)
	}
	form.Set("once", w.once("/desk/export"))
	form.Set("note", "ligar para quem não recebeu")
	file = w.ask("POST", "/desk/messages.csv", form).Body.String()
	wants(t, file, ";55 31 98888-7643;", zulmira, "body: =amanhã; às 8")
	b.messages.list[0].Key.RowKey = "=1+1"
	wants(t, w.ask("GET", "/desk/messages.csv", nil).Body.String(), "\t=1+1")
	trail := b.ledger.trail()
	if strings.Count(trail, "export done messages") != 4 {
		t.Errorf("the trail:\n%s", trail)
	}
	if last := b.ledger.lines[len(b.ledger.lines)-2]; last.Detail != "uncovered state=failed: ligar para quem não recebeu" {
		t.Errorf("detail %q", last.Detail)
	}
}

// TestMessages_HandedOver: the rows that another channel has can be listed, and the story of
// such a message says so in its own words.
func TestMessages_HandedOver(t *testing.T) {
	b, _, _ := hospital(t)
	lacks(t, b.signIn("vera").get("/desk/messages", http.StatusOK), "passada a outro canal")
	b.s.o.Fallback = true
	id := b.messages.add(pombo.Notification{Key: pombo.Key{RowKey: "8808"}, State: pombo.Accepted, Created: b.now, Settled: fallbackCode})
	b.messages.events[id] = append(b.messages.events[id], pombo.Event{At: b.now, State: pombo.Accepted, Attempt: 1, Reason: pombo.HandedOver, Detail: "not delivered"})
	w := b.signIn("vera")
	wants(t, w.get("/desk/messages", http.StatusOK), `value="handed_over"`, "passada a outro canal", ">4711<")
	page := w.get("/desk/messages?state=handed_over", http.StatusOK)
	wants(t, page, `value="handed_over" selected`, ">8808<")
	lacks(t, page, ">4711<")
	wants(t, w.get("/desk/messages/"+string(id), http.StatusOK), "A linha ficou com o outro canal da empresa.")
}
