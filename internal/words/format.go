package words

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Number writes n with its thousands apart.
func (w *Words) Number(n int) string {
	digits, sign := strconv.Itoa(n), ""
	if n < 0 {
		digits, sign = digits[1:], "-"
	}
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteString(w.of(pair{".", ","}))
		}
		out.WriteRune(d)
	}
	return sign + out.String()
}

// decimal writes a number with one decimal, which is left out when it is 0 or the
// number has two digits before it.
func (w *Words) decimal(x float64) string {
	tenths := math.Round(x * 10)
	if math.Abs(x) >= 10 || math.Mod(tenths, 10) == 0 {
		return w.Number(int(math.Round(x)))
	}
	return w.comma(strconv.FormatFloat(tenths/10, 'f', 1, 64))
}

func (w *Words) comma(s string) string {
	if w.language == Portuguese {
		return strings.ReplaceAll(s, ".", ",")
	}
	return s
}

// Percent writes a share, 1 being all of it, in percent with one decimal.
func (w *Words) Percent(share float64) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return "–"
	}
	return w.comma(strconv.FormatFloat(share*100, 'f', 1, 64)) + "%"
}

// Time writes the clock time of t in the zone of now, with the date when that is
// not today's.
func (w *Words) Time(t, now time.Time) string {
	t = t.In(now.Location())
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format(w.of(pair{"02/01 15:04", "2006-01-02 15:04"}))
	default:
		return t.Format(w.of(pair{"02/01/2006 15:04", "2006-01-02 15:04"}))
	}
}

// DateTime writes date and time of t with its seconds, in the zone of t.
func (w *Words) DateTime(t time.Time) string {
	return t.Format(w.of(pair{"02/01/2006 15:04:05", time.DateTime}))
}

// Date writes the date of t in the zone of t.
func (w *Words) Date(t time.Time) string {
	return t.Format(w.of(pair{"02/01/2006", time.DateOnly}))
}

var months = [...]string{"janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"}

// Month writes the month and the year of t in the zone of t.
func (w *Words) Month(t time.Time) string {
	if w.language == Portuguese {
		return months[t.Month()-1] + " de " + strconv.Itoa(t.Year())
	}
	return t.Format("January 2006")
}

// Span writes a duration in the largest unit of which it has at least two. A
// negative one counts as none.
func (w *Words) Span(d time.Duration) string {
	for _, u := range []struct {
		unit  time.Duration
		words pair
	}{{24 * time.Hour, pair{"dias", "days"}}, {time.Hour, pair{"horas", "hours"}}, {time.Minute, pair{"minutos", "minutes"}}} {
		if d >= 2*u.unit {
			return w.Number(int(d/u.unit)) + " " + w.of(u.words)
		}
	}
	return w.fill(w.of(pair{"{1} {1:segundo|segundos}", "{1} {1:second|seconds}"}), []any{int(max(0, d/time.Second))})
}
