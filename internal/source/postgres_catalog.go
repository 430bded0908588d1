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

func (d *postgresDialect) matches(n name, column string) bool {
	return strings.Trim(column, `"`) == postgresFold(n)
}

func (d *postgresDialect) columns(ctx context.Context, t *Table) ([]column, error) {
	op := "read the columns of " + d.m.Table
	var columns []column
	_, err := t.each(ctx, op, query{postgresColumns, []any{d.table()}}, func(v []any) {
		columns = append(columns, column{name: text(v[0]), declared: text(v[1]), required: text(v[2]) == "t", computed: text(v[3]) == "t"})
		d.standby.Store(text(v[4]) == "on")
	})
	if err != nil || len(columns) > 0 {
		return columns, err
	}
	var tables []string
	if _, err := t.each(ctx, op, query{text: postgresTables}, func(v []any) { tables = append(tables, text(v[0])) }); err != nil {
		return nil, err
	}
	hint := nearest(d.m.Table, tables)
	// One of the same name in a schema that is not searched is what was meant.
	wanted := "." + postgresFold(d.m.table[len(d.m.table)-1])
	if i := slices.IndexFunc(tables, func(s string) bool { return strings.HasSuffix(strings.ReplaceAll(s, `"`, ""), wanted) }); i >= 0 {
		hint = "did you mean " + tables[i] + "?"
	}
	return nil, &Error{Op: op, Permanent: true, Err: fmt.Errorf("the database %s has no such table or view", d.config.Database), Hint: hint + " (" + string(forTable) + ")"}
}

func (d *postgresDialect) kinds(_ context.Context, t *Table, key, status column) (kinds, error) {
	k := kinds{key: postgresKind(key.declared), status: postgresKind(status.declared)}
	var problems []error
	if k.key == unknown {
		problems = append(problems, t.wrong(forID, fmt.Sprintf("%s is of type %s", key.name, key.declared), "map a key of whole numbers, of text or of UUIDs"))
	}
	switch status.declared {
	case "real", "double precision":
		k.status = whole
	case "boolean":
		for _, code := range append([]string{d.m.Pending}, d.m.Codes...) {
			if code != "true" && code != "false" {
				problems = append(problems, t.wrong(forStatus, fmt.Sprintf("%s is of type boolean and the code %q is neither true nor false", status.name, code),
					"correct the STATUS_ settings or map another column"))
			}
		}
	}
	return k, errors.Join(problems...)
}

// postgresKind tells what a column holds from its type, as format_type writes it.
func postgresKind(declared string) kind {
	base, _, _ := strings.Cut(declared, "(")
	switch base[strings.LastIndexByte(base, '.')+1:] { // citext may be in a schema
	case "smallint", "integer", "bigint", "numeric":
		return whole
	case "text", "character varying", "character", "citext", "name":
		return words
	case "uuid":
		return uuid
	}
	return unknown
}

// learned is always so: the texts leave the types to the database.
func (d *postgresDialect) learned() bool { return true }

func (d *postgresDialect) statements() []Statement {
	var results []string
	for i, w := range d.m.writes {
		results = append(results, fmt.Sprintf("$%d = %s", i+3, map[role]string{
			forStatus: "new statuses", forMessageID: "message ids", forSentAt: "times", forError: "errors",
		}[w.role]))
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
func (d *postgresDialect) user() string { return quoted(strings.ReplaceAll(d.config.User, `"`, `""`)) }

// grants are the rights that the work needs.
func (d *postgresDialect) grants() []string {
	var read, write []string
	seen := map[string]bool{}
	for _, v := range d.m.mapped() {
		if c := quoted(postgresFold(v.name)); !seen[c] {
			seen[c] = true
			read = append(read, c)
		}
	}
	for _, w := range d.m.writes {
		write = append(write, quoted(postgresFold(w.name)))
	}
	user := d.user()
	grants := []string{fmt.Sprintf("GRANT SELECT (%s), UPDATE (%s) ON %s TO %s", strings.Join(read, ", "), strings.Join(write, ", "), d.table(), user)}
	if len(d.m.table) > 1 {
		grants = append(grants, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", quoted(postgresFold(d.m.table[0])), user))
	}
	return grants
}

func (d *postgresDialect) advice() []Statement {
	m := d.m
	pending, codeType := "'"+strings.ReplaceAll(m.Pending, "'", "''")+"'", "text"
	if _, ok := wholeKey(m.Pending); ok {
		codeType = "smallint"
	}
	id := quoted(postgresFold(m.id))
	columns, seen := []string{id + " bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"}, map[string]bool{postgresFold(m.id): true}
	for _, v := range m.mapped()[1:] {
		if n := postgresFold(v.name); !seen[n] {
			seen[n] = true
			columns = append(columns, quoted(n)+" "+map[role]string{
				forStatus: codeType + " NOT NULL DEFAULT " + pending, forPriority: "smallint",
				forSendAfter: "timestamptz", forExpires: "timestamptz", forSentAt: "timestamptz", forMessageID: "uuid",
				forPhone: "text", forParam: "text", forTemplate: "text", forError: "text",
			}[v.role])
		}
	}
	last := postgresFold(m.table[len(m.table)-1])
	advice := []Statement{
		{
			"an index of the pending rows alone: it stays small however many rows are finished. CONCURRENTLY keeps the table in use meanwhile",
			fmt.Sprintf("CREATE INDEX CONCURRENTLY %s ON %s (%s) WHERE %s = %s", quoted(last+"_pending"), d.table(), id, quoted(postgresFold(m.status)), pending),
		},
		{"a sample table", fmt.Sprintf("CREATE TABLE %s (%s)", d.table(), strings.Join(columns, ", "))},
	}
	for _, g := range d.grants() {
		advice = append(advice, Statement{"the rights that are needed, and no more", g})
	}
	return advice
}
