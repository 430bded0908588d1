package oracletest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// store is the database behind the sessions. One lock guards all of it; a session that
// waits for a row releases it meanwhile.
type store struct {
	user    string // the account, in upper case
	charset Charset
	release release

	mu       sync.Mutex
	tables   map[string]*Table // by OWNER.NAME
	synonyms map[string]string // OWNER.NAME to OWNER.NAME
	expiry   time.Time         // of the account's password; zero = never
	waiting  chan struct{}     // closed and replaced whenever a session begins to wait for a row
}

// Blocked returns a channel that is closed when the next session begins to wait for a row
// that another transaction has locked.
func (d *Double) Blocked() <-chan struct{} {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	return d.store.waiting
}

// transaction is the open transaction of a session.
type transaction struct {
	locked   []*row
	undo     []undo
	waitsFor *transaction
	done     chan struct{} // closed when its rows are released
}

// undo reverts one change.
type undo struct {
	row     *row
	pending []value
}

func newTransaction() *transaction { return &transaction{done: make(chan struct{})} }

// lock locks a row for a transaction, and waits while another one has it.
func (st *store) lock(ctx context.Context, tx *transaction, r *row) error {
	for r.tx != nil && r.tx != tx {
		for other := r.tx; other != nil; other = other.waitsFor {
			if other == tx {
				return Errorf(60, "deadlock detected while waiting for resource")
			}
		}
		holder := r.tx
		tx.waitsFor = holder
		close(st.waiting)
		st.waiting = make(chan struct{})
		st.mu.Unlock()
		var err error
		select {
		case <-holder.done:
		case <-ctx.Done():
			err = ctx.Err()
		}
		st.mu.Lock()
		if tx.waitsFor = nil; err != nil {
			return err
		}
	}
	if r.tx == nil {
		r.tx = tx
		tx.locked = append(tx.locked, r)
	}
	return nil
}

// end releases the rows of a transaction and keeps its changes or drops them.
func (tx *transaction) end(keep bool) {
	for _, r := range tx.locked {
		if keep && r.pending != nil {
			r.values = r.pending
		}
		r.pending, r.tx = nil, nil
	}
	close(tx.done)
}

// back reverts all changes after the first n. The rows stay locked.
func (tx *transaction) back(n int) {
	for _, u := range slices.Backward(tx.undo[n:]) {
		u.row.pending = u.pending
	}
	tx.undo = tx.undo[:n]
}

// work is what one call does to the database.
type work struct {
	s   *session
	ctx context.Context // ends when the client cancels
}

func (w *work) commit()   { w.finish(true) }
func (w *work) rollback() { w.finish(false) }

func (w *work) finish(keep bool) {
	st := w.s.d.store
	st.mu.Lock()
	defer st.mu.Unlock()
	if w.s.tx != nil {
		w.s.tx.end(keep)
		w.s.tx = nil
	}
}

// outcome is the result of a statement.
type outcome struct {
	columns []column
	rows    [][]value
	touched []int // by execution
	failed  []failure
	out     []value // of a block, by bind
}

func (o *outcome) affected() (n int) {
	for _, t := range o.touched {
		n += t
	}
	return n
}

// run executes a statement once for each set of binds. As on a server, the changes of the
// sets before a failing one stay, in the open transaction, and nothing is committed. With
// batch the sets after it are executed too, and the outcome lists those that failed.
func (w *work) run(s *statement, sets [][]value, batch, commit bool) (*outcome, error) {
	o, err := w.execute(s, sets, batch)
	if err == nil && commit && len(o.failed) == 0 {
		w.commit()
	}
	return o, err
}

func (w *work) execute(s *statement, sets [][]value, batch bool) (*outcome, error) {
	for _, binds := range sets {
		if len(binds) < len(s.binds) {
			return nil, Errorf(1008, "not all variables bound")
		}
		if len(binds) > len(s.binds) {
			return nil, Errorf(1036, "illegal variable name/number")
		}
	}
	st := w.s.d.store
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case s.query != nil && s.query.lock != nil:
		columns, rows, err := w.queryForUpdate(s.query, sets[0])
		return &outcome{columns: columns, rows: rows}, err
	case s.query != nil:
		columns, rows, err := w.query(s.query, sets[0])
		return &outcome{columns: columns, rows: rows}, err
	case s.update != nil:
		o := &outcome{}
		u, err := w.prepare(s.update)
		for i := 0; err == nil && i < len(sets); i++ {
			var n int
			n, err = u.run(sets[i])
			o.touched = append(o.touched, n)
			if e, ok := errors.AsType[*Error](err); ok && batch {
				o.failed, err = append(o.failed, failure{i, e}), nil
			}
		}
		return o, err
	case s.nls != nil:
		o := &outcome{}
		for _, p := range s.nls {
			o.out = append(o.out, textValue(st.nls()[p]))
		}
		return o, nil
	case s.block != nil:
		return &outcome{}, w.block(s.block, sets)
	default:
		return &outcome{}, w.s.alter(s.alter)
	}
}

