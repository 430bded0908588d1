package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// query reads the parameters of a URL and collects their faults. Values are never
// repeated: one of them is a phone.
type query struct {
	values url.Values
	wrong  []FieldError
}

// readQuery takes the query apart. A parameter that is not among the known ones
// is wrong: a misspelt filter that filters nothing would mislead.
func readQuery(r *http.Request, known ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.refuse("query", "cannot be read: write special characters as %XX, a plus sign as %2B")
	}
	unknown := false
	for name, all := range values {
		unknown = unknown || !slices.Contains(known, name)
		if slices.Contains(known, name) && len(all) > 1 {
			q.refuse(name, "stands more than once")
		}
	}
	if unknown {
		q.refuse("query", "has an unknown parameter; there are "+strings.Join(known, ", "))
	}
	return q
}

func (q *query) refuse(name, detail string) {
	q.wrong = append(q.wrong, FieldError{Field: name, Detail: detail})
}

func (q *query) err() error {
	slices.SortFunc(q.wrong, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return invalid(q.wrong)
}

// text reads one line; absent is "". An empty parameter is refused: a filter whose
// value got lost would select everybody.
func (q *query) text(name string) string {
	s := q.values.Get(name)
	const most = 1000
	if s == "" && q.values.Has(name) {
		q.refuse(name, "is empty; leave it out")
	} else if len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		q.refuse(name, fmt.Sprintf("must be one line of at most %d bytes of UTF-8", most))
		return ""
	}
	return s
}

func (q *query) number(name string, absent, most int64) int64 {
	s := q.text(name)
	if s == "" {
		return absent
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > most || s != strconv.FormatInt(n, 10) {
		q.refuse(name, fmt.Sprintf("must be a whole number from 1 to %d", most))
		return absent
	}
	return n
}

// flag reads true or false; absent is false.
func (q *query) flag(name string) bool {
	switch q.text(name) {
	case "true":
		return true
	case "", "false":
	default:
		q.refuse(name, "must be true or false")
	}
	return false
}

func (q *query) time(name string) time.Time {
	s := q.text(name)
	if s == "" {
		return time.Time{}
	}
	t, ok := parseTime(s)
	if !ok {
		q.refuse(name, timeForm)
	}
	return t
}

// parseTime reads RFC 3339, which lets T and Z be small letters too.
func parseTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	return t, err == nil
}

const timeForm = "must be a time such as 2026-11-23T10:00:00-03:00"
