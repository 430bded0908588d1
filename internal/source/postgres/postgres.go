// Package postgres is a source database: a table, partitioned table or view in PostgreSQL,
// or in what speaks its protocol.
//
// Every argument is sent as text without a type, so that the server gives it the type of
// the column that it is compared with: one text serves row keys and statuses of every
// type, and an index on the column is used. Lists are sent as arrays. driver.go says how a
// statement is sent, and why a pooler may stand in between.
package postgres

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pombo"
	"pombo/internal/source"
)

type dialect struct {
	mapping *source.ParsedMapping
	config  *pgconn.Config
	limits  limits
	now     func() time.Time
	// standby: the server accepted no writes at the last introspection.
	standby atomic.Bool

	firstText, pageText, rowText, statusesText, settleText, probeText, standbyText string
}

// takesDSN reports whether a DSN is PostgreSQL's: a URL or the key-value form of libpq
// (host=db dbname=erp). Oracle's descriptors begin with a bracket, and its other forms
// have no "=" after a plain word.
func takesDSN(dsn string) bool {
	word, _, pairs := strings.Cut(strings.TrimSpace(dsn), "=")
	return strings.HasPrefix(word, "postgres://") || strings.HasPrefix(word, "postgresql://") ||
		pairs && strings.IndexFunc(strings.TrimSpace(word), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) < 0
}

// Driver is PostgreSQL.
var Driver = source.Driver{
	Schemes:  []string{"postgres", "postgresql"},
	System:   "postgresql",
	Port:     "5432",
	TakesDSN: takesDSN,
	New: func(opts source.Options, m *source.ParsedMapping) (source.Dialect, error) {
		return newDialect(opts, m)
	},
}

func newDialect(opts source.Options, m *source.ParsedMapping) (*dialect, error) {
	address := opts.URL
	if address == "" {
		address = opts.DSN
	}
	c, err := pgconn.ParseConfig(address)
	if err != nil {
		// The driver's message may quote a password that it did not recognise.
		said := errors.New("the address cannot be read")
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			// Without its name: a password with an @ and a ? in it can be taken for one.
			said = fmt.Errorf("the address names a file that cannot be read: %w", file.Err)
		}
		return nil, &source.TableError{ //nolint:gosec // the password is an example's
			Op: "open the source", Permanent: true, Err: said,
			Hint: "write DB_URL=postgres://user:password@host:5432/database?sslmode=require, with %40 for @ and %2F for / in the password",
		}
	}
	if opts.User != "" {
		c.User, c.Password = opts.User, opts.Password
	}
	if c.ConnectTimeout == 0 { // shorter than the statement's limit, so that the error can say which it was
		c.ConnectTimeout = min(opts.Timeout/2, 10*time.Second)
	}
	// Otherwise the server returns text in the database's own encoding. PgBouncer knows
	// both of these settings and carries them from session to session.
	c.RuntimeParams["client_encoding"] = "UTF8"
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "pombo"
	}
	// The server's limit is for when we are gone: ours comes first. The wait for a lock
	// ends before both, so that the error can say that it was a lock.
	d := &dialect{mapping: m, config: c, now: opts.Now, limits: limits{statement: opts.Timeout + time.Second, lock: min(opts.Timeout/2, 5*time.Second)}}
	d.write()
	return d, nil
}

// write composes the texts.
func (d *dialect) write() {
	m, table := d.mapping, d.table()
	of := func(n source.Name) string { return "t." + source.Quote(fold(n)) }
	id, status := of(m.KeyName), of(m.StatusName)

	columns := []string{id}
	for _, v := range m.Values {
		text := of(v.Name) + "::text"
		if v.Role == source.RoleSendAfter || v.Role == source.RoleExpires {
			// JSON writes times in one way, with whole offsets; ::text depends on DateStyle.
			text = "to_json(" + of(v.Name) + ") #>> '{}'"
		}
		columns = append(columns, fmt.Sprintf("left(%s, %d)", text, source.MaxText+1))
	}
	rows := fmt.Sprintf("SELECT %s FROM %s AS t WHERE ", strings.Join(columns, ", "), table)
	page := func(from string) string {
		return rows + fmt.Sprintf("%s = $1 AND %s %s%s ORDER BY %[2]s LIMIT $2", status, id, from, m.AndWhere())
	}
	d.rowText = rows + id + " = $1"
	d.firstText, d.pageText = page("IS NOT NULL"), page("> $3")
	d.statusesText = fmt.Sprintf("SELECT %s, %s::text FROM %s AS t WHERE %[1]s = ANY ($1)", id, status, table)

	// The sub-selects never run: they give the arrays their types.
	var arrays []string
	array := func(n source.Name) {
		arrays = append(arrays, fmt.Sprintf("coalesce($%d, (SELECT array_agg(%s) FROM %s AS t WHERE false))", len(arrays)+1, of(n), table))
	}
	array(m.KeyName)
	array(m.StatusName)
	var set, noop, names []string
	for _, w := range m.Writes {
		array(w.Name)
		column, from := source.Quote(fold(w.Name)), fmt.Sprintf("j.c%d", len(names))
		names = append(names, from[2:])
		noop = append(noop, column+" = "+of(w.Name))
		if w.Role.KeepsPresent() {
			from = "coalesce(" + from + ", " + of(w.Name) + ")"
		}
		set = append(set, column+" = "+from)
	}
	d.settleText = fmt.Sprintf("UPDATE %s AS t SET %s FROM unnest(%s) AS j (id, expected, %s) WHERE %s = j.id AND %s = j.expected",
		table, strings.Join(set, ", "), strings.Join(arrays, ", "), strings.Join(names, ", "), id, status)
	d.standbyText = fmt.Sprintf("UPDATE %s AS t SET %s WHERE false", table, strings.Join(noop, ", "))
	d.probeText = "EXPLAIN " + d.standbyText
}

