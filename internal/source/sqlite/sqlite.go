package sqlite

import (
	"context"
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
	sqlite3 "modernc.org/sqlite/lib"

	"pombo"
	"pombo/internal/source"
)

// sqliteDialect is a table in an SQLite file that the company's own programs
// write too. The file is never created and its journal mode never changed.
//
// Lists of keys and batches travel as one JSON argument (json_each), so that
// every text stays the same however many rows there are. SQLite takes a name in
// double quotes that it does not know for a text; every column is therefore
// written with the table's alias before it.
type dialect struct {
	mapping *source.ParsedMapping
	path    string
	busy    time.Duration

	pageText, rowText, statusesText, settleText, probeText, sampleText string
}

// Driver is the driver.
var Driver = source.Driver{
	Schemes: []string{"sqlite"},
	New: func(opts source.Options, m *source.ParsedMapping) (source.Dialect, error) {
		_, path, _ := strings.Cut(opts.URL, ":")
		return newDialect(path, opts.Timeout, m)
	},
}

func newDialect(path string, timeout time.Duration, m *source.ParsedMapping) (*dialect, error) {
	path = strings.TrimPrefix(path, "//") // sqlite://data/x.db means data/x.db
	if path == "" {
		return nil, &source.TableError{Op: "open the source", Permanent: true, Err: errors.New("no file is named"), Hint: "write DB_URL=sqlite:data/empresa.db"}
	}
	if len(m.TableName) > 1 && !strings.EqualFold(m.TableName[0].Text, "main") {
		return nil, &source.TableError{Op: "read " + string(source.RoleTable), Permanent: true, Err: fmt.Errorf("an SQLite file has no schema %s", m.TableName[0].Text), Hint: "name the table alone"}
	}
	// The wait for a lock ends before the statement's time does, so that the error
	// can say that it was a lock.
	d := &dialect{mapping: m, path: path, busy: min(timeout/2, 5*time.Second)}
	d.write()
	return d, nil
}

// write writes the texts.
func (d *dialect) write() {
	m := d.mapping
	of := func(n source.Name) string { return "t." + source.Quote(n.Text) }
	table := d.table()
	id, status := of(m.KeyName), of(m.StatusName)

	var page strings.Builder
	page.WriteString("SELECT " + id)
	for _, v := range m.Values {
		// substr ends before a NUL. Put there again, it has the value refused: else the
		// first part would be sent without a word.
		fmt.Fprintf(&page, ", substr(%[1]s, 1, %[2]d) || iif(instr(%[1]s, char(0)), char(0), '')", of(v.Name), source.MaxText+1)
	}
	fmt.Fprintf(&page, " FROM %s AS t WHERE ", table)
	d.pageText = page.String() + fmt.Sprintf("%s = ?1 AND %s > ?2%s ORDER BY %[2]s LIMIT ?3", status, id, m.AndWhere())
	d.rowText = page.String() + id + " = ?1"

	d.statusesText = fmt.Sprintf("SELECT %s, %s FROM %s AS t WHERE %[1]s IN (SELECT iif(?2, unhex(value), value) FROM json_each(?1))", id, status, table)

	var set, noop []string
	for _, w := range m.Writes {
		column := source.Quote(w.Text)
		noop = append(noop, column+" = "+of(w.Name))
		switch w.Role {
		case source.RoleMessageID: // what is not known leaves what is there
			set = append(set, column+" = coalesce(j.message, "+of(w.Name)+")")
		case source.RoleSentAt:
			set = append(set, column+" = coalesce(j.sent, "+of(w.Name)+")")
		case source.RoleError:
			set = append(set, column+" = j.error")
		default:
			set = append(set, column+" = j.code")
		}
	}
	d.settleText = fmt.Sprintf("UPDATE %s AS t SET %s FROM (SELECT iif(?2, unhex(value->>0), value->>0) AS id, value->>1 AS expected, value->>2 AS code, "+
		"value->>3 AS message, value->>4 AS sent, value->>5 AS error FROM json_each(?1)) AS j WHERE %s = j.id AND %s = j.expected",
		table, strings.Join(set, ", "), id, status)
	d.probeText = fmt.Sprintf("UPDATE %s AS t SET %s WHERE 1 = 0", table, strings.Join(noop, ", "))
	d.sampleText = fmt.Sprintf("SELECT typeof(%s), length(%[1]s), typeof(%s) FROM %s AS t WHERE %[1]s IS NOT NULL LIMIT 1", id, status, table)
}

