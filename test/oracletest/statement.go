package oracletest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// cursor is a statement that a client has open.
type cursor struct {
	id   int
	sql  string
	st   *statement // nil until it was parsed without an error
	bind []bind     // how the client sends values
	long []bool     // by column: the client wants the LOB as a LONG, in line

	counted bool // the client wants the rows of each execution, and of repeated ones too

	result *outcome
	sent   int // rows of it
}

// bind says how a client sends or wants a value.
type bind struct {
	code, flags byte
	size        int
	form        byte
}

func (b bind) long() bool {
	return b.code == typeLong || b.code == typeLongVarchar || b.code == typeLongRaw
}

// formNational marks values in the national character set.
const formNational = 2

// Bits of an execution's options, and of a repeated one's.
const (
	optionExecute  = 0x20
	optionCommit   = 0x100
	optionBatch    = 0x80000 // errors of single executions are reported at the end
	optionRecommit = 0x1
)

// Bits of a bind's flags.
const (
	bindArray  = 0x40 // a table of PL/SQL
	bindAbsent = 0x80 // alone: no value is sent
)

const (
	maxBinds      = 65_535
	maxDefines    = 1000
	maxExecutions = 100_000
)

// errNoCursor answers a call on a cursor that is not open. The values that it carries
// cannot be read without the cursor.
var errNoCursor = &Error{Code: 1001, Message: "invalid cursor"}

// execution is the head of the call that parses, binds, defines, executes and
// fetches, each if its options say so.
type execution struct {
	options, cursor int
	sql             string // "" = that of the cursor
	binds, defines  int    // how many descriptions follow
	times           int    // executions, or rows to be fetched
	prefetch        int    // rows that may come at once
	counted         bool   // the rows of each execution are wanted
}

func (s *session) takeExecution(r *reader) execution {
	e := execution{options: r.int(), cursor: r.int()}
	fresh := r.byte() == 1
	fresh = r.int() > 0 && fresh
	r.skip(1)
	r.int() // how many integers there are below
	r.skip(2)
	r.int() // bytes to be fetched
	e.prefetch = r.int()
	r.int() // bytes of a LONG
	r.skip(1)
	e.binds = r.count(maxBinds)
	r.skip(6)
	e.defines = r.count(maxDefines)
	r.int()
	r.skip(3)
	r.int()
	r.skip(1)
	r.ints(2)
	if s.fields >= 7 {
		r.skip(1)
		e.counted = r.int() > 0
		r.skip(1)
	}
	if s.fields >= 8 {
		r.skip(1)
		r.int()
		r.skip(1)
		r.int()
		r.skip(1)
	}
	if s.fields >= 9 {
		r.skip(1)
		r.int()
	}
	if fresh {
		e.sql = strings.TrimRight(s.charset.decode(r.value()), "\x00")
	}
	r.int()
	e.times = r.int()
	r.ints(11)
	return e
}

func (s *session) execute(r *reader) error {
	e := s.takeExecution(r)
	if r.err != nil {
		return r.err
	}
	c := s.cursors[e.cursor]
	if e.sql != "" {
		if c == nil {
			s.lastID++
			c = &cursor{id: s.lastID}
			s.cursors[c.id] = c
		}
		*c = cursor{id: c.id, sql: e.sql}
	}
	if c == nil {
		return errNoCursor
	}
	if e.defines > 0 {
		c.long = make([]bool, e.defines)
		for i := range c.long {
			b := s.takeBind(r)
			c.long[i] = b.long()
			if b.code == typeClob || b.code == typeBlob {
				r.failf("the double has no LOB locators: fetch LOBs in line")
			}
		}
	} else if e.binds > 0 {
		c.bind = make([]bind, e.binds)
		for i := range c.bind {
			c.bind[i] = s.takeBind(r)
		}
	}
	if e.defines > 0 && e.options&optionExecute == 0 {
		return s.rows(r, c, max(e.times, e.prefetch))
	}
	if step(c.sql) == Query {
		e.times = 1
	}
	sets, err := s.takeBinds(r, c, e.times)
	if err != nil {
		return err
	}
	c.counted = e.counted
	return s.run(c, sets, run{commit: e.options&optionCommit != 0, batch: e.options&optionBatch != 0, prefetch: e.prefetch, described: true})
}

// reexecute reads the short call that executes an open cursor once more.
func (s *session) reexecute(r *reader, op byte) error {
	c := s.cursors[r.int()]
	times := r.int()
	r.int()
	options := r.int()
	if r.err == nil && c == nil {
		return errNoCursor
	}
	if r.err != nil {
		return r.err
	}
	prefetch := 0
	if op == callReexecuteFetch {
		prefetch, times = times, 1
	}
	sets, err := s.takeBinds(r, c, times)
	if err != nil {
		return err
	}
	return s.run(c, sets, run{commit: options&optionRecommit != 0, prefetch: prefetch})
}

