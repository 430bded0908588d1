package page_test

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/chart"
	"pombo/internal/desk/page"
	bubble "pombo/internal/template"
)

// view is one of each piece and each chart.
type view struct {
	Title    string
	Headline page.Headline
	Figures  []page.Figure
	Hours    page.Chart
	Waits    page.Table
	Parts    page.Table
	Pause    string
	Levels   []page.Notice
	Messages page.Table
	Pager    page.Pager
	Steps    []page.Step
	Phone    page.Phone
	Copy     page.Copy
	Bubble   page.Bubble
	Charts   []page.Chart
	Spark    template.HTML
	Confirm  page.Confirm
	Empty    page.Empty
}

// thousands writes a number as Brazilians do.
func thousands(v float64) string {
	s := strconv.Itoa(int(math.Round(v)))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "." + s[i:]
	}
	return s
}

// drawn is a chart that can be shown with its table.
type drawn interface {
	SVG() template.HTML
	Rows() [][]string
}

func chartOf(title string, c drawn, legend ...string) page.Chart {
	out := page.Chart{Title: title, SVG: c.SVG(), AsTable: "Ver como tabela"}
	rows := c.Rows()
	for i, word := range rows[0] {
		if i == 0 {
			word = "Quando ou o quê"
		}
		out.Table.Columns = append(out.Table.Columns, page.Column{Word: word, Number: i > 0})
	}
	out.Table.Caption = title
	for _, row := range rows[1:] {
		var cells []page.Cell
		for _, text := range row {
			cells = append(cells, page.Cell{Text: text})
		}
		out.Table.Rows = append(out.Table.Rows, cells)
	}
	for i, word := range legend {
		out.Legend = append(out.Legend, page.Series{Series: i + 1, Word: word})
	}
	return out
}