func (d *dialect) table() string {
	return source.Quote(d.mapping.TableName[len(d.mapping.TableName)-1].Text)
}

const (
	columnsText = "SELECT name, type, \"notnull\", hidden FROM pragma_table_xinfo(?1, 'main')"
	tablesText  = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' ORDER BY name"
)

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

// dsn writes the path as a URI. The mode "rw" opens only what is there.
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

func (d *dialect) Matches(n source.Name, column string) bool {
	return strings.EqualFold(n.Text, column)
}

func (d *dialect) Columns(ctx context.Context, query source.Querier) ([]source.Column, error) {
	op := "read the columns of " + d.mapping.Table
	var columns []source.Column
	_, err := query(ctx, op, source.Query{Text: columnsText, Args: []any{d.mapping.TableName[len(d.mapping.TableName)-1].Text}}, func(v []any) {
		columns = append(columns, source.Column{
			Name: source.Text(v[0]), Declared: source.Text(v[1]), NotNull: source.Text(v[2]) != "0",
			Computed: source.Text(v[3]) != "0", // 2 and 3 are generated columns, 1 is of virtual tables
		})
	})
	if err != nil || len(columns) > 0 {
		return columns, err
	}
	var tables []string
	if _, err := query(ctx, op, source.Query{Text: tablesText}, func(v []any) { tables = append(tables, source.Text(v[0])) }); err != nil {
		return nil, err
	}
	return nil, &source.TableError{Op: op, Permanent: true, Err: fmt.Errorf("%s has no such table or view", d.path), Hint: source.Nearest(d.mapping.Table, tables) + " (" + string(source.RoleTable) + ")"}
}

func (d *dialect) Kinds(ctx context.Context, query source.Querier, l source.Layout) (source.Kinds, error) {
	key, _ := l.Column(d.mapping.KeyName)
	status, _ := l.Column(d.mapping.StatusName)
	op := "read the types of " + d.mapping.Table
	var keyType, length, statusType string
	_, err := query(ctx, op, source.Query{Text: d.sampleText}, func(v []any) {
		keyType, length, statusType = source.Text(v[0]), source.Text(v[1]), source.Text(v[2])
	})
	if err != nil {
		return source.Kinds{}, err
	}
	k := source.Kinds{RowKey: kindOf(key.Declared, keyType), Status: kindOf(status.Declared, statusType)}
	if statusType == "text" {
		k.Status = source.KindText // whatever was declared
	}
	if k.RowKey == source.KindUUID && length != "16" {
		return source.Kinds{}, &source.TableError{Op: op, Permanent: true, Err: fmt.Errorf("%s holds %s bytes of binary data, which is no UUID", d.mapping.RowKey, length), Hint: "map a key of whole numbers, of text or of 16 bytes (DB_COL_ID)"}
	}
	return k, nil
}

// sqliteKind tells what a column holds from its declared type and from a value
// of it. SQLite turns what is compared with a column of whole numbers or of text
// into that; between them (NUMERIC, UUID, RAW(16), no type at all: the column of
// a view) values keep their own type and must be asked with it.
//
// https://www.sqlite.org/datatype3.html#determination_of_column_affinity
func kindOf(declared, sample string) source.Kind {
	declared = strings.ToUpper(declared)
	if strings.Contains(declared, "INT") {
		return source.KindWhole
	}
	switch sample {
	case "integer", "real":
		return source.KindWhole
	case "text":
		return source.KindText
	case "blob":
		return source.KindUUID
	}
	for _, s := range []string{"CHAR", "CLOB", "TEXT"} {
		if strings.Contains(declared, s) {
			return source.KindText
		}
	}
	return source.KindUnknown
}

