package desk

import (
	"fmt"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"pombo"
	"pombo/internal/health"
	"pombo/internal/tally"
	"pombo/test/browsertest"
	"pombo/test/nightly"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// busyBench is a desk on which every page has something to show.
func busyBench(t *testing.T) *fixture {
	b := newBench(t)
	b.account("ana", pombo.RoleAdmin, 0)
	b.facts.snapshot = health.Snapshot{
		Now: b.now, Paused: true, Pause: pombo.Pause{By: "bia", Detail: "manutenção"},
		Backlog:  pombo.Backlog{States: map[pombo.State]int{pombo.Queued: 312}, Ready: 12, Later: map[pombo.WaitReason]int{pombo.WaitTemplate: 300}, Due: 3, DueSince: b.now, Oldest: b.now},
		Progress: health.Progress{Started: b.now.Add(-time.Hour), TakenIn: b.now, RejectedRows: 1, RejectedSince: b.now},
	}
	b.facts.today = tally.Today{Total: tally.Funnel{Entered: 18204, Accepted: 17551, Failed: 341}, Counted: pombo.Counted{At: b.now, Since: b.now}}
	for i := range 24 {
		b.facts.today.Hours = append(b.facts.today.Hours, tally.Bar{Start: b.now.Truncate(time.Hour).Add(time.Duration(i-23) * time.Hour), Funnel: tally.Funnel{Entered: 40 * i, Accepted: 30 * i, Delivered: 20 * i, Failed: 2 * i}})
	}
	for i := range 72 {
		b.s.queue.add(b.now.Add(time.Duration(i-72)*lineStep), 100*i)
	}
	b.facts.compared = pombo.Reconciliation{Finished: b.now, Counts: map[pombo.DiscrepancyKind]int{pombo.RowGone: 1}, Discrepancies: []pombo.Discrepancy{{Kind: pombo.RowGone, Key: pombo.Key{RowKey: "99"}}}}
	b.work.runs = []pombo.Run{{ID: 1, Started: b.now, Finished: b.now, Tally: pombo.Tally{Found: 3}}}
	b.work.problems = []pombo.RowProblem{{RowKey: "471102", Column: "DT_ENVIO", Message: "is not a time"}}
	b.work.optOuts = []pombo.OptOut{{Phone: parsed(t, "31 98888-0001"), Scope: pombo.OptOutAll, At: b.now, By: "person"}}
	b.replies.list = []pombo.Reply{
		{Number: 2, Match: pombo.Unmatched, Received: b.now, Inbound: pombo.Inbound{Kind: pombo.ReplyText, Text: writtenAnswer}},
		{Number: 1, Match: pombo.MatchedByID, MessageID: pombo.Key{Source: "t", RowKey: "1", Generation: 1}.MessageID(), Key: pombo.Key{Source: "t", RowKey: "1", Generation: 1}, Counts: true, Code: "5", Received: b.now,
			Inbound: pombo.Inbound{Kind: pombo.ReplyButton, Text: "Confirmar", Phone: "5531988880001"}},
	}
	b.templates.list = []pombo.Template{fatura}
	b.templates.versions = []pombo.TemplateVersion{{Template: fatura, FirstSeen: b.now, LastSeen: b.now}}
	b.templates.issues = []pombo.TemplateIssue{{Reason: pombo.TemplatePaused, Message: "is paused by WhatsApp"}}
	return b
}

// operatorPages are those on which somebody runs the sending, first those that are in another
// state here than in the demo.
var operatorPages = []string{
	"/desk/", "/desk/resume", "/desk/replies/2",
	"/desk/pause", "/desk/runs", "/desk/runs/1", "/desk/runs/new", "/desk/table", "/desk/findings", "/desk/findings/new",
	"/desk/replies", "/desk/replies?show=unmatched", "/desk/optouts", "/desk/optouts/add", "/desk/optouts/remove", "/desk/templates", "/desk/templates/fatura_nova", "/desk/templates/fatura_nova/hold", "/desk/templates/fatura_nova/release",
}

// walked returns the pages that are looked at: at night all of them, by day the first ones. The
// matrix of test/desk has each page by day as well.
func walked(pages []string, first int) []string { return nightly.Or(pages, pages[:first]) }

// lookedAt returns how they are looked at: at night on a large screen and on a small one, by day
// on one of the two.
func lookedAt(cookies map[string]string, day int) []browsertest.Options {
	both := []browsertest.Options{{Width: 1280, Language: "pt-BR", Cookies: cookies}, {Width: 360, Dark: true, Language: "en", Cookies: cookies}}
	return nightly.Or(both, both[day:day+1])
}

func TestBrowser_Operator(t *testing.T) {
	nightly.WithoutRace(t)
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	b := busyBench(t)
	site := httptest.NewServer(b.s)
	t.Cleanup(site.Close)
	for i, look := range lookedAt(b.signIn("ana").jar, 0) {
		t.Run(fmt.Sprint(look.Language, look.Width), func(t *testing.T) {
			pages := walked(operatorPages, 3)
			p := browsertest.Open(t, site.URL+pages[0], look)
			for n, address := range pages {
				if n > 0 {
					p.Goto(site.URL + address)
				}
				for _, line := range p.AxeByDay() {
					t.Errorf("%s: axe: %s", address, line)
				}
				for _, line := range p.Overflow(320 + 960*(1-i)) {
					t.Errorf("%s: overflow: %s", address, line)
				}
				if dir := os.Getenv("DESK_PICTURES"); dir != "" {
					p.Screenshot(fmt.Sprintf("%s/operator-%d-%02d.png", dir, i, n))
				}
			}
			for _, line := range p.Complaints() {
				t.Error(line)
			}
		})
	}
}
