package oracle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pombo/internal/source"
)

// Queries on catalog views that everybody may read. A schema bound as "" is NULL: that of
// the session.
const (
	columnsText = "SELECT COLUMN_NAME, DATA_TYPE, TO_CHAR(DATA_LENGTH), TO_CHAR(CHAR_LENGTH), CHAR_USED, TO_CHAR(DATA_PRECISION), TO_CHAR(DATA_SCALE), NULLABLE " +
		"FROM ALL_TAB_COLUMNS WHERE OWNER = NVL(:1, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) AND TABLE_NAME = :2 ORDER BY COLUMN_ID"
	synonymText = "SELECT OWNER, TABLE_OWNER, TABLE_NAME, DB_LINK FROM ALL_SYNONYMS " +
		"WHERE (OWNER = NVL(:1, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) OR OWNER = 'PUBLIC') AND SYNONYM_NAME = :2"
	tablesText  = "SELECT OWNER, TABLE_NAME FROM ALL_TAB_COLUMNS WHERE (TABLE_NAME = :1 OR COLUMN_NAME = :2) AND NOT OWNER IN ('SYS', 'SYSTEM') AND ROWNUM <= 2000"
	charsetText = "SELECT VALUE FROM NLS_DATABASE_PARAMETERS WHERE PARAMETER = 'NLS_CHARACTERSET'"
)

func (d *dialect) Matches(n source.Name, column string) bool { return catalogName(n) == column }

// Columns follows a synonym to the table that it means.
func (d *dialect) Columns(ctx context.Context, query source.Querier) ([]source.Column, error) {
	op := "read the columns of " + d.mapping.Table
	owner, table := "", catalogName(d.mapping.TableName[len(d.mapping.TableName)-1])
	if len(d.mapping.TableName) > 1 {
		owner = catalogName(d.mapping.TableName[0])
	}
	const hops = 4 // of synonyms of synonyms
	for range hops {
		columns, err := d.columnsOf(ctx, query, op, owner, table)
		if err != nil {
			return nil, err
		}
		if len(columns) > 0 {
			d.seen.Store(&foundTable{owner, table, columns})
			d.cannotLockRows.Store(false) // a missing right may have been granted
			return columns, nil
		}
		found, link := false, ""
		_, err = query(ctx, op, source.Query{Text: synonymText, Args: []any{owner, table}}, func(v []any) {
			if !found || source.Text(v[0]) != "PUBLIC" { // the schema's own synonym wins
				found, owner, table, link = true, source.Text(v[1]), source.Text(v[2]), source.Text(v[3])
			}
		})
		if err != nil {
			return nil, err
		}
		if link != "" {
			return nil, &source.TableError{
				Op: op, Permanent: true, Err: fmt.Errorf("the synonym means a table of another database, behind the link %s, which is not supported", link),
				Hint: "name that database in DB_DSN, or make a table or view here and map it (" + string(source.RoleTable) + ")",
			}
		}
		if !found {
			break
		}
	}
	return nil, d.missing(ctx, query, op)
}

