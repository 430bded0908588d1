package oracletest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// The kinds of messages in the call protocol.
const (
	messageProtocol   = 1
	messageTypes      = 2
	messageCall       = 3
	messageResult     = 4
	messageRowHead    = 6
	messageRow        = 7
	messageParameters = 8
	messageStatus     = 9
	messageDirections = 11
	messageWarning    = 15
	messageDescribe   = 16
	messagePiggyback  = 17
	messageSent       = 21 // which columns the next row has; the others are as before
	messageServer     = 23 // something that the client did not request
	messageNative     = 0xde
)

// The calls and, marked so, the piggybacks, which ride before a call.
const (
	callReexecute       = 0x04
	callFetch           = 0x05
	callLogoff          = 0x09
	callCommit          = 0x0e
	callRollback        = 0x0f
	callVersion         = 0x3b
	callReexecuteFetch  = 0x4e
	callExecute         = 0x5e
	piggybackClose      = 0x69 // close cursors
	callLoginSecond     = 0x73
	callLoginFirst      = 0x76
	piggybackAttributes = 0x87 // module, action and so on
	callPing            = 0x93
)

// session is one client. Its goroutine does all of its work, except for the one call at a
// time that may have to wait for a lock.
type session struct {
	d    *Double
	line *line
	info SessionInfo // by d.mu

	fields    byte    // version of the call protocol that both sides have
	charset   Charset // in which the client sends and wants text
	wideScale bool
	login     *login
	on        bool // logged on
	schema    string
	tx        *transaction // open, or nil
	cursors   map[int]*cursor
	lastID    int
	about     int // the cursor of the call under way: an error names it too

	killOnce sync.Once
	killed   chan struct{}
}

func newSession(d *Double, c net.Conn) *session {
	return &session{
		d: d, line: newLine(c), info: SessionInfo{ID: int(d.nextID.Add(1))}, schema: d.store.user,
		cursors: map[int]*cursor{}, killed: make(chan struct{}),
	}
}

func (s *session) kill() { s.killOnce.Do(func() { close(s.killed) }) }

func (s *session) dead() bool {
	select {
	case <-s.killed:
		return true
	default:
		return false
	}
}

// serve runs a session from its first packet to its end. A message that makes no sense is
// answered with an internal error before the connection is closed, so that a test shows
// it.
func (s *session) serve() {
	ctx, cancel := context.WithCancel(s.d.ctx)
	var listening sync.WaitGroup
	defer func() {
		s.rollback()
		cancel()
		_ = s.line.Close()
		listening.Wait()
		s.d.mu.Lock()
		delete(s.d.sessions, s)
		s.d.mu.Unlock()
	}()
	if s.connect() != nil {
		return
	}
	listening.Go(func() { s.line.listen(ctx) })
	if err := s.converse(); err != nil && !gone(err) {
		_ = s.fail(asError(err))
	}
}

func (s *session) converse() error {
	killed := s.killed
	for {
		select {
		case <-killed: // while the client is silent
			s.rollback()
			killed = nil
		case p, ok := <-s.line.arrived:
			if !ok {
				return s.line.failure
			}
			if err := s.receive(p); err != nil {
				return err
			}
		}
	}
}

func (s *session) receive(p packet) error {
	switch {
	case p.kind == packetMarker: // a cancel that came too late
		return s.fail(errCancelled)
	case p.kind != packetData || len(p.body) < 2:
		return fmt.Errorf("a packet of kind %d and %d bytes between two calls", p.kind, len(p.body))
	case p.body[1]&flagEnd != 0:
		return io.EOF
	case len(p.body) == 2:
		return nil
	}
	content, err := s.line.content(p)
	if err != nil {
		return err
	}
	err = s.message(&reader{b: content, more: s.line.nextData, bigChunks: bigChunks(s.fields)})
	if e, ok := errors.AsType[*Error](err); ok { // the message made sense, its content does not
		return s.fail(e)
	}
	return err
}

// message reads one message and answers it.
func (s *session) message(r *reader) error {
	switch kind := r.byte(); kind {
	case messageNative:
		return s.native(r)
	case messageProtocol:
		return s.protocol()
	case messageTypes:
		return s.dataTypes(r)
	case messagePiggyback:
		if err := s.piggyback(r); err != nil {
			return err
		}
		return s.message(r)
	case messageCall:
		return s.function(r)
	default:
		return fmt.Errorf("a message of kind %d", kind)
	}
}

