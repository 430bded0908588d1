package desk

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pombo"
	"pombo/internal/chart"
	"pombo/internal/desk/page"
	"pombo/internal/tally"
	"pombo/internal/words"
)

// failureSpan is one of the times that the pages of failures look back on.
type failureSpan struct {
	name   string // in the address
	long   time.Duration
	choice string // key of its word in the row of choices
	empty  string // key of the sentence when nothing failed in it
}

// failureSpans lists them, the usual one first.
func failureSpans() []failureSpan {
	const day = 24 * time.Hour
	return []failureSpan{
		{"24h", day, "failures.last_day", "failures.none_day"},
		{"7d", 7 * day, "failures.last_week", "failures.none_week"},
		{"30d", 30 * day, "failures.last_month", "failures.none_month"},
	}
}

// spanOf returns the span that an address names.
func spanOf(r *http.Request) failureSpan {
	spans := failureSpans()
	for _, span := range spans {
		if span.name == r.URL.Query().Get("span") {
			return span
		}
	}
	return spans[0]
}

// spanLink is a choice of the row of spans.
type spanLink struct {
	page.Link
	Current bool
}

func spanLinks(w figureWords, path string, current failureSpan) []spanLink {
	var links []spanLink
	for _, span := range failureSpans() {
		links = append(links, spanLink{page.Link{Href: path + "?span=" + span.name, Text: w.Text(span.choice)}, span == current})
	}
	return links
}

// failuresView is page/failures.tmpl.
type failuresView struct {
	Spans   []spanLink
	Figures []page.Figure
	Table   page.Table
	Empty   page.Empty // instead of the table, when nothing failed
	AsOf    string
	CSV     string
}

func (s *Server) readFailures(r *http.Request, span failureSpan) (tally.Failures, error) {
	ctx, cancel := context.WithTimeout(r.Context(), figureTime)
	defer cancel()
	return tally.ReadFailures(ctx, s.figures(), s.o.Now(), span.long, s.o.Zone)
}

func (s *Server) getFailures(w http.ResponseWriter, r *http.Request) error {
	span, say := spanOf(r), s.figureWords(r)
	f, err := s.readFailures(r, span)
	if err != nil {
		return err
	}
	v := failuresView{Spans: spanLinks(say, "/desk/failures", span), AsOf: say.asOf(f.Counted), CSV: "/desk/failures.csv?span=" + span.name}
	v.Figures = say.failureFigures(f)
	if len(f.Groups) == 0 {
		v.Empty = page.Empty{Title: say.Text(span.empty), Text: say.lastFailure(f.Last)}
		if f.Counted.At.IsZero() {
			v.Empty = page.Empty{Title: v.AsOf}
		}
		return s.render(w, r, "failures", v)
	}
	for _, name := range []struct {
		key    string
		number bool
	}{
		{"failures.reason", false}, {"failures.count", true}, {"failures.templates", false}, {"failures.since", false}, {"failures.trend", false}, {"failures.again", false},
	} {
		v.Table.Columns = append(v.Table.Columns, page.Column{Word: say.Text(name.key), Number: name.number})
	}
	v.Table.Caption = say.Text("failures.caption", say.Text(span.choice))
	for i := range f.Groups {
		g := &f.Groups[i]
		v.Table.Rows = append(v.Table.Rows, []page.Cell{
			{Href: failurePath(g.Reason, span), Text: capitalized(say.Reason(g.Reason))},
			{Href: messagesPath(g.Reason, ""), Text: say.Number(g.N)},
			{Text: say.templates(g.Templates)},
			say.since(g, s.moment(say.Words, g.First)),
			{Drawing: say.trend("trend-"+string(g.Reason), g).SVG()},
			{Text: say.again(g.Reason)},
		})
	}
	return s.render(w, r, "failures", v)
}

// failureFigures says how many did not arrive, and what part that is, beside the span
// before.
func (w figureWords) failureFigures(f tally.Failures) []page.Figure {
	missed, before := f.Total.Failed+f.Total.Unsent, f.TotalBefore.Failed+f.TotalBefore.Unsent
	figures := []page.Figure{
		{Word: w.Text("failures.missed", f.Total.Entered), Number: w.Number(missed)},
		{Word: w.Text("failures.share"), Number: w.Percent(f.Total.Share(missed))},
		{Word: w.Text("failures.share_before", before), Number: w.Percent(f.TotalBefore.Share(before))},
	}
	if missed > 0 {
		figures[0].Tone = "bad"
	}
	if f.TotalBefore.Entered == 0 {
		figures = figures[:2]
	}
	return figures
}

