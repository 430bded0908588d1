package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The catalog views that everybody may read. What is bound as "" is NULL: the
// schema that the session is in.
const (
	oracleColumns = "SELECT COLUMN_NAME, DATA_TYPE, TO_CHAR(DATA_LENGTH), TO_CHAR(CHAR_LENGTH), CHAR_USED, TO_CHAR(DATA_PRECISION), TO_CHAR(DATA_SCALE), NULLABLE " +
		"FROM ALL_TAB_COLUMNS WHERE OWNER = NVL(:1, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) AND TABLE_NAME = :2 ORDER BY COLUMN_ID"
	oracleSynonym = "SELECT OWNER, TABLE_OWNER, TABLE_NAME, DB_LINK FROM ALL_SYNONYMS " +
		"WHERE (OWNER = NVL(:1, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) OR OWNER = 'PUBLIC') AND SYNONYM_NAME = :2"
	oracleTables  = "SELECT OWNER, TABLE_NAME FROM ALL_TAB_COLUMNS WHERE (TABLE_NAME = :1 OR COLUMN_NAME = :2) AND NOT OWNER IN ('SYS', 'SYSTEM') AND ROWNUM <= 2000"
	oracleCharset = "SELECT VALUE FROM NLS_DATABASE_PARAMETERS WHERE PARAMETER = 'NLS_CHARACTERSET'"
)

func (d *oracleDialect) matches(n name, column string) bool { return oracleName(n) == column }

// columns follows a synonym to the table that it means.
func (d *oracleDialect) columns(ctx context.Context, t *Table) ([]column, error) {
	op := "read the columns of " + d.m.Table
	owner, table := "", oracleName(d.m.table[len(d.m.table)-1])
	if len(d.m.table) > 1 {
		owner = oracleName(d.m.table[0])
	}
	const hops = 4 // of synonyms of synonyms
	for range hops {
		columns, err := d.columnsOf(ctx, t, op, owner, table)
		if err != nil {
			return nil, err
		}
		if len(columns) > 0 {
			d.seen.Store(&oracleTable{owner, table, columns})
			d.whole.Store(false) // somebody may have granted what was lacking
			return columns, nil
		}
		found, link := false, ""
		_, err = t.each(ctx, op, query{oracleSynonym, []any{owner, table}}, func(v []any) {
			if !found || text(v[0]) != "PUBLIC" { // one of the schema's own goes first
				found, owner, table, link = true, text(v[1]), text(v[2]), text(v[3])
			}
		})
		if err != nil {
			return nil, err
		}
		if link != "" {
			return nil, &Error{
				Op: op, Permanent: true, Err: fmt.Errorf("the synonym means a table of another database, behind the link %s, which is not supported", link),
				Hint: "name that database in DB_DSN, or make a table or view here and map it (" + string(forTable) + ")",
			}
		}
		if !found {
			break
		}
	}
	return nil, d.missing(ctx, t, op)
}

func (d *oracleDialect) columnsOf(ctx context.Context, t *Table, op, owner, table string) ([]column, error) {
	var columns []column
	_, err := t.each(ctx, op, query{oracleColumns, []any{owner, table}}, func(v []any) {
		columns = append(columns, column{
			name: text(v[0]), required: text(v[7]) == "N",
			declared: declaration(text(v[1]), text(v[2]), text(v[3]), text(v[4]), text(v[5]), text(v[6])),
		})
	})
	return columns, err
}

// declaration writes a type as CREATE TABLE has it.
func declaration(kind, bytes, characters, unit, precision, scale string) string {
	switch kind {
	case "VARCHAR2", "CHAR":
		if unit == "C" {
			return kind + "(" + characters + " CHAR)"
		}
		return kind + "(" + bytes + " BYTE)"
	case "NVARCHAR2", "NCHAR":
		return kind + "(" + characters + " CHAR)"
	case "RAW":
		return "RAW(" + bytes + ")"
	case "NUMBER":
		switch {
		case precision == "":
			return kind
		case scale == "" || scale == "0":
			return "NUMBER(" + precision + ")"
		}
		return "NUMBER(" + precision + "," + scale + ")"
	}
	return kind
}

// missing tells of a table that the account does not see, and which one was
// probably meant.
func (d *oracleDialect) missing(ctx context.Context, t *Table, op string) error {
	last := oracleName(d.m.table[len(d.m.table)-1])
	var tables []string
	_, err := t.each(ctx, op, query{oracleTables, []any{last, oracleName(d.m.status)}}, func(v []any) {
		if full := text(v[0]) + "." + text(v[1]); !slices.Contains(tables, full) {
			tables = append(tables, full)
		}
	})
	if err != nil {
		return err
	}
	slices.Sort(tables)
	short := make([]string, len(tables))
	for i, full := range tables {
		_, short[i], _ = strings.Cut(full, ".")
	}
	hint := d.whyUnseen()
	if near, ok := strings.CutPrefix(nearest(last, short), "did you mean "); ok {
		hint = "did you mean " + tables[slices.Index(short, strings.TrimSuffix(near, "?"))] + "? (" + string(forTable) + ")"
	} else if len(tables) > 0 {
		hint = nearest(d.m.Table, tables) + "; " + hint
	}
	return &Error{
		Op: op, Permanent: true, Hint: hint,
		Err: fmt.Errorf("the account %s sees no such table, view or synonym", d.address.account()),
	}
}