func (s *session) function(r *reader) error {
	op := r.byte()
	r.skip(1) // a sequence number
	s.about = 0
	switch {
	case op == callLoginFirst:
		return s.loginFirst(r)
	case op == callLoginSecond:
		return s.loginSecond(r)
	case r.err == nil && !s.on:
		return fmt.Errorf("call %#x before the login", op)
	}
	switch op {
	case callExecute:
		return s.execute(r)
	case callReexecute, callReexecuteFetch:
		return s.reexecute(r, op)
	case callFetch:
		return s.fetch(r)
	case callCommit:
		return s.simple(r, Commit, func(w *work) error { w.commit(); return nil })
	case callRollback:
		return s.simple(r, Rollback, func(w *work) error { w.rollback(); return nil })
	case callPing:
		return s.simple(r, Ping, nil)
	case callLogoff: // which commits, as the documentation of JDBC says
		return s.simple(r, Logoff, func(w *work) error { w.commit(); return nil })
	case callVersion:
		return s.call(Call{Step: Negotiate}, nil, func(w *writer) {
			const banner = "Oracle Database (a test double)"
			w.byte(messageParameters)
			w.int(len(banner))
			w.value([]byte(banner))
			w.int(int(s.d.release.number))
			w.byte(messageStatus)
			w.int(1, 0)
		})
	default:
		return errors.Join(r.err, fmt.Errorf("call %#x is not known to the double", op))
	}
}

// simple answers a call without arguments and results.
func (s *session) simple(r *reader, step Step, do func(*work) error) error {
	if err := r.end(); err != nil {
		return err
	}
	return s.call(Call{Step: step}, do, func(w *writer) {
		w.byte(messageStatus)
		w.int(1, 0)
	})
}

func (s *session) piggyback(r *reader) error {
	op := r.byte()
	r.skip(1)
	switch op {
	case piggybackClose:
		r.skip(1)
		for range r.count(10_000) {
			delete(s.cursors, r.int())
		}
	case piggybackAttributes:
		s.attributes(r)
	default:
		r.failf("piggyback %#x is not known to the double", op)
	}
	return r.err
}