// lastFailure says how long nothing has failed.
func (w figureWords) lastFailure(last time.Time) string {
	if last.IsZero() {
		return w.Text("failures.never")
	}
	return w.Text("failures.last", w.now.Sub(last))
}

// templates names the most frequent of a group.
func (w figureWords) templates(list []tally.TemplateCount) string {
	const shown = 3
	var names []string
	for _, one := range list[:min(len(list), shown)] {
		names = append(names, w.template(one.Template)+" ("+w.Number(one.N)+")")
	}
	if more := len(list) - shown; more > 0 {
		names = append(names, w.Text("failures.more_templates", more))
	}
	return strings.Join(names, ", ")
}

// since says since when a group has been there.
func (w figureWords) since(g *tally.FailureGroup, first page.Time) page.Cell {
	switch {
	case g.New == tally.NewAllWeek, g.New == tally.NewToday:
		word := w.Text("failures.new_today")
		if g.New == tally.NewAllWeek {
			word = w.Text("failures.new_week")
		}
		return page.Cell{Badge: page.Badge{Icon: "alert", Tone: "warn", Word: word, Detail: w.Text("failures.since_hour", words.Clock{At: g.First, Now: w.now})}}
	case g.Always:
		return page.Cell{Text: w.Text("failures.always")}
	}
	return page.Cell{Time: first}
}

// trend draws the last seven times 24 hours.
func (w figureWords) trend(id string, g *tally.FailureGroup) chart.Sparkline {
	values := make([]float64, len(g.Trend))
	said := make([]string, len(g.Trend))
	for i, n := range g.Trend {
		values[i], said[i] = float64(n), w.Number(n)
	}
	return chart.Sparkline{Frame: w.frame(id, w.Text("failures.trend_of", g.Reason), w.Text("failures.trend_numbers", strings.Join(said, ", "))), Values: values}
}

// again says whether sending again helps for this reason.
func (w figureWords) again(r pombo.Reason) string {
	switch r.Class() {
	case pombo.ClassRow:
		return w.Text("failures.again_row")
	case pombo.ClassTemplate:
		return w.Text("failures.again_template")
	case pombo.ClassPerson:
		return w.Text("failures.again_person")
	case pombo.ClassBot:
		return w.Text("failures.again_bot")
	case pombo.ClassRate:
		return w.Text("failures.again_rate")
	case pombo.ClassLink:
		return w.Text("failures.again_link")
	case pombo.ClassRequest:
		return w.Text("failures.again_request")
	case pombo.ClassOperator:
		return w.Text("failures.again_operator")
	default:
		return w.Text("failures.again_pombo")
	}
}

