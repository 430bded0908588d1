package oracletest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Row is a row as the company sees it, by the column's name in upper case. Numbers, texts
// and CLOBs are string, DATE and TIMESTAMP are time.Time (the wall clock, in UTC), RAW and
// BLOB are []byte, NULL is nil. A value may also be given as int or int64, and a missing column is
// NULL. A text of "" is NULL.
type Row map[string]any

// Table is a table of the company. Its methods do what the company's own programs do, each
// in a transaction of its own: they wait for rows that a session has locked, and sessions
// see their changes.
type Table struct {
	store       *store
	owner, name string
	columns     []column
	key         int  // the column by which rows are found
	unique      bool // no two rows have the same key

	// By store.mu.
	rows     []*row
	byKey    map[string][]*row
	checks   []constraint
	triggers []func(before, after Row) error
	noSelect bool
	noUpdate map[string]bool
	readOnly bool
	noLock   bool         // READ was granted instead of SELECT
	view     bool         // its rows cannot be locked
	indexes  []tableIndex // beside that of the primary key
}

type tableIndex struct {
	name    string
	columns []string
}

type column struct {
	name     string
	typ      dataType
	required bool
}

type constraint struct {
	name string
	ok   func(Row) bool
}

// row is a row, and the transaction that changes it.
type row struct {
	values  []value
	pending []value      // as the transaction left it, or nil
	tx      *transaction // that holds the row, or nil
	gone    bool
}

// seen is the row as a transaction sees it; nil is any other.
func (r *row) seen(tx *transaction) []value {
	if r.pending != nil && r.tx == tx {
		return r.pending
	}
	return r.values
}

// NewTable creates an empty table. The name may have its owner before it; otherwise the
// table belongs to the account. A column is declared as in CREATE TABLE:
// "ID NUMBER(19) PRIMARY KEY", "TX VARCHAR2(80 CHAR) NOT NULL", "GRAVADO DATE".
// The first column is the key unless another is the primary key. There are
// NUMBER, VARCHAR2, NVARCHAR2, CHAR, CLOB, NCLOB, BLOB, DATE, TIMESTAMP and RAW.
func (d *Double) NewTable(name string, columns ...string) (t *Table, err error) {
	p, err := newParser(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = thrown(recover(), err) }()
	n := p.tableName()
	p.end()
	if n.owner == "" {
		n.owner = d.store.user
	}
	t = &Table{store: d.store, owner: n.owner, name: n.name, byKey: map[string][]*row{}, noUpdate: map[string]bool{}}
	for i, declaration := range columns {
		p, err := newParser(declaration)
		if err != nil {
			return nil, err
		}
		c, primary := p.column()
		if t.columns = append(t.columns, c); primary {
			t.key, t.unique = i, true
		}
	}
	if len(t.columns) == 0 {
		return nil, fmt.Errorf("table %s has no columns", name)
	}
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	d.store.tables[t.owner+"."+t.name] = t
	return t, nil
}

// column takes the declaration of a column.
func (p *parser) column() (c column, primary bool) {
	c.name = p.name("a column")
	typ := p.next().text
	c.typ.national = strings.HasPrefix(typ, "NVAR") || typ == "NCLOB"
	switch typ {
	case "NUMBER":
		c.typ.code = typeNumber
	case "VARCHAR2", "NVARCHAR2":
		c.typ.code = typeVarchar
	case "CHAR":
		c.typ.code, c.typ.size = typeChar, 1
	case "CLOB", "NCLOB":
		c.typ.code = typeClob
	case "BLOB":
		c.typ.code = typeBlob
	case "LONG": // for the catalogue; the double reads none
		c.typ.code, c.typ.size = typeLong, maxVarchar
	case "DATE":
		c.typ.code = typeDate
	case "TIMESTAMP":
		c.typ.code, c.typ.scale = typeTimestamp, 6
	case "RAW":
		c.typ.code = typeRaw
	default:
		p.fail(902, "invalid datatype "+typ)
	}
	if p.take("(") {
		n, err := strconv.Atoi(p.next().text)
		if err != nil {
			p.fail(910, "a size")
		}
		switch c.typ.code {
		case typeNumber:
			c.typ.precision = n
		case typeTimestamp:
			c.typ.scale = n
		default:
			c.typ.size = n
		}
		c.typ.chars = p.take("CHAR")
		if !c.typ.chars {
			p.take("BYTE")
		}
		if p.take(",") {
			c.typ.scale, _ = strconv.Atoi(p.next().text)
		}
		p.need(")")
	}
	if (c.typ.code == typeVarchar || c.typ.code == typeRaw) && c.typ.size == 0 {
		p.fail(906, "a size in parentheses")
	}
	primary = p.take("PRIMARY", "KEY")
	c.required = p.take("NOT", "NULL") || primary
	p.end()
	return c, primary
}

