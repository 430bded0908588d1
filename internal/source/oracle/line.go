package oracle

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// dialer is what the driver calls to reach an address.
type dialer func(network, address string) (net.Conn, error)

// DialContext leaves the driver's context aside: dialer has a better one.
func (d dialer) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	return d(network, address)
}

// openLine is the line of a login under way. The driver may try several.
type loginLine struct {
	mu   sync.Mutex
	line *line
}

func (o *loginLine) replace(ctx context.Context, c net.Conn) (net.Conn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := ctx.Err(); err != nil { // cut has been
		_ = c.Close()
		return nil, err
	}
	if o.line != nil {
		_ = o.line.Close()
	}
	o.line = &line{Conn: c, reading: make(chan struct{}, 1)}
	return o.line, nil
}

func (o *loginLine) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.line != nil {
		_ = o.line.Close()
	}
}

// line is a connection to the server. It tells when the driver waits for an
// answer, and can interrupt what the server is doing for it.
type line struct {
	net.Conn
	reading chan struct{} // holds something while a Read is under way

	mu sync.Mutex
	// interrupt is the packet that asks the server to cancel; nil = not known yet,
	// or the line is encrypted.
	interrupt       []byte
	cancelForbidden bool // nothing must be cancelled now
	cancelSent      bool // a cancel, during this call, or one was wanted
	unlimited       bool // reads may last
}

// SetReadDeadline obeys the driver until the line is left to wait for an answer. TLS
// comes through here too.
func (l *line) SetReadDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unlimited {
		return nil
	}
	return l.Conn.SetReadDeadline(t)
}

func (l *line) Read(b []byte) (int, error) {
	select {
	case l.reading <- struct{}{}:
	default:
	}
	n, err := l.Conn.Read(b)
	select {
	case <-l.reading:
	default:
	}
	l.readAccept(b[:n])
	return n, err
}

// learn finds the server's ACCEPT, the packet of type 2 that answers a CONNECT
// before TLS or anything else is spoken. It tells the version of the protocol;
// from 315 on, lengths have four bytes.
func (l *line) readAccept(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.interrupt != nil || len(b) < 10 || b[4] != 2 || b[2] != 0 || b[3] != 0 || int(binary.BigEndian.Uint16(b)) > len(b) {
		return
	}
	// A marker, of type 12, with the interrupt, 3.
	l.interrupt = []byte{0, 11, 0, 0, 12, 0, 0, 0, 1, 0, 3}
	if binary.BigEndian.Uint16(b[8:]) >= 315 {
		l.interrupt = []byte{0, 0, 0, 11, 12, 0, 0, 0, 1, 0, 3}
	}
}

// begin lets what comes now be cancelled.
func (l *line) allowCancel() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelForbidden, l.cancelSent = false, false
}

// asked reports whether something was to be cancelled.
func (l *line) cancelRequested() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cancelSent
}

// end lets nothing be cancelled any more, and reports whether something was to be.
func (l *line) forbidCancel() (sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelForbidden = true
	return l.cancelSent
}

// cancel asks the server to stop. It is for when the driver waits for an answer: all
// that it has to say is on its way. An answer may follow unless heard is false.
func (l *line) requestCancel() (heard bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancelForbidden {
		return true
	}
	l.cancelSent = true
	if l.interrupt == nil {
		return false
	}
	_ = l.SetWriteDeadline(time.Now().Add(grace)) // the driver sets its own before each write
	if _, err := l.Write(l.interrupt); err != nil {
		_ = l.Close()
	}
	return true
}

// leave lets a read last until the server answers or is gone. Of what is under way
// nothing more follows, unless it had reached its end.
func (l *line) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelSent = l.cancelSent || !l.cancelForbidden
	l.unlimited = true
	_ = l.Conn.SetReadDeadline(time.Time{})
}
