package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pombo/internal/source"
)

const (
	// A column's name is quoted as SQL has to write it, so that a hint can be copied.
	// to_jsonb reads fields that older servers lack. A domain counts as its base type.
	columnsText = "SELECT quote_ident(a.attname), format_type(CASE y.typtype WHEN 'd' THEN y.typbasetype ELSE a.atttypid END, CASE y.typtype WHEN 'd' THEN y.typtypmod ELSE a.atttypmod END), " +
		"a.attnotnull OR y.typnotnull, coalesce(to_jsonb(a)->>'attgenerated', '') <> '' OR coalesce(to_jsonb(a)->>'attidentity', '') = 'a', current_setting('transaction_read_only') " +
		"FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
	tablesText = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname) " +
		"FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace " +
		"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1"
)

func (d *dialect) Matches(n source.Name, column string) bool {
	return strings.Trim(column, `"`) == fold(n)
}

func (d *dialect) Columns(ctx context.Context, query source.Querier) ([]source.Column, error) {
	op := "read the columns of " + d.mapping.Table
	var columns []source.Column
	_, err := query(ctx, op, source.Query{Text: columnsText, Args: []any{d.table()}}, func(v []any) {
		columns = append(columns, source.Column{Name: source.Text(v[0]), Declared: source.Text(v[1]), NotNull: source.Text(v[2]) == "t", Computed: source.Text(v[3]) == "t"})
		d.standby.Store(source.Text(v[4]) == "on")
	})
	if err != nil || len(columns) > 0 {
		return columns, err
	}
	var tables []string
	if _, err := query(ctx, op, source.Query{Text: tablesText}, func(v []any) { tables = append(tables, source.Text(v[0])) }); err != nil {
		return nil, err
	}
	hint := source.Nearest(d.mapping.Table, tables)
	// A table of the same name in a schema that is not searched is what was meant.
	wanted := "." + fold(d.mapping.TableName[len(d.mapping.TableName)-1])
	if i := slices.IndexFunc(tables, func(s string) bool { return strings.HasSuffix(strings.ReplaceAll(s, `"`, ""), wanted) }); i >= 0 {
		hint = "did you mean " + tables[i] + "?"
	}
	return nil, &source.TableError{Op: op, Permanent: true, Err: fmt.Errorf("the database %s has no such table or view", d.config.Database), Hint: hint + " (" + string(source.RoleTable) + ")"}
}

func (d *dialect) Kinds(_ context.Context, _ source.Querier, l source.Layout) (source.Kinds, error) {
	key, _ := l.Column(d.mapping.KeyName)
	status, _ := l.Column(d.mapping.StatusName)
	k := source.Kinds{RowKey: kindOf(key.Declared), Status: kindOf(status.Declared)}
	problems := d.blobProblems(l)
	if k.RowKey == source.KindUnknown {
		problems = append(problems, d.mapping.Problem(source.RoleRowKey, fmt.Sprintf("%s is of type %s", key.Name, key.Declared), "map a key of whole numbers, of text or of UUIDs"))
	}
	switch status.Declared {
	case "real", "double precision":
		k.Status = source.KindWhole
	case "boolean":
		for _, code := range append([]string{d.mapping.Pending}, d.mapping.Codes...) {
			if code != "true" && code != "false" {
				problems = append(problems, d.mapping.Problem(source.RoleStatus, fmt.Sprintf("%s is of type boolean and the code %q is neither true nor false", status.Name, code),
					"correct the STATUS_ settings or map another column"))
			}
		}
	}
	return k, errors.Join(problems...)
}

// blobProblems reports every document column that does not hold bytes.
func (d *dialect) blobProblems(l source.Layout) (problems []error) {
	for _, c := range d.mapping.Blobs {
		if declared := l.Declared(c.Name); declared != "bytea" {
			problems = append(problems, d.mapping.Problem(c.Role, c.Text+" is of type "+declared+", and "+string(c.Slot)+": takes bytes", "map a column of bytea"))
		}
	}
	return problems
}

// kindOf returns what a column of this type holds, as format_type writes it.
func kindOf(declared string) source.Kind {
	base, _, _ := strings.Cut(declared, "(")
	switch base[strings.LastIndexByte(base, '.')+1:] { // citext may be in a schema
	case "smallint", "integer", "bigint", "numeric":
		return source.KindWhole
	case "text", "character varying", "character", "citext", "name":
		return source.KindText
	case "uuid":
		return source.KindUUID
	}
	return source.KindUnknown
}

// Final is always true: the texts leave the types to the database.
func (d *dialect) Final() bool { return true }