// attributes reads what a client sets without DBMS_APPLICATION_INFO: first the lengths of
// all, then the values of those that are there.
func (s *session) attributes(r *reader) {
	r.skip(2)
	r.int() // which of them are new
	there := func() bool {
		sent := r.byte() == 1
		return r.int() > 0 && sent
	}
	unused := func() { r.skip(1); r.int(); r.skip(1); r.int() }
	identifier, module, action := there(), there(), there()
	unused()
	info := there()
	unused()
	operation := there()
	values := s.snapshot() // read before they are shared: a value may still be on its way
	var ignored string
	for _, v := range []struct {
		sent bool
		into *string
	}{{identifier, &ignored}, {module, &values.Module}, {action, &values.Action}, {info, &values.ClientInfo}, {operation, &ignored}} {
		if v.sent {
			*v.into = string(r.value())
		}
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.info = values
}

func (s *session) snapshot() SessionInfo {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.info
}

var (
	errCancelled = &Error{Code: 1013, Message: "user requested cancel of current operation"}
	errKilled    = &Error{Code: 28, Message: "your session has been killed"}
)

// call is one round trip: the faults, the work, the answer. do may be nil. An
// error of do goes to the client; call returns one only when the session cannot
// continue.
func (s *session) call(c Call, do func(*work) error, answer func(*writer)) error {
	kind := s.d.strike(c)
	switch {
	case s.dead():
		return errors.Join(s.fail(errKilled), errCut)
	case kind == CutBefore:
		return errCut
	case kind == Stall:
		return s.stall()
	case kind == Slow:
		do = func(w *work) error { <-w.ctx.Done(); return w.ctx.Err() }
	case kind.code != 0:
		return s.fail(Errorf(kind.code, "as the test asked for"))
	}
	cancelled, err := s.interruptible(do)
	failed, told := errors.AsType[*Error](err)
	switch {
	case kind == CutAfter:
		return errCut
	case s.dead():
		return errors.Join(s.fail(errKilled), errCut)
	case cancelled && err != nil:
		return s.fail(errCancelled)
	case told:
		return s.fail(failed)
	case err != nil:
		return err
	}
	w := &writer{bigChunks: bigChunks(s.fields)}
	answer(w)
	if kind == CutWithin {
		return errors.Join(s.sendHalf(w.b), errCut)
	}
	if err := s.line.send(w.b); err != nil || !cancelled {
		return err
	}
	return s.fail(errCancelled) // it came just too late
}

// interruptible does the work. A break of the client, a kill and the end of the connection
// end it early.
func (s *session) interruptible(do func(*work) error) (cancelled bool, err error) {
	if do == nil {
		return false, nil
	}
	ctx, cancel := context.WithCancel(s.d.ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(&work{s: s, ctx: ctx}) }()
	arrived := s.line.arrived
	if s.d.deaf.Load() {
		arrived = nil
	}
	select {
	case err := <-done:
		return false, err
	case <-s.killed:
		cancel()
		err := <-done
		s.rollback()
		return false, err
	case p, ok := <-arrived:
		cancel()
		err := <-done
		switch {
		case !ok:
			return false, s.line.failure
		case p.kind != packetMarker:
			return false, fmt.Errorf("a packet of kind %d while a call is under way", p.kind)
		}
		return true, err
	}
}

// sendHalf sends the first packet of an answer, as if the connection broke within it.
func (s *session) sendHalf(answer []byte) error {
	p := packet{packetData, s.line.sealed(answer[:min(len(answer), s.line.most())])}
	return writePacket(halfWriter{s.line}, s.line.wide, p)
}

type halfWriter struct{ io.Writer }

func (w halfWriter) Write(b []byte) (int, error) { return w.Writer.Write(b[:len(b)/2]) }

// stall sends nothing more until the client gives up.
func (s *session) stall() error {
	for range s.line.arrived {
	}
	return s.line.failure
}

// result is the end of an answer.
type result struct {
	err    *Error
	cursor int
	rows   int // so far
	failed []failure
}

// failure is an execution of a batch that failed.
type failure struct {
	execution int // from 0
	err       *Error
}

func (s *session) result(w *writer, v result) {
	code, position := 0, 0
	if v.err != nil {
		code, position = v.err.Code, v.err.Position
	}
	w.byte(messageResult)
	w.int(1, 0, v.rows, code, 0, 0, v.cursor, position)
	w.byte(0, 0, 0, 0, 0, 0)
	w.int(0, 0) // the row id
	w.byte(0)
	w.int(0, 0)
	w.int(0) // the operating system's error
	w.byte(0, 0)
	w.int(0, 0, 0)
	s.failures(w, v.failed)
	if s.fields >= 7 {
		w.int(code, v.rows)
	}
	if s.fields >= 14 {
		w.int(0, 0)
	}
	if v.err != nil {
		w.value(s.charset.encode(v.err.Error() + "\n"))
	}
}

// failures writes which executions of a batch failed: their codes, their numbers and their
// messages. Before 12.1 each of the three is one value, in a form that drivers ignore.
func (s *session) failures(w *writer, all []failure) {
	if len(all) == 0 {
		w.int(0, 0, 0)
		return
	}
	if s.fields < 7 {
		for range 3 {
			w.int(len(all))
			w.value(make([]byte, len(all)))
		}
		return
	}
	list := func(write func(failure)) {
		w.int(len(all))
		w.byte(byte(len(all)))
		for _, f := range all {
			write(f)
		}
	}
	list(func(f failure) { w.int(f.err.Code) })
	list(func(f failure) { w.int(f.execution) })
	list(func(f failure) {
		said := s.charset.encode(f.err.Error() + "\n")
		w.int(len(said))
		w.value(said)
		w.byte(0, 0)
	})
}

// fail answers with an error.
func (s *session) fail(e *Error) error {
	if err := s.line.reset(); err != nil {
		return err
	}
	w := &writer{bigChunks: bigChunks(s.fields)}
	s.result(w, result{err: e, cursor: s.about})
	return s.line.send(w.b)
}

func (s *session) rollback() { (&work{s: s}).rollback() }
