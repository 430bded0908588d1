package desk_test

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pombo/internal/demo"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// text is what a page says, without its tags.
func (a answer) text() string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(a.body, " "))), " ")
}

// personas are the people of the desk with their questions: each is answered, in
// Portuguese, on a page that they may open, beginning with the sign-in.
func (w *fixture) personas(t *testing.T) {
	t.Run("clerk", w.clerk)
	t.Run("operator", w.operator)
	t.Run("manager", w.manager)
	t.Run("auditor", w.auditor)
}

// answers asks for a page and looks for what answers a question.
func answers(t *testing.T, question string, a answer, want ...string) {
	t.Helper()
	text := a.text()
	for _, one := range want {
		if !strings.Contains(text, one) {
			t.Errorf("%s: the page (status %d) lacks %q: %s", question, a.status, one, text)
		}
	}
}

// enter signs in on the first page, as everybody does.
func (w *fixture) enter(t *testing.T, name string) *visitor {
	t.Helper()
	if first := w.visitor(name).get(t, "/desk/login"); !strings.Contains(first.text(), "Entrar") {
		t.Errorf("the first page: %s", first.text())
	}
	return w.signIn(t, name)
}

func (w *fixture) clerk(t *testing.T) {
	v := w.enter(t, "clara")
	found := v.post(t, "/desk/find", url.Values{"q": {demo.Planted.Phone}})
	answers(t, "A Zulmira recebeu a dela?", v.get(t, found.header.Get("Location")), "Mensagens a uma pessoa", "lida", "não foi enviada", "a pessoa pediu para não receber mais mensagens")
	id, row := w.message(t, "state=failed&q=8")
	failed := v.get(t, "/desk/messages/"+id)
	answers(t, "Se não, por quê, em palavras para o telefone?", failed, "Não chegou. Um valor do modelo está vazio.", "Explicação para o telefone", "O que fazer: preencha a coluna na linha e reenvie.")
	held, _ := w.message(t, "state=queued")
	answers(t, "Ainda vai chegar, e quando?", v.get(t, "/desk/messages/"+held), "Ainda não saiu: está na fila.", "Próxima tentativa", "ela sai sozinha")
	read, _ := w.message(t, "state=read&phone="+url.QueryEscape("+55"+digitsOf(demo.Planted.Phone)))
	page := "/desk/messages/" + read
	answers(t, "O que ela leu? (antes)", v.get(t, page), "Como a pessoa vê", "*****")
	shown := v.post(t, page+"/uncover", url.Values{"once": {v.once(t, page)}, "purpose": {"call"}})
	answers(t, "O que ela leu?", shown, "Olá, "+demo.Planted.Name+" !", "Pombo")
	answers(t, "Pode reenviar?", v.get(t, "/desk/messages/"+id+"/retry"), "Reenviar a mensagem da linha "+row+"?", "A linha é lida de novo antes")
	if got := v.get(t, "/desk/pause"); got.status != 403 {
		t.Errorf("a clerk may pause: %d", got.status)
	}
}

func (w *fixture) operator(t *testing.T) {
	v := w.enter(t, "olavo")
	now := w.settled(t, v, "/desk/", "Novo motivo: um valor tem quebra de linha")
	answers(t, "Está tudo bem?", now, "Só esperam 3 mensagens cujo modelo não pode ser enviado agora.", "Blip responde", "Tabela responde", "Ledger responde")
	answers(t, "O que está parado, desde quando, por quê?", now, "De 1 linha não se sabe", "o modelo delas não pode ser enviado agora 3")
	answers(t, "Quando a fila acaba?", v.get(t, "/desk/templates/order_shipped/release"), "3 mensagens que esperam saem logo")
	answers(t, "O que mudou desde ontem?", now, "Novo desde", "Novo motivo: um valor tem quebra de linha", "ana segurou um modelo order_shipped")
	answers(t, "O que posso reenviar agora?", v.get(t, "/desk/failures?span=7d"), "O telefone da linha não pode ser chamado", "sim, depois de corrigir a linha")
	answers(t, "E o plano?", v.get(t, "/desk/bulk/new?act=retry&state=failed&reason=invalid_phone"), "O que as linhas dizem agora", "falhariam de novo. Nada foi enviado.")
}

func (w *fixture) manager(t *testing.T) {
	v := w.enter(t, "marta")
	// A month that has at least two weeks of the demo's past in it.
	month := "/desk/report?month=" + time.Now().AddDate(0, 0, -15).Format("2006-01")
	report := w.settled(t, v, month, "order_shipped") // which is in the past alone
	answers(t, "Quantas foram, chegaram, foram lidas, falharam?", report, "Entraram", "Aceitas", "Entregues", "Lidas*", "Não chegaram", "Da tabela à leitura")
	answers(t, "Por modelo? Melhor ou pior?", report, "notificacao", "order_shipped", "Pontos percentuais")
	answers(t, "Que motivos pesam mais?", report, "o número não tem WhatsApp")
	answers(t, "Quanto custa (categoria)?", report, "UTILITY")
	answers(t, "Em planilha, em papel?", v.get(t, strings.Replace(month, "/report", "/report.csv", 1)), "Modelo;Entraram;Aceitas;Entregues;Lidas", "notificacao;")
	if got := v.get(t, "/desk/audit"); got.status != 403 {
		t.Errorf("a manager may read the trail: %d", got.status)
	}
}

// settled asks for a page of figures until the past has been counted, which the demo does
// beside its work, and the page has what it lacks before.
func (w *fixture) settled(t *testing.T, v *visitor, path, counted string) answer {
	t.Helper()
	deadline := time.After(90 * time.Second)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		got := v.get(t, path)
		if strings.Contains(got.text(), counted) {
			return got
		}
		select {
		case <-tick.C:
		case <-deadline:
			return got
		}
	}
}

func (w *fixture) auditor(t *testing.T) {
	v := w.enter(t, "eva")
	v.post(t, "/desk/person", url.Values{"number": {demo.Planted.Phone}})
	person := v.get(t, "/desk/person")
	answers(t, "Quem olhou o número de quem?", person, "Quem olhou ou mudou algo desta pessoa", "eva (leitor(a)) buscou um telefone em Pessoa.")
	answers(t, "O que há desta pessoa, e até quando?", person, "Mensagens com este telefone 2", "Telefone e texto ficam até", "lida", "não foi enviada")
	answers(t, "Quem pediu para não receber, desde quando? Foi respeitado?", person, "Sim: nenhuma mensagem, desde", "a pedido da própria pessoa, em resposta", "Foi respeitado: 1 mensagem não foi enviada por isso")
	answers(t, "Quem reenviou, cancelou, baixou, apagou o quê?", v.get(t, "/desk/audit?who=ana"), "ana (operador(a)) pausou o envio: manutenção no Blip.", "ana (operador(a)) segurou o modelo order_shipped: o texto está em revisão.")
	answers(t, "A trilha está completa?", v.get(t, "/desk/audit.csv"), "eva (leitor(a)) entrou: senha.", "criou a conta eva")
	if got := v.get(t, "/desk/person/forget"); got.status != 403 {
		t.Errorf("an auditor is shown how to erase: %d", got.status)
	}
}
