package source

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pombo"
)

// Column is a column with a value of the template, and where the value goes.
type Column struct {
	Place pombo.Slot
	Name  string
}

// Mapping says which table and columns mean what. A name may be written plainly
// (NR_TELEFONE: letters, digits, _, $ and #) or in double quotes, which the
// database then takes to the letter. A table may be given as schema.table.
type Mapping struct {
	Table  string
	ID     string // tells the rows apart: unique, never changed, not NULL
	Phone  string
	Status string
	Params []Column // in the order of the template's values

	// Optional, read per row.
	Template  string
	Priority  string
	SendAfter string
	Expires   string

	// Optional, written back.
	MessageID string
	SentAt    string
	Error     string

	// Where is a condition in the database's own SQL that a row must meet to be taken
	// in, beside being pending; optional.
	Where   string
	Pending string   // the status code of pending rows
	Codes   []string // the codes that will be written, so that Check can look at them; optional
	// Zone is the zone of times without one, read and written; nil = UTC.
	Zone *time.Location
}

// mapping is a Mapping whose names were understood.
type mapping struct {
	Mapping
	table  []name // one part or two
	id     name
	status name
	values []value // all read columns but the key, in the order in which they are selected
	writes []value // all written columns, the status first
}

// value is a mapped column.
type value struct {
	name
	role  role
	place pombo.Slot // of a param
}

// role is what a mapped column is for. The string is the setting that names it.
type role string

const (
	forTable     role = "DB_TABLE"
	forID        role = "DB_COL_ID"
	forPhone     role = "DB_COL_PHONE"
	forStatus    role = "DB_COL_STATUS"
	forParam     role = "DB_COL_PARAMS"
	forTemplate  role = "DB_COL_TEMPLATE"
	forPriority  role = "DB_COL_PRIORITY"
	forSendAfter role = "DB_COL_SEND_AFTER"
	forExpires   role = "DB_COL_EXPIRES"
	forMessageID role = "DB_COL_MESSAGE_ID"
	forSentAt    role = "DB_COL_SENT_AT"
	forError     role = "DB_COL_ERROR"
)

