package desk

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/chart"
	"pombo/internal/desk/page"
	"pombo/internal/tally"
)

const monthForm = "2006-01"

// reportView is page/report.tmpl.
type reportView struct {
	Title       string
	Before      page.Link
	After       page.Link // empty = this month is the last one
	Month       string
	Templates   []choice
	Empty       page.Empty // instead of all that follows
	Figures     []page.Figure
	Funnel      page.Chart
	Days        page.Chart
	Times       []page.Chart
	Reasons     page.Chart
	Answers     *page.Table // nil = there are none
	Table       page.Table
	Definitions []fact
	AsOf        string
	CSV, DayCSV string
}

// reportQuery reads which month and template an address asks for.
func (s *Server) reportQuery(r *http.Request) (q tally.ReportQuery, err error) {
	now := s.o.Now().In(s.o.Zone)
	q = tally.ReportQuery{Year: now.Year(), Month: now.Month(), Zone: s.o.Zone}
	if text := r.URL.Query().Get("month"); text != "" {
		month, err := time.Parse(monthForm, text)
		if err != nil || month.Year() < 2000 || month.Year() > 2199 {
			return q, pombo.ErrNotFound
		}
		q.Year, q.Month = month.Year(), month.Month()
	}
	if template := r.URL.Query().Get("template"); template != "" {
		q.Template = &template
	}
	return q, nil
}

func reportPath(path string, year int, month time.Month, template *string) string {
	q := url.Values{"month": {time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Format(monthForm)}}
	if template != nil {
		q.Set("template", *template)
	}
	return path + "?" + q.Encode()
}

func (s *Server) readReport(r *http.Request) (q tally.ReportQuery, report tally.Report, err error) {
	if q, err = s.reportQuery(r); err != nil {
		return q, report, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), figureTime)
	defer cancel()
	report, err = tally.ReadReport(ctx, s.figures(), q)
	return q, report, err
}

func (s *Server) getReport(w http.ResponseWriter, r *http.Request) error {
	q, report, err := s.readReport(r)
	if err != nil {
		return err
	}
	say := s.figureWords(r)
	month := say.Month(report.Month.From)
	v := reportView{
		Title: say.Text("report.of", month), Month: report.Month.From.Format(monthForm), AsOf: say.asOf(report.Counted), Definitions: say.definitions(),
		Before: page.Link{Href: reportPath("/desk/report", q.Year, q.Month-1, q.Template), Text: say.Month(report.MonthBefore.From)},
		CSV:    reportPath("/desk/report.csv", q.Year, q.Month, q.Template), DayCSV: reportPath("/desk/report.csv", q.Year, q.Month, q.Template) + "&by=day",
	}
	if report.Month.To.Before(say.now) {
		v.After = page.Link{Href: reportPath("/desk/report", q.Year, q.Month+1, q.Template), Text: say.Month(report.Month.To)}
	}
	if q.Template != nil {
		v.Title = say.Text("report.of_template", month, say.template(*q.Template))
	}
	v.Templates = say.templateChoices(report.Templates, q.Template)
	if report.Total.Entered == 0 {
		v.Empty = page.Empty{Title: say.Text("report.none", month), Text: say.figuresSince(report.Counted)}
		return s.render(w, r, "report", v)
	}
	v.Figures = say.reportFigures(report)
	v.Funnel = say.funnel(report.Total)
	v.Days = say.days(report.Days)
	for _, t := range report.Times {
		if t.N > 0 {
			v.Times = append(v.Times, say.times(t))
		}
	}
	if len(report.Reasons) > 0 {
		v.Reasons = say.reasons(report.Reasons)
	}
	answers, err := s.answers(r.Context(), report.Month)
	if err != nil {
		return err
	}
	v.Answers = say.answerTable(answers.of(q.Template), report.Total.Delivered)
	v.Table = s.templateTable(say, report, q.Template, answers)
	return s.render(w, r, "report", v)
}

// figuresSince says since when there are figures.
func (w figureWords) figuresSince(c pombo.Counted) string {
	if c.Since.IsZero() {
		return w.Text("report.no_figures")
	}
	return w.Text("report.since", w.Date(c.Since.In(w.now.Location())))
}

// templateChoices has the templates that can be chosen, and the one that is.
func (w figureWords) templateChoices(list []tally.TemplateReport, chosen *string) []choice {
	choices := []choice{{Text: w.Text("report.all_templates"), Chosen: chosen == nil}}
	found := chosen == nil
	for i := range list {
		name := list[i].Template
		is := chosen != nil && name == *chosen
		found = found || is
		choices = append(choices, choice{Value: name, Text: w.template(name), Chosen: is})
	}
	if !found {
		choices = append(choices, choice{Value: *chosen, Text: w.template(*chosen), Chosen: true})
	}
	return choices
}