func (d *dialect) List() []source.Statement {
	var results []string
	for i, w := range d.mapping.Writes {
		results = append(results, fmt.Sprintf("$%d = %s", i+3, map[source.Role]string{
			source.RoleStatus: "new statuses", source.RoleMessageID: "message ids", source.RoleSentAt: "times", source.RoleError: "errors",
			source.RoleReply: "answers", source.RoleReplyAt: "times of answers",
		}[w.Role]))
	}
	all := []source.Statement{
		{Purpose: "with each statement, in the same message and for that statement alone: limits of time, unless the database sets its own ($1 = for the statement, $2 = for waiting for a lock, in milliseconds)", Text: limitsText},
		{Purpose: "on a connection that was idle: is it still alive?", Text: pingText},
		{Purpose: "once, and on every check: the table's columns ($1 = table)", Text: columnsText},
		{Purpose: "when the table is missing: which tables there are, for the message", Text: tablesText},
		{Purpose: "take in: the first page of pending rows ($1 = status of pending rows, $2 = how many)", Text: d.firstText},
		{Purpose: "take in: a further page of pending rows ($1 = status of pending rows, $2 = how many, $3 = last key seen)", Text: d.pageText},
		{Purpose: "before a retry by hand: the row as it is now ($1 = key)", Text: d.rowText},
		{Purpose: "before a resend, and after a settle that was short: the status now ($1 = keys)", Text: d.statusesText},
		{Purpose: "settle: results of a batch ($1 = keys, $2 = expected statuses, " + strings.Join(results, ", ") + "). The sub-selects are not run: they tell the types of the arrays", Text: d.settleText},
		{Purpose: "on every check: may the mapped columns be written? Asks for the plan only, so that no trigger fires", Text: d.probeText},
		{Purpose: "on every check of a server that takes no writes, to be told so", Text: d.standbyText},
		{Purpose: "pombo doctor: is there an index on the status? ($1 = table)", Text: indexesText},
		{Purpose: "pombo doctor: how a page would be read, without reading it ($1 = status of pending rows, $2 = how many)", Text: d.planText()},
		{Purpose: "pombo doctor: the encoding of texts", Text: charsetText},
		{Purpose: "pombo doctor: the database's clock", Text: clockText},
		{Purpose: "pombo doctor: when the password expires", Text: expiryText},
	}
	for _, c := range d.mapping.Blobs {
		size, bytes := d.blobTexts(c)
		all = append(all,
			source.Statement{Purpose: "before a message that is sent with " + c.Text + ": how many bytes it has ($1 = key)", Text: size},
			source.Statement{Purpose: "the same: the bytes, of one row ($1 = key)", Text: bytes})
	}
	return all
}

// user returns the account as a GRANT names it.
func (d *dialect) user() string {
	return source.Quote(strings.ReplaceAll(d.config.User, `"`, `""`))
}

// grants returns the rights that the work needs.
func (d *dialect) grants() []string {
	var read, write []string
	seen := map[string]bool{}
	for _, v := range d.mapping.Mapped() {
		if c := source.Quote(fold(v.Name)); !seen[c] {
			seen[c] = true
			read = append(read, c)
		}
	}
	for _, w := range d.mapping.Writes {
		write = append(write, source.Quote(fold(w.Name)))
	}
	user := d.user()
	grants := []string{fmt.Sprintf("GRANT SELECT (%s), UPDATE (%s) ON %s TO %s", strings.Join(read, ", "), strings.Join(write, ", "), d.table(), user)}
	if len(d.mapping.TableName) > 1 {
		grants = append(grants, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", source.Quote(fold(d.mapping.TableName[0])), user))
	}
	return grants
}

func (d *dialect) Advice() []source.Statement {
	m := d.mapping
	pending, codeType := "'"+strings.ReplaceAll(m.Pending, "'", "''")+"'", "text"
	if _, ok := source.ParseWholeKey(m.Pending); ok {
		codeType = "smallint"
	}
	id := source.Quote(fold(m.KeyName))
	columns, seen := []string{id + " bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"}, map[string]bool{fold(m.KeyName): true}
	for _, v := range m.Mapped()[1:] {
		if n := fold(v.Name); !seen[n] {
			seen[n] = true
			kind := map[source.Role]string{
				source.RoleStatus: codeType + " NOT NULL DEFAULT " + pending, source.RolePriority: "smallint",
				source.RoleSendAfter: "timestamptz", source.RoleExpires: "timestamptz", source.RoleSentAt: "timestamptz", source.RoleMessageID: "uuid",
				source.RolePhone: "text", source.RoleParam: "text", source.RoleTemplate: "text", source.RoleLanguage: "text", source.RoleError: "text",
				source.RoleReminds: "bigint", source.RoleReply: "text", source.RoleReplyAt: "timestamptz",
			}[v.Role]
			if v.IsBlob() {
				kind = "bytea"
			}
			columns = append(columns, source.Quote(n)+" "+kind)
		}
	}
	last := fold(m.TableName[len(m.TableName)-1])
	advice := []source.Statement{
		{
			Purpose: "an index of the pending rows alone: it stays small however many rows are finished. CONCURRENTLY keeps the table in use meanwhile",
			Text:    fmt.Sprintf("CREATE INDEX CONCURRENTLY %s ON %s (%s) WHERE %s = %s", source.Quote(last+"_pending"), d.table(), id, source.Quote(fold(m.StatusName)), pending),
		},
		{Purpose: "a sample table", Text: fmt.Sprintf("CREATE TABLE %s (%s)", d.table(), strings.Join(columns, ", "))},
	}
	for _, g := range d.grants() {
		advice = append(advice, source.Statement{Purpose: "the rights that are needed, and no more", Text: g})
	}
	return advice
}