func gallery(lang string) *frame {
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		zone = time.UTC
	}
	now := time.Date(2026, 11, 28, 8, 41, 0, 0, zone)
	if lang != "en" {
		lang = "pt-BR"
	}
	f := &frame{
		Lang: lang, Path: "/desk/", Now: now, Zone: zone, User: &user{"ana", "operator"}, Search: true,
		PlainHTTP: "Esta página veio sem criptografia: quem está na mesma rede pode ler o que você lê.",
		Notices:   []notice{{Text: "A mensagem da linha 471102 voltou à fila."}},
	}
	for i, word := range []string{"Agora", "Mensagens", "Falhas", "Relatório", "Modelos", "Execuções", "Tabela", "Conferência", "Não perturbe", "Auditoria"} {
		f.Menu = append(f.Menu, entry{Path: "/desk/" + strings.Repeat("x", i), Text: word, Current: i == 0})
	}
	if lang == "en" {
		for i, word := range []string{"Now", "Messages", "Failures", "Report", "Templates", "Runs", "Table", "Comparison", "Opt-outs", "Audit"} {
			f.Menu[i].Text = word
		}
	}
	f.View = view{
		Title:    map[string]string{"pt-BR": "Agora", "en": "Now"}[lang],
		Headline: page.Headline{Level: "warn", Text: "Enviando a 44 por segundo. 12.480 na fila; termina por volta das 08:46."},
		Figures: []page.Figure{
			{Word: "Entraram hoje", Number: "18.204", Href: "/desk/messages"}, {Word: "Aceitas pelo Blip", Number: "17.551"},
			{Word: "Entregues", Number: "15.930"}, {Word: "Lidas", Number: "9.871"},
			{Word: "Falharam", Number: "341", Href: "/desk/failures", Tone: "bad"}, {Word: "Incertas", Number: "2", Tone: "warn", Href: "/desk/uncertain"},
		},
		Waits: page.Table{Caption: "O que espera, e por quê"},
		Parts: page.Table{
			Caption: "As partes", Columns: []page.Column{{Word: "Parte"}, {Word: "Situação"}, {Word: "Tempo", Number: true}},
			Rows: [][]page.Cell{
				{{Text: "Tabela (Oracle)"}, {Badge: page.Badge{Icon: "ticks", Tone: "good", Word: "responde"}}, {Text: "12 ms"}},
				{{Text: "Ledger"}, {Badge: page.Badge{Icon: "ticks", Tone: "good", Word: "grava"}}, {Text: "2 ms"}},
				{{Text: "Blip"}, {Badge: page.Badge{Icon: "ticks", Tone: "good", Word: "responde"}}, {Text: "84 ms"}},
			},
		},
		Pause: "Pausar o envio…",
		Levels: []page.Notice{
			{Level: "warn", Title: "312 linhas esperam o modelo fatura_nova: o WhatsApp o pausou às 07:58.", Text: "As outras não são afetadas. Nada se perde: elas vão sozinhas quando ele voltar.", Links: []page.Link{{Href: "/desk/templates/fatura_nova", Text: "Ver o modelo e o alcance"}}},
			{Level: "bad", Title: "O Blip recusa a chave desde 07:58: nada é enviado.", Text: "Confira KEYBLIP."},
		},
		Messages: messages(now),
		Pager:    page.Pager{Label: "Páginas da lista", Newer: page.Link{Href: "?n=1", Text: "Mais novas"}, Older: page.Link{Href: "?n=2", Text: "Mais antigas"}, Note: "Olhou-se até 27/11 14:10."},
		Steps: []page.Step{
			{Time: at(now, "08:39:46"), Tone: "good", Title: "Entrou na fila.", Text: "Linha 471102 de NOTIFICACAO.", Wait: "esperou 1 s"},
			{Time: at(now, "08:39:47"), Tone: "good", Title: "Enviada ao Blip", Text: "que a aceitou em 84 ms. Tentativa 1.", Wait: "15 s"},
			{Time: at(now, "08:40:02"), Tone: "bad", Title: "Falhou no WhatsApp", Text: "(131026): o número não tem WhatsApp."},
			{Time: at(now, "14:05:00"), Tone: "quiet", Title: "Próxima tentativa", Planned: true},
		},
		Phone: page.Phone{Masked: "+55 31 *****-**02", Spoken: "telefone com final 02"},
		Copy:  page.Copy{ID: "copy-1", Label: "Explicação para o telefone", Text: "A mensagem não chegou porque o número não tem WhatsApp. Avise a pessoa por outro meio.", Button: "Copiar explicação", Done: "Copiado"},
		Bubble: page.Bubble{
			Message: bubble.Draw(pombo.Template{
				Header: "DOCUMENT", Body: "Olá, *{{1}}*! Sua consulta com _Dra. Ana_ está marcada para *{{2}}*.\n\n~Rua Velha~ Rua Nova, 10. Código ```A-17```.", Footer: "Responda SAIR para não receber mais.",
				Buttons: []pombo.Button{{Kind: "QUICK_REPLY", Text: "Confirmar"}, {Kind: "QUICK_REPLY", Text: "Remarcar"}},
			}, nil),
			Media: "Documento", At: "08:40", Note: "O texto de hoje; pode ter sido outro.",
		},
		Spark: chart.Sparkline{Frame: chart.Frame{ID: "spark", Title: "Sem WhatsApp, sete dias", Desc: "Mais desde quinta-feira."}, Values: []float64{3, 4, 3, 5, 9, 22, 31}}.SVG(),
		Confirm: page.Confirm{
			Action: "/desk/bulk", Once: "once", Hidden: []page.Hidden{{Name: "filter", Value: "x"}}, Question: "Reenviar 83 mensagens?",
			Follows: []string{"A linha de cada uma é lida de novo antes.", "3 opt-outs e 2 vencidas ficam de fora."}, Undo: "Não pode ser desfeito.",
			NoteLabel: "Por quê?", NoteRequired: true, Count: 83, CountLabel: "Digite 83 para confirmar", Submit: "Reenviar 83", Back: page.Link{Href: "/desk/failures", Text: "Voltar"},
		},
		Empty: page.Empty{Title: "Ainda não entrou nenhuma linha.", Text: "Última busca: nunca. O job chama a cada 5 minutos.", Steps: []string{"O job está rodando?", "A tabela tem linhas pendentes?", "DB_USER pode ler a tabela?"}, Links: []page.Link{{Href: "/desk/runs", Text: "Buscar linhas agora"}}},
	}
	f.View.Hours, f.View.Charts = charts()
	return f
}

func at(now time.Time, clock string) page.Time {
	return page.Time{At: now, Short: clock, Long: "28/11/2026 " + clock + " -03"}
}

