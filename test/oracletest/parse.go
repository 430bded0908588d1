package oracletest

import (
	"slices"
	"strings"
)

// statement is a statement that the double knows: one of these is set.
type statement struct {
	query  *query
	update *update
	block  []procedure
	alter  []setting
	nls    []string // a driver's own block: parameters to be returned, in the order of its binds

	binds []string // their names, in the order of the text
}

type query struct {
	items []item
	count bool // SELECT COUNT(*)
	table tableName
	sub   *query // in place of a table
	alias string
	where *node // or nil
	order []order
	lock  *locking // FOR UPDATE; or nil
}

// locking is FOR UPDATE, with what follows it.
type locking struct {
	of   *node // the column that names the table whose rows are locked; or nil
	skip bool  // SKIP LOCKED; else it waits
}

type item struct {
	expr *node // nil is *
	name string
	pos  int
}

type order struct {
	expr       *node
	descending bool
}

type update struct {
	table tableName
	alias string
	set   []assignment
	where *node // or nil
}

type assignment struct {
	column string
	expr   *node
	pos    int
}

type tableName struct {
	owner, name string // owner may be ""
	pos         int
}

type procedure struct {
	name string
	args []*node
}

type setting struct{ name, value string }

// parse parses a statement that has passed check.
func parse(sql string) (st *statement, err error) {
	p, err := newParser(sql)
	if err != nil {
		return nil, err
	}
	defer func() { err = thrown(recover(), err) }()
	st = p.statement()
	st.binds = p.binds
	return st, nil
}

func newParser(sql string) (*parser, error) {
	all, err := tokens(sql)
	if err != nil {
		return nil, err
	}
	return &parser{all: all, sql: sql}, nil
}

// thrown is the error that parser.fail has thrown, or else err.
func thrown(v any, err error) error {
	switch e := v.(type) {
	case nil:
		return err
	case *Error:
		return e
	default:
		panic(e)
	}
}

type parser struct {
	all     []token
	sql     string
	i       int
	depth   int
	binds   []string
	inBlock bool // where a bind that comes twice is one
}

// fail ends parsing. What the double does not know may be valid Oracle, so the error quotes
// the whole statement.
func (p *parser) fail(code int, what string) {
	t := p.all[p.i]
	near := p.sql[t.pos:t.end]
	if t.kind == tokenEnd {
		near = "the end"
	}
	panic(at(Errorf(code, "%s near %s (the double does not know this statement: %s)", what, near, strings.Join(strings.Fields(p.sql), " ")), t.pos))
}

func (p *parser) peek() token { return p.all[p.i] }

func (p *parser) next() token {
	t := p.all[p.i]
	if t.kind != tokenEnd {
		p.i++
	}
	return t
}

// take consumes these words and symbols, all of them or none.
func (p *parser) take(words ...string) bool {
	for k, w := range words {
		if !p.all[min(p.i+k, len(p.all)-1)].is(w) {
			return false
		}
	}
	p.i += len(words)
	return true
}

func (p *parser) need(word string) {
	if !p.take(word) {
		p.fail(900, "invalid SQL statement: "+word+" is missing")
	}
}

// list parses what commas separate.
func (p *parser) list(item func()) {
	for item(); p.take(","); {
		item()
	}
}

// deeper enters a level, which must not be below the limit, and returns what leaves it.
func (p *parser) deeper(limit int) (leave func()) {
	if p.depth++; p.depth > limit {
		p.fail(900, "too deep")
	}
	return func() { p.depth-- }
}

func (p *parser) end() {
	if p.peek().kind != tokenEnd {
		p.fail(933, "SQL command not properly ended")
	}
}

// reserved are the words that cannot be names.
func reserved(word string) bool {
	return slices.Contains(strings.Fields("SELECT FROM WHERE ORDER BY AND OR NOT IN IS NULL SET AS UPDATE GROUP HAVING UNION MINUS INTERSECT ON JOIN INNER LEFT FOR DISTINCT VALUES INSERT DELETE LIKE BETWEEN EXISTS DATE NUMBER LEVEL SIZE COMMENT MODE"), word)
}

// name parses an identifier; what says what it should be.
func (p *parser) name(what string) string {
	t := p.next()
	if t.kind == tokenQuoted || t.kind == tokenWord && !reserved(t.text) {
		return t.text
	}
	p.i = max(p.i-1, 0)
	p.fail(903, "invalid name of "+what)
	return ""
}

func (p *parser) statement() *statement {
	st := &statement{}
	switch {
	case p.peek().is("SELECT"):
		st.query = p.query()
	case p.take("UPDATE"):
		st.update = p.update()
	case p.take("BEGIN"):
		if p.peek().is("SELECT") {
			st.nls = p.nls()
			return st
		}
		p.inBlock = true
		st.block = p.block()
	case p.take("ALTER", "SESSION", "SET"):
		st.alter = p.settings()
	default:
		p.fail(900, "invalid SQL statement")
	}
	p.end()
	return st
}