func (d *dialect) Page(l source.Layout, after any, limit int) source.Query {
	if after == nil {
		// Before every key of the kind and behind what is no key: NULL, and the
		// empty text.
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

func (d *dialect) Statuses(l source.Layout, keys []any) []source.Query {
	list := make([]any, len(keys))
	for i, k := range keys {
		list[i] = jsonKey(k)
	}
	return []source.Query{{Text: d.statusesText, Args: []any{toJSON(list), l.RowKey == source.KindUUID}}}
}

// settle waits for the whole file as every statement does: there are no locks of rows.
func (d *dialect) Settle(l source.Layout, batch []pombo.Settlement, _ time.Duration) source.Update {
	list := make([][6]any, len(batch))
	for i, s := range batch {
		key, _ := d.KeyArg(l, s.RowKey)
		list[i] = [6]any{jsonKey(key), d.code(l, s.Expected), d.code(l, s.Code)}
		if s.MessageID != "" {
			list[i][3] = s.MessageID
		}
		if !s.SentAt.IsZero() {
			list[i][4] = s.SentAt.In(d.mapping.Zone).Format(time.DateTime)
		}
		if s.Error != "" {
			list[i][5] = s.Error
		}
	}
	return source.Update{Query: source.Query{Text: d.settleText, Args: []any{toJSON(list), l.RowKey == source.KindUUID}}}
}

func (d *dialect) Probe() source.Query { return source.Query{Text: d.probeText} }

// code binds a status with the type that the column has: a column without a type
// of its own tells 1 from '1', and an index on "status = 1" serves numbers only.
func (d *dialect) code(l source.Layout, code string) any {
	if n, ok := source.ParseWholeKey(code); ok && l.Status != source.KindText {
		return n
	}
	return code
}

// jsonKey writes bytes in the digits that unhex reads.
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
		return nil, false // an empty table has no key
	}
}

func (d *dialect) KeyText(l source.Layout, v any) (string, error) {
	switch v := v.(type) {
	case int64:
		if l.RowKey == source.KindWhole {
			return strconv.FormatInt(v, 10), nil
		}
	case float64:
		// Past 2^53 neighbours fall together.
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

func (d *dialect) Explain(err error) source.Explanation {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return source.Explanation{Class: source.Transient}
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return source.Explanation{Class: source.Transient, Hint: "another program holds the file; it is tried again by itself"}
	case sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_SCHEMA:
		return source.Explanation{Class: source.Transient}
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH:
		return source.Explanation{Class: source.Refused, Detail: constraintMessage(e)}
	case sqlite3.SQLITE_FULL:
		return source.Explanation{Class: source.Permanent, Hint: "the disk is full: make room on the disk of " + d.path}
	case sqlite3.SQLITE_READONLY:
		if e.Code() == sqlite3.SQLITE_READONLY_DBMOVED {
			return source.Explanation{Class: source.Transient, Hint: "the file was replaced; it is opened again by itself"}
		}
		return source.Explanation{Class: source.Permanent, Hint: "give the account that runs Pombo the right to write " + d.path + " and its folder"}
	case sqlite3.SQLITE_CANTOPEN:
		return source.Explanation{Class: source.Permanent, Hint: "see that the file " + d.path + " is there and may be read (DB_URL); Pombo does not make it"}
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return source.Explanation{Class: source.Permanent, Hint: "give the account that runs Pombo the right to read and write " + d.path}
	case sqlite3.SQLITE_NOTADB:
		return source.Explanation{Class: source.Permanent, Hint: d.path + " is no SQLite file: correct DB_URL"}
	case sqlite3.SQLITE_CORRUPT:
		return source.Explanation{Class: source.Permanent, Hint: "restore " + d.path + " from a copy"}
	case sqlite3.SQLITE_IOERR:
		return source.Explanation{Class: source.Transient, Hint: "see whether the disk or the network share of " + d.path + " is in order"}
	case sqlite3.SQLITE_NOMEM:
		return source.Explanation{Class: source.Transient}
	}
	switch {
	case strings.Contains(e.Error(), "cannot modify"):
		return source.Explanation{Class: source.Permanent, Hint: "map the table itself, or give the view an INSTEAD OF UPDATE trigger (DB_TABLE)"}
	case strings.Contains(e.Error(), "no such"):
		return source.Explanation{Class: source.Permanent, Hint: "compare the mapping with the table, its triggers and its views (pombo sql)"}
	}
	return source.Explanation{Class: source.Permanent}
}

// sqliteConstraint says what refuses a row. A trigger chooses its own words, which
// may name a person; they are not repeated.
func constraintMessage(e *sqlite.Error) string {
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return "a trigger of the table refuses the change"
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return "a CHECK of the table refuses the new values"
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return "a foreign key of the table does not know the new code"
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return "a written column may not be empty (NOT NULL)"
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return "a unique index does not take the new values twice"
	case sqlite3.SQLITE_CONSTRAINT_DATATYPE:
		return "a written column is of another type than the new value"
	default:
		return "a constraint of the table refuses the change"
	}
}

