package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// maxGroup is how many rows one transaction changes at most: some milliseconds.
const maxGroup = 1000

// groupDelay is how long the writer waits, while several callers are at work, for
// more of them to come: a transaction and its sync cost as much for one as for
// fifty.
const groupDelay = time.Millisecond

// chunk is how many rows a bulk write has: about a millisecond, which is what a
// worker may have to wait for behind it.
const chunk = 128

// write is a change that waits for its turn: statements with their rows, or a
// function, or both, carried out in this order.
type write struct {
	parts []part
	// run may be called again after a failed transaction, so it resets its results each
	// time.
	run  func(*txn) error
	turn atomic.Int32
	done chan error // buffered
}

// part is one statement and the rows of parameters that it is run for. The
// writer merges the parts of all that is waiting, statement by statement.
type part struct {
	statement statement
	rows      [][]any
	hit       []bool // set by the writer: which rows changed something
}

func onePart(name statement, rows [][]any) part {
	return part{name, rows, make([]bool, len(rows))}
}

// The turn of a write: taken by the writer or given up by the caller, never both.
const (
	waits int32 = iota
	taken
	givenUp
)

func (w *write) size() int {
	n := 0
	for i := range w.parts {
		n += len(w.parts[i].rows)
	}
	return max(n, 1)
}

// do carries out f in a transaction of the writer.
func (db *store) do(ctx context.Context, f func(*txn) error) error {
	w := newWrite()
	w.run = f
	return db.submit(ctx, db.urgent, w)
}

// change runs a statement in a transaction of its own and returns how many rows it changed.
func (db *store) change(ctx context.Context, name statement, args ...any) (n int, err error) {
	err = db.do(ctx, func(tx *txn) (err error) {
		n, err = tx.change(name, args...)
		return err
	})
	return n, err
}

// one runs a batchable statement for one row, together with what others wait for, and
// reports whether that changed something.
func (db *store) one(ctx context.Context, name statement, args ...any) (changed bool, err error) {
	w := newWrite(onePart(name, [][]any{args}))
	err = db.submit(ctx, db.urgent, w)
	return w.parts[0].hit[0], err
}

// each runs the statement for the rows, in chunks that let workers pass, and returns
// which rows changed something. Rows of chunks that came before an error have been
// changed.
func (db *store) each(ctx context.Context, name statement, rows [][]any) (hit []bool, err error) {
	hit = make([]bool, len(rows))
	var writes []*write
	for lo := 0; lo < len(rows); lo += chunk {
		hi := min(lo+chunk, len(rows))
		writes = append(writes, newWrite(part{name, rows[lo:hi], hit[lo:hi]}))
	}
	sent := 0
	for _, w := range writes {
		if err = db.hand(ctx, db.bulk, w); err != nil {
			break
		}
		sent++
	}
	for _, w := range writes[:sent] {
		if e := db.wait(ctx, w); e != nil && err == nil {
			err = e
		}
	}
	return hit, err
}

// changed runs a statement for the rows and counts those that changed something.
func (db *store) changed(ctx context.Context, name statement, rows [][]any) (n int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	hit, err := db.each(ctx, name, rows)
	for _, ok := range hit {
		if ok {
			n++
		}
	}
	return n, err
}

func newWrite(parts ...part) *write {
	return &write{parts: parts, done: make(chan error, 1)}
}

// submit hands a write over and waits for its answer.
func (db *store) submit(ctx context.Context, queue chan<- *write, w *write) error {
	if err := db.hand(ctx, queue, w); err != nil {
		return err
	}
	return db.wait(ctx, w)
}

func (db *store) hand(ctx context.Context, queue chan<- *write, w *write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-db.quit:
		return errClosed
	default:
	}
	select {
	case queue <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-db.quit:
		return errClosed
	}
}

func (db *store) wait(ctx context.Context, w *write) error {
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		if w.turn.CompareAndSwap(waits, givenUp) {
			return ctx.Err()
		}
	case <-db.idle:
	}
	select {
	case err := <-w.done:
		return err
	case <-db.idle:
	}
	// The writer has ended. It may have answered just before.
	select {
	case err := <-w.done:
		return err
	default:
		return errClosed
	}
}

