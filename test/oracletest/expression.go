package oracletest

import (
	"slices"
	"strings"
)

// node is an expression or a condition.
type node struct {
	op        string // column, bind, number, text, null, call, and, or, not, in, is null, ||, or a comparison
	name      string // of the column, the function or the literal
	qualifier string // of the column
	args      []*node
	pos       int

	n   int      // index of the bind or, once resolved, of the column
	typ dataType // once resolved
}

// condition parses ORs of ANDs of comparisons; a single value is a condition too.
func (p *parser) condition() *node {
	return p.chain("OR", func() *node { return p.chain("AND", p.negation) })
}

func (p *parser) chain(word string, part func() *node) *node {
	n := part()
	for p.peek().is(word) {
		pos := p.next().pos
		n = &node{op: strings.ToLower(word), args: []*node{n, part()}, pos: pos}
	}
	return n
}

func (p *parser) negation() *node {
	if t := p.peek(); p.take("NOT") {
		defer p.deeper(100)()
		return &node{op: "not", args: []*node{p.negation()}, pos: t.pos}
	}
	return p.comparison()
}

func (p *parser) comparison() *node {
	left := p.concatenation()
	t := p.peek()
	switch {
	case comparison(t):
		p.i++
		op := t.text
		if op == "!=" {
			op = "<>"
		}
		return &node{op: op, args: []*node{left, p.concatenation()}, pos: t.pos}
	case p.take("IS", "NOT", "NULL"):
		return &node{op: "not", args: []*node{{op: "is null", args: []*node{left}, pos: t.pos}}, pos: t.pos}
	case p.take("IS", "NULL"):
		return &node{op: "is null", args: []*node{left}, pos: t.pos}
	case p.take("IN", "("):
		n := &node{op: "in", args: []*node{left}, pos: t.pos}
		p.list(func() { n.args = append(n.args, p.concatenation()) })
		p.need(")")
		if len(n.args) > 1001 {
			panic(at(Errorf(1795, "maximum number of expressions in a list is 1000"), t.pos))
		}
		return n
	}
	return left
}

func (p *parser) concatenation() *node { return p.chain("||", p.primary) }

func (p *parser) primary() *node {
	t := p.next()
	switch t.kind {
	case tokenBind:
		n := -1
		if p.inBlock {
			n = slices.Index(p.binds, t.text)
		}
		if n < 0 {
			n = len(p.binds)
			p.binds = append(p.binds, t.text)
		}
		return &node{op: "bind", n: n, name: t.text, pos: t.pos}
	case tokenNumber:
		return &node{op: "number", name: t.text, pos: t.pos}
	case tokenString:
		return &node{op: "text", name: t.text, pos: t.pos}
	case tokenWord, tokenQuoted:
		if t.is("NULL") {
			return &node{op: "null", pos: t.pos}
		}
		p.i--
		return p.named()
	}
	switch {
	case t.is("-") && p.peek().kind == tokenNumber:
		return &node{op: "number", name: "-" + p.next().text, pos: t.pos}
	case t.is("("):
		defer p.deeper(100)()
		n := p.condition()
		p.need(")")
		return n
	}
	p.i = max(p.i-1, 0)
	p.fail(936, "missing expression")
	return nil
}

// named parses a column or a function call.
func (p *parser) named() *node {
	n := &node{op: "column", pos: p.peek().pos}
	n.name = p.name("a column")
	if p.take(".") {
		n.qualifier, n.name = n.name, p.name("a column")
	}
	if !p.take("(") {
		return n
	}
	defer p.deeper(100)()
	n.op = "call"
	if n.qualifier != "" {
		n.name, n.qualifier = n.qualifier+"."+n.name, ""
	}
	p.list(func() { n.args = append(n.args, p.condition()) })
	p.need(")")
	return n
}