// table finds a table by the name that the session uses.
func (w *work) table(n tableName) (*Table, error) {
	st := w.s.d.store
	full := n.owner + "." + n.name
	if n.owner == "" {
		full = w.s.schema + "." + n.name
	}
	for _, name := range []string{full, st.synonyms[full], st.synonyms[st.user+"."+n.name]} {
		if t := st.tables[name]; t != nil && !t.hidden() {
			return t, nil
		}
		if n.owner != "" {
			break
		}
	}
	return nil, at(Errorf(942, "table or view does not exist"), n.pos)
}

// query runs a SELECT.
func (w *work) query(q *query, binds []value) ([]column, [][]value, error) {
	sc := &scope{alias: q.alias}
	e := &env{s: w.s, binds: binds}
	rows, err := w.source(q, sc, e)
	if err != nil {
		return nil, nil, err
	}
	if err := sc.resolve(q.where); err != nil {
		return nil, nil, err
	}
	if q.where != nil {
		var kept [][]value
		for _, r := range rows {
			e.row, e.rownum = r, len(kept)+1
			t, err := e.test(q.where)
			if err != nil {
				return nil, nil, err
			}
			if t == yes {
				kept = append(kept, r)
			}
		}
		rows = kept
	}
	if err := sort(q.order, sc, e, rows); err != nil {
		return nil, nil, err
	}
	if q.count {
		return []column{{name: q.items[0].name, typ: anyNumber}}, [][]value{{intValue(len(rows))}}, nil
	}
	return project(q.items, sc, e, rows)
}

// queryForUpdate runs a SELECT and locks its rows, one after the other, until the
// transaction ends.
func (w *work) queryForUpdate(q *query, binds []value) ([]column, [][]value, error) {
	if _, _, ok := w.s.d.store.catalogue(q.table); ok {
		return nil, nil, at(errNotForUpdate, q.table.pos)
	}
	t, err := w.table(q.table)
	switch {
	case err != nil:
		return nil, nil, err
	case t.noSelect || t.noLock:
		return nil, nil, Errorf(1031, "insufficient privileges")
	case t.view:
		return nil, nil, at(errNotForUpdate, q.table.pos)
	}
	sc := tableScope(t.columns, q.table, q.alias)
	for _, n := range []*node{q.where, q.lock.of} {
		if err := sc.resolve(n); err != nil {
			return nil, nil, err
		}
	}
	tx := w.begin()
	e := &env{s: w.s, binds: binds}
	var rows [][]value
	if _, err := w.lockRows(t, q.where, e, q.lock.skip, func(r *row) error {
		rows = append(rows, r.seen(tx))
		return nil
	}); err != nil {
		return nil, nil, err
	}
	if err := sort(q.order, sc, e, rows); err != nil {
		return nil, nil, err
	}
	return project(q.items, sc, e, rows)
}

// begin returns the session's transaction, a new one if none is open.
func (w *work) begin() *transaction {
	if w.s.tx == nil {
		w.s.tx = newTransaction()
	}
	return w.s.tx
}