func messages(now time.Time) page.Table {
	table := page.Table{Caption: "50 mais novas de 18.204 de hoje", Columns: []page.Column{{Word: "Linha"}, {Word: "Telefone"}, {Word: "Modelo"}, {Word: "Situação"}, {Word: "Entrou"}}}
	words := map[pombo.State][2]string{
		pombo.Queued: {"na fila", "Espera a vez: 45 mensagens por segundo."}, pombo.Sending: {"saindo"}, pombo.Accepted: {"enviada"}, pombo.Delivered: {"entregue"},
		pombo.Read: {"lida"}, pombo.Failed: {"não chegou", "O número não tem WhatsApp."}, pombo.Uncertain: {"não se sabe", "Saiu e não veio resposta; o Blip será perguntado às 08:44."},
		pombo.Suppressed: {"não foi enviada", "A pessoa pediu para não receber mais mensagens."},
	}
	for i, state := range []pombo.State{pombo.Read, pombo.Delivered, pombo.Failed, pombo.Queued, pombo.Uncertain, pombo.Accepted, pombo.Sending, pombo.Suppressed} {
		key := strconv.Itoa(471100 + i)
		table.Rows = append(table.Rows, []page.Cell{
			{Href: "/desk/messages/" + key, Text: key},
			{Phone: page.Phone{Masked: fmt.Sprintf("+55 31 *****-**%02d", i), Spoken: fmt.Sprintf("telefone com final %02d", i)}},
			{Text: []string{"lembrete_consulta", "resultado_exame", "fatura"}[i%3]},
			{Badge: page.StateBadge(state, words[state][0], words[state][1])},
			{Time: at(now, fmt.Sprintf("08:%02d", 40-i))},
		})
	}
	return table
}

// charts returns the one that stands alone, and the others.
func charts() (page.Chart, []page.Chart) {
	var hours []string
	series := make([]chart.Series, 4)
	for n, name := range []string{"lidas", "entregues", "enviadas", "não chegaram"} {
		series[n].Name = name
	}
	for h := range 24 {
		hours = append(hours, fmt.Sprintf("%02dh", h))
		all := 130 + 900*math.Max(0, math.Sin(float64(h-5)/14*math.Pi))
		for n, share := range []float64{0.45, 0.4, 0.1, 0.05} {
			series[n].Values = append(series[n].Values, math.Round(all*share))
		}
	}
	frame := func(id, title, desc string) chart.Frame {
		return chart.Frame{ID: id, Title: title, Desc: desc, Number: thousands}
	}
	stacked := chart.Stacked{Frame: frame("hours", "Por hora", "Mensagens por hora, pela situação; o mais é às 12h."), Labels: hours, Series: series}
	six := chart.Stacked{Frame: frame("six", "Seis séries", "Para ver as seis cores."), Labels: []string{"seg", "ter", "qua", "qui", "sex"}, Others: "outros"}
	for n := range 8 {
		six.Series = append(six.Series, chart.Series{Name: fmt.Sprintf("modelo %d", n+1), Values: []float64{30, 42, 38, 51, 44}})
	}
	line := chart.Line{Frame: frame("queue", "Na fila, e quando termina", "A fila cai desde as 08:20 e deve acabar às 08:46."), Value: "na fila", Expected: "(previsão)", Forecast: 9}
	for i, v := range []float64{2100, 8100, 14800, 18100, 17200, 16000, 14900, 13600, 12480, 9000, 6000, 3000, 0} {
		line.Labels = append(line.Labels, fmt.Sprintf("08:%02d", 10+3*i))
		line.Values = append(line.Values, v)
	}
	bars := chart.Bars{Frame: frame("reasons", "Motivos", "O número sem WhatsApp é o mais frequente."), Series: 4, Value: "quantas", Bars: []chart.Bar{
		{Name: "o número não tem WhatsApp", Value: 212}, {Name: "um valor tem quebra de linha, tabulação ou mais de quatro espaços", Value: 88}, {Name: "limite de marketing por pessoa", Value: 41}, {Name: "outros", Value: 12},
	}}
	funnel := chart.Funnel{Frame: frame("funnel", "Do banco ao leitor", "98 % foram aceitas, 94 % delas entregues."), Value: "quantas", Part: "do anterior", Stages: []chart.Bar{
		{Name: "entraram", Value: 412308}, {Name: "aceitas", Value: 405911}, {Name: "entregues", Value: 381020}, {Name: "lidas", Value: 233554},
	}}
	histogram := chart.Histogram{Frame: frame("latency", "Do banco ao telefone", "Metade chega em 4 s, 95 % em 41 s."), Count: "quantas", Marks: []chart.Mark{{At: 2.6, Name: "metade: 4 s"}, {At: 5.4, Name: "95 %: 41 s"}, {At: 8.6, Name: "99 %: 6 min"}}}
	for i, n := range []float64{220, 4100, 9800, 7600, 3300, 1200, 420, 160, 80, 22} {
		histogram.Buckets = append(histogram.Buckets, chart.Bucket{Label: []string{"0,5 s", "1 s", "2 s", "4 s", "8 s", "16 s", "32 s", "1 min", "2 min", "4 min"}[i], Count: n})
	}
	return chartOf("Por hora", stacked, stacked.Legend()...), []page.Chart{
		chartOf("Seis séries", six, six.Legend()...), chartOf("Na fila, e quando termina", line), chartOf("Motivos", bars),
		chartOf("Do banco ao leitor", funnel), chartOf("Do banco ao telefone", histogram),
	}
}