func (s *session) fetch(r *reader) error {
	c := s.cursors[r.int()]
	n := r.int()
	if r.err == nil && c == nil {
		return errNoCursor
	}
	return s.rows(r, c, n)
}

// takeBind reads the description of a bind or a define.
func (s *session) takeBind(r *reader) bind {
	b := bind{code: r.byte(), flags: r.byte()}
	r.skip(2)
	b.size = r.int()
	r.ints(2) // elements of an array, flags
	if r.int() > 0 {
		r.value() // a type's id
	}
	r.ints(2) // its version; the character set, which the form says as well
	b.form = r.byte()
	r.int()
	if s.fields >= 8 {
		r.int()
	}
	return b
}

// takeBinds reads the values of so many executions, to the end of the message. Those of
// LONGs follow the others of an execution. After all have been read, an invalid value is an
// *Error.
func (s *session) takeBinds(r *reader, c *cursor, times int) ([][]value, error) {
	if times = max(times, 1); times > maxExecutions {
		return nil, fmt.Errorf("%d executions in one call", times)
	}
	var last, order []int
	for i, b := range c.bind {
		switch {
		case b.flags == bindAbsent:
		case b.flags&bindArray != 0:
			return nil, errors.New("the double has no arrays of PL/SQL")
		case b.long():
			last = append(last, i)
		default:
			order = append(order, i)
		}
	}
	order = append(order, last...)
	sets := make([][]value, times)
	var failed error
	for n := range sets {
		sets[n] = make([]value, len(c.bind))
		if len(order) == 0 {
			continue
		}
		if m := r.byte(); r.err == nil && m != messageRow {
			return nil, fmt.Errorf("a message of kind %d in place of the values of execution %d", m, n+1)
		}
		for _, i := range order {
			v, err := decodeBind(c.bind[i], r.value(), s.charset)
			if sets[n][i] = v; err != nil {
				failed = err
			}
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return sets, failed
}

// step returns the kind of call that executes a statement.
func step(sql string) Step {
	switch first, _, _ := strings.Cut(strings.ToUpper(strings.TrimLeft(sql, " \t\r\n(")), " "); strings.TrimSpace(first) {
	case "SELECT", "WITH":
		return Query
	case "UPDATE", "INSERT", "DELETE", "MERGE":
		return Write
	default:
		return Execute
	}
}

// run executes a cursor.
type run struct {
	commit    bool
	batch     bool // an execution that fails stops no other
	prefetch  int  // rows
	described bool // describe the columns
}

func (s *session) run(c *cursor, sets [][]value, how run) error {
	s.about = c.id
	log := Call{Step: step(c.sql), SQL: c.sql, Executions: len(sets), Commit: how.commit && step(c.sql) != Query}
	for _, b := range c.bind {
		if b.code == typeNumber {
			log.Numbers++
		}
	}
	return s.call(log, func(w *work) error {
		if c.st == nil {
			st, err := s.parse(c.sql)
			if err != nil {
				return err
			}
			c.st = st
		}
		c.result, c.sent = nil, 0
		o, err := w.run(c.st, sets, how.batch, log.Commit)
		if err == nil {
			c.result = o
		}
		return err
	}, func(w *writer) {
		if c.st.query != nil {
			if how.described {
				s.describe(w, c.result.columns)
			}
			if slices.ContainsFunc(c.result.columns, func(c column) bool { return c.typ.isLOB() }) && c.long == nil {
				how.prefetch = 0 // the client has to say how it wants the LOBs
			}
			s.sendRows(w, c, how.prefetch)
			parameters(w)
			s.endRows(w, c, how.prefetch > 0)
			return
		}
		if c.st.nls != nil || c.st.block != nil {
			s.sendDirections(w, c)
		}
		if c.st.alter != nil {
			s.sendSettings(w, c.st.alter)
		}
		parameters(w)
		if c.counted {
			w.int(len(c.result.touched))
			w.int(c.result.touched...)
		}
		end := result{cursor: c.id, rows: c.result.affected(), failed: c.result.failed}
		if len(end.failed) > 0 {
			end.err = Errorf(24381, "error(s) in array DML")
		}
		s.result(w, end)
	})
}

func (s *session) parse(sql string) (*statement, error) {
	longest := 30
	if s.d.release.longNames {
		longest = 128
	}
	if err := check(sql, longest); err != nil {
		return nil, err
	}
	return parse(sql)
}

// rows answers a call that only fetches.
func (s *session) rows(r *reader, c *cursor, n int) error {
	if err := r.end(); err != nil {
		return err
	}
	s.about = c.id
	return s.call(Call{Step: Fetch, SQL: c.sql}, func(*work) error {
		if c.result == nil || c.st.query == nil {
			return Errorf(1002, "fetch out of sequence")
		}
		return nil
	}, func(w *writer) {
		s.sendRows(w, c, n)
		s.endRows(w, c, true)
	})
}
