package desk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/chart"
	"pombo/internal/desk/page"
	"pombo/internal/health"
	"pombo/internal/tally"
	"pombo/internal/words"
)

// nowView is page/now.tmpl.
type nowView struct {
	Away    bool // the ledger does not answer: what only it knows is missing
	Empty   *page.Empty
	Alerts  []page.Notice
	Figures []page.Figure
	Counted page.Time // when the figures were counted
	Hours   *page.Chart
	Queue   *page.Chart
	Waits   page.Table
	Parts   page.Table
	Facts   []page.Fact
	Since   string // heads News
	News    []newsLine
	Buttons []page.Link
}

type newsLine struct {
	Time page.Time
	Text string
}

// getNow shows the state of sending: first what needs to be done.
func (s *Server) getNow(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	f, err := s.facts.health.get(ctx)
	if err != nil && isScript(r) {
		return errLedgerAway
	}
	p := nowPage{s: s, r: r, say: wordsOf(r), f: f, now: s.o.Now().In(s.o.Zone)}
	p.f.Now = p.f.Now.In(s.o.Zone)
	if err != nil {
		p.v.Away = true
		p.parts(ctx)
		return s.render(w, r, "now", p.v)
	}
	today, err := s.facts.today.get(ctx)
	if err != nil {
		p.log("figures of today", err)
	}
	if p.wants("state") {
		p.alerts()
		p.empty(today)
		p.figures(today)
		p.waits()
		p.parts(ctx)
		p.passes(ctx)
	}
	if p.wants("charts") {
		p.hours(today)
		p.line()
	}
	if p.wants("news") {
		p.news(ctx, today)
	}
	p.buttons()
	return s.render(w, r, "now", p.v)
}

// nowPage puts the view together.
type nowPage struct {
	s   *Server
	r   *http.Request
	say *words.Words
	f   health.Snapshot
	now time.Time
	v   nowView
}

// wants reports whether a part must be made: every part for a page, one for a script.
func (p *nowPage) wants(part string) bool {
	asked := p.r.Header.Get(partHeader)
	return asked == "" || asked == part
}

// buttons are what an operator can do from here.
func (p *nowPage) buttons() {
	pause := page.Link{Href: p.s.link(p.r, "/desk/pause"), Text: p.say.Text("button.pause")}
	if p.f.Paused {
		pause = page.Link{Href: p.s.link(p.r, "/desk/resume"), Text: p.say.Text("button.resume")}
	}
	for _, l := range []page.Link{pause, {Href: p.s.link(p.r, "/desk/runs/new"), Text: p.say.Text("button.run")}, {Href: p.s.link(p.r, "/desk/findings/new"), Text: p.say.Text("button.reconcile")}} {
		if l.Href != "" {
			p.v.Buttons = append(p.v.Buttons, l)
		}
	}
}

// log says what is missing on the page, which is shown all the same.
func (p *nowPage) log(what string, err error) {
	p.s.log.WarnContext(p.r.Context(), "the desk's first page lacks something", "what", what, "error", err, "often", pombo.Often("desk now "+what))
}