// table writes the table's name as the mapping has it.
func (d *dialect) table() string {
	parts := make([]string, len(d.mapping.TableName))
	for i, n := range d.mapping.TableName {
		parts[i] = source.Quote(fold(n))
	}
	return strings.Join(parts, ".")
}

// fold returns a name as the catalog has it: unless it was quoted, its ASCII letters are
// in lower case.
func fold(n source.Name) string {
	if n.Exact {
		return n.Text
	}
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, n.Text)
}

func (d *dialect) Connector() (driver.Connector, error) {
	return connector{d.config, d.limits, d.now}, nil
}

func (d *dialect) Pool(db *sql.DB) {
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(2)
	// The host name may come to mean another server; a connection would stay with the
	// old one.
	db.SetConnMaxLifetime(10 * time.Minute)
}

// blankPadded reports whether a column pads its texts with blanks.
func blankPadded(declared string) bool { return strings.HasPrefix(declared, "character(") }

func (d *dialect) Page(_ source.Layout, after any, limit int) source.Query {
	if after == nil {
		return source.Query{Text: d.firstText, Args: []any{d.mapping.Pending, strconv.Itoa(limit)}}
	}
	return source.Query{Text: d.pageText, Args: []any{d.mapping.Pending, strconv.Itoa(limit), after}}
}

func (d *dialect) Row(_ source.Layout, key any) source.Query {
	return source.Query{Text: d.rowText, Args: []any{key}}
}

func (d *dialect) Blob(_ source.Layout, column source.MappedColumn, key any) (size, bytes source.Query) {
	sizeText, bytesText := d.blobTexts(column)
	return source.Query{Text: sizeText, Args: []any{key}}, source.Query{Text: bytesText, Args: []any{key, binaryResult{}}}
}

func (d *dialect) blobTexts(column source.MappedColumn) (size, bytes string) {
	from := fmt.Sprintf(" FROM %s AS t WHERE t.%s = $1", d.table(), source.Quote(fold(d.mapping.KeyName)))
	of := "t." + source.Quote(fold(column.Name))
	return "SELECT octet_length(" + of + ")" + from, "SELECT " + of + from
}

func (d *dialect) Statuses(_ source.Layout, keys []any) []source.Query {
	var list array
	for _, k := range keys {
		list.add(k.(string))
	}
	return []source.Query{{Text: d.statusesText, Args: []any{list.String()}}}
}

func (d *dialect) Settle(l source.Layout, batch []pombo.Settlement, wait time.Duration) source.Update {
	// Two processes that settle the same rows lock them in the same order.
	batch = slices.Clone(batch)
	slices.SortStableFunc(batch, func(a, b pombo.Settlement) int { return strings.Compare(a.RowKey, b.RowKey) })

	columns := make([]array, 2+len(d.mapping.Writes))
	for k := range batch {
		s := &batch[k]
		columns[0].add(s.RowKey)
		if code, ok := statusOf(l, s.Expected); ok {
			columns[1].add(code)
		} else {
			columns[1].null() // no row has it
		}
		for i, w := range d.mapping.Writes {
			to := &columns[2+i]
			switch {
			case w.Role == source.RoleStatus:
				code, _ := statusOf(l, s.Code) // the server refuses what the column cannot hold
				to.add(code)
			case !w.Role.TimeOf(s).IsZero():
				to.add(d.timeFor(l, w.Name, w.Role.TimeOf(s)))
			case w.Role == source.RoleMessageID && s.MessageID != "":
				to.add(string(s.MessageID))
			case w.Role.TextOf(s) != "":
				to.add(shorten(w.Role.TextOf(s), l.Declared(w.Name)))
			default:
				to.null()
			}
		}
	}
	q := source.Query{Text: d.settleText}
	for i := range columns {
		q.Args = append(q.Args, columns[i].String())
	}
	lock := &source.RowLocks{Wait: wait}
	q.Args = append(q.Args, lock)
	return source.Update{Query: q, Locks: lock}
}

