package tally_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/tally"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func hour(text string) time.Time {
	t, err := time.Parse("2006-01-02 15", text)
	if err != nil {
		panic(err)
	}
	return t
}

// fakeReader has cells and latencies.
type fakeReader struct {
	cells     []pombo.Cell
	latencies []pombo.Latency
	counted   pombo.Counted
}

func (f *fakeReader) Cells(_ context.Context, from, to time.Time) (list []pombo.Cell, err error) {
	for _, c := range f.cells {
		if (tally.Span{From: from, To: to}).Has(c.Hour) {
			list = append(list, c)
		}
	}
	return list, nil
}

func (f *fakeReader) DayCells(ctx context.Context, from, to time.Time) ([]pombo.Cell, error) {
	list, err := f.Cells(ctx, from, to)
	for i := range list {
		list[i].Hour = date(list[i].Hour, from.Location())
	}
	return list, err
}

func (f *fakeReader) DayLatencies(_ context.Context, from, to time.Time) (list []pombo.Latency, err error) {
	for _, l := range f.latencies {
		if (tally.Span{From: from, To: to}).Has(l.Hour) {
			l.Hour = date(l.Hour, from.Location())
			list = append(list, l)
		}
	}
	return list, nil
}

func date(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func (f *fakeReader) Counted(context.Context) (pombo.Counted, error) { return f.counted, nil }

func TestMonth_BeginsAtMidnightOfTheZone(t *testing.T) {
	m := tally.Month(2026, time.November, zone(t, "America/Sao_Paulo"))
	if !m.From.Equal(hour("2026-11-01 03")) || !m.To.Equal(hour("2026-12-01 03")) {
		t.Errorf("November is from %v to %v", m.From.UTC(), m.To.UTC())
	}
	if !m.Has(m.From) || m.Has(m.To) || m.Has(m.From.Add(-1)) {
		t.Error("a month has its first instant and not the first of the next")
	}
}

// A month in which the clocks change has days of 23 and 25 hours, and no hour is lost.
func TestDays_WhenTheClocksChange(t *testing.T) {
	paris := zone(t, "Europe/Paris")
	for _, month := range []time.Month{time.March, time.October} {
		m := tally.Month(2026, month, paris)
		var cells []pombo.Cell
		for h := m.From.UTC().Add(-time.Hour); !h.After(m.To); h = h.Add(time.Hour) {
			cells = append(cells, pombo.Cell{Hour: h, State: pombo.Read, N: 1})
		}
		total, lengths := 0, map[int]int{}
		days := tally.Days(cells, m)
		for _, d := range days {
			total += d.Entered
			lengths[d.Entered]++
		}
		odd := map[time.Month]int{time.March: 23, time.October: 25}[month]
		if len(days) != 31 || lengths[24] != 30 || lengths[odd] != 1 || total != len(cells)-2 {
			t.Errorf("%v has %d days with %v hours, %d in all", month, len(days), lengths, total)
		}
	}
}

func TestTotal_CountsEveryStateOnce(t *testing.T) {
	s := tally.Span{From: hour("2026-11-01 00"), To: hour("2026-12-01 00")}
	for _, state := range pombo.States() {
		f := tally.Total([]pombo.Cell{{Hour: s.From, State: state, N: 3}}, s)
		if f.Entered != 3 || f.Accepted+f.Failed+f.Unsent+f.Open != 3 || f.Delivered > f.Accepted || f.Read > f.Delivered {
			t.Errorf("%s: %+v", state, f)
		}
	}
	if got := (tally.Funnel{}).Share(0); got != 0 {
		t.Errorf("a share of none is %v", got)
	}
}

func november(state pombo.State, template string, reason pombo.Reason, n int) pombo.Cell {
	return pombo.Cell{Hour: hour("2026-11-20 12"), Template: template, State: state, Reason: reason, N: n}
}

func october(state pombo.State, template string, reason pombo.Reason, n int) pombo.Cell {
	c := november(state, template, reason, n)
	c.Hour = hour("2026-10-20 12")
	return c
}

func TestReadReport(t *testing.T) {
	r := &fakeReader{
		counted: pombo.Counted{At: hour("2026-11-29 08")},
		cells: []pombo.Cell{
			october(pombo.Read, "a", pombo.NoReason, 10),
			october(pombo.Failed, "a", pombo.NotOnWhatsApp, 2),
			{Hour: hour("2026-11-01 02"), Template: "a", State: pombo.Read, N: 1}, // still October in São Paulo
			{Hour: hour("2026-11-01 03"), Template: "a", State: pombo.Read, N: 100},
			november(pombo.Delivered, "a", pombo.NoReason, 50),
			november(pombo.Failed, "a", pombo.NotOnWhatsApp, 7),
			november(pombo.Failed, "a", pombo.ParameterFormat, 8),
			november(pombo.Suppressed, "b", pombo.OptedOut, 4),
			november(pombo.Accepted, "b", pombo.TraceFound, 5), // a reason, and no failure
			november(pombo.Queued, "b", pombo.RateLimited, 6),
			november(pombo.Uncertain, "b", pombo.NoAnswer, 1),
		},
		latencies: []pombo.Latency{
			{Hour: hour("2026-11-20 12"), Template: "a", Leg: pombo.LegAccepted, Bucket: 12, N: 150},
			{Hour: hour("2026-11-20 12"), Template: "b", Leg: pombo.LegAccepted, Bucket: 2, N: 5},
			{Hour: hour("2026-10-20 12"), Template: "a", Leg: pombo.LegAccepted, Bucket: 1, N: 5},
		},
	}
	q := tally.ReportQuery{Year: 2026, Month: time.November, Zone: zone(t, "America/Sao_Paulo")}
	got, err := tally.ReadReport(t.Context(), r, q)
	if err != nil {
		t.Fatal(err)
	}
	total := tally.Funnel{Entered: 181, Accepted: 155, Delivered: 150, Read: 100, Failed: 15, Unsent: 4, Open: 7}
	if diff := cmp.Diff(total, got.Total); diff != "" {
		t.Errorf("November (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tally.Funnel{Entered: 13, Accepted: 11, Delivered: 11, Read: 11, Failed: 2}, got.Before); diff != "" {
		t.Errorf("October (-want +got):\n%s", diff)
	}
	if len(got.Days) != 30 || got.Days[0].Entered != 100 || got.Days[19].Entered != 81 || got.Days[1].Entered != 0 {
		t.Errorf("days: %+v", got.Days)
	}
	reasons := []tally.ReasonCount{
		{Reason: pombo.ParameterFormat, N: 8},
		{Reason: pombo.NotOnWhatsApp, N: 7, Before: 2},
		{Reason: pombo.OptedOut, N: 4},
		{Reason: pombo.NoAnswer, N: 1},
	}
	if diff := cmp.Diff(reasons, got.Reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	templates := []tally.TemplateReport{
		{
			Template: "a", Total: tally.Funnel{Entered: 165, Accepted: 150, Delivered: 150, Read: 100, Failed: 15},
			Before: tally.Funnel{Entered: 13, Accepted: 11, Delivered: 11, Read: 11, Failed: 2}, Main: reasons[0],
		},
		{Template: "b", Total: tally.Funnel{Entered: 16, Accepted: 5, Unsent: 4, Open: 7}, Main: reasons[2]},
	}
	if diff := cmp.Diff(templates, got.Templates); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
	if got.Times[0].N != 155 || !got.Counted.At.Equal(r.counted.At) {
		t.Errorf("times %+v, counted %+v", got.Times, got.Counted)
	}

	one := "b"
	q.Template = &one
	if got, err = tally.ReadReport(t.Context(), r, q); err != nil {
		t.Fatal(err)
	}
	if got.Total.Entered != 16 || got.Times[0].N != 5 || len(got.Templates) != 2 {
		t.Errorf("of template b alone: %+v, %d times, %d templates to choose from", got.Total, got.Times[0].N, len(got.Templates))
	}
}

func TestFailuresOf(t *testing.T) {
	now := hour("2026-11-28 08").Add(40 * time.Minute)
	at := func(hoursAgo int, reason pombo.Reason, template string, n int) pombo.Cell {
		return pombo.Cell{Hour: hour("2026-11-28 08").Add(-time.Duration(hoursAgo) * time.Hour), State: pombo.Failed, Reason: reason, Template: template, N: n}
	}
	cells := []pombo.Cell{
		at(0, pombo.ParameterFormat, "fatura", 80),
		at(1, pombo.ParameterFormat, "fatura", 8),
		at(3, pombo.NotOnWhatsApp, "lembrete", 180),
		at(23, pombo.NotOnWhatsApp, "exame", 32),
		at(24, pombo.NotOnWhatsApp, "exame", 5), // the day before
		at(2, pombo.MarketingCap, "pesquisa", 3),
		at(24*7, pombo.MarketingCap, "pesquisa", 1), // new today, not all week
		at(30, pombo.MediaRefused, "exame", 9),      // not today
		{Hour: hour("2026-11-28 07"), State: pombo.Read, N: 1000},
	}
	f := tally.FailuresOf(cells, now, 24*time.Hour)
	if f.Total.Entered != 1303 || f.Total.Failed != 303 || f.TotalBefore.Failed != 14 || !f.Last.Equal(hour("2026-11-28 08")) {
		t.Errorf("total %+v, before %+v, last %v", f.Total, f.TotalBefore, f.Last)
	}
	want := []tally.FailureGroup{
		{
			Reason: pombo.NotOnWhatsApp, N: 212, Templates: []tally.TemplateCount{{Template: "lembrete", N: 180}, {Template: "exame", N: 32}},
			First: hour("2026-11-27 09"), Always: true, Trend: [7]int{0, 0, 0, 0, 0, 5, 212},
		},
		{
			Reason: pombo.ParameterFormat, N: 88, Templates: []tally.TemplateCount{{Template: "fatura", N: 88}},
			First: hour("2026-11-28 07"), Trend: [7]int{0, 0, 0, 0, 0, 0, 88}, New: tally.NewAllWeek,
		},
		{
			Reason: pombo.MarketingCap, N: 3, Templates: []tally.TemplateCount{{Template: "pesquisa", N: 3}},
			First: hour("2026-11-28 06"), Always: true, Trend: [7]int{0, 0, 0, 0, 0, 0, 3}, New: tally.NewToday,
		},
	}
	if diff := cmp.Diff(want, f.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}

	today, err := tally.ReadToday(t.Context(), &fakeReader{cells: cells}, now, zone(t, "America/Sao_Paulo"))
	if err != nil {
		t.Fatal(err)
	}
	if today.Total.Entered != 1271 || len(today.Hours) != 24 || today.Hours[23].Failed != 80 {
		t.Errorf("today: %+v", today)
	}
	news := []tally.NewReason{
		{Reason: pombo.ParameterFormat, N: 88, First: hour("2026-11-28 07"), New: tally.NewAllWeek},
		{Reason: pombo.MarketingCap, N: 3, First: hour("2026-11-28 06"), New: tally.NewToday},
	}
	if diff := cmp.Diff(news, today.New); diff != "" {
		t.Errorf("new reasons (-want +got):\n%s", diff)
	}
	if got := tally.NewReasons(cells[:3], now); got != nil {
		t.Errorf("on the first day %+v are new, want none: there is nothing before", got)
	}

	read, err := tally.ReadFailures(t.Context(), &fakeReader{cells: cells, counted: pombo.Counted{At: now}}, now, 24*time.Hour, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Groups, read.Groups); diff != "" || !read.Counted.At.Equal(now) {
		t.Errorf("read as of %v (-of the cells +read):\n%s", read.Counted.At, diff)
	}
}

// Of a month, the part that is older than eight days is read by the day, and nothing twice.
func TestReadFailures_OfAMonth(t *testing.T) {
	now := hour("2026-11-28 08")
	r := &fakeReader{}
	for h := now.Add(-70 * 24 * time.Hour); !h.After(now); h = h.Add(time.Hour) {
		r.cells = append(r.cells, pombo.Cell{Hour: h, State: pombo.Failed, Reason: pombo.MediaRefused, N: 1})
	}
	f, err := tally.ReadFailures(t.Context(), r, now, 30*24*time.Hour, zone(t, "America/Sao_Paulo"))
	if err != nil {
		t.Fatal(err)
	}
	if got, most := f.Total.Failed, 30*24; got > most || got < most-24 {
		t.Errorf("%d failures in 30 days of one an hour, want up to a day less than %d", got, most)
	}
	if got, most := f.TotalBefore.Failed, 30*24; got > most+24 || got < most-24 {
		t.Errorf("%d failures in the 30 days before, want about %d", got, most)
	}
}

// In a zone whose clocks go forward at midnight, a day begins at one.
func TestDays_WithoutMidnight(t *testing.T) {
	m := tally.Month(2017, time.October, zone(t, "America/Sao_Paulo"))
	days := tally.Days([]pombo.Cell{{Hour: hour("2017-10-15 02"), State: pombo.Read, N: 1}, {Hour: hour("2017-10-15 03"), State: pombo.Read, N: 10}}, m)
	if len(days) != 31 || days[13].Entered != 1 || days[14].Entered != 10 || days[14].Start.Hour() != 1 {
		t.Errorf("October has %d days, the 14th with %d, the 15th with %d from %v", len(days), days[13].Entered, days[14].Entered, days[14].Start)
	}
}

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		name    string
		buckets map[int]int
		q       float64
		want    time.Duration
	}{
		{"of none", nil, 0.5, 0},
		{"in the first bucket", map[int]int{0: 10}, 0.99, time.Millisecond},
		{"at the end of a bucket", map[int]int{10: 4}, 1, 1024 * time.Millisecond},
		{"in the middle of a bucket", map[int]int{11: 4}, 0.5, 1448155 * time.Microsecond}, // 1,024 ms · √2
		{"over buckets", map[int]int{2: 50, 3: 0, 12: 50}, 0.5, 4 * time.Millisecond},
		{"in the last of two", map[int]int{2: 50, 12: 50}, 1, 4096 * time.Millisecond},
	} {
		if got := tally.Quantile(test.buckets, test.q); got.Round(time.Microsecond) != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// A quantile out of buckets is within a factor of two of the exact one.
func TestQuantile_IsNearTheExactOne(t *testing.T) {
	buckets := map[int]int{}
	for ms := 1; ms <= 100_000; ms++ {
		buckets[pombo.LatencyBucket(time.Duration(ms)*time.Millisecond)]++
	}
	for _, q := range []float64{0.5, 0.95, 0.99} {
		exact := q * 100_000
		if got := float64(tally.Quantile(buckets, q).Milliseconds()); got < exact/2 || got > exact*2 {
			t.Errorf("quantile %v is %v ms, want about %v", q, got, exact)
		}
	}
}