// writer carries out writes, one transaction after another. It owns tx.
type writer struct {
	db           *store
	tx           *txn
	urgent, bulk <-chan *write // nil = another writer's
}

// run ends with Close, after those that are still waiting.
func (wr *writer) run() {
	defer wr.tx.close()
	var group []*write
	busy := false // the last group had more than one write in it
	for {
		var first *write
		select {
		case first = <-wr.urgent:
		case first = <-wr.bulk:
		case <-wr.db.quit:
			for {
				if group = wr.gather(group[:0], 0); len(group) == 0 {
					return
				}
				wr.commit(group)
			}
		}
		if busy {
			<-time.After(groupDelay)
		}
		group = take(group[:0], first)
		group = wr.gather(group, first.size())
		wr.commit(group)
		busy = len(group) > 1
		clear(group)
	}
}

// gather adds to the group what is waiting. Bulk writes follow one at a time
// while no worker waits.
func (wr *writer) gather(group []*write, size int) []*write {
	for size < maxGroup {
		select {
		case w := <-wr.urgent:
			group, size = take(group, w), size+w.size()
			continue
		default:
		}
		select {
		case w := <-wr.bulk:
			group, size = take(group, w), size+w.size()
		default:
			return group
		}
		if len(wr.urgent) > 0 {
			return wr.drain(group, size)
		}
	}
	return group
}

// drain adds the urgent writes that are waiting.
func (wr *writer) drain(group []*write, size int) []*write {
	for size < maxGroup {
		select {
		case w := <-wr.urgent:
			group, size = take(group, w), size+w.size()
		default:
			return group
		}
	}
	return group
}

// take adds the write to the group unless its caller has given it up.
func take(group []*write, w *write) []*write {
	if w.turn.CompareAndSwap(waits, taken) {
		group = append(group, w)
	}
	return group
}

// commit carries out a group of writes in one transaction and answers them. When
// that fails, each is tried alone: one that cannot be written must not take the
// others with it, and on a full disk a small one may still fit.
func (wr *writer) commit(group []*write) {
	if len(group) == 0 {
		return
	}
	err := wr.tx.dialect.transact(wr.tx, group)
	if err != nil && len(group) > 1 && wr.tx.dialect.isolatesFailures(err) {
		for i, w := range group {
			wr.answer(w, wr.tx.dialect.transact(wr.tx, group[i:i+1]))
		}
		return
	}
	for _, w := range group {
		wr.answer(w, err)
	}
}

// answer returns the result of a write to its caller.
func (wr *writer) answer(w *write, err error) {
	if err != nil {
		err = wr.tx.dialect.explain(err)
		for i := range w.parts {
			clear(w.parts[i].hit) // what they changed was rolled back
		}
	}
	w.done <- err
}

// refuse answers everything that is waiting now with err. The writer calls it when it has to
// wait itself, so that no caller waits with it.
func (wr *writer) refuse(err error) {
	for {
		var w *write
		select {
		case w = <-wr.urgent:
		case w = <-wr.bulk:
		default:
			return
		}
		if w.turn.CompareAndSwap(waits, taken) {
			wr.answer(w, err)
		}
	}
}

// functions runs the functions of the group.
func (tx *txn) functions(group []*write) error {
	for _, w := range group {
		if w.run == nil {
			continue
		}
		if err := w.run(tx); err != nil {
			return err
		}
	}
	return nil
}

// batch is a statement with the rows of all writes of a group that run it.
type batch struct {
	statement statement
	rows      [][]any
	hit       []bool

	parts []*part
	size  int
}

// batches merges the statements of the group, in the order in which they were
// first met.
func batches(group []*write) []batch {
	var batches []batch
	for _, w := range group {
		for i := range w.parts {
			p := &w.parts[i]
			at := 0
			for at < len(batches) && batches[at].statement != p.statement {
				at++
			}
			if at == len(batches) {
				batches = append(batches, batch{statement: p.statement})
			}
			b := &batches[at]
			b.parts = append(b.parts, p)
			b.size += len(p.rows)
		}
	}
	for i := range batches {
		b := &batches[i]
		b.rows, b.hit = b.parts[0].rows, b.parts[0].hit
		if len(b.parts) > 1 {
			b.rows, b.hit = make([][]any, 0, b.size), make([]bool, b.size)
			for _, p := range b.parts {
				b.rows = append(b.rows, p.rows...)
			}
		}
	}
	return batches
}

