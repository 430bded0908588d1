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

func (d *oracleDialect) Matches(n Name, column string) bool { return oracleName(n) == column }

// columns follows a synonym to the table that it means.
func (d *oracleDialect) Columns(ctx context.Context, query Querier) ([]Column, error) {
	op := "read the columns of " + d.m.Table
	owner, table := "", oracleName(d.m.TableName[len(d.m.TableName)-1])
	if len(d.m.TableName) > 1 {
		owner = oracleName(d.m.TableName[0])
	}
	const hops = 4 // of synonyms of synonyms
	for range hops {
		columns, err := d.columnsOf(ctx, query, op, owner, table)
		if err != nil {
			return nil, err
		}
		if len(columns) > 0 {
			d.seen.Store(&oracleTable{owner, table, columns})
			d.cannotLockRows.Store(false) // somebody may have granted what was lacking
			return columns, nil
		}
		found, link := false, ""
		_, err = query(ctx, op, Query{oracleSynonym, []any{owner, table}}, func(v []any) {
			if !found || Text(v[0]) != "PUBLIC" { // one of the schema's own goes first
				found, owner, table, link = true, Text(v[1]), Text(v[2]), Text(v[3])
			}
		})
		if err != nil {
			return nil, err
		}
		if link != "" {
			return nil, &TableError{
				Op: op, Permanent: true, Err: fmt.Errorf("the synonym means a table of another database, behind the link %s, which is not supported", link),
				Hint: "name that database in DB_DSN, or make a table or view here and map it (" + string(RoleTable) + ")",
			}
		}
		if !found {
			break
		}
	}
	return nil, d.missing(ctx, query, op)
}