// Synonym makes a name of the account mean a table of another owner. After an @ comes a
// link to another database, where the double finds nothing.
func (d *Double) Synonym(name, table string) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	d.store.synonyms[d.store.user+"."+name] = table
}

// set makes a change under the store's lock.
func (t *Table) set(change func()) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	change()
}

// Index adds an index to the catalogue. It makes nothing faster.
func (t *Table) Index(name string, columns ...string) {
	t.set(func() { t.indexes = append(t.indexes, tableIndex{name, columns}) })
}

// Check adds a CHECK: a change after which ok is false is refused with ORA-02290.
func (t *Table) Check(name string, ok func(Row) bool) {
	t.set(func() { t.checks = append(t.checks, constraint{name, ok}) })
}

// BeforeUpdate adds a trigger for each row that a session updates. It may change
// after. An error, of Errorf(20000 to 20999), refuses the change. It must not
// call methods of Table.
func (t *Table) BeforeUpdate(trigger func(before, after Row) error) {
	t.set(func() { t.triggers = append(t.triggers, trigger) })
}

// RevokeSelect revokes the account's right to read the table.
func (t *Table) RevokeSelect() { t.set(func() { t.noSelect = true }) }

// RevokeUpdate revokes the account's right to write these columns; none means all of them.
// An account that may neither read nor write does not see the table.
func (t *Table) RevokeUpdate(columns ...string) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	for _, c := range t.columns {
		if len(columns) == 0 || slices.Contains(columns, c.name) {
			t.noUpdate[c.name] = true
		}
	}
}

// hidden reports whether the account has no rights at all. The caller holds store.mu.
func (t *Table) hidden() bool { return t.noSelect && len(t.noUpdate) == len(t.columns) }

// ReadOnly makes the table behave as a view that cannot be updated.
func (t *Table) ReadOnly() { t.set(func() { t.readOnly = true }) }

// OnlyRead replaces the account's SELECT on the table by READ, with which its rows cannot
// be locked.
func (t *Table) OnlyRead() { t.set(func() { t.noLock = true }) }

// AsView makes the table behave as a view that can be updated and whose rows
// cannot be locked: one with an INSTEAD OF trigger.
func (t *Table) AsView() { t.set(func() { t.view = true }) }

// Insert adds rows, all or none.
func (t *Table) Insert(rows ...Row) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	added := make([]*row, 0, len(rows))
	keys := map[string]bool{}
	for _, given := range rows {
		values, err := t.given(make([]value, len(t.columns)), given)
		if err == nil {
			err = t.complete(values, 1400, "cannot insert NULL into (%s)")
		}
		if err != nil {
			return err
		}
		key := values[t.key].s
		if t.unique && (keys[key] || len(t.byKey[key]) > 0) {
			return Errorf(1, "unique constraint (%s.PK_%s) violated", t.owner, t.name)
		}
		keys[key] = true
		added = append(added, &row{values: values})
	}
	for _, r := range added {
		t.rows = append(t.rows, r)
		t.index(r)
	}
	return nil
}

func (t *Table) index(r *row) {
	key := r.values[t.key].s
	t.byKey[key] = append(t.byKey[key], r)
}

func (t *Table) unindex(r *row) {
	key := r.values[t.key].s
	t.byKey[key] = slices.DeleteFunc(t.byKey[key], func(o *row) bool { return o == r })
}

