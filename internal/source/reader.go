package source

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pombo"
)

// reader turns the rows of one call of Page into pombo.Row.
type reader struct {
	table  *Table
	layout Layout
	rows   []pombo.Row
	last   any // the key of the last row read, as the driver returned it

	previous string // its text
	kept     bool   // whether that row is the last of rows
}

// read takes one row: the key, then the columns of ParsedMapping.Values.
func (r *reader) read(values []any) {
	m := r.table.mapping
	r.last = values[0]
	key, err := r.table.dialect.KeyText(r.layout, values[0])
	if err != nil {
		r.kept = false
		r.table.addProblem(pombo.RowProblem{Column: m.RowKey, Message: err.Error()})
		return
	}
	// Equal keys follow each other. Neither row may be taken in: settling one would
	// mark the other as sent.
	if key == r.previous {
		if r.kept {
			r.rows = r.rows[:len(r.rows)-1]
			r.kept = false
		}
		r.table.addProblem(pombo.RowProblem{RowKey: key, Column: m.RowKey, Message: "several pending rows have this key; map a column that is unique (DB_COL_ID)"})
		return
	}
	r.previous = key
	row, err := r.row(key, values[1:])
	if r.kept = err == nil; r.kept {
		r.rows = append(r.rows, row)
	}
}

// row fills a pombo.Row. A value that cannot be read becomes a problem of the row.
func (r *reader) row(rowKey string, values []any) (pombo.Row, error) {
	m := r.table.mapping
	row := pombo.Row{RowKey: rowKey}
	if n := len(m.Params); n > 0 {
		row.Params = make([]pombo.Param, 0, n)
	}
	for i, c := range m.Values {
		s := Text(values[i])
		var err error
		switch c.Role {
		case RolePhone:
			row.Recipient = pombo.Private(s)
		case RoleParam:
			// The template judges a value that is blank or too long; bytes that are not
			// text would arrive as rubbish.
			if !utf8.ValidString(s) {
				err = errors.New("the text is not UTF-8; write it as UTF-8")
			}
			row.Params = append(row.Params, pombo.Param{Slot: c.Slot, Value: pombo.Private(s)})
		case RoleTemplate:
			row.Template = strings.TrimSpace(s)
			if row.Template != "" && !pombo.ValidTemplateName(row.Template) {
				err = errTemplate
			}
		case RoleLanguage:
			if strings.TrimSpace(s) != "" {
				var ok bool
				if row.Language, ok = pombo.ParseLanguage(s); !ok {
					err = errLanguage
				}
			}
		case RolePriority:
			row.Priority = priority(s)
		case RoleSendAfter:
			if row.SendAfter, err = parseTime(s, m.Zone); pombo.IsFar(row.SendAfter) {
				err = errFar
			}
		case RoleExpires:
			if row.Expires, err = parseTime(s, m.Zone); pombo.IsFar(row.Expires) {
				row.Expires = time.Time{} // never
			}
		case RoleReminds:
			row.Reminds = sameKey(r.layout.RowKey, s)
		}
		if err != nil {
			r.table.addProblem(pombo.RowProblem{RowKey: rowKey, Column: c.Text, Message: err.Error()})
			return pombo.Row{}, err
		}
	}
	if len(m.Blobs) > 0 {
		row.Params = withBlobs(m.Params, row.Params)
	}
	return row, nil
}

// withBlobs puts the values of BLOBs, which have none yet, between those that were
// read, in the order of the mapping.
func withBlobs(order []Param, read []pombo.Param) []pombo.Param {
	all := make([]pombo.Param, 0, len(order))
	for _, p := range order {
		if isBlob(p.Slot) {
			all = append(all, pombo.Param{Slot: p.Slot})
			continue
		}
		all, read = append(all, read[0]), read[1:]
	}
	return all
}

// Text returns a value as text; NULL is empty.
func Text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		if v {
			return "1"
		}
		return "0"
	default:
		return ""
	}
}

// priority parses 0 to 9. It clamps what is out of range and takes text that is not a
// number for 0: a wrong priority does not stop a message.
func priority(s string) int {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f > 0) { // NaN too
		return 0
	}
	return int(math.Min(f, 9))
}

// Unix seconds from 1973 to 5138. Smaller numbers are dates written without
// separators, larger ones are milliseconds; refusing both is better than guessing.
const (
	minUnix = 1e8
	maxUnix = 1e11
)

// parseTime parses a time as tables have it: ISO 8601 with T or a space, with or
// without seconds, fraction and zone, a date alone (its midnight), or Unix seconds. zone
// applies to times that name none. Empty is the zero time.
func parseTime(s string, zone *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if f >= minUnix && f < maxUnix {
			return time.Unix(int64(f), 0), nil
		}
		return time.Time{}, errTime
	}
	if len(s) > 10 && (s[10] == 'T' || s[10] == 't') {
		s = s[:10] + " " + s[11:]
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errTime
}

// Go parses a fraction after the seconds whether or not the layout has one, and
// Z07:00 parses both Z and an offset.
var timeLayouts = []string{
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04",
	"2006-01-02 15:04Z07:00",
	"2006-01-02",
	"2006-01-02 15:04:05 -0700 MST",
}

var errFar = errors.New("the time is more than 100 years away, so the row would never go; correct it, leave it empty to send at once, or give the row another status")

// errTemplate does not repeat the name: what is not a template's may be a person's.
var errTemplate = errors.New("the template has a name that WhatsApp does not allow (only lower-case letters without accents, digits and _, at most 512); correct it, or see whether DB_COL_TEMPLATE names the right column")

// errLanguage does not repeat the text, as errTemplate does not.
var errLanguage = errors.New("the language is not one of a template; write it as pt_BR, en_US or es, leave it empty for TEMPLATE_LANGUAGE, or see whether DB_COL_LANGUAGE names the right column")

var errTime = errors.New("the time cannot be read; write it as 2026-11-23 10:00:00, with a zone as 2026-11-23T10:00:00-03:00, or as Unix seconds")
