package pombo_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // as in the program: a Windows server has no zones

	"github.com/google/go-cmp/cmp"

	"pombo"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestFree(t *testing.T) {
	const h, m = time.Hour, time.Minute
	night := pombo.Quiet{Hours: []pombo.Hours{{From: 21 * h, To: 8 * h}}}
	for _, test := range []struct {
		name     string
		quiet    pombo.Quiet
		zones    string
		now, end string // by the clock of the first zone; end "" = now
	}{
		{"never quiet", pombo.Quiet{}, "America/Sao_Paulo", "2026-11-24 23:00", ""},
		{"by day", night, "America/Sao_Paulo", "2026-11-24 20:59", ""},
		{"the night begins", night, "America/Sao_Paulo", "2026-11-24 21:00", "2026-11-25 08:00"},
		{"before midnight", night, "America/Sao_Paulo", "2026-12-31 23:59", "2027-01-01 08:00"},
		{"at midnight", night, "America/Sao_Paulo", "2026-11-24 00:00", "2026-11-24 08:00"},
		{"before it ends", night, "America/Sao_Paulo", "2026-11-24 07:59", "2026-11-24 08:00"},
		{"it has ended", night, "America/Sao_Paulo", "2026-11-24 08:00", ""},
		{"two of a day", pombo.Quiet{Hours: []pombo.Hours{{12 * h, 13*h + 30*m}, {20 * h, 24 * h}}}, "UTC", "2026-11-24 12:10", "2026-11-24 13:30"},
		{"up to midnight", pombo.Quiet{Hours: []pombo.Hours{{20 * h, 24 * h}}}, "UTC", "2026-11-24 20:10", "2026-11-25 00:00"},
		{"up to midnight, written 00:00", pombo.Quiet{Hours: []pombo.Hours{{20 * h, 0}}}, "UTC", "2026-11-24 20:10", "2026-11-25 00:00"},
		{"one ends where another begins", pombo.Quiet{Hours: []pombo.Hours{{8 * h, 9 * h}, {21 * h, 8 * h}}}, "UTC", "2026-11-24 22:00", "2026-11-25 09:00"},
		{"a Sunday", pombo.Quiet{Days: []time.Weekday{time.Sunday}}, "UTC", "2026-11-22 12:00", "2026-11-23 00:00"},
		{"the night before a Sunday", pombo.Quiet{Hours: night.Hours, Days: []time.Weekday{time.Sunday}}, "UTC", "2026-11-21 22:00", "2026-11-23 08:00"},
		{"a holiday of each year", pombo.Quiet{Holidays: []pombo.Day{{0, 12, 25}}}, "UTC", "2031-12-25 12:00", "2031-12-26 00:00"},
		{"a holiday of this year", pombo.Quiet{Holidays: []pombo.Day{{2026, 12, 25}}}, "UTC", "2026-12-25 12:00", "2026-12-26 00:00"},
		{"that of another year", pombo.Quiet{Holidays: []pombo.Day{{2025, 12, 25}}}, "UTC", "2026-12-25 12:00", ""},
		{"holidays in a row and a night", pombo.Quiet{Hours: night.Hours, Holidays: []pombo.Day{{0, 12, 24}, {0, 12, 25}}}, "UTC", "2026-12-24 09:00", "2026-12-26 08:00"},
		{"evening in Recife, afternoon in Rio Branco", night, "America/Rio_Branco", "2026-11-24 19:30", ""},
		{"either of two zones: the first is asleep", night, "America/Manaus America/Eirunepe", "2026-11-24 21:30", "2026-11-25 09:00"},
		{"either of two zones: the second still is", night, "America/Manaus America/Eirunepe", "2026-11-24 08:30", "2026-11-24 09:00"},
		{"the hour that is not: it ends no later", pombo.Quiet{Hours: []pombo.Hours{{22 * h, 2*h + 30*m}}}, "America/New_York", "2026-03-07 23:00", "2026-03-08 03:30"},
		{"the hour that comes twice", pombo.Quiet{Hours: []pombo.Hours{{22 * h, 8 * h}}}, "America/New_York", "2026-10-31 23:00", "2026-11-01 08:00"},
		{"midnight that is not", pombo.Quiet{Days: []time.Weekday{time.Saturday}}, "America/Sao_Paulo", "2018-11-03 23:30", "2018-11-04 01:30"},
		{"no zone", night, "", "2026-11-24 23:00", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var zones []*time.Location
			at := time.UTC
			for name := range strings.FieldsSeq(test.zones) {
				zones = append(zones, zone(t, name))
				at = zones[0]
			}
			moment := func(s string) time.Time {
				m, err := time.ParseInLocation("2006-01-02 15:04", s, at)
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			now := moment(test.now)
			want := now
			if test.end != "" {
				want = moment(test.end)
			}
			got := test.quiet.Free(now.UTC(), zones...)
			if !got.Equal(want) {
				t.Errorf("free at %s, want %s", got.In(at), want)
			}
			if again := test.quiet.Free(got, zones...); !again.Equal(got) {
				t.Errorf("%s is not free itself, but %s", got.In(at), again.In(at))
			}
		})
	}
}