// newMapping reads all names and reports everything that is wrong with them.
func newMapping(m Mapping) (*mapping, error) {
	c := &mapping{Mapping: m}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	var errs []error
	complain := func(r role, err error) {
		errs = append(errs, &Error{Op: "read " + string(r), Permanent: true, Err: err, Hint: "set " + string(r)})
	}
	add := func(to *[]value, v value, text string, required bool) {
		if text == "" && !required {
			return
		}
		var err error
		if v.name, err = parseName(text); err != nil {
			complain(v.role, err)
			return
		}
		*to = append(*to, v)
	}
	var err error
	if c.table, err = parseTable(m.Table); err != nil {
		complain(forTable, err)
	}
	if c.id, err = parseName(m.ID); err != nil {
		complain(forID, err)
	}
	add(&c.writes, value{role: forStatus}, m.Status, true)
	add(&c.writes, value{role: forMessageID}, m.MessageID, false)
	add(&c.writes, value{role: forSentAt}, m.SentAt, false)
	add(&c.writes, value{role: forError}, m.Error, false)
	add(&c.values, value{role: forPhone}, m.Phone, true)
	for _, p := range m.Params {
		add(&c.values, value{role: forParam, place: p.Place}, p.Name, true)
	}
	add(&c.values, value{role: forTemplate}, m.Template, false)
	add(&c.values, value{role: forPriority}, m.Priority, false)
	add(&c.values, value{role: forSendAfter}, m.SendAfter, false)
	add(&c.values, value{role: forExpires}, m.Expires, false)
	if c.Where, err = parseCondition(m.Where); err != nil {
		complain("DB_WHERE", err)
	}
	if m.Pending == "" {
		complain("STATUS_PENDING", errors.New("no status code of pending rows is given"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c.status = c.writes[0].name

	// A column that is written must mean nothing else: the company's text would
	// be overwritten.
	taken := map[string]role{c.id.fold(): forID}
	for _, v := range c.values {
		taken[v.fold()] = v.role
	}
	for _, w := range c.writes {
		if other, ok := taken[w.fold()]; ok {
			complain(w.role, fmt.Errorf("%s is also mapped by %s and would be overwritten", w.text, other))
		}
		taken[w.fold()] = w.role
	}
	return c, errors.Join(errs...)
}

// and is the condition, as it follows others in a text.
func (m *mapping) and() string {
	if m.Where == "" {
		return ""
	}
	return " AND (" + m.Where + ")"
}

// mapped returns every mapped column once per role, for checks.
func (m *mapping) mapped() []value {
	all := []value{{name: m.id, role: forID}}
	all = append(all, m.values...)
	return append(all, m.writes...)
}

// code returns a status as the settings write it: a column of another type gives
// "1.0" or "1 " where they say "1".
func (m *mapping) code(found string) string {
	if sameCode(found, m.Pending) {
		return m.Pending
	}
	return strings.TrimRight(found, " ")
}

// sameCode reports whether two status codes mean the same.
func sameCode(a, b string) bool {
	a, b = strings.TrimRight(a, " "), strings.TrimRight(b, " ")
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// name is an identifier of the database.
type name struct {
	text  string // without quotes
	exact bool   // it was quoted: upper and lower case count
}

// fold returns what two names that may mean the same column share.
func (n name) fold() string { return strings.ToUpper(n.text) }

// maxName is the longest identifier that any of the databases takes (Oracle
// 12.2 and later: 128 bytes).
const maxName = 128

// parseName reads one identifier. It is the wall between the settings and the
// SQL text: what passes needs nothing but double quotes around it.
func parseName(s string) (name, error) {
	n, rest, err := cutName(strings.TrimSpace(s))
	if err == nil && rest != "" {
		err = fmt.Errorf("%q is not one name", s)
	}
	return n, err
}

// parseTable reads table or schema.table.
func parseTable(s string) ([]name, error) {
	n, rest, err := cutName(strings.TrimSpace(s))
	if err != nil {
		return nil, err
	}
	if rest == "" {
		return []name{n}, nil
	}
	after, dotted := strings.CutPrefix(rest, ".")
	if !dotted {
		return nil, fmt.Errorf("%q is not one name", s)
	}
	table, err := parseName(after)
	return []name{n, table}, err
}

// cutName reads the name that s begins with and returns what follows it.
func cutName(s string) (n name, rest string, err error) {
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		inside, after, closed := strings.Cut(quoted, `"`)
		if !closed || strings.HasPrefix(after, `"`) {
			return name{}, "", fmt.Errorf("%q has a double quote too few or inside the name", s)
		}
		n, rest = name{text: inside, exact: true}, after
	} else {
		end := strings.IndexFunc(s, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_$#", r)
		})
		if end < 0 {
			end = len(s)
		}
		n, rest = name{text: s[:end]}, s[end:]
	}
	first, _ := utf8.DecodeRuneInString(n.text)
	switch {
	case s == "":
		return name{}, "", errors.New("no name is given")
	case n.text == "":
		return name{}, "", fmt.Errorf("%q is not a name: use letters, digits, _, $ and #, or double quotes around it", s)
	case len(n.text) > maxName:
		return name{}, "", fmt.Errorf("the name has more than %d bytes", maxName)
	case strings.ContainsFunc(n.text, unicode.IsControl) || !utf8.ValidString(n.text):
		return name{}, "", fmt.Errorf("%q has control characters in the name", s)
	case !n.exact && !unicode.IsLetter(first) && first != '_':
		return name{}, "", fmt.Errorf("%q must begin with a letter, or stand in double quotes", s)
	}
	return n, rest, nil
}

// quoted returns the name in double quotes. A double quote inside is not
// possible; see cutName.
func quoted(text string) string { return `"` + text + `"` }
