// Package sqlite is a source database: a table in an SQLite file that the company's own
// programs write too. The file is never created and its journal mode never changed.
//
// Lists of keys and batches travel as one JSON argument (json_each), so that every text
// stays the same however many rows there are. SQLite takes an unknown name in double
// quotes for a string, so every column has the table's alias before it.
package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"

	"pombo"
	"pombo/internal/source"
)

// Driver is SQLite.
var Driver = source.Driver{
	Schemes: []string{"sqlite"},
	System:  "sqlite",
	New: func(opts source.Options, m *source.ParsedMapping) (source.Dialect, error) {
		_, path, _ := strings.Cut(opts.URL, ":")
		return newDialect(path, opts.Timeout, m)
	},
}

type dialect struct {
	mapping *source.ParsedMapping
	path    string
	busy    time.Duration

	pageText, rowText, statusesText, settleText, probeText, sampleText string
}

func newDialect(path string, timeout time.Duration, m *source.ParsedMapping) (*dialect, error) {
	path = strings.TrimPrefix(path, "//") // sqlite://data/x.db means data/x.db
	if path == "" {
		return nil, &source.TableError{Op: "open the source", Permanent: true, Err: errors.New("no file is named"), Hint: "write DB_URL=sqlite:data/empresa.db"}
	}
	if len(m.TableName) > 1 && !strings.EqualFold(m.TableName[0].Text, "main") {
		return nil, &source.TableError{Op: "read " + string(source.RoleTable), Permanent: true, Err: fmt.Errorf("an SQLite file has no schema %s", m.TableName[0].Text), Hint: "name the table alone"}
	}
	// The wait for a lock ends before the statement's time limit, so that the error can
	// say that it was a lock.
	d := &dialect{mapping: m, path: path, busy: min(timeout/2, 5*time.Second)}
	d.write()
	return d, nil
}

func (d *dialect) Connector() (driver.Connector, error) {
	c, err := sqlite.NewConnector(d.dsn("rw"))
	if err != nil {
		return nil, &source.TableError{Op: "open " + d.path, Permanent: true, Err: err, Hint: "correct the path in DB_URL"}
	}
	return c, nil
}

func (d *dialect) Pool(db *sql.DB) {
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(2)
	// The owner may replace the file; a connection would go on with the old one.
	db.SetConnMaxLifetime(time.Minute)
}

// dsn returns the path as a URI. The mode "rw" opens only a file that exists.
func (d *dialect) dsn(mode string) string {
	p := filepath.ToSlash(d.path)
	switch {
	case strings.HasPrefix(p, "//"): // \\server\share
		p = "//" + p
	case filepath.VolumeName(d.path) != "": // C:\…
		p = "/" + p
	}
	return fmt.Sprintf("file:%s?mode=%s&_pragma=busy_timeout(%d)", (&url.URL{Path: p}).EscapedPath(), mode, d.busy.Milliseconds())
}

// write composes the texts.
func (d *dialect) write() {
	m := d.mapping
	of := func(n source.Name) string { return "t." + source.Quote(n.Text) }
	table := d.table()
	id, status := of(m.KeyName), of(m.StatusName)

	var page strings.Builder
	page.WriteString("SELECT " + id)
	for _, v := range m.Values {
		// substr ends before a NUL. Appending it again makes the value invalid; otherwise
		// the first part would be sent silently.
		column := of(v.Name)
		if v.Role == source.RoleReminds { // a key can be binary
			column = fmt.Sprintf("iif(typeof(%[1]s) = 'blob', hex(%[1]s), %[1]s)", column)
		}
		fmt.Fprintf(&page, ", substr(%[1]s, 1, %[2]d) || iif(instr(%[1]s, char(0)), char(0), '')", column, source.MaxText+1)
	}
	fmt.Fprintf(&page, " FROM %s AS t WHERE ", table)
	d.pageText = page.String() + fmt.Sprintf("%s = ?1 AND %s > ?2%s ORDER BY %[2]s LIMIT ?3", status, id, m.AndWhere())
	d.rowText = page.String() + id + " = ?1"

	d.statusesText = fmt.Sprintf("SELECT %s, %s FROM %s AS t WHERE %[1]s IN (SELECT iif(?2, unhex(value), value) FROM json_each(?1))", id, status, table)

	var set, noop, results []string
	for i, w := range m.Writes {
		column, from := source.Quote(w.Text), fmt.Sprintf("j.c%d", i)
		results = append(results, fmt.Sprintf("value->>%d AS %s", i+2, from[2:]))
		noop = append(noop, column+" = "+of(w.Name))
		if w.Role.KeepsPresent() {
			from = "coalesce(" + from + ", " + of(w.Name) + ")"
		}
		set = append(set, column+" = "+from)
	}
	d.settleText = fmt.Sprintf("UPDATE %s AS t SET %s FROM (SELECT iif(?2, unhex(value->>0), value->>0) AS id, value->>1 AS expected, %s "+
		"FROM json_each(?1)) AS j WHERE %s = j.id AND %s = j.expected",
		table, strings.Join(set, ", "), strings.Join(results, ", "), id, status)
	d.probeText = fmt.Sprintf("UPDATE %s AS t SET %s WHERE 1 = 0", table, strings.Join(noop, ", "))
	d.sampleText = fmt.Sprintf("SELECT typeof(%s), length(%[1]s), typeof(%s) FROM %s AS t WHERE %[1]s IS NOT NULL LIMIT 1", id, status, table)
}

