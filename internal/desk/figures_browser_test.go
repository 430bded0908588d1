package desk

import (
	"flag"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"pombo"
	"pombo/internal/bulk"
	"pombo/test/browsertest"
	"pombo/test/nightly"
)

// Pictures of the pages of figures are written to this folder, for people to look at.
var pictures = flag.String("pictures", "", "folder for screenshots")

// The pages of figures and of many at once, as people with different screens see them.
func TestFigures_InBrowser(t *testing.T) {
	nightly.WithoutRace(t)
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	b, last := busy(t)
	server := httptest.NewServer(b.s)
	t.Cleanup(server.Close)
	w := b.signIn("olga")
	pages := []string{
		"/desk/bulk/1", "/desk/bulk/1/stop", "/desk/report?month=2020-01", // not so in the demo
		"/desk/failures?span=7d", "/desk/failures/parameter_format", "/desk/failures/expired", "/desk/bulk", "/desk/bulk/new?choose=cancel", planPage,
		"/desk/report?month=" + last,
	}
	for _, o := range lookedAt(w.jar, 1) {
		mine := walked(pages, 3)
		p := browsertest.Open(t, server.URL+mine[0], o)
		for i, page := range mine {
			if i > 0 {
				p.Goto(server.URL + page)
			}
			for _, line := range append(p.AxeByDay(), p.Overflow(o.Width)...) {
				t.Errorf("%s at %d: %s", page, o.Width, line)
			}
			for _, line := range p.Complaints() {
				t.Errorf("%s: %s", page, line)
			}
			if *pictures != "" {
				name, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimPrefix(page, "/desk/"), "/", "-"), "&")
				p.Screenshot(filepath.Join(*pictures, strings.NewReplacer("?", "-", "=", "-").Replace(name)+"-"+o.Language+".png"))
			}
		}
	}
}

// busy is a desk with something on each page of figures, and the last month.
func busy(t *testing.T) (b *fixture, month string) {
	t.Helper()
	w, last, _ := lastMonth(t)
	b = w.fixture
	b.account("olga", pombo.RoleOperator, 0)
	for hour := range 150 {
		b.figures.cells = append(b.figures.cells,
			pombo.Cell{Hour: ago(b, hour), State: pombo.Read, N: 100 + hour},
			pombo.Cell{Hour: ago(b, hour), State: pombo.Failed, Reason: pombo.NotOnWhatsApp, N: 3 + hour%5},
		)
	}
	b.figures.cells = append(b.figures.cells, pombo.Cell{Hour: ago(b, 2), Template: "fatura_com_um_nome_bastante_comprido_para_caber", State: pombo.Failed, Reason: pombo.ParameterFormat, N: 88})
	for bucket := range 14 {
		b.figures.latencies = append(b.figures.latencies, pombo.Latency{Hour: last, Leg: pombo.LegDelivered, Bucket: 10 + bucket, N: 1000 / (1 + bucket*bucket)})
	}
	b.bulks.plan = pombo.BulkPlan{Matched: 88, Going: 83, OptedOut: 3, Expired: 2, Drawn: b.now}
	b.bulks.dry = bulk.DryRun{Read: 20, Going: 17, Reasons: map[pombo.Reason]int{pombo.ParameterFormat: 3}, Sample: []bulk.Sample{{RowKey: "4711", Reason: pombo.ParameterFormat}, {RowKey: "4712"}}}
	b.bulks.started = []pombo.Bulk{{
		ID: 1, Plan: pombo.BulkPlan{Act: pombo.BulkRetry, Matched: 83, Filter: pombo.BulkFilter{States: []pombo.State{pombo.Failed}, Reason: pombo.ParameterFormat}}, Who: "ana", Note: "corrigido no ERP, chamado 1234",
		State: pombo.BulkOpen, Created: b.now, Done: 58, Skipped: 2, Changed: 1, Left: 22, Outcome: map[pombo.State]int{pombo.Delivered: 40, pombo.Read: 5, pombo.Failed: 3, pombo.Accepted: 10},
	}}
	b.bulks.items = []pombo.BulkItem{{Seq: 1, Result: pombo.BulkItemDone}, {Seq: 2, Result: pombo.BulkItemOptOut}}
	b.bulks.taken = map[int64]pombo.Notification{2: {MessageID: "b735cecf-e584-51d7-8ff8-9e832a896ba6", Key: pombo.Key{RowKey: "4711"}}}
	return b, last.Format(monthForm)
}
