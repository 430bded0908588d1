package oracletest

import "slices"

// CheckSQL checks a statement against rules of Oracle (from 11.2 on) that need no full
// grammar: what the habits of another database let slip in. It returns an *Error for a
// statement that breaks a rule; one that breaks none may still not be valid. Two more rules
// are those of drivers, which have scanners of their own: no comments, and no line break
// between RETURNING and INTO.
//
// The double checks every statement that it receives, except that from 12.2 on identifiers
// may be longer.
func CheckSQL(sql string) error {
	return check(sql, 30)
}

// check is CheckSQL with a limit for the bytes of an identifier.
func check(sql string, longest int) error {
	all, err := tokens(sql)
	if err != nil {
		return err
	}
	if all[0].kind == tokenEnd {
		return Errorf(900, "invalid SQL statement: it is empty")
	}
	block := all[0].is("BEGIN") || all[0].is("DECLARE")
	c := checker{all: all, sql: sql, levels: []level{{}}}
	for i, t := range all {
		if err := c.anywhere(i, t, longest); err != nil {
			return at(err, t.pos)
		}
		if block {
			continue
		}
		if err := c.statement(i, t); err != nil {
			return at(err, t.pos)
		}
	}
	if last := all[len(all)-2]; block && !last.is(";") {
		return at(Errorf(6550, "PLS-00103: a block ends with END;"), last.pos)
	}
	return nil
}

type checker struct {
	all    []token
	sql    string
	levels []level // by depth of parentheses
}

// level is what is known of a pair of parentheses.
type level struct {
	from   bool // within FROM, or between UPDATE and SET: tables are named
	choose bool // a SELECT waits for its FROM
	start  int  // where that SELECT is
}

func (c *checker) word(i int) string {
	if i < 0 || i >= len(c.all) || c.all[i].kind != tokenWord {
		return ""
	}
	return c.all[i].text
}

// anywhere has the rules that apply in blocks too.
func (c *checker) anywhere(i int, t token, longest int) *Error {
	next := c.all[min(i+1, len(c.all)-1)]
	switch {
	case t.kind == tokenComment:
		return Errorf(900, "invalid SQL statement: drivers stumble over comments")
	case t.is("?"):
		return Errorf(911, "invalid character: binds are :1 and not ?")
	case t.is("$") && next.kind == tokenNumber:
		return Errorf(911, "invalid character: binds are :1 and not $1")
	case t.is("::"):
		return Errorf(911, "invalid character: CAST in place of ::")
	case t.is("TRUE") || t.is("FALSE"):
		return Errorf(904, "%q: invalid identifier: SQL has no boolean before 23ai", t.text)
	case t.is("ON") && next.is("CONFLICT"):
		return Errorf(933, "SQL command not properly ended: there is no ON CONFLICT")
	case t.is("NOW") && next.is("("):
		return Errorf(904, "%q: invalid identifier: SYSDATE in place of NOW()", t.text)
	case t.kind == tokenString && t.text == "" && (comparison(c.all[max(i-1, 0)]) || comparison(next)):
		return Errorf(900, "invalid SQL statement: '' is NULL, and nothing equals NULL")
	case (t.kind == tokenWord || t.kind == tokenQuoted || t.kind == tokenBind) && len(t.text) > longest:
		return Errorf(972, "identifier is too long: %s has %d bytes, at most %d are allowed", t.text, len(t.text), longest)
	}
	return nil
}

func comparison(t token) bool {
	return t.kind == tokenSymbol && slices.Contains([]string{"=", "<>", "!=", "<", ">", "<=", ">="}, t.text)
}

// statement has the rules for a statement that is not a block.
func (c *checker) statement(i int, t token) *Error {
	here := &c.levels[len(c.levels)-1]
	switch {
	case t.is("("):
		c.levels = append(c.levels, level{})
	case t.is(")"):
		if len(c.levels) == 1 {
			return Errorf(933, "SQL command not properly ended: a parenthesis too many")
		}
		c.levels = c.levels[:len(c.levels)-1]
		return here.unfinished()
	case t.kind == tokenEnd:
		if len(c.levels) > 1 {
			return Errorf(907, "missing right parenthesis")
		}
		return here.unfinished()
	case t.is(";"):
		return Errorf(911, "invalid character: a statement has no semicolon")
	case t.is("LIMIT"):
		return Errorf(933, "SQL command not properly ended: ROWNUM in place of LIMIT")
	case t.is("FETCH") && (c.word(i+1) == "FIRST" || c.word(i+1) == "NEXT"):
		return Errorf(933, "SQL command not properly ended: 11g has no FETCH FIRST")
	case t.is("VALUES"):
		return c.values(i + 1)
	case t.is("RETURNING") || t.is("RETURN"):
		return c.returning(i)
	case t.is("AS") && here.from:
		return Errorf(933, "SQL command not properly ended: a table's alias has no AS")
	}
	return here.clause(t)
}

// clause follows the clauses of a level.
func (l *level) clause(t token) *Error {
	if t.kind != tokenWord {
		return nil
	}
	switch t.text {
	case "SELECT":
		if err := l.unfinished(); err != nil {
			return err
		}
		*l = level{choose: true, start: t.pos}
	case "FROM":
		l.from, l.choose = true, false
	case "UPDATE":
		l.from = true
	case "WHERE", "SET", "ORDER", "GROUP", "HAVING", "CONNECT", "START":
		l.from = false
	case "UNION", "MINUS", "INTERSECT":
		return l.unfinished()
	}
	return nil
}

func (l *level) unfinished() *Error {
	if l.choose {
		return Errorf(923, "FROM keyword not found where expected: there is FROM DUAL")
	}
	return nil
}

// values finds a second row behind the first.
func (c *checker) values(i int) *Error {
	depth := 0
	for ; i < len(c.all); i++ {
		switch t := c.all[i]; {
		case t.is("("):
			depth++
		case t.is(")"):
			if depth--; depth == 0 {
				if c.all[i+1].is(",") {
					return Errorf(933, "SQL command not properly ended: VALUES has one row")
				}
				return nil
			}
		}
	}
	return nil
}

func (c *checker) returning(i int) *Error {
	for j := i; j < len(c.all); j++ {
		if c.word(j) != "INTO" {
			continue
		}
		if slices.Contains([]byte(c.sql[c.all[i].pos:c.all[j].end]), '\n') {
			return Errorf(900, "invalid SQL statement: drivers do not see a RETURNING that goes over a line's end")
		}
		return nil
	}
	return Errorf(925, "missing INTO keyword: RETURNING has one")
}
