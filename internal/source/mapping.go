package source

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// Param is a column with a value of the template, and the slot where the value goes.
type Param struct {
	Slot pombo.Slot
	Name string
}

// Mapping says which table and columns mean what. A name may be written plainly
// (NR_TELEFONE: letters, digits, _, $ and #) or in double quotes, which the
// database then takes literally. A table may be given as schema.table.
type Mapping struct {
	Table  string
	RowKey string // identifies the row: unique, never changed, not NULL
	Phone  string
	Status string
	Params []Param // in the order of the template's values

	// Optional, read per row.
	Template  string
	Language  string
	Priority  string
	SendAfter string
	Expires   string
	Reminds   string

	// Optional, written back.
	MessageID string
	SentAt    string
	Error     string
	Reply     string
	ReplyAt   string

	// Where is a condition in the database's own SQL that a pending row must also meet
	// to be taken in; optional.
	Where   string
	Pending string   // the status code of pending rows
	Codes   []string // the codes that will be written, for Check; optional
	// Zone is the zone of times without one, read and written; nil = UTC.
	Zone *time.Location
}

// ParsedMapping is a Mapping whose names have been parsed. The fields of Mapping keep
// the text of the settings, for messages.
type ParsedMapping struct {
	Mapping
	TableName  []Name // one part or two
	KeyName    Name
	StatusName Name
	Values     []MappedColumn // all columns that a page reads but the key, in the order in which they are selected
	Blobs      []MappedColumn // columns of bytes, each read alone when its row is sent
	Writes     []MappedColumn // all written columns, the status first
}

// MappedColumn is a column of the mapping.
type MappedColumn struct {
	Name
	Role Role
	Slot pombo.Slot // of a param
}

// IsBlob reports whether the column has the bytes of a header.
func (c MappedColumn) IsBlob() bool { return isBlob(c.Slot) }

func isBlob(s pombo.Slot) bool {
	_, store, ok := s.Upload()
	return ok && store == pombo.StoreBlob
}

// Role is what a mapped column is for. The string is the setting that names it.
type Role string

// The roles. RoleTable belongs to the table itself.
const (
	RoleTable     Role = "DB_TABLE"
	RoleRowKey    Role = "DB_COL_ID"
	RolePhone     Role = "DB_COL_PHONE"
	RoleStatus    Role = "DB_COL_STATUS"
	RoleParam     Role = "DB_COL_PARAMS"
	RoleTemplate  Role = "DB_COL_TEMPLATE"
	RoleLanguage  Role = "DB_COL_LANGUAGE"
	RolePriority  Role = "DB_COL_PRIORITY"
	RoleSendAfter Role = "DB_COL_SEND_AFTER"
	RoleExpires   Role = "DB_COL_EXPIRES"
	RoleReminds   Role = "DB_COL_REMINDS"
	RoleMessageID Role = "DB_COL_MESSAGE_ID"
	RoleSentAt    Role = "DB_COL_SENT_AT"
	RoleError     Role = "DB_COL_ERROR"
	RoleReply     Role = "DB_COL_REPLY"
	RoleReplyAt   Role = "DB_COL_REPLY_AT"
)

// WritesTime reports whether a time is written into a column of this role.
func (r Role) WritesTime() bool { return r == RoleSentAt || r == RoleReplyAt }

// KeepsPresent reports whether a column of this role keeps what it has when a settlement has
// nothing for it.
func (r Role) KeepsPresent() bool {
	return r == RoleMessageID || r == RoleSentAt || r == RoleReply || r == RoleReplyAt
}

// TimeOf returns what a settlement has for a column of this role in which a time is written;
// zero = nothing.
func (r Role) TimeOf(s *pombo.Settlement) time.Time {
	switch r {
	case RoleSentAt:
		return s.SentAt
	case RoleReplyAt:
		return s.Answered
	default:
		return time.Time{}
	}
}

// MaxAnswer is how many characters of an answer are written. They fit into any text of Oracle.
const MaxAnswer = 1000

// TextOf returns what a settlement has for a column of this role in which a text is written;
// "" = nothing.
func (r Role) TextOf(s *pombo.Settlement) string {
	switch r {
	case RoleMessageID:
		return string(s.MessageID)
	case RoleError:
		return s.Error
	case RoleReply:
		answer := strings.ToValidUTF8(strings.ReplaceAll(s.Answer.Reveal(), "\x00", ""), "\ufffd")
		if len(answer) > MaxAnswer {
			if r := []rune(answer); len(r) > MaxAnswer {
				answer = string(r[:MaxAnswer])
			}
		}
		return answer
	default:
		return ""
	}
}