func (d *oracleDialect) columnsOf(ctx context.Context, query Querier, op, owner, table string) ([]Column, error) {
	var columns []Column
	_, err := query(ctx, op, Query{oracleColumns, []any{owner, table}}, func(v []any) {
		columns = append(columns, Column{
			Name: Text(v[0]), NotNull: Text(v[7]) == "N",
			Declared: declaration(Text(v[1]), Text(v[2]), Text(v[3]), Text(v[4]), Text(v[5]), Text(v[6])),
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
func (d *oracleDialect) missing(ctx context.Context, query Querier, op string) error {
	last := oracleName(d.m.TableName[len(d.m.TableName)-1])
	var tables []string
	_, err := query(ctx, op, Query{oracleTables, []any{last, oracleName(d.m.StatusName)}}, func(v []any) {
		if full := Text(v[0]) + "." + Text(v[1]); !slices.Contains(tables, full) {
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
	if near, ok := strings.CutPrefix(Nearest(last, short), "did you mean "); ok {
		hint = "did you mean " + tables[slices.Index(short, strings.TrimSuffix(near, "?"))] + "? (" + string(RoleTable) + ")"
	} else if len(tables) > 0 {
		hint = Nearest(d.m.Table, tables) + "; " + hint
	}
	return &TableError{
		Op: op, Permanent: true, Hint: hint,
		Err: fmt.Errorf("the account %s sees no such table, view or synonym", d.address.account()),
	}
}

func (d *oracleDialect) Kinds(ctx context.Context, query Querier, l Layout) (Kinds, error) {
	key, _ := l.Column(d.m.KeyName)
	status, _ := l.Column(d.m.StatusName)
	if blankFilled(key.Declared) || blankFilled(status.Declared) {
		// How many blanks fill a CHAR depends on how many bytes its letters take.
		_, err := query(ctx, "read the character set of the database", Query{Text: oracleCharset}, func(v []any) {
			d.multibyte.Store(!strings.HasPrefix(Text(v[0]), "WE8") && !strings.HasPrefix(Text(v[0]), "US7"))
		})
		if err != nil {
			return Kinds{}, err
		}
	}
	k := Kinds{RowKey: oracleKind(key.Declared), Status: oracleKind(status.Declared)}
	var problems []error
	for _, v := range d.m.Values {
		switch c, _ := l.Column(v.Name); c.Declared {
		case "LONG", "LONG RAW", "BLOB", "BFILE":
			problems = append(problems, d.m.Problem(v.Role, fmt.Sprintf("%s is of type %s, which cannot be read as text in parts", c.Name, c.Declared),
				"map a column of VARCHAR2 or CLOB, or let the table's owner turn this one into a CLOB (ALTER TABLE … MODIFY) or fill another one from it"))
		}
	}
	if k.RowKey == KindUnknown {
		problems = append(problems, d.m.Problem(RoleRowKey, fmt.Sprintf("%s is of type %s", key.Name, key.Declared),
			"map one column of whole numbers (NUMBER), of text (VARCHAR2, CHAR) or of UUIDs (RAW(16))"))
	}
	if k.Status != KindWhole && k.Status != KindText {
		problems = append(problems, d.m.Problem(RoleStatus, fmt.Sprintf("%s is of type %s", status.Name, status.Declared), "map a column of NUMBER, VARCHAR2 or CHAR"))
	}
	return k, errors.Join(problems...)
}

// oracleKind tells what a column holds from its type.
func oracleKind(declared string) Kind {
	base, _, _ := strings.Cut(declared, "(")
	switch base {
	case "NUMBER":
		return KindWhole
	case "VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR":
		return KindText
	case "RAW":
		if declared == "RAW(16)" {
			return KindUUID
		}
	}
	return KindUnknown
}

// sample are the columns of the sample table, once each.
func (d *oracleDialect) sample() []Column {
	codes := "VARCHAR2(10 CHAR)"
	if _, ok := ParseWholeKey(d.m.Pending); ok {
		codes = "NUMBER(4)"
	}
	columns := []Column{{Name: oracleName(d.m.KeyName), Declared: "NUMBER(19)", NotNull: true}}
	for _, v := range d.m.Mapped()[1:] {
		n := oracleName(v.Name)
		if slices.ContainsFunc(columns, func(c Column) bool { return c.Name == n }) {
			continue
		}
		columns = append(columns, Column{Name: n, NotNull: v.Role == RoleStatus, Declared: map[Role]string{
			RoleStatus: codes, RolePriority: "NUMBER(1)", RoleSendAfter: "DATE", RoleExpires: "DATE", RoleSentAt: "DATE", RoleMessageID: "VARCHAR2(36 CHAR)",
			RolePhone: "VARCHAR2(30 CHAR)", RoleParam: "VARCHAR2(1024 CHAR)", RoleTemplate: "VARCHAR2(100 CHAR)", RoleError: "VARCHAR2(400 CHAR)",
		}[v.Role]})
	}
	return columns
}

// known is the layout as it was last read, or that of the sample table.
func (d *oracleDialect) known() Layout {
	columns := d.sample()
	if seen := d.seen.Load(); seen != nil {
		columns = seen.columns
	}
	l := Layout{Columns: columns, Matches: d.Matches}
	l.RowKey, l.Status = oracleKind(l.Declared(d.m.KeyName)), oracleKind(l.Declared(d.m.StatusName))
	return l
}

func (d *oracleDialect) Final() bool { return d.seen.Load() != nil }

func (d *oracleDialect) List() []Statement {
	l, note := d.known(), ""
	if !d.Final() {
		note = ". As for the sample table: a key or a time of another type is written in another way"
	}
	var results []string
	for i, w := range d.m.Writes {
		results = append(results, fmt.Sprintf(":%d = %s", i+1, map[Role]string{
			RoleStatus: "new status", RoleMessageID: "message id", RoleSentAt: "time", RoleError: "error",
		}[w.Role]))
	}
	n := len(d.m.Writes)
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
		Statement{"on every check: may the mapped columns be written? It finds no row", d.Probe().Text},
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
	for _, w := range d.m.Writes {
		write = append(write, d.quoted(w.Name))
	}
	return []string{fmt.Sprintf("GRANT SELECT, UPDATE (%s) ON %s TO %s", strings.Join(write, ", "), d.table(), Quote(d.address.account()))}
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
		d.m.Table, string(RoleTable), d.runGrants())
}

func (d *oracleDialect) Advice() []Statement {
	last := oracleName(d.m.TableName[len(d.m.TableName)-1])
	var columns []string
	for i, c := range d.sample() {
		s := Quote(c.Name) + " " + c.Declared
		switch {
		case i == 0:
			s += " PRIMARY KEY"
		case c.Name == oracleName(d.m.StatusName):
			s += " DEFAULT '" + strings.ReplaceAll(d.m.Pending, "'", "''") + "' NOT NULL"
		}
		columns = append(columns, s)
	}
	account := Quote(d.address.account())
	owner := "USER"
	if len(d.m.TableName) > 1 {
		owner = "'" + oracleName(d.m.TableName[0]) + "'"
	}
	const longest = 30 // of an identifier, before 12.2
	index := "IX_" + last
	index = index[:min(len(index), longest)]
	all := []Statement{
		{"an index that carries the pages", fmt.Sprintf("CREATE INDEX %s ON %s (%s, %s)", Quote(index), d.table(), d.quoted(d.m.StatusName), d.quoted(d.m.KeyName))},
		{"statistics that tell how few rows are pending, so that the index is used", fmt.Sprintf("BEGIN DBMS_STATS.GATHER_TABLE_STATS(ownname => %s, tabname => '%s', method_opt => 'FOR COLUMNS SIZE 254 %s'); END;", owner, last, d.quoted(d.m.StatusName))},
		{"a sample table", fmt.Sprintf("CREATE TABLE %s (%s)", d.table(), strings.Join(columns, ", "))},
		{"the right to log in", "GRANT CREATE SESSION TO " + account},
	}
	for _, g := range d.grants() {
		all = append(all, Statement{"the rights on the table, and no more. READ in place of SELECT is not enough: with it rows cannot be locked one by one, and a single row that somebody has open holds up its whole batch", g})
	}
	if len(d.m.TableName) > 1 {
		all = append(all, Statement{"a synonym, so that DB_TABLE needs no schema", fmt.Sprintf("CREATE SYNONYM %s.%s FOR %s", account, Quote(last), d.table())})
	}
	return all
}