func (d *dialect) table() string {
	return source.Quote(d.mapping.TableName[len(d.mapping.TableName)-1].Text)
}

func (d *dialect) Page(l source.Layout, after any, limit int) source.Query {
	if after == nil {
		// Sorts before every key of this kind, and after NULL and the empty text, which
		// are not keys.
		switch l.RowKey {
		case source.KindText:
			after = ""
		case source.KindUUID:
			after = []byte{}
		default:
			after = math.Inf(-1)
		}
	}
	return source.Query{Text: d.pageText, Args: []any{d.code(l, d.mapping.Pending), after, limit}}
}

func (d *dialect) Row(_ source.Layout, key any) source.Query {
	return source.Query{Text: d.rowText, Args: []any{key}}
}

// Blob counts bytes and not characters, should the column have text.
func (d *dialect) Blob(_ source.Layout, column source.MappedColumn, key any) (size, bytes source.Query) {
	sizeText, bytesText := d.blobTexts(column)
	return source.Query{Text: sizeText, Args: []any{key}}, source.Query{Text: bytesText, Args: []any{key}}
}

func (d *dialect) blobTexts(column source.MappedColumn) (size, bytes string) {
	from := fmt.Sprintf(" FROM %s AS t WHERE t.%s = ?1", d.table(), source.Quote(d.mapping.KeyName.Text))
	of := "t." + source.Quote(column.Text)
	return "SELECT octet_length(" + of + ")" + from, "SELECT CAST(" + of + " AS BLOB)" + from
}

func (d *dialect) Statuses(l source.Layout, keys []any) []source.Query {
	list := make([]any, len(keys))
	for i, k := range keys {
		list[i] = jsonKey(k)
	}
	return []source.Query{{Text: d.statusesText, Args: []any{toJSON(list), l.RowKey == source.KindUUID}}}
}

// Settle waits for the whole file, as every statement does: SQLite does not lock rows.
func (d *dialect) Settle(l source.Layout, batch []pombo.Settlement, _ time.Duration) source.Update {
	list := make([][]any, len(batch))
	for i := range batch {
		s := &batch[i]
		key, _ := d.KeyArg(l, s.RowKey)
		list[i] = append(make([]any, 0, 2+len(d.mapping.Writes)), jsonKey(key), d.code(l, s.Expected))
		for _, w := range d.mapping.Writes {
			var value any // nil = nothing is known
			if at := w.Role.TimeOf(s); !at.IsZero() {
				value = at.In(d.mapping.Zone).Format(time.DateTime)
			} else if text := w.Role.TextOf(s); text != "" {
				value = text
			} else if w.Role == source.RoleStatus {
				value = d.code(l, s.Code)
			}
			list[i] = append(list[i], value)
		}
	}
	return source.Update{Query: source.Query{Text: d.settleText, Args: []any{toJSON(list), l.RowKey == source.KindUUID}}}
}

func (d *dialect) Probe() source.Query { return source.Query{Text: d.probeText} }

// code binds a status with the type of the column: a column without a type
// distinguishes 1 from '1', and an index on "status = 1" serves numbers only.
func (d *dialect) code(l source.Layout, code string) any {
	if n, ok := source.ParseWholeKey(code); ok && l.Status != source.KindText {
		return n
	}
	return code
}

// jsonKey encodes bytes in hexadecimal, for unhex.
func jsonKey(key any) any {
	if b, ok := key.([]byte); ok {
		return hex.EncodeToString(b)
	}
	return key
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("source: numbers and texts always marshal: " + err.Error())
	}
	return string(b)
}

func (d *dialect) KeyArg(l source.Layout, key string) (any, bool) {
	switch l.RowKey {
	case source.KindWhole:
		n, ok := source.ParseWholeKey(key)
		return n, ok
	case source.KindText:
		return key, source.ValidTextKey(key)
	case source.KindUUID:
		b, ok := source.ParseUUIDKey(key)
		return b, ok
	default:
		return nil, false // an empty table has no keys
	}
}

func (d *dialect) KeyText(l source.Layout, v any) (string, error) {
	switch v := v.(type) {
	case int64:
		if l.RowKey == source.KindWhole {
			return strconv.FormatInt(v, 10), nil
		}
	case float64:
		// Beyond 2^53 neighbours are equal.
		if l.RowKey == source.KindWhole && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), nil
		}
		return "", errors.New("a key is a number with a fraction or beyond 64 bits; store it as text")
	case string:
		if l.RowKey == source.KindText && source.ValidTextKey(v) {
			return v, nil
		}
		if l.RowKey == source.KindText {
			return "", source.ErrTextKey
		}
	case []byte:
		if l.RowKey == source.KindUUID && len(v) == 16 {
			return source.FormatUUID(v), nil
		}
		return "", fmt.Errorf("a key is %d bytes of binary data; only UUIDs of 16 bytes can be keys", len(v))
	case time.Time:
		return "", errors.New("the key column holds times; map a column of whole numbers, text or UUIDs")
	}
	return "", errors.New("a key is of another type than the others; keep one type in the key column")
}