// points says by how many percentage points a share has changed.
func (w figureWords) points(now, before float64) string {
	sign, change := "+", now-before
	switch {
	case math.Round(change*1000) == 0:
		sign, change = "±", 0
	case change < 0:
		sign, change = "−", -change
	}
	return w.Text("report.points", sign+strings.TrimSuffix(w.Percent(change), "%"))
}

// reportFigures are the totals, with what has changed since the month before.
func (w figureWords) reportFigures(r tally.Report) []page.Figure {
	figures := []page.Figure{{Word: w.Text("report.entered"), Number: w.Number(r.Total.Entered)}}
	for _, one := range []struct {
		key         string
		now, before int
		tone        string
	}{
		{"report.accepted", r.Total.Accepted, r.Before.Accepted, ""},
		{"report.delivered", r.Total.Delivered, r.Before.Delivered, ""},
		{"report.read_note", r.Total.Read, r.Before.Read, ""},
		{"report.failed", r.Total.Failed, r.Before.Failed, "bad"},
	} {
		f := page.Figure{Word: w.Text(one.key), Number: w.Percent(r.Total.Share(one.now))}
		if r.Before.Entered > 0 {
			f.Word = w.Text("report.against", f.Word, w.points(r.Total.Share(one.now), r.Before.Share(one.before)), w.Month(r.MonthBefore.From))
		}
		if one.now > 0 {
			f.Tone = one.tone
		}
		figures = append(figures, f)
	}
	return figures
}

func (w figureWords) funnel(f tally.Funnel) page.Chart {
	title := w.Text("report.funnel")
	c := chart.Funnel{
		Frame: w.frame("funnel", title, w.Text("report.funnel_desc", f.Entered, w.Percent(f.Share(f.Accepted)), w.Percent(f.Share(f.Delivered)), w.Percent(f.Share(f.Read)))),
		Value: w.Text("failures.count"), Part: w.Text("report.of_before"),
		Stages: []chart.Bar{
			{Name: w.Text("report.entered"), Value: float64(f.Entered)}, {Name: w.Text("report.accepted"), Value: float64(f.Accepted)},
			{Name: w.Text("report.delivered"), Value: float64(f.Delivered)}, {Name: w.Text("report.read_note"), Value: float64(f.Read)},
		},
	}
	return chartOf(w.Words, title, w.Text("report.stage"), c, nil)
}

// days draws each day until today.
func (w figureWords) days(bars []tally.Bar) page.Chart {
	title := w.Text("report.days")
	c := chart.Stacked{Frame: w.frame("days", title, ""), Series: []chart.Series{
		{Name: w.Text("report.read")}, {Name: w.Text("report.delivered_only")}, {Name: w.Text("report.accepted_only")},
		{Name: w.Text("report.failed")}, {Name: w.Text("report.open")}, {Name: w.Text("report.unsent")},
	}}
	var most tally.Bar
	for _, b := range bars {
		if b.Start.After(w.now) {
			break
		}
		c.Labels = append(c.Labels, strconv.Itoa(b.Start.Day()))
		for i, n := range []int{b.Read, b.Delivered - b.Read, b.Accepted - b.Delivered, b.Failed, b.Open, b.Unsent} {
			c.Series[i].Values = append(c.Series[i].Values, float64(n))
		}
		if b.Entered > most.Entered {
			most = b
		}
	}
	c.Desc = w.Text("report.days_desc", w.Date(most.Start), most.Entered)
	return chartOf(w.Words, title, w.Text("failures.day"), c, c.Legend())
}

// times draws how long a leg of the way took.
func (w figureWords) times(t tally.Times) page.Chart {
	title := map[pombo.Leg]string{
		pombo.LegAccepted: w.Text("report.leg_accepted"), pombo.LegDelivered: w.Text("report.leg_delivered"), pombo.LegRead: w.Text("report.leg_read"),
	}[t.Leg]
	median, p95, p99 := w.short(t.Median), w.short(t.P95), w.short(t.P99)
	c := chart.Histogram{Frame: w.frame("leg-"+t.Leg.String(), title, w.Text("report.leg_desc", median, p95, p99)), Count: w.Text("failures.count")}
	first, last := math.MaxInt, 0
	for bucket := range t.Buckets {
		first, last = min(first, bucket), max(last, bucket)
	}
	for b := first; b <= last; b++ {
		begin := time.Duration(0)
		if b > 0 {
			begin = time.Duration(math.Exp2(float64(b-1))) * time.Millisecond
		}
		c.Buckets = append(c.Buckets, chart.Bucket{Label: w.short(begin), Count: float64(t.Buckets[b])})
	}
	for _, m := range []struct {
		key string
		at  time.Duration
	}{{"report.median", t.Median}, {"report.ninety_five", t.P95}, {"report.ninety_nine", t.P99}} {
		place := math.Log2(max(1, float64(m.at)/float64(time.Millisecond))) - float64(first) + 1
		c.Marks = append(c.Marks, chart.Mark{At: max(0, place), Name: w.Text(m.key, w.short(m.at))})
	}
	return chartOf(w.Words, title+": "+w.Text("report.leg_desc", median, p95, p99), w.Text("report.from"), c, nil)
}

