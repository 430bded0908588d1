package desk

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/phone"
	"pombo/internal/words"
)

const (
	personNumber = "31 98888-0042"
	personDigits = "88880042"
)

// fakePeople knows one person.
type fakePeople struct {
	list   []pombo.Notification
	optOut pombo.OptOut
	forgot int
}

func (p *fakePeople) List(_ context.Context, f pombo.Filter) (pombo.Page, error) {
	if !strings.HasSuffix(f.Phone, personDigits) {
		return pombo.Page{}, nil
	}
	return pombo.Page{Notifications: p.list}, nil
}

func (p *fakePeople) OptOutOf(context.Context, phone.Number) (pombo.OptOut, error) {
	if p.optOut.Scope == "" {
		return p.optOut, pombo.ErrNotFound
	}
	return p.optOut, nil
}

func (p *fakePeople) Forget(_ context.Context, n phone.Number, really bool) (f pombo.Forgotten, err error) {
	if !strings.HasSuffix(n.E164(), personDigits) {
		return f, nil
	}
	f.Found = len(p.list)
	if really {
		p.forgot++
		f.Erased = f.Found
		p.list = nil
	}
	return f, nil
}

func (b *fixture) people() *fakePeople { return b.s.o.People.(*fakePeople) }

func newPerson(t *testing.T) (*fixture, *browser) {
	t.Helper()
	b := newBench(t, func(o *Options) { o.Retention = 24 * time.Hour })
	b.account("ana", pombo.RoleAdmin, 0)
	b.account("eva", pombo.RoleViewer, pombo.GrantAudit)
	day := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	b.people().list = []pombo.Notification{
		{MessageID: "id-2", Key: pombo.Key{RowKey: "4712"}, Template: "fatura", State: pombo.Suppressed, Reason: pombo.OptedOut, Created: day.Add(time.Hour), Updated: day.Add(2 * time.Hour)},
		{MessageID: "id-1", Key: pombo.Key{RowKey: "4711"}, State: pombo.Read, Created: day, Updated: day.Add(time.Minute)},
	}
	b.people().optOut = pombo.OptOut{Scope: pombo.OptOutAll, At: day.Add(30 * time.Minute), By: "person"}
	return b, b.signIn("eva")
}

func TestPerson(t *testing.T) {
	b, w := newPerson(t)
	if body := w.ask("GET", "/desk/person", nil).Body.String(); strings.Contains(body, "O que há de") {
		t.Error("a page about nobody shows somebody")
	}
	if rec := w.ask("POST", "/desk/person", url.Values{"number": {"ramal 12"}}); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("what is no number: status = %d, want 422", rec.Code)
	}
	rec := w.ask("POST", "/desk/person", url.Values{"number": {personNumber}})
	if to := rec.Header().Get("Location"); rec.Code != http.StatusSeeOther || to != "/desk/person" {
		t.Fatalf("search: %d to %q", rec.Code, to)
	}
	body := w.ask("GET", "/desk/person", nil).Body.String()
	for _, want := range []string{
		"55 31 *****-**42", "/desk/messages/id-1", "4712", "lida", "não foi enviada", "03/11/2026 10:00:00", "nenhuma mensagem, desde 02/11 08:30",
		"a pedido da própria pessoa", "1 mensagem não foi enviada por isso", "eva (leitor(a)) buscou um telefone em Pessoa.", "LGPD",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "Esquecer") {
		t.Error("an auditor is offered to erase somebody")
	}
	if strings.Contains(body+b.log.String()+b.ledger.trail(), personDigits) {
		t.Error("the number stands in the page, the log or the trail")
	}
	if rec := w.ask("POST", "/desk/person", url.Values{"close": {"1"}}); rec.Code != http.StatusSeeOther {
		t.Errorf("close: status = %d", rec.Code)
	}
	if strings.Contains(w.ask("GET", "/desk/person", nil).Body.String(), "**42") {
		t.Error("the page still shows the person")
	}
}