func (d *oracleDialect) kinds(ctx context.Context, t *Table, key, status column) (kinds, error) {
	if blankFilled(key.declared) || blankFilled(status.declared) {
		// How many blanks fill a CHAR depends on how many bytes its letters take.
		_, err := t.each(ctx, "read the character set of the database", query{text: oracleCharset}, func(v []any) {
			d.wide.Store(!strings.HasPrefix(text(v[0]), "WE8") && !strings.HasPrefix(text(v[0]), "US7"))
		})
		if err != nil {
			return kinds{}, err
		}
	}
	k := kinds{key: oracleKind(key.declared), status: oracleKind(status.declared)}
	var problems []error
	for _, v := range t.m.values {
		switch c := t.column(d.seen.Load().columns, v.name); c.declared {
		case "LONG", "LONG RAW", "BLOB", "BFILE":
			problems = append(problems, t.wrong(v.role, fmt.Sprintf("%s is of type %s, which cannot be read as text in parts", c.name, c.declared),
				"map a column of VARCHAR2 or CLOB, or let the table's owner turn this one into a CLOB (ALTER TABLE … MODIFY) or fill another one from it"))
		}
	}
	if k.key == unknown {
		problems = append(problems, t.wrong(forID, fmt.Sprintf("%s is of type %s", key.name, key.declared),
			"map one column of whole numbers (NUMBER), of text (VARCHAR2, CHAR) or of UUIDs (RAW(16))"))
	}
	if k.status != whole && k.status != words {
		problems = append(problems, t.wrong(forStatus, fmt.Sprintf("%s is of type %s", status.name, status.declared), "map a column of NUMBER, VARCHAR2 or CHAR"))
	}
	return k, errors.Join(problems...)
}

// oracleKind tells what a column holds from its type.
func oracleKind(declared string) kind {
	base, _, _ := strings.Cut(declared, "(")
	switch base {
	case "NUMBER":
		return whole
	case "VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR":
		return words
	case "RAW":
		if declared == "RAW(16)" {
			return uuid
		}
	}
	return unknown
}

// sample are the columns of the sample table, once each.
func (d *oracleDialect) sample() []column {
	codes := "VARCHAR2(10 CHAR)"
	if _, ok := wholeKey(d.m.Pending); ok {
		codes = "NUMBER(4)"
	}
	columns := []column{{name: oracleName(d.m.id), declared: "NUMBER(19)", required: true}}
	for _, v := range d.m.mapped()[1:] {
		n := oracleName(v.name)
		if slices.ContainsFunc(columns, func(c column) bool { return c.name == n }) {
			continue
		}
		columns = append(columns, column{name: n, required: v.role == forStatus, declared: map[role]string{
			forStatus: codes, forPriority: "NUMBER(1)", forSendAfter: "DATE", forExpires: "DATE", forSentAt: "DATE", forMessageID: "VARCHAR2(36 CHAR)",
			forPhone: "VARCHAR2(30 CHAR)", forParam: "VARCHAR2(1024 CHAR)", forTemplate: "VARCHAR2(100 CHAR)", forError: "VARCHAR2(400 CHAR)",
		}[v.role]})
	}
	return columns
}

// known is the layout as it was last read, or that of the sample table.
func (d *oracleDialect) known() layout {
	columns := d.sample()
	if seen := d.seen.Load(); seen != nil {
		columns = seen.columns
	}
	l := layout{columns: columns}
	l.key, l.status = oracleKind(d.declared(l, d.m.id)), oracleKind(d.declared(l, d.m.status))
	return l
}

func (d *oracleDialect) learned() bool { return d.seen.Load() != nil }

