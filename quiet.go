package pombo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Quiet says when people must not be disturbed. It has no zone: the same evening begins
// at another moment in Manaus than in Recife. The zero Quiet disturbs at any time.
type Quiet struct {
	Hours    []Hours        // of every day
	Days     []time.Weekday // quiet from midnight to midnight
	Holidays []Day          // likewise
	Exempt   []string       // templates that go all the same
}

// Hours is a part of the day by the clock on the wall, as time since midnight.
// To is later than From, or earlier when it is of the next day; 24 h is
// midnight.
type Hours struct{ From, To time.Duration }

// Day is a day of the calendar; Year 0 is every year.
type Day struct {
	Year  int
	Month time.Month
	Day   int
}

// Never reports whether there is no quiet time at all.
func (q Quiet) Never() bool {
	return len(q.Hours) == 0 && len(q.Days) == 0 && len(q.Holidays) == 0
}

// Free returns the first moment from t on that is quiet in none of the zones: t
// itself when it is not quiet now. Of a person who may live in either of two
// zones neither night is disturbed. Without a zone it returns t.
func (q Quiet) Free(t time.Time, zones ...*time.Location) time.Time {
	// Each round leaves one quiet time behind; a year of them is enough.
	for range 1000 {
		free := t
		for _, z := range zones {
			if end := q.end(free.In(z)); end.After(free) {
				free = end
			}
		}
		if free.Equal(t) {
			break
		}
		t = free
	}
	return t
}

// end returns when the quiet time ends in which t lies, by its own clock; t
// when it lies in none.
func (q Quiet) end(t time.Time) time.Time {
	year, month, day := t.Date()
	midnight := func(days int, clock time.Duration) time.Time {
		end := time.Date(year, month, day+days, int(clock/time.Hour), int(clock%time.Hour/time.Minute), 0, 0, t.Location())
		if !end.After(t) { // the clock is put forward just there
			end = t.Add(time.Hour)
		}
		return end
	}
	if slices.Contains(q.Days, t.Weekday()) || slices.ContainsFunc(q.Holidays, func(d Day) bool {
		return d.Month == month && d.Day == day && (d.Year == 0 || d.Year == year)
	}) {
		return midnight(1, 0)
	}
	hour, minute, _ := t.Clock()
	now := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	for _, h := range q.Hours {
		overnight := h.To < h.From
		switch {
		case now >= h.From && (overnight || now < h.To):
			if overnight {
				return midnight(1, h.To)
			}
			return midnight(0, h.To)
		case overnight && now < h.To:
			return midnight(0, h.To)
		}
	}
	return t
}

// ParseHours reads "21:00-08:00", or several with commas between. Hours that
// leave no minute of the day are an error.
func ParseHours(s string) ([]Hours, error) {
	var list []Hours
	var quiet [24 * 60]bool
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		from, to, found := strings.Cut(part, "-")
		h, errFrom := parseClock(from)
		until, errTo := parseClock(to)
		switch {
		case !found || errFrom != nil || errTo != nil:
			return nil, fmt.Errorf("%q is not a part of a day", part)
		case h == 24*time.Hour:
			return nil, fmt.Errorf("%q begins at 24:00, which is 00:00 of the next day", part)
		case h == until:
			return nil, fmt.Errorf("%q begins when it ends", part)
		}
		list = append(list, Hours{h, until})
		for m := h; m != until; m += time.Minute {
			if m == 24*time.Hour {
				m = 0
				if until == 0 {
					break
				}
			}
			quiet[m/time.Minute] = true
		}
	}
	if !slices.Contains(quiet[:], false) {
		return nil, errors.New("it leaves no minute of the day to send in")
	}
	return list, nil
}

func parseClock(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// weekdays has the names of the days in English and in Portuguese, short and long.
var weekdays = [7][]string{
	time.Sunday:    {"sun", "dom", "sunday", "domingo"},
	time.Monday:    {"mon", "seg", "monday", "segunda"},
	time.Tuesday:   {"tue", "ter", "tuesday", "terça", "terca"},
	time.Wednesday: {"wed", "qua", "wednesday", "quarta"},
	time.Thursday:  {"thu", "qui", "thursday", "quinta"},
	time.Friday:    {"fri", "sex", "friday", "sexta"},
	time.Saturday:  {"sat", "sab", "sáb", "saturday", "sabado", "sábado"},
}

// ParseWeekdays reads days of the week in English or Portuguese, with commas
// between: "sun" or "sab,dom". All seven are an error.
func ParseWeekdays(s string) ([]time.Weekday, error) {
	var list []time.Weekday
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		name := strings.TrimSuffix(strings.ToLower(word), "-feira")
		day := slices.IndexFunc(weekdays[:], func(names []string) bool { return slices.Contains(names, name) })
		if day < 0 {
			return nil, fmt.Errorf("%q is not a day of the week", word)
		}
		if !slices.Contains(list, time.Weekday(day)) {
			list = append(list, time.Weekday(day))
		}
	}
	if len(list) == len(weekdays) {
		return nil, errors.New("it leaves no day to send on")
	}
	return list, nil
}

// ParseHolidays reads one day a line: "2026-12-25 Christmas", or "12-25" for
// every year. What follows the day is for people; so are empty lines and what
// stands behind a #. The error names the line.
func ParseHolidays(text string) ([]Day, error) {
	var list []Day
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		// 2000 is a leap year: every day of a year has its date in it.
		day, every := words[0], strings.Count(words[0], "-") == 1
		if every {
			day = "2000-" + day
		}
		t, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q is not a day", number, words[0])
		}
		d := Day{t.Year(), t.Month(), t.Day()}
		if every {
			d.Year = 0
		}
		list = append(list, d)
	}
	return list, nil
}