func TestForget(t *testing.T) {
	b, _ := newPerson(t)
	w := b.signIn("ana")
	if rec := w.ask("GET", "/desk/person/forget", nil); rec.Code != http.StatusSeeOther {
		t.Errorf("nobody was looked for: status = %d, want 303", rec.Code)
	}
	w.ask("POST", "/desk/person", url.Values{"number": {personNumber}})
	for _, want := range []string{"telefone e texto de 2 mensagens", "backups", "A linha na tabela", "Blip", "Não pode ser desfeito"} {
		if body := w.ask("GET", "/desk/person/forget", nil).Body.String(); !strings.Contains(body, want) {
			t.Errorf("the question lacks %q", want)
		}
	}
	for _, wrong := range []string{"", "31 98888-0043"} {
		rec := w.ask("POST", "/desk/person/forget", url.Values{"once": {w.once("/desk/person/forget")}, "number": {wrong}})
		if rec.Code != http.StatusUnprocessableEntity || b.people().forgot != 0 {
			t.Errorf("another number, %q: status = %d, erased %d times", wrong, rec.Code, b.people().forgot)
		}
	}
	rec := w.ask("POST", "/desk/person/forget", url.Values{"once": {w.once("/desk/person/forget")}, "number": {"+55 (31) 98888-0042"}})
	if rec.Code != http.StatusSeeOther || b.people().forgot != 1 {
		t.Fatalf("erase: status = %d, erased %d times: %s", rec.Code, b.people().forgot, rec.Body)
	}
	for _, s := range b.ledger.sessions {
		if strings.Contains(string(s.Data), personDigits) {
			t.Error("the session still has the number")
		}
	}
	if body := w.ask("GET", "/desk/person", nil).Body.String(); !strings.Contains(body, "Apagado: 2 mensagens") || strings.Contains(body, "**42") {
		t.Errorf("the page after it: %s", body)
	}
	lines, err := b.ledger.Audit(t.Context(), audit.Filter{Act: audit.Forget})
	if err != nil || len(lines) != 1 || len(lines[0].Person) == 0 || lines[0].Detail != "2/2" {
		t.Errorf("the trail has %+v, %v", lines, err)
	}
}

func TestAudit_CSV(t *testing.T) {
	b, w := newPerson(t)
	b.ledger.lines = append(b.ledger.lines, audit.Entry{
		At: b.now, Who: "=1+1", Role: "operator", Via: audit.ViaDesk, Address: "10.0.0.7", Act: audit.Uncover, Target: "id-1", Detail: "call: chamado 12", Person: []byte{1}, Result: audit.Refused,
	})
	rec := w.ask("GET", "/desk/audit.csv", nil)
	text := rec.Body.String()
	for _, want := range []string{"\ufeffQuando;Quem;", ";\"\t=1+1\";uncover;id-1;refused;desk 10.0.0.7;", "operador(a)) mostrou o telefone da mensagem id-1: a pessoa está ao telefone: chamado 12 – recusado.", "entrou: senha."} {
		if !strings.Contains(text, want) {
			t.Errorf("the file lacks %q: %s", want, text)
		}
	}
	if !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/csv") {
		t.Errorf("Content-Type = %q", rec.Header().Get("Content-Type"))
	}
	if english := w.ask("GET", "/desk/audit.csv?act=uncover", nil, "Accept-Language", "en").Body.String(); !strings.Contains(english, "uncovered the phone of message id-1: the person is on the telephone: chamado 12 – refused.") || strings.Contains(english, "sign_in") {
		t.Errorf("in English, chosen by act: %s", english)
	}
	if !strings.Contains(b.ledger.trail(), "eva export done audit") {
		t.Error("that it was taken is not in the trail")
	}
}

// Every act has its sentence, with and without something that it is about.
func TestAudit_EveryActHasASentence(t *testing.T) {
	for _, lang := range words.Languages() {
		for _, act := range audit.Acts() {
			for _, target := range []string{"", "x"} {
				got := sentenceOf(words.In(lang), audit.Entry{Who: "ana", Role: "viewer", Act: act, Target: target, Result: audit.Done})
				if !strings.HasSuffix(got, ".") || strings.Contains(got, "{") || target != "" && !strings.Contains(got, "x") {
					t.Errorf("%s: %q", act, got)
				}
			}
		}
	}
}

func TestHelp(t *testing.T) {
	b := newBench(t)
	b.account("bia", pombo.RoleViewer, 0)
	w := b.signIn("bia")
	index := w.ask("GET", "/desk/help", nil).Body.String()
	for _, reason := range pombo.Reasons() {
		if !strings.Contains(index, `"/desk/help/`+string(reason)+`"`) {
			t.Errorf("the index lacks %s", reason)
		}
		for _, lang := range []string{"pt-BR", "en"} {
			rec := w.ask("GET", "/desk/help/"+string(reason), nil, "Accept-Language", lang)
			if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `<html lang="`+lang+`"`) {
				t.Errorf("%s in %s: status = %d", reason, lang, rec.Code)
			}
		}
	}
	for _, none := range []string{"/desk/help/of_tomorrow", "/desk/help/%20"} {
		if rec := w.ask("GET", none, nil); rec.Code != http.StatusNotFound {
			t.Errorf("%s: status = %d, want 404", none, rec.Code)
		}
	}
}
