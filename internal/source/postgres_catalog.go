package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// A column's name is given as SQL would have to write it, so that a hint can
	// be copied. to_jsonb asks for fields that older servers do not have. The type
	// of a domain is what it is made from.
	postgresColumns = "SELECT quote_ident(a.attname), format_type(CASE y.typtype WHEN 'd' THEN y.typbasetype ELSE a.atttypid END, CASE y.typtype WHEN 'd' THEN y.typtypmod ELSE a.atttypmod END), " +
		"a.attnotnull OR y.typnotnull, coalesce(to_jsonb(a)->>'attgenerated', '') <> '' OR coalesce(to_jsonb(a)->>'attidentity', '') = 'a', current_setting('transaction_read_only') " +
		"FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
	postgresTables = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname) " +
		"FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace " +
		"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1"
)

func (d *postgresDialect) Matches(n Name, column string) bool {
	return strings.Trim(column, `"`) == postgresFold(n)
}

func (d *postgresDialect) Columns(ctx context.Context, query Querier) ([]Column, error) {
	op := "read the columns of " + d.m.Table
	var columns []Column
	_, err := query(ctx, op, Query{postgresColumns, []any{d.table()}}, func(v []any) {
		columns = append(columns, Column{Name: Text(v[0]), Declared: Text(v[1]), NotNull: Text(v[2]) == "t", Computed: Text(v[3]) == "t"})
		d.standby.Store(Text(v[4]) == "on")
	})
	if err != nil || len(columns) > 0 {
		return columns, err
	}
	var tables []string
	if _, err := query(ctx, op, Query{Text: postgresTables}, func(v []any) { tables = append(tables, Text(v[0])) }); err != nil {
		return nil, err
	}
	hint := Nearest(d.m.Table, tables)
	// One of the same name in a schema that is not searched is what was meant.
	wanted := "." + postgresFold(d.m.TableName[len(d.m.TableName)-1])
	if i := slices.IndexFunc(tables, func(s string) bool { return strings.HasSuffix(strings.ReplaceAll(s, `"`, ""), wanted) }); i >= 0 {
		hint = "did you mean " + tables[i] + "?"
	}
	return nil, &TableError{Op: op, Permanent: true, Err: fmt.Errorf("the database %s has no such table or view", d.config.Database), Hint: hint + " (" + string(RoleTable) + ")"}
}

func (d *postgresDialect) Kinds(_ context.Context, _ Querier, l Layout) (Kinds, error) {
	key, _ := l.Column(d.m.KeyName)
	status, _ := l.Column(d.m.StatusName)
	k := Kinds{RowKey: postgresKind(key.Declared), Status: postgresKind(status.Declared)}
	var problems []error
	if k.RowKey == KindUnknown {
		problems = append(problems, d.m.Problem(RoleRowKey, fmt.Sprintf("%s is of type %s", key.Name, key.Declared), "map a key of whole numbers, of text or of UUIDs"))
	}
	switch status.Declared {
	case "real", "double precision":
		k.Status = KindWhole
	case "boolean":
		for _, code := range append([]string{d.m.Pending}, d.m.Codes...) {
			if code != "true" && code != "false" {
				problems = append(problems, d.m.Problem(RoleStatus, fmt.Sprintf("%s is of type boolean and the code %q is neither true nor false", status.Name, code),
					"correct the STATUS_ settings or map another column"))
			}
		}
	}
	return k, errors.Join(problems...)
}

// postgresKind tells what a column holds from its type, as format_type writes it.
func postgresKind(declared string) Kind {
	base, _, _ := strings.Cut(declared, "(")
	switch base[strings.LastIndexByte(base, '.')+1:] { // citext may be in a schema
	case "smallint", "integer", "bigint", "numeric":
		return KindWhole
	case "text", "character varying", "character", "citext", "name":
		return KindText
	case "uuid":
		return KindUUID
	}
	return KindUnknown
}

// learned is always so: the texts leave the types to the database.
func (d *postgresDialect) Final() bool { return true }