// given overwrites a row's values with those that were given.
func (t *Table) given(values []value, given Row) ([]value, error) {
	values = slices.Clone(values)
	for name, v := range given {
		i := slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, name) })
		if i < 0 {
			return nil, Errorf(904, "%q: invalid identifier", name)
		}
		from, err := fromGo(v)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
		if values[i], err = t.columns[i].typ.fits(from, t.label(i), t.store.charset); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// complete finds a NOT NULL column that is NULL.
func (t *Table) complete(values []value, code int, what string) error {
	for i, c := range t.columns {
		if c.required && values[i].kind == null {
			return Errorf(code, what, t.label(i))
		}
	}
	return nil
}

// label is the full name of a column, for messages.
func (t *Table) label(i int) string {
	return fmt.Sprintf("%q.%q.%q", t.owner, t.name, t.columns[i].name)
}

func fromGo(v any) (value, error) {
	switch v := v.(type) {
	case nil:
		return value{}, nil
	case string:
		return textValue(v), nil
	case int:
		return intValue(v), nil
	case int64:
		return intValue(int(v)), nil
	case []byte:
		return value{kind: raw, s: string(v)}, nil
	case time.Time:
		return value{kind: moment, at: wall(v)}, nil
	default:
		return value{}, fmt.Errorf("the double takes no %T", v)
	}
}

// toGo returns the row as a Row.
func (t *Table) toGo(values []value) Row {
	r := make(Row, len(values))
	for i, v := range values {
		name := t.columns[i].name
		switch v.kind {
		case null:
			r[name] = nil
		case number:
			r[name] = numberText(v.s)
		case text:
			r[name] = v.s
		case raw:
			r[name] = []byte(v.s)
		case moment:
			r[name] = v.at
		}
	}
	return r
}

// find returns the rows with this key.
func (t *Table) find(key any) ([]*row, error) {
	v, err := fromGo(key)
	if err == nil {
		v, err = t.columns[t.key].typ.fits(v, t.label(t.key), t.store.charset)
	}
	return t.byKey[v.s], err
}

// Row returns the committed row with this key.
func (t *Table) Row(key any) (Row, bool) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	found, err := t.find(key)
	if err != nil || len(found) == 0 {
		return nil, false
	}
	return t.toGo(found[0].values), true
}

// Len returns how many rows there are.
func (t *Table) Len() int {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return len(t.rows)
}

// change locks the rows with this key and changes each of them.
func (t *Table) change(key any, do func(*row) error) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	found, err := t.find(key)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("table %s has no row %v", t.name, key)
	}
	tx := newTransaction()
	defer tx.end(false)
	for _, r := range slices.Clone(found) {
		if err := t.store.lock(context.Background(), tx, r); err != nil {
			return err
		}
		if err := do(r); err != nil {
			return err
		}
	}
	return nil
}

// Update changes columns of a row. Triggers do not run for it.
func (t *Table) Update(key any, changes Row) error {
	return t.change(key, func(r *row) error {
		values, err := t.given(r.values, changes)
		if err == nil {
			err = t.complete(values, 1407, "cannot update (%s) to NULL")
		}
		if err != nil {
			return err
		}
		t.unindex(r)
		r.values = values
		t.index(r)
		return nil
	})
}

// Delete removes a row.
func (t *Table) Delete(key any) error {
	return t.change(key, func(r *row) error {
		t.unindex(r)
		t.rows = slices.DeleteFunc(t.rows, func(o *row) bool { return o == r })
		r.gone = true
		return nil
	})
}

// Lock locks a row, like somebody who has changed it and not committed yet. Sessions that
// want to change it wait until release is called.
func (t *Table) Lock(key any) (release func(), err error) {
	tx := newTransaction()
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	found, err := t.find(key)
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("table %s has no row %v (%w)", t.name, key, err)
	}
	if err := t.store.lock(context.Background(), tx, found[0]); err != nil {
		return nil, err
	}
	return func() {
		t.store.mu.Lock()
		defer t.store.mu.Unlock()
		tx.end(false)
	}, nil
}