// ParseMapping parses all names and the condition, and reports everything that is wrong
// with them.
func ParseMapping(m Mapping) (*ParsedMapping, error) {
	c := &ParsedMapping{Mapping: m}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	var errs []error
	complain := func(r Role, err error) {
		errs = append(errs, &TableError{Op: "read " + string(r), Permanent: true, Err: err, Hint: "set " + string(r)})
	}
	add := func(to *[]MappedColumn, v MappedColumn, text string, required bool) {
		if text == "" && !required {
			return
		}
		var err error
		if v.Name, err = parseName(text); err != nil {
			complain(v.Role, err)
			return
		}
		*to = append(*to, v)
	}
	var err error
	if c.TableName, err = parseTable(m.Table); err != nil {
		complain(RoleTable, err)
	}
	if c.KeyName, err = parseName(m.RowKey); err != nil {
		complain(RoleRowKey, err)
	}
	add(&c.Writes, MappedColumn{Role: RoleStatus}, m.Status, true)
	add(&c.Writes, MappedColumn{Role: RoleMessageID}, m.MessageID, false)
	add(&c.Writes, MappedColumn{Role: RoleSentAt}, m.SentAt, false)
	add(&c.Writes, MappedColumn{Role: RoleError}, m.Error, false)
	add(&c.Writes, MappedColumn{Role: RoleReply}, m.Reply, false)
	add(&c.Writes, MappedColumn{Role: RoleReplyAt}, m.ReplyAt, false)
	add(&c.Values, MappedColumn{Role: RolePhone}, m.Phone, true)
	for _, p := range m.Params {
		to := &c.Values
		if isBlob(p.Slot) {
			to = &c.Blobs
		}
		add(to, MappedColumn{Role: RoleParam, Slot: p.Slot}, p.Name, true)
	}
	add(&c.Values, MappedColumn{Role: RoleTemplate}, m.Template, false)
	add(&c.Values, MappedColumn{Role: RoleLanguage}, m.Language, false)
	add(&c.Values, MappedColumn{Role: RolePriority}, m.Priority, false)
	add(&c.Values, MappedColumn{Role: RoleSendAfter}, m.SendAfter, false)
	add(&c.Values, MappedColumn{Role: RoleExpires}, m.Expires, false)
	add(&c.Values, MappedColumn{Role: RoleReminds}, m.Reminds, false)
	if c.Where, err = parseCondition(m.Where); err != nil {
		complain("DB_WHERE", err)
	}
	if m.Pending == "" {
		complain("STATUS_PENDING", errors.New("no status code of pending rows is given"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c.StatusName = c.Writes[0].Name

	// A column that is written must have no other role: the company's text would be
	// overwritten.
	taken := map[string]Role{c.KeyName.Fold(): RoleRowKey}
	for _, v := range append(slices.Clone(c.Values), c.Blobs...) {
		taken[v.Fold()] = v.Role
	}
	for _, w := range c.Writes {
		if other, ok := taken[w.Fold()]; ok {
			complain(w.Role, fmt.Errorf("%s is also mapped by %s and would be overwritten", w.Text, other))
		}
		taken[w.Fold()] = w.Role
	}
	return c, errors.Join(errs...)
}

// AndWhere returns the condition as it follows others in a statement.
func (m *ParsedMapping) AndWhere() string {
	if m.Where == "" {
		return ""
	}
	return " AND (" + m.Where + ")"
}

// Mapped returns every mapped column, once for each role; the row key comes first.
func (m *ParsedMapping) Mapped() []MappedColumn {
	all := []MappedColumn{{Name: m.KeyName, Role: RoleRowKey}}
	all = append(all, m.Values...)
	all = append(all, m.Blobs...)
	return append(all, m.Writes...)
}

// Code returns a status as the settings write it: a column of another type returns
// "1.0" or "1 " where they say "1".
func (m *ParsedMapping) Code(found string) string {
	if SameCode(found, m.Pending) {
		return m.Pending
	}
	return strings.TrimRight(found, " ")
}

// SameCode reports whether two status codes mean the same.
func SameCode(a, b string) bool {
	a, b = strings.TrimRight(a, " "), strings.TrimRight(b, " ")
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}
