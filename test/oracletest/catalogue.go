package oracletest

import (
	"maps"
	"slices"
	"strings"
)

func newStore(user string, cs Charset, r release) *store {
	return &store{
		user: strings.ToUpper(user), charset: cs, release: r,
		tables: map[string]*Table{}, synonyms: map[string]string{}, waiting: make(chan struct{}),
	}
}

// nls are the NLS parameters of a Brazilian database.
func (st *store) nls() map[string]string {
	return map[string]string{
		"NLS_LANGUAGE": "BRAZILIAN PORTUGUESE", "NLS_TERRITORY": "BRAZIL", "NLS_CHARACTERSET": st.charset.String(), "NLS_NCHAR_CHARACTERSET": utf16be.String(),
		"NLS_CALENDAR": "GREGORIAN", "NLS_COMP": "BINARY", "NLS_LENGTH_SEMANTICS": "BYTE", "NLS_NCHAR_CONV_EXCP": "FALSE",
		"NLS_DATE_LANGUAGE": "BRAZILIAN PORTUGUESE", "NLS_SORT": "BINARY", "NLS_CURRENCY": "R$", "NLS_DATE_FORMAT": "DD/MM/RR", "NLS_ISO_CURRENCY": "BRAZIL",
		"NLS_NUMERIC_CHARACTERS": ",.", "NLS_DUAL_CURRENCY": "Cr$", "NLS_TIMESTAMP_FORMAT": "DD/MM/RR HH24:MI:SSXFF", "NLS_TIMESTAMP_TZ_FORMAT": "DD/MM/RR HH24:MI:SSXFF TZR",
		"NLS_RDBMS_VERSION": st.release.String(),
	}
}

// catalogue returns the views of the data dictionary that everybody may read, as far as
// tests need them. ok is false for any other name.
func (st *store) catalogue(n tableName) (columns []column, rows [][]value, ok bool) {
	if n.owner != "" && n.owner != "SYS" {
		return nil, nil, false
	}
	texts := func(names ...string) {
		for _, name := range names {
			columns = append(columns, column{name: name, typ: dataType{code: typeVarchar, size: 128}})
		}
	}
	numbers := func(names ...string) {
		for _, name := range names {
			columns = append(columns, column{name: name, typ: anyNumber})
		}
	}
	switch n.name {
	case "DUAL":
		texts("DUMMY")
		rows = [][]value{{textValue("X")}}
	case "NLS_DATABASE_PARAMETERS", "NLS_SESSION_PARAMETERS":
		texts("PARAMETER", "VALUE")
		parameters := st.nls()
		for _, p := range slices.Sorted(maps.Keys(parameters)) {
			rows = append(rows, []value{textValue(p), textValue(parameters[p])})
		}
	case "PRODUCT_COMPONENT_VERSION":
		texts("PRODUCT", "VERSION", "STATUS")
		rows = [][]value{{textValue("Oracle Database (a test double)"), textValue(st.release.String()), textValue("Production")}}
	case "ALL_TAB_COLUMNS", "USER_TAB_COLUMNS":
		texts("OWNER", "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "NULLABLE", "CHAR_USED")
		numbers("DATA_LENGTH", "DATA_PRECISION", "DATA_SCALE", "CHAR_LENGTH", "COLUMN_ID")
		for _, t := range st.visible(n.name == "USER_TAB_COLUMNS") {
			for i, c := range t.columns {
				rows = append(rows, append([]value{textValue(t.owner), textValue(t.name)}, c.described(i+1)...))
			}
		}
	case "ALL_TABLES", "USER_TABLES":
		texts("OWNER", "TABLE_NAME")
		for _, t := range st.visible(n.name == "USER_TABLES") {
			rows = append(rows, []value{textValue(t.owner), textValue(t.name)})
		}
	case "ALL_SYNONYMS", "USER_SYNONYMS":
		texts("OWNER", "SYNONYM_NAME", "TABLE_OWNER", "TABLE_NAME", "DB_LINK")
		for _, name := range slices.Sorted(maps.Keys(st.synonyms)) {
			owner, synonym, _ := strings.Cut(name, ".")
			local, link, _ := strings.Cut(st.synonyms[name], "@")
			tableOwner, table, _ := strings.Cut(local, ".")
			rows = append(rows, []value{textValue(owner), textValue(synonym), textValue(tableOwner), textValue(table), textValue(link)})
		}
	case "ALL_IND_COLUMNS", "USER_IND_COLUMNS":
		texts("INDEX_OWNER", "INDEX_NAME", "TABLE_OWNER", "TABLE_NAME", "COLUMN_NAME")
		numbers("COLUMN_POSITION")
		for _, t := range st.visible(n.name == "USER_IND_COLUMNS") {
			all := t.indexes
			if t.unique {
				all = append([]tableIndex{{"PK_" + t.name, []string{t.columns[t.key].name}}}, all...)
			}
			for _, index := range all {
				for i, c := range index.columns {
					rows = append(rows, []value{textValue(t.owner), textValue(index.name), textValue(t.owner), textValue(t.name), textValue(c), intValue(i + 1)})
				}
			}
		}
	case "USER_USERS": // an account's own and only row
		texts("USERNAME", "ACCOUNT_STATUS")
		columns = append(columns, column{name: "EXPIRY_DATE", typ: anyDate})
		expiry := value{}
		if !st.expiry.IsZero() {
			expiry = value{kind: moment, at: wall(st.expiry.In(zone))}
		}
		return columns, [][]value{{textValue(st.user), textValue("OPEN"), expiry}}, true
	default:
		return nil, nil, false
	}
	if strings.HasPrefix(n.name, "USER_") && n.name != "USER_SYNONYMS" { // which have no owner
		columns = columns[1:]
		for i := range rows {
			rows[i] = rows[i][1:]
		}
	}
	return columns, rows, true
}

// visible returns the tables that the account may see, or its own, by name.
func (st *store) visible(own bool) []*Table {
	var all []*Table
	for _, name := range slices.Sorted(maps.Keys(st.tables)) {
		t := st.tables[name]
		if (!own || t.owner == st.user) && !t.hidden() {
			all = append(all, t)
		}
	}
	return all
}

// described returns the column's row of ALL_TAB_COLUMNS, from COLUMN_NAME on.
func (c column) described(id int) []value {
	nullable, used := "Y", ""
	if c.required {
		nullable = "N"
	}
	length, characters := c.typ.size, value{}
	precision, scale := value{}, value{}
	switch {
	case c.typ.isText():
		used, characters = "B", intValue(c.typ.size)
		switch {
		case c.typ.national:
			used, length = "C", c.typ.size*2
		case c.typ.chars:
			used, length = "C", min(c.typ.size*4, maxVarchar)
		}
	case c.typ.code == typeNumber:
		length = 22
		if c.typ.precision > 0 {
			precision, scale = intValue(c.typ.precision), intValue(c.typ.scale)
		}
	case c.typ.code == typeDate:
		length = 7
	case c.typ.code == typeTimestamp:
		length, scale = 11, intValue(c.typ.scale)
	case c.typ.code == typeClob:
		length = maxVarchar
	}
	return []value{textValue(c.name), textValue(c.typ.String()), textValue(nullable), textValue(used), intValue(length), precision, scale, characters, intValue(id)}
}
