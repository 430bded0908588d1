package desk

import (
	"net/http"
	"strings"
	"testing"

	"pombo"
)

func TestFailures(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	b.account("vera", pombo.RoleViewer, 0)
	b.figures.counted = pombo.Counted{At: b.now}
	b.figures.cells = []pombo.Cell{
		{Hour: ago(b, 1), State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 212},
		{Hour: ago(b, 2), Template: "fatura", State: pombo.Failed, Reason: pombo.ParameterFormat, N: 88},
		{Hour: ago(b, 2), Template: "<fatura>", State: pombo.Failed, Reason: pombo.ParameterFormat, N: 2},
		{Hour: ago(b, 2), State: pombo.Delivered, N: 1698},
		{Hour: ago(b, 30), State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 5},
		{Hour: ago(b, 30), State: pombo.Delivered, N: 95},
	}
	w := b.signIn("ana")
	for _, c := range []struct {
		page string
		want []string
		not  []string
	}{
		{"/desk/failures", []string{"302", "15,1%", "5,0%", "O número não tem WhatsApp", "lembrete (212)", "fatura (88), &lt;fatura&gt; (2)", "novo na semana", "antes do período", "sim, depois de corrigir a linha", `href="/desk/failures/parameter_format?span=24h"`, `class="spark"`}, []string{"<fatura>"}},
		{"/desk/failures?span=7d", []string{"307", "Reason"}, nil},
		{"/desk/failures/parameter_format", []string{"Um valor tem quebra de linha", "/desk/messages?reason=parameter_format&amp;template=fatura", "/desk/bulk/new?act=retry&amp;reason=parameter_format", "&amp;template=fatura", "97,8%", "últimas 24 h", "parameter_format"}, nil},
		{"/desk/failures/not_on_whatsapp", []string{"Avise a pessoa por outro meio", "lembrete"}, []string{"/desk/bulk/new"}},
		{"/desk/failures/expired", []string{"Nenhuma falha por este motivo no período"}, nil},
	} {
		language := "pt-BR"
		if strings.HasSuffix(c.page, "7d") {
			language = "en"
		}
		rec := w.ask("GET", c.page, nil, "Accept-Language", language)
		if rec.Code != http.StatusOK {
			t.Fatalf("%s: status = %d: %s", c.page, rec.Code, rec.Body)
		}
		for _, want := range c.want {
			if !strings.Contains(rec.Body.String(), want) {
				t.Errorf("%s lacks %q", c.page, want)
			}
		}
		for _, not := range append(c.not, " style=") {
			if strings.Contains(rec.Body.String(), not) {
				t.Errorf("%s has %q", c.page, not)
			}
		}
	}
	if rec := w.ask("GET", "/desk/failures/nonsense", nil); rec.Code != http.StatusNotFound {
		t.Errorf("a reason that does not exist: status = %d, want 404", rec.Code)
	}
	if rec := b.signIn("vera").ask("GET", "/desk/failures/parameter_format", nil); strings.Contains(rec.Body.String(), "/desk/bulk/new") {
		t.Error("a viewer is offered to send again")
	}
}

func TestFailures_None(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleViewer, 0)
	w := b.signIn("ana")
	b.figures.cells = []pombo.Cell{{Hour: ago(b, 75), State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 1}}
	if body := w.ask("GET", "/desk/failures", nil).Body.String(); strings.Contains(body, "Nenhuma falha") || !strings.Contains(body, "Ainda não se contou") {
		t.Error("it says that nothing has failed before anything was counted")
	}
	b.figures.counted = pombo.Counted{At: b.now}
	body := w.ask("GET", "/desk/failures", nil).Body.String()
	for _, want := range []string{"Nenhuma falha nas últimas 24 horas.", "A última foi há 3 dias."} {
		if !strings.Contains(body, want) {
			t.Errorf("it lacks %q", want)
		}
	}
}

func TestFailures_CSV(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleViewer, 0)
	w := b.signIn("ana")
	b.figures.cells = []pombo.Cell{{Hour: ago(b, 1), Template: "=1+1", State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 1200}}
	rec := w.ask("GET", "/desk/failures.csv", nil)
	want := "\ufeffMotivo;Código;Modelo;Quantas;Resolve-se reenviando?\r\no número não tem WhatsApp;not_on_whatsapp;\"\t=1+1\";1200;não: avise por outro meio\r\n"
	if got := rec.Body.String(); got != want || rec.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%s: %q, want %q", rec.Header().Get("Content-Type"), got, want)
	}
	if got := w.ask("GET", "/desk/failures.csv?sep=,", nil, "Accept-Language", "en").Body.String(); !strings.HasPrefix(got, "Reason,Code,") {
		t.Errorf("for a program: %q", got)
	}
}