func (d *dialect) columnsOf(ctx context.Context, query source.Querier, op, owner, table string) ([]source.Column, error) {
	var columns []source.Column
	_, err := query(ctx, op, source.Query{Text: columnsText, Args: []any{owner, table}}, func(v []any) {
		columns = append(columns, source.Column{
			Name: source.Text(v[0]), NotNull: source.Text(v[7]) == "N",
			Declared: declaration(source.Text(v[1]), source.Text(v[2]), source.Text(v[3]), source.Text(v[4]), source.Text(v[5]), source.Text(v[6])),
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

// missing explains that the account does not see the table, and names the one that was
// probably meant.
func (d *dialect) missing(ctx context.Context, query source.Querier, op string) error {
	last := catalogName(d.mapping.TableName[len(d.mapping.TableName)-1])
	var tables []string
	_, err := query(ctx, op, source.Query{Text: tablesText, Args: []any{last, catalogName(d.mapping.StatusName)}}, func(v []any) {
		if full := source.Text(v[0]) + "." + source.Text(v[1]); !slices.Contains(tables, full) {
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
	hint := d.unseenHint()
	if near, ok := strings.CutPrefix(source.Nearest(last, short), "did you mean "); ok {
		hint = "did you mean " + tables[slices.Index(short, strings.TrimSuffix(near, "?"))] + "? (" + string(source.RoleTable) + ")"
	} else if len(tables) > 0 {
		hint = source.Nearest(d.mapping.Table, tables) + "; " + hint
	}
	return &source.TableError{
		Op: op, Permanent: true, Hint: hint,
		Err: fmt.Errorf("the account %s sees no such table, view or synonym", d.address.account()),
	}
}

func (d *dialect) Kinds(ctx context.Context, query source.Querier, l source.Layout) (source.Kinds, error) {
	key, _ := l.Column(d.mapping.KeyName)
	status, _ := l.Column(d.mapping.StatusName)
	if blankFilled(key.Declared) || blankFilled(status.Declared) {
		// How many blanks pad a CHAR depends on how many bytes its letters take.
		_, err := query(ctx, "read the character set of the database", source.Query{Text: charsetText}, func(v []any) {
			d.multibyte.Store(!strings.HasPrefix(source.Text(v[0]), "WE8") && !strings.HasPrefix(source.Text(v[0]), "US7"))
		})
		if err != nil {
			return source.Kinds{}, err
		}
	}
	k := source.Kinds{RowKey: kindOf(key.Declared), Status: kindOf(status.Declared)}
	var problems []error
	for _, v := range d.mapping.Values {
		switch c, _ := l.Column(v.Name); c.Declared {
		case "LONG", "LONG RAW", "BLOB", "BFILE":
			problems = append(problems, d.mapping.Problem(v.Role, fmt.Sprintf("%s is of type %s, which cannot be read as text in parts", c.Name, c.Declared),
				"map a column of VARCHAR2 or CLOB, or let the table's owner turn this one into a CLOB (ALTER TABLE … MODIFY) or fill another one from it"))
		}
	}
	if k.RowKey == source.KindUnknown {
		problems = append(problems, d.mapping.Problem(source.RoleRowKey, fmt.Sprintf("%s is of type %s", key.Name, key.Declared),
			"map one column of whole numbers (NUMBER), of text (VARCHAR2, CHAR) or of UUIDs (RAW(16))"))
	}
	for _, c := range d.mapping.Blobs {
		if declared := l.Declared(c.Name); declared != "BLOB" {
			problems = append(problems, d.mapping.Problem(c.Role, c.Text+" is of type "+declared+", and "+string(c.Slot)+": takes bytes", "map a column of BLOB"))
		}
	}
	if k.Status != source.KindWhole && k.Status != source.KindText {
		problems = append(problems, d.mapping.Problem(source.RoleStatus, fmt.Sprintf("%s is of type %s", status.Name, status.Declared), "map a column of NUMBER, VARCHAR2 or CHAR"))
	}
	return k, errors.Join(problems...)
}

// kindOf returns what a column of this type holds.
func kindOf(declared string) source.Kind {
	base, _, _ := strings.Cut(declared, "(")
	switch base {
	case "NUMBER":
		return source.KindWhole
	case "VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR":
		return source.KindText
	case "RAW":
		if declared == "RAW(16)" {
			return source.KindUUID
		}
	}
	return source.KindUnknown
}

// sample returns the columns of the sample table, once each.
func (d *dialect) sample() []source.Column {
	codes := "VARCHAR2(10 CHAR)"
	if _, ok := source.ParseWholeKey(d.mapping.Pending); ok {
		codes = "NUMBER(4)"
	}
	columns := []source.Column{{Name: catalogName(d.mapping.KeyName), Declared: "NUMBER(19)", NotNull: true}}
	for _, v := range d.mapping.Mapped()[1:] {
		n := catalogName(v.Name)
		if slices.ContainsFunc(columns, func(c source.Column) bool { return c.Name == n }) {
			continue
		}
		declared := map[source.Role]string{
			source.RoleStatus: codes, source.RolePriority: "NUMBER(1)", source.RoleSendAfter: "DATE", source.RoleExpires: "DATE", source.RoleSentAt: "DATE", source.RoleMessageID: "VARCHAR2(36 CHAR)",
			source.RolePhone: "VARCHAR2(30 CHAR)", source.RoleParam: "VARCHAR2(1024 CHAR)", source.RoleTemplate: "VARCHAR2(100 CHAR)", source.RoleLanguage: "VARCHAR2(10 CHAR)", source.RoleError: "VARCHAR2(400 CHAR)",
			source.RoleReminds: "NUMBER(19)", source.RoleReply: "VARCHAR2(400 CHAR)", source.RoleReplyAt: "DATE",
		}[v.Role]
		if v.IsBlob() {
			declared = "BLOB"
		}
		columns = append(columns, source.Column{Name: n, NotNull: v.Role == source.RoleStatus, Declared: declared})
	}
	return columns
}

// known returns the layout of the last introspection, or that of the sample table.
func (d *dialect) known() source.Layout {
	columns := d.sample()
	if seen := d.seen.Load(); seen != nil {
		columns = seen.columns
	}
	l := source.Layout{Columns: columns, Matches: d.Matches}
	l.RowKey, l.Status = kindOf(l.Declared(d.mapping.KeyName)), kindOf(l.Declared(d.mapping.StatusName))
	return l
}

func (d *dialect) Final() bool { return d.seen.Load() != nil }

func (d *dialect) List() []source.Statement {
	l, note := d.known(), ""
	if !d.Final() {
		note = ". As for the sample table: a key or a time of another type is written in another way"
	}
	var results []string
	for i, w := range d.mapping.Writes {
		results = append(results, fmt.Sprintf(":%d = %s", i+1, map[source.Role]string{
			source.RoleStatus: "new status", source.RoleMessageID: "message id", source.RoleSentAt: "time", source.RoleError: "error",
			source.RoleReply: "answer", source.RoleReplyAt: "time of the answer",
		}[w.Role]))
	}
	n := len(d.mapping.Writes)
	all := []source.Statement{
		{Purpose: "in each login: how the session is set up (the driver's own statement)", Text: loginText()},
		{Purpose: "after each login: how keys are sorted and numbers written", Text: settingsText},
		{Purpose: "after each login: what V$SESSION shows", Text: identifyText},
		{Purpose: "once, and on every check: the table's columns (:1 = schema, :2 = table)", Text: columnsText},
		{Purpose: "when there is no table of that name: what a synonym means (:1 = schema, :2 = synonym)", Text: synonymText},
		{Purpose: "when there is no synonym either: similar tables, for the message (:1 = table, :2 = status column)", Text: tablesText},
		{Purpose: "once, where the key or the status is a CHAR, and pombo doctor: the character set", Text: charsetText},
		{Purpose: "take in: the first page of pending rows (:1 = status of pending rows, :2 = how many)" + note, Text: d.pageText(l, "IS NOT NULL", 2)},
		{Purpose: "take in: a further page of pending rows (:1 = status of pending rows, :2 = last key seen, :3 = how many)" + note, Text: d.pageText(l, "> :2", 3)},
		{Purpose: "one row, whatever its status (:1 = key)" + note, Text: d.rowText(l)},
	}
	for _, c := range d.mapping.Blobs {
		size, bytes := d.blobTexts(c)
		all = append(all,
			source.Statement{Purpose: "before a message that is sent with " + c.Text + ": how many bytes it has (:1 = key)", Text: size},
			source.Statement{Purpose: "the same: the bytes, of one row (:1 = key)", Text: bytes})
	}
	for _, length := range listLengths {
		all = append(all, source.Statement{Purpose: "before a resend, and after a settle that was short: the status now (keys; a shorter list repeats its last one)" + note, Text: d.statusesText(l, length)})
	}
	for _, length := range listLengths {
		all = append(all, source.Statement{Purpose: "settle: lock the rows of a batch that nobody else has locked (keys; a shorter list repeats its last one). What is locked elsewhere is left for later, and nothing waits" + note, Text: d.lockFreeText(l, length)})
	}
	return append(all,
		source.Statement{Purpose: fmt.Sprintf("settle: results of a batch, as an array of binds (%s, :%d = key, :%d = expected status); then COMMIT, or ROLLBACK after an error", strings.Join(results, ", "), n+1, n+2) + note, Text: d.settleText(l)},
		source.Statement{Purpose: "on every check: may the mapped columns be written? It finds no row", Text: d.Probe().Text},
		source.Statement{Purpose: "pombo doctor: may rows be locked one by one? It finds none", Text: d.lockText()},
		source.Statement{Purpose: "pombo doctor: is there an index on the status? (:1 = schema, :2 = table)", Text: indexesText},
		source.Statement{Purpose: "pombo doctor: the database's clock", Text: clockText},
		source.Statement{Purpose: "pombo doctor: when the password expires", Text: expiryText},
	)
}

// grants returns the rights that the work needs. Oracle cannot grant reading of single
// columns.
func (d *dialect) grants() []string {
	var write []string
	for _, w := range d.mapping.Writes {
		write = append(write, d.quoted(w.Name))
	}
	return []string{fmt.Sprintf("GRANT SELECT, UPDATE (%s) ON %s TO %s", strings.Join(write, ", "), d.table(), source.Quote(d.address.account()))}
}

// grantsHint says who grants them, and how.
func (d *dialect) grantsHint() string {
	return "as the table's owner run " + strings.Join(d.grants(), "; ")
}

// unseenHint says what to do about a table that the account does not see. Oracle does not
// distinguish a table that does not exist from one that the account may not see, so the
// right is one of several possible causes.
func (d *dialect) unseenHint() string {
	return fmt.Sprintf("see whether %s is the right name, with the schema in front of it if it is another account's (SCHEMA.TABLE), and whether a synonym of that name means a table that is there (%s); if so, %s",
		d.mapping.Table, string(source.RoleTable), d.grantsHint())
}

func (d *dialect) Advice() []source.Statement {
	last := catalogName(d.mapping.TableName[len(d.mapping.TableName)-1])
	var columns []string
	for i, c := range d.sample() {
		s := source.Quote(c.Name) + " " + c.Declared
		switch {
		case i == 0:
			s += " PRIMARY KEY"
		case c.Name == catalogName(d.mapping.StatusName):
			s += " DEFAULT '" + strings.ReplaceAll(d.mapping.Pending, "'", "''") + "' NOT NULL"
		}
		columns = append(columns, s)
	}
	account := source.Quote(d.address.account())
	owner := "USER"
	if len(d.mapping.TableName) > 1 {
		owner = "'" + catalogName(d.mapping.TableName[0]) + "'"
	}
	const longest = 30 // of an identifier, before 12.2
	index := "IX_" + last
	index = index[:min(len(index), longest)]
	all := []source.Statement{
		{Purpose: "an index that carries the pages", Text: fmt.Sprintf("CREATE INDEX %s ON %s (%s, %s)", source.Quote(index), d.table(), d.quoted(d.mapping.StatusName), d.quoted(d.mapping.KeyName))},
		{Purpose: "statistics that tell how few rows are pending, so that the index is used", Text: fmt.Sprintf("BEGIN DBMS_STATS.GATHER_TABLE_STATS(ownname => %s, tabname => '%s', method_opt => 'FOR COLUMNS SIZE 254 %s'); END;", owner, last, d.quoted(d.mapping.StatusName))},
		{Purpose: "a sample table", Text: fmt.Sprintf("CREATE TABLE %s (%s)", d.table(), strings.Join(columns, ", "))},
		{Purpose: "the right to log in", Text: "GRANT CREATE SESSION TO " + account},
	}
	for _, g := range d.grants() {
		all = append(all, source.Statement{Purpose: "the rights on the table, and no more. READ in place of SELECT is not enough: with it rows cannot be locked one by one, and a single row that somebody has open holds up its whole batch", Text: g})
	}
	if len(d.mapping.TableName) > 1 {
		all = append(all, source.Statement{Purpose: "a synonym, so that DB_TABLE needs no schema", Text: fmt.Sprintf("CREATE SYNONYM %s.%s FOR %s", account, source.Quote(last), d.table())})
	}
	return all
}
