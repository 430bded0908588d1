package desk

import (
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/words"
)

// lastMonth has figures of the last month and of the one before. It returns their first
// days, the later one first.
func lastMonth(t *testing.T) (w *browser, last, before time.Time) {
	t.Helper()
	b := newBench(t)
	b.account("ana", pombo.RoleViewer, 0)
	last = time.Date(b.now.UTC().Year(), b.now.UTC().Month()-1, 1, 0, 0, 0, 0, time.UTC)
	before = last.AddDate(0, -1, 0)
	day := func(month time.Time, day int) time.Time { return month.AddDate(0, 0, day-1).Add(9 * time.Hour) }
	b.figures.counted = pombo.Counted{At: b.now.Add(-time.Minute), Since: day(before, 12)}
	b.figures.cells = []pombo.Cell{
		{Hour: day(last, 2), State: pombo.Read, N: 600},
		{Hour: day(last, 3), State: pombo.Delivered, N: 300},
		{Hour: day(last, 3), State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 60},
		{Hour: day(last, 3), State: pombo.Accepted, N: 40},
		{Hour: day(last, 4), Template: "fatura", State: pombo.Failed, Reason: pombo.ParameterFormat, N: 10},
		{Hour: day(last, 4), Template: "fatura", State: pombo.Read, N: 90},
		{Hour: day(before, 13), State: pombo.Delivered, N: 80},
		{Hour: day(before, 13), State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 20},
	}
	b.figures.latencies = []pombo.Latency{
		{Hour: day(last, 3), Leg: pombo.LegAccepted, Bucket: 0, N: 1},
		{Hour: day(last, 3), Leg: pombo.LegAccepted, Bucket: 12, N: 950},
		{Hour: day(last, 3), Leg: pombo.LegDelivered, Bucket: 16, N: 900},
	}
	return b.signIn("ana"), last, before
}

func TestReport(t *testing.T) {
	w, last, before := lastMonth(t)
	pt, en := words.In(words.Portuguese), words.In(words.English)
	this, earlier := last.AddDate(0, 1, 0), before.AddDate(0, -1, 0)
	address := func(month time.Time) string { return "/desk/report?month=" + month.Format(monthForm) }
	for _, c := range []struct {
		page, language string
		want, not      []string
	}{
		{address(last), "pt-BR", []string{
			"Relatório: " + pt.Month(last), "1.100", "Entregues (+10,0 p.p. contra " + pt.Month(before) + ")", "90,0%", "O número não tem WhatsApp", `id="funnel-title"`, `id="days-title"`,
			`id="leg-accepted-title"`, "metade em 2,9 s", "month=" + before.Format(monthForm), "month=" + this.Format(monthForm), "Contado às ", "O que os números contam", "fatura", "UTILITY", "data-print",
		}, []string{" style="}},
		{"/desk/report", "pt-BR", []string{pt.Month(this), "Não há números"}, []string{"month=" + this.AddDate(0, 1, 0).Format(monthForm)}},
		{address(last) + "&template=fatura", "en", []string{"Report: " + en.Month(last) + ", template fatura", "90.0%", "template=fatura", "a value has a line break"}, []string{"the number is not on WhatsApp", "1,100"}},
		{address(before), "pt-BR", []string{pt.Month(before), "80,0%"}, []string{"p.p. contra"}},
		{address(earlier), "pt-BR", []string{"Não há números de " + pt.Month(earlier) + ".", "Há números desde " + pt.Date(before.AddDate(0, 0, 11)) + "."}, []string{`class="funnel"`}},
		{address(last) + "&template=nenhum", "pt-BR", []string{"Não há números", `<option value="nenhum" selected>`}, nil},
	} {
		rec := w.ask("GET", c.page, nil, "Accept-Language", c.language)
		if rec.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", c.page, rec.Code, rec.Body)
		}
		body := html.UnescapeString(rec.Body.String())
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", c.page, want)
			}
		}
		for _, not := range c.not {
			if strings.Contains(body, not) {
				t.Errorf("%s has %q", c.page, not)
			}
		}
	}
	for _, month := range []string{"2026-13", "nonsense", "1026-01"} {
		if rec := w.ask("GET", "/desk/report?month="+month, nil); rec.Code != http.StatusNotFound {
			t.Errorf("month %s: status = %d, want 404", month, rec.Code)
		}
	}
}

func TestReport_CSV(t *testing.T) {
	w, last, _ := lastMonth(t)
	month := last.Format(monthForm)
	rec := w.ask("GET", "/desk/report.csv?month="+month, nil)
	lines := strings.Split(rec.Body.String(), "\r\n")
	if want := month + ";lembrete;1000;940;900;600;60;0;0;94,00;90,00;60,00;6,00;o número não tem WhatsApp;80,00;0"; len(lines) != 4 || lines[1] != want {
		t.Errorf("CSV = %q, want %q in it", lines, want)
	}
	if got := rec.Header().Get("Content-Disposition"); got != `attachment; filename="pombo-report-`+month+`.csv"` {
		t.Errorf("Content-Disposition = %s", got)
	}
	days := strings.Split(w.ask("GET", "/desk/report.csv?by=day&sep=,&month="+month, nil).Body.String(), "\n")
	if want := month + "-04,100,90,90,90,10,0,0,90.00,90.00,90.00,10.00"; len(days) < 30 || days[4] != want {
		t.Errorf("%d lines, the fourth day %q, want %q", len(days), days[4], want)
	}
}

// A month that is not over has the days until today.
func TestReport_Today(t *testing.T) {
	w, _, _ := lastMonth(t)
	lines := strings.Count(w.ask("GET", "/desk/report.csv?by=day", nil).Body.String(), "\n")
	if want := 1 + w.now.UTC().Day(); lines != want {
		t.Errorf("%d lines, want %d", lines, want)
	}
}

// The change against the month before has its sign.
func TestPoints(t *testing.T) {
	b := newBench(t)
	say := b.s.figureWords(b.request())
	for _, c := range []struct {
		now, before float64
		want        string
	}{{0.94, 0.93, "+1,0 p.p."}, {0.9, 0.93, "−3,0 p.p."}, {0.93, 0.93, "±0,0 p.p."}, {0.93004, 0.93, "±0,0 p.p."}} {
		if got := say.points(c.now, c.before); got != c.want {
			t.Errorf("%v after %v = %s, want %s", c.now, c.before, got, c.want)
		}
	}
}