// short writes a duration for an axis.
func (w figureWords) short(d time.Duration) string {
	switch {
	case d < time.Second:
		return w.Text("report.ms", int(d/time.Millisecond))
	case d < time.Minute:
		return w.Text("report.s", d.Seconds())
	case d < time.Hour:
		return w.Text("report.min", d.Minutes())
	default:
		return w.Text("report.h", d.Hours())
	}
}

// reasons draws the most frequent ones.
func (w figureWords) reasons(list []tally.ReasonCount) page.Chart {
	const shown = 6
	title := w.Text("report.reasons")
	c := chart.Bars{Frame: w.frame("reasons", title, w.Text("report.reasons_desc", list[0].Reason, list[0].N)), Series: 4, Value: w.Text("failures.count")}
	others := 0
	for i, one := range list {
		switch {
		case one.N == 0:
		case i < shown:
			c.Bars = append(c.Bars, chart.Bar{Name: capitalized(w.Reason(one.Reason)), Value: float64(one.N)})
		default:
			others += one.N
		}
	}
	if others > 0 {
		c.Bars = append(c.Bars, chart.Bar{Name: w.Text("report.others"), Value: float64(others)})
	}
	return chartOf(w.Words, title, w.Text("failures.reason"), c, nil)
}

// templateTable has a line for each template, of the one that is chosen alone.
func (s *Server) templateTable(say figureWords, report tally.Report, chosen *string, answers answerCounts) page.Table {
	table := page.Table{Caption: say.Text("report.by_template", say.Month(report.MonthBefore.From)), Columns: []page.Column{
		{Word: say.Text("failures.template")}, {Word: say.Text("report.category")}, {Word: say.Text("report.entered"), Number: true}, {Word: say.Text("report.accepted"), Number: true},
		{Word: say.Text("report.delivered"), Number: true}, {Word: say.Text("report.read_note"), Number: true}, {Word: say.Text("report.answered"), Number: true}, {Word: say.Text("report.failed"), Number: true},
		{Word: say.Text("report.main_reason")}, {Word: say.Text("report.change"), Number: true},
	}}
	for i := range report.Templates {
		t := &report.Templates[i]
		if t.Total.Entered == 0 || chosen != nil && t.Template != *chosen {
			continue
		}
		category, _ := s.o.Category(t.Template)
		name := page.Cell{Text: say.template(t.Template)}
		if chosen == nil {
			name.Href = reportPath("/desk/report", report.Month.From.Year(), report.Month.From.Month(), &t.Template)
		}
		change := "–"
		if t.Before.Entered > 0 {
			change = say.points(t.Total.Share(t.Total.Delivered), t.Before.Share(t.Before.Delivered))
		}
		answered := "–"
		if len(answers) > 0 {
			answered = say.answeredOf(answers.of(&t.Template).total(), t.Total.Delivered)
		}
		share := func(n int) page.Cell { return page.Cell{Text: say.Percent(t.Total.Share(n))} }
		table.Rows = append(table.Rows, []page.Cell{
			name, {Text: cmp.Or(category, "–")}, {Text: say.Number(t.Total.Entered)}, share(t.Total.Accepted), share(t.Total.Delivered), share(t.Total.Read),
			{Text: answered}, share(t.Total.Failed),
			{Text: cmp.Or(say.Reason(t.Main.Reason), "–")}, {Text: change},
		})
	}
	return table
}

// answerCounts are the answers of a month.
type answerCounts []pombo.AnswerCount

// answers counts those that came in within a month.
func (s *Server) answers(ctx context.Context, month tally.Span) (answerCounts, error) {
	ctx, cancel := context.WithTimeout(ctx, figureTime)
	defer cancel()
	return s.o.Replies.AnswerCounts(ctx, month.From, month.To)
}