// share gives each write its part of what the batch changed.
func (b *batch) share() {
	if len(b.parts) == 1 {
		return // it has it already
	}
	at := 0
	for _, p := range b.parts {
		at += copy(p.hit, b.hit[at:])
	}
}

// wrap says what was tried when err is not nil.
func wrap(err error, tried string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", tried, err)
}

// query runs a reading statement.
func (db *store) query(ctx context.Context, name statement, args []any) (*sql.Rows, error) {
	if !db.dialect.prepares() {
		return db.read.QueryContext(ctx, db.dialect.text(name), args...)
	}
	s, err := db.prepared(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// prepared returns the statement prepared for the readers. It lives as long as
// the ledger.
func (db *store) prepared(ctx context.Context, name statement) (*sql.Stmt, error) {
	if s, ok := db.reads.Load(name); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := db.read.PrepareContext(ctx, db.dialect.text(name))
	if err != nil {
		return nil, err
	}
	if other, loaded := db.reads.LoadOrStore(name, s); loaded {
		_ = s.Close()
		return other.(*sql.Stmt), nil
	}
	return s, nil
}

// get reads one row into dest; sql.ErrNoRows when there is none.
func (db *store) get(ctx context.Context, name statement, args []any, dest ...any) error {
	return db.first(ctx, name, args, func(rows *sql.Rows) error { return rows.Scan(dest...) })
}

// first calls scan for the first row; sql.ErrNoRows when there is none.
func (db *store) first(ctx context.Context, name statement, args []any, scan func(*sql.Rows) error) error {
	found := false
	err := db.all(ctx, name, args, func(rows *sql.Rows) error {
		if found {
			return nil
		}
		found = true
		return scan(rows)
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}

// exists reports whether a query has a row.
func (db *store) exists(ctx context.Context, name statement, args ...any) (found bool, err error) {
	err = db.all(ctx, name, args, func(*sql.Rows) error { found = true; return nil })
	return found, err
}

// all reads the rows of a query and calls scan for each.
func (db *store) all(ctx context.Context, name statement, args []any, scan func(*sql.Rows) error) error {
	ctx, done := db.dialect.withTimeout(ctx)
	defer done()
	rows, err := db.query(ctx, name, args)
	if err != nil {
		return db.dialect.explain(err)
	}
	return db.collect(rows, scan)
}

// due reads the first rows of a list that changes with every message, and calls
// scan for each. The list is read by its index and in its order, whatever the
// planner thinks of it: see postgresLimits.
func (db *store) due(ctx context.Context, name statement, args []any, scan func(*sql.Rows) error) (err error) {
	limits, within := db.dialect.limits()
	if limits == "" {
		return db.all(ctx, name, args, scan)
	}
	ctx, done := db.dialect.withTimeout(ctx)
	defer done()
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return db.dialect.explain(err)
	}
	defer func() {
		if e := tx.Rollback(); err == nil && e != nil {
			err = db.dialect.explain(e)
		}
	}()
	if _, err := tx.ExecContext(ctx, db.dialect.text(limits), within); err != nil {
		return db.dialect.explain(err)
	}
	rows, err := tx.QueryContext(ctx, db.dialect.text(name), args...)
	if err != nil {
		return db.dialect.explain(err)
	}
	return db.collect(rows, scan)
}

// errEnough is what scan returns to see no more rows.
var errEnough = errors.New("no more rows are wanted")

// collect calls scan for every row and closes rows.
func (db *store) collect(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		switch err := scan(rows); {
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return fmt.Errorf("read a row: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return db.dialect.explain(err)
	}
	return nil
}

// start begins a writer for the queues.
func (db *store) start(d dialect, urgent, bulk <-chan *write) {
	wr := &writer{db: db, urgent: urgent, bulk: bulk}
	wr.tx = &txn{dialect: d, refuse: wr.refuse, stmts: map[statement]*sql.Stmt{}, driverStmts: map[statement]driver.Stmt{}}
	db.writers.Go(wr.run)
}
