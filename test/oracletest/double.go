// Package oracletest is a double of Oracle's server: it speaks Oracle's own wire
// protocol, so that tests run the real driver, over TCP, against a server that fails when and
// how the test says. It is for tests only; the product does not contain it.
//
// What it does: the listener (TNS 314 to 318, service names and SIDs, redirects, resends,
// TCPS, and strict parsing of what a client says about itself), the login with its password
// check in both directions (the verifiers of 10g, 11g and 12c), native encryption,
// statements with binds, array binds and fetches in several round trips, transactions with
// row locks, errors as a server sends them (after break and reset markers), cancelling, and
// the character sets of Brazilian databases. A test plays the company: it declares tables in
// Go with Oracle's types and fills them. CheckSQL checks every statement, and the double
// refuses one that it does not know with an error that names it: it knows what a program
// that reads and updates one table needs, and no more.
//
// What it does not prove. It is written from what clients send and expect and from
// documentation, not from a server. It has no optimiser, so it says nothing about plans and
// speed. Its locks and its read consistency are the simplest that behave alike for single
// rows; it has no privileges but SELECT and UPDATE of a table, no profiles, and views only
// in name. The numbers of its errors are Oracle's, their texts need not be. It does not know
// PL/SQL: in a block it recognises the calls of DBMS_APPLICATION_INFO. What happens to an
// array that fails in its middle (also when the client asks for all failures), to an expired
// password, and to a logoff with an open transaction is an interpretation of the
// documentation. A statement that passes here still has to run on a real Oracle once; the
// double shows what Pombo does when the server answers, is slow, or dies.
//
// cassette.go records what a real server says, and reply_test.go parses such a recording to
// compare the double with it.
//
// How a call travels: packet.go cuts the stream into packets and wire.go parses the messages
// in them; handshake.go and login.go open a session, session.go serves its calls and
// fault.go breaks them; statement.go and row.go carry SQL, binds and rows. token.go,
// grammar.go, parse.go and expression.go parse the SQL; engine.go and update.go run it on
// the tables of table.go and catalogue.go, with the expressions of eval.go and function.go,
// the values of types.go and the texts of charset.go.
package oracletest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Version is the release that the double pretends to be.
type Version int

// The releases that differ on the wire.
const (
	Oracle19 Version = iota // the default
	Oracle10
	Oracle11
	Oracle12 // 12.1
	Oracle21
)

// release is what differs from version to version.
type release struct {
	tns       int      // version of the network protocol
	fields    byte     // version of the call protocol: which fields a message has
	number    uint32   // as in 19.3.0.0.0
	verifier  Verifier // that a new account gets
	pbkdf2    bool     // the login mixes the session keys with PBKDF2
	native    bool     // network services are negotiated, and the server wants none
	longNames bool     // identifiers may have 128 bytes instead of 30
}

// String is the version as PRODUCT_COMPONENT_VERSION has it.
func (r release) String() string {
	return fmt.Sprintf("%d.%d.0.0.0", r.number>>24, r.number>>20&0xf)
}

var releases = map[Version]release{
	Oracle10: {tns: 314, fields: 6, number: 10<<24 | 2<<20 | 5<<8, verifier: Verifier10g},
	Oracle11: {tns: 314, fields: 6, number: 11<<24 | 2<<20 | 4<<8, verifier: Verifier11g},
	Oracle12: {tns: 317, fields: 7, number: 12<<24 | 1<<20 | 2<<8, verifier: Verifier11g, pbkdf2: true},
	Oracle19: {tns: 317, fields: 11, number: 19<<24 | 3<<20, verifier: Verifier12c, pbkdf2: true, native: true, longNames: true},
	Oracle21: {tns: 318, fields: 16, number: 21<<24 | 3<<20, verifier: Verifier12c, pbkdf2: true, native: true, longNames: true},
}

// Options say what to simulate. The zero value is an Oracle 19 in AL32UTF8 with
// the service ERP, the SID ERP1 and the account POMBO, password "s3nha".
type Options struct {
	Version  Version
	Charset  Charset
	Verifier Verifier // what is stored of the password; 0 = what the version stores
	Service  string
	SID      string
	User     string
	Password string
	TLS      *tls.Config      // TCPS instead of TCP
	Encrypt  bool             // native encryption: AES256 with SHA256, from version 19 on
	Now      func() time.Time // for SYSDATE, which is in Brasília; nil = time.Now
}

// Double is a running server. Make it with Start, end it with Close.
type Double struct {
	o       Options
	release release
	addr    string
	store   *store

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	served sync.WaitGroup // the acceptor and the sessions

	nextID   atomic.Int64
	refusal  atomic.Int64           // see Refuse
	native   atomic.Int64           // see RefuseNative
	redirect atomic.Pointer[string] // see Redirect
	resends  atomic.Int64           // see Resend
	deaf     atomic.Bool            // see Deafen

	mu       sync.Mutex
	listener net.Listener // nil while it is down
	sessions map[*session]bool
	account  AccountStatus
	wrong    int // failed logins in a row
	faults   []*Fault
	calls    []Call
}