// lockRows locks the rows that a condition matches, one after the other, and calls do for
// each. skip passes over rows that another transaction has locked. It returns how many rows
// it locked.
func (w *work) lockRows(t *Table, where *node, e *env, skip bool, do func(*row) error) (n int, err error) {
	tx := w.s.tx
	matches := func(r *row) (bool, error) {
		if r.gone || where == nil {
			return !r.gone, nil
		}
		e.row, e.rownum = r.seen(tx), n+1
		is, err := e.test(where)
		return is == yes && err == nil, err
	}
	for _, r := range slices.Clone(t.candidates(where, e)) {
		is, err := matches(r)
		if is && skip && r.tx != nil && r.tx != tx {
			continue
		}
		if is {
			if err = w.s.d.store.lock(w.ctx, tx, r); err == nil {
				is, err = matches(r) // it may have changed, or gone, while we waited
			}
		}
		if err == nil && is {
			n++
			err = do(r)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

var errNotForUpdate = &Error{Code: 2014, Message: "cannot select FOR UPDATE from view with DISTINCT, GROUP BY, etc."}

// source returns the rows that a query begins with, and what their columns are.
func (w *work) source(q *query, sc *scope, e *env) ([][]value, error) {
	if q.sub != nil {
		columns, rows, err := w.query(q.sub, e.binds)
		sc.columns = columns
		return rows, err
	}
	sc.alias = cmp.Or(q.alias, q.table.name)
	if columns, rows, ok := w.s.d.store.catalogue(q.table); ok {
		sc.columns = columns
		return rows, nil
	}
	t, err := w.table(q.table)
	if err != nil {
		return nil, err
	}
	if t.noSelect {
		return nil, Errorf(1031, "insufficient privileges")
	}
	sc.columns = t.columns
	if err := sc.resolve(q.where); err != nil {
		return nil, err
	}
	found := t.candidates(q.where, e)
	rows := make([][]value, len(found))
	for i, r := range found {
		rows[i] = r.seen(w.s.tx)
	}
	return rows, nil
}

// candidates returns the rows that a condition may match: those with the keys that it
// names, or all.
func (t *Table) candidates(where *node, e *env) []*row {
	typ := t.columns[t.key].typ
	switch {
	case where == nil:
		return t.rows
	case where.op == "and":
		if found := t.candidates(where.args[0], e); len(found) < len(t.rows) {
			return found
		}
		return t.candidates(where.args[1], e)
	case where.op != "=" && where.op != "in", where.args[0].op != "column", where.args[0].n != t.key, typ.code == typeChar:
		return t.rows
	}
	var found []*row
	seen := map[string]bool{}
	for _, a := range where.args[1:] {
		if a.op != "bind" {
			return t.rows
		}
		bound := e.binds[a.n]
		key, err := typ.coerce(bound)
		if err != nil || bound.kind == number && key.kind != number {
			return t.rows // comparing each of them will report the error
		}
		if !seen[key.s] {
			seen[key.s] = true
			found = append(found, t.byKey[key.s]...)
		}
	}
	return found
}

func sort(orders []order, sc *scope, e *env, rows [][]value) error {
	for _, o := range slices.Backward(orders) {
		if err := sc.resolve(o.expr); err != nil {
			return err
		}
		var failed error
		of := func(r []value) value {
			e.row = r
			v, err := e.eval(o.expr)
			if err != nil {
				failed = err
			}
			return v
		}
		slices.SortStableFunc(rows, func(x, y []value) int {
			a, b := of(x), of(y)
			c := 0
			switch {
			case a.kind != null && b.kind != null:
				c = order3(a, b)
			case a.kind != null: // NULLs come last
				c = -1
			case b.kind != null:
				c = 1
			}
			if o.descending {
				return -c
			}
			return c
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// project makes the columns of a result.
func project(items []item, sc *scope, e *env, rows [][]value) ([]column, [][]value, error) {
	var columns []column
	var exprs []*node
	for _, it := range items {
		if it.expr == nil {
			for i, c := range sc.columns {
				columns = append(columns, c)
				exprs = append(exprs, &node{op: "column", n: i, typ: c.typ})
			}
			continue
		}
		if err := sc.resolve(it.expr); err != nil {
			return nil, nil, err
		}
		if it.expr.condition() {
			return nil, nil, at(Errorf(923, "FROM keyword not found where expected"), it.pos)
		}
		c := column{name: it.name, typ: it.expr.typ}
		if it.expr.op == "column" && it.expr.n >= 0 {
			c.required = sc.columns[it.expr.n].required
		}
		columns, exprs = append(columns, c), append(exprs, it.expr)
	}
	out := make([][]value, len(rows))
	for i, r := range rows {
		e.row, e.rownum = r, i+1
		out[i] = make([]value, len(exprs))
		for k, x := range exprs {
			v, err := e.eval(x)
			if err == nil {
				v, err = columns[k].typ.coerce(v)
			}
			if err != nil {
				return nil, nil, err
			}
			out[i][k] = v
		}
	}
	return columns, out, nil
}