func (d *postgresDialect) List() []Statement {
	var results []string
	for i, w := range d.m.Writes {
		results = append(results, fmt.Sprintf("$%d = %s", i+3, map[Role]string{
			RoleStatus: "new statuses", RoleMessageID: "message ids", RoleSentAt: "times", RoleError: "errors",
		}[w.Role]))
	}
	return []Statement{
		{"with each statement, in the same message and for that statement alone: limits of time, unless the database sets its own ($1 = for the statement, $2 = for waiting for a lock, in milliseconds)", postgresLimits},
		{"on a connection that was idle: is it still alive?", postgresPing},
		{"once, and on every check: the table's columns ($1 = table)", postgresColumns},
		{"when the table is missing: which tables there are, for the message", postgresTables},
		{"take in: the first page of pending rows ($1 = status of pending rows, $2 = how many)", d.firstText},
		{"take in: a further page of pending rows ($1 = status of pending rows, $2 = how many, $3 = last key seen)", d.pageText},
		{"before a retry by hand: the row as it is now ($1 = key)", d.rowText},
		{"before a resend, and after a settle that was short: the status now ($1 = keys)", d.statusesText},
		{"settle: results of a batch ($1 = keys, $2 = expected statuses, " + strings.Join(results, ", ") + "). The sub-selects are not run: they tell the types of the arrays", d.settleText},
		{"on every check: may the mapped columns be written? Asks for the plan only, so that no trigger fires", d.probeText},
		{"on every check of a server that takes no writes, to be told so", d.standbyText},
		{"pombo doctor: is there an index on the status? ($1 = table)", postgresIndexes},
		{"pombo doctor: how a page would be read, without reading it ($1 = status of pending rows, $2 = how many)", d.planText()},
		{"pombo doctor: the encoding of texts", postgresCharset},
		{"pombo doctor: the database's clock", postgresClock},
		{"pombo doctor: when the password expires", postgresExpiry},
	}
}

// user is the account, as a GRANT names it.
func (d *postgresDialect) user() string { return Quote(strings.ReplaceAll(d.config.User, `"`, `""`)) }

// grants are the rights that the work needs.
func (d *postgresDialect) grants() []string {
	var read, write []string
	seen := map[string]bool{}
	for _, v := range d.m.Mapped() {
		if c := Quote(postgresFold(v.Name)); !seen[c] {
			seen[c] = true
			read = append(read, c)
		}
	}
	for _, w := range d.m.Writes {
		write = append(write, Quote(postgresFold(w.Name)))
	}
	user := d.user()
	grants := []string{fmt.Sprintf("GRANT SELECT (%s), UPDATE (%s) ON %s TO %s", strings.Join(read, ", "), strings.Join(write, ", "), d.table(), user)}
	if len(d.m.TableName) > 1 {
		grants = append(grants, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", Quote(postgresFold(d.m.TableName[0])), user))
	}
	return grants
}

func (d *postgresDialect) Advice() []Statement {
	m := d.m
	pending, codeType := "'"+strings.ReplaceAll(m.Pending, "'", "''")+"'", "text"
	if _, ok := ParseWholeKey(m.Pending); ok {
		codeType = "smallint"
	}
	id := Quote(postgresFold(m.KeyName))
	columns, seen := []string{id + " bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"}, map[string]bool{postgresFold(m.KeyName): true}
	for _, v := range m.Mapped()[1:] {
		if n := postgresFold(v.Name); !seen[n] {
			seen[n] = true
			columns = append(columns, Quote(n)+" "+map[Role]string{
				RoleStatus: codeType + " NOT NULL DEFAULT " + pending, RolePriority: "smallint",
				RoleSendAfter: "timestamptz", RoleExpires: "timestamptz", RoleSentAt: "timestamptz", RoleMessageID: "uuid",
				RolePhone: "text", RoleParam: "text", RoleTemplate: "text", RoleError: "text",
			}[v.Role])
		}
	}
	last := postgresFold(m.TableName[len(m.TableName)-1])
	advice := []Statement{
		{
			"an index of the pending rows alone: it stays small however many rows are finished. CONCURRENTLY keeps the table in use meanwhile",
			fmt.Sprintf("CREATE INDEX CONCURRENTLY %s ON %s (%s) WHERE %s = %s", Quote(last+"_pending"), d.table(), id, Quote(postgresFold(m.StatusName)), pending),
		},
		{"a sample table", fmt.Sprintf("CREATE TABLE %s (%s)", d.table(), strings.Join(columns, ", "))},
	}
	for _, g := range d.grants() {
		advice = append(advice, Statement{"the rights that are needed, and no more", g})
	}
	return advice
}