// TestFree_ComesToAnEnd: hours that leave nothing in two zones together.
func TestFree_ComesToAnEnd(t *testing.T) {
	q := pombo.Quiet{Hours: []pombo.Hours{{From: 20 * time.Hour, To: 8 * time.Hour}}}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	if got := q.Free(now, time.FixedZone("", 12*3600), time.UTC); !got.After(now) {
		t.Errorf("free at %s, want later than %s", got, now)
	}
}

func TestParseHours(t *testing.T) {
	const h, m = time.Hour, time.Minute
	for _, test := range []struct {
		text string
		want []pombo.Hours
		err  string
	}{
		{"21:00-08:00", []pombo.Hours{{21 * h, 8 * h}}, ""},
		{" 21:00 - 8:00 ", []pombo.Hours{{21 * h, 8 * h}}, ""},
		{"20:30-24:00,00:00-07:15", []pombo.Hours{{20*h + 30*m, 24 * h}, {0, 7*h + 15*m}}, ""},
		{"21-8", nil, `"21-8" is not a part of a day`},
		{"21:00", nil, "not a part of a day"},
		{"25:00-08:00", nil, "not a part of a day"},
		{"24:00-08:00", nil, "00:00"},
		{"08:00-08:00", nil, "begins when it ends"},
		{"21:00-08:00,", nil, `""`},
		{"08:00-20:00,20:00-08:00", nil, "no minute"},
		{"00:00-24:00", nil, "no minute"},
		{"00:01-00:00", []pombo.Hours{{m, 0}}, ""},
	} {
		got, err := pombo.ParseHours(test.text)
		checkParsed(t, test.text, test.want, got, test.err, err)
	}
}

func TestParseWeekdays(t *testing.T) {
	for _, test := range []struct {
		text string
		want []time.Weekday
		err  string
	}{
		{"sun", []time.Weekday{0}, ""},
		{"Sáb, DOM", []time.Weekday{6, 0}, ""},
		{"dom,sunday,Domingo", []time.Weekday{0}, ""},
		{"mon,seg,ter,tue,wed,qua,thu,qui,fri,sex", []time.Weekday{1, 2, 3, 4, 5}, ""},
		{"segunda-feira,terça", []time.Weekday{1, 2}, ""},
		{"so", nil, `"so" is not a day`},
		{"dom,seg,ter,qua,qui,sex,sab", nil, "no day"},
	} {
		got, err := pombo.ParseWeekdays(test.text)
		checkParsed(t, test.text, test.want, got, test.err, err)
	}
}

func TestParseHolidays(t *testing.T) {
	for _, test := range []struct {
		text string
		want []pombo.Day
		err  string
	}{
		{"", nil, ""},
		{"# feriados\n\n2026-12-25 Natal\n12-25\tNatal, sempre # mesmo\n  02-29\n", []pombo.Day{{2026, 12, 25}, {0, 12, 25}, {0, 2, 29}}, ""},
		{"12-25\r\n01-01\r\n", []pombo.Day{{0, 12, 25}, {0, 1, 1}}, ""},
		{"12-25\n\n25/12/2026 Natal\n", nil, `line 3: "25/12/2026"`},
		{"2026-02-29", nil, "line 1"},
		{"13-01", nil, `line 1: "13-01"`},
	} {
		got, err := pombo.ParseHolidays(test.text)
		checkParsed(t, test.text, test.want, got, test.err, err)
	}
}

func checkParsed[T any](t *testing.T, text string, want, got T, wantErr string, err error) {
	t.Helper()
	switch {
	case wantErr == "" && err != nil:
		t.Errorf("%q: %v", text, err)
	case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)):
		t.Errorf("%q: error = %v, want one with %q", text, err, wantErr)
	case wantErr == "":
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func FuzzQuiet(f *testing.F) {
	f.Add("21:00-08:00", "12-25\n2026-01-01 x", "sab,dom", int64(1_800_000_000))
	f.Add("00:01-00:00", "02-29", "sun", int64(0))
	f.Fuzz(func(t *testing.T, hours, holidays, days string, unix int64) {
		q := pombo.Quiet{}
		q.Hours, _ = pombo.ParseHours(hours)
		q.Holidays, _ = pombo.ParseHolidays(holidays)
		q.Days, _ = pombo.ParseWeekdays(days)
		now := time.Unix(unix%1e10, 0)
		got := q.Free(now, time.UTC)
		if got.Before(now) {
			t.Errorf("free at %s, before %s", got, now)
		}
		if len(q.Holidays) < 100 && !q.Free(got, time.UTC).Equal(got) {
			t.Errorf("%s is not free itself", got)
		}
	})
}
