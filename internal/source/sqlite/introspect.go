package sqlite

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"pombo/internal/source"
)

const (
	columnsText = "SELECT name, type, \"notnull\", hidden FROM pragma_table_xinfo(?1, 'main')"
	tablesText  = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' ORDER BY name"
)

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
		k.Status = source.KindText // whatever the declaration says
	}
	if k.RowKey == source.KindUUID && length != "16" {
		return source.Kinds{}, &source.TableError{Op: op, Permanent: true, Err: fmt.Errorf("%s holds %s bytes of binary data, which is not a UUID", d.mapping.RowKey, length), Hint: "map a key of whole numbers, of text or of 16 bytes (DB_COL_ID)"}
	}
	return k, nil
}

// kindOf returns what a column holds, judged by its declared type and by a value. SQLite
// converts what is compared with a column of whole numbers or of text; in between
// (NUMERIC, UUID, RAW(16), or no type at all, as in a view) values keep their own type and
// must be compared with that type.
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

// Final is always true: the texts leave the types to the database.
func (d *dialect) Final() bool { return true }

func (d *dialect) List() []source.Statement {
	all := []source.Statement{
		{Purpose: "on each new connection: how long to wait for a lock, in milliseconds", Text: fmt.Sprintf("PRAGMA busy_timeout(%d)", d.busy.Milliseconds())},
		{Purpose: "once, and on every check: the table's columns (?1 = table)", Text: columnsText},
		{Purpose: "when the table is missing: which tables there are, for the message", Text: tablesText},
		{Purpose: "once, and on every check: of which type keys and statuses are", Text: d.sampleText},
		{Purpose: "take in: a page of pending rows (?1 = status of pending rows, ?2 = last key seen, ?3 = how many)", Text: d.pageText},
		{Purpose: "before a retry by hand: the row as it is now (?1 = key)", Text: d.rowText},
		{Purpose: "before a resend, and after a settle that was short: the status now (?1 = keys, ?2 = whether they are binary)", Text: d.statusesText},
		{Purpose: "settle: results of a batch (?1 = of each row its key, the expected status and what is written, in the order of the columns; ?2 = whether keys are binary)", Text: d.settleText},
		{Purpose: "on every check: may the mapped columns be written? Changes nothing", Text: d.probeText},
		{Purpose: "pombo doctor: is there an index on the status? (?1 = table)", Text: indexesText},
		{Purpose: "pombo doctor: how a page would be read, without reading it (?1 = status of pending rows, ?2 = last key seen, ?3 = how many)", Text: d.planText()},
	}
	for _, c := range d.mapping.Blobs {
		size, bytes := d.blobTexts(c)
		all = append(all,
			source.Statement{Purpose: "before a message that is sent with " + c.Text + ": how many bytes it has (?1 = key)", Text: size},
			source.Statement{Purpose: "the same: the bytes, of one row (?1 = key)", Text: bytes})
	}
	return all
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
		case source.RoleParam:
			kind := " TEXT"
			if v.IsBlob() {
				kind = " BLOB"
			}
			columns = append(columns, source.Quote(v.Text)+kind)
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