// learned is always so: the texts leave the types to the database.
func (d *dialect) Final() bool { return true }

func (d *dialect) List() []source.Statement {
	return []source.Statement{
		{Purpose: "on each new connection: how long to wait for a lock, in milliseconds", Text: fmt.Sprintf("PRAGMA busy_timeout(%d)", d.busy.Milliseconds())},
		{Purpose: "once, and on every check: the table's columns (?1 = table)", Text: columnsText},
		{Purpose: "when the table is missing: which tables there are, for the message", Text: tablesText},
		{Purpose: "once, and on every check: of which type keys and statuses are", Text: d.sampleText},
		{Purpose: "take in: a page of pending rows (?1 = status of pending rows, ?2 = last key seen, ?3 = how many)", Text: d.pageText},
		{Purpose: "before a retry by hand: the row as it is now (?1 = key)", Text: d.rowText},
		{Purpose: "before a resend, and after a settle that was short: the status now (?1 = keys, ?2 = whether they are binary)", Text: d.statusesText},
		{Purpose: "settle: results of a batch (?1 = key, expected status, new status, message id, time and error of each row, ?2 = whether keys are binary)", Text: d.settleText},
		{Purpose: "on every check: may the mapped columns be written? Changes nothing", Text: d.probeText},
		{Purpose: "pombo doctor: is there an index on the status? (?1 = table)", Text: indexesText},
		{Purpose: "pombo doctor: how a page would be read, without reading it (?1 = status of pending rows, ?2 = last key seen, ?3 = how many)", Text: d.planText()},
	}
}

func (d *dialect) Advice() []source.Statement {
	m, table := d.mapping, d.mapping.TableName[len(d.mapping.TableName)-1].Text
	pending := "'" + strings.ReplaceAll(m.Pending, "'", "''") + "'"
	codeType := "TEXT"
	if n, ok := source.ParseWholeKey(m.Pending); ok {
		pending, codeType = strconv.FormatInt(n, 10), "INTEGER"
	}
	columns := []string{source.Quote(m.KeyName.Text) + " INTEGER PRIMARY KEY"}
	seen := map[string]bool{m.KeyName.Fold(): true}
	for _, v := range m.Mapped()[1:] {
		if seen[v.Fold()] {
			continue
		}
		seen[v.Fold()] = true
		switch v.Role {
		case source.RoleStatus:
			columns = append(columns, fmt.Sprintf("%s %s NOT NULL DEFAULT %s", source.Quote(v.Text), codeType, pending))
		case source.RolePriority:
			columns = append(columns, source.Quote(v.Text)+" INTEGER")
		default:
			columns = append(columns, source.Quote(v.Text)+" TEXT")
		}
	}
	return []source.Statement{
		{Purpose: "an index of the pending rows alone: it stays small however many rows are finished", Text: fmt.Sprintf("CREATE INDEX %s ON %s (%s) WHERE %s = %s", source.Quote(table+"_PENDING"), d.table(), source.Quote(m.KeyName.Text), source.Quote(m.StatusName.Text), pending)},
		{Purpose: "a sample table", Text: fmt.Sprintf("CREATE TABLE %s (%s)", d.table(), strings.Join(columns, ", "))},
		{Purpose: "rights: SQLite has none; the account that runs Pombo must be able to read and write the file and its folder", Text: ""},
	}
}