func (d *oracleDialect) statements() []Statement {
	l, note := d.known(), ""
	if !d.learned() {
		note = ". As for the sample table: a key or a time of another type is written in another way"
	}
	var results []string
	for i, w := range d.m.writes {
		results = append(results, fmt.Sprintf(":%d = %s", i+1, map[role]string{
			forStatus: "new status", forMessageID: "message id", forSentAt: "time", forError: "error",
		}[w.role]))
	}
	n := len(d.m.writes)
	all := []Statement{
		{"in each login: how the session is set up (the driver's own statement)", oracleDriverAsks()},
		{"after each login: how keys are sorted and numbers written", oracleSettings},
		{"after each login: what V$SESSION shows", oracleIdentify},
		{"once, and on every check: the table's columns (:1 = schema, :2 = table)", oracleColumns},
		{"when there is no table of that name: what a synonym means (:1 = schema, :2 = synonym)", oracleSynonym},
		{"when there is no synonym either: similar tables, for the message (:1 = table, :2 = status column)", oracleTables},
		{"once, where the key or the status is a CHAR, and pombo doctor: the character set", oracleCharset},
		{"take in: the first page of pending rows (:1 = status of pending rows, :2 = how many)" + note, d.pageText(l, "IS NOT NULL", 2)},
		{"take in: a further page of pending rows (:1 = status of pending rows, :2 = last key seen, :3 = how many)" + note, d.pageText(l, "> :2", 3)},
		{"one row, whatever its status (:1 = key)" + note, d.rowText(l)},
	}
	for _, length := range lists {
		all = append(all, Statement{"before a resend, and after a settle that was short: the status now (keys; a shorter list repeats its last one)" + note, d.statusesText(l, length)})
	}
	for _, length := range lists {
		all = append(all, Statement{"settle: lock the rows of a batch that nobody else has locked (keys; a shorter list repeats its last one). What is locked elsewhere is left for later, and nothing waits" + note, d.freeText(l, length)})
	}
	return append(all,
		Statement{fmt.Sprintf("settle: results of a batch, as an array of binds (%s, :%d = key, :%d = expected status); then COMMIT, or ROLLBACK after an error", strings.Join(results, ", "), n+1, n+2) + note, d.settleText(l)},
		Statement{"on every check: may the mapped columns be written? It finds no row", d.probe().text},
		Statement{"pombo doctor: may rows be locked one by one? It finds none", d.lockText()},
		Statement{"pombo doctor: is there an index on the status? (:1 = schema, :2 = table)", oracleIndexes},
		Statement{"pombo doctor: the database's clock", oracleClock},
		Statement{"pombo doctor: when the password expires", oracleExpiry},
	)
}

// grants are the rights that the work needs. Oracle has no right to read single
// columns.
func (d *oracleDialect) grants() []string {
	var write []string
	for _, w := range d.m.writes {
		write = append(write, d.quoted(w.name))
	}
	return []string{fmt.Sprintf("GRANT SELECT, UPDATE (%s) ON %s TO %s", strings.Join(write, ", "), d.table(), quoted(d.address.account()))}
}

// runGrants says who grants them, and how.
func (d *oracleDialect) runGrants() string {
	return "as the table's owner run " + strings.Join(d.grants(), "; ")
}

// whyUnseen says what to do about a table that the account does not see. Oracle does
// not tell one that is not there from one that it keeps from the account, so the
// right is one of several things that may be wrong.
func (d *oracleDialect) whyUnseen() string {
	return fmt.Sprintf("see whether %s is the right name, with the schema in front of it if it is another account's (SCHEMA.TABLE), and whether a synonym of that name means a table that is there (%s); if so, %s",
		d.m.Table, string(forTable), d.runGrants())
}

func (d *oracleDialect) advice() []Statement {
	last := oracleName(d.m.table[len(d.m.table)-1])
	var columns []string
	for i, c := range d.sample() {
		s := quoted(c.name) + " " + c.declared
		switch {
		case i == 0:
			s += " PRIMARY KEY"
		case c.name == oracleName(d.m.status):
			s += " DEFAULT '" + strings.ReplaceAll(d.m.Pending, "'", "''") + "' NOT NULL"
		}
		columns = append(columns, s)
	}
	account := quoted(d.address.account())
	owner := "USER"
	if len(d.m.table) > 1 {
		owner = "'" + oracleName(d.m.table[0]) + "'"
	}
	const longest = 30 // of an identifier, before 12.2
	index := "IX_" + last
	index = index[:min(len(index), longest)]
	all := []Statement{
		{"an index that carries the pages", fmt.Sprintf("CREATE INDEX %s ON %s (%s, %s)", quoted(index), d.table(), d.quoted(d.m.status), d.quoted(d.m.id))},
		{"statistics that tell how few rows are pending, so that the index is used", fmt.Sprintf("BEGIN DBMS_STATS.GATHER_TABLE_STATS(ownname => %s, tabname => '%s', method_opt => 'FOR COLUMNS SIZE 254 %s'); END;", owner, last, d.quoted(d.m.status))},
		{"a sample table", fmt.Sprintf("CREATE TABLE %s (%s)", d.table(), strings.Join(columns, ", "))},
		{"the right to log in", "GRANT CREATE SESSION TO " + account},
	}
	for _, g := range d.grants() {
		all = append(all, Statement{"the rights on the table, and no more. READ in place of SELECT is not enough: with it rows cannot be locked one by one, and a single row that somebody has open holds up its whole batch", g})
	}
	if len(d.m.table) > 1 {
		all = append(all, Statement{"a synonym, so that DB_TABLE needs no schema", fmt.Sprintf("CREATE SYNONYM %s.%s FOR %s", account, quoted(last), d.table())})
	}
	return all
}
