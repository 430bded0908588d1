package desk_test

import (
	"html"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"pombo/internal/demo"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// text is what a page says, without its tags.
func (a answer) text() string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(a.body, " "))), " ")
}

// personas are the people of the desk with their questions: each is answered, in
// Portuguese, on a page that they may open, beginning with the sign-in.
func (w *world) personas(t *testing.T) {
	if os.Getenv("DUMP") != "" {
		for _, p := range w.paths() {
			t.Logf("=== %s\n%s", p, w.admin.get(t, p).text())
		}
	}
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

func (w *world) auditor(t *testing.T) {
	v := w.signIn(t, "eva")
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
