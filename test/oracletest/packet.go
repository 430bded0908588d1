package oracletest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
)

// The kinds of TNS packets that are understood.
const (
	packetConnect  = 1
	packetAccept   = 2
	packetRefuse   = 4
	packetRedirect = 5
	packetData     = 6
	packetResend   = 11
	packetMarker   = 12
)

// What a marker says, in its third byte. Clients cancel with a break or an
// interrupt; a reset says that the call is abandoned.
const (
	markerBreak = 1
	markerReset = 2
)

// flagEnd, in a data packet, says that the sender will close the line.
const flagEnd = 0x40

// flagHandshake, in the head of a resend, says that TLS begins anew.
const flagHandshake = 8

// maxPacket bounds what is read for one packet. The session data unit that is
// agreed on is far smaller; the first packet comes before it is.
const maxPacket = 1 << 20

type packet struct {
	kind byte
	body []byte // without the head of eight bytes
}

// readPacket reads one packet. wide is the form of the length from TNS 315 on:
// four bytes in place of two.
func readPacket(r io.Reader, wide bool) (packet, error) {
	b, err := readWhole(r, func() bool { return wide })
	if err != nil {
		return packet{}, err
	}
	return packet{kind: b[4], body: b[8:]}, nil
}

// readWhole reads a packet with its head. It asks for the form only once the head is
// there: a recorder learns it from the packets of the other side.
func readWhole(in io.Reader, wide func() bool) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(head[:]))
	if wide() {
		length = int(binary.BigEndian.Uint32(head[:]))
	}
	if length < len(head) || length > maxPacket {
		return nil, fmt.Errorf("a packet of %d bytes", length)
	}
	b := make([]byte, length)
	copy(b, head[:])
	_, err := io.ReadFull(in, b[len(head):])
	return b, err
}

func writePacket(w io.Writer, wide bool, p packet) error {
	b := make([]byte, 8, 8+len(p.body))
	if wide {
		binary.BigEndian.PutUint32(b, uint32(cap(b)))
	} else {
		binary.BigEndian.PutUint16(b, uint16(cap(b)))
	}
	b[4] = p.kind
	_, err := w.Write(append(b, p.body...))
	return err
}

// line is one connection, cut into packets. One goroutine reads it all the time,
// because a client may break in while its call is being worked on.
type line struct {
	net.Conn
	in   *bufio.Reader
	wide bool
	unit int // the session data unit agreed on: how large a packet may be

	cipher *nativeCipher // nil = the packets are in the clear

	arrived chan packet
	failure error // why arrived was closed; read it after that
}

func newLine(c net.Conn) *line {
	return &line{Conn: c, in: bufio.NewReader(c), arrived: make(chan packet)}
}

// listen reads packets until the line ends or ctx does. It is the only reader
// once it was started.
func (l *line) listen(ctx context.Context) {
	defer close(l.arrived)
	for {
		p, err := readPacket(l.in, l.wide)
		if err != nil {
			l.failure = err
			return
		}
		select {
		case l.arrived <- p:
		case <-ctx.Done():
			l.failure = ctx.Err()
			return
		}
	}
}

// next waits for a packet.
func (l *line) next() (packet, error) {
	p, ok := <-l.arrived
	if !ok {
		return p, l.failure
	}
	return p, nil
}

// nextData waits for the rest of a message that did not fit into one packet.
func (l *line) nextData() ([]byte, error) {
	p, err := l.next()
	if err != nil {
		return nil, err
	}
	if p.kind != packetData || len(p.body) < 2 {
		return nil, fmt.Errorf("a packet of kind %d in the middle of a message", p.kind)
	}
	return l.content(p)
}

// content is what a data packet carries, behind its flags.
func (l *line) content(p packet) ([]byte, error) {
	if l.cipher == nil {
		return p.body[2:], nil
	}
	return l.cipher.open(p.body[2:])
}

// sealed is the body of a data packet.
func (l *line) sealed(content []byte) []byte {
	if l.cipher != nil {
		content = l.cipher.seal(content)
	}
	return append([]byte{0, 0}, content...)
}

// most is how much a data packet may carry.
func (l *line) most() int {
	if l.cipher == nil {
		return l.unit - 16
	}
	return l.unit - 16 - overhead
}

// send writes a message, in as many data packets as it takes.
func (l *line) send(message []byte) error {
	for {
		n := min(len(message), l.most())
		if err := writePacket(l, l.wide, packet{packetData, l.sealed(message[:n])}); err != nil {
			return err
		}
		if message = message[n:]; len(message) == 0 {
			return nil
		}
	}
}

// reset tells the client that its call has failed, with a break and a reset, and
// waits for its own reset. An Oracle server does so before every error.
func (l *line) reset() error {
	for _, m := range []byte{markerBreak, markerReset} {
		if err := writePacket(l, l.wide, packet{packetMarker, []byte{1, 0, m}}); err != nil {
			return err
		}
	}
	for {
		p, err := l.next()
		if err != nil {
			return err
		}
		if p.kind == packetMarker && len(p.body) >= 3 && p.body[2] == markerReset {
			if l.cipher != nil {
				return l.cipher.renew()
			}
			return nil
		}
	}
}

// gone reports whether an error is just the other side, or we, hanging up.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, errCut)
}

// secured is a connection with TLS, which can begin anew on the same connection.
type secured struct {
	net.Conn
	config *tls.Config
	now    atomic.Pointer[tls.Conn]
}

func newSecured(c net.Conn, config *tls.Config) *secured {
	s := &secured{Conn: c, config: config}
	s.renew()
	return s
}

func (s *secured) renew() { s.now.Store(tls.Server(s.Conn, s.config)) }

func (s *secured) Read(b []byte) (int, error)  { return s.now.Load().Read(b) }
func (s *secured) Write(b []byte) (int, error) { return s.now.Load().Write(b) }
func (s *secured) Close() error                { return s.now.Load().Close() }