// statusOf writes a code as the status column would. ok is false when the column can
// never hold it.
func statusOf(l source.Layout, code string) (text string, ok bool) {
	if l.Status != source.KindWhole {
		return code, true
	}
	if n, err := strconv.ParseFloat(strings.TrimSpace(code), 64); err == nil {
		return strconv.FormatFloat(n, 'f', -1, 64), true
	}
	return code, false
}

// timeFor writes a time with its zone if the column stores one, otherwise as the wall
// clock in the mapping's zone.
func (d *dialect) timeFor(l source.Layout, n source.Name, at time.Time) string {
	at = at.In(d.mapping.Zone)
	if strings.HasSuffix(l.Declared(n), "with time zone") {
		return at.Format("2006-01-02 15:04:05Z07:00")
	}
	return at.Format(time.DateTime)
}

// shorten cuts a message to what varchar(n) can hold. Otherwise the server would refuse
// the row, and its status with it.
func shorten(s, declared string) string {
	_, length, _ := strings.Cut(declared, "(")
	n, err := strconv.Atoi(strings.TrimSuffix(length, ")"))
	if r := []rune(s); err == nil && len(r) > n {
		return string(r[:n])
	}
	return s
}

func (d *dialect) Probe() source.Query {
	if d.standby.Load() {
		return source.Query{Text: d.standbyText}
	}
	return source.Query{Text: d.probeText}
}

func (d *dialect) KeyArg(l source.Layout, key string) (any, bool) {
	switch declared := l.Declared(d.mapping.KeyName); l.RowKey {
	case source.KindWhole:
		bits := map[string]int{"smallint": 16, "integer": 32, "bigint": 64}[declared]
		if bits == 0 { // numeric accepts any number of digits
			number, ok := wholeNumber(key)
			return key, ok && number == key
		}
		n, err := strconv.ParseInt(key, 10, bits)
		return key, err == nil && strconv.FormatInt(n, 10) == key
	case source.KindText:
		return key, source.ValidTextKey(key) && (!blankPadded(declared) || !strings.HasSuffix(key, " "))
	case source.KindUUID:
		_, ok := source.ParseUUIDKey(key)
		return key, ok
	default:
		return nil, false
	}
}

func (d *dialect) KeyText(l source.Layout, v any) (string, error) {
	key, ok := v.(string)
	if !ok {
		return "", errors.New("a row has no key; map a column that is NOT NULL (DB_COL_ID)")
	}
	if l.RowKey == source.KindWhole {
		n, ok := wholeNumber(key)
		if !ok {
			return "", fmt.Errorf("a key is a number with a fraction or of more than %d digits; store it as text", source.MaxRowKey)
		}
		return n, nil
	}
	if blankPadded(l.Declared(d.mapping.KeyName)) {
		key = strings.TrimRight(key, " ")
	}
	if !source.ValidTextKey(key) {
		return "", source.ErrTextKey
	}
	return key, nil
}

// wholeNumber returns the digits of a number as numeric writes it, without a fraction of
// zeros.
func wholeNumber(s string) (string, bool) {
	n, fraction, _ := strings.Cut(s, ".")
	digits := strings.TrimPrefix(n, "-")
	ok := strings.Trim(fraction, "0") == "" && len(n) <= source.MaxRowKey && digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || n == "0")
	return n, ok
}

// array writes the text of a one-dimensional array. The zero value is empty.
type array struct{ b strings.Builder }

func (a *array) next() {
	if a.b.Len() == 0 {
		a.b.WriteByte('{')
	} else {
		a.b.WriteByte(',')
	}
}

func (a *array) null() {
	a.next()
	a.b.WriteString("NULL")
}

func (a *array) add(s string) {
	a.next()
	a.b.WriteByte('"')
	for {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			break
		}
		a.b.WriteString(s[:i])
		a.b.WriteByte('\\')
		a.b.WriteByte(s[i])
		s = s[i+1:]
	}
	a.b.WriteString(s)
	a.b.WriteByte('"')
}

func (a *array) String() string {
	if a.b.Len() == 0 {
		return "{}"
	}
	return a.b.String() + "}"
}