func (p *parser) query() *query {
	p.need("SELECT")
	defer p.deeper(8)()
	q := &query{}
	p.list(func() { q.items = append(q.items, p.item(q)) })
	p.need("FROM")
	if p.take("(") {
		q.sub = p.query()
		p.need(")")
	} else {
		q.table = p.tableName()
	}
	q.alias = p.alias()
	if p.take("WHERE") {
		q.where = p.condition()
	}
	if p.take("ORDER", "BY") {
		p.list(func() {
			o := order{expr: p.condition()}
			o.descending = !p.take("ASC") && p.take("DESC")
			q.order = append(q.order, o)
		})
	}
	if p.take("FOR", "UPDATE") {
		q.lock = p.locking(q)
	}
	return q
}

// locking parses what follows FOR UPDATE.
func (p *parser) locking(q *query) *locking {
	switch {
	case p.depth > 1:
		p.fail(907, "missing right parenthesis")
	case q.sub != nil || q.count:
		p.fail(2014, "cannot select FOR UPDATE from view with DISTINCT, GROUP BY, etc.")
	}
	l := &locking{}
	if p.take("OF") {
		l.of = p.named()
	}
	l.skip = p.take("SKIP", "LOCKED")
	return l
}

func (p *parser) item(q *query) item {
	it := item{pos: p.peek().pos}
	switch {
	case p.take("COUNT", "(", "*", ")"):
		q.count, it.name = true, "COUNT(*)"
	case p.take("*"):
		return it
	default:
		start := p.i
		it.expr = p.condition()
		if it.expr.op == "column" {
			it.name = it.expr.name
		} else {
			it.name = strings.ToUpper(strings.ReplaceAll(p.sql[p.all[start].pos:p.all[p.i-1].end], " ", ""))
		}
	}
	if p.take("AS") {
		it.name = p.name("a column")
	} else if a := p.alias(); a != "" {
		it.name = a
	}
	return it
}

// alias parses the name that may follow a column or a table.
func (p *parser) alias() string {
	if t := p.peek(); t.kind == tokenQuoted || t.kind == tokenWord && !reserved(t.text) {
		p.i++
		return t.text
	}
	return ""
}

func (p *parser) tableName() tableName {
	n := tableName{pos: p.peek().pos}
	n.name = p.name("a table")
	if p.take(".") {
		n.owner, n.name = n.name, p.name("a table")
	}
	return n
}

func (p *parser) update() *update {
	u := &update{table: p.tableName(), alias: p.alias()}
	p.need("SET")
	p.list(func() {
		a := assignment{pos: p.peek().pos, column: p.name("a column")}
		if p.take(".") {
			a.column = p.name("a column")
		}
		p.need("=")
		a.expr = p.concatenation()
		u.set = append(u.set, a)
	})
	if p.take("WHERE") {
		u.where = p.condition()
	}
	return u
}

// block parses PACKAGE.PROCEDURE(…); any number of times, and the END; after them.
func (p *parser) block() []procedure {
	var calls []procedure
	for !p.take("END") {
		c := procedure{name: p.name("a procedure")}
		for p.take(".") {
			c.name += "." + p.name("a procedure")
		}
		if p.take("(") {
			p.list(func() {
				if p.all[min(p.i+1, len(p.all)-1)].is("=>") {
					p.i += 2 // by name; the order is taken on trust
				}
				c.args = append(c.args, p.concatenation())
			})
			p.need(")")
		}
		p.need(";")
		calls = append(calls, c)
	}
	p.need(";")
	return calls
}

// nls recognises the block in which a driver reads its session's NLS parameters, whatever
// else it says.
func (p *parser) nls() []string {
	var parameters []string
	for t := p.next(); t.kind != tokenEnd; t = p.next() {
		switch {
		case t.kind == tokenString && strings.HasPrefix(t.text, "NLS_"):
			parameters = append(parameters, t.text)
		case t.kind == tokenBind:
			p.binds = append(p.binds, t.text)
		}
	}
	if len(parameters) == 0 || len(parameters) != len(p.binds) || !strings.Contains(strings.ToLower(p.sql), "nls_session_parameters") {
		p.fail(6550, "PLS-00201: a block")
	}
	return parameters
}

func (p *parser) settings() []setting {
	var all []setting
	for p.peek().kind != tokenEnd {
		s := setting{name: p.name("a parameter")}
		p.need("=")
		switch t := p.next(); t.kind {
		case tokenString, tokenWord, tokenQuoted, tokenNumber:
			s.value = t.text
		default:
			p.fail(922, "missing or invalid option")
		}
		all = append(all, s)
	}
	return all
}
