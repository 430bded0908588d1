package oracle

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// dialer is what the driver calls to connect.
type dialer func(network, address string) (net.Conn, error)

// DialContext ignores the driver's context: dialer has a better one.
func (d dialer) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	return d(network, address)
}

// loginLine is the line of a login under way. The driver may try several.
type loginLine struct {
	mu   sync.Mutex
	line *line
}

func (o *loginLine) replace(ctx context.Context, c net.Conn) (net.Conn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := ctx.Err(); err != nil { // cut was called
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

// line is a connection to the server. It knows when the driver waits for an answer, and
// can interrupt what the server is doing.
type line struct {
	net.Conn
	reading chan struct{} // not empty while a Read is under way

	mu sync.Mutex
	// interrupt is the packet that asks the server to cancel; nil = not known yet,
	// or the line is encrypted.
	interrupt       []byte
	cancelForbidden bool // nothing may be cancelled now
	cancelSent      bool // during this call, or wanted
	unlimited       bool // reads have no deadline
}

// SetReadDeadline obeys the driver until the line is abandoned. TLS comes through here
// too.
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

// readAccept finds the server's ACCEPT, the packet of type 2 that answers a CONNECT before
// TLS or anything else begins. It has the version of the protocol; from 315 on, lengths
// have four bytes.
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

// allowCancel lets the call that begins be cancelled.
func (l *line) allowCancel() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelForbidden, l.cancelSent = false, false
}

// cancelRequested reports whether the call was to be cancelled.
func (l *line) cancelRequested() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cancelSent
}

// forbidCancel lets nothing be cancelled any more, and reports whether the call was to
// be.
func (l *line) forbidCancel() (sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelForbidden = true
	return l.cancelSent
}

// requestCancel asks the server to stop. The driver must be waiting for an answer, so that
// everything it has to say has been sent. An answer may follow unless heard is false.
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

// abandon lets a read last until the server answers or is gone. The call under way sends
// nothing more, unless it had reached its end.
func (l *line) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelSent = l.cancelSent || !l.cancelForbidden
	l.unlimited = true
	_ = l.Conn.SetReadDeadline(time.Time{})
}