// Start listens on a free port of 127.0.0.1.
func Start(o Options) (*Double, error) {
	r, ok := releases[o.Version]
	if !ok {
		return nil, fmt.Errorf("start the double: there is no version %d", o.Version)
	}
	if o.Charset = cmp.Or(o.Charset, AL32UTF8); !o.Charset.known() {
		return nil, fmt.Errorf("start the double: %s is not supported", o.Charset)
	}
	o.Service, o.SID = cmp.Or(o.Service, "ERP"), cmp.Or(o.SID, "ERP1")
	o.User, o.Password = cmp.Or(o.User, "POMBO"), cmp.Or(o.Password, "s3nha")
	o.Verifier = cmp.Or(o.Verifier, r.verifier)
	if o.Verifier == Verifier12c && !r.pbkdf2 {
		return nil, fmt.Errorf("start the double: version %d is too old for verifier %d", o.Version, o.Verifier)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Double{o: o, release: r, addr: "127.0.0.1:0", ctx: ctx, cancel: cancel, sessions: map[*session]bool{}}
	d.store = newStore(o.User, o.Charset, r)
	if err := d.Up(); err != nil {
		cancel()
		return nil, err
	}
	return d, nil
}

// Addr is where the double listens, or did before Down, as host:port.
func (d *Double) Addr() string { return d.addr }

// Close ends everything and waits for it.
func (d *Double) Close() {
	d.cancel()
	d.Down()
	d.CutSessions()
	d.served.Wait()
}

// Down stops listening, as a listener that died does: a new connection is
// refused, open sessions continue.
func (d *Double) Down() {
	d.mu.Lock()
	l := d.listener
	d.listener = nil
	d.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
}

// Up listens again, at the same address.
func (d *Double) Up() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil || d.ctx.Err() != nil {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(d.ctx, "tcp", d.addr)
	if err != nil {
		return fmt.Errorf("start the double: %w", err)
	}
	d.addr = l.Addr().String()
	d.listener = l
	d.served.Go(func() { d.accept(l) })
	return nil
}

func (d *Double) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if d.o.TLS != nil {
			c = newSecured(c, d.o.TLS)
		}
		s := newSession(d, c)
		d.mu.Lock()
		if d.ctx.Err() != nil {
			d.mu.Unlock()
			_ = c.Close()
			return
		}
		d.sessions[s] = true
		d.served.Go(s.serve)
		d.mu.Unlock()
	}
}

// Refuse makes every new connection fail with this ORA code until Refuse(0):
// 12500 to 12599 come from the listener, as 12528 does, others from the login,
// as 1033 does while the database is not open yet. Open sessions continue.
func (d *Double) Refuse(code int) { d.refusal.Store(int64(code)) }

// RefuseNative makes the negotiation of encryption fail with this ORA code until
// RefuseNative(0). Version 19 and later negotiate it.
func (d *Double) RefuseNative(code int) { d.native.Store(int64(code)) }

// Redirect sends the next connection to another address, once.
func (d *Double) Redirect(to string) { d.redirect.Store(&to) }

// Resend makes the listener ask for the first packet again, this many times per
// connection, as it does when it hands a connection to a process of its own. With TCPS
// that process starts with a handshake of its own.
func (d *Double) Resend(times int) { d.resends.Store(int64(times)) }

// Deafen makes the sessions read nothing while they work on a call, like a server that
// waits for a row lock: it notices neither a cancel nor the end of the connection before
// the wait is over.
func (d *Double) Deafen(deaf bool) { d.deaf.Store(deaf) }

// KillSessions does what ALTER SYSTEM KILL SESSION does, to all sessions: open
// transactions are rolled back, and the next call gets ORA-00028.
func (d *Double) KillSessions() {
	for _, s := range d.open() {
		s.kill()
	}
}

// CutSessions closes all connections at once and sends no error, as when the instance
// dies. Open transactions are rolled back.
func (d *Double) CutSessions() {
	for _, s := range d.open() {
		_ = s.line.Close()
	}
}

func (d *Double) open() []*session {
	d.mu.Lock()
	defer d.mu.Unlock()
	open := make([]*session, 0, len(d.sessions))
	for s := range d.sessions {
		open = append(open, s)
	}
	return open
}

// SessionInfo is a row of V$SESSION, as far as a client fills it.
type SessionInfo struct {
	ID                         int
	User                       string // "" until the login is done
	Driver, Program            string
	Encrypted                  bool // natively
	Module, Action, ClientInfo string
}

// Sessions returns the open sessions, in no order.
func (d *Double) Sessions() []SessionInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	infos := make([]SessionInfo, 0, len(d.sessions))
	for s := range d.sessions {
		infos = append(infos, s.info)
	}
	return infos
}

// Error is an ORA error: what the double sends, and what a test's functions return to have
// it sent.
type Error struct {
	Code     int
	Message  string
	Position int // where in the statement, in bytes from its beginning
}

// Errorf makes an Error. A trigger of the company's own raises 20000 to 20999.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error returns the error as Oracle prints it.
func (e *Error) Error() string { return fmt.Sprintf("ORA-%05d: %s", e.Code, e.Message) }

// asError returns an error as an ORA error. Any other error is a bug in the double.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Errorf(600, "internal error code, arguments: [%v]", err)
}
