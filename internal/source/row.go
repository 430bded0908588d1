package source

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pombo"
)

// maxKey is the longest key in bytes. No sane key is longer, and every key is
// kept in the ledger for good.
const MaxRowKey = 512

// reader turns the rows of one call of Page into pombo.Row.
type reader struct {
	t      *Table
	layout Layout
	rows   []pombo.Row
	last   any // the key of the last row read, as the driver gave it

	previous string // its text
	kept     bool   // whether that row is the last of rows
}

// read takes one row: the key, then the columns of mapping.values.
func (r *reader) read(values []any) {
	m := r.t.m
	r.last = values[0]
	key, err := r.t.d.KeyText(r.layout, values[0])
	if err != nil {
		r.kept = false
		r.t.report(pombo.RowProblem{Column: m.RowKey, Message: err.Error()})
		return
	}
	// Equal keys follow each other. Neither row may be taken: settling one would
	// mark the other as sent.
	if key == r.previous {
		if r.kept {
			r.rows = r.rows[:len(r.rows)-1]
			r.kept = false
		}
		r.t.report(pombo.RowProblem{RowKey: key, Column: m.RowKey, Message: "several pending rows have this key; map a column that is unique (DB_COL_ID)"})
		return
	}
	r.previous = key
	row, err := r.row(key, values[1:])
	if r.kept = err == nil; r.kept {
		r.rows = append(r.rows, row)
	}
}

// row fills a pombo.Row. A value that cannot be read is reported.
func (r *reader) row(key string, values []any) (pombo.Row, error) {
	m := r.t.m
	row := pombo.Row{RowKey: key}
	if n := len(m.Params); n > 0 {
		row.Params = make([]pombo.Param, 0, n)
	}
	for i, v := range m.Values {
		s := Text(values[i])
		var err error
		switch v.Role {
		case RolePhone:
			row.Recipient = pombo.Private(s)
		case RoleParam:
			// A blank or a too long value is for the template to judge; bytes
			// that are no text would arrive as rubbish.
			if !utf8.ValidString(s) {
				err = errors.New("the text is not UTF-8; write it as UTF-8")
			}
			row.Params = append(row.Params, pombo.Param{Slot: v.Slot, Value: pombo.Private(s)})
		case RoleTemplate:
			row.Template = strings.TrimSpace(s)
			if row.Template != "" && !pombo.ValidTemplateName(row.Template) {
				err = errTemplate
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
		}
		if err != nil {
			r.t.report(pombo.RowProblem{RowKey: key, Column: v.Text, Message: err.Error()})
			return pombo.Row{}, err
		}
	}
	return row, nil
}

// text returns a value as text; NULL is empty.
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

// priority reads 0 to 9. What is beyond is brought to the nearer end, what is no
// number is 0: a wrong priority is no reason not to send.
func priority(s string) int {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f > 0) { // NaN too
		return 0
	}
	return int(math.Min(f, 9))
}

// Unix seconds from 1973 to 5138. Smaller numbers are dates written without
// separators, larger ones are milliseconds; both are better refused than guessed.
const (
	minUnix = 1e8
	maxUnix = 1e11
)

// parseTime reads a time as tables have it: ISO 8601 with T or a blank, with or
// without seconds, fraction and zone, a date alone (its midnight), or Unix
// seconds. zone is that of times which name none. Empty is the zero time.
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

// Go reads a fraction after the seconds whether or not the layout has one, and
// Z07:00 reads both Z and an offset.
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

// errTemplate does not repeat the name: what is none may be a person's.
var errTemplate = errors.New("the template has a name that WhatsApp does not allow (only lower-case letters without accents, digits and _, at most 512); correct it, or see whether DB_COL_TEMPLATE names the right column")

var errTime = errors.New("the time cannot be read; write it as 2026-11-23 10:00:00, with a zone as 2026-11-23T10:00:00-03:00, or as Unix seconds")

// wholeKey reads a key of whole numbers in its canonical form: no sign but a
// minus, no leading zero.
func ParseWholeKey(key string) (int64, bool) {
	n, err := strconv.ParseInt(key, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == key
}

// uuidKey reads the 16 bytes of a UUID in its canonical form.
func ParseUUIDKey(key string) ([]byte, bool) {
	id, err := pombo.ParseMessageID(key)
	if err != nil || string(id) != key {
		return nil, false
	}
	b := make([]byte, 0, 16)
	for i := 0; i < len(key); i += 2 {
		if key[i] == '-' {
			i++
		}
		n, _ := strconv.ParseUint(key[i:i+2], 16, 8) // ParseMessageID has seen to the digits
		b = append(b, byte(n))
	}
	return b, true
}

// uuidText writes 16 bytes as a UUID.
func FormatUUID(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// errWordsKey is for a row whose key is none.
var ErrTextKey = fmt.Errorf("a key is empty, longer than %d bytes, no UTF-8 text, or has a NUL character in it; correct it, or map another column", MaxRowKey)

// wordsKey reports whether a text can be a key: it must survive being written
// into the ledger, into JSON and into an id. PostgreSQL, where the ledger may be, keeps
// no NUL.
func ValidTextKey(key string) bool {
	return key != "" && len(key) <= MaxRowKey && utf8.ValidString(key) && !strings.ContainsRune(key, 0)
}