// link returns an address, or "" when there is no such page or the visitor may not see it.
func (s *Server) link(r *http.Request, path string, query ...string) string {
	rt, ok := s.routes["GET "+path]
	if v := visitorOf(r); !ok || v == nil || !may(v.User, rt.right) {
		return ""
	}
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// moment is a time as the pages show it.
func (s *Server) moment(say *words.Words, t time.Time) page.Time {
	return clerk{say, &s.o, s.o.Now().In(s.o.Zone)}.at(t)
}

// alertPages are where an alert can be looked into.
var alertPages = map[string]struct{ path, text string }{
	"template":          {"/desk/templates", "menu.templates"},
	"template_category": {"/desk/templates", "menu.templates"},
	"rejected_rows":     {"/desk/table", "menu.table"},
	"finished_pending":  {"/desk/table", "menu.table"},
	"settle_behind":     {"/desk/table", "menu.table"},
	"uncertain":         {"/desk/messages", "menu.messages"},
	"same_failure":      {"/desk/failures", "menu.failures"},
}

var badAlerts = map[string]bool{"ledger": true, "key_refused": true, "account_limited": true, "same_failure": true, "nothing_sent": true, "intake": true}

func (p *nowPage) alerts() {
	for _, a := range p.f.Alerts() {
		n := page.Notice{Level: "warn", Title: asSentence(p.say.Say(a.What)), Text: asSentence(p.say.Say(a.Todo))}
		if badAlerts[a.Name] {
			n.Level = "bad"
		}
		if at, ok := alertPages[a.Name]; ok {
			if href := p.s.link(p.r, at.path); href != "" {
				n.Links = append(n.Links, page.Link{Href: href, Text: p.say.Text(at.text)})
			}
		}
		p.v.Alerts = append(p.v.Alerts, n)
	}
}

func (p *nowPage) waits() {
	p.v.Waits = page.Table{Caption: p.say.Text("now.waits"), Columns: []page.Column{{Word: p.say.Text("now.wait_for")}, {Word: p.say.Text("now.how_many"), Number: true}}}
	waiting := p.f.Waiting()
	for _, why := range pombo.WaitReasons() {
		if n := waiting[why]; n > 0 {
			p.v.Waits.Rows = append(p.v.Waits.Rows, []page.Cell{{Text: p.say.Wait(why)}, {Text: p.say.Number(n)}})
		}
	}
}

func (p *nowPage) parts(ctx context.Context) {
	p.v.Parts = page.Table{
		Caption: p.say.Text("now.parts"),
		Columns: []page.Column{{Word: p.say.Text("now.part")}, {Word: p.say.Text("now.part_state")}, {Word: p.say.Text("now.part_time"), Number: true}},
	}
	list, err := p.s.facts.checks.get(ctx)
	if err != nil {
		return // the visitor has gone
	}
	for _, c := range list {
		badge := page.Badge{Icon: "ticks", Tone: "good", Word: p.say.Text("now.part_ok")}
		took := p.say.Number(int(max(1, c.took.Milliseconds()))) + " ms"
		if c.err != nil {
			badge, took = page.Badge{Icon: "cross", Tone: "bad", Word: p.say.Text("now.part_bad"), Detail: c.err.Error()}, "–"
			if errors.Is(c.err, context.DeadlineExceeded) {
				badge.Detail = p.say.Text("now.part_slow", readTime)
			}
		}
		p.v.Parts.Rows = append(p.v.Parts.Rows, []page.Cell{{Text: p.say.Text("part." + c.name)}, {Badge: badge}, {Text: took}})
	}
}

func (p *nowPage) figures(t tally.Today) {
	today := p.now.Format(time.DateOnly)
	list := func(state pombo.State) string {
		return p.s.link(p.r, "/desk/messages", "state", string(state), "from", today)
	}
	all := p.s.link(p.r, "/desk/messages", "from", today)
	figure := func(key string, n int, href, tone string) {
		if n == 0 {
			tone = ""
		}
		p.v.Figures = append(p.v.Figures, page.Figure{Word: p.say.Text(key), Number: p.say.Number(n), Href: href, Tone: tone})
	}
	figure("figure.entered", t.Total.Entered, all, "")
	figure("figure.accepted", t.Total.Accepted, all, "")
	figure("figure.delivered", t.Total.Delivered, list(pombo.Delivered), "")
	figure("figure.read", t.Total.Read, list(pombo.Read), "")
	failed := p.s.link(p.r, "/desk/failures")
	if failed == "" {
		failed = list(pombo.Failed)
	}
	figure("figure.failed", t.Total.Failed, failed, "bad")
	figure("figure.uncertain", p.f.Backlog.States[pombo.Uncertain], p.s.link(p.r, "/desk/messages", "state", string(pombo.Uncertain)), "warn")
	p.v.Counted = p.s.moment(p.say, t.Counted.At)
}

// hours draws what came in by the hour, by what has become of it.
func (p *nowPage) hours(t tally.Today) {
	if t.Total.Entered == 0 && t.Counted.Since.IsZero() || len(t.Hours) == 0 {
		return
	}
	names := []string{"figure.delivered", "figure.sent", "figure.open", "figure.failed", "figure.unsent"}
	c := chart.Stacked{Frame: chart.Frame{ID: "hours", Title: p.say.Text("now.hours"), Desc: p.say.Text("now.hours_desc", t.Total.Entered), Number: count(p.say)}}
	for _, name := range names {
		c.Series = append(c.Series, chart.Series{Name: p.say.Text(name)})
	}
	for _, bar := range t.Hours {
		c.Labels = append(c.Labels, bar.Start.In(p.s.o.Zone).Format("15")+" h")
		for i, n := range []int{bar.Delivered, bar.Accepted - bar.Delivered, bar.Open, bar.Failed, bar.Unsent} {
			c.Series[i].Values = append(c.Series[i].Values, float64(n))
		}
	}
	shown := chartOf(p.say, p.say.Text("now.hours"), p.say.Text("now.hour"), c, c.Legend())
	p.v.Hours = &shown
}

const (
	lineStep  = 20 * time.Minute
	lineAhead = 6 // steps of the forecast at most
)

// line draws how long the queue was, and how long it will be if all goes on as it does.
func (p *nowPage) line() {
	points := p.s.queue.since(p.now.Add(-24*time.Hour), lineStep)
	if len(points) < 2 {
		return
	}
	c := chart.Line{
		Frame: chart.Frame{ID: "queue", Title: p.say.Text("now.queue"), Desc: p.say.Text("now.queue_desc", p.f.Backlog.States[pombo.Queued]), Number: count(p.say)},
		Value: p.say.Text("now.queued"), Expected: p.say.Text("now.expected"),
	}
	for _, at := range points {
		c.Labels = append(c.Labels, at.at.In(p.s.o.Zone).Format("15:04"))
		c.Values = append(c.Values, float64(at.n))
	}
	last := points[len(points)-1]
	if rate, ok := p.f.Progress.Pace.Shrinks(); ok && !p.f.Paused && !p.f.Shared && last.n > 0 {
		c.Forecast = len(points)
		for i := 1; i <= lineAhead; i++ {
			left := float64(last.n) - rate*(time.Duration(i)*lineStep).Seconds()
			c.Labels = append(c.Labels, last.at.Add(time.Duration(i)*lineStep).In(p.s.o.Zone).Format("15:04"))
			c.Values = append(c.Values, max(0, left))
			if left <= 0 {
				break
			}
		}
	}
	shown := chartOf(p.say, p.say.Text("now.queue"), p.say.Text("now.hour"), c, nil)
	p.v.Queue = &shown
}

// passes says when rows were last looked for, and when all was last compared.
func (p *nowPage) passes(ctx context.Context) {
	progress := p.f.Progress
	pass := page.Fact{Word: p.say.Text("now.last_pass"), Time: p.s.moment(p.say, progress.TakenIn), Text: p.say.Text("now.no_pass"), Href: p.s.link(p.r, "/desk/table")}
	if !progress.TakenIn.IsZero() {
		pass.Text = p.say.Text("now.left_out", progress.RejectedRows)
	}
	compared := page.Fact{Word: p.say.Text("now.last_comparison"), Text: p.say.Text("now.not_compared"), Href: p.s.link(p.r, "/desk/findings")}
	switch result, err := p.s.facts.compared.get(ctx); {
	case err == nil:
		total := 0
		for _, n := range result.Counts {
			total += n
		}
		compared.Time, compared.Text = p.s.moment(p.say, result.Finished), p.say.Text("now.findings", total)
	case !errors.Is(err, pombo.ErrNotFound):
		p.log("last comparison", err)
	}
	p.v.Facts = append(p.v.Facts, pass, compared)
}

// told are the acts that an operator should know about in the morning.
var told = map[audit.Act]bool{
	audit.Retry: true, audit.Cancel: true, audit.Bulk: true, audit.Pause: true, audit.Resume: true, audit.Resends: true, audit.Hold: true, audit.Release: true,
	audit.Reconcile: true, audit.OptOut: true, audit.OptIn: true, audit.Forget: true, audit.Send: true, audit.UserAdd: true, audit.UserChange: true,
}

const (
	newsHour  = 8
	mostNews  = 20
	newsLines = 500 // of the trail that are looked at
)

// news says what was not there yesterday at eight, and what people did since.
func (p *nowPage) news(ctx context.Context, t tally.Today) {
	y := p.now.AddDate(0, 0, -1)
	since := time.Date(y.Year(), y.Month(), y.Day(), newsHour, 0, 0, 0, p.s.o.Zone)
	p.v.Since = p.say.Text("now.since", words.Clock{At: since, Now: p.now})
	for _, n := range t.New {
		p.v.News = append(p.v.News, newsLine{p.s.moment(p.say, n.First), p.say.Text("now.new_reason", n.Reason, n.N)})
	}
	for _, a := range p.f.Alerts() {
		if a.Since.After(since) {
			p.v.News = append(p.v.News, newsLine{p.s.moment(p.say, a.Since), asSentence(p.say.Say(a.What))})
		}
	}
	if !may(visitorOf(p.r).User, operate) && !may(visitorOf(p.r).User, readAudit) {
		return
	}
	lines, err := p.s.facts.lines.get(ctx)
	if err != nil {
		p.log("audit trail", err)
		return
	}
	for _, e := range lines {
		if e.At.Before(since) {
			break
		}
		if !told[e.Act] || e.Result != audit.Done || len(p.v.News) >= mostNews {
			continue
		}
		what := p.say.Text("act." + string(e.Act))
		if pombo.ValidTemplateName(e.Target) || e.Act == audit.UserAdd || e.Act == audit.UserChange {
			what += " " + e.Target
		}
		p.v.News = append(p.v.News, newsLine{p.s.moment(p.say, e.At), p.say.Text("now.did", e.Who, what)})
	}
}

// empty says what to check when nothing has ever come in.
func (p *nowPage) empty(t tally.Today) {
	open := 0
	for _, n := range p.f.Backlog.States {
		open += n
	}
	if open > 0 || t.Total.Entered > 0 || !t.Counted.Since.IsZero() {
		return
	}
	last := p.say.Text("time.never")
	if at := p.f.Progress.TakenIn; !at.IsZero() {
		last = p.say.Time(at, p.now)
	}
	p.v.Empty = &page.Empty{
		Title: p.say.Text("now.empty"), Text: p.say.Text("now.empty_text", last),
		Steps: []string{p.say.Text("now.empty_job"), p.say.Text("now.empty_pending"), p.say.Text("now.empty_doctor")},
	}
}
