package oracletest

import (
	"cmp"
	"strings"
	"time"
)

// scope says what names of columns mean in a query.
type scope struct {
	columns []column
	alias   string
}

// tableScope is the scope of a table, which its own name means where it has no alias.
func tableScope(columns []column, n tableName, alias string) *scope {
	return &scope{columns: columns, alias: cmp.Or(alias, n.name)}
}

// resolve finds the columns of an expression and its type. nil is not an expression.
func (sc *scope) resolve(n *node) error {
	if n == nil {
		return nil
	}
	for _, a := range n.args {
		if err := sc.resolve(a); err != nil {
			return err
		}
	}
	switch n.op {
	case "column":
		return sc.column(n)
	case "bind", "null":
		n.typ = anyText // a bound value brings its own type
	case "number":
		if _, err := parseNumber(n.name); err != nil {
			return at(Errorf(1722, "invalid number"), n.pos)
		}
		n.typ = anyNumber
	case "text":
		n.typ = dataType{code: typeChar, size: max(len(n.name), 1)}
	case "||":
		n.typ = anyText
	case "call":
		return n.function()
	case "and", "or", "not":
		for _, a := range n.args {
			if !a.condition() {
				return at(Errorf(920, "invalid relational operator"), a.pos)
			}
		}
		return nil
	}
	for _, a := range n.args {
		switch {
		case a.condition():
			return at(Errorf(936, "missing expression"), a.pos)
		case a.typ.code == typeClob && n.op != "is null":
			return at(Errorf(932, "inconsistent datatypes: expected - got %s", a.typ), a.pos)
		}
	}
	return nil
}

func (sc *scope) column(n *node) error {
	for i, c := range sc.columns {
		if c.name == n.name && (n.qualifier == "" || n.qualifier == sc.alias) {
			n.n, n.typ = i, c.typ
			return nil
		}
	}
	if p, ok := pseudoColumns[n.name]; ok && n.qualifier == "" {
		n.n, n.typ = -1, p.typ
		return nil
	}
	name := `"` + n.name + `"`
	if n.qualifier != "" {
		name = `"` + n.qualifier + `".` + name
	}
	return at(Errorf(904, "%s: invalid identifier", name), n.pos)
}

// condition reports whether the node is true or false, and no value.
func (n *node) condition() bool {
	switch n.op {
	case "and", "or", "not", "in", "is null", "=", "<>", "<", ">", "<=", ">=":
		return true
	}
	return false
}

// env is the environment in which an expression is evaluated.
type env struct {
	s      *session
	row    []value
	binds  []value
	rownum int
}

func (e *env) eval(n *node) (value, error) {
	switch n.op {
	case "bind":
		return e.binds[n.n], nil
	case "null":
		return value{}, nil
	case "number":
		return parseNumber(n.name)
	case "text":
		v := textValue(n.name)
		v.fixed = true
		return v, nil
	case "column":
		if n.n >= 0 {
			return e.row[n.n], nil
		}
		return pseudoColumns[n.name].value(e), nil
	case "||":
		var joined strings.Builder
		for _, a := range n.args {
			v, err := e.eval(a)
			if err == nil {
				v, err = anyText.coerce(v)
			}
			if err != nil {
				return v, err
			}
			joined.WriteString(v.s)
		}
		return textValue(joined.String()), nil
	case "call":
		args := make([]value, len(n.args))
		for i, a := range n.args {
			var err error
			if args[i], err = e.eval(a); err != nil {
				return value{}, err
			}
		}
		return n.call(args, e.s)
	}
	return value{}, at(Errorf(936, "missing expression"), n.pos)
}

// pseudoColumns are words that look like columns.
var pseudoColumns = map[string]struct {
	typ   dataType
	value func(*env) value
}{
	"ROWNUM":       {anyNumber, func(e *env) value { return intValue(e.rownum) }},
	"SYSDATE":      {anyDate, func(e *env) value { return value{kind: moment, at: wall(e.now()).Truncate(time.Second)} }},
	"SYSTIMESTAMP": {dataType{code: typeTimestampTZ, scale: 6}, func(e *env) value { return value{kind: moment, at: e.now()} }},
	"USER":         {anyText, func(e *env) value { return textValue(e.s.d.store.user) }},
	"DBTIMEZONE":   {anyText, func(*env) value { return textValue(zone.String()) }},
}

func (e *env) now() time.Time { return e.s.d.o.Now().In(zone) }

// zone is the time zone of the database and its server. Brazil has no daylight saving time.
var zone = time.FixedZone("-03:00", -3*60*60)

// wall returns a moment as a column without a zone stores it.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// truth is SQL's three-valued logic: a comparison with NULL is neither true nor false.
type truth int8

const (
	no truth = iota
	maybe
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (e *env) test(n *node) (truth, error) {
	switch n.op {
	case "and", "or":
		left, err := e.test(n.args[0])
		if err != nil || n.op == "and" && left == no || n.op == "or" && left == yes {
			return left, err
		}
		right, err := e.test(n.args[1])
		if n.op == "and" {
			return min(left, right), err
		}
		return max(left, right), err
	case "not":
		t, err := e.test(n.args[0])
		return yes - t, err
	case "is null":
		v, err := e.eval(n.args[0])
		return truthOf(v.kind == null), err
	}
	if !n.condition() {
		return no, at(Errorf(920, "invalid relational operator"), n.pos)
	}
	left, err := e.eval(n.args[0])
	if err != nil {
		return no, err
	}
	found := no
	for _, a := range n.args[1:] {
		right, err := e.eval(a)
		if err != nil {
			return no, err
		}
		t, err := compare(n.op, left, right)
		if err != nil {
			return no, err
		}
		if found = max(found, t); found == yes {
			break
		}
	}
	return found, nil
}

func compare(op string, a, b value) (truth, error) {
	if a.kind == null || b.kind == null {
		return maybe, nil
	}
	a, b, err := alike(a, b)
	if err != nil {
		return no, err
	}
	c := order3(a, b)
	switch op {
	case "<>":
		return truthOf(c != 0), nil
	case "<":
		return truthOf(c < 0), nil
	case ">":
		return truthOf(c > 0), nil
	case "<=":
		return truthOf(c <= 0), nil
	case ">=":
		return truthOf(c >= 0), nil
	default: // = and IN
		return truthOf(c == 0), nil
	}
}

// alike converts two values to one kind: a text becomes what the other one is.
func alike(a, b value) (value, value, error) {
	if a.kind == b.kind {
		return a, b, nil
	}
	if a.kind != text {
		b, a, err := alike(b, a)
		return a, b, err
	}
	var t dataType
	switch b.kind {
	case number:
		t = anyNumber
	case moment:
		t = anyDate
	case raw:
		t = dataType{code: typeRaw}
	default:
		return a, b, Errorf(932, "inconsistent datatypes")
	}
	a, err := t.coerce(a)
	if err == nil && a.kind != b.kind {
		err = Errorf(932, "inconsistent datatypes")
	}
	return a, b, err
}

// order3 compares values of one kind. CHARs are compared without trailing blanks, but only
// with CHARs and literals: a bound text is a VARCHAR2.
func order3(a, b value) int {
	switch {
	case a.kind == moment:
		return a.at.Compare(b.at)
	case a.kind == text && a.fixed && b.fixed:
		return cmp.Compare(strings.TrimRight(a.s, " "), strings.TrimRight(b.s, " "))
	default:
		return cmp.Compare(a.s, b.s)
	}
}