// capitalized begins a text with a capital letter.
func capitalized(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

func failurePath(r pombo.Reason, span failureSpan) string {
	return "/desk/failures/" + url.PathEscape(string(r)) + "?span=" + span.name
}

// messagesPath is the list of messages with a filter.
func messagesPath(r pombo.Reason, template string) string {
	q := url.Values{"reason": {string(r)}}
	if template != "" {
		q.Set("template", template)
	}
	return "/desk/messages?" + q.Encode()
}

// failureView is page/failure.tmpl.
type failureView struct {
	Title   string // the reason
	Hint    string
	Again   string
	Code    string
	Spans   []spanLink
	Table   page.Table
	Trend   page.Chart
	Empty   page.Empty
	List    page.Link
	Resend  page.Link // to the plan; empty = the visitor may not, or it is pointless
	AllPath page.Link
	AsOf    string
}

func (s *Server) getFailure(w http.ResponseWriter, r *http.Request) error {
	reason := pombo.Reason(r.PathValue("reason"))
	if !reason.Valid() || reason == pombo.NoReason {
		return pombo.ErrNotFound
	}
	span, say := spanOf(r), s.figureWords(r)
	f, err := s.readFailures(r, span)
	if err != nil {
		return err
	}
	path := "/desk/failures/" + url.PathEscape(string(reason))
	v := failureView{
		Title: capitalized(say.Reason(reason)), Hint: capitalized(say.ReasonHint(reason)), Again: capitalized(say.again(reason)), Code: string(reason),
		Spans: spanLinks(say, path, span), AsOf: say.asOf(f.Counted),
		List:    page.Link{Href: messagesPath(reason, ""), Text: say.Text("failures.list")},
		AllPath: page.Link{Href: "/desk/failures?span=" + span.name, Text: say.Text("failures.all")},
	}
	var group *tally.FailureGroup
	for i := range f.Groups {
		if f.Groups[i].Reason == reason {
			group = &f.Groups[i]
		}
	}
	if group == nil {
		v.Empty = page.Empty{Title: say.Text("failures.none_of_reason"), Text: say.Text("failures.none_of_reason_hint"), Links: []page.Link{v.AllPath}}
		return s.render(w, r, "failure", v)
	}
	state := resendable(reason)
	offer := state != "" && may(visitorOf(r).User, operate)
	if offer {
		v.Resend = page.Link{Href: planPath(pombo.BulkRetry, pombo.BulkFilter{States: []pombo.State{state}, Reason: reason, Since: f.Span.From}), Text: say.Text("failures.resend")}
	}
	v.Table = page.Table{Caption: say.Text("failures.by_template", group.N, say.Text(span.choice)), Columns: []page.Column{
		{Word: say.Text("failures.template")}, {Word: say.Text("failures.count"), Number: true}, {Word: say.Text("failures.share_of_reason"), Number: true},
	}}
	if offer {
		v.Table.Columns = append(v.Table.Columns, page.Column{Word: say.Text("failures.do")})
	}
	for _, t := range group.Templates {
		row := []page.Cell{
			{Text: say.template(t.Template)},
			{Text: say.Number(t.N)},
			{Text: say.Percent(float64(t.N) / float64(group.N))},
		}
		if t.Template != pombo.UnknownTemplate {
			row[0].Href = messagesPath(reason, t.Template)
		}
		if offer {
			cell := page.Cell{Text: "–"}
			if t.Template != pombo.UnknownTemplate {
				cell = page.Cell{Href: planPath(pombo.BulkRetry, pombo.BulkFilter{States: []pombo.State{state}, Reason: reason, Template: t.Template, Since: f.Span.From}), Text: say.Text("failures.resend_template", t.N)}
			}
			row = append(row, cell)
		}
		v.Table.Rows = append(v.Table.Rows, row)
	}
	v.Trend = say.trendChart(group)
	return s.render(w, r, "failure", v)
}

// trendChart draws the trend of a group with its days.
func (w figureWords) trendChart(g *tally.FailureGroup) page.Chart {
	c := chart.Stacked{Frame: w.frame("trend", w.Text("failures.trend_of", g.Reason), w.Text("failures.trend_days"))}
	series := chart.Series{Name: w.Text("failures.count")}
	for i, n := range g.Trend {
		ago := len(g.Trend) - 1 - i
		label := w.Text("failures.today")
		if ago > 0 {
			label = w.Text("failures.days_ago", ago)
		}
		c.Labels, series.Values = append(c.Labels, label), append(series.Values, float64(n))
	}
	c.Series = []chart.Series{series}
	return chartOf(w.Words, w.Text("failures.trend_days"), w.Text("failures.day"), c, nil)
}

// resendFrom has the reasons whose notifications are not among the failed; "" = they
// cannot be sent again together.
var resendFrom = map[pombo.Reason]pombo.State{
	pombo.NoAnswer:         pombo.Uncertain,
	pombo.GatewayTimeout:   pombo.Uncertain,
	pombo.AwaitingOperator: pombo.Uncertain,
	pombo.LedgerWentBack:   pombo.Uncertain,
	pombo.Withdrawn:        pombo.Cancelled,
	pombo.CancelledByHand:  pombo.Cancelled,
	pombo.ExpiredRow:       "",
}

// resendable returns the state in which those of a reason can be sent again together; ""
// when that is pointless.
func resendable(r pombo.Reason) pombo.State {
	if r.Class() == pombo.ClassPerson {
		return ""
	}
	if state, elsewhere := resendFrom[r]; elsewhere {
		return state
	}
	return pombo.Failed
}

// getFailuresCSV has the table of failures for a spreadsheet, by template.
func (s *Server) getFailuresCSV(w http.ResponseWriter, r *http.Request) error {
	span, say := spanOf(r), s.figureWords(r)
	f, err := s.readFailures(r, span)
	if err != nil {
		return err
	}
	out := newSheet(w, r, say, "pombo-failures-"+span.name)
	out.row(say.Text("failures.reason"), say.Text("failures.code"), say.Text("failures.template"), say.Text("failures.count"), say.Text("failures.again"))
	for _, g := range f.Groups {
		for _, t := range g.Templates {
			out.row(say.Reason(g.Reason), string(g.Reason), say.template(t.Template), t.N, say.again(g.Reason))
		}
	}
	return out.end()
}
