package oracletest

import (
	"slices"
	"strings"
)

// preparedUpdate is an UPDATE whose names have been resolved.
type preparedUpdate struct {
	w       *work
	u       *update
	t       *Table
	columns []int // that are set
}

func (w *work) prepare(u *update) (*preparedUpdate, error) {
	t, err := w.table(u.table)
	if err != nil {
		return nil, err
	}
	if t.readOnly {
		return nil, at(Errorf(1732, "data manipulation operation not legal on this view"), u.table.pos)
	}
	p := &preparedUpdate{w: w, u: u, t: t}
	sc := tableScope(t.columns, u.table, u.alias)
	for _, a := range u.set {
		i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == a.column })
		switch {
		case i < 0:
			return nil, at(Errorf(904, "%q: invalid identifier", a.column), a.pos)
		case slices.Contains(p.columns, i):
			return nil, at(Errorf(957, "duplicate column name"), a.pos)
		case t.noUpdate[a.column]:
			return nil, at(Errorf(1031, "insufficient privileges"), u.table.pos)
		case i == t.key:
			return nil, at(Errorf(900, "the double does not let a session change a key"), a.pos)
		}
		p.columns = append(p.columns, i)
		if err := sc.resolve(a.expr); err != nil {
			return nil, err
		}
	}
	return p, sc.resolve(u.where)
}

// run executes the UPDATE with one set of binds: for all of its rows or for none.
func (p *preparedUpdate) run(binds []value) (touched int, err error) {
	tx := p.w.begin()
	before := len(tx.undo)
	e := &env{s: p.w.s, binds: binds}
	touched, err = p.w.lockRows(p.t, p.u.where, e, false, func(r *row) error {
		after, err := p.change(e, r.seen(tx))
		if err == nil {
			tx.undo = append(tx.undo, undo{r, r.pending})
			r.pending = after
		}
		return err
	})
	if err != nil {
		tx.back(before)
		return 0, err
	}
	return touched, nil
}

// change computes the new row, runs the triggers and checks the constraints.
func (p *preparedUpdate) change(e *env, before []value) ([]value, error) {
	t := p.t
	after := slices.Clone(before)
	e.row = before
	for k, a := range p.u.set {
		i := p.columns[k]
		v, err := e.eval(a.expr)
		if err == nil {
			after[i], err = t.columns[i].typ.fits(v, t.label(i), t.store.charset)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(t.triggers) > 0 {
		old, changed := t.toGo(before), t.toGo(after)
		for _, trigger := range t.triggers {
			if err := trigger(old, changed); err != nil {
				e := asError(err)
				return nil, Errorf(e.Code, "%s\nORA-06512: at \"%s.TRG_%s\", line 3\nORA-04088: error during execution of trigger '%[2]s.TRG_%[3]s'", e.Message, t.owner, t.name)
			}
		}
		var err error
		if after, err = t.given(after, changed); err != nil {
			return nil, err
		}
	}
	if err := t.complete(after, 1407, "cannot update (%s) to NULL"); err != nil {
		return nil, err
	}
	for _, c := range t.checks {
		if !c.ok(t.toGo(after)) {
			return nil, Errorf(2290, "check constraint (%s.%s) violated", t.owner, c.name)
		}
	}
	return after, nil
}

// block runs the procedures that are known.
func (w *work) block(calls []procedure, sets [][]value) error {
	for _, binds := range sets {
		for _, c := range calls {
			e := &env{s: w.s, binds: binds}
			args := make([]string, max(len(c.args), 2))
			for i, a := range c.args {
				if err := (&scope{}).resolve(a); err != nil {
					return err
				}
				v, err := e.eval(a)
				if err == nil {
					v, err = anyText.coerce(v)
				}
				if err != nil {
					return err
				}
				args[i] = v.s
			}
			if err := w.s.register(c, args); err != nil {
				return err
			}
		}
	}
	return nil
}

// register is DBMS_APPLICATION_INFO. It silently cuts what is too long.
func (s *session) register(c procedure, args []string) error {
	cut := func(t string, most int) string { return t[:min(len(t), most)] }
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	wanted := 1
	switch c.name {
	case "DBMS_APPLICATION_INFO.SET_MODULE":
		wanted = 2
		s.info.Module, s.info.Action = cut(args[0], 48), cut(args[1], 32)
	case "DBMS_APPLICATION_INFO.SET_ACTION":
		s.info.Action = cut(args[0], 32)
	case "DBMS_APPLICATION_INFO.SET_CLIENT_INFO":
		s.info.ClientInfo = cut(args[0], 64)
	case "DBMS_SESSION.SET_IDENTIFIER":
	default:
		return Errorf(6550, "PLS-00201: identifier '%s' must be declared (the double does not know this procedure)", c.name)
	}
	if len(c.args) != wanted {
		return Errorf(6550, "PLS-00306: wrong number or types of arguments in call to '%s'", c.name)
	}
	return nil
}

// alter is ALTER SESSION. Of its parameters only the schema matters here.
func (s *session) alter(settings []setting) error {
	for _, p := range settings {
		switch {
		case p.name == "CURRENT_SCHEMA":
			s.schema = p.value
		case p.name == "TIME_ZONE", strings.HasPrefix(p.name, "NLS_"):
		default:
			return Errorf(2248, "invalid option for ALTER SESSION: %s", p.name)
		}
	}
	return nil
}