// of returns those to one template, by code; nil = to all of them.
func (a answerCounts) of(template *string) (list answerCounts) {
	for _, c := range a {
		if template != nil && c.Template != *template {
			continue
		}
		if i := slices.IndexFunc(list, func(o pombo.AnswerCount) bool { return o.Code == c.Code }); i >= 0 {
			list[i].N += c.N
			continue
		}
		list = append(list, pombo.AnswerCount{Code: c.Code, N: c.N})
	}
	slices.SortStableFunc(list, func(a, b pombo.AnswerCount) int { return cmp.Compare(b.N, a.N) })
	return list
}

func (a answerCounts) total() (n int) {
	for _, c := range a {
		n += c.N
	}
	return n
}

// answeredOf writes answers as a share of the messages that were delivered.
func (w figureWords) answeredOf(n, delivered int) string {
	if delivered == 0 {
		return "–"
	}
	return w.Percent(min(1, float64(n)/float64(delivered)))
}

// answerTable has answers by the code that they give; nil = there are none.
func (w figureWords) answerTable(counts answerCounts, delivered int) *page.Table {
	if len(counts) == 0 {
		return nil
	}
	table := &page.Table{Caption: w.Text("report.answers"), Columns: []page.Column{
		{Word: w.Text("report.answers_code")}, {Word: w.Text("report.answers_n"), Number: true}, {Word: w.Text("report.answers_of"), Number: true},
	}}
	row := func(word string, n int) {
		table.Rows = append(table.Rows, []page.Cell{{Text: word}, {Text: w.Number(n)}, {Text: w.answeredOf(n, delivered)}})
	}
	for _, c := range counts {
		row(cmp.Or(c.Code, w.Text("report.answers_none")), c.N)
	}
	row(w.Text("report.answered"), counts.total())
	return table
}

// definitions say what the words of the report mean.
func (w figureWords) definitions() []fact {
	return []fact{
		{w.Text("report.month"), w.Text("report.month_is", w.now.Location().String())},
		{w.Text("report.entered"), w.Text("report.entered_is")},
		{w.Text("report.accepted"), w.Text("report.accepted_is")},
		{w.Text("report.delivered"), w.Text("report.delivered_is")},
		{w.Text("report.read_note"), w.Text("report.read_is")},
		{w.Text("report.answered"), w.Text("report.answered_is")},
		{w.Text("report.failed"), w.Text("report.failed_is")},
		{w.Text("report.unsent"), w.Text("report.unsent_is")},
		{w.Text("report.points_word"), w.Text("report.points_are")},
	}
}

// getReportCSV has the table of templates, or that of days, for a spreadsheet.
func (s *Server) getReportCSV(w http.ResponseWriter, r *http.Request) error {
	q, report, err := s.readReport(r)
	if err != nil {
		return err
	}
	say := s.figureWords(r)
	byDay := r.URL.Query().Get("by") == "day"
	name := fmt.Sprintf("pombo-report-%04d-%02d", q.Year, int(q.Month))
	if byDay {
		name += "-days"
	}
	var answers answerCounts
	if !byDay {
		if answers, err = s.answers(r.Context(), report.Month); err != nil {
			return err
		}
	}
	out := newSheet(w, r, say, name)
	counts := []any{
		say.Text("report.entered"), say.Text("report.accepted"), say.Text("report.delivered"), say.Text("report.read"), say.Text("report.failed"), say.Text("report.unsent"), say.Text("report.open"),
		say.Text("report.accepted") + " %", say.Text("report.delivered") + " %", say.Text("report.read") + " %", say.Text("report.failed") + " %",
	}
	numbers := func(f tally.Funnel) []any {
		return []any{
			f.Entered, f.Accepted, f.Delivered, f.Read, f.Failed, f.Unsent, f.Open,
			f.Share(f.Accepted), f.Share(f.Delivered), f.Share(f.Read), f.Share(f.Failed),
		}
	}
	if byDay {
		out.row(append([]any{say.Text("failures.day")}, counts...)...)
		for _, b := range report.Days {
			if b.Start.Before(say.now) {
				out.row(append([]any{b.Start.Format(time.DateOnly)}, numbers(b.Funnel)...)...)
			}
		}
		return out.end()
	}
	head := append([]any{say.Text("report.month"), say.Text("failures.template")}, counts...)
	out.row(append(head, say.Text("report.main_reason"), say.Text("report.delivered_before"), say.Text("report.answered"))...)
	for _, t := range slices.Clone(report.Templates) {
		if t.Total.Entered == 0 || q.Template != nil && t.Template != *q.Template {
			continue
		}
		row := append([]any{report.Month.From.Format(monthForm), say.template(t.Template)}, numbers(t.Total)...)
		before := any("")
		if t.Before.Entered > 0 {
			before = t.Before.Share(t.Before.Delivered)
		}
		out.row(append(row, say.Reason(t.Main.Reason), before, answers.of(&t.Template).total())...)
	}
	return out.end()
}
